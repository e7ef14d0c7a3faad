"""Reading one DICOM object, and its values without surprises: wrong types and absent tags."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pydicom
from pydicom import Dataset
from pydicom.errors import InvalidDicomError

from cardioseg.errors import FormatError
from cardioseg.io.dicom.files import DicomFile

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
)
"""What pydicom and its decoders raise on damaged objects."""


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's own warnings back: they quote values, and a value may be a name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


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
        try:
            return pydicom.dcmread(
                stream,
                force=True,
                stop_before_pixels=not pixels,
                specific_tags=None if tags is None else list(tags),
            )
        except UNREADABLE as error:
            raise FormatError(
                f"{file.name}: damaged or truncated DICOM; copy or export it again"
            ) from error


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
