"""What predicting costs, in counted work: each slice once, one model a process, bounded memory."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from benchmarks.speed.volumes import run_program
from numpy.typing import NDArray
from tests.in_process import run
from tests.networks import SMALL, exported_network

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import Volume
from cardioseg.engines.engine import Engine
from cardioseg.inference.window import window_around
from cardioseg.io.nifti import write_volume
from cardioseg.model import NETWORK, Model, open_engine, write_model
from cardioseg.prepare.plan import Plan

SIDE, SLICES = 24, 5
WIDE, LEAST = 192, (64, 64)
"""Pixels of a slice's side, and of the least window, where only the heart's surroundings are read.
"""

PLAN = Plan(
    plane="axial",
    spacing_mm=1.5,
    size=(SIDE, SIDE),
    whole_slices=True,
    network=SMALL,
    scheme="acdc",
)

LARGE = (528, 528, 40)
LARGEST_PEAK_MB = 400
"""Measured: 281, of which the volume takes 45. Scores would take 178 more, if held whole."""


@dataclass
class Counting:
    """An engine that remembers every image that it is given."""

    engine: Engine
    seen: Counter[bytes] = field(default_factory=Counter)
    sizes: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def pixels(self) -> int:
        return sum(self.sizes)

    def __call__(self, slices: NDArray[np.float32]) -> NDArray[np.float32]:
        self.seen.update(each.tobytes() for each in slices)
        self.sizes.append(slices.size)
        return self.engine(slices)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random network for axial slices, without a calibration."""
    folder = tmp_path_factory.mktemp("models") / "random"
    write_model(folder, PLAN, {NETWORK: exported_network()})
    return folder


def noise(folder: Path, number: int, slices: int) -> Path:
    """A volume no slice of which is like another."""
    grid = Geometry((SIDE, SIDE, slices), np.diag([1.5, 1.5, 8.0, 1.0]))
    values = np.random.default_rng([number, slices]).random(grid.shape, np.float32)
    path = folder / f"volume{number}-{slices}.nii.gz"
    write_volume(Volume(values, grid), path)
    return path


@pytest.mark.parametrize(("volumes", "slices"), [(1, SLICES), (2, SLICES), (4, SLICES), (1, 37)])
@pytest.mark.parametrize("passes", [1, 4])
def test_each_slice_is_read_once_by_one_model(
    volumes: int,
    slices: int,
    passes: int,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[Counting] = []

    def counted(source: Model, engine: str, threads: int | None = None) -> Counting:
        opened.append(Counting(open_engine(source, engine, threads)))
        return opened[-1]

    monkeypatch.setattr("cardioseg.inference.predictor.open_engine", counted)
    inputs = [noise(tmp_path, number, slices) for number in range(volumes)]
    words = ["--mirrors"] if passes > 1 else []
    code = run("predict", *inputs, "--model", model, "--output", tmp_path / "out", *words)
    assert code == 0
    assert len(opened) == 1, "the network is loaded once, however many volumes there are"
    seen = opened[0].seen
    assert len(seen) == passes * volumes * slices
    assert set(seen.values()) == {1}, "no image goes through the network twice"
    assert opened[0].pixels == passes * volumes * slices * SIDE**2


class Bright:
    """An engine that calls what is bright the fourth class."""

    name = "bright"

    def __call__(self, slices: NDArray[np.float32]) -> NDArray[np.float32]:
        scores = np.zeros((len(slices), SMALL.classes, *slices.shape[2:]), np.float32)
        scores[:, 0], scores[:, -1] = slices[:, 0] < 0, slices[:, 0] >= 0
        return scores


@pytest.mark.parametrize(("volumes", "slices"), [(1, 8), (2, 8), (1, 40)])
def test_of_most_slices_only_the_pixels_around_the_heart_are_read(
    volumes: int, slices: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Counting(Bright())
    monkeypatch.setattr("cardioseg.inference.predictor.open_engine", lambda *_: opened)
    settings = {"size": (WIDE, WIDE), "intensity": "zscore", "smallest_window": LEAST}
    plan = Plan.model_validate({**PLAN.model_dump(), **settings})
    write_model(tmp_path / "model", plan, {NETWORK: exported_network()})
    grid = Geometry((WIDE, WIDE, slices), np.diag([1.5, 1.5, 8.0, 1.0]))
    inputs = []
    for number in range(volumes):
        values = np.random.default_rng(number).random(grid.shape, np.float32)
        values[90:100, 90:100] += 1000
        inputs.append(tmp_path / f"{number}.nii.gz")
        write_volume(Volume(values, grid), inputs[-1])
    code = run("predict", *inputs, "--model", tmp_path / "model", "--output", tmp_path / "out")
    assert code == 0
    probes = 3 if slices < 16 else 8
    inside = window_around(np.pad(np.ones((10, 10), bool), ((90, 92), (90, 92))), LEAST)
    assert inside is not None
    read = probes + inside.share * (slices - probes)
    assert opened.pixels == volumes * read * WIDE**2
    assert read < 0.7 * slices


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is told in Linux' unit")
def test_the_memory_of_a_large_volume_is_bounded(model: Path, tmp_path: Path) -> None:
    grid = Geometry(LARGE, np.diag([0.75, 0.75, 1.0, 1.0]))
    path = tmp_path / "large.nii"
    ramp = np.arange(LARGE[2], dtype=np.float32) * np.ones(LARGE, np.float32)
    write_volume(Volume(ramp, grid), path)
    words = ["predict", str(path), "--model", str(model), "--output", str(tmp_path / "out")]
    assert run_program([*words, "--no-quality"], threads=1).peak_mb < LARGEST_PEAK_MB
