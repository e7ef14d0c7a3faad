"""Where one frame lies: direction, position and spacing from its tags, or what is wrong with them.

World coordinates are DICOM's, LPS in mm.
"""

from __future__ import annotations

import numpy as np
from pydicom import Dataset

from cardioseg.core.geometry import Float64Array
from cardioseg.errors import GeometryError
from cardioseg.io.dicom.files import DicomFile
from cardioseg.io.dicom.header import number, numbers

UNIT_TOLERANCE = 1e-2
"""Direction cosines are written with few digits; farther from unit length they are wrong."""


def directions_of(file: DicomFile, tags: Dataset) -> tuple[Float64Array, Float64Array]:
    """Unit vectors (3,) in which the column index and the row index grow.

    Raises
    ------
    GeometryError
        If ImageOrientationPatient is absent or wrong.
    """
    cosines = np.array(numbers(tags, "ImageOrientationPatient"))
    if cosines.shape != (6,):
        raise GeometryError(_absent(file, "ImageOrientationPatient", "how the image is turned"))
    along_row, along_column = cosines[:3], cosines[3:]
    lengths = np.linalg.norm(cosines.reshape(2, 3), axis=1)
    if (np.abs(lengths - 1) > UNIT_TOLERANCE).any() or abs(along_row @ along_column) > 0.5:
        raise GeometryError(
            f"{file.name}: ImageOrientationPatient is wrong: its vectors have lengths "
            f"{lengths[0]:.3g} and {lengths[1]:.3g}, not 1, or are not perpendicular; "
            "export the series again from the scanner or the archive"
        )
    return along_row / lengths[0], along_column / lengths[1]


def position_of(file: DicomFile, tags: Dataset) -> Float64Array:
    """Centre of the first pixel, (3,); a GeometryError where ImagePositionPatient is absent."""
    position = np.array(numbers(tags, "ImagePositionPatient"))
    if position.shape != (3,):
        raise GeometryError(_absent(file, "ImagePositionPatient", "where the image lies"))
    return position


def spacing_of(file: DicomFile, tags: Dataset) -> tuple[float, float]:
    """Distance of columns, and of rows, in mm; a GeometryError where PixelSpacing is unusable."""
    spacing = numbers(tags, "PixelSpacing")
    if len(spacing) != 2:
        raise GeometryError(_absent(file, "PixelSpacing", "how large a pixel is"))
    if min(spacing) <= 0:
        raise GeometryError(
            f"{file.name}: PixelSpacing is {spacing[0]:g} x {spacing[1]:g} mm; "
            "export the series again"
        )
    # The file tells the distance of rows first.
    return spacing[1], spacing[0]


def length_of(tags: Dataset, keyword: str) -> float | None:
    """A length that is not 0; some scanners write a direction as its sign."""
    length = number(tags, keyword)
    return abs(length) if length else None


def _absent(file: DicomFile, keyword: str, meaning: str) -> str:
    return (
        f"{file.name}: no usable {keyword}, so nothing says {meaning}: export the series again "
        "from the scanner or the archive, in its original form"
    )
