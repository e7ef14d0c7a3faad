"""The numbers of a plane: unpacked, scaled as its header says, and refused where they end early."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.utils import pixel_array

from cardioseg.errors import FormatError
from cardioseg.io.dicom.header import UNREADABLE, number, quiet, text
from cardioseg.io.dicom.planes import Plane

Float32Array = NDArray[np.float32]

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def stored_pixels(plane: Plane, dataset: Dataset) -> NDArray[np.generic]:
    """The plane's pixels (rows, columns) as stored, unpacked but not scaled.

    Parameters
    ----------
    plane
        Which frame of the object.
    dataset
        The object with its pixel data.

    Raises
    ------
    FormatError
        If they are absent, truncated, damaged, or packed in a way that no decoder here reads.
    """
    name = plane.file.name
    if not any(keyword in dataset for keyword in PIXEL_KEYWORDS):
        raise FormatError(f"{name}: no pixel data (truncated?); copy or export it again")
    with quiet():
        try:
            array = pixel_array(dataset, index=(plane.frame or 1) - 1)
        except (*UNREADABLE, MemoryError) as error:
            raise FormatError(
                f"{name}: its pixels cannot be read ({_transfer_syntax(dataset)}): truncated, "
                "damaged, or of a kind that no decoder here knows; copy it again, or export the "
                "series uncompressed"
            ) from error
    if array.shape != (plane.rows, plane.columns):
        raise FormatError(
            f"{name}: pixels of shape {array.shape}, but {plane.rows} rows and {plane.columns} "
            "columns are promised; export the series again"
        )
    return array


def scaled(stored: NDArray[np.generic], plane: Plane, dataset: Dataset) -> Float32Array:
    """Intensities: slope and intercept applied, and the dark end dark."""
    values = stored.astype(np.float64) * plane.slope + plane.intercept
    if text(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        bits = number(dataset, "BitsStored") or 16
        signed = bool(number(dataset, "PixelRepresentation"))
        ends = -1.0 if signed else 2**bits - 1
        values = plane.slope * ends + 2 * plane.intercept - values
    answer: Float32Array = values.astype(np.float32)
    return answer


def _transfer_syntax(dataset: Dataset) -> str:
    try:
        return str(dataset.file_meta.TransferSyntaxUID.name)
    except UNREADABLE:
        return "unknown transfer syntax"
