"""Whether a series is all there, and what it claims to unpack to: told without decoding a pixel."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import UID

from cardioseg.errors import FormatError
from cardioseg.io.dicom.header import read_dataset, refusing, whole
from cardioseg.io.dicom.pixels import PIXEL_KEYWORDS
from cardioseg.io.dicom.series import Series

_BITS_PER_BYTE = 8
_FLOAT_BYTES = 4


def require_complete(series: Series) -> int:
    """Refuse a series with a truncated object.

    Parameters
    ----------
    series
        As :func:`cardioseg.io.dicom.choose_series` gives it.

    Returns
    -------
    int
        Bytes of its pixels as the 32-bit numbers that are computed with, by what its headers claim.

    Raises
    ------
    FormatError
        If an object is damaged, has no pixel data, or has fewer bytes of it than its header needs
        (of packed pixel data, only whether there is any).
    """
    claimed = 0
    for file in series.files:
        dataset = read_dataset(file, pixels=True)
        sides = [whole(dataset, tag) or 0 for tag in ("Rows", "Columns")]
        voxels = sides[0] * sides[1] * max(whole(dataset, "NumberOfFrames") or 1, 1)
        needed = voxels * ((whole(dataset, "BitsAllocated") or 0) // _BITS_PER_BYTE)
        with refusing(file):  # an element is made sense of when it is asked for
            found = _pixel_bytes(dataset)
        if found == 0 or (not _is_packed(dataset) and found < needed):
            raise FormatError(
                f"{file.name}: truncated: {found} bytes of pixels, its header needs {needed}; copy "
                "or export it again"
            )
        claimed += voxels * _FLOAT_BYTES
    return claimed


def _pixel_bytes(dataset: Dataset) -> int:
    values = (dataset.get(keyword) for keyword in PIXEL_KEYWORDS)
    return sum(len(value) for value in values if isinstance(value, bytes))


def _is_packed(dataset: Dataset) -> bool:
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    # Of a UID that is no transfer syntax pydicom does not say whether it is packed: it raises.
    return isinstance(syntax, UID) and syntax.is_transfer_syntax and bool(syntax.is_compressed)
