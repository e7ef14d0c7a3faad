"""Label schemes: numbers as the project defines them, translated and merged by table."""

from __future__ import annotations

import numpy as np
import pytest

from cardioseg.core.labels import (
    ACDC,
    HVSMR2,
    MYOCARDIUM_BLOOD,
    SCHEMES,
    LabelScheme,
    Structure,
    scheme_named,
)
from cardioseg.errors import LabelError

CODE = ("SCT", "80891009", "Heart")


def numbers(scheme: LabelScheme) -> dict[str, int]:
    return {structure.name: structure.value for structure in scheme.structures}


def test_the_numbers_of_each_scheme() -> None:
    assert numbers(MYOCARDIUM_BLOOD) == {"myocardium": 1, "blood pool": 2}
    assert numbers(ACDC) == {"RV cavity": 1, "myocardium": 2, "LV cavity": 3}
    names = ["LV", "RV", "LA", "RA", "aorta", "pulmonary artery", "SVC", "IVC"]
    assert numbers(HVSMR2) == {name: n for n, name in enumerate(names, 1)}


def test_colours_and_codes_tell_structures_apart() -> None:
    for scheme in SCHEMES:
        assert len({s.color for s in scheme.structures}) == len(scheme.structures)
        assert len({s.code for s in scheme.structures}) == len(scheme.structures)
        uncoded = {s.name for s in scheme.structures if s.code[0] != "SCT"}
        assert uncoded <= {"no-reflow", "foreground"}


def test_schemes_by_name() -> None:
    assert [scheme_named(scheme.name) for scheme in SCHEMES] == list(SCHEMES)
    with pytest.raises(LabelError, match="unknown label scheme 'liver'; known: myocardium_blood"):
        scheme_named("liver")


@pytest.mark.parametrize("value", [0, -1, 256])
def test_a_structure_has_a_value_of_one_byte(value: int) -> None:
    with pytest.raises(LabelError, match=f"structure heart: value {value} is not 1 to 255"):
        Structure("heart", value, "#000000", CODE)


def test_values_run_without_gap_or_repetition() -> None:
    def structure(value: int) -> Structure:
        return Structure(f"s{value}", value, "#000000", CODE)

    with pytest.raises(LabelError, match="two structures share a value"):
        LabelScheme("x", (structure(1), structure(1)))
    with pytest.raises(LabelError, match="without a gap"):
        LabelScheme("x", (structure(1), structure(3)))
    with pytest.raises(LabelError, match="scheme x has no structure 's2'; it has: s1"):
        LabelScheme("x", (structure(1),), apart=("s2",))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_source_numbers_are_translated_in_any_type(dtype: type) -> None:
    array = np.array([[0, 1], [2, 3]], dtype)
    answer = ACDC.from_source(array, {1: 3, 2: 2, 3: 1}, "case")
    assert answer.dtype == np.uint8
    assert answer.tolist() == [[0, 3], [2, 1]]


def test_a_source_number_without_meaning_is_refused() -> None:
    with pytest.raises(
        LabelError, match="case_7: label value 421 is unknown; expected one of 0, 4"
    ):
        ACDC.from_source(np.array([0, 420, 421]), {420: 1}, "case_7")


def test_a_source_background_may_have_another_number() -> None:
    assert ACDC.from_source(np.array([0, 9]), {0: 1, 9: 0}, "case").tolist() == [1, 0]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_a_merge_keeps_the_meaning_of_what_both_schemes_name(scheme: LabelScheme) -> None:
    """LV cavity stays LV cavity, wall stays wall, and what only one scheme has is told here."""
    wall = {"myocardium", "infarct", "no-reflow", "oedema", "scar"}
    for name in scheme.merges:
        target = scheme_named(name)
        table = scheme.merge_table(target)
        for structure in scheme.structures:
            found = [s.name for s in target.structures if s.value == table[structure.value]]
            if structure.name in wall:
                assert found == ["myocardium"]
            elif found:
                assert found in (["blood pool"], [structure.name])
            else:
                assert (structure.name, name) in {
                    ("RV cavity", "left_ventricle"),
                    ("LA", "left_ventricle"),
                }


def test_merge_tables() -> None:
    assert ACDC.merge_table(MYOCARDIUM_BLOOD).tolist() == [0, 2, 1, 2]
    assert HVSMR2.merge_table(MYOCARDIUM_BLOOD).tolist() == [0] + [2] * 8
    assert ACDC.merge_table(ACDC).tolist() == [0, 1, 2, 3]
    with pytest.raises(LabelError, match="possible: myocardium_blood"):
        MYOCARDIUM_BLOOD.merge_table(ACDC)
