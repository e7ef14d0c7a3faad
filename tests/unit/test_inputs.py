"""Which files a command means."""

from __future__ import annotations

from pathlib import Path

import pytest

from cardioseg.errors import DatasetError, FormatError
from cardioseg.io.folders import files_below
from cardioseg.workflows.inputs import gather_images, gather_labels, of_part


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_folder_is_read_recursively_without_its_labels_and_cines(tmp_path: Path) -> None:
    _touch(tmp_path, "a/x_frame01.nii.gz", "a/x_frame01_gt.nii.gz", "a/x_4d.nii.gz", "b/y.nii")
    _touch(tmp_path, "b/y-label.nii", "b/y_seg.nii.gz", "b/notes.txt")
    found = gather_images([tmp_path])
    assert [(each.name, each.subject) for each in found] == [("x_frame01", "x"), ("y", "y")]


def test_labels_are_named_by_their_case(tmp_path: Path) -> None:
    _touch(tmp_path, "x_frame01.nii.gz", "x_frame01_gt.nii.gz")
    assert [each.name for each in gather_labels(tmp_path)] == ["x_frame01"]
    assert gather_labels(tmp_path)[0].path.name == "x_frame01_gt.nii.gz"


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        gather_images([tmp_path / "absent.nii"])
    with pytest.raises(DatasetError, match="no image"):
        gather_images([tmp_path])
    _touch(tmp_path, "a.jpg", "one/x.nii", "two/x.nii.gz")
    with pytest.raises(DatasetError, match="NIfTI"):
        gather_images([tmp_path / "a.jpg"])
    with pytest.raises(DatasetError, match="one name"):
        gather_images([tmp_path / "one", tmp_path / "two"])


def test_only_the_subjects_of_a_part(tmp_path: Path) -> None:
    _touch(tmp_path, "a_frame01.nii", "a_frame02.nii", "b_frame01.nii")
    split = tmp_path / "split.json"
    split.write_text('{"training": ["b"], "validation": ["a"]}')
    chosen = of_part(gather_images([tmp_path]), split, "validation")
    assert [each.name for each in chosen] == ["a_frame01", "a_frame02"]
    with pytest.raises(DatasetError, match="no input"):
        of_part(chosen, split, "test")
    with pytest.raises(DatasetError, match="part"):
        of_part(chosen, split, "tests")


def test_images_and_labels_of_every_format(tmp_path: Path) -> None:
    _touch(tmp_path, "a.nrrd", "b.mha", "c.mhd", "c.raw", "a.seg.nrrd", "d.nii.gz", "d_gt.nrrd")
    assert [each.name for each in gather_images([tmp_path])] == ["a", "b", "c", "d"]
    assert [each.name for each in gather_labels(tmp_path)] == ["a", "d"]
    assert gather_labels(tmp_path / "a.seg.nrrd")[0].name == "a"
    _touch(tmp_path, "d.mha")
    with pytest.raises(DatasetError, match="one name"):
        gather_images([tmp_path])


def test_pictures_count_only_where_there_is_no_volume(tmp_path: Path) -> None:
    """Beside volumes a PNG is a figure of a report, not an input."""
    _touch(tmp_path, "cells/t1.png", "cells/t0.png", "masks/t0.png", "masks/.t1.png")
    assert [each.name for each in gather_images([tmp_path / "cells"])] == ["t0", "t1"]
    assert [each.name for each in gather_labels(tmp_path / "masks")] == ["t0"]
    _touch(tmp_path, "cells/case.nii.gz", "masks/case_gt.nii.gz")
    assert [each.name for each in gather_images([tmp_path / "cells"])] == ["case"]
    assert [each.name for each in gather_labels(tmp_path / "masks")] == ["case"]
    assert [each.name for each in gather_images([tmp_path / "cells" / "t1.png"])] == ["t1"]


def test_sequences_of_camus_and_labels_of_myops_are_no_inputs(tmp_path: Path) -> None:
    _touch(tmp_path, "patient0001_2CH_ED.nii.gz", "patient0001_2CH_half_sequence.nii.gz")
    _touch(tmp_path, "myops_training_101_gd.nii.gz", "myops_training_101_T2.nii.gz")
    found = gather_images([tmp_path])
    assert [each.subject for each in found] == ["myops_training_101", "patient0001"]


def test_a_segmentation_stands_for_its_own_case_alone(tmp_path: Path) -> None:
    _touch(tmp_path, "a.nii.gz", "a.seg.nrrd", "b.nii.gz", "c.nii.gz")
    found = {each.name: each.path.name for each in gather_labels(tmp_path)}
    assert found == {"a": "a.seg.nrrd", "b": "b.nii.gz", "c": "c.nii.gz"}


def test_links_are_followed_once_and_capitals_are_read(tmp_path: Path) -> None:
    _touch(tmp_path, "real/patient/x.nii.gz", "farm/UPPER.NII.GZ")
    (tmp_path / "farm" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "farm" / "round").symlink_to(tmp_path / "farm")
    (tmp_path / "farm" / "gone.nii").symlink_to(tmp_path / "nowhere.nii")
    # A link that leads nowhere is an input that can't be read, not one that is left out.
    found = gather_images([tmp_path / "farm"])
    assert sorted(each.name for each in found) == ["UPPER", "gone", "x"]


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="absent: cannot be listed: No such file"):
        files_below(tmp_path / "absent")
