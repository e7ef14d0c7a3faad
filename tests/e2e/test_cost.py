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
from cardioseg.io.nifti import write_volume
from cardioseg.model import NETWORK, Model, open_engine, write_model
from cardioseg.prepare.plan import Plan

SIDE, SLICES = 24, 5

LARGE = (528, 528, 40)
LARGEST_PEAK_MB = 400
"""Measured: 281, of which the volume takes 45. Scores would take 178 more, if held whole."""


@dataclass
class Counting:
    """An engine that remembers every image that it is given."""

    engine: Engine
    seen: Counter[bytes] = field(default_factory=Counter)

    @property
    def name(self) -> str:
        return self.engine.name

    def __call__(self, slices: NDArray[np.float32]) -> NDArray[np.float32]:
        self.seen.update(each.tobytes() for each in slices)
        return self.engine(slices)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random network for axial slices, without a calibration."""
    folder = tmp_path_factory.mktemp("models") / "random"
    plan = Plan(
        plane="axial",
        spacing_mm=1.5,
        size=(SIDE, SIDE),
        whole_slices=True,
        network=SMALL,
        scheme="acdc",
    )
    write_model(folder, plan, {NETWORK: exported_network()})
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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is told in Linux' unit")
def test_the_memory_of_a_large_volume_is_bounded(model: Path, tmp_path: Path) -> None:
    grid = Geometry(LARGE, np.diag([0.75, 0.75, 1.0, 1.0]))
    path = tmp_path / "large.nii"
    ramp = np.arange(LARGE[2], dtype=np.float32) * np.ones(LARGE, np.float32)
    write_volume(Volume(ramp, grid), path)
    words = ["predict", str(path), "--model", str(model), "--output", str(tmp_path / "out")]
    assert run_program([*words, "--no-quality"], threads=1).peak_mb < LARGEST_PEAK_MB
