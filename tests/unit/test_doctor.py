"""The doctor: hearts damaged on purpose, one finding each; the clean ones give none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.datasets import Dataset, read_dataset
from cardioseg.errors import FormatError, LabelError, OutputExistsError
from cardioseg.phantom import cohort
from cardioseg.workflows.doctor import Examination, examine, write_repaired
from cardioseg.workflows.doctor.finding import Finding, findings_text
from cardioseg.workflows.doctor.labels import Parts, convention

Pair = tuple[np.ndarray, np.ndarray]
VICTIM = "phantom_002"


@cache
def hearts() -> tuple[Case, ...]:
    """Six clean subjects, one frame each, kept in memory."""
    kept = []
    for case in cohort(6, seed=0, variants=("normal",), size=128)[::2]:
        image, labels = case.pair()
        kept.append(in_memory(case, image, labels))
    return tuple(kept)


def in_memory(case: Case, image: Volume, labels: LabelMap) -> Case:
    return replace(case, load_image=lambda: image, load_labels=lambda: labels)


def dataset(*cases: Case) -> Dataset:
    return Dataset("phantoms", cases, ACDC, "free")


def damaged(change: Callable[[Case], Case]) -> Examination:
    return examine(dataset(*(change(c) if c.subject == VICTIM else c for c in hearts())))


def arrays(change: Callable[[np.ndarray, np.ndarray], Pair]) -> Callable[[Case], Case]:
    """Damage of the arrays; the affines stay."""

    def on_case(case: Case) -> Case:
        image, labels = case.pair()
        pixels, values = change(image.array.copy(), labels.array.copy())
        affine = image.geometry.affine
        return in_memory(
            case,
            Volume(pixels, Geometry(pixels.shape, affine)),
            LabelMap(values, Geometry(values.shape, affine), ACDC),
        )

    return on_case


def the_finding(examination: Examination) -> Finding:
    """The only one, which names the damaged subject and says what to do."""
    (finding,) = examination.findings
    assert finding.subject == VICTIM
    assert finding.case == f"{VICTIM}_frame01"
    assert finding.suggestion
    return finding


def renumbered(table: list[int]) -> Callable[[Case], Case]:
    return arrays(lambda image, labels: (image, np.array(table, np.uint8)[labels]))


def on_grid(change: Callable[[Geometry], Geometry], array=lambda values: values):
    """The labels, stored as `array` makes them, on another grid than the image."""

    def on_case(case: Case) -> Case:
        image, labels = case.pair()
        values = array(labels.array)
        grid = change(labels.geometry)
        return in_memory(case, image, LabelMap(values, grid, ACDC))

    return on_case


def shifted(geometry: Geometry, mm: float) -> Geometry:
    affine = geometry.affine.copy()
    affine[0, 3] += mm
    return Geometry(geometry.shape, affine)


def test_clean_hearts_have_no_finding() -> None:
    examination = examine(dataset(*hearts()))
    assert examination.findings == ()
    assert examination.unchecked == ()
    assert examination.faults == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_axis(axis: int) -> None:
    found = damaged(arrays(lambda i, v: (np.flip(i, axis), np.flip(v, axis))))
    finding = the_finding(found)
    assert (finding.kind, finding.severity, finding.repairable) == ("mirrored", "fault", True)
    assert f"axis {axis + 1} mirrored" in finding.what


def test_swapped_axes() -> None:
    finding = the_finding(damaged(arrays(lambda i, v: (i.swapaxes(0, 1), v.swapaxes(0, 1)))))
    assert finding.kind == "mirrored"
    assert finding.repairable


def test_a_heart_turned_round() -> None:
    turn = lambda a: np.rot90(a, 2)  # noqa: E731
    finding = the_finding(damaged(arrays(lambda i, v: (turn(i), turn(v)))))
    assert (finding.kind, finding.severity) == ("turned", "look")
    assert finding.what.startswith("the right ventricle lies 1")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_labels_alone_mirrored(axis: int) -> None:
    found = damaged(arrays(lambda i, v: (i, np.flip(v, axis))))
    finding = the_finding(found)
    assert (finding.kind, finding.severity) == ("labels-mirrored", "fault")
    assert f"axis {axis + 1} mirrored" in finding.what


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([0, 3, 2, 1], "3 is RV cavity"),  # as M&Ms numbers them
        ([0, 1, 3, 2], "3 is myocardium"),
        ([0, 2, 3, 1], "1 is LV cavity"),
    ],
)
def test_a_wrong_label_convention(table: list[int], words: str) -> None:
    finding = the_finding(damaged(renumbered(table)))
    assert (finding.kind, finding.repairable) == ("label-convention", True)
    assert words in finding.suggestion


def test_a_wrong_convention_is_seen_where_the_rv_is_absent() -> None:
    """The number of M&Ms' LV is ACDC's RV: without an RV no voxel has the LV's number."""
    table = np.array([0, 0, 2, 1], np.uint8)
    found = damaged(arrays(lambda i, v: (i, table[v])))
    kinds = {finding.kind: finding for finding in found.findings}
    assert kinds.keys() == {"label-convention", "structure-absent"}
    assert "1 is LV cavity" in kinds["label-convention"].suggestion
    (seen,) = [each for each in found.seen if each.case.subject == VICTIM]
    _, mended = seen.repair.apply(seen.case.image(), seen.case.labels())
    assert np.array_equal(mended.array == 3, clean(VICTIM) == 3)


def test_an_open_ventricle_is_told_and_not_mended() -> None:
    found = damaged(arrays(lambda i, v: (i, np.where(v == 2, 0, v).astype(np.uint8))))
    kinds = {finding.kind: finding for finding in found.findings}
    assert kinds.keys() == {"label-convention", "structure-absent"}
    assert "0% of the LV" in kinds["label-convention"].what
    assert not kinds["label-convention"].repairable


def test_empty_labels() -> None:
    finding = the_finding(damaged(arrays(lambda i, v: (i, np.zeros_like(v)))))
    assert (finding.kind, finding.severity) == ("labels-empty", "fault")


def test_an_absent_structure_is_a_look() -> None:
    found = damaged(arrays(lambda i, v: (i, np.where(v == 1, 0, v).astype(np.uint8))))
    finding = the_finding(found)
    assert (finding.kind, finding.severity) == ("structure-absent", "look")
    assert finding.what == "no voxel is RV cavity"
    assert found.faults == 0


def cut_at_the_edge(image: np.ndarray, labels: np.ndarray) -> Pair:
    first = int(np.flatnonzero((labels == 3).any(axis=(1, 2)))[0]) + 3
    return image[first:], labels[first:]


def without_a_slice(image: np.ndarray, labels: np.ndarray) -> Pair:
    found = np.flatnonzero(labels.any(axis=(0, 1)))
    labels[..., found[len(found) // 2]] = 0
    return image, labels


def both_ends_off(image: np.ndarray, labels: np.ndarray) -> Pair:
    areas = (labels == 3).sum(axis=(0, 1))
    labels[..., areas < 0.85 * areas.max()] = 0
    return image, labels


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        (cut_at_the_edge, "LV cavity touches the edge of the image"),
        (without_a_slice, "LV cavity is missing in slice"),
        (both_ends_off, "LV cavity ends abruptly"),
    ],
)
def test_cut_labels(cut: Callable[[np.ndarray, np.ndarray], Pair], words: str) -> None:
    findings = damaged(arrays(cut)).findings
    assert {(f.kind, f.subject) for f in findings} == {("labels-cut", VICTIM)}
    assert any(f.what.startswith(words) for f in findings)


def test_labels_stored_the_other_way_round_are_put_in_order() -> None:
    def reversed_grid(geometry: Geometry) -> Geometry:
        affine = geometry.affine.copy()
        affine[:3, 3] = geometry.to_world((0, geometry.shape[1] - 1, 0))
        affine[:3, 1] *= -1
        return Geometry(geometry.shape, affine)

    found = damaged(on_grid(reversed_grid, lambda values: np.flip(values, 1)))
    finding = the_finding(found)
    assert (finding.kind, finding.repairable) == ("grid", True)
    assert mended_labels(found) == labels_of(VICTIM)


@pytest.mark.parametrize(
    "change",
    [
        lambda g: shifted(g, 0.4),
        lambda g: Geometry(g.shape, np.diag([*g.spacing, 1.0])),
        lambda g: Geometry(g.shape, np.eye(4)),
    ],
    ids=["nearly the same", "pose lost", "header lost"],
)
def test_labels_on_another_grid_that_fit_voxel_by_voxel(change) -> None:
    found = damaged(on_grid(change))
    finding = the_finding(found)
    assert (finding.kind, finding.severity, finding.repairable) == ("grid", "fault", True)
    assert "corners up to" in finding.what
    assert mended_labels(found) == labels_of(VICTIM)


def test_labels_of_another_shape_are_not_guessed_at() -> None:
    found = damaged(
        on_grid(lambda g: Geometry((*g.shape[:2], g.shape[2] - 1), g.affine), lambda v: v[..., 1:])
    )
    finding = the_finding(found)
    assert (finding.kind, finding.repairable) == ("grid", False)
    assert "cannot be told" in finding.suggestion


def test_one_scan_under_two_names() -> None:
    twin = in_memory(replace(hearts()[2], id="x_frame01", subject="x"), *hearts()[2].pair())
    finding = the_finding(examine(dataset(*hearts(), twin)))
    assert (finding.kind, finding.severity) == ("duplicate", "fault")
    assert finding.what == "the same image as x_frame01 of subject x"


def test_a_copy_with_other_intensities_and_noise_is_found() -> None:
    image, labels = hearts()[2].pair()
    noise = np.random.default_rng(5).normal(0, 3, image.array.shape)
    again = Volume((1.3 * image.array + noise + 4).astype(np.float32), image.geometry)
    twin = in_memory(replace(hearts()[2], id="x_frame01", subject="x"), again, labels)
    finding = the_finding(examine(dataset(*hearts(), twin)))
    assert finding.kind == "duplicate"
    assert "almost the same image (0.9" in finding.what or "(1.00)" in finding.what


def test_two_frames_of_a_subject_are_no_duplicates() -> None:
    case = hearts()[2]
    frame = in_memory(replace(case, id=f"{VICTIM}_frame12"), *case.pair())
    assert examine(dataset(*hearts(), frame)).findings == ()


@pytest.mark.parametrize(("factor", "severity"), [(10.0, "fault"), (0.1, "fault"), (3.0, "look")])
def test_an_outlying_spacing(factor: float, severity: str) -> None:
    def stretched(case: Case) -> Case:
        image, labels = case.pair()
        scale = np.diag([factor, factor, factor, 1.0])
        grid = Geometry(image.geometry.shape, image.geometry.affine @ scale)
        return in_memory(case, Volume(image.array, grid), LabelMap(labels.array, grid, ACDC))

    spacings = [f for f in damaged(stretched).findings if f.kind == "spacing"]
    assert [(f.subject, f.severity) for f in spacings] == [(VICTIM, severity)]
    assert "the set's median is" in spacings[0].what


def test_outlying_intensities() -> None:
    finding = the_finding(damaged(arrays(lambda i, v: (30 * i, v))))
    assert (finding.kind, finding.severity) == ("intensity", "look")


def test_a_constant_image() -> None:
    found = damaged(arrays(lambda i, v: (np.full_like(i, 7), v)))
    (finding,) = [f for f in found.findings if f.severity == "fault"]
    assert (finding.kind, finding.what) == ("intensity", "constant: every voxel is 7")


def raising(error: Exception) -> Callable[[], LabelMap]:
    def load() -> LabelMap:
        raise error

    return load


def test_what_cannot_be_read_is_told() -> None:
    broken = damaged(lambda c: replace(c, load_image=raising(FormatError("x: is empty"))))
    assert the_finding(broken).kind == "unreadable"
    strange = damaged(lambda c: replace(c, load_labels=raising(LabelError("label value 421"))))
    assert the_finding(strange).kind == "label-values"
    torn = damaged(lambda c: replace(c, load_labels=raising(FormatError("x: is empty"))))
    assert the_finding(torn).kind == "unreadable"


def test_what_a_set_does_not_allow_is_said() -> None:
    few = examine(dataset(*hearts()[:2]))
    assert few.findings == ()
    assert [words.split(":")[0] for words in few.unchecked] == [
        "mirrored and turned hearts",
        "outlying spacings and intensities",
    ]
    merged = dataset(*hearts()).read_as(MYOCARDIUM_BLOOD)
    assert examine(merged).findings == ()
    assert "does not tell the LV" in examine(merged).unchecked[0]
    bare = dataset(*(replace(case, load_labels=None) for case in hearts()))
    assert examine(bare).unchecked[0] == "label checks: the set has no labels"


def labels_of(subject: str) -> tuple[bytes, bytes]:
    (case,) = [case for case in hearts() if case.subject == subject]
    labels = case.labels()
    return labels.array.tobytes(), np.round(labels.geometry.affine, 6).tobytes()


def mended_labels(found: Examination) -> tuple[bytes, bytes]:
    (seen,) = [each for each in found.seen if each.case.subject == VICTIM]
    _, labels = seen.repair.apply(seen.case.image(), seen.case.labels())
    return labels.array.tobytes(), np.round(labels.geometry.affine, 6).tobytes()


MENDABLE = {
    "convention": renumbered([0, 2, 3, 1]),
    "mirrored": arrays(lambda i, v: (np.flip(i, 1), np.flip(v, 1))),
    "labels mirrored": arrays(lambda i, v: (i, np.flip(v, 0))),
    "convention and mirrored": arrays(
        lambda i, v: (np.flip(i, 2), np.array([0, 3, 2, 1], np.uint8)[np.flip(v, 2)])
    ),
}


@pytest.mark.parametrize("damage", MENDABLE.values(), ids=MENDABLE)
def test_a_repair_gives_the_clean_labels_back(damage: Callable[[Case], Case]) -> None:
    assert mended_labels(damaged(damage)) == labels_of(VICTIM)


def test_the_repaired_copy_is_clean(tmp_path: Path) -> None:
    cases = list(hearts())
    cases[1] = renumbered([0, 3, 2, 1])(cases[1])
    cases[3] = on_grid(lambda g: shifted(g, 0.4))(cases[3])
    cases[4] = replace(cases[4], load_labels=None)
    cases[5] = replace(cases[5], load_image=raising(FormatError("x: is empty")))
    before = [case.labels().array.tobytes() for case in cases[:4]]
    copy = write_repaired(examine(dataset(*cases)), tmp_path / "copy")
    assert copy.repaired == ("phantom_001_frame01", "phantom_003_frame01")
    assert copy.left_out == {"phantom_005_frame01": "x: is empty"}
    assert [case.labels().array.tobytes() for case in cases[:4]] == before
    again = read_dataset(f"nnunet:{tmp_path / 'copy'}")
    assert again.scheme == ACDC
    assert examine(again).findings == ()
    assert again.subjects == tuple(case.subject for case in hearts()[:5])
    for case in again.labelled_cases:
        assert np.array_equal(case.labels().array, clean(case.subject))
    record = json.loads((tmp_path / "copy" / "findings.json").read_text())
    assert {f["kind"] for f in record["findings"]} == {"label-convention", "grid", "unreadable"}
    run = json.loads((tmp_path / "copy" / "run.json").read_text())
    assert (run["command"], run["cases"], run["repaired"]) == ("inspect", 5, 2)


def clean(subject: str) -> np.ndarray:
    (case,) = [case for case in hearts() if case.subject == subject]
    return case.labels().array


def test_labels_that_fit_no_grid_are_left_out_of_the_copy(tmp_path: Path) -> None:
    short = on_grid(
        lambda g: Geometry((*g.shape[:2], g.shape[2] - 1), g.affine), lambda v: v[..., 1:]
    )
    copy = write_repaired(damaged(short), tmp_path / "copy")
    assert "different grids" in copy.left_out[f"{VICTIM}_frame01"]
    assert len(copy.cases) == 5
    with pytest.raises(OutputExistsError, match="is not empty"):
        write_repaired(damaged(short), tmp_path / "copy")


def test_text_names_each_kind_once_and_the_rest_by_name() -> None:
    many = [
        Finding(f"s{n}", f"s{n}_frame01", "duplicate", "fault", "the same", "keep one")
        for n in range(9)
    ]
    text = findings_text(many)
    assert text.count("keep one") == 4
    assert "and 5 more of this kind: s4_frame01, s5_frame01" in text


def test_real_acdc_has_few_and_true_findings(acdc_root: Path) -> None:
    """patient074 and patient076 are one scan in this copy (docs/data.md)."""
    wanted = {f"patient{n:03d}" for n in (2, 3, 4, 14, 15, 36, 74, 76)}
    whole = read_dataset(f"acdc:{acdc_root}")
    some = replace(whole, cases=tuple(case for case in whole.cases if case.subject in wanted))
    findings = examine(some).findings
    assert [(f.subject, f.kind) for f in findings] == [("patient074", "duplicate")]
    assert "and 3 more such pairs" in findings[0].what


def test_a_scar_is_part_of_the_wall() -> None:
    slices = np.zeros((20, 20, 1), np.uint8)
    rows, columns = np.ogrid[:20, :20]
    distance = np.hypot(rows - 10, columns - 10)
    slices[distance < 7, 0] = 2
    slices[(distance < 7) & (columns < 12), 0] = 4
    slices[distance < 4, 0] = 3
    healthy, whole = Parts(3, 1, 2, (2,)), Parts(3, 1, 2, (2, 4))
    assert convention(slices, healthy)[0] < 0.6
    assert convention(slices, whole) == (1.0, {})


def test_a_single_picture_is_examined(tmp_path: Path) -> None:
    case = hearts()[0]
    image, labels = case.pair()
    middle = int(np.flatnonzero(labels.array.any(axis=(0, 1)))[2])
    grid = Geometry((*image.geometry.shape[:2], 1), image.geometry.affine)
    flat = in_memory(
        case,
        Volume(image.array[..., middle : middle + 1], grid),
        LabelMap(labels.array[..., middle : middle + 1], grid, ACDC),
    )
    assert examine(dataset(flat)).findings == ()
