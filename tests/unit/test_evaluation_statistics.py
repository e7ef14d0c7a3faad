"""Statistics over patients, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cardioseg.errors import DatasetError
from cardioseg.evaluation.clinical import (
    NO_CAVITY,
    Undefined,
    agreements,
    clinical_pairs,
    undefined_quantities,
)
from cardioseg.evaluation.comparison import compare, comparison_table
from cardioseg.evaluation.paired import bland_altman, holm, paired_wilcoxon, rank_biserial
from cardioseg.evaluation.report import Report
from cardioseg.evaluation.rows import VOLUME_METRICS, Row
from cardioseg.evaluation.statistics import (
    bootstrap_interval,
    cohort_mean,
    subject_means,
    unpaired_interval,
)
from cardioseg.evaluation.volumetry import ONE_SLICE


class TestCohortMean:
    def test_frames_of_a_patient_first(self):
        entries = [("a", "a1", 1.0), ("a", "a2", 0.6), ("b", "b1", 0.2)]
        assert subject_means(entries) == pytest.approx({"a": 0.8, "b": 0.2})

    def test_slices_of_a_frame_before_that(self):
        entries = [("a", "a1", 0.0), ("a", "a1", 0.0), ("a", "a1", 0.0), ("a", "a2", 1.0)]
        assert subject_means(entries) == {"a": 0.5}

    def test_patients_then_structures(self):
        # Means of the columns are 0.5 and 0.9; the mean over all three values would be 0.633.
        table = [[0.4, np.nan], [0.6, 0.9]]
        assert cohort_mean(table).tolist() == pytest.approx([0.7])

    def test_nothing_defined(self):
        assert np.isnan(cohort_mean([np.nan, np.nan])).all()


class TestBootstrap:
    def test_agrees_with_drawing_patients_one_by_one(self):
        rng = np.random.default_rng(7)
        values = rng.normal(0.9, 0.05, 12)
        interval = bootstrap_interval(values, rng, resamples=20_000)
        means = values[rng.integers(0, 12, (20_000, 12))].mean(axis=1)
        low, high = np.percentile(means, (2.5, 97.5))
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=2e-3)

    def test_the_same_seed_gives_the_same_interval(self):
        values = [0.7, 0.8, 0.95]
        first, second = (bootstrap_interval(values, np.random.default_rng(3)) for _ in range(2))
        assert first == second

    @pytest.mark.parametrize("values", [[0.9], [0.9, np.nan], []])
    def test_one_patient_has_no_interval(self, values):
        assert bootstrap_interval(values, np.random.default_rng(0)) is None


class TestPaired:
    def test_wilcoxon_of_six_positive_differences(self):
        # All six ranks on one side: exact two-sided p = 2 / 2^6.
        test = paired_wilcoxon([1, 2, 3, 4, 5, 6], [0.9, 1.8, 2.7, 3.6, 4.5, 5.4])
        assert test.pairs == 6
        assert test.p_value == pytest.approx(2 / 64)
        assert test.rank_biserial == 1

    def test_no_difference_at_all(self):
        # Of five unequal pairs the exact distribution: 2 of 32 sign patterns.
        zeros = paired_wilcoxon([0.0, 0.1, 0.2, 0.3, 0.4, 0.5], [0.0] * 6)
        assert zeros.p_value == pytest.approx(2 / 32)
        test = paired_wilcoxon([0.5, 0.6], [0.5, 0.6])
        assert (test.p_value, test.rank_biserial) == (1.0, 0.0)

    def test_rank_biserial_of_mixed_signs(self):
        # Ranks 1, 2, 3 and 4; the negative difference has rank 2.
        assert rank_biserial([1, -2, 3, 4, 0]) == pytest.approx((1 + 3 + 4 - 2) / 10)
        assert rank_biserial([0.0]) == 0

    def test_holm(self):
        assert holm([0.04, 0.01, 0.03, 0.5]) == pytest.approx((0.09, 0.04, 0.09, 0.5))
        assert holm([0.9, 0.8]) == (1.0, 1.0)
        assert holm([]) == ()

    def test_bland_altman(self):
        result = bland_altman([10, 20, 30], [9, 21, 27])
        spread = 1.96 * np.std([1, -1, 3], ddof=1)
        assert result.bias == pytest.approx(1)
        assert (result.lower, result.upper) == pytest.approx((1 - spread, 1 + spread))

    def test_limits_hold_single_measurements_where_a_patient_has_several(self):
        rng = np.random.default_rng(0)
        patients, frames, between, within = 400, 2, 3.0, 5.0
        own = np.repeat(rng.normal(0, between, patients), frames)
        differences = own + rng.normal(0, within, own.size)
        subjects = [f"p{n // frames}" for n in range(own.size)]
        result = bland_altman(differences, np.zeros(own.size), subjects)
        assert result.pairs == patients * frames
        assert (result.upper - result.lower) / 2 == pytest.approx(
            1.96 * np.hypot(between, within), rel=0.05
        )
        inside = (differences > result.lower) & (differences < result.upper)
        assert inside.mean() == pytest.approx(0.95, abs=0.015)

    def test_one_measurement_a_patient_is_the_plain_case(self):
        first, second = [10.0, 20.0, 31.0, 8.0], [9.0, 21.0, 27.0, 8.5]
        named = bland_altman(first, second, ["d", "c", "b", "a"])
        plain = bland_altman(first, second)
        assert (named.pairs, named.bias) == (plain.pairs, plain.bias)
        assert (named.lower, named.upper) == pytest.approx((plain.lower, plain.upper))

    def test_a_patient_with_more_frames_weighs_no_more_in_the_bias(self):
        result = bland_altman([1.0, 1.0, 1.0, 4.0], [0.0] * 4, ["a", "a", "a", "b"])
        assert result.bias == 2.5

    def test_values_must_pair_up(self):
        with pytest.raises(ValueError, match="pair up"):
            paired_wilcoxon([1.0], [1.0, 2.0])
        with pytest.raises(ValueError, match="two pairs"):
            bland_altman([1.0], [1.0])
        with pytest.raises(ValueError, match="another patient"):
            bland_altman([1.0, 2.0], [1.0, 1.0], ["a", "a"])
        with pytest.raises(ValueError, match="1 subjects"):
            bland_altman([1.0, 2.0], [1.0, 1.0], ["a"])


def dice_report(values, structure="myocardium"):
    rows = [Row(case, case, structure, "dice", value) for case, value in values.items()]
    return Report(tuple(rows))


class TestCompare:
    def test_pairs_patients_whatever_their_order(self):
        a = dice_report({"p1": 0.9, "p2": 0.8, "p3": 0.7})
        b = dice_report({"p3": 0.6, "p1": 0.8, "p2": 0.7})
        (result,) = compare(a, b, np.random.default_rng(0), metrics=["dice"])
        assert result.mean_a - result.mean_b == pytest.approx(0.1)
        assert (result.interval.low, result.interval.high) == pytest.approx((0.1, 0.1))
        assert result.rank_biserial == 1

    def test_holm_is_over_all_tests(self):
        values = {f"p{n}": 0.5 + n / 20 for n in range(6)}
        worse = {name: value - 0.01 * (n + 1) for n, (name, value) in enumerate(values.items())}
        a = Report((*dice_report(values).rows, *dice_report(values, "LV cavity").rows))
        b = Report((*dice_report(worse).rows, *dice_report(worse, "LV cavity").rows))
        results = compare(a, b, np.random.default_rng(0), metrics=["dice"])
        assert [r.structure for r in results] == ["myocardium", "LV cavity", "mean of structures"]
        assert [r.p_holm for r in results] == pytest.approx([3 * 2 / 64] * 3)
        assert "U-Net 2" in comparison_table(results, "U-Net 1", "U-Net 2")

    def test_a_patient_with_a_value_in_one_report_only_is_counted(self):
        absent = Row("p2", "p2", "myocardium", "dice", None, note="absent from both")
        a = Report((*dice_report({"p1": 0.9}).rows, absent))
        b = dice_report({"p1": 0.8, "p2": 0.0})
        (result,) = compare(a, b, np.random.default_rng(0), metrics=["dice"])
        assert (result.subjects, result.unpaired) == (1, 1)
        assert result.interval is None

    def test_other_cases_are_refused(self):
        with pytest.raises(DatasetError, match=r"cases \(p2\)"):
            compare(
                dice_report({"p1": 1}), dice_report({"p1": 1, "p2": 1}), np.random.default_rng(0)
            )


class TestAgreement:
    def rows(self, case, phase, predicted, reference, structure="LV cavity"):
        subject = case.split("_")[0]
        common = {"unit": "ml", "phase": phase}
        error = predicted - reference
        return [
            Row(case, subject, structure, "volume_ml", predicted, **common),
            Row(case, subject, structure, "volume_error_ml", error, **common),
        ]

    def test_volumes_by_phase_and_ejection_fraction(self):
        rows = [
            *self.rows("a_ed", "ED", 100, 110),
            *self.rows("a_es", "ES", 40, 44),
            *self.rows("b_ed", "ED", 200, 200),
            *self.rows("b_es", "ES", 100, 80),
        ]
        found = {a.quantity: a for a in agreements(rows)}
        assert found["LV cavity volume, ED"].limits.bias == pytest.approx(-5)
        fraction = found["LV cavity ejection fraction"]
        assert (fraction.predicted, fraction.reference) == pytest.approx((55, 60))

    @pytest.mark.parametrize(("diastole", "systole"), [(0, 40), (100, 0)])
    def test_a_missed_ventricle_has_no_ejection_fraction_and_is_counted(self, diastole, systole):
        rows = [
            *self.rows("a_ed", "ED", diastole, 110),
            *self.rows("a_es", "ES", systole, 44),
            *self.rows("b_ed", "ED", 200, 200),
            *self.rows("b_es", "ES", 100, 80),
        ]
        fraction = next(a for a in agreements(rows) if "ejection" in a.quantity)
        assert (fraction.subjects, fraction.undefined, fraction.limits) == (1, 1, None)

    def test_opposite_errors_of_frames_without_a_phase_do_not_cancel(self):
        rows = []
        for n in range(5):
            rows += self.rows(f"p{n}_frame01", "", 100 + n + 4, 100 + n)
            rows += self.rows(f"p{n}_frame12", "", 40 + n - 4, 40 + n)
        ((volume, pairs),) = clinical_pairs(rows)
        assert (volume.subjects, volume.limits.pairs, len(pairs)) == (5, 10, 10)
        assert volume.predicted == volume.reference
        assert volume.limits.bias == 0
        assert volume.limits.upper == -volume.limits.lower
        assert volume.limits.upper > 1.96 * 4

    def test_frames_of_one_patient_have_no_limits(self):
        rows = [*self.rows("a_1", "", 100, 90), *self.rows("a_2", "", 40, 44)]
        (volume,) = agreements(rows)
        assert (volume.subjects, volume.predicted, volume.limits) == (1, 70, None)

    def test_what_no_patient_has_is_told_with_its_reason(self):
        rows = [*self.rows("a_ed", "ED", 100, 110), *self.rows("a_es", "ES", 0, 44)]
        assert not any("fraction" in a.quantity for a in agreements(rows))
        assert list(undefined_quantities(rows)) == [
            Undefined("LV cavity ejection fraction", 1, NO_CAVITY)
        ]
        line = f"- LV cavity ejection fraction: undefined of 1 patient: {NO_CAVITY}."
        assert line in Report(tuple(rows)).to_markdown()

    def test_one_slice_has_no_clinical_quantity_and_says_why(self):
        rows = self.rows("a", "ED", 100, 110)
        flat = Report(tuple(rows)).without(VOLUME_METRICS, ONE_SLICE)
        assert agreements(flat.rows) == ()
        assert list(undefined_quantities(flat.rows)) == [
            Undefined("volumes, mass and ejection fraction", 1, ONE_SLICE)
        ]
        assert ONE_SLICE in flat.to_markdown()

    def test_infarct_counts_as_wall(self):
        rows = [
            *self.rows("a", "", 100, 80, structure="myocardium"),
            *self.rows("a", "", 10, 20, structure="infarct"),
            *self.rows("a", "", 0, 5, structure="no-reflow"),
            *self.rows("a", "", 50, 50),
        ]
        found = {a.quantity: a for a in agreements(rows)}
        mass, volume = found["myocardium mass"], found["myocardium volume"]
        assert (mass.predicted, mass.reference) == pytest.approx((110 * 1.05, 105 * 1.05))
        assert (volume.predicted, volume.reference) == (100, 80)

    def test_myocardial_mass(self):
        found = agreements(self.rows("a", "", 100, 200, structure="myocardium"))
        mass = next(a for a in found if a.quantity == "myocardium mass")
        assert (mass.predicted, mass.reference, mass.unit) == (pytest.approx(105), 210, "g")


def test_an_unpaired_interval_holds_the_difference_and_is_as_wide_as_theory_says():
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.9, 0.05, 40), rng.normal(0.8, 0.05, 60)
    interval = unpaired_interval(first, second, np.random.default_rng(1))
    expected = 1.96 * np.sqrt(first.var() / 40 + second.var() / 60)
    middle = first.mean() - second.mean()
    assert interval.low == pytest.approx(middle - expected, abs=0.2 * expected)
    assert interval.high == pytest.approx(middle + expected, abs=0.2 * expected)
    assert unpaired_interval(first[:1], second, rng) is None


def test_slices_are_compared_after_averaging_each_patients():
    def report(shift):
        return Report(
            tuple(
                Row(f"p{n}", f"p{n}", "myocardium", "dice", value, level="slice", slice_index=k)
                for n in range(6)
                for k, value in enumerate((0.5 + shift, 0.7 + n / 100 + shift))
            )
        )

    (found,) = compare(report(0.1), report(0.0), np.random.default_rng(0), ["dice"], "slice")
    assert found.subjects == 6
    assert found.mean_a - found.mean_b == pytest.approx(0.1)
    assert compare(report(0.1), report(0.0), np.random.default_rng(0), ["dice"]) == ()
