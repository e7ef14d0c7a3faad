"""What heart function says where a volume, a phase or a rate cannot be told from the labels."""

from __future__ import annotations

import numpy as np
import pytest
from tests.label_blocks import block
from tests.short_axis_heart import round_heart

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import (
    ACDC,
    CAMUS,
    EMIDEC,
    MMWHS,
    MYOCARDIUM_BLOOD,
    MYOPS,
    LabelScheme,
)
from cardioseg.core.measurement import Measurement
from cardioseg.core.scan import Body
from cardioseg.core.volume import LabelMap
from cardioseg.errors import FormatError
from cardioseg.evaluation.cycle import find_phases, peak_rates
from cardioseg.evaluation.figures import png_bytes
from cardioseg.evaluation.function import FunctionOptions, HeartFunction, heart_function
from cardioseg.evaluation.function_charts import volume_curves
from cardioseg.evaluation.function_record import (
    function_csv,
    function_record,
    groups_markdown,
    shown_rows,
)
from cardioseg.evaluation.measured_errors import MeasuredError, MeasuredErrors
from cardioseg.evaluation.volumetry import ONE_SLICE, for_volumes, wall_structures
from cardioseg.evaluation.wall import wall_thickness

PICTURE = Geometry((20, 20, 1), np.diag([1.5, 1.5, 1.0, 1.0]))
TIMED = FunctionOptions(heart_rate_bpm=60.0)
LEFT, RIGHT = "LV cavity", "RV cavity"


def cine(left: list[int], right: list[int] | None = None) -> list[LabelMap]:
    rights = right or left
    return [
        block(LV_cavity=one, myocardium=50, RV_cavity=other)
        for one, other in zip(left, rights, strict=True)
    ]


def of(function: HeartFunction, quantity: str, structure: str, phase: str = "") -> Measurement:
    found = function.measurement(quantity, structure, phase)
    assert found is not None, quantity
    return found


def names(function: HeartFunction) -> set[tuple[str, str, str]]:
    return {(m.quantity, m.structure, m.phase) for m in function.measurements}


def infarcted(scheme: LabelScheme, part: str) -> LabelMap:
    """A round heart in that scheme, a third of its wall turned into the part."""
    heart = round_heart()
    array = np.zeros_like(heart.array)
    for own in heart.scheme.structures:
        if own.name in {s.name for s in scheme.structures}:
            array[heart.mask(own.name)] = scheme.structure(own.name).value
    columns = np.arange(array.shape[1])[None, :, None]
    array[heart.mask("myocardium") & (columns % 3 == 0)] = scheme.structure(part).value
    return LabelMap(array, heart.geometry, scheme)


@pytest.mark.parametrize(("scheme", "part"), [(MYOPS, "scar"), (EMIDEC, "infarct")])
def test_infarct_and_scar_are_part_of_the_mass(scheme: LabelScheme, part: str) -> None:
    whole = 1.05 * round_heart().volume_ml("myocardium")
    mass = of(heart_function([infarcted(scheme, part)]), "myocardial mass", "myocardium")
    assert mass.value == pytest.approx(whole)
    assert part in mass.note
    two = heart_function([infarcted(scheme, part), block(scheme, infarcted(scheme, part).geometry)])
    assert list(two.volumes_ml) == [s.name for s in scheme.structures]


def test_a_scar_does_not_thin_the_wall() -> None:
    assert wall_thickness(infarcted(MYOPS, "scar")).values_mm == pytest.approx(
        wall_thickness(round_heart()).values_mm
    )


def test_other_schemes_are_measured_as_they_are() -> None:
    assert wall_structures(MYOPS) == ("myocardium", "oedema", "scar")
    for scheme in (ACDC, CAMUS, MMWHS, MYOCARDIUM_BLOOD):
        labels = block(scheme)
        assert for_volumes(labels) is labels
        assert wall_structures(scheme) == ("myocardium",)


def test_one_slice_has_an_area_and_no_volume() -> None:
    beat = [block(CAMUS, PICTURE, LV_cavity=count, myocardium=50, LA=20) for count in (100, 60, 80)]
    for frames in (beat, beat[:1]):
        function = heart_function(frames, (), Body(1.8, 80.0), TIMED)
        assert {m.value for m in function.measurements} == {None}
        fraction = of(function, "ejection fraction", LEFT)
        assert fraction.note == ONE_SLICE
        assert ONE_SLICE in function.notes
        assert function.volumes_ml == {}
        assert function_record(function)["volumes_ml"] == {}
        assert "one slice" in function_csv({"a": function})
        assert shown_rows(function)[0]["value"] == f"undefined: {ONE_SLICE}"
    function = heart_function(beat)
    assert (function.ed, function.es) == (0, 1)


def test_a_frame_without_a_cavity_is_no_end_systole() -> None:
    left, right = [100, 0, 60, 50, 70, 90], [80, 78, 60, 50, 60, 70]
    function = heart_function(cine(left, right))
    assert (function.ed, function.es) == (0, 3)
    assert function.notes[0] == "frame 2 has no cavity and is left out"
    assert of(function, "ejection fraction", RIGHT).value == pytest.approx(37.5)


def test_adjacent_frames_without_a_cavity_are_left_out_of_a_long_cine() -> None:
    cycle = 100 + 50 * np.cos(2 * np.pi * np.arange(20) / 20)
    cycle[1:3] = 0.0
    phases = find_phases(cycle)
    assert (phases.ed, phases.es) == (0, 10)
    assert [note[:7] for note in phases.notes] == ["frame 2", "frame 3"]
    assert find_phases([100.0, 0.0, 100.0]).ed is None
    only_one = find_phases([100.0, 0.0, 0.0])
    assert (only_one.ed, only_one.es) == (0, 1)


def test_frames_without_a_cavity_do_not_make_the_rates() -> None:
    times = 40.0 * np.arange(20)
    cycle = 100 + 50 * np.cos(2 * np.pi * times / 800)
    spoiled = cycle.copy()
    spoiled[4:6] = 0.0
    rates, expected = peak_rates(spoiled, times, 800.0), peak_rates(cycle, times, 800.0)
    assert rates is not None
    assert expected is not None
    assert rates.ejection_ml_per_s == pytest.approx(expected.ejection_ml_per_s)


def test_a_heart_rate_that_the_frames_contradict_does_not_shorten_their_series() -> None:
    counts = [round(60 + 40 * np.cos(2 * np.pi * t / 25)) for t in range(25)]
    frames, times = cine(counts), [40.0 * t for t in range(25)]
    plain = heart_function(frames, times)
    told = heart_function(frames, times, options=FunctionOptions(heart_rate_bpm=75.0))
    for rate in ("peak ejection rate", "peak filling rate"):
        assert of(told, rate, LEFT).value == pytest.approx(of(plain, rate, LEFT).value)
    assert any("75/min" in note and "60/min" in note for note in told.notes)
    stroke = of(told, "stroke volume", LEFT).value
    assert stroke is not None
    assert of(told, "cardiac output", LEFT).value == pytest.approx(stroke * 0.075)
    near = heart_function(frames, times, options=FunctionOptions(heart_rate_bpm=62.0))
    assert not any("/min" in note for note in near.notes)


@pytest.mark.parametrize("smaller", [70, 80])
def test_a_ventricle_no_smaller_at_end_systole_ejects_nothing_that_is_known(smaller: int) -> None:
    function = heart_function(cine([100, 50], [smaller, 80]), options=TIMED)
    assert of(function, "end-diastolic volume", RIGHT, "ED").value == pytest.approx(smaller * 0.04)
    assert of(function, "end-systolic volume", RIGHT, "ES").value == pytest.approx(3.2)
    for quantity in ("stroke volume", "ejection fraction", "cardiac output", "peak ejection rate"):
        found = of(function, quantity, RIGHT)
        assert found.value is None
        assert "look at the contours" in found.note
    assert of(function, "ejection fraction", LEFT).value == pytest.approx(50.0)


def test_an_interval_is_not_cut_past_its_value() -> None:
    error = MeasuredError("stroke volume", RIGHT, "", "ml", 0.0, 1.0, 10)
    wide = MeasuredErrors("test", (error,))
    below = Measurement("stroke volume", RIGHT, -0.5, "ml")
    (found,) = wide.with_intervals([below])
    assert found.low == -0.5
    assert found.high == pytest.approx(error.half_width - 0.5)
    beyond = MeasuredErrors(
        "test", (MeasuredError("stroke volume", RIGHT, "", "ml", 50.0, 1.0, 10),)
    )
    small = Measurement("stroke volume", RIGHT, 3.0, "ml")
    assert beyond.with_intervals([small]) == (small,)


def test_no_row_is_left_out_whatever_is_undefined() -> None:
    body = Body(1.7, 70.0)
    whole = names(heart_function(cine([100, 50]), (), body, TIMED))
    assert ("peak filling rate", LEFT, "") in whole
    assert ("cardiac output index", RIGHT, "") in whole
    for frames, options in (
        (cine([100, 50]), None),
        (cine([100, 0]), TIMED),
        (cine([100, 50], [0, 50]), TIMED),
        (cine([100, 50], [50, 100]), TIMED),
        ([block(), block()], TIMED),
        (cine([100]), TIMED),
    ):
        function = heart_function(frames, (), body, options)
        missing = {each for each in whole - names(function) if "volume, " not in each[0]}
        assert missing == set()
        assert all(m.note for m in function.measurements if m.value is None)


def test_a_volume_that_is_gone_in_both_phases_is_undefined_and_not_0() -> None:
    function = heart_function(cine([100, 50, 70], [0, 0, 50]))
    for quantity, phase in (("end-diastolic volume", "ED"), ("end-systolic volume", "ES")):
        found = of(function, quantity, RIGHT, phase)
        assert found.value is None
        assert f"no {RIGHT}" in found.note


def test_frames_are_told_by_their_own_numbers() -> None:
    options = FunctionOptions(frame_numbers=(1, 3, 5, 7))
    function = heart_function(cine([100, 0, 60, 90]), options=options)
    assert (function.number(function.ed), function.number(function.es)) == (1, 5)
    assert function.notes[0].startswith("frame 3 has no cavity")
    record = function_record(function)
    assert (record["frames"], record["ed"], record["es"]) == ([1, 3, 5, 7], 1, 5)
    (axes,) = volume_curves(function).axes
    assert "ES, frame 5" in {text.get_text() for text in axes.texts}
    assert list(axes.lines[0].get_xdata()) == [1, 3, 5, 7]
    assert png_bytes(volume_curves(function), dpi=40)[1:4] == b"PNG"
    with pytest.raises(FormatError, match="4 frame numbers for 2"):
        heart_function(cine([9, 5]), options=options)


def test_a_group_s_mean_says_of_how_many_it_is() -> None:
    functions = {
        "a": heart_function(cine([100, 50])),
        "b": heart_function(cine([80, 40])),
        "c": heart_function(cine([90, 0])),
    }
    table = groups_markdown(functions, dict.fromkeys(functions, "DCM"))
    lines = {line.split(" | ")[0]: line for line in table.splitlines() if LEFT in line}
    assert "DCM (3)" in table
    assert lines["| ejection fraction"].endswith("| 50 \u00b1 0 (2) |")
    assert "(" not in lines["| end-diastolic volume"]
