"""Reading one DICOM object, and its values without surprises: wrong types and absent tags."""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import pydicom
from pydicom import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from cardioseg.errors import FormatError
from cardioseg.io.dicom.files import LARGEST_MEMBER_BYTES, PREAMBLE_BYTES, DicomFile

_META_BYTES = 2048
_PIECE_BYTES = 2**20

UNREADABLE = (
    InvalidDicomError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    RecursionError,
    BytesLengthException,
    OSError,
    struct.error,
    zlib.error,
)
"""What pydicom and its decoders raise on damaged objects."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's own warnings back: they quote values, and a value may be a name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def refusing(file: DicomFile) -> Iterator[None]:
    """Say of what pydicom cannot make sense of that the file is damaged.

    Raises
    ------
    FormatError
        Naming the file.
    """
    try:
        yield
    except UNREADABLE as error:
        raise FormatError(
            f"{file.name}: damaged or truncated DICOM; copy or export it again"
        ) from error
    except MemoryError as error:
        raise FormatError(
            f"{file.name}: claims more bytes than there is memory: it is damaged (copy it again) "
            "or too large for this machine"
        ) from error


def read_dataset(
    file: DicomFile, *, pixels: bool = False, tags: Sequence[str] | None = None
) -> Dataset:
    """Read one object.

    Parameters
    ----------
    file
        Where it lies.
    pixels
        Also the pixel data.
    tags
        Only these, by keyword; None reads all.

    Raises
    ------
    FormatError
        If it is damaged, or truncated before its pixel data.
    """
    with file.opened() as stream, quiet():
        _require_bounded(stream, file.name)
        with refusing(file):
            dataset = pydicom.dcmread(
                stream,
                force=True,
                stop_before_pixels=not pixels,
                specific_tags=None if tags is None else list(tags),
            )
    if "TransferSyntaxUID" not in dataset.file_meta:
        # Files from before the preamble say nothing of their encoding; pydicom has found it out.
        implicit = dataset.original_encoding[0]
        syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def _require_bounded(stream: BinaryIO, name: str) -> None:
    """Refuse a deflated data set that unpacks to too much; pydicom would unpack it whole."""
    head = stream.read(_META_BYTES)
    stream.seek(0)
    if DeflatedExplicitVRLittleEndian.encode() not in head:
        return
    # The group's length (0002,0000) stands behind preamble, tag, type and length of its own.
    begin = 12 + (PREAMBLE_BYTES if head[128:PREAMBLE_BYTES] == b"DICM" else 0)
    stream.seek(begin + int.from_bytes(head[begin - 4 : begin], "little"))
    unpacker, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    packed = stream.read(_PIECE_BYTES)
    while packed and not unpacker.eof:
        size += len(unpacker.decompress(packed, _PIECE_BYTES))
        if size > LARGEST_MEMBER_BYTES:
            raise FormatError(
                f"{name}: unpacks to more than {LARGEST_MEMBER_BYTES // 2**30} GiB; no MR image "
                "does: the file is damaged or hostile"
            )
        packed = unpacker.unconsumed_tail or stream.read(_PIECE_BYTES)
    stream.seek(0)


def number(dataset: Dataset, keyword: str) -> float | None:
    """One finite number, or None where it is absent, empty or no number."""
    values = numbers(dataset, keyword)
    return values[0] if len(values) == 1 else None


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Several finite numbers, or none where one of them is wrong."""
    with quiet():
        try:
            value = dataset.get(keyword)
            if value is None or value == "":
                return ()
            each = (
                value
                if isinstance(value, Sequence | pydicom.multival.MultiValue)
                and not isinstance(value, str)
                else (value,)
            )
            found = tuple(float(one) for one in each)
        except UNREADABLE:
            return ()
    return found if all(math.isfinite(one) for one in found) else ()


def whole(dataset: Dataset, keyword: str) -> int | None:
    """One whole number, or None."""
    value = number(dataset, keyword)
    return int(value) if value is not None and value == int(value) else None


def text(dataset: Dataset, keyword: str) -> str:
    """One line of text, without control characters; empty where it is absent."""
    with quiet():
        try:
            value = dataset.get(keyword)
        except UNREADABLE:
            return ""
    words = "" if value is None else str(value)
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The values of a tag that holds several words; none where it is absent."""
    with quiet():
        try:
            value = dataset.get(keyword)
        except UNREADABLE:
            return ()
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str) else tuple(str(each) for each in value)


def items(dataset: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence; none where it is absent."""
    with quiet():
        try:
            value = dataset.get(keyword)
        except UNREADABLE:
            return ()
    return tuple(value) if isinstance(value, pydicom.Sequence) else ()
