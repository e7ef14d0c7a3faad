"""What a MetaImage header (.mha, .mhd) says of its voxels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cardioseg.errors import FormatError
from cardioseg.io.itk_header import ItkHeader, beside, require_volume, sides

_DTYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_ORIENTATIONS = ("TransformMatrix", "Rotation", "Orientation")
_END = re.compile(rb"^ElementDataFile[ \t]*=[^\n]*\n?", re.MULTILINE)


def parse_metaimage(path: Path, block: bytes) -> ItkHeader:
    """Read a MetaImage header; parameters and errors as in `itk_file`."""
    end = _END.search(block)
    if end is None:
        raise FormatError("the MetaImage header has no end; copy or export the file again")
    lines = (line.partition("=") for line in block[: end.end()].decode("latin-1").splitlines())
    fields = {key.strip(): value.strip() for key, equals, value in lines if equals}
    if fields.get("ElementNumberOfChannels", "1") != "1":
        raise FormatError("several numbers a voxel; export a grey-scale image, one number each")
    if _is_true(fields, "BinaryData", "True") is False:
        raise FormatError("voxels written as text; save them as binary data")
    shape, frames = _shape(fields)
    local = fields["ElementDataFile"].upper() == "LOCAL"
    if not local and fields.get("HeaderSize", "0") != "0":
        raise FormatError("the header skips part of its data (HeaderSize); export it again")
    notes = () if any(name in fields for name in _ORIENTATIONS) else (_NO_ORIENTATION,)
    return ItkHeader(
        "MetaImage",
        shape,
        frames,
        False,
        _dtype(fields),
        "zlib" if _is_true(fields, "CompressedData", "False") else "raw",
        path if local else beside(path, fields["ElementDataFile"]),
        end.end() if local else 0,
        fields,
        notes,
    )


_NO_ORIENTATION = (
    "no orientation in the header: the axes are taken to point to the patient's left, back and "
    "head, as ITK takes them"
)


def _is_true(fields: Mapping[str, str], name: str, default: str) -> bool:
    return fields.get(name, default).lower() in ("true", "1")


def _dtype(fields: Mapping[str, str]) -> np.dtype[Any]:
    name = fields.get("ElementType", "")
    if name not in _DTYPES:
        raise FormatError(f"voxels of type {name!r}; export a grey-scale image, one number each")
    big = _is_true(fields, "BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False"))
    return np.dtype((">" if big else "<") + _DTYPES[name])


def _shape(fields: Mapping[str, str]) -> tuple[tuple[int, int, int], int]:
    found = sides(fields.get("DimSize", ""))
    if fields.get("NDims", "") != str(len(found)):
        raise FormatError(
            f"{len(found)} sides of {fields.get('NDims', 'no')} axes: the header is damaged; "
            "export it again"
        )
    return (require_volume(found[:3]), found[3]) if len(found) == 4 else (require_volume(found), 1)
