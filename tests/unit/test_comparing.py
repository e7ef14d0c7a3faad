"""Two sets of predictions against one set of references: pictures of any scan, of any case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.in_process import run

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import DatasetError, LabelError, OutputExistsError
from cardioseg.evaluation import Report, Row, comparison_figure
from cardioseg.io.nifti import write_labels, write_volume
from cardioseg.workflows.compare import Comparing, compare_files, shown_cases
from cardioseg.workflows.evaluate import EvaluationOptions, evaluate_files
from cardioseg.workflows.report.folder import ReportOptions, report_folder

CUBIC = Geometry((12, 12, 12), np.eye(4))
STACK = Geometry((12, 12, 6), np.diag([1.5, 1.5, 8.0, 1.0]))


def heart(grid: Geometry, shift: int = 0) -> LabelMap:
    array = np.zeros(grid.shape, np.uint8)
    for k in range(1, 5):
        array[3 + shift : 9 + shift, 3:9, k] = 2
        array[4 + shift : 8 + shift, 4:8, k] = 3 if k > 1 else 1
    array[4, 4, 1] = 3
    return LabelMap(array, grid, ACDC)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Three cubic scans; `b` has no prediction in `first`."""
    for folder in ("images", "references", "first", "second"):
        (tmp_path / folder).mkdir()
    for place, name in enumerate("abc"):
        image = Volume(np.zeros(CUBIC.shape, np.float32), CUBIC)
        write_volume(image, tmp_path / "images" / f"{name}.nii.gz")
        write_labels(heart(CUBIC), tmp_path / "references" / f"{name}.nii.gz")
        write_labels(heart(CUBIC, place), tmp_path / "second" / f"{name}.nii.gz")
        if name != "b":
            write_labels(heart(CUBIC, place), tmp_path / "first" / f"{name}.nii.gz")
    return tmp_path


def test_cubic_scans_and_missing_predictions_have_pictures(cohort: Path) -> None:
    compared = Comparing(cohort / "first", cohort / "second", cohort / "references")
    options = EvaluationOptions(ACDC, count_missing=True)
    compare_files(compared, options, cohort / "without")
    pictured = Comparing(compared.first, compared.second, compared.references, cohort / "images")
    compare_files(pictured, options, cohort / "out")
    assert sorted(path.name for path in (cohort / "out").glob("*.png")) == [
        "best.png",
        "median.png",
        "worst.png",
    ]


def test_references_without_a_prediction_are_told(cohort: Path, capsys) -> None:
    """`b` failed in both runs."""
    (cohort / "second" / "b.nii.gz").unlink()
    folders = [cohort / name for name in ("first", "second", "references")]
    for extra, treated, written, patients in (
        ((), "are not in the figures", "and not in the figures", 2),
        (("--count-missing",), "count as nothing found", "counted as nothing found", 3),
    ):
        output = cohort / f"out{len(extra)}"
        assert run("compare", *folders, "--scheme", "acdc", "--output", output, *extra) == 0
        told = capsys.readouterr()
        words = f"1 references have no prediction in one or both folders and {treated}"
        assert f"warning: {words} (b)\n" in told.err
        document = (output / "comparison.md").read_text(encoding="utf-8")
        assert f"Without a prediction in one or both folders, {written}: b.\n" in document
        assert document.endswith(told.out)
        assert f"| dice | LV cavity | {patients} |" in " ".join(document.split())


def test_what_cannot_be_compared_is_refused_before_anything_is_written(cohort: Path) -> None:
    options, output = EvaluationOptions(ACDC), cohort / "out"
    first, second, references = (cohort / name for name in ("first", "second", "references"))
    with pytest.raises(DatasetError, match=r"first: no prediction named b, .*--count-missing"):
        compare_files(Comparing(first, second, references), options, output)
    counted = EvaluationOptions(ACDC, count_missing=True)
    (cohort / "images" / "c.nii.gz").unlink()
    with pytest.raises(DatasetError, match=r"images: no image named c \(1 of 3 cases"):
        compare_files(Comparing(first, second, references, cohort / "images"), counted, output)
    write_labels(heart(CUBIC), second / "d.nii.gz")
    with pytest.raises(DatasetError, match="references: no reference named d"):
        compare_files(Comparing(first, second, references), counted, output)
    with pytest.raises(DatasetError, match="written among the predictions"):
        compare_files(Comparing(first, second, references), counted, cohort)
    assert not output.exists()


@pytest.mark.parametrize(
    "option",
    [
        ("--force",),
        ("--count-missing",),
        ("--scheme", "acdc"),
        ("--read-as", "acdc"),
        ("--images", "images"),
        ("--subjects", "subjects.csv"),
    ],
    ids=lambda option: option[0],
)
def test_options_of_folders_are_refused_for_a_study(tmp_path: Path, capsys, option) -> None:
    study = ("compare", "slides-acdc", "--data", f"acdc:{tmp_path}", "--output", tmp_path / "run")
    assert run(*study, *option) == 2
    assert f"{option[0]}: only for folders, not for a study" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_comparison_is_replaced_as_a_whole_and_by_force_only(cohort: Path) -> None:
    options, output = EvaluationOptions(ACDC, count_missing=True), cohort / "out"
    references, images = cohort / "references", cohort / "images"
    (cohort / "first").rename(cohort / "former")
    compare_files(
        Comparing(cohort / "former", cohort / "second", references, images), options, output
    )
    written = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    (cohort / "former").rename(cohort / "first")
    (cohort / "second").rename(cohort / "other")
    again = Comparing(cohort / "first", cohort / "other", references)
    with pytest.raises(OutputExistsError, match=r"holds a comparison \(comparison\.md\)"):
        compare_files(again, options, output)
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == written
    compare_files(again, options, output, force=True)
    assert (
        (output / "comparison.md").read_text(encoding="utf-8").startswith("# first against other")
    )
    assert not list(output.glob("*.png"))


def test_a_folder_given_by_dots_has_its_own_name(cohort: Path, monkeypatch) -> None:
    monkeypatch.chdir(cohort / "first")
    options = EvaluationOptions(ACDC, count_missing=True)
    compare_files(
        Comparing(Path(), Path("../second"), cohort / "references"), options, cohort / "a"
    )
    (cohort / "first" / "below").mkdir()
    monkeypatch.chdir(cohort / "first" / "below")
    compare_files(
        Comparing(Path(".."), Path("../../second"), cohort / "references"), options, cohort / "b"
    )
    for output in (cohort / "a", cohort / "b"):
        folders = sorted(path.name for path in output.iterdir() if path.is_dir())
        assert folders == ["first", "second"]
        words = (output / "comparison.md").read_text(encoding="utf-8")
        assert words.startswith("# first against second\n")
    assert not (cohort / "report.json").exists()


def test_a_report_shows_cubic_scans_and_leaves_out_what_is_missing(cohort: Path) -> None:
    evaluation = cohort / "evaluation"
    options = EvaluationOptions(ACDC, count_missing=True)
    evaluate_files(cohort / "first", cohort / "references", options, evaluation)
    (page,) = report_folder(
        evaluation,
        ReportOptions(
            images=cohort / "images",
            references=cohort / "references",
            predictions=cohort / "first",
        ),
    )
    # Best and median case; the worst, `b`, has no prediction to show.
    assert page.read_text(encoding="utf-8").count("data:image/png") >= 2


def test_pictures_of_an_evaluation_need_all_three_folders(cohort: Path) -> None:
    evaluation = cohort / "evaluation"
    options = EvaluationOptions(ACDC, count_missing=True)
    evaluate_files(cohort / "first", cohort / "references", options, evaluation)
    some = ReportOptions(images=cohort / "images")
    with pytest.raises(DatasetError, match="add --references and --predictions"):
        report_folder(evaluation, some)
    assert not (evaluation / "report.html").exists()
    (page,) = report_folder(evaluation, ReportOptions())
    assert page.is_file()


def test_background_does_not_choose_what_is_shown() -> None:
    rows = (
        Row("large", "large", "background", "dice", 0.99),
        Row("large", "large", "LV cavity", "dice", 0.70),
        Row("small", "small", "background", "dice", 0.50),
        Row("small", "small", "LV cavity", "dice", 0.80),
    )
    assert shown_cases((Report(rows),)) == ("small", "small", "large")


def test_merged_structures_keep_base_mid_and_apex(tmp_path: Path) -> None:
    for folder in ("predictions", "references"):
        (tmp_path / folder).mkdir()
        write_labels(heart(STACK), tmp_path / folder / "case.nii.gz")
    regions = {}
    for target in (None, MYOCARDIUM_BLOOD):
        report = evaluate_files(
            tmp_path / "predictions",
            tmp_path / "references",
            EvaluationOptions(ACDC, read_as=target),
            tmp_path / (target.name if target else "own"),
        ).report
        regions[target] = {row.region for row in report.rows if row.level == "slice"}
    assert {"base", "mid", "apex"} <= regions[None]
    assert regions[MYOCARDIUM_BLOOD] == regions[None]


def test_labels_are_read_as_their_headers_say(tmp_path: Path) -> None:
    for folder, scheme in (("predictions", MYOCARDIUM_BLOOD), ("references", ACDC)):
        (tmp_path / folder).mkdir()
        write_labels(heart(STACK).read_as(scheme), tmp_path / folder / "case.nii.gz")
    options = EvaluationOptions(ACDC, read_as=MYOCARDIUM_BLOOD)
    folders = (tmp_path / "predictions", tmp_path / "references")
    report = evaluate_files(*folders, options, tmp_path / "merged").report
    assert report.mean("dice", "blood pool") == 1
    with pytest.raises(LabelError, match=r"predictions/case\.nii\.gz: .*myocardium_blood"):
        evaluate_files(*folders, EvaluationOptions(ACDC), tmp_path / "own")


def test_the_pictures_of_an_evaluation_show_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, scheme in (("predictions", MYOCARDIUM_BLOOD), ("references", ACDC)):
        (tmp_path / name).mkdir()
        write_labels(heart(STACK).read_as(scheme), tmp_path / name / "case.nii.gz")
    (tmp_path / "images").mkdir()
    image = Volume(np.zeros(STACK.shape, np.float32), STACK)
    write_volume(image, tmp_path / "images" / "case.nii.gz")
    predictions, references = tmp_path / "predictions", tmp_path / "references"
    asked = EvaluationOptions(ACDC, read_as=MYOCARDIUM_BLOOD)
    evaluate_files(predictions, references, asked, tmp_path / "evaluation")
    drawn: list[LabelMap] = []

    def draw(image: Volume, labels: Mapping[str, LabelMap]) -> Figure:
        drawn.extend(labels.values())
        return comparison_figure(image, labels)

    monkeypatch.setattr("cardioseg.workflows.report.folder.comparison_figure", draw)
    options = ReportOptions(
        images=tmp_path / "images", references=references, predictions=predictions
    )
    report_folder(tmp_path / "evaluation", options)
    expected = heart(STACK).read_as(MYOCARDIUM_BLOOD).array
    assert len(drawn) == 2 * len(("best", "median", "worst"))
    for labels in drawn:
        assert labels.scheme == MYOCARDIUM_BLOOD
        np.testing.assert_array_equal(labels.array, expected)


@pytest.mark.parametrize("rows", ["", "case,subject\n", "case,subject\na,1\n", "just words\n"])
def test_a_file_of_subjects_tells_whose_every_case_is(cohort: Path, rows: str) -> None:
    subjects = cohort / "subjects.csv"
    subjects.write_text(rows)
    options = EvaluationOptions(ACDC, subjects=subjects)
    with pytest.raises(DatasetError, match=r"subjects\.csv: "):
        evaluate_files(cohort / "second", cohort / "references", options, cohort / "out")
    subjects.write_text("case,subject\na,1\nb,1\nc,2\n")
    report = evaluate_files(cohort / "second", cohort / "references", options, cohort / "out")
    assert report.report.subjects == ("1", "2")
