"""What a NRRD header says of its voxels (http://teem.sourceforge.net/nrrd/format.html)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cardioseg.errors import FormatError
from cardioseg.io.itk_header import ItkHeader, beside, require_volume, sides

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_DTYPES = {name: code for code, names in _TYPES.items() for name in names}
_PACKINGS: Mapping[str, Literal["raw", "gzip"]] = {"raw": "raw", "gzip": "gzip", "gz": "gzip"}
_PATIENT_SPACES = ("left-posterior-superior", "right-anterior-superior", "left-anterior-superior")
_SHORT_SPACES = ("lps", "ras", "las")
_FRAMES = ("list", "time")
_PLACES = {"domain", "space"}
_END = re.compile(rb"\r?\n\r?\n")
_ITK_LINE_END = re.compile(rb"\r\n|\r|\n")
_LONGEST_FIELD = 500
"""Letters of one of the format's own fields; four axes' directions have a few hundred. ITK writes
its complaint about a longer one past the end of a buffer, and the process dies."""


def parse_nrrd(path: Path, block: bytes) -> ItkHeader:
    """Read a NRRD header; parameters and errors as in `itk_file`."""
    end = _END.search(block)
    text = block[: end.start()] if end else block
    _require_short(text)
    own, fields = _lines(text.decode("utf-8", "replace"))
    detached = own.get("data file", own.get("datafile"))
    if end is None and detached is None:
        raise FormatError("truncated: the NRRD header has no end; copy or export the file again")
    packing = own.get("encoding", "raw").lower()
    if packing not in _PACKINGS:
        raise FormatError(f"voxels encoded as {packing}; save them as raw or gzip")
    for field in ("line skip", "lineskip", "byte skip", "byteskip"):
        if own.get(field, "0") != "0":
            raise FormatError(f"the header skips part of its data ({field}); export it again")
    shape, frames, first = _shape(own)
    return ItkHeader(
        "NRRD",
        shape,
        frames,
        first,
        _dtype(own),
        _PACKINGS[packing],
        beside(path, detached) if detached is not None else path,
        0 if detached is not None or end is None else end.end(),
        fields,
        _notes(own),
    )


def _require_short(header: bytes) -> None:
    """Refuse what ITK cannot be given: comments, content and key-value pairs may be long."""
    for number, line in enumerate(_ITK_LINE_END.split(header), start=1):
        if line.startswith((b"#", b"content:")) or len(line) <= _LONGEST_FIELD:
            continue
        key, colon, _ = line.partition(b":=")
        if not colon or b": " in key or len(key) > _LONGEST_FIELD:
            raise FormatError(
                f"line {number} of the NRRD header has {len(line)} letters, and no field of it is "
                "so long: the header is damaged; export the image again"
            )


def _lines(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """The format's own fields, and the key-value pairs."""
    own: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for line in text.splitlines()[1:]:
        if line.startswith("#"):
            continue
        key, colon, value = line.partition(":")
        if colon and value.startswith("="):
            pairs[key] = value[1:].replace("\\n", "\n").replace("\\\\", "\\")
        elif colon:
            own[key.strip().lower()] = value.strip()
    return own, pairs


def _dtype(own: Mapping[str, str]) -> np.dtype[Any]:
    name = own.get("type", "").lower()
    if name not in _DTYPES:
        raise FormatError(f"voxels of type {name!r}; export a grey-scale image, one number each")
    order = own.get("endian", "little").lower()
    if order not in ("little", "big"):
        raise FormatError(f"byte order {order!r}: the header is damaged; export it again")
    return np.dtype(("<" if order == "little" else ">") + _DTYPES[name])


def _shape(own: Mapping[str, str]) -> tuple[tuple[int, int, int], int, bool]:
    """Sides of a frame, number of frames, and whether they come first."""
    found = sides(own.get("sizes", ""))
    if len(found) != 4:
        return require_volume(found), 1, False
    kinds = own.get("kinds", " ".join(["domain"] * 4)).lower().split()
    if len(kinds) == 4 and kinds[0] in _FRAMES and set(kinds[1:]) <= _PLACES:
        return require_volume(found[1:]), found[0], True
    if len(kinds) == 4 and kinds[3] in (*_FRAMES, *_PLACES) and set(kinds[:3]) <= _PLACES:
        return require_volume(found[:3]), found[3], False
    raise FormatError(
        f"four axes of the kinds {', '.join(kinds)}: vectors or colours, where a grey-scale image, "
        "one number a voxel, is read"
    )


def _notes(own: Mapping[str, str]) -> tuple[str, ...]:
    units = {unit.strip('"') for unit in own.get("space units", "").split()}
    if units - {"mm", "", "none", "???", "s", "ms"}:
        raise FormatError(f"lengths in {', '.join(sorted(units))}; export the image in mm")
    space = own.get("space", "").lower()
    if space.removesuffix("-time") in (*_PATIENT_SPACES, *_SHORT_SPACES):
        return ()
    return (
        "no patient space in the header: the axes are taken to point to the patient's left, back "
        "and head, as ITK takes them",
    )
