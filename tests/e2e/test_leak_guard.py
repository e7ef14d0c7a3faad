"""A leak of each kind, planted in a data set, meets the guard in every command that splits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.in_process import run

from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import CardiosegError
from cardioseg.io.nifti import write_labels, write_volume
from cardioseg.phantom import cohort

TINY = """
epochs = 1
[plan]
spacing_mm = 8.0
size = [16, 16]
scheme = "acdc"
[plan.network]
widths = [2, 4]
classes = 4
"""

STUDY = """
name = "leaky"
scheme = "acdc"
base = "paper"
seeds = [0]
[config]
patience = 0
epochs = 1
plan.spacing_mm = 8.0
plan.size = [16, 16]
plan.scheme = "acdc"
plan.network.widths = [2, 4]
plan.network.classes = 4
[data]
{data}
[arms.one]
title = "one"
[arms.two]
title = "two"
config.learning_rate = 1e-4
"""

Pair = tuple[Volume, LabelMap]


@dataclass(frozen=True)
class Leak:
    """What is planted: names of two cases that are one heart, and how the second is made."""

    first: str
    second: str
    words: str
    copy: Callable[[Pair, Pair], Pair]


def mirrored(one: Pair, _: Pair) -> Pair:
    image, labels = one
    return (
        Volume(np.ascontiguousarray(image.array[::-1]), image.geometry),
        LabelMap(np.ascontiguousarray(labels.array[::-1]), labels.geometry, labels.scheme),
    )


def noisy(one: Pair, _: Pair) -> Pair:
    """Another scale of intensities, noise, and turned by a quarter."""
    image, labels = (np.rot90(each.array, axes=(0, 1)) for each in one)
    noise = np.random.default_rng(0).normal(0, 0.1 * one[0].array.std(), image.shape)
    again = (0.6 * image + noise).astype(np.float32)
    return Volume(again, one[0].geometry), LabelMap(labels.copy(), one[1].geometry, one[1].scheme)


def other_heart(_: Pair, other: Pair) -> Pair:
    """An image that has nothing to do with the first: only the names tell."""
    return other


LEAKS = {
    "frame": Leak("twin_t01", "twin_t02", "scan twin (frames of it)", other_heart),
    "content": Leak("heart0", "copy", "the same image", mirrored),
    "near": Leak("heart0", "copy", "nearly the same image", noisy),
}


@pytest.fixture(scope="module")
def hearts() -> list[Pair]:
    cases = [case for case in cohort(5, seed=4, size=48) if case.phase == "ED"]
    return [case.pair() for case in cases]


@pytest.fixture(params=list(LEAKS))
def leak(request: pytest.FixtureRequest) -> Leak:
    return LEAKS[request.param]


@pytest.fixture
def data(leak: Leak, hearts: list[Pair], tmp_path: Path) -> str:
    """Four hearts, and the planted one, in nnU-Net's layout: each name counts as a subject."""
    names = [leak.first, "heart1", "heart2", "heart3", leak.second]
    planted = [*hearts[:4], leak.copy(hearts[0], hearts[4])]
    root = tmp_path / "data"
    for part in ("imagesTr", "labelsTr"):
        (root / part).mkdir(parents=True)
    for name, (image, labels) in zip(names, planted, strict=True):
        write_volume(image, root / "imagesTr" / f"{name}_0000.nii.gz")
        write_labels(labels, root / "labelsTr" / f"{name}.nii.gz")
    facts = {"labels": {"background": 0, "RV": 1, "MYO": 2, "LV": 3}, "name": "planted"}
    (root / "dataset.json").write_text(json.dumps(facts))
    (tmp_path / "tiny.toml").write_text(TINY)
    return f"nnunet:{root}"


@pytest.fixture
def split(leak: Leak, tmp_path: Path) -> Path:
    """The planted pair in two parts."""
    parts = {"training": [leak.first, "heart1"], "validation": [leak.second, "heart2"]}
    (tmp_path / "split.json").write_text(json.dumps({**parts, "test": ["heart3"]}))
    return tmp_path / "split.json"


def options(command: str, data: str, split: Path, place: Path) -> list[object]:
    """A command on the split."""
    output = place / "out"
    if command == "compare":
        study = place / "study.toml"
        study.write_text(STUDY.format(data=f'split = "{split}"'))
        return ["compare", study, "--data", data, "--output", output]
    if command == "baseline":
        return ["baseline", "otsu", "--data", data, "--split", split, "--output", output]
    config = ("--config", place / "tiny.toml")
    return [command, *config, "--data", data, "--split", split, "--output", output]


@pytest.mark.parametrize("command", ["train", "tune", "baseline", "compare"])
def test_a_planted_leak_is_refused(
    command: str,
    leak: Leak,
    data: str,
    split: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(*options(command, data, split, tmp_path)) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert f"error: leak: {leak.words} is in training" in told
    assert {leak.first, leak.second} <= set(told.replace("(", " ").replace(")", " ").split())
    assert not list((tmp_path / "out").rglob("model.onnx"))


@pytest.mark.parametrize("command", ["train", "tune", "baseline", "compare"])
@pytest.mark.parametrize("leak", [LEAKS["content"]], ids=["subject"])
def test_a_subject_in_two_parts_is_refused(
    command: str, data: str, split: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = json.loads(split.read_text())
    split.write_text(json.dumps({**parts, "validation": ["heart1"]}))
    assert run(*options(command, data, split, tmp_path)) == 1
    assert "subject heart1 is in two parts" in capsys.readouterr().err


class StoppedError(CardiosegError):
    """Instead of training."""


def stop(*_: object, **__: object) -> None:
    raise StoppedError("here the training would begin")


@pytest.mark.parametrize("seed", [0, 1])
def test_drawn_parts_keep_one_person_together(
    seed: int,
    leak: Leak,
    data: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`--split subjects` of train and tune, the folds of cross-validate, the shares of a study."""
    from cardioseg.workflows import folds, train, tune
    from cardioseg.workflows.study import study as study_module

    config = tmp_path / "tiny.toml"
    config.write_text(f"seed = {seed}\n{TINY}")
    monkeypatch.setattr(train, "fit", stop)
    monkeypatch.setattr(tune, "run_search", stop)
    monkeypatch.setattr(folds, "train", stop)
    monkeypatch.setattr(study_module, "cost", stop)
    common = ("--config", config, "--data", data, "--output")
    pair = {leak.first, leak.second}
    for command in ("train", "tune"):
        assert run(command, *common, tmp_path / command) == 1
        told = capsys.readouterr().err
        assert "here the training would begin" in told
        assert f"kept in one part: {', '.join(sorted(pair))}" in told
        parts = json.loads((tmp_path / command / "split.json").read_text())
        assert any(pair <= set(part) for part in parts.values())
    assert run("cross-validate", *common, tmp_path / "folds", "--folds", 3) == 1
    record = json.loads((tmp_path / "folds" / "folds.json").read_text())
    assert any(pair <= set(part) for part in record["validation"])
    study = tmp_path / "shares.toml"
    study.write_text(STUDY.format(data=f'split = "subjects:2/1/1"\nseed = {seed}'))
    assert run("compare", study, "--data", data, "--output", tmp_path / "study") == 1
    assert "here the training would begin" in capsys.readouterr().err


@pytest.mark.parametrize("leak", [LEAKS["near"]], ids=["near"])
def test_near_copies_are_let_through_by_who_has_looked_at_them(
    leak: Leak,
    data: str,
    split: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from cardioseg.workflows import train

    monkeypatch.setattr(train, "fit", stop)
    parts = json.loads(split.read_text())
    split.write_text(json.dumps({**parts, "allow_near_duplicates": True}))
    assert run(*options("train", data, split, tmp_path)) == 1
    assert "here the training would begin" in capsys.readouterr().err
    kept = json.loads((tmp_path / "out" / "split.json").read_text())
    assert kept["allow_near_duplicates"] is True


@pytest.mark.parametrize("leak", [LEAKS["content"]], ids=["weights"])
@pytest.mark.parametrize(
    ("before", "words"),
    [
        ({"training": ["heart1", "heart2"], "validation": ["heart3"]}, "1 subjects that are held"),
        ({"split": "slices", "seed": 0}, "3 subjects that are held"),
        ({"training": ["heart1", "heart0"], "validation": ["heart2"]}, ""),
    ],
)
def test_first_weights_that_have_seen_who_is_held_out_are_refused(
    before: dict[str, object],
    words: str,
    data: str,
    split: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from cardioseg.workflows import train

    monkeypatch.setattr(train, "best_weights", stop)
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "split.json").write_text(json.dumps(before))
    (begun / "run.json").write_text('{"data": "planted"}')
    now = {"training": ["heart1"], "validation": ["heart2", "copy"], "test": ["heart3"]}
    split.write_text(json.dumps(now))
    arguments = [*options("train", data, split, tmp_path), "--start-from", begun]
    assert run(*arguments) == 1
    assert (words or "here the training would begin") in capsys.readouterr().err
    # A run on other data may have subjects of the same names.
    (begun / "run.json").write_text('{"data": "another"}')
    assert run(*arguments[:-3], tmp_path / "out2", *arguments[-2:]) == 1
    assert "here the training would begin" in capsys.readouterr().err
