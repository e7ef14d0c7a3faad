"""A run goes on with what it began with; nobody validates whom the weights have seen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cardioseg.datasets import read_dataset
from cardioseg.errors import ConfigError, DatasetError, LeakageError
from cardioseg.io.nifti import read_labels, write_labels
from cardioseg.prepare.plan import NetworkPlan, Plan
from cardioseg.training.checkpoint import CHECKPOINT
from cardioseg.training.config import TrainConfig, recorded_in
from cardioseg.training.fit import Watch
from cardioseg.workflows.phantoms import write_phantoms
from cardioseg.workflows.provenance import file_digest
from cardioseg.workflows.train import Listener, Start, train

CONFIG = TrainConfig(
    plan=Plan(
        spacing_mm=4.0,
        size=(32, 32),
        network=NetworkPlan(widths=(4, 8), classes=4),
        scheme="acdc",
    ),
    epochs=2,
)


class StoppedError(Exception):
    pass


def stop(*_: object) -> None:
    raise StoppedError


STOPPING = Listener(watch=Watch(epoch=stop))


@pytest.fixture(scope="module")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hearts")
    write_phantoms(folder, 4, seed=0)
    return folder


def split(folder: Path, training: str, validation: str) -> str:
    """A split file by the last digits of the phantoms' numbers."""
    parts = {
        "training": [f"patient00{digit}" for digit in training],
        "validation": [f"patient00{digit}" for digit in validation],
    }
    path = folder / f"{training}-{validation}.json"
    path.write_text(json.dumps(parts))
    return str(path)


@pytest.fixture
def stopped(hearts: Path, tmp_path: Path) -> Path:
    """A run that was stopped after its first epoch; patient004 validates."""
    with pytest.raises(StoppedError):
        train(
            CONFIG,
            read_dataset(f"acdc:{hearts}"),
            split(tmp_path, "123", "4"),
            tmp_path / "run",
            listener=STOPPING,
        )
    return tmp_path / "run"


def test_a_run_goes_on_with_its_own_split_only(hearts, stopped, tmp_path) -> None:
    dataset = read_dataset(f"acdc:{hearts}")
    before = (stopped / "split.json").read_text()
    with pytest.raises(ConfigError, match="began with another split; resume with --split"):
        train(CONFIG, dataset, split(tmp_path, "234", "1"), stopped, start=Start(resume=True))
    assert (stopped / "split.json").read_text() == before
    done = train(CONFIG, dataset, str(stopped / "split.json"), stopped, start=Start(resume=True))
    assert done.progress.epoch == 2


def test_a_run_without_a_checkpoint_goes_on_with_its_own_configuration(hearts, stopped) -> None:
    dataset, parts = read_dataset(f"acdc:{hearts}"), str(stopped / "split.json")
    (stopped / CHECKPOINT).unlink()
    other = CONFIG.model_copy(update={"learning_rate": 0.01})
    with pytest.raises(ConfigError, match=r"another configuration; resume with .*config\.json"):
        train(other, dataset, parts, stopped, start=Start(resume=True))
    assert recorded_in(stopped / "config.json") == CONFIG
    assert train(CONFIG, dataset, parts, stopped, start=Start(resume=True)).progress.epoch == 2


def test_a_temperature_that_was_known_stays_where_nobody_validates(hearts, tmp_path) -> None:
    known = CONFIG.model_copy(
        update={"plan": CONFIG.plan.model_copy(update={"temperature": 1.25}), "epochs": 1}
    )
    dataset = read_dataset(f"acdc:{hearts}")
    for validation, kept in (("", True), ("4", False)):
        parts, run = split(tmp_path, "123", validation), tmp_path / f"run{validation}"
        model = train(known, dataset, parts, run).model
        assert (model.plan.temperature == 1.25) is kept


def test_a_run_goes_on_with_its_own_labels_only(hearts, stopped, tmp_path) -> None:
    corrected = tmp_path / "corrected"
    shutil.copytree(hearts, corrected)
    path = next(corrected.rglob("*_gt.nii.gz"))
    labels = read_labels(path, read_dataset(f"acdc:{hearts}").scheme)
    array = labels.array.copy()
    array[array == 3] = 0
    write_labels(type(labels)(array, labels.geometry, labels.scheme), path)
    with pytest.raises(ConfigError, match="other images or labels"):
        train(
            CONFIG,
            read_dataset(f"acdc:{corrected}"),
            str(stopped / "split.json"),
            stopped,
            start=Start(resume=True),
        )


def test_whose_weights_were_the_first_is_known_after_a_stop(hearts, stopped, tmp_path) -> None:
    dataset, parts = read_dataset(f"acdc:{hearts}"), str(stopped / "split.json")
    first = tmp_path / "first"
    train(CONFIG, dataset, parts, first)
    finer = tmp_path / "finer"
    with pytest.raises(StoppedError):
        train(CONFIG, dataset, parts, finer, start=Start(weights_of=first), listener=STOPPING)
    train(CONFIG, dataset, parts, finer, start=Start(resume=True))
    again = train(CONFIG, dataset, parts, finer, start=Start(resume=True, weights_of=first))
    assert again.progress.epoch == 2
    with pytest.raises(ConfigError, match="leave out --start-from"):
        train(CONFIG, dataset, parts, finer, start=Start(resume=True, weights_of=stopped))
    record = json.loads((finer / "run.json").read_text())
    assert record["started_from"] == file_digest(first / CHECKPOINT)
    (finer / CHECKPOINT).unlink()
    with pytest.raises(ConfigError, match="name it with --start-from"):
        train(CONFIG, dataset, parts, finer, start=Start(resume=True))


def test_who_was_seen_two_runs_ago_is_seen(hearts, tmp_path) -> None:
    dataset = read_dataset(f"acdc:{hearts}")
    config = CONFIG.model_copy(update={"epochs": 1})
    first, second = tmp_path / "first", tmp_path / "second"
    train(config, dataset, split(tmp_path, "123", "4"), first)
    train(config, dataset, split(tmp_path, "23", "4"), second, start=Start(weights_of=first))
    third = tmp_path / "third"
    with pytest.raises(LeakageError, match="1 subjects that are held out here, patient001"):
        train(config, dataset, split(tmp_path, "23", "1"), third, start=Start(weights_of=second))


def test_a_start_that_failed_leaves_no_run(hearts, tmp_path) -> None:
    dataset, output = read_dataset(f"acdc:{hearts}"), tmp_path / "run"
    config = CONFIG.model_copy(update={"epochs": 1})
    for missing in (str(tmp_path / "nope.json"), split(tmp_path, "129", "4")):
        with pytest.raises((ConfigError, DatasetError)):
            train(config, dataset, missing, output)
    assert train(config, dataset, split(tmp_path, "123", "4"), output).progress.epoch == 1
