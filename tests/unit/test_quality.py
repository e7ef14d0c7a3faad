"""The quality gate: every rule fires on a map made for it and is silent on a healthy heart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD
from cardioseg.core.quality import Reason, Verdict
from cardioseg.core.scan import Scan
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import ModelError
from cardioseg.inference.predictor import Predictor
from cardioseg.inference.quality import assess, assess_by_rules, predict_assessed
from cardioseg.inference.quality.assess import judge, rule_reasons
from cardioseg.inference.quality.calibration import (
    Calibration,
    Line,
    calibration_of,
    fitted_line,
    read_calibration,
)
from cardioseg.inference.quality.features import FEATURES, score_features
from cardioseg.model import NETWORK, QUALITY, Model, open_model, write_folder, write_model
from cardioseg.prepare.plan import NetworkPlan, Plan
from cardioseg.workflows import judging
from cardioseg.workflows.inputs import Opened
from cardioseg.workflows.judging import cine_quality
from cardioseg.workflows.known_errors import why_unmeasured
from cardioseg.workflows.report.messages import Language
from cardioseg.workflows.report.reasons import reason_words
from cardioseg.workflows.segment import Wanted, segment

SIDE, SLICES, PIXEL, APART = 160, 12, 1.5, 8.0
GRID = Geometry((SIDE, SIDE, SLICES), np.diag([PIXEL, PIXEL, APART, 1.0]))
PLAN = Plan(
    spacing_mm=1.5, size=(160, 160), network=NetworkPlan(widths=(4, 8), classes=4), scheme="acdc"
)
X, Y = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")


def disc(x, y, radius):
    return (X - x) ** 2 + (Y - y) ** 2 <= radius**2


def heart():
    """A heart as ACDC stores one: base first, RV on the left of the picture, turning with it."""
    array = np.zeros(GRID.shape, np.uint8)
    for k in range(1, SLICES - 1):
        share = np.sqrt(1 - ((k - 1) / SLICES) ** 2)
        angle = np.deg2rad(150 - 4 * k)
        x, y = 80 + 30 * np.cos(angle), 80 + 30 * np.sin(angle)
        array[..., k][disc(x, y, 16 * share)] = 1
        array[..., k][disc(80, 80, 24 * share)] = 2
        array[..., k][disc(80, 80, 16 * share)] = 3
    return array


def image(grid=GRID):
    return Volume(np.random.default_rng(0).uniform(0, 255, grid.shape), grid)


def rules(array, grid=GRID, volume=None, found=None):
    array = np.ascontiguousarray(array)
    labels = LabelMap(array, grid, ACDC)
    found = np.count_nonzero(array) if found is None else found
    reasons = list(rule_reasons(volume or image(grid), labels, found))
    require_spanish(reasons)
    return {r.rule: r.verdict for r in reasons}


def require_spanish(reasons):
    """Every sentence that the gate says has a translation, its values filled in."""
    for reason in reasons:
        told = reason_words(reason, Language.SPANISH)
        assert told != reason.words
        assert not re.search(r"\b(the|and|of|cavity|slices)\b", told), told


def plain(shape, spacing=(PIXEL, PIXEL, APART)):
    return Geometry(shape, np.diag([*spacing, 1.0]))


def test_a_healthy_heart_breaks_no_rule():
    assert rules(heart()) == {}


def without(value):
    array = heart()
    array[array == value] = 0
    return array


def opened():
    array = heart()
    array[80:][array[80:] == 2] = 0
    return array


def with_hole():
    array = heart()
    array[76:84, 76:84][array[76:84, 76:84] == 3] = 0
    return array


def in_pieces():
    array = heart()
    array[20:30, 20:30, 3:8] = 2
    return array


def with_gap():
    array = heart()
    array[..., 5] = 0
    return array


def jumping():
    array = heart()
    array[..., 5] = np.roll(array[..., 5], 20, axis=1)
    return array


def swelling():
    array = heart()
    array[..., 8][disc(80, 80, 36)] = 2
    array[..., 8][disc(80, 80, 16)] = 3
    return array


def stretched():
    array = np.zeros(GRID.shape, np.uint8)
    for k in range(1, SLICES - 1):
        outer = ((X - 80) / 50) ** 2 + ((Y - 80) / 20) ** 2 <= 1
        inner = ((X - 80) / 42) ** 2 + ((Y - 80) / 12) ** 2 <= 1
        array[..., k][disc(20, 80, 12)] = 1
        array[..., k][outer] = 2
        array[..., k][inner] = 3
    return array


@pytest.mark.parametrize(
    ("array", "rule", "verdict"),
    [
        (np.zeros(GRID.shape, np.uint8), "no_heart", Verdict.REJECT),
        (without(1), "missing_structure", Verdict.REVIEW),
        (without(3), "missing_structure", Verdict.REJECT),
        (without(2), "open_wall", Verdict.REJECT),
        (opened(), "open_wall", Verdict.REJECT),
        (with_hole(), "holes", Verdict.REVIEW),
        (in_pieces(), "pieces", Verdict.REVIEW),
        (with_gap(), "slice_gap", Verdict.REVIEW),
        (jumping(), "slice_jump", Verdict.REVIEW),
        (swelling(), "area_jump", Verdict.REVIEW),
        (stretched(), "long_axis", Verdict.REJECT),
        (heart()[::-1], "mirrored", Verdict.REVIEW),
        (heart()[:, ::-1], "mirrored", Verdict.REVIEW),
    ],
)
def test_a_rule_fires_on_the_map_made_for_it(array, rule, verdict):
    assert rules(array)[rule] is verdict


@pytest.mark.parametrize("apex_to_base", [(0.5, -0.6, 0.6), (0.5, -0.6, -0.6), (0.1, 0.2, 0.9)])
def test_missing_slices_are_counted_from_the_foot(apex_to_base):
    along = np.array(apex_to_base) / np.linalg.norm(apex_to_base)
    across = np.cross(along, (0.0, 0.0, 1.0)) / np.linalg.norm(np.cross(along, (0.0, 0.0, 1.0)))
    affine = np.eye(4)
    affine[:3, :3] = np.stack([1.5 * across, 1.5 * np.cross(along, across), 8 * along], axis=1)
    affine[:3, 3] = (3.0, 4.0, 5.0)
    grid, array = Geometry(GRID.shape, affine), heart()
    array[..., 4] = 0
    number = 5 if affine[2, 2] > 0 else SLICES - 4
    reasons = assess_by_rules(image(grid), LabelMap(array, grid, ACDC)).reasons
    (words,) = (each.words for each in reasons if each.rule == "slice_gap")
    assert f"(number {number}, from the foot end)" in words


def test_a_small_heart_is_told_as_one_and_nothing_as_none():
    grid = plain(GRID.shape, (0.5, 0.5, 4.0))
    (small,) = _no_heart(heart(), grid)
    assert small.verdict is Verdict.REJECT
    assert small.words.startswith("20.0 ml of heart in all, any adult has more than 25: check the")
    speck = np.zeros(GRID.shape, np.uint8)
    speck[80:84, 80:84, 5] = 3
    (none,) = _no_heart(speck, GRID)
    assert none.words.startswith("no heart found (0.3 ml in all)")


def test_a_single_slice_is_told_by_its_slices_and_not_as_no_heart():
    one = heart()[..., 4:5]
    assert {"few_slices": Verdict.REVIEW}.items() <= rules(one, plain(one.shape)).items()
    assert not _no_heart(one, plain(one.shape))
    assert _no_heart(np.zeros_like(one), plain(one.shape))
    assert rules(np.where(one == 3, 0, one), plain(one.shape))["missing_structure"]


def _no_heart(array, grid):
    labels = LabelMap(np.ascontiguousarray(array), grid, ACDC)
    found = list(rule_reasons(image(grid), labels, np.count_nonzero(array)))
    require_spanish(found)
    return [reason for reason in found if reason.rule == "no_heart"]


def test_turning_the_picture_or_reversing_the_slices_is_no_mirror():
    assert "mirrored" not in rules(np.rot90(heart()))
    assert "mirrored" not in rules(heart()[::-1, ::-1])
    assert "mirrored" not in rules(heart()[..., ::-1])


def test_loose_pieces_that_were_dropped_are_told():
    count = np.count_nonzero(heart())
    assert rules(heart(), found=int(1.05 * count)) == {}
    assert rules(heart(), found=int(1.3 * count))["fragments"] is Verdict.REVIEW
    assert rules(heart(), found=int(2.5 * count))["fragments"] is Verdict.REJECT


def test_a_heart_at_the_images_border_is_told():
    array = heart()[80:]
    assert "touches_border" in rules(array, plain(array.shape))
    assert "touches_border" not in rules(heart())


def test_a_stack_that_ends_in_the_heart_is_told():
    apex = heart()[..., :7]
    assert "apex_cut_off" in rules(apex, plain(apex.shape))
    base = heart()[..., 6:]
    assert "base_cut_off" in rules(base, plain(base.shape))


@pytest.mark.parametrize(
    ("spacing", "rule"),
    [
        ((0.6, 0.6, 8.0), "field_of_view"),
        ((0.6, 0.6, 8.0), "volume_range"),
        ((4.0, 4.0, 8.0), "pixel_size"),
        ((4.0, 4.0, 8.0), "heart_size"),
        ((1.5, 1.5, 20.0), "slice_distance"),
        ((1.5, 1.5, 2.5), "slice_distance"),
        ((1.5, 1.5, 1.5), "not_a_stack"),
    ],
)
def test_a_wrong_spacing_is_told(spacing, rule):
    assert rule in rules(heart(), plain(GRID.shape, spacing))


def test_few_slices_blank_slices_constants_and_ct_are_told():
    few = plain((SIDE, SIDE, 3))
    assert "few_slices" in rules(heart()[..., 3:6], few)
    values = image().array.copy()
    values[..., 4:6] = 0
    assert "blank_slices" in rules(heart(), volume=Volume(values, GRID))
    assert rules(heart(), volume=Volume(np.ones(GRID.shape), GRID))["constant"] is Verdict.REJECT
    values = image().array.copy()
    values[:30] = -1000
    assert rules(heart(), volume=Volume(values, GRID))["ct"] is Verdict.REJECT


@pytest.mark.parametrize("seed", range(40))
def test_no_label_map_breaks_the_gate(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 14, 3))
    affine = np.diag([*rng.uniform(0.5, 12, 3), 1.0]) @ np.eye(4)[[*rng.permutation(3), 3]]
    affine[:3, 3] = rng.choice((0, 50))
    grid = Geometry(shape, affine)
    array = (rng.integers(0, 4, shape) * (rng.random(shape) < rng.random())).astype(np.uint8)
    labels = LabelMap(array, grid, ACDC)
    found = int(rng.integers(0, array.size + 1))
    for reason in rule_reasons(image(grid), labels, found):
        assert reason.words
        assert "nan" not in reason.words
        assert reason_words(reason, Language.SPANISH) != reason.words


def in_patient(axes):
    """The heart's stack with its array axes along directions in the patient (RAS+)."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(axes, float).T * (PIXEL, PIXEL, APART)
    affine[:3, 3] = (10.0, 20.0, 30.0)
    return Geometry(GRID.shape, affine)


# Columns to the patient's left and rows to the foot, as seen from the apex; slices to the apex.
COLUMNS, ROWS = np.array([-0.7, -0.7, 0.0]), np.array([0.41, -0.41, -0.82])
TO_APEX = np.cross(ROWS, COLUMNS)


def test_a_known_pose_shows_a_mirrored_file_and_a_turned_one():
    right = in_patient((COLUMNS, ROWS, TO_APEX))
    assert rules(heart(), right) == {}
    mirrored = in_patient([axis * (-1, 1, 1) for axis in (COLUMNS, ROWS, TO_APEX)])
    assert "mirrored" in rules(heart(), mirrored)
    turned = in_patient((COLUMNS, -ROWS, -TO_APEX))
    assert "mirrored" not in rules(heart(), turned)
    assert "orientation" in rules(heart(), turned)


def test_a_stack_along_the_heart_is_told_by_its_pose():
    along = in_patient((TO_APEX, ROWS, COLUMNS))
    assert "long_axis" in rules(np.zeros(GRID.shape, np.uint8), along)


def test_other_schemes_are_judged_by_the_rules_that_fit_them():
    cube = np.zeros((60, 60, 60), np.uint8)
    cube[10:50, 10:50, 10:50] = 1
    cube[20:40, 20:40, 20:40] = 2
    grid = Geometry(cube.shape, np.eye(4))
    labels = LabelMap(cube, grid, MYOCARDIUM_BLOOD)
    assert list(rule_reasons(image(grid), labels, np.count_nonzero(cube))) == []
    nothing = LabelMap(np.zeros_like(cube), grid, MYOCARDIUM_BLOOD)
    assert [r.rule for r in rule_reasons(image(grid), nothing, 0)] == ["no_heart"]


@dataclass
class Painter:
    """An engine that always sees the heart, where it is in the picture it was given."""

    name: str = "painter"
    asked: list[tuple[int, ...]] = field(default_factory=list)
    nothing: bool = False

    def __call__(self, slices):
        self.asked.append(slices.shape)
        value = np.rint(slices[:, 0] * 3).astype(int)
        if self.nothing:
            value = np.zeros_like(value)
        scores = np.full((len(slices), 4, *slices.shape[2:]), 0.02, np.float32)
        np.put_along_axis(scores, value[:, None], 0.94, axis=1)
        return scores


LINES = {
    name: Line(intercept=0.0, weights=dict.fromkeys(FEATURES, 0.5), error=0.05)
    for name in ("RV cavity", "myocardium", "LV cavity")
}


def picture():
    texture = 0.2 * ((X + Y) % 2)[..., None]
    return Volume((heart() + texture).astype(np.float32), GRID)


def model_in(folder, lines=None):
    files = {} if lines is None else {QUALITY: calibration(lines).to_json().encode()}
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return Model("test", folder, PLAN, "0123")


def calibration(lines):
    return Calibration(network="0123", data="none", structures=lines)


def test_a_model_without_calibration_is_judged_by_rules_in_one_pass(tmp_path):
    engine = Painter()
    _, quality = predict_assessed(Predictor(model_in(tmp_path), engine, locate=False), picture())
    assert quality.verdict is Verdict.ACCEPT
    assert quality.predicted_dice == {}
    assert [shape[0] for shape in engine.asked] == [8, 4]


def test_mirrored_passes_read_only_the_heart(tmp_path):
    engine = Painter()
    _, quality = predict_assessed(
        Predictor(model_in(tmp_path, LINES), engine, locate=False), picture()
    )
    assert quality.verdict is Verdict.ACCEPT
    assert min(quality.predicted_dice.values()) > 0.9
    first, extra = engine.asked[:2], engine.asked[2:]
    assert [shape[0] for shape in extra] == [8, 2] * 3
    assert sum(map(np.prod, extra)) < 1.5 * sum(map(np.prod, first))


def test_a_feature_without_weight_need_not_be_known():
    line = Line(intercept=0.0, weights={"overlap": 1.0, "mirrors": 0.0}, error=0.1)
    calibration = Calibration(network="n", data="d", structures={"LV cavity": line})
    assert not calibration.needs_mirrors
    assert calibration.expected({"LV cavity": {"overlap": 0.5}}) == {"LV cavity": 0.5}


def test_without_weight_on_mirrors_the_network_is_not_asked_again(tmp_path):
    lines = {name: Line(intercept=0.0, weights={"overlap": 1.0}, error=0.05) for name in LINES}
    engine = Painter()
    predict_assessed(Predictor(model_in(tmp_path, lines), engine, locate=False), picture())
    assert len(engine.asked) == 2


def test_the_verdict_does_not_depend_on_whether_scores_are_held(tmp_path, monkeypatch):
    values = picture().array.copy()
    values[disc(135, 30, 20), 1:-1] += 3
    volume = Volume(values, GRID)
    predictor = Predictor(model_in(tmp_path), Painter(), largest_component=True)
    judged = []
    for limit in (judging.LARGEST_SCORES_BYTES, 1):
        monkeypatch.setattr(judging, "LARGEST_SCORES_BYTES", limit)
        answer, evidence = judging.predict_with_evidence(predictor, volume)
        assert (evidence is None) == (limit == 1)
        judged.append(judging.quality_of(predictor, volume, answer, evidence))
    assert "fragments" in {reason.rule for reason in judged[0].reasons}
    assert judged[0] == judged[1]


def test_no_heart_is_rejected_and_nothing_is_expected_of_it(tmp_path):
    predictor = Predictor(model_in(tmp_path, LINES), Painter(nothing=True))
    prediction, quality = predict_assessed(predictor, picture())
    assert not prediction.labels.array.any()
    assert quality.verdict is Verdict.REJECT
    require_spanish(quality.reasons)
    assert {"no_heart", "low_expected_dice"} <= {reason.rule for reason in quality.reasons}
    assert set(quality.predicted_dice.values()) == {0.0}


def test_labels_without_scores_are_judged_by_rules():
    assert assess_by_rules(image(), LabelMap(heart(), GRID, ACDC)).verdict is Verdict.ACCEPT
    quality = assess_by_rules(image(), LabelMap(opened(), GRID, ACDC))
    assert quality.verdict is Verdict.REJECT
    assert quality.predicted_dice == {}


def test_unsure_scores_lower_the_expected_dice(tmp_path):
    predictor = Predictor(model_in(tmp_path, LINES), Painter())
    prediction, scores = predictor.predict_with_scores(picture())
    sure = assess(predictor, picture(), prediction.labels, scores).predicted_dice
    blurred = 0.5 * scores + 0.5 * 0.25
    unsure = assess(predictor, picture(), prediction.labels, blurred).predicted_dice
    assert all(unsure[name] < sure[name] for name in sure)


def test_score_features_of_a_perfect_and_of_a_cleaned_answer():
    array = heart()
    island = array.copy()
    island[10:20, 10:20, 2:6] = 3
    scores = np.stack([(island == v).astype(np.float32) for v in range(4)])
    perfect = score_features(scores, LabelMap(island, GRID, ACDC))
    assert all(value == 1 for each in perfect.values() for value in each.values())
    cleaned = score_features(scores, LabelMap(array, GRID, ACDC))
    heart_voxels, all_voxels = np.count_nonzero(array), np.count_nonzero(island)
    for each in cleaned.values():
        assert each == {"overlap": 1, "whole": heart_voxels / all_voxels}
    half = score_features(0.5 * scores, LabelMap(array, GRID, ACDC))
    assert half["LV cavity"]["overlap"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", FEATURES)
def test_the_expected_dice_never_falls_with_a_feature(name):
    rng = np.random.default_rng(1)
    samples = [dict(zip(FEATURES, rng.uniform(0, 1, 3), strict=True)) for _ in range(60)]
    # A Dice that falls with the feature: the fit must not follow it.
    line = fitted_line(samples, [1 - each[name] for each in samples])
    told = [line.expected(dict.fromkeys(FEATURES, 0.5) | {name: x}) for x in (0, 0.3, 0.9, 1)]
    assert told == sorted(told)
    assert all(0 <= value <= 1 for value in told)


def test_a_fit_finds_the_line_that_made_the_data():
    rng = np.random.default_rng(2)
    truth = Line(intercept=-0.5, weights={"overlap": 0.8, "whole": 0, "mirrors": 0.4}, error=0)
    samples = [dict(zip(FEATURES, rng.uniform(0, 1, 3), strict=True)) for _ in range(200)]
    line = fitted_line(samples, [truth.expected(each) for each in samples])
    errors = [abs(line.expected(each) - truth.expected(each)) for each in samples]
    assert max(errors) < 0.03


def changed(**change):
    return json.dumps(json.loads(calibration(LINES).to_json()) | change)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not a valid calibration"),
        (changed(format_version=2), "format_version"),
        (changed(surprise=1), "surprise"),
        (
            changed(structures={"LV": {"intercept": 0, "weights": {"whole": -1}, "error": 0}}),
            "whole",
        ),
        (changed(structures={"LV": {"intercept": 0, "weights": {"x": 1}, "error": 0}}), "x"),
    ],
)
def test_a_malformed_calibration_is_refused(text, told):
    with pytest.raises(ModelError, match=told):
        read_calibration(text)


def test_a_calibration_survives_its_file():
    assert read_calibration(calibration(LINES).to_json()) == calibration(LINES)


def test_the_calibration_is_covered_by_the_checksums_and_changes_no_id(tmp_path):
    before = write_model(tmp_path / "model", PLAN, {NETWORK: b"weights"})
    assert calibration_of(before) is None
    folder, text = before.folder, calibration(LINES).to_json().encode()
    contents = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix}
    (folder / QUALITY).write_bytes(text)
    with pytest.raises(ModelError, match=r"does not list quality\.json"):
        open_model(folder)
    write_folder(folder, {**contents, QUALITY: text})
    after = open_model(folder)
    assert after.id == before.id
    assert calibration_of(after) == calibration(LINES)
    Path(folder / QUALITY).write_bytes(text.replace(b"0.5", b"0.6"))
    with pytest.raises(ModelError, match="changed since"):
        open_model(folder)


def test_the_shipped_short_axis_model_has_a_calibration_of_its_structures():
    models = Path(__file__).resolve().parents[2] / "models" / "acdc" / "src"
    model = open_model(models / "cardioseg_models_acdc" / "sax")
    found = calibration_of(model)
    assert found is not None
    assert set(found.structures) == {each.name for each in model.plan.label_scheme.structures}
    assert all(line.error < 0.1 for line in found.structures.values())


@pytest.mark.parametrize(
    "options", [{"mirrors": True}, {"largest_component": False}, {"plane": "axial"}]
)
def test_errors_are_told_only_of_answers_as_they_were_measured(options):
    models = Path(__file__).resolve().parents[2] / "models" / "acdc" / "src"
    sax = open_model(models / "cardioseg_models_acdc" / "sax")
    systole = picture().array.copy()
    systole[(heart() == 3) & ~disc(80, 80, 8)[..., None]] -= 1
    opened = Opened(Scan((picture(), Volume(systole, GRID)), (0.0, 400.0)), None, "")
    planned = Predictor(sax, Painter(), plane="native", largest_component=True, locate=False)
    other = replace(planned, **options)
    assert (planned.is_as_planned, other.is_as_planned) == (True, False)
    told = [
        segment(each, "cine", opened, Wanted(), lambda done, total: None)
        for each in (planned, other)
    ]
    intervals = [[m for m in result.measurements if m.low is not None] for result in told]
    assert intervals[0]
    assert not intervals[1]
    assert told[0].quality.predicted_dice
    assert not told[1].quality.predicted_dice
    note = "no expected Dice and no 95 % intervals: measured with the plane and the pieces"
    assert not why_unmeasured(planned)
    assert why_unmeasured(other).startswith(note)
    assert why_unmeasured(other) in told[1].function.notes
    unknown = Predictor(replace(sax, id="another", folder=models), Painter(), **options)
    assert not why_unmeasured(unknown), "nothing is left out that is not known"


def test_the_worst_reason_comes_first_and_decides():
    mild, severe = Reason(Verdict.REVIEW, "a", ""), Reason(Verdict.REJECT, "b", "")
    quality = judge([mild, severe, mild], {"LV cavity": 0.95})
    assert quality.verdict is Verdict.REJECT
    assert [reason.rule for reason in quality.reasons] == ["b", "a"]


def test_a_low_expected_dice_is_told_by_structure():
    (reason,) = judge([], {"LV cavity": 0.95, "RV cavity": 0.71}).reasons
    assert reason.rule == "low_expected_dice"
    assert reason.verdict is Verdict.REVIEW
    assert "RV cavity 0.71" in reason.words
    assert judge([], {"LV cavity": 0.4, "RV cavity": 0.5}).verdict is Verdict.REJECT


def test_a_cine_is_judged_without_segmenting_a_frame_twice(tmp_path):
    systole = picture().array.copy()
    systole[(heart() == 3) & ~disc(80, 80, 8)[..., None]] -= 1
    frames = (picture(), Volume(systole, GRID), picture())
    engine = Painter()
    predictor = Predictor(model_in(tmp_path), engine, locate=False)
    opened = Opened(Scan(frames, (0.0, 300.0, 600.0)), None, "")
    result = segment(predictor, "cine", opened, Wanted(), lambda done, total: None)
    assert len(engine.asked) == 2 * len(frames)
    phases = result.function.ed, result.function.es
    assert phases[0] != phases[1]
    named = {index: predict_assessed(predictor, frames[index])[1] for index in phases}
    assert result.quality == cine_quality(named)
