"""Simulated observers whose errors are known, and the errors of the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, CAMUS, LEFT_VENTRICLE, MYOCARDIUM_BLOOD, LabelScheme
from cardioseg.core.volume import LabelMap
from cardioseg.errors import DatasetError, GeometryError, LabelError, OutputExistsError
from cardioseg.evaluation.measure import evaluate
from cardioseg.evaluation.observers import ObserverStudy, study_observers
from cardioseg.evaluation.observers_document import Told, observers_document
from cardioseg.evaluation.readings import ASSD, DICE, HD95, Reading, read_case
from cardioseg.evaluation.reliability import (
    intraclass_correlation,
    statistic_interval,
    variation_percent,
)
from cardioseg.evaluation.standing import Place, williams_index
from cardioseg.evaluation.staple import majority, staple
from cardioseg.evaluation.volumetry import ONE_SLICE
from cardioseg.io.nifti import read_labels, write_labels
from cardioseg.phantom import cohort
from cardioseg.workflows.observer_files import ObserverFolders
from cardioseg.workflows.observers import Observed, compare_observers

Labels = NDArray[np.uint8]


def fatter(array: Labels) -> Labels:
    """One voxel more all round, in the plane."""
    cross = ndimage.generate_binary_structure(2, 1)[:, :, None]
    grown = ndimage.grey_dilation(array, footprint=cross)
    return np.where(array == 0, grown, array).astype(np.uint8)


def noisy(array: Labels, rng: np.random.Generator) -> Labels:
    """A twentieth of the labelled voxels dropped."""
    return np.where(rng.random(array.shape) < 0.05, 0, array).astype(np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six patients: Ana is right, Ben shifts by one voxel, Cleo draws too much."""
    root = tmp_path_factory.mktemp("observers")
    rng = np.random.default_rng(0)
    for case in cohort(6, seed=3)[::2]:
        labels = case.labels()
        drawn = {
            "Ana": labels.array,
            "Ben": np.roll(labels.array, 1, 0),
            "Cleo": fatter(labels.array),
            "right": noisy(labels.array, rng),
            "poor": np.roll(labels.array, 4, 0),
        }
        for name, array in drawn.items():
            (root / name).mkdir(exist_ok=True)
            labelled = LabelMap(np.ascontiguousarray(array), labels.geometry, ACDC)
            write_labels(labelled, root / name / f"{case.id}.nii.gz")
    return root


def trio(root: Path, model: str = "") -> ObserverFolders:
    paths = tuple(root / name for name in ("Ana", "Ben", "Cleo"))
    return ObserverFolders(paths, root / model if model else None, ACDC)


@pytest.fixture(scope="module")
def observed(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Observed, Path]:
    output = tmp_path_factory.mktemp("out")
    return compare_observers(trio(folders, "right"), output, write_consensus=True), output


def test_known_errors_are_found(observed: tuple[Observed, Path]) -> None:
    study = observed[0].study
    biases = {(b.structure, b.rater): b for b in study.biases}
    cleo = biases["myocardium", "Cleo"]
    assert cleo.bias_ml > 5
    assert cleo.interval
    assert cleo.interval.low > 0
    assert biases["myocardium", "Ben"].bias_ml == pytest.approx(biases["myocardium", "Ana"].bias_ml)
    pairs = {(p.structure, p.metric, p.first, p.second): p for p in study.pairs}
    shifted = pairs["LV cavity", HD95, "Ana", "Ben"]
    assert 1.0 < (shifted.mean or 0) < 2.5  # one voxel in the plane, in mm
    difference = pairs["LV cavity", "volume_difference_ml", "Ana", "Ben"]
    assert difference.mean == pytest.approx(0.0)
    assert difference.limits
    reliable = {r.structure: r for r in study.reliability}
    assert (reliable["LV cavity"].icc or 0) > 0.98
    assert (reliable["myocardium"].variation_percent or 0) > 3


def test_the_model_is_placed_in_words(folders: Path, observed: tuple[Observed, Path]) -> None:
    document = observed[0].document
    assert document.index("Where the model lies") < document.index("Agreement")
    assert "the model agrees with the observers at least as well" in document
    poor = compare_observers(trio(folders, "poor"))
    assert "the model agrees less with the observers" in poor.document
    places = {s.place for s in poor.study.standings if s.rater == "poor" and s.metric == DICE}
    assert places == {Place.OUTSIDE}


def test_everything_is_written_and_reads_back(observed: tuple[Observed, Path]) -> None:
    study, output = observed[0].study, observed[1]
    for name in ("agreement.png", "volumes.png", "outlines.png"):
        assert (output / name).read_bytes().startswith(b"\x89PNG")
    content = json.loads((output / "observers.json").read_text())
    assert content["observers"] == ["Ana", "Ben", "Cleo"]
    assert content["model"] == "right"
    assert len(content["verdicts"]) == 3
    assert len(content["readings"]) == len(study.readings)
    rows = (output / "observers.csv").read_text().splitlines()
    assert len(rows) == len(study.readings) + 1
    for kind in ("staple", "majority"):
        files = sorted((output / "consensus" / kind).iterdir())
        assert len(files) == 6
        assert read_labels(files[0], ACDC).array.any()
    assert str(output.parent) not in (output / "run.json").read_text()


def test_the_order_of_the_folders_changes_no_figure(folders: Path) -> None:
    forth = compare_observers(trio(folders)).study
    paths = tuple(folders / name for name in ("Cleo", "Ana", "Ben"))
    back = compare_observers(ObserverFolders(paths, None, ACDC)).study

    def dice(study: ObserverStudy) -> dict[tuple[str, frozenset[str]], float | None]:
        return {
            (p.structure, frozenset((p.first, p.second))): p.mean
            for p in study.pairs
            if p.metric == DICE
        }

    assert dice(forth) == pytest.approx(dice(back))
    assert {b.rater: b.bias_ml for b in forth.biases} == pytest.approx(
        {b.rater: b.bias_ml for b in back.biases}
    )


def test_missing_cases_and_other_grids_are_told(folders: Path, tmp_path: Path) -> None:
    for name in ("Ana", "Ben"):
        (tmp_path / name).mkdir()
        for file in sorted((folders / name).iterdir()):
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    files = sorted((tmp_path / "Ben").iterdir())[-3:]
    for file in sorted((tmp_path / "Ben").iterdir())[:-2]:
        file.unlink()
    labels = read_labels(files[1], ACDC)
    moved = labels.geometry.affine.copy()
    moved[0, 3] += 5
    write_labels(LabelMap(labels.array, Geometry(labels.array.shape, moved), ACDC), files[1])
    found = compare_observers(ObserverFolders((tmp_path / "Ana", tmp_path / "Ben")))
    assert found.told.cases == 1
    words = " ".join(found.told.notes)
    assert "Ben did not label it" in words
    assert "Ben's grid" in words
    assert found.study.structures == ("label 1", "label 2", "label 3")
    assert not any(p.interval for p in found.study.pairs)  # one patient


def test_ties_are_told_and_go_to_the_lowest(folders: Path) -> None:
    found = compare_observers(ObserverFolders((folders / "Ana", folders / "Cleo"), None, ACDC))
    assert any("tied" in note for note in found.told.notes)
    one, two = np.array([0, 1, 2], np.uint8), np.array([1, 1, 1], np.uint8)
    consensus = majority([one, two])
    assert consensus.labels.tolist() == [0, 1, 1]
    assert consensus.tied == 2


def test_what_cannot_be_compared_is_refused(folders: Path, tmp_path: Path) -> None:
    ana = folders / "Ana"
    with pytest.raises(DatasetError, match="at least two"):
        compare_observers(ObserverFolders((ana,)))
    with pytest.raises(DatasetError, match="two folders are named Ana"):
        compare_observers(ObserverFolders((ana, ana)))
    with pytest.raises(DatasetError, match="--output"):
        compare_observers(trio(folders), write_consensus=True)
    with pytest.raises(DatasetError, match="--output"):
        compare_observers(replace(trio(folders), images=folders))
    other = tmp_path / "other"
    other.mkdir()
    case = next(iter(sorted(ana.iterdir())))
    (other / "somebody.nii.gz").write_bytes(case.read_bytes())
    with pytest.raises(DatasetError, match="matched by name"):
        compare_observers(ObserverFolders((ana, other)))
    with pytest.raises(DatasetError, match="no label map of a case"):
        compare_observers(ObserverFolders((ana, folders / "Ben"), other, ACDC))
    (tmp_path / "observers.json").write_text("{}")
    with pytest.raises(OutputExistsError, match="--force"):
        compare_observers(trio(folders), tmp_path)


@pytest.fixture
def merged(folders: Path, tmp_path: Path) -> Path:
    """What Ana drew, as a model of myocardium and blood pool would."""
    (tmp_path / "merged").mkdir()
    for file in (folders / "Ana").iterdir():
        labels = read_labels(file, ACDC).read_as(MYOCARDIUM_BLOOD)
        write_labels(labels, tmp_path / "merged" / file.name)
    return tmp_path / "merged"


def test_labels_are_read_as_their_headers_tell_and_merged(folders: Path, merged: Path) -> None:
    people = (folders / "Ana", folders / "Ben")
    found = compare_observers(
        ObserverFolders(people, merged, MYOCARDIUM_BLOOD), merged.parent / "out"
    )
    assert set(found.study.structures) == {"myocardium", "blood pool"}
    dice = {p.mean for p in found.study.pairs if p.metric == DICE and p.second == "merged"}
    assert 1.0 in dice


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        (ACDC, r"merged/.*myocardium_blood cannot be read as acdc"),
        (LEFT_VENTRICLE, r"merged/.*myocardium_blood cannot be read as left_ventricle"),
        (None, r"different schemes.*acdc \(.*myocardium_blood \(.*--scheme"),
    ],
)
def test_labels_are_not_compared_against_their_headers(
    folders: Path, merged: Path, scheme: LabelScheme | None, words: str
) -> None:
    people = (folders / "Ana", folders / "Ben")
    with pytest.raises(LabelError, match=words):
        compare_observers(ObserverFolders(people, merged, scheme))


def test_staple_refuses_what_it_cannot_join() -> None:
    one = np.zeros((2, 2), np.uint8)
    with pytest.raises(LabelError, match="at least two"):
        staple([one])
    with pytest.raises(GeometryError, match="one grid"):
        staple([one, np.zeros((2, 3), np.uint8)])
    with pytest.raises(LabelError, match="more classes"):
        staple([one + 2, one], class_count=2)


def test_staple_trusts_the_better_raters() -> None:
    truth = np.zeros((20, 20), np.uint8)
    truth[5:15, 5:15] = 1
    rng = np.random.default_rng(1)
    good = [np.where(rng.random(truth.shape) < 0.02, 1 - truth, truth) for _ in range(2)]
    bad = [np.where(rng.random(truth.shape) < 0.4, 1 - truth, truth) for _ in range(3)]
    readings = [each.astype(np.uint8) for each in (*good, *bad)]
    found = staple(readings)
    assert found.converged
    errors = int((found.consensus.labels != truth).sum())
    assert errors < int((majority(readings).labels != truth).sum())
    assert found.sensitivity(1)[:2].min() > found.sensitivity(1)[2:].max()


def test_a_class_that_nobody_drew_is_undefined() -> None:
    one = np.array([0, 1, 1], np.uint8)
    found = staple([one, one], class_count=3)
    assert np.isnan(found.sensitivity(2)).all()
    assert found.specificity(2).tolist() == [1.0, 1.0]


def test_icc_of_shrout_and_fleiss() -> None:
    table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    assert intraclass_correlation(table) == pytest.approx(0.29, abs=0.005)  # their table 4
    assert intraclass_correlation([[1.0, 2.0]]) is None
    assert intraclass_correlation([[3.0, 3.0], [3.0, 3.0]]) is None
    assert variation_percent([[0.0, 0.0]]) is None
    assert variation_percent([[100.0, 100.0], [50.0, 50.0]]) == 0.0


def test_williams_index_turns_distances_round() -> None:
    own, others = np.full((4, 3), 2.0), np.full((4, 3), 1.0)
    rng = np.random.default_rng(0)
    assert williams_index(own, others, distance=True, rng=rng)[0] == 0.5
    assert williams_index(own, others, distance=False, rng=rng)[0] == 2.0
    assert williams_index(own * 0, others * 0, distance=True, rng=rng) == (None, None)
    assert williams_index(own[:1], others[:1], distance=False, rng=rng)[1] is None


def test_a_structure_that_one_observer_missed_counts_as_the_worst() -> None:
    grid = Geometry((4, 4, 4), np.eye(4))
    drawn, empty = np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)
    drawn[1:3, 1:3, 1:3] = 3
    maps = {"A": LabelMap(drawn, grid, ACDC), "B": LabelMap(empty, grid, ACDC)}
    rows = read_case(maps, "case", "patient")
    values: dict[tuple[str, str], Reading] = {(r.structure, r.metric): r for r in rows if r.second}
    assert values["LV cavity", DICE].value == 0.0
    assert values["LV cavity", DICE].note == "in the first only"
    assert values["LV cavity", HD95].value == pytest.approx(grid.diagonal_mm)
    assert values["RV cavity", DICE].value is None
    study = study_observers(rows, ("A", "B"), "", np.random.default_rng(0))
    assert study.structures == ("LV cavity",)


def lines(*counts: int, value: int = 3) -> dict[str, LabelMap]:
    """Label maps of raters A, B and so on with that many voxels."""
    grid = Geometry((20, 20, 6), np.diag([1.5, 1.5, 8.0, 1.0]))
    maps = {}
    for name, count in zip("ABCM", counts, strict=False):
        array = np.zeros(grid.shape, np.uint8)
        array.reshape(-1)[:count] = value
        maps[name] = LabelMap(array, grid, ACDC)
    return maps


def test_what_only_the_model_drew_is_nothing_to_the_observers_reliability() -> None:
    drawn = [(40, 50), (44, 38), (41, 47), (39, 45)]
    alone, beside = [], []
    for place, (a, b) in enumerate([*drawn, (0, 0), (0, 0)]):
        maps = lines(a, b)
        alone += read_case(maps, f"c{place}", f"s{place}")
        with_model = maps | {"M": lines(a or 1)["A"]}
        beside += read_case(with_model, f"c{place}", f"s{place}")
    rng = np.random.default_rng
    without = study_observers(alone, ("A", "B"), "", rng(0))
    model = study_observers(beside, ("A", "B"), "M", rng(0))
    assert model.reliability[0].icc == without.reliability[0].icc
    assert model.reliability[0].subjects == 4
    assert [b.volume_ml for b in model.biases[:2]] == [b.volume_ml for b in without.biases]


def test_bias_compares_the_same_frames() -> None:
    readings: list[Reading] = []
    for place in range(3):
        diastole = {name: lines(100 + place)["A"] for name in "ABM"}
        systole = {name: lines(40)["A"] for name in "AB"}
        readings += read_case(diastole, f"p{place}_frame01", f"p{place}")
        readings += read_case(systole, f"p{place}_frame09", f"p{place}")
    study = study_observers(readings, ("A", "B"), "M", np.random.default_rng(0))
    assert [b.bias_ml for b in study.biases] == [0.0, 0.0, 0.0]


def frames(
    differences: tuple[int, int], patients: int = 6
) -> tuple[list[Reading], NDArray[np.float64]]:
    """B draws so many voxels more than A in each of two frames; the differences in ml."""
    readings: list[Reading] = []
    for place in range(patients):
        for name, size, more in zip(("01", "12"), (900, 400), differences, strict=True):
            drawn = size + 40 * place
            maps = lines(drawn, drawn + more)
            readings += read_case(maps, f"p{place}_frame{name}", f"p{place}")
    return readings, np.array(differences) * 1.5 * 1.5 * 8 / 1000


def test_opposite_differences_in_the_frames_of_a_patient_do_not_cancel() -> None:
    readings, (more, _) = frames((50, -50))
    study = study_observers(readings, ("A", "B"), "", np.random.default_rng(0))
    (pair,) = (p for p in study.pairs if p.metric == "volume_difference_ml")
    assert pair.mean == pytest.approx(0)
    assert pair.limits
    assert pair.limits.pairs == 12
    assert pair.limits.bias == pytest.approx(0)
    assert pair.limits.upper > 1.96 * more
    (reliable,) = study.reliability
    assert (reliable.subjects, reliable.cases) == (6, 12)
    assert (reliable.icc or 1) < 0.99
    # A standard deviation of 25 sqrt 2 voxels; the mean is 400 to 600 or 900 to 1100.
    assert 3 < (reliable.variation_percent or 0) < 10
    assert reliable.icc_interval
    assert reliable.icc_interval.low < (reliable.icc or 0) < reliable.icc_interval.high


def test_two_frames_of_one_patient_have_neither_limits_nor_an_icc() -> None:
    readings, _ = frames((50, -50), patients=1)
    study = study_observers(readings, ("A", "B"), "", np.random.default_rng(0))
    assert not any(p.limits or p.interval for p in study.pairs)
    (reliable,) = study.reliability
    assert (reliable.subjects, reliable.cases, reliable.icc) == (1, 2, None)
    assert reliable.icc_interval is reliable.variation_interval is None
    assert (reliable.variation_percent or 0) > 3


def test_an_interval_draws_patients_with_all_their_cases() -> None:
    table, subjects = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], ("a", "b", "a")
    seen = set()

    def rows_drawn(drawn: NDArray[np.float64]) -> float:
        seen.add(tuple(sorted(drawn[:, 0])))
        return 0.0

    rng = np.random.default_rng(0)
    assert statistic_interval(table, rows_drawn, rng, subjects=subjects)
    assert seen == {(1.0, 1.0, 5.0, 5.0), (1.0, 3.0, 5.0), (3.0, 3.0)}
    assert statistic_interval(table, rows_drawn, rng, subjects=("a", "a", "a")) is None


@pytest.mark.parametrize(("patients", "place"), [(5, Place.UNKNOWN), (6, Place.OUTSIDE)])
def test_a_verdict_needs_six_patients(patients: int, place: Place) -> None:
    readings: list[Reading] = []
    for number in range(patients):
        maps = lines(100 + number, 100 + number, 100 + number, 60)
        readings += read_case(maps, f"c{number}", f"s{number}")
    study = study_observers(readings, ("A", "B", "C"), "M", np.random.default_rng(0))
    (model,) = (s for s in study.standings if (s.rater, s.metric) == ("M", DICE))
    assert model.place == place
    document = observers_document(study, Told(patients, patients))
    assert ("a verdict needs 6 patients or more" in document) == (place == Place.UNKNOWN)


def test_one_slice_has_an_area_and_no_volume(tmp_path: Path) -> None:
    grid = Geometry((20, 20, 1), np.diag([1.5, 1.5, 1.0, 1.0]))
    for name, size in (("A", 8), ("B", 9)):
        (tmp_path / name).mkdir()
        array = np.zeros(grid.shape, np.uint8)
        array[2 : 2 + size, 2:10] = 1
        write_labels(LabelMap(array, grid, CAMUS), tmp_path / name / "p1_4CH_ED.nii.gz")
    found = compare_observers(
        ObserverFolders((tmp_path / "A", tmp_path / "B"), None, CAMUS), tmp_path / "out"
    )
    assert f"Volumes of 1 cases are undefined: {ONE_SLICE}." in found.told.notes
    assert found.study.structures == ("LV cavity",)
    for reading in found.study.readings:
        if reading.structure == "LV cavity" and reading.unit == "ml":
            assert (reading.value, reading.note) == (None, ONE_SLICE)
    assert found.study.reliability[0].variation_percent is None


def test_one_patient_gives_no_verdict_however_many_lack_the_structure() -> None:
    rng = np.random.default_rng(0)
    own, others = np.full((6, 2), np.nan), np.full((6, 1), np.nan)
    own[0], others[0] = 0.9, 0.8
    index, interval = williams_index(own, others, distance=False, rng=rng)
    assert (index, interval) == (1.125, None)
    own[1] = 0.9  # a value of the model's, and none among the observers
    assert williams_index(own, others, distance=False, rng=rng)[1] is None


def test_distances_of_one_labelled_slice_are_those_of_an_evaluation() -> None:
    grid = Geometry((20, 20, 6), np.diag([1.5, 1.5, 8.0, 1.0]))
    one, two = np.zeros(grid.shape, np.uint8), np.zeros(grid.shape, np.uint8)
    one[4:14, 4:14, 2], two[5:15, 5:15, 2] = 3, 3
    two[9, 9, 2] = 0
    first, second = LabelMap(one, grid, ACDC), LabelMap(two, grid, ACDC)
    report = evaluate(first, second)
    rows = read_case({"A": first, "B": second}, "case", "patient")
    read = {r.metric: r.value for r in rows if r.structure == "LV cavity"}
    for metric in (DICE, HD95, ASSD):
        assert read[metric] == pytest.approx(report.mean(metric, "LV cavity"))


def test_a_folder_named_as_the_consensus_is_refused(tmp_path: Path) -> None:
    folders = []
    for name in ("A", "STAPLE"):
        (tmp_path / name).mkdir()
        write_labels(lines(10)["A"], tmp_path / name / "case.nii.gz")
        folders.append(tmp_path / name)
    with pytest.raises(DatasetError, match="rename it"):
        compare_observers(ObserverFolders(tuple(folders), None, ACDC))
