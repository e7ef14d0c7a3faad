"""Volumes, label maps and cases: checked once at construction, and read-only afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from cardioseg.core.case import Case, phase_of, subject_of
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, HVSMR2, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import DatasetError, FormatError, GeometryError, LabelError

SHAPE = (2, 3, 4)
GRID = Geometry(SHAPE, np.diag([1.5, 1.5, 8.0, 1.0]))


def test_a_volume_is_float32_and_read_only() -> None:
    volume = Volume(np.ones(SHAPE, np.int16), GRID)
    assert volume.array.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        volume.array[0, 0, 0] = 2


def test_a_volume_does_not_follow_the_array_it_came_from() -> None:
    source = np.zeros(SHAPE, np.float32)
    volume = Volume(source, GRID)
    source[:] = 9
    assert volume.array.max() == 0


def test_a_read_only_array_of_its_own_is_not_copied() -> None:
    source = np.zeros(SHAPE, np.float32)
    source.setflags(write=False)
    assert Volume(source, GRID).array is source


def test_a_read_only_view_of_a_writable_array_is_copied() -> None:
    source = np.zeros(SHAPE, np.float32)
    view = source[:]
    view.setflags(write=False)
    volume = Volume(view, GRID)
    source[:] = 9
    assert volume.array.max() == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_volume_is_finite(bad: float) -> None:
    array = np.zeros(SHAPE, np.float32)
    array[0, 0, :2] = bad
    with pytest.raises(FormatError, match="2 voxels are NaN or infinite; replace them"):
        Volume(array, GRID)


def test_array_and_grid_have_one_shape() -> None:
    with pytest.raises(GeometryError, match=r"a volume of shape \(2, 3, 5\) on a grid of shape"):
        Volume(np.zeros((2, 3, 5), np.float32), GRID)
    with pytest.raises(GeometryError, match=r"a label map of shape \(2, 3\) on a grid of shape"):
        LabelMap(np.zeros((2, 3), np.uint8), GRID, ACDC)


def test_a_label_map_is_uint8_and_read_only() -> None:
    labels = LabelMap(np.ones(SHAPE, np.int64), GRID, ACDC)  # type: ignore[arg-type]
    assert labels.array.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        labels.array[0, 0, 0] = 2


@pytest.mark.parametrize("value", [4, 255, -1, 256, 259, 1.5])
def test_a_label_outside_the_scheme_is_refused_before_it_wraps(value: float) -> None:
    array = np.full(SHAPE, value)
    with pytest.raises(
        LabelError, match=rf"label values {value:g} are not in scheme acdc \(0 to 3"
    ):
        LabelMap(array, GRID, ACDC)  # type: ignore[arg-type]


def test_mask_and_volume_of_a_structure() -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[0, 0] = 3
    labels = LabelMap(array, GRID, ACDC)
    assert labels.mask("LV cavity").sum() == 4
    assert labels.volume_ml("LV cavity") == pytest.approx(4 * 1.5 * 1.5 * 8 / 1000)
    assert labels.volume_ml("myocardium") == 0
    with pytest.raises(LabelError, match="scheme acdc has no structure 'liver'; it has: RV cavity"):
        labels.mask("liver")


def test_labels_merge_into_a_coarser_scheme() -> None:
    array = np.array([0, 1, 2, 3], np.uint8).reshape(1, 1, 4)
    grid = Geometry((1, 1, 4), np.eye(4))
    labels = LabelMap(array, grid, ACDC)
    merged = labels.read_as(MYOCARDIUM_BLOOD)
    assert merged.array.ravel().tolist() == [0, 2, 1, 2]
    assert labels.read_as(ACDC) is labels
    with pytest.raises(
        LabelError, match="cannot be read as hvsmr2; possible: acdc, left_ventricle, myo"
    ):
        labels.read_as(HVSMR2)


def case(**changes: object) -> Case:
    facts: dict[str, object] = {
        "id": "p1_frame01",
        "subject": "p1",
        "load_image": lambda: Volume(np.zeros(SHAPE, np.float32), GRID),
        **changes,
    }
    return Case(**facts)  # type: ignore[arg-type]


def test_a_case_reads_when_asked() -> None:
    def refuse() -> Volume:
        raise FormatError("damaged")

    lazy = case(load_image=refuse)
    with pytest.raises(FormatError, match="damaged"):
        lazy.image()


def test_a_case_without_labels_says_so() -> None:
    with pytest.raises(DatasetError, match="case p1_frame01 has no reference labels"):
        case().labels()


def test_a_case_has_one_grid() -> None:
    zeros = np.zeros(SHAPE, np.uint8)
    good = case(load_labels=lambda: LabelMap(zeros, GRID, ACDC))
    assert good.pair()[1].geometry.is_same(GRID)
    other = Geometry(SHAPE, np.diag([1.5, 1.5, 10.0, 1.0]))
    bad = case(load_labels=lambda: LabelMap(zeros, other, ACDC))
    with pytest.raises(GeometryError, match="case p1_frame01: labels and image lie on different"):
        bad.pair()


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("patient002_frame01", "patient002"),
        ("pat4", "pat4"),
        ("_frame1", "_frame1"),
        ("A0S9V9_ED", "A0S9V9"),
        ("A0S9V9_ES", "A0S9V9"),
        ("pat_4_frame09_ES", "pat_4"),
        ("patient0001_4CH_ED", "patient0001"),
        ("001_SA_ES", "001"),
        ("myops_training_101_DE", "myops_training_101"),
        ("pat_EDGE", "pat_EDGE"),
        ("_ED", "_ED"),
        ("ED", "ED"),
    ],
)
def test_the_subject_stands_before_frame_view_phase_or_sequence(name: str, subject: str) -> None:
    assert subject_of(name) == subject


@pytest.mark.parametrize("name", ["A0S9V9_ED", "1_ES", "x_frame09_ES", "p_4CH_ED", "a_b_SA_ES"])
def test_the_two_phases_of_a_heart_are_one_subject(name: str) -> None:
    other = name.removesuffix(phase_of(name)) + {"ED": "ES", "ES": "ED"}[phase_of(name)]
    assert subject_of(name) == subject_of(other)
    assert not phase_of(subject_of(name))
