"""The text header of a NRRD or MetaImage file: how its voxels are stored, checked before a read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cardioseg.errors import FormatError


@dataclass(frozen=True, eq=False)
class ItkHeader:
    """How the voxels are stored.

    Parameters
    ----------
    format
        `NRRD` or `MetaImage`.
    shape
        Sides (I, J, K) of a frame.
    frames
        Frames of a cine; 1 for a still image.
    frames_first
        Whether the frames are the fastest axis of the file, as 3D Slicer's sequences have them.
    dtype
        Stored type, with its byte order.
    packing
        How the voxels are packed.
    data
        File that holds the voxels.
    offset
        Byte at which they start in it.
    fields
        Key-value pairs of the header, such as 3D Slicer's segments.
    notes
        What is left open; readers tell these.
    """

    format: str
    shape: tuple[int, int, int]
    frames: int
    frames_first: bool
    dtype: np.dtype[Any]
    packing: Literal["raw", "gzip", "zlib"]
    data: Path
    offset: int
    fields: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def data_bytes(self) -> int:
        """Bytes of the unpacked voxels."""
        return math.prod(self.shape) * self.frames * self.dtype.itemsize


def sides(numbers: str) -> list[int]:
    """Side lengths from a header's field.

    Raises
    ------
    FormatError
        If they are not positive whole numbers.
    """
    words = numbers.split()
    if not words or not all(word.isdecimal() and len(word) < 10 and int(word) for word in words):
        raise FormatError(f"sides {numbers!r}: the header is damaged; export it again")
    return [int(word) for word in words]


def require_volume(found: list[int]) -> tuple[int, int, int]:
    """The three sides of a frame.

    Raises
    ------
    FormatError
        If there are fewer or more.
    """
    if len(found) != 3:
        told = " x ".join(str(n) for n in found)
        raise FormatError(
            f"a {len(found)}-D image ({told}); a stack with a third axis and its spacing, or a "
            "cine of such stacks, is needed"
        )
    return found[0], found[1], found[2]


def beside(path: Path, name: str) -> Path:
    """A detached data file, which must be a plain name in the header's folder.

    Raises
    ------
    FormatError
        If it is a path, a pattern or a list: a header may not point elsewhere on the disk.
    """
    if (
        not name
        or Path(name).name != name
        or name.startswith(("LIST", "."))
        or {"%", "\0"} & set(name)
    ):
        raise FormatError(
            f"the header points to voxels in {name!r}; only one data file in the header's own "
            "folder is read: save header and voxels as one file (.nrrd or .mha)"
        )
    return path.parent / name
