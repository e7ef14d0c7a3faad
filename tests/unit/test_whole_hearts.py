"""Whole-heart data sets as files: layout, split, what is left out, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.in_process import run

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.data.splits import read_split
from cardioseg.datasets import read_dataset
from cardioseg.errors import ConfigError, DatasetError, LeakageError, OutputExistsError
from cardioseg.io.nifti import write_labels
from cardioseg.workflows import whole_hearts
from cardioseg.workflows.whole_hearts import WholeHearts, heart_boxes, write_whole_hearts

SMALL = Geometry(
    (28, 30, 26), np.array([[0, 0, 1.5, 0], [-1.5, 0, 0, 0], [0, -1.5, 0, 0], [0, 0, 0, 1.0]])
)


def small_heart() -> LabelMap:
    index = np.indices(SMALL.shape).reshape(3, -1).T - (14, 15, 13)
    distance = np.linalg.norm(index, axis=1).reshape(SMALL.shape)
    return LabelMap((distance < 11).astype(np.uint8) + (distance < 7), SMALL, MYOCARDIUM_BLOOD)


def small_case(seed: int, index: int, setting: object = None) -> Case:
    name = f"{'harder' if setting else 'congenital'}_{index:04d}"
    image = np.full(SMALL.shape, seed * 100 + index + 50 * bool(setting), np.float32)
    return Case(name, name, lambda: Volume(image, SMALL), small_heart)


@pytest.fixture
def label_maps(tmp_path: Path) -> Path:
    folder = tmp_path / "maps"
    folder.mkdir()
    for patient in (0, 1, 4):
        write_labels(small_heart(), folder / f"training_axial_full_pat{patient}-label.nii.gz")
    return folder


def test_phantoms_are_written_in_nnunets_layout_with_their_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_hearts, "congenital_case", small_case)
    output = tmp_path / "hearts"
    assert write_whole_hearts(output, WholeHearts(3, validation=2, seed=5)) == 5
    dataset = read_dataset(f"nnunet:{output}")
    assert dataset.scheme == MYOCARDIUM_BLOOD
    assert dataset.license.startswith("free")
    image, labels = dataset.cases[1].pair()
    assert float(image.array.max()) == 501
    assert (labels.array == small_heart().array).all()
    split = read_split(output / "split.json")
    assert split.training == ("congenital_0000", "congenital_0001", "congenital_0002")
    assert split.validation == ("harder_0000", "harder_0001")


def test_a_heart_in_both_parts_is_refused_before_a_split_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        whole_hearts, "congenital_case", lambda seed, index, setting=None: small_case(seed, index)
    )
    with pytest.raises(LeakageError, match=r"subject congenital_0000 is in training .* validation"):
        write_whole_hearts(tmp_path / "hearts", WholeHearts(2, validation=1))
    assert not (tmp_path / "hearts" / "split.json").exists()


def test_label_maps_that_are_left_out_are_never_used(tmp_path: Path, label_maps: Path) -> None:
    boxes = heart_boxes(label_maps, ("pat4",))
    assert [name for name, _ in boxes] == ["training_axial_full_pat0", "training_axial_full_pat1"]
    output = tmp_path / "hearts"
    write_whole_hearts(output, WholeHearts(2, labels=label_maps, leave_out=("pat4",)))
    dataset = read_dataset(f"nnunet:{output}")
    assert dataset.subjects == ("training_axial_full_pat0", "training_axial_full_pat1")
    assert "label maps" in dataset.license
    image, labels = dataset.cases[0].pair()
    assert image.geometry.orientation == "PIR"
    assert labels.volume_ml("blood pool") > 1
    muscle = image.array[labels.mask("myocardium")].mean()
    assert image.array[labels.mask("blood pool")].mean() > muscle
    assert not (output / "split.json").exists()


def test_nothing_can_be_left_out_of_no_label_maps() -> None:
    with pytest.raises(ConfigError, match="`labels` is None: give a folder"):
        WholeHearts(2, leave_out=("pat4",))


def test_the_same_seed_writes_the_same_scans(tmp_path: Path, label_maps: Path) -> None:
    for name in "ab":
        write_whole_hearts(tmp_path / name, WholeHearts(1, seed=2, labels=label_maps))
    first, second = (read_dataset(f"nnunet:{tmp_path / name}").cases[0] for name in "ab")
    assert first.image().array.tobytes() == second.image().array.tobytes()
    assert first.labels().array.tobytes() == second.labels().array.tobytes()


def test_several_processes_write_what_one_writes(tmp_path: Path, label_maps: Path) -> None:
    wanted, told = WholeHearts(3, seed=2, labels=label_maps), []
    for name, processes in (("one", 1), ("two", 2)):
        write_whole_hearts(tmp_path / name, wanted, lambda *step: told.append(step), processes)
    assert told[:4] == told[4:]
    assert [step[:2] for step in told[4:]] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    first, second = (
        {
            str(path.relative_to(tmp_path / name)): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file() and path.name != "run.json"
        }
        for name in ("one", "two")
    )
    assert len(first) == 7
    assert first == second


def test_leaving_out_everything_is_refused(label_maps: Path) -> None:
    with pytest.raises(DatasetError, match="all 3 label maps are left out"):
        heart_boxes(label_maps, ("pat",))


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").touch()
    with pytest.raises(OutputExistsError, match="is not empty"):
        write_whole_hearts(tmp_path, WholeHearts(1))


def test_the_description_names_labels_and_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_hearts, "congenital_case", small_case)
    write_whole_hearts(tmp_path / "hearts", WholeHearts(1, seed=7))
    facts = json.loads((tmp_path / "hearts" / "dataset.json").read_text())
    assert facts["labels"] == {"background": 0, "myocardium": 1, "blood pool": 2}
    assert facts["seed"] == 7


def test_label_maps_are_left_out_only_where_there_are_some(tmp_path: Path, capsys) -> None:
    output = tmp_path / "out"
    assert run("phantom", "--whole-heart", "--leave-out", "pat4", "--output", output) == 2
    assert "--leave-out goes with --from-labels: add it" in capsys.readouterr().err
    assert not output.exists()
