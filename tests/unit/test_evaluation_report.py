"""The report: rules for missing structures, means, and the way to JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import DatasetError, FormatError, GeometryError, LabelError
from cardioseg.evaluation import Report, Row, Settings, combine, evaluate, evaluate_case

GRID = Geometry((12, 10, 4), np.diag([1.5, 2.0, 8.0, 1.0]))
RV, MYOCARDIUM, LV = (s.name for s in ACDC.structures)
METRICS = {
    "dice", "jaccard", "cce", "hd95_mm", "assd_mm", "surface_dice", "volume_ml", "volume_error_ml",
}  # fmt: skip


def labels(*boxes, scheme=ACDC, grid=GRID):
    array = np.zeros(grid.shape, np.uint8)
    for box, value in boxes:
        array[box] = value
    return LabelMap(array, grid, scheme)


HEART = labels((np.s_[2:9, 2:8, 1:4], 2), (np.s_[4:7, 4:6, 1:4], 3), (np.s_[0:2, 3:6, 1:3], 1))


def one_hot_scores(label_map, sureness=0.97):
    classes = np.arange(label_map.scheme.class_count)[:, None, None, None]
    hit = label_map.array[None] == classes
    return np.where(hit, sureness, (1 - sureness) / (len(classes) - 1)).astype(np.float32)


def the_row(report, structure, metric, level="volume", slice_index=None):
    rows = report.select(metric, structure, level).rows
    (row,) = [r for r in rows if r.slice_index == slice_index]
    return row


class TestPerfect:
    def test_every_metric(self):
        report = evaluate(HEART, HEART, scores=one_hot_scores(HEART))
        best = {"dice": 1, "jaccard": 1, "surface_dice": 1, "hd95_mm": 0, "assd_mm": 0}
        for structure in report.structures:
            rows = report.select(structure=structure, level="volume").rows
            assert {r.metric for r in rows} == METRICS
            for metric, value in {**best, "volume_error_ml": 0}.items():
                assert the_row(report, structure, metric).value == value
        share = np.mean(HEART.array == 2)
        assert the_row(report, MYOCARDIUM, "cce").value == pytest.approx(
            -share * np.log(0.97), rel=1e-5
        )

    def test_units(self):
        report = evaluate(HEART, HEART, settings=Settings(tolerance_mm=3))
        units = {r.metric: r.unit for r in report.rows}
        assert units["hd95_mm"] == units["assd_mm"] == "mm"
        assert units["volume_ml"] == units["volume_error_ml"] == "ml"
        assert units["surface_dice"] == "at 3 mm"
        assert units["dice"] == units["jaccard"] == ""

    def test_background_has_dice_and_cross_entropy_only(self):
        report = evaluate(HEART, HEART)
        found = report.select(structure="background").rows
        assert {r.metric for r in found} == {"dice", "cce"}
        assert {r.level for r in found} == {"volume", "slice"}


class TestMissing:
    """What METHOD says of structures that one or both lack, for each metric."""

    REFERENCE = labels((np.s_[2:9, 2:8, 1:4], 2), (np.s_[0:2, 3:6, 1:3], 1))
    PREDICTION = labels((np.s_[2:9, 2:8, 1:4], 2), (np.s_[11:, 9:, 3:], 3))
    # RV is missed, LV is spurious. The myocardium is right.

    @pytest.fixture
    def report(self):
        return evaluate(self.PREDICTION, self.REFERENCE, scores=one_hot_scores(self.PREDICTION))

    @pytest.mark.parametrize(("structure", "note"), [(RV, "missed"), (LV, "spurious")])
    @pytest.mark.parametrize(
        ("metric", "worst"),
        [("dice", 0), ("jaccard", 0), ("surface_dice", 0), ("hd95_mm", None), ("assd_mm", None)],
    )
    def test_worst_case_per_volume(self, report, structure, note, metric, worst):
        row = the_row(report, structure, metric)
        assert row.value == (GRID.diagonal_mm if worst is None else worst)
        assert row.note == note

    def test_worst_case_per_slice_is_the_diagonal_of_the_slice(self, report):
        row = the_row(report, RV, "hd95_mm", "slice", 1)
        assert row.value == pytest.approx(np.hypot(11 * 1.5, 9 * 2.0))
        assert row.note == "missed"

    def test_volumes_are_measured(self, report):
        assert the_row(report, RV, "volume_ml").value == 0
        assert the_row(report, RV, "volume_error_ml").value == pytest.approx(-12 * 24 / 1000)
        assert the_row(report, LV, "volume_error_ml").value == pytest.approx(24 / 1000)

    def test_cross_entropy_of_a_spurious_structure_is_undefined_of_a_missed_one_it_is_large(
        self, report
    ):
        assert the_row(report, LV, "cce").value is None
        assert the_row(report, LV, "cce").note == "spurious"
        share = np.mean(self.REFERENCE.array == 1)
        assert the_row(report, RV, "cce").value == pytest.approx(-share * np.log(0.01), rel=1e-4)

    def test_absent_from_both_is_undefined_everywhere(self):
        report = evaluate(self.REFERENCE, self.REFERENCE)
        rows = report.select(structure=LV, level="volume").rows
        assert {r.metric for r in rows} == METRICS
        assert all(r.value is None for r in rows)
        assert {r.note for r in rows if r.metric != "cce"} == {"absent from both"}
        assert report.mean("dice", LV) is None
        assert report.mean("dice") == 1

    def test_counted_in_the_summary(self, report):
        summary = {
            s.structure: s for s in report.summaries() if (s.level, s.metric) == ("volume", "dice")
        }
        assert (summary[RV].missed, summary[RV].spurious) == (1, 0)
        assert (summary[LV].missed, summary[LV].spurious) == (0, 1)
        assert summary["mean of structures"].missed == 1
        absent = evaluate(self.REFERENCE, self.REFERENCE).summaries()
        (lv,) = [s for s in absent if (s.level, s.metric, s.structure) == ("volume", "dice", LV)]
        assert (lv.mean, lv.undefined, lv.defined) == (None, 1, 0)

    def test_opposite_volume_errors_do_not_cancel(self):
        rows = [Row(c, c, LV, "volume_error_ml", v, "ml") for c, v in (("a", -50.0), ("b", 50.0))]
        means = {s.metric: s.mean for s in Report(tuple(rows)).summaries()}
        assert means == {"volume_error_ml": 0, "absolute_volume_error_ml": 50}

    def test_without_scores(self):
        report = evaluate(HEART, HEART)
        rows = report.select(metric="cce").rows
        assert {(r.value, r.note) for r in rows} == {(None, "undefined: no scores")}
        assert "| CCE | undefined: no scores |" in report.to_markdown()


class TestSlices:
    def test_each_slice_is_measured_in_its_plane(self):
        moved = labels((np.s_[3:10, 2:8, 1:4], 2))
        report = evaluate(moved, labels((np.s_[2:9, 2:8, 1:4], 2)))
        indices = [r.slice_index for r in report.select("dice", MYOCARDIUM, "slice").rows]
        assert indices == [0, 1, 2, 3]
        assert the_row(report, MYOCARDIUM, "dice", "slice", 0).note == "absent from both"
        assert the_row(report, MYOCARDIUM, "dice", "slice", 2).value == pytest.approx(6 / 7)
        assert the_row(report, MYOCARDIUM, "hd95_mm", "slice", 2).value == pytest.approx(1.5)

    def test_the_mean_over_slices_is_not_the_volume_s(self):
        large, small = (np.s_[2:10, 2:8, 1], 3), (np.s_[2:4, 2:8, 2], 3)
        prediction = labels(large, (np.s_[3:5, 2:8, 2], 3))
        report = evaluate(prediction, labels(large, small))
        assert report.mean("dice", LV, level="slice") == pytest.approx((1 + 1 / 2) / 2)
        assert report.mean("dice", LV) == pytest.approx(2 * (48 + 6) / (60 + 60))

    def test_volumes_are_not_measured_per_slice(self):
        metrics = {r.metric for r in evaluate(HEART, HEART).select(level="slice").rows}
        assert metrics == METRICS - {"volume_ml", "volume_error_ml"}

    def test_axis_of_the_largest_spacing_or_the_one_given(self):
        def slices(grid, axis=None):
            prediction = labels((np.s_[2:5, 2:5, 1:3], 2), grid=grid)
            report = evaluate(prediction, prediction, settings=Settings(slice_axis=axis))
            return len(report.select("dice", "background", "slice").rows)

        assert slices(Geometry(GRID.shape, np.diag([9.0, 2.0, 8.0, 1.0]))) == 12
        assert slices(Geometry(GRID.shape, np.diag([8.0, 2.0, 8.0, 1.0]))) == 0
        assert slices(Geometry(GRID.shape, np.diag([8.0, 2.0, 8.0, 1.0])), axis=1) == 10
        with pytest.raises(GeometryError, match="axes 0, 1 and 2"):
            slices(GRID, axis=3)

    def test_no_native_slices_is_told(self):
        cube = labels((np.s_[2:5, 2:5, 1:3], 2), grid=Geometry(GRID.shape, np.eye(4)))
        assert "Name the slice" in evaluate(cube, cube).to_markdown()

    def test_regions_come_with_slices(self):
        report = evaluate(HEART, HEART)
        assert {r.region for r in report.select(level="volume").rows} == {""}
        cone = labels(*((np.s_[: 3 * k, 2:8, k], 3) for k in (1, 2, 3)))
        rows = evaluate(cone, cone).select("dice", LV, "slice").rows
        assert [r.region for r in rows] == ["", "apex", "mid", "base"]
        text = evaluate(cone, cone).to_markdown()
        assert text.index("| base |") < text.index("| mid |") < text.index("| apex |")


def test_a_sheared_grid_is_measured_as_if_its_axes_were_perpendicular():
    affine = np.diag([1.5, 2.0, 8.0, 1.0])
    affine[0, 2] = 3.0
    sheared = Geometry(GRID.shape, affine)
    grid = Geometry(GRID.shape, np.diag([*sheared.spacing, 1.0]))
    values = []
    for place in (sheared, grid):
        reference = LabelMap(HEART.array, place, ACDC)
        moved = LabelMap(np.roll(HEART.array, -1, axis=2), place, ACDC)
        values.append(evaluate(moved, reference).mean("hd95_mm"))
    assert values[0] == pytest.approx(values[1])


class TestRefusals:
    def test_other_grid(self):
        other = labels(grid=Geometry(GRID.shape, np.diag([1.5, 2.0, 10.0, 1.0])))
        with pytest.raises(GeometryError, match="case_7: prediction and reference lie on differ"):
            evaluate(other, HEART, case="case_7")

    def test_other_scheme(self):
        with pytest.raises(LabelError, match=r"case_7.*myocardium_blood.*acdc.*read_as"):
            evaluate(labels(scheme=MYOCARDIUM_BLOOD), HEART, case="case_7")

    def test_scores_of_another_shape(self):
        with pytest.raises(GeometryError, match=r"\(4, 12, 10, 4\)"):
            evaluate(HEART, HEART, scores=np.ones((3, *GRID.shape)))

    @pytest.mark.parametrize("bad", [np.nan, 5.0, -1.0])
    def test_scores_that_are_no_probabilities(self, bad):
        scores = one_hot_scores(HEART)
        scores[1, 0, 0, 0] = bad
        with pytest.raises(LabelError, match="softmax"):
            evaluate(HEART, HEART, scores=scores)

    def test_a_case_twice(self):
        report = evaluate(HEART, HEART)
        with pytest.raises(DatasetError, match="own case name"):
            combine([report, report])

    def test_rows_that_hide_something(self):
        with pytest.raises(FormatError, match="needs a note"):
            Row("a", "a", LV, "dice", None)
        with pytest.raises(FormatError, match="not a finite"):
            Row("a", "a", LV, "dice", float("nan"))
        with pytest.raises(FormatError, match="level"):
            Row("a", "a", LV, "dice", 0.5, level="slice")


def cohort():
    moved = LabelMap(np.roll(HEART.array, 1, axis=0), GRID, ACDC)
    reports = [
        evaluate(HEART, HEART, case="p1_frame01").tagged(group="NOR", phase="ED"),
        evaluate(moved, HEART, case="p1_frame09").tagged(group="NOR", phase="ES"),
        evaluate(moved, HEART, case="p2_frame01").tagged(group="DCM|x", phase="ED"),
    ]
    return combine(reports)


class TestReport:
    def test_mean_averages_frames_then_patients_then_structures(self):
        report = cohort()
        shifted = the_row(report.select(case="p2_frame01"), LV, "dice").value
        assert report.mean("dice", LV) == pytest.approx(((1 + shifted) / 2 + shifted) / 2)
        by_structure = [report.mean("dice", s) for s in (RV, MYOCARDIUM, LV)]
        assert report.mean("dice") == pytest.approx(np.mean(by_structure))

    def test_names(self):
        report = cohort()
        assert report.cases == ("p1_frame01", "p1_frame09", "p2_frame01")
        assert report.subjects == ("p1", "p2")
        assert report.structures == (RV, MYOCARDIUM, LV)

    def test_an_empty_report_has_no_mean(self):
        assert Report(()).mean("dice") is None
        assert Report(()).summaries() == ()

    def test_json_round_trip(self):
        report = cohort()
        assert Report.from_json(report.to_json()) == report

    def test_json_keeps_volumes_and_slices_apart_and_holds_the_summary(self):
        content = json.loads(cohort().to_json())
        assert content["format_version"] == 1
        assert {r["level"] for r in content["rows"]} == {"volume"}
        assert {r["level"] for r in content["slices"]} == {"slice"}
        dice = [s for s in content["summary"] if s["metric"] == "dice" and s["level"] == "volume"]
        assert {"mean", "median", "low", "high", "missed"} <= dice[0].keys()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{", "not a report"),
            ("[]", "not a report"),
            ('{"rows": []}', "not a report"),
            ('{"format_version": 2, "rows": [], "slices": []}', "version 2"),
            ('{"format_version": 1, "rows": [{"case": "a"}], "slices": []}', "missing key"),
            ('{"format_version": 1, "rows": [{"colour": "a"}], "slices": []}', "wrong or missing"),
        ],
    )
    def test_json_of_something_else(self, text, message):
        with pytest.raises(FormatError, match=message):
            Report.from_json(text)

    def test_csv(self):
        report = cohort()
        for level in ("volume", "slice"):
            table = list(csv.DictReader(io.StringIO(report.to_csv(level))))
            assert len(table) == len(report.select(level=level).rows)
            assert {r["level"] for r in table} == {level}
        columns = report.to_csv().splitlines()[0].split(",")
        assert columns[:7] == ["case", "subject", "structure", "metric", "value", "unit", "note"]
        undefined = [r for r in csv.DictReader(io.StringIO(report.to_csv())) if not r["value"]]
        assert {r["note"] for r in undefined} == {"undefined: no scores"}

    def test_markdown(self):
        text = cohort().to_markdown()
        assert f"| per volume | background | {RV} | {MYOCARDIUM} | {LV} | mean |" in text
        assert f"| per slice | background | {RV} | {MYOCARDIUM} | {LV} | mean |" in text
        assert "Never compare" in text
        for heading in ("By group", "By phase", "Worst cases", "95 % interval"):
            assert heading in text
        assert "DCM\\|x" in text
        assert text == cohort().to_markdown(np.random.default_rng(0))

    def test_class_table_has_means_of_the_shown_columns(self):
        line = next(x for x in cohort().to_markdown().splitlines() if x.startswith("| Dice"))
        *classes, mean = [float(cell) for cell in line.strip("|").split("|")[1:]]
        assert mean == pytest.approx(np.mean(classes), abs=1e-3)

    def test_median_and_interval_are_over_patients(self):
        values = {"a1": 0.9, "a2": 0.7, "b": 0.5, "c": 0.6}
        rows = tuple(Row(c, c[0], LV, "dice", v) for c, v in values.items())
        (summary,) = Report(rows).summaries(np.random.default_rng(0))
        assert (summary.subjects, summary.defined) == (3, 4)
        assert summary.median == pytest.approx(0.6)
        assert summary.mean == pytest.approx((0.8 + 0.5 + 0.6) / 3)
        assert 0.5 <= summary.low < summary.mean < summary.high <= 0.8


def test_evaluate_case_takes_names_group_and_phase_from_the_case():
    case = Case(
        "patient009_frame01",
        "patient009",
        load_image=lambda: Volume(np.zeros(GRID.shape, np.float32), GRID),
        load_labels=lambda: HEART,
        phase="ED",
        group="HCM",
    )
    report = evaluate_case(HEART.read_as(MYOCARDIUM_BLOOD), case)
    assert report.structures == ("myocardium", "blood pool")
    assert report.mean("dice") == 1
    assert {(r.case, r.subject, r.group, r.phase) for r in report.rows} == {
        ("patient009_frame01", "patient009", "HCM", "ED")
    }
