"""An upload: its bytes onto disk within the limits, then told apart and checked by its content."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cardioseg.errors import CardiosegError
from cardioseg.io.dicom import choose_series, find_series
from cardioseg.io.dicom.complete import require_complete
from cardioseg.io.nifti_file import read_header
from cardioseg.service.archive import unpack
from cardioseg.service.limits import Limits
from cardioseg.service.problems import ProblemError, storing, without_path

UPLOAD = "upload"

_CHUNK = 1 << 20
_FLOAT_BYTES = 4
_HEADER_SIZES = {348, 540}
_GZIP, _ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")

Kind = Literal["nifti", "dicom"]


@dataclass(frozen=True)
class Upload:
    """A checked upload.

    Parameters
    ----------
    kind
        `nifti` or `dicom`.
    path
        The file, or the folder of a DICOM zip's files.
    series
        UID of the DICOM series; kept in memory alone.
    """

    kind: Kind
    path: Path
    series: str = field(default="", repr=False)


async def receive(stream: AsyncIterator[bytes], path: Path, declared: int, limit: int) -> int:
    """Write a request's body to a file, and stop at the limit.

    Parameters
    ----------
    stream
        The body.
    path
        The file; must not exist.
    declared
        Its length as the client told it; 0 where it did not.
    limit
        Most bytes.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    ProblemError
        413 above the limit, before a byte is read where the client told the length; 422 where
        there is no byte.
    """
    if declared > limit:
        raise _too_large(limit)
    size = 0
    with storing(), path.open("xb") as sink:
        async for chunk in stream:
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            sink.write(chunk)
    if size == 0:
        raise ProblemError(422, "empty", "the upload is empty; choose a file")
    return size


def inspect_upload(path: Path, limits: Limits, series: str = "") -> Upload:
    """Tell what was uploaded, and check all that can be checked without segmenting.

    Parameters
    ----------
    path
        The bytes as they came, under the name `upload`; the file gets the ending of its kind.
    limits
        Unpacked bytes, entries and ratio.
    series
        Of DICOM, the series that is meant: number, part of the description or UID.

    Raises
    ------
    ProblemError
        409 where there are several series and none is chosen; 415 where it is neither NIfTI nor a
        zip of DICOM; 413 above a limit; 422 where it is damaged or truncated; 400 where a name in a
        zip leads out of its folder.
    """
    with path.open("rb") as stream:
        head = stream.read(132)
    if head[:4] in _ZIP:
        return _dicom_zip(path, limits, series)
    if head[128:132] == b"DICM":
        return _dicom(path.rename(path.with_name(f"{UPLOAD}.dcm")), limits, series)
    return _nifti(path, head[:2] == _GZIP, limits)


def _nifti(path: Path, packed: bool, limits: Limits) -> Upload:
    named = path.rename(path.with_name(f"{UPLOAD}.nii{'.gz' if packed else ''}"))
    _require_nifti(named, packed)
    try:
        header = read_header(named)
    except CardiosegError as error:
        raise ProblemError(422, "damaged", without_path(str(error), named)) from error
    voxels = header.data_bytes // header.dtype.itemsize
    claimed = header.offset + max(header.data_bytes, voxels * _FLOAT_BYTES)
    if claimed > limits.unpacked_bytes:
        raise ProblemError(
            413,
            "claims_too_much",
            f"the header claims {voxels} voxels, {claimed} bytes to compute with; at most "
            f"{limits.unpacked_bytes}: crop the image, or upload fewer frames",
        )
    _require_whole(named, packed, header.offset + header.data_bytes, limits)
    return Upload("nifti", named)


def _require_nifti(path: Path, packed: bool) -> None:
    """Refuse what does not even start like NIfTI: a header's size, in either order of bytes."""
    with _unpacking(), path.open("rb") as raw:
        head = gzip.GzipFile(fileobj=raw, mode="rb").read(4) if packed else raw.read(4)
    sizes = {int.from_bytes(head, "little"), int.from_bytes(head, "big")}
    if not sizes & _HEADER_SIZES:
        raise ProblemError(
            415,
            "wrong_type",
            "not a scan: upload NIfTI (.nii, .nii.gz) or a zip of DICOM files",
        )


def _require_whole(path: Path, packed: bool, needed: int, limits: Limits) -> None:
    """Unpack a file to nowhere: its checksum holds, and it has the bytes that its header claims."""
    with _unpacking(), path.open("rb") as raw:
        size = raw.seek(0, io.SEEK_END)
        raw.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
                size = _count(stream, limits.unpacked_bytes)
    if size < needed:
        raise ProblemError(
            422,
            "damaged",
            f"truncated: the header needs {needed} bytes, {size} are there; export it again",
        )


@contextmanager
def _unpacking() -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ProblemError(
            422, "damaged", "the file is truncated or damaged; export and upload it again"
        ) from error


def _count(stream: gzip.GzipFile, most: int) -> int:
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > most:
            raise ProblemError(
                413, "unpacks_too_large", f"the file unpacks to more than {most} bytes"
            )
    return size


def _dicom_zip(path: Path, limits: Limits, series: str) -> Upload:
    folder = path.with_name("dicom")
    unpack(path, folder, limits)
    path.unlink()
    return _dicom(folder, limits, series)


def _dicom(path: Path, limits: Limits, series: str) -> Upload:
    """Find the series that is meant; several without a choice are listed, never guessed."""
    try:
        found = find_series(path)
        images = [each for each in found if not each.unfit]
        if not series and len(images) > 1:
            raise ProblemError(
                409,
                "choose_series",
                f"{len(images)} series of images in the upload; choose one",
                {"series": [{**each.row, "choice": each.uid} for each in images]},
            )
        chosen = choose_series(found, series or None, path)
        claimed = require_complete(chosen)
    except CardiosegError as error:
        raise ProblemError(422, "bad_dicom", without_path(str(error), path)) from error
    if claimed > limits.unpacked_bytes:
        raise ProblemError(
            413,
            "claims_too_much",
            f"the series claims {claimed} bytes to compute with; at most {limits.unpacked_bytes}",
        )
    return Upload("dicom", path, chosen.uid)


def _too_large(limit: int) -> ProblemError:
    return ProblemError(413, "too_large", f"the upload has more than {limit} bytes, the limit here")
