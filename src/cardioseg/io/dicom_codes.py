"""Coded concepts: what a structure, a quantity and a unit are called in DICOM objects."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cardioseg.core.labels import PRIVATE_SCHEME, SCHEMES, Code, Structure
from cardioseg.core.measurement import Measurement

ANATOMICAL_STRUCTURE: Code = ("SCT", "123037004", "Anatomical Structure")
ALTERED_STRUCTURE: Code = ("SCT", "49755003", "Morphologically Abnormal Structure")
BODY_SUBSTANCE: Code = ("SCT", "91720002", "Body Substance")
HEART: Code = ("SCT", "80891009", "Heart")
BLOOD: Code = ("SCT", "87612001", "Blood")
CARDIAC_MRI: Code = ("SCT", "241620005", "Magnetic resonance imaging of heart")

_LESIONS = ("55641003", "79654002", "NO_REFLOW")
"""Infarct or scar, oedema, no-reflow: not anatomy, but what became of it."""

_CODE_LENGTH = 16
"""Letters in a code value (VR SH)."""

_VOLUME: Code = ("SCT", "118565006", "Volume")
_MASS: Code = ("SCT", "118538004", "Mass")
_LV, _RV = "87878005", "53085002"
_MYOCARDIUM = "74281007"

# CID 3833 and 3835 (cardiac ejection fractions and volumes) by the ventricle's SNOMED code; the
# names are those of the DICOM standard, part 16.
_BY_STRUCTURE: dict[tuple[str, str], Code] = {
    ("end-diastolic volume", _LV): ("LN", "8821-1", "Left Ventricular ED Volume"),
    ("end-systolic volume", _LV): ("LN", "8823-7", "Left Ventricular ES Volume"),
    ("end-diastolic volume", _RV): ("LN", "8822-9", "Right Ventricular ED Volume"),
    ("end-systolic volume", _RV): ("LN", "8824-5", "Right Ventricular ES Volume"),
    ("ejection fraction", _LV): ("LN", "8811-2", "Left ventricular ejection fraction by MR"),
    ("ejection fraction", _RV): ("LN", "8818-7", "Right ventricular ejection fraction by MR"),
    ("stroke volume", _RV): ("SCT", "429483009", "RV Stroke Volume"),
    ("cardiac output", _RV): ("SCT", "428628004", "RV Cardiac Output"),
    ("cardiac index", _RV): ("SCT", "427990004", "RV Cardiac Index"),
    ("stroke volume index", _RV): ("SCT", "429619008", "RV Stroke Index"),
}
_ANYWHERE: dict[str, Code] = {
    "volume": _VOLUME,
    "mass": _MASS,
    "stroke volume": ("SCT", "90096001", "Stroke Volume"),
    "stroke volume index": ("SCT", "277381004", "Stroke Index"),
    "ejection fraction": ("SCT", "70822001", "Cardiac ejection fraction"),
    "cardiac output": ("SCT", "82799009", "Cardiac Output"),
    "cardiac index": ("SCT", "54993008", "Cardiac Index"),
    "heart rate": ("LN", "8867-4", "Heart rate"),
    "wall thickness": ("DCM", "122445", "Wall Thickness"),
}
# Other words for the same quantity.
_SAME = {
    "myocardial mass": "mass",
    "indexed stroke volume": "stroke volume index",
    "stroke index": "stroke volume index",
    "indexed cardiac output": "cardiac index",
    "cardiac output index": "cardiac index",
}
# CID 3717, by the AHA's number of the segment.
_AHA: dict[int, Code] = {
    1: ("SCT", "264850008", "left ventricle basal anterior segment"),
    2: ("SCT", "396482007", "left ventricle basal anteroseptal segment"),
    3: ("SCT", "396646008", "left ventricle basal inferoseptal segment"),
    4: ("SCT", "264846001", "left ventricle basal inferior segment"),
    5: ("SCT", "396652009", "left ventricle basal inferolateral segment"),
    6: ("SCT", "396654005", "left ventricle basal anterolateral segment"),
    7: ("SCT", "264848000", "left ventricle mid anterior segment"),
    8: ("SCT", "396647004", "left ventricle mid anteroseptal segment"),
    9: ("SCT", "396649001", "left ventricle mid inferoseptal segment"),
    10: ("SCT", "264847005", "left ventricle mid inferior segment"),
    11: ("SCT", "396655006", "left ventricle mid inferolateral segment"),
    12: ("SCT", "396656007", "left ventricle mid anterolateral segment"),
    13: ("SCT", "264844003", "left ventricle apical anterior segment"),
    14: ("SCT", "264845002", "left ventricle apical septal segment"),
    15: ("SCT", "264849008", "left ventricle apical inferior segment"),
    16: ("SCT", "264853005", "left ventricle apical lateral segment"),
    17: ("SCT", "128564006", "Apex of left ventricle"),
}
_AHA_NUMBER = re.compile(r"\(AHA (\d+)\)")
_PHASES: dict[str, Code] = {
    "ED": ("SCT", "416190007", "End diastole"),
    "ES": ("SCT", "416430001", "End Systole"),
}
_UNITS = {
    "%": "percent",
    "ml": "milliliter",
    "g": "gram",
    "mm": "millimeter",
    "ms": "millisecond",
    "ml/s": "milliliter per second",
    "l/min": "liter per minute",
    "/min": "per minute",
    "ml/m2": "milliliter per square meter",
    "g/m2": "gram per square meter",
    "l/min/m2": "liter per minute and square meter",
    "1": "no units",
}


@dataclass(frozen=True)
class SegmentCodes:
    """What a segment is: category, type, and where in the body if the type does not say it."""

    category: Code
    type: Code
    region: Code | None = None


def segment_codes(structure: Structure) -> SegmentCodes:
    """Codes of a structure as a segment.

    A blood pool is no anatomical structure of its own in SNOMED CT: it is coded as the body
    substance blood within the heart, as DICOM's CID 7150 and 7151 provide. Infarct, scar and oedema
    are abnormal structures of the myocardium.

    Examples
    --------
    >>> from cardioseg.core.labels import MYOCARDIUM_BLOOD
    >>> codes = segment_codes(MYOCARDIUM_BLOOD.structure("blood pool"))
    >>> codes.category[2], codes.type[2], codes.region[2]
    ('Body Substance', 'Blood', 'Heart')
    """
    if structure.code == BLOOD:
        return SegmentCodes(BODY_SUBSTANCE, BLOOD, HEART)
    if structure.code[1] in _LESIONS:
        return SegmentCodes(ALTERED_STRUCTURE, structure.code, ("SCT", _MYOCARDIUM, "Myocardium"))
    return SegmentCodes(ANATOMICAL_STRUCTURE, structure.code)


def site_code(name: str) -> Code:
    """Code of the structure that a measurement names; a private one if no scheme has the name.

    Examples
    --------
    >>> site_code("LV cavity")
    ('SCT', '87878005', 'Left ventricle')
    >>> site_code("myocardium, mid inferior (AHA 10)")[1]
    '264847005'
    """
    segment = _AHA_NUMBER.search(name)
    if segment and int(segment[1]) in _AHA:
        return _AHA[int(segment[1])]
    for scheme in SCHEMES:
        for structure in scheme.structures:
            if structure.name == name:
                return HEART if structure.code == BLOOD else structure.code
    return private_code(name)


def quantity_code(measurement: Measurement) -> Code:
    """Code of what was measured: for a ventricle its own where there is one, else the general.

    Examples
    --------
    >>> quantity_code(Measurement("ejection fraction", "LV cavity", 61.0, "%"))
    ('LN', '8811-2', 'Left ventricular ejection fraction by MR')
    >>> quantity_code(Measurement("volume", "blood pool", 180.0, "ml"))
    ('SCT', '118565006', 'Volume')
    """
    quantity = measurement.quantity.lower()
    quantity = _SAME.get(quantity, quantity)
    if quantity == "volume" and measurement.phase in _PHASES:
        quantity = {"ED": "end-diastolic volume", "ES": "end-systolic volume"}[measurement.phase]
    structure = site_code(measurement.structure)[1]
    if quantity.endswith(("-diastolic volume", "-systolic volume")):
        # Muscle has a volume at end-diastole too; the codes of CID 3835 are of the cavities.
        return _BY_STRUCTURE.get((quantity, structure), _VOLUME)
    known = _BY_STRUCTURE.get((quantity, structure)) or _ANYWHERE.get(quantity)
    return known or private_code(measurement.quantity)


def phase_code(phase: str) -> Code | None:
    """Code of `ED` or `ES`; None for anything else."""
    return _PHASES.get(phase)


def unit_code(unit: str) -> Code:
    """UCUM code of a unit.

    Examples
    --------
    >>> unit_code("ml/m2")
    ('UCUM', 'ml/m2', 'milliliter per square meter')
    """
    return ("UCUM", unit, _UNITS.get(unit, unit))


def private_code(words: str) -> Code:
    """A concept of our own for which no standard has a code.

    Examples
    --------
    >>> private_code("torsion"), private_code("peak filling rate")[1]
    (('99CARDIOSEG', 'TORSION', 'torsion'), 'PEAK_FILL_D20D08')
    """
    value = re.sub(r"\W+", "_", words.strip()).upper()
    if len(value) > _CODE_LENGTH:
        # A long code value would do, but common readers don't know that element.
        digest = hashlib.sha256(words.encode()).hexdigest()[:6].upper()
        value = f"{value[: _CODE_LENGTH - 7]}_{digest}"
    return (PRIVATE_SCHEME, value, words)
