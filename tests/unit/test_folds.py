"""Cross-validation: everybody is predicted once, by a network that never saw them; it resumes."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from cardioseg.core.volume import LabelMap
from cardioseg.datasets import Dataset
from cardioseg.errors import ConfigError, DatasetError
from cardioseg.phantom import cohort
from cardioseg.training.config import TrainConfig
from cardioseg.training.fit import Watch
from cardioseg.workflows.folds import cross_validate
from cardioseg.workflows.train import Listener

CONFIG = TrainConfig.model_validate(
    {
        "epochs": 1,
        "batch_size": 8,
        "plan": {
            "spacing_mm": 5.0,
            "size": [32, 32],
            "scheme": "acdc",
            "network": {"widths": [4, 8], "classes": 4},
        },
    }
)


@pytest.fixture(scope="module")
def dataset():
    """Four subjects, of which the last has the images of the first under another name."""
    cases = cohort(3, seed=1, size=48)
    first = [case for case in cases if case.subject == "phantom_000"]
    twins = [replace(c, id=c.id.replace("000", "777"), subject="phantom_777") for c in first]
    return Dataset("phantoms", (*cases, *twins), cases[0].labels().scheme, "none needed")


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    output = tmp_path_factory.mktemp("folds") / "run"
    return output, cross_validate(CONFIG, dataset, 3, output)


def parts(output, fold):
    return json.loads((output / f"fold-{fold}.json").read_text())


def test_everybody_is_measured_once_by_a_network_that_never_saw_them(dataset, finished):
    output, report = finished
    assert sorted(report.cases) == sorted(case.id for case in dataset.cases)
    seen = [subject for fold in range(3) for subject in parts(output, fold)["validation"]]
    assert sorted(seen) == sorted(dataset.subjects)
    for fold in range(3):
        split = parts(output, fold)
        assert not set(split["training"]) & set(split["validation"])
        labels = (output / f"fold-{fold}" / "out-of-fold" / "labels").iterdir()
        subjects = {path.name.partition("_frame")[0] for path in labels}
        assert subjects == set(split["validation"])
    assert json.loads((output / "run.json").read_text())["folds"] == 3
    assert (output / "report" / "report.csv").is_file()


def test_one_person_under_two_names_stays_in_one_fold(finished):
    output, _ = finished
    homes = {s: fold for fold in range(3) for s in parts(output, fold)["validation"]}
    assert homes["phantom_000"] == homes["phantom_777"]


def test_a_finished_one_is_only_read_and_another_is_refused(dataset, finished):
    output, report = finished

    def never(step):
        raise AssertionError("trained again")

    again = cross_validate(CONFIG, dataset, 3, output, Listener(watch=Watch(step=never)))
    assert again == report
    with pytest.raises(ConfigError, match="or another number of folds"):
        cross_validate(CONFIG, dataset, 2, output)
    with pytest.raises(ConfigError, match="name another folder"):
        cross_validate(CONFIG.model_copy(update={"seed": 5}), dataset, 3, output)


def test_a_key_that_is_new_since_the_folder_was_begun_has_its_default(dataset, finished, tmp_path):
    output, report = finished
    shutil.copytree(output, tmp_path / "run")
    path = tmp_path / "run" / "folds.json"
    record = json.loads(path.read_text())
    assert record["config"].pop("weight_decay") == 0.0
    assert record["config"]["plan"].pop("whole_slices") is False
    path.write_text(json.dumps(record))
    assert cross_validate(CONFIG, dataset, 3, tmp_path / "run") == report
    path.write_text(json.dumps({**record, "config": {**record["config"], "a_later_key": 1}}))
    with pytest.raises(ConfigError, match="of another configuration"):
        cross_validate(CONFIG, dataset, 3, tmp_path / "run")


def test_what_was_interrupted_goes_on(dataset, finished, tmp_path):
    class StoppedError(Exception):
        pass

    def stop(line):
        if line == "fold 2 of 3":
            raise StoppedError

    with pytest.raises(StoppedError):
        cross_validate(CONFIG, dataset, 3, tmp_path / "run", Listener(tell=stop))
    report = cross_validate(CONFIG, dataset, 3, tmp_path / "run")
    assert report == finished[1]


def test_corrected_labels_are_another_cross_validation(dataset, finished):
    def emptied(case):
        labels = case.labels()
        empty = LabelMap(np.zeros_like(labels.array), labels.geometry, labels.scheme)
        return replace(case, load_labels=lambda: empty)

    changed = replace(dataset, cases=tuple(emptied(case) for case in dataset.cases))
    with pytest.raises(ConfigError, match="other images or labels"):
        cross_validate(CONFIG, changed, 3, finished[0])


@pytest.mark.filterwarnings("ignore::cardioseg.errors.PlaneWarning")
def test_a_network_of_three_planes_is_measured(dataset, tmp_path):
    plan = CONFIG.plan.model_copy(update={"plane": "orthogonal"})
    config = CONFIG.model_copy(update={"plan": plan})
    two = replace(dataset, cases=dataset.cases[:4])
    report = cross_validate(config, two, 2, tmp_path / "run")
    assert sorted(report.cases) == sorted(case.id for case in two.cases)


def test_more_folds_than_people_are_refused(dataset, tmp_path):
    with pytest.raises(DatasetError, match="4 folds of 3 subjects"):
        cross_validate(CONFIG, dataset, 4, tmp_path / "run")
