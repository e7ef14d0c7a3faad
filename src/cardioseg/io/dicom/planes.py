"""The planes of one DICOM object: where each frame lies in the patient, and when it was taken."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pydicom import Dataset

from cardioseg.core.geometry import Float64Array
from cardioseg.errors import FormatError, GeometryError
from cardioseg.io.dicom.files import DicomFile
from cardioseg.io.dicom.header import (
    items,
    number,
    numbers,
    quiet,
    refusing,
    text,
    texts,
    whole,
)
from cardioseg.io.dicom.placement import directions_of, length_of, position_of, spacing_of

MOST_FRAMES = 100_000

_MACROS = (
    "PixelMeasuresSequence",
    "PlaneOrientationSequence",
    "PlanePositionSequence",
    "FrameContentSequence",
    "CardiacSynchronizationSequence",
    "MRImageFrameTypeSequence",
    "MREchoSequence",
    "PixelValueTransformationSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
    "UnassignedSharedConvertedAttributesSequence",
)
"""Functional groups that place, time or scale a frame (PS3.3, C.7.6.16 and C.8.13.5); the last two
hold what a legacy-converted object has kept of its single images, trigger times too."""

_COMPONENTS = {
    "magnitude": {"M", "MAGNITUDE", "M_FFE", "M_SE", "M_IR"},
    "phase": {"P", "PHASE", "PHASE MAP", "PHASE_MAP", "VELOCITY", "VELOCITY MAP"},
    "real": {"R", "REAL", "R_FFE"},
    "imaginary": {"I", "IMAGINARY", "I_FFE"},
}
"""What scanners write into ImageType for the parts of a complex image."""

_FRAME_TIME, _FRAME_TIME_VECTOR, _FRAME_OFFSETS = 0x00181063, 0x00181065, 0x3004000C


@dataclass(frozen=True, eq=False)
class Plane:
    """One two-dimensional image of a series; world coordinates are DICOM's, LPS in mm.

    Parameters
    ----------
    file, dataset, frame
        The object, its header, and the frame's number from 1 (None in a single-frame object).
    columns, rows
        Pixels along a row and along a column.
    position
        Centre of the first pixel, (3,).
    along_row, along_column
        Unit vectors (3,) in which the column index and the row index grow.
    spacing
        Distance of neighbouring columns, and of neighbouring rows, in mm.
    spacing_between, thickness
        Distance of slices and their thickness as the header claims, in mm; None where it does not.
    trigger_ms
        Time after the R wave.
    temporal
        Temporal position index.
    order
        Acquisition number, acquisition time and instance number: what is left to sort by.
    kind
        Part of an acquisition: magnitude or phase, and the echo time.
    slope, intercept
        Value = slope * stored + intercept.
    """

    file: DicomFile
    dataset: Dataset
    frame: int | None
    columns: int
    rows: int
    position: Float64Array
    along_row: Float64Array
    along_column: Float64Array
    spacing: tuple[float, float]
    spacing_between: float | None
    thickness: float | None
    trigger_ms: float | None
    temporal: int | None
    order: tuple[float | None, float | None, float | None]
    kind: str
    slope: float
    intercept: float

    @property
    def normal(self) -> Float64Array:
        """Unit vector across the image, (3,)."""
        normal: Float64Array = np.cross(self.along_row, self.along_column)
        return normal / np.linalg.norm(normal)


def planes_of(file: DicomFile, dataset: Dataset) -> tuple[Plane, ...]:
    """All planes of one object.

    Parameters
    ----------
    file
        Where it lies.
    dataset
        Its header.

    Raises
    ------
    GeometryError
        If a frame cannot be placed: a tag is absent or wrong.
    FormatError
        If it holds no grey pixels.
    """
    with quiet(), refusing(file):
        return _planes(file, dataset)


def _planes(file: DicomFile, dataset: Dataset) -> tuple[Plane, ...]:
    _require_grey(file, dataset)
    frames = whole(dataset, "NumberOfFrames") or 1
    if not 1 <= frames <= MOST_FRAMES:
        raise FormatError(f"{file.name}: NumberOfFrames is {frames}; export the series again")
    groups = items(dataset, "PerFrameFunctionalGroupsSequence")
    if groups:
        if len(groups) != frames:
            raise FormatError(
                f"{file.name}: {frames} frames, but functional groups of {len(groups)}: the file "
                "is damaged; export the series again"
            )
        shared = items(dataset, "SharedFunctionalGroupsSequence")
        return tuple(
            _plane(file, dataset, n, _flattened(dataset, group, *shared[:1]))
            for n, group in enumerate(groups, start=1)
        )
    if frames == 1:
        return (_plane(file, dataset, None, dataset),)
    return _without_groups(file, dataset, frames)


def _flattened(dataset: Dataset, *groups: Dataset) -> Dataset:
    """One frame's tags in one data set: the frame's own go before the shared, then the object's."""
    flat = Dataset()
    for group in groups:
        for macro in _MACROS:
            for item in items(group, macro)[:1]:
                for element in item:
                    if element.tag not in flat:
                        flat.add(element)
    for keyword in ("Rows", "Columns", "InstanceNumber", "ImageType"):
        if keyword in dataset and keyword not in flat:
            flat.add(dataset[keyword])
    return flat


def _plane(file: DicomFile, dataset: Dataset, frame: int | None, tags: Dataset) -> Plane:
    along_row, along_column = directions_of(file, tags)
    trigger = _first(tags, "TriggerTime", "NominalCardiacTriggerDelayTime")
    instance = number(tags, "InstanceNumber")
    return Plane(
        file=file,
        dataset=dataset,
        frame=frame,
        columns=whole(dataset, "Columns") or 0,
        rows=whole(dataset, "Rows") or 0,
        position=position_of(file, tags),
        along_row=along_row,
        along_column=along_column,
        spacing=spacing_of(file, tags),
        spacing_between=length_of(tags, "SpacingBetweenSlices"),
        thickness=length_of(tags, "SliceThickness"),
        trigger_ms=_first(tags, "ActualCardiacTriggerDelayTime") if trigger is None else trigger,
        temporal=whole(tags, "TemporalPositionIndex") or whole(tags, "TemporalPositionIdentifier"),
        order=(
            _first(tags, "FrameAcquisitionNumber", "AcquisitionNumber"),
            _first(tags, "FrameAcquisitionDateTime", "AcquisitionTime"),
            _counted(instance, frame),
        ),
        kind=_kind(tags),
        slope=_given(number(tags, "RescaleSlope"), 1.0),
        intercept=_given(number(tags, "RescaleIntercept"), 0.0),
    )


def _counted(instance: float | None, frame: int | None) -> float | None:
    """Instance number, and within a multi-frame object the frame's."""
    return instance if frame is None else (instance or 0.0) * MOST_FRAMES + frame


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def _first(tags: Dataset, *keywords: str) -> float | None:
    found = (number(tags, keyword) for keyword in keywords)
    return next((value for value in found if value is not None), None)


def _kind(tags: Dataset) -> str:
    """Magnitude, phase, real or imaginary; and the echo time."""
    types = {*texts(tags, "ComplexImageComponent"), *texts(tags, "ImageType")}
    types |= {*texts(tags, "FrameType")}
    words = ", ".join(meaning for meaning, names in _COMPONENTS.items() if types & names)
    echo = _first(tags, "EchoTime", "EffectiveEchoTime")
    return ", ".join(filter(None, (words, f"echo time {echo:g} ms" if echo is not None else "")))


def _require_grey(file: DicomFile, dataset: Dataset) -> None:
    if not whole(dataset, "Columns") or not whole(dataset, "Rows"):
        raise FormatError(
            f"{file.name}: no Rows and Columns: truncated, or no image; copy it again, "
            "or choose a series of images"
        )
    if "MOSAIC" in texts(dataset, "ImageType"):
        raise FormatError(
            f"{file.name}: a mosaic, many slices side by side in one picture: export single slices"
        )
    samples = whole(dataset, "SamplesPerPixel")
    if samples not in (None, 1):
        raise FormatError(
            f"{file.name}: a colour image ({text(dataset, 'PhotometricInterpretation')}): a screen "
            "shot or a map in colour; choose the grey images that it was made from"
        )


def _without_groups(file: DicomFile, dataset: Dataset, frames: int) -> tuple[Plane, ...]:
    """Frames of an object of the old kind: one place with frame times, or offsets along a normal.

    Raises
    ------
    GeometryError
        If nothing says which of the two.
    """
    pointer = dataset.get("FrameIncrementPointer")
    tags = {int(tag) for tag in np.atleast_1d(np.array(pointer, dtype=object)) if tag is not None}
    first = _plane(file, dataset, 1, dataset)
    if tags & {_FRAME_TIME, _FRAME_TIME_VECTOR}:
        return tuple(
            replace(first, frame=n, trigger_ms=time, order=(None, None, float(n)))
            for n, time in enumerate(_frame_times(dataset, frames), start=1)
        )
    offsets = numbers(dataset, "GridFrameOffsetVector")
    if _FRAME_OFFSETS in tags and len(offsets) == frames:
        return tuple(
            replace(first, frame=n, position=first.position + (offset - offsets[0]) * first.normal)
            for n, offset in enumerate(offsets, start=1)
        )
    raise GeometryError(
        f"{file.name}: {frames} frames in one object, and nothing says where or when each was "
        "taken (no functional groups, frame times or offsets): export the series as single images "
        "or as enhanced MR"
    )


def _frame_times(dataset: Dataset, frames: int) -> tuple[float, ...]:
    steps = numbers(dataset, "FrameTimeVector")
    if len(steps) == frames:
        return tuple(np.cumsum(steps).tolist())
    step = number(dataset, "FrameTime") or 0.0
    return tuple(step * n for n in range(frames))
