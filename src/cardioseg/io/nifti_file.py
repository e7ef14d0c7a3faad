"""The bytes of a NIfTI file: checked when read, and the same for the same input when written."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.errors import CardiosegError, FormatError
from cardioseg.io.atomic import write_bytes
from cardioseg.io.nibabel_headers import NIFTI_1
from cardioseg.io.nifti_header import HEADER_BYTES, NiftiHeader, parse_header

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_LARGEST_RATIO = 1032
"""Deflate cannot pack better: a header that promises more lies (zlib.net/zlib_tech.html)."""
_GZIP_LEVEL = 4
"""On MR volumes, level 6 takes twice the time of level 4 to save 3 % more."""
_LONGEST_SIDE = 32767
_SCANNER = 1


@contextmanager
def naming(source: str | Path) -> Iterator[None]:
    """Put the file's name before the message of an error raised in the block."""
    try:
        yield
    except CardiosegError as error:
        raise type(error)(f"{source}: {error}") from error


def read_header(path: str | Path) -> NiftiHeader:
    """Read and check the header alone; no voxel is unpacked.

    Parameters
    ----------
    path
        A `.nii` or `.nii.gz` file, told apart by content.

    Raises
    ------
    FormatError
        If the file is missing, empty, truncated, or not single-file NIfTI.
    GeometryError
        If its voxels cannot be placed in the patient.
    """
    with _opened(path) as (stream, _):
        return parse_header(stream.read(HEADER_BYTES), str(path))


def read_stored(path: str | Path) -> tuple[NiftiHeader, NDArray[Any]]:
    """Read the header and the numbers as stored, not yet scaled, in the file's shape.

    Raises
    ------
    FormatError, GeometryError
        As :func:`read_header`; also if the voxels are truncated or damaged.
    """
    with _opened(path) as (stream, limit):
        block = stream.read(HEADER_BYTES)
        header = parse_header(block, str(path))
        body = _body(stream, block, header, limit)
    if len(body) < header.data_bytes:
        there = f"{len(body)} are there" if body else "the file is too small for them"
        raise FormatError(
            f"{path}: truncated: the header promises {header.data_bytes} bytes of voxels, {there}; "
            "copy or export the file again"
        )
    stored = np.frombuffer(body, header.dtype, count=header.data_bytes // header.dtype.itemsize)
    return header, stored.reshape(header.shape, order="F")


def _body(stream: BinaryIO, block: bytes, header: NiftiHeader, limit: int) -> bytes:
    """The voxels' bytes, or fewer where the file ends early."""
    if header.offset + header.data_bytes > limit:
        return b""
    if header.offset > len(block):
        stream.read(header.offset - len(block))
    head = block[header.offset :]
    # A small image may end within the bytes that were read for the header.
    body = stream.read(max(header.data_bytes - len(head), 0))
    # Reading on to the end makes gzip compare its checksum.
    stream.read(1)
    return head + body if head else body


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[BinaryIO, int]]:
    """The unpacked stream of a file, and the most bytes that it can hold."""
    try:
        with Path(path).open("rb") as raw:
            size = raw.seek(0, io.SEEK_END)
            raw.seek(0)
            if size == 0:
                raise FormatError(f"{path}: the file is empty; copy or export it again")
            packed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if not packed:
                yield raw, size
                return
            with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
                yield cast(BinaryIO, stream), size * _GZIP_LARGEST_RATIO
    except EOFError as error:
        raise FormatError(f"{path}: truncated gzip file; copy or export it again") from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(f"{path}: damaged gzip file ({error}); copy it again") from error
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror or error}") from error


def write_array(
    path: str | Path,
    array: NDArray[Any],
    geometry: Geometry,
    description: str,
    intent: tuple[str, str] = ("none", ""),
    frame_ms: float | None = None,
) -> None:
    """Write an array as NIfTI-1, atomically; the same input always gives the same bytes.

    The sform holds the affine; the qform too where it can (it knows no shear).

    Parameters
    ----------
    path
        Ends in `.nii` or `.nii.gz`.
    array
        Values (I, J, K, ...), uint8 or float32.
    geometry
        The grid of the first three axes.
    description
        Up to 79 letters for the header.
    intent
        NIfTI intent and its free name, up to 15 letters.
    frame_ms
        Time between the frames of a cine (I, J, K, T); None where unknown.

    Raises
    ------
    FormatError
        If the name has another suffix, a side is longer than 32767, or the file cannot be written.
    """
    name = Path(path).name.lower()
    if not name.endswith((".nii", ".nii.gz")):
        endings = ".nii.gz, .nii, .nrrd or .mha"
        raise FormatError(f"{path}: cannot be written: end the name in {endings}")
    if max(array.shape) > _LONGEST_SIDE:
        raise FormatError(f"{path}: cannot be written: NIfTI-1 holds no side above {_LONGEST_SIDE}")
    header = _new_header(array, geometry, description, intent)
    if frame_ms is not None:
        header["pixdim"][4] = frame_ms / 1000
    parts = (header.binaryblock + bytes(4), array.tobytes(order="F"))
    write_bytes(path, _pack(parts) if name.endswith(".gz") else b"".join(parts))


def _new_header(
    array: NDArray[Any], geometry: Geometry, description: str, intent: tuple[str, str]
) -> Any:
    header = NIFTI_1(endianness="<")
    header.set_data_dtype(array.dtype)
    header.set_data_shape(array.shape)
    header.set_xyzt_units("mm", "sec")
    header.set_intent(intent[0], name=intent[1])
    header.set_slope_inter(1, 0)
    header["descrip"] = description.encode("ascii", "replace")
    header["vox_offset"] = 352
    header.set_qform(geometry.affine, _SCANNER)
    header.set_sform(geometry.affine, _SCANNER)
    if not Geometry(geometry.shape, header.get_qform()).is_same(geometry):
        header.set_qform(None, 0)
    return header


def _pack(parts: Iterable[bytes]) -> bytes:
    buffer = io.BytesIO()
    # No name and no time of writing: equal labels are equal files.
    with gzip.GzipFile("", "wb", _GZIP_LEVEL, buffer, mtime=0) as stream:
        for part in parts:  # joined first, a large volume's bytes would be held twice
            stream.write(part)
    return buffer.getvalue()
