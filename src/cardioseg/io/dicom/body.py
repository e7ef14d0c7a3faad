"""What the header tells of the body: height, weight, sex and age, and nothing else."""

from __future__ import annotations

import re

from pydicom import Dataset

from cardioseg.core.scan import Body
from cardioseg.io.dicom.header import number, text

_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_HEIGHTS_M = (0.2, 2.6)
_WEIGHTS_KG = (0.3, 400.0)


def body_of(dataset: Dataset) -> tuple[Body, tuple[str, ...]]:
    """Height, weight, sex and age, and what was left out because it cannot be true.

    Parameters
    ----------
    dataset
        Header of any image of the series.
    """
    height, weight = number(dataset, "PatientSize"), number(dataset, "PatientWeight")
    notes = []
    if height and not _HEIGHTS_M[0] <= height <= _HEIGHTS_M[1]:
        notes.append(
            "the height (PatientSize) cannot be in metres, as DICOM wants it: it was left out, so "
            "volumes are not indexed"
        )
        height = None
    if weight and not _WEIGHTS_KG[0] <= weight <= _WEIGHTS_KG[1]:
        notes.append("the weight (PatientWeight) cannot be in kg: it was left out")
        weight = None
    sex = text(dataset, "PatientSex").upper()
    body = Body(
        height_m=height or None,
        weight_kg=weight or None,
        sex=sex if sex in ("F", "M") else "",
        age_years=_age(text(dataset, "PatientAge")),
    )
    return body, tuple(notes)


def _age(words: str) -> float | None:
    """Age in years of DICOM's `032Y`, `006M`, `010W` or `005D`; None for anything else."""
    match = re.fullmatch(r"(\d{1,3})([YMWD])", words)
    years = round(int(match[1]) * _YEARS[match[2]], 2) if match else 0.0
    # Scanners write 000Y where nobody told the age.
    return years or None
