"""The same seed gives the same bytes; `reproduce` says so, and says when it is not so."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from cardioseg.__main__ import main
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.datasets import read_dataset
from cardioseg.errors import ConfigError, DatasetError, FormatError
from cardioseg.io.nifti import read_labels, read_volume, write_labels, write_volume
from cardioseg.model import open_model
from cardioseg.prepare.plan import NetworkPlan, Plan
from cardioseg.training.checkpoint import CHECKPOINT, weights_digest
from cardioseg.training.config import TrainConfig
from cardioseg.workflows.phantoms import write_phantoms
from cardioseg.workflows.reproduce import _require_same_data, read_recorded, reproduce
from cardioseg.workflows.train import Start, train

CONFIG = TrainConfig(
    plan=Plan(
        spacing_mm=4.0,
        size=(32, 32),
        network=NetworkPlan(widths=(4, 8), classes=4, dropout=0.1),
        scheme="acdc",
    ),
    learning_rate=5e-3,
    epochs=2,
    seed=11,
)


@pytest.fixture(scope="module")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hearts")
    write_phantoms(folder, 2, seed=0)
    return folder


@pytest.fixture(scope="module")
def trained(hearts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained") / "run"
    train(CONFIG, read_dataset(f"acdc:{hearts}"), "subjects", output)
    return output


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may change."""
    shutil.copytree(trained, tmp_path / "run", ignore=shutil.ignore_patterns("cache"))
    return tmp_path / "run"


def changed(path: Path, **keys: object) -> None:
    """Change keys of a JSON file; None takes a key out."""
    record = {**json.loads(path.read_text()), **keys}
    path.write_text(json.dumps({k: v for k, v in record.items() if v is not None}))


def program(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["cardioseg", "reproduce", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_model_may_be_given_windows_as_large_as_the_patches_of_its_training(
    trained: Path, hearts: Path, tmp_path: Path
) -> None:
    assert open_model(trained / "model").plan.smallest_window is None
    config = CONFIG.model_copy(update={"patch": (16, 16), "epochs": 1})
    train(config, read_dataset(f"acdc:{hearts}"), "subjects", tmp_path / "run")
    assert open_model(tmp_path / "run" / "model").plan.smallest_window == (16, 16)


def test_the_same_seed_gives_the_same_bytes(trained, tmp_path, monkeypatch, capsys) -> None:
    again = tmp_path / "again"
    assert program(monkeypatch, trained, "--output", again, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["identical"] is True
    assert told["same_model"] is True
    assert told["largest_difference"] == 0
    assert told["differences"] == []
    record = json.loads((trained / "run.json").read_text())
    assert told["weights_sha256"] == told["repeated_sha256"] == record["weights_sha256"]
    for name in ("model.onnx", "plan.json"):
        assert (again / "model" / name).read_bytes() == (trained / "model" / name).read_bytes()
    assert json.loads((again / "run-reproduce.json").read_text())["identical"] is True


def test_another_seed_is_told_with_exit_code_3(run, monkeypatch, capsys) -> None:
    changed(run / "config.json", seed=12)
    changed(run / "run.json", threads=None, versions={"torch": "0.1"})
    assert program(monkeypatch, run) == 3
    out = capsys.readouterr().out
    assert out.startswith("not identical: weights differ by up to ")
    assert "torch 0.1 then" in out
    assert "does not say how many threads" in out
    assert not list(run.parent.glob("again*")), "without --output nothing is kept"


def test_what_a_run_records(trained: Path, hearts: Path) -> None:
    record = json.loads((trained / "run.json").read_text())
    assert record["weights_sha256"] == weights_digest(trained)
    assert len(record["plan_sha256"]) == len(record["labels_digest"]) == 64
    assert record["threads"] >= 1
    assert record["config"]["seed"] == 11
    assert record["duration_s"] >= record["seconds"] > 0
    assert str(hearts) not in json.dumps(record), "run.json names no path"
    assert json.loads((trained / "source.json").read_text())["data"] == f"acdc:{hearts}"


def copied(hearts: Path, tmp_path: Path) -> Path:
    shutil.copytree(hearts, tmp_path / "moved")
    return tmp_path / "moved"


def test_moved_data_is_named_and_checked(run, hearts, tmp_path) -> None:
    moved = copied(hearts, tmp_path)
    recorded = read_recorded(run, f"acdc:{moved}")
    _require_same_data(recorded)
    path = next(moved.rglob("*frame01_gt.nii.gz"))
    labels = read_labels(path, ACDC)
    write_labels(LabelMap(np.flip(labels.array, 0), labels.geometry, ACDC), path)
    with pytest.raises(DatasetError, match="other labels, order or grids than the run"):
        reproduce(run, tmp_path / "again", f"acdc:{moved}")
    path = next(moved.rglob("*frame01.nii.gz"))
    image = read_volume(path)
    write_volume(Volume(image.array + 1, image.geometry), path)
    with pytest.raises(DatasetError, match="other images than the run"):
        reproduce(run, tmp_path / "again", f"acdc:{moved}")
    assert not (tmp_path / "again").exists()


def test_a_run_that_does_not_say_where_its_data_lies(run, hearts) -> None:
    (run / "source.json").unlink()
    with pytest.raises(DatasetError, match="add --data KIND:FOLDER"):
        read_recorded(run)
    # Runs of before this command name the images only, and no threads.
    changed(run / "run.json", labels_digest=None, threads=None, duration_s=None)
    _require_same_data(read_recorded(run, f"acdc:{hearts}"))


@pytest.mark.parametrize(
    ("version", "words"),
    [(2, "install a newer cardioseg"), (0, "make the file again"), (None, "make the file again")],
)
def test_another_format_version_is_refused(run, version, words) -> None:
    changed(run / "run.json", format_version=version)
    with pytest.raises(FormatError, match=words):
        read_recorded(run)


def test_what_is_no_training_run_is_refused(run, tmp_path) -> None:
    with pytest.raises(FormatError, match=r"cannot be read as a run\.json"):
        read_recorded(tmp_path)
    (run / "config.json").write_text('{"epochs": 2}')
    with pytest.raises(ConfigError, match=r"config\.json: plan: Field required"):
        read_recorded(run)
    (run / "config.json").unlink()
    with pytest.raises(ConfigError, match=r"config\.json: cannot be read"):
        read_recorded(run)
    (run / CHECKPOINT).unlink()
    with pytest.raises(ConfigError, match="not a finished training run"):
        read_recorded(run)


def test_weights_that_a_run_began_with_are_asked_for(trained, hearts, tmp_path) -> None:
    finer = tmp_path / "finer"
    config = CONFIG.model_copy(update={"epochs": 1})
    train(config, read_dataset(f"acdc:{hearts}"), "slices", finer, start=Start(False, trained))
    with pytest.raises(ConfigError, match="name it with --start-from"):
        reproduce(finer, tmp_path / "again")
    with pytest.raises(ConfigError, match="not the run whose weights"):
        reproduce(finer, tmp_path / "again", start_from=finer)
    with pytest.raises(ConfigError, match="began with new weights"):
        reproduce(trained, tmp_path / "again", start_from=finer)
    assert reproduce(finer, tmp_path / "again", start_from=trained).identical
