"""Heart function: what is undefined says why, and every wrong input is refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.label_blocks import block
from tests.short_axis_heart import round_heart, thin_in_front, without_pose

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, HVSMR2, MYOCARDIUM_BLOOD
from cardioseg.core.measurement import Measurement
from cardioseg.core.scan import Body, Scan
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import FormatError, GeometryError, LabelError
from cardioseg.evaluation.body_size import RANGES, body_surface_m2, compare_with_healthy
from cardioseg.evaluation.cycle import beat_ms, find_phases, jumping_frames, peak_rates
from cardioseg.evaluation.figures import png_bytes
from cardioseg.evaluation.function import FunctionOptions, HeartFunction, heart_function
from cardioseg.evaluation.function_agreement import (
    FunctionPair,
    agreement_markdown,
    function_agreement,
    measured_errors,
)
from cardioseg.evaluation.function_charts import bland_altman_figure, bulls_eye, volume_curves
from cardioseg.evaluation.function_record import function_csv, function_record, shown_rows
from cardioseg.evaluation.insertion import NO_ORIENTATION
from cardioseg.evaluation.measured_errors import MeasuredError, MeasuredErrors
from cardioseg.evaluation.wall import wall_thickness
from cardioseg.inference.predictor import Provenance
from cardioseg.service.corrections import Desk
from cardioseg.service.jobs import Job, Summary
from cardioseg.service.uploads import Upload
from cardioseg.workflows.known_errors import SAX_IDS, errors_of_model
from cardioseg.workflows.segment import function_of

VOXEL_ML = 0.04


def cine(volumes: list[int]) -> list[LabelMap]:
    return [block(LV_cavity=count, myocardium=50, RV_cavity=count) for count in volumes]


def of(function: HeartFunction, quantity: str, structure: str, phase: str = "") -> Measurement:
    found = function.measurement(quantity, structure, phase)
    assert found is not None, quantity
    return found


def test_two_frames_are_the_larger_and_the_smaller_in_any_order() -> None:
    function = heart_function(cine([40, 100]))
    assert (function.ed, function.es) == (1, 0)
    assert of(function, "stroke volume", "LV cavity").value == pytest.approx(60 * VOXEL_ML)
    assert of(function, "ejection fraction", "LV cavity").value == pytest.approx(60.0)
    assert of(function, "myocardial mass", "myocardium", "ED").value == pytest.approx(1.05 * 2.0)


def test_phases_that_are_known_are_taken() -> None:
    function = heart_function(cine([100, 90, 40]), options=FunctionOptions(phases=(1, 2)))
    assert (function.ed, function.es) == (1, 2)


def test_the_right_ventricle_is_read_in_the_left_one_s_phases() -> None:
    frames = [block(LV_cavity=100, RV_cavity=90), block(LV_cavity=40, RV_cavity=50)]
    frames.append(block(LV_cavity=60, RV_cavity=30))
    function = heart_function(frames)
    assert of(function, "end-systolic volume", "RV cavity", "ES").value == pytest.approx(2.0)


def test_one_frame_has_volumes_but_no_function() -> None:
    function = heart_function(cine([100]))
    assert (function.ed, function.es) == (None, None)
    fraction = of(function, "ejection fraction", "LV cavity")
    assert fraction.value is None
    assert "one frame only" in fraction.note
    assert of(function, "volume", "LV cavity").value == pytest.approx(4.0)
    assert of(function, "myocardial mass", "myocardium").value == pytest.approx(2.1)
    assert all(value is None for value in function.wall_ed.values_mm)


def test_without_a_left_ventricle_its_values_are_undefined_and_not_0() -> None:
    frames = [block(RV_cavity=80, myocardium=50), block(RV_cavity=40, myocardium=50)]
    function = heart_function(frames)
    for quantity in ("ejection fraction", "stroke volume"):
        assert of(function, quantity, "LV cavity").value is None
    assert of(function, "ejection fraction", "LV cavity").note == "no LV cavity in any frame"
    assert of(function, "ejection fraction", "RV cavity").value == pytest.approx(50.0)
    assert "phases by the volume of RV cavity" in function.notes


def test_an_empty_cine_is_undefined_throughout() -> None:
    function = heart_function([block(), block()])
    assert {m.value for m in function.measurements} == {None}
    assert all(m.note for m in function.measurements)


def test_a_cavity_missed_at_end_systole_is_no_ejection_of_100_percent() -> None:
    function = heart_function(cine([100, 0]))
    fraction = of(function, "ejection fraction", "LV cavity")
    assert fraction.value is None
    assert "missed" in fraction.note


def test_a_cavity_missing_at_end_diastole_only_is_undefined() -> None:
    frames = [block(LV_cavity=100), block(LV_cavity=50, RV_cavity=30)]
    function = heart_function(frames)
    assert of(function, "ejection fraction", "RV cavity").value is None
    assert of(function, "end-systolic volume", "RV cavity", "ES").value == pytest.approx(1.2)


def test_a_blood_pool_makes_no_claim_about_a_left_ventricle() -> None:
    frames = [block(MYOCARDIUM_BLOOD, blood_pool=n, myocardium=20) for n in (100, 50)]
    function = heart_function(frames)
    fraction = of(function, "ejection fraction", "blood pool")
    assert fraction.value == pytest.approx(50.0)
    assert "not of a ventricle" in fraction.note
    assert not any("LV" in m.structure for m in function.measurements)
    assert "does not part the left ventricle" in function.wall_ed.reasons[0]


def test_a_scheme_without_myocardium_has_no_mass() -> None:
    function = heart_function([block(HVSMR2, LV=n, RV=n) for n in (100, 50)])
    assert of(function, "ejection fraction", "LV").value == pytest.approx(50.0)
    assert function.measurement("myocardial mass", "myocardium", "ED") is None


def test_masses_far_apart_are_told() -> None:
    frames = [block(LV_cavity=100, myocardium=50), block(LV_cavity=50, myocardium=100)]
    assert (
        "keeps its mass" in of(heart_function(frames), "myocardial mass", "myocardium", "ES").note
    )


@pytest.mark.parametrize(
    ("frames", "times", "options", "error", "words"),
    [
        ([], (), None, FormatError, "one frame or more"),
        (cine([9, 5]), (0.0,), None, FormatError, "1 times for 2"),
        ([block(), block(HVSMR2)], (), None, LabelError, "frame 2 uses scheme hvsmr2"),
        (cine([9, 5]), (), FunctionOptions(phases=(0, 2)), FormatError, "phase frame 2"),
        (
            [block(), block(grid=Geometry((10, 10, 6), np.diag([2.0, 2, 9, 1])))],
            (),
            None,
            GeometryError,
            "frame 2 and frame 1",
        ),
    ],
)
def test_what_is_no_cine_is_refused(frames, times, options, error, words) -> None:
    with pytest.raises(error, match=words):
        heart_function(frames, times, options=options)


def test_equal_volumes_and_short_cines_are_told() -> None:
    phases = find_phases([100.0, 100.0, 40.0, 60.0])
    assert (phases.ed, phases.es) == (0, 2)
    assert "frames 1, 2 have one volume" in phases.notes[0]
    assert "short cine of 4 frames" in phases.notes[1]
    assert find_phases([5.0, 5.0]).notes == ("the volume is the same in all frames",)
    assert find_phases([0.0, 0.0]).notes == ("no cavity in any frame",)


def test_a_jump_is_left_out_and_named() -> None:
    cycle = 100 + 50 * np.cos(2 * np.pi * np.arange(20) / 20)
    cycle[3] = 30.0
    phases = find_phases(cycle)
    assert (phases.ed, phases.es) == (0, 10)
    assert phases.notes == ("frame 4 jumps out of the volume curve and is left out",)
    assert jumping_frames(cycle[:13]) == ()


def test_a_jump_does_not_make_the_rates() -> None:
    times = 40.0 * np.arange(20)
    cycle = 100 + 50 * np.cos(2 * np.pi * times / 800)
    spoiled = cycle.copy()
    spoiled[4] = 20.0
    rates, expected = peak_rates(spoiled, times, 800.0), peak_rates(cycle, times, 800.0)
    assert rates is not None
    assert expected is not None
    assert rates.ejection_ml_per_s == pytest.approx(expected.ejection_ml_per_s)
    assert rates.filling_ml_per_s == pytest.approx(expected.filling_ml_per_s)


def test_a_structure_that_is_not_there_has_no_volume_by_region() -> None:
    small = tuple(0.7 * radius for radius in (27, 26, 25, 24, 23, 21, 19, 17, 15))
    function = heart_function([round_heart(right=False), round_heart(small, right=False)])
    assert of(function, "volume, base", "RV cavity", "ED").value is None
    assert "no RV cavity" in of(function, "volume, base", "RV cavity", "ED").note


def test_the_apical_septum_is_centred_on_the_septum() -> None:
    heart = round_heart(right_share=0.5)
    array = heart.array.copy()
    n = array.shape[0]
    x, y = (np.indices((n, n)) - n / 2) * 1.4
    septal = np.abs(np.degrees(np.arctan2(y, x))) < 30
    for k in range(7, 10):
        # 9 mm of muscle but in the middle of the septum, where it is 4 mm.
        wide = np.hypot(x, y) <= {7: 19, 8: 17, 9: 15}[k] + 5
        array[septal & wide, k] = 3
    wall = wall_thickness(LabelMap(array, heart.geometry, ACDC))
    anterior, septum, inferior, lateral = wall.values_mm[12:16]
    assert anterior == pytest.approx(inferior, abs=0.3)
    assert septum < anterior - 1
    assert lateral == pytest.approx(9.0, abs=0.3)


def test_a_beat_needs_growing_times_and_rates_need_frames() -> None:
    assert beat_ms([0.0] * 20) is None
    assert beat_ms([0.0, 40.0]) is None
    assert peak_rates([1.0] * 8, range(8), 8.0) is None
    times = 25.0 * np.arange(32)
    rates = peak_rates(100 + 40 * np.cos(2 * np.pi * times / 800), times, 800.0)
    assert rates is not None
    assert rates.filling_ml_per_s == pytest.approx(2 * np.pi * 40 / 0.8, rel=1e-3)


def test_output_and_rates_of_a_timed_cine() -> None:
    counts = [int(60 + 40 * np.cos(2 * np.pi * t / 20)) for t in range(20)]
    function = heart_function(cine(counts), [40.0 * t for t in range(20)])
    stroke = of(function, "stroke volume", "LV cavity").value
    assert of(function, "cardiac output", "LV cavity").value == pytest.approx(stroke * 75 / 1000)
    assert of(function, "peak ejection rate", "LV cavity").value > 0
    given = heart_function(cine(counts), options=FunctionOptions(heart_rate_bpm=60.0))
    assert of(given, "cardiac output", "LV cavity").value == pytest.approx(stroke * 60 / 1000)
    assert of(heart_function(cine(counts)), "cardiac output", "LV cavity").value is None


def test_body_surface_by_mosteller() -> None:
    assert body_surface_m2(Body(1.6, 64.0))[0] == pytest.approx((160 * 64 / 3600) ** 0.5)
    assert "not both known" in body_surface_m2(Body(1.6))[1]
    assert "give it in metres" in body_surface_m2(Body(175.0, 70.0))[1]
    assert "give it in kilograms" in body_surface_m2(Body(1.75, 70000.0))[1]


def test_values_by_body_surface_carry_their_intervals() -> None:
    error = MeasuredError("end-diastolic volume", "LV cavity", "ED", "ml", 0.0, 0.1, 10)
    options = FunctionOptions(errors=MeasuredErrors("test", (error,)))
    function = heart_function(cine([100, 40]), (), Body(1.8, 80.0), options)
    plain = of(function, "end-diastolic volume", "LV cavity", "ED")
    index = of(function, "end-diastolic volume index", "LV cavity", "ED")
    assert index.unit == "ml/m2"
    for own, divided in (
        (plain.value, index.value),
        (plain.low, index.low),
        (plain.high, index.high),
    ):
        assert divided == pytest.approx(own / 2.0)
    assert function.measurement("ejection fraction index", "LV cavity") is None


def test_healthy_ranges_are_by_sex_and_of_adults() -> None:
    low = Measurement("ejection fraction", "LV cavity", 35.0, "%")
    (found,), why = compare_with_healthy([low], Body(sex="F"))
    assert (found.position, found.certain, why) == ("below", False, "")
    assert found.low == pytest.approx(61 - 1.96 * 5)
    high = Measurement("myocardial mass index", "myocardium", 90.0, "g/m2", 80.0, 100.0, "ED")
    (found,), _ = compare_with_healthy([high], Body(sex="M"))
    assert (found.position, found.certain) == ("above", True)
    within = Measurement("ejection fraction", "LV cavity", 60.0, "%", 45.0, 75.0)
    (found,), _ = compare_with_healthy([within], Body(sex="M"))
    assert (found.position, found.certain) == ("within", False)
    assert compare_with_healthy([low], Body())[0] == ()
    assert "children" in compare_with_healthy([low], Body(sex="F", age_years=9.0))[1]
    assert all("doi:10." in each.source for each in RANGES)
    assert all(f"{each.ages[0]} to {each.ages[1]} years" in each.source for each in RANGES)
    young = compare_with_healthy([low], Body(sex="F", age_years=30.0))[1]
    assert young == "the patient is 30 years old; some ranges are of 45 to 74 years"
    assert compare_with_healthy([low], Body(sex="F", age_years=50.0))[1] == ""


def test_intervals_stay_in_bounds_and_leave_undefined_values_alone() -> None:
    error = MeasuredError("ejection fraction", "LV cavity", "", "%", 0.0, 20.0, 5)
    errors = MeasuredErrors("test", (error,))
    high = Measurement("ejection fraction", "LV cavity", 90.0, "%")
    none = Measurement("ejection fraction", "LV cavity", None, "%", note="no")
    other = Measurement("stroke volume", "LV cavity", 50.0, "ml")
    bounded, untouched, unknown = errors.with_intervals([high, none, other])
    assert bounded.high == 100.0
    assert (untouched, unknown) == (none, other)


def test_measured_errors_go_through_json() -> None:
    error = MeasuredError("ejection fraction", "LV cavity", "", "%", -1.0, 2.5, 10)
    errors = MeasuredErrors("ten patients", (error,))
    assert MeasuredErrors.from_json(errors.to_json()) == errors
    for text in ("{", "{}", '{"format_version": 1, "source": "", "errors": [{"bias": 1}]}'):
        with pytest.raises(FormatError, match="not a document of measured errors"):
            MeasuredErrors.from_json(text)
    with pytest.raises(FormatError, match="format 2"):
        MeasuredErrors.from_json('{"format_version": 2}')
    with pytest.raises(FormatError, match="two patients"):
        MeasuredError("ejection fraction", "LV cavity", "", "%", 0.0, 1.0, 1)


def test_an_interval_of_ten_patients_is_wider_than_the_limits_of_agreement() -> None:
    error = MeasuredError("stroke volume", "LV cavity", "", "ml", 0.0, 1.0, 10)
    assert error.half_width == pytest.approx(2.2622 * 1.1**0.5, rel=1e-4)


def test_the_wall_says_why_it_is_undefined() -> None:
    heart = round_heart()
    assert "no right ventricle" in wall_thickness(round_heart(right=False)).reasons[0]
    assert "in 2 slices" in wall_thickness(round_heart((20, 19))).reasons[0]
    assert "as much cavity" in wall_thickness(round_heart((20, 20, 20, 20))).reasons[0]
    cube = LabelMap(heart.array, Geometry(heart.geometry.shape, np.eye(4)), ACDC)
    assert "no slice axis" in wall_thickness(cube).reasons[0]
    far = heart.array.copy()
    far[far == 1] = 0
    far[-3:, :3] = 1
    apart = LabelMap(far, heart.geometry, ACDC)
    assert "touches" in wall_thickness(apart).reasons[0]


def test_an_unknown_orientation_is_told() -> None:
    assert "insertions only" in wall_thickness(round_heart(), orientation_known=False).notes[0]
    assert wall_thickness(round_heart()).notes == ()


def test_directions_of_a_lost_pose_name_no_segments(tmp_path: Path) -> None:
    posed = [thin_in_front(round_heart((30, 28, 26, 24))), thin_in_front(round_heart((20,) * 4))]
    frames = [without_pose(each) for each in posed]
    images = tuple(Volume(np.zeros(f.array.shape, np.float32), f.geometry) for f in frames)
    right, found = heart_function(posed), function_of(frames, frames, Scan(images), "")
    assert right.wall_ed.values_mm[0] < right.wall_ed.values_mm[3] - 3, "anterior and inferior"
    assert found.wall_ed.values_mm == pytest.approx(right.wall_ed.values_mm, nan_ok=True, abs=0.1)
    assert NO_ORIENTATION in found.notes
    made = Provenance("sax", "", "onnx", "native", False, True, 1.0)
    job = Job("id", tmp_path, Upload("nifti", tmp_path / "upload.nii"), "sax")
    desk = Desk(job, Summary(2, "acdc", made, 1.0), 9)
    assert desk._measured(frames) == found.measurements


def pairs() -> list[FunctionPair]:
    made = []
    for name, predicted, reference in (("a", 100, 90), ("b", 80, 84), ("c", 60, 60)):
        two = [heart_function(cine([n, n // 2])) for n in (predicted, reference)]
        made.append(FunctionPair(name, "NOR", *two))
    return made


def test_agreement_by_hand() -> None:
    found = {(a.quantity, a.structure): a for a in function_agreement(pairs())}
    volume = found["end-diastolic volume", "LV cavity"]
    assert volume.limits.bias == pytest.approx((10 - 4 + 0) / 3 * VOXEL_ML)
    assert volume.mean_absolute_error == pytest.approx(14 / 3 * VOXEL_ML)
    assert volume.correlation == pytest.approx(np.corrcoef([100, 80, 60], [90, 84, 60])[0, 1])
    assert found["myocardial mass", "myocardium"].correlation is None  # no spread
    assert volume.error.sd == pytest.approx(np.std([10, -4, 0], ddof=1) * VOXEL_ML)
    assert "| end-diastolic volume | LV cavity | ml | 3 |" in agreement_markdown(
        list(found.values())
    )


def test_undefined_pairs_are_counted_and_named() -> None:
    missing = FunctionPair(
        "d", "", heart_function([block(), block()]), heart_function(cine([9, 5]))
    )
    found = function_agreement([*pairs(), missing])
    assert {a.undefined for a in found} == {("d",)}
    assert "3 (1 undefined)" in agreement_markdown(found)
    alone = function_agreement([missing])
    assert measured_errors(alone, "none").errors == ()
    assert "0 (1 undefined)" in agreement_markdown(alone)
    with pytest.raises(ValueError, match="no pair"):
        function_agreement([])


def test_records_and_figures() -> None:
    heart = round_heart()
    small = round_heart(tuple(0.8 * r for r in (27, 26, 25, 24, 23, 21, 19, 17, 15)), wall_mm=11.0)
    function = heart_function([heart, small], (), Body(1.7, 70.0, "M", 50.0))
    record = json.loads(json.dumps(function_record(function)))
    assert (record["ed"], record["es"]) == (1, 2)  # counted from 1, as people do
    assert len(record["measurements"]) == len(function.measurements)
    lines = function_csv({"a": function}).splitlines()
    assert lines[0] == "subject,quantity,structure,phase,value,unit,low,high,note"
    assert len(lines) == 1 + len(function.measurements)
    rows = shown_rows(function)
    assert not any(row["quantity"].startswith("wall") for row in rows)
    assert any(row["healthy adults"] for row in rows)
    assert png_bytes(volume_curves(function), dpi=40)[1:4] == b"PNG"
    disc = bulls_eye({"ED": function.wall_ed, "ES": function.wall_es})
    told = {text.get_text() for axes in disc.axes for text in axes.texts}
    assert f"{function.wall_ed.values_mm[0]:.1f}" in told
    assert "-" in told  # no apical cap
    assert png_bytes(disc, dpi=40)[1:4] == b"PNG"
    panels = bland_altman_figure(function_agreement(pairs()))
    assert png_bytes(panels, dpi=40)[1:4] == b"PNG"


def test_errors_that_come_with_the_program_are_those_of_the_results() -> None:
    results = Path(__file__).parents[2] / "docs" / "results" / "function"
    known = errors_of_model(SAX_IDS[1])
    assert known == MeasuredErrors.from_json((results / "errors.json").read_text("utf-8"))
    rows = json.loads((results / "agreement.json").read_text("utf-8"))["agreement"]
    measured = {
        (r["quantity"], r["structure"], r["phase"]): (r["bias"], r["patients"]) for r in rows
    }
    assert known is not None
    assert {
        (e.quantity, e.structure, e.phase): (e.bias, e.patients) for e in known.errors
    } == measured
    assert errors_of_model("another") is None
