"""Read a series: its frames as volumes on one grid in RAS+ mm, and where each slice came from."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from pydicom import Dataset

from cardioseg.core.geometry import Float64Array, Geometry
from cardioseg.core.scan import Scan
from cardioseg.core.volume import Volume
from cardioseg.errors import CardiosegError, FormatError, GeometryError, ReadWarning
from cardioseg.io.dicom.body import body_of
from cardioseg.io.dicom.files import DicomFile
from cardioseg.io.dicom.header import read_dataset, text
from cardioseg.io.dicom.pixels import Float32Array, scaled, stored_pixels
from cardioseg.io.dicom.planes import Plane, planes_of
from cardioseg.io.dicom.series import Series
from cardioseg.io.dicom.source import DicomScan, SourceSlice
from cardioseg.io.dicom.stack import Stack, arrange
from cardioseg.io.patient_space import ras_from_lps

LARGEST_SIDE = 8192
LARGEST_BYTES = 4 * 2**30
"""Pixels along a side and unpacked intensities above these are no cardiac series: a header may
promise anything, and packed pixels keep such a promise from a few bytes."""


def read_series(series: Series) -> DicomScan:
    """Read one series.

    Parameters
    ----------
    series
        As :func:`cardioseg.io.dicom.choose_series` gives it.

    Returns
    -------
    DicomScan
        One volume, or the frames of a cine in the order of time; array axes are column, row, slice,
        slices in the direction of the images' normal.

    Warns
    -----
    ReadWarning
        If the header contradicts itself or leaves something open; the same words are in the
        scan's notes.

    Raises
    ------
    FormatError
        If a file is damaged, truncated, in colour, or packed in a way that cannot be read.
    GeometryError
        If the images are no regular stack: mixed orientations, sizes or spacings, missing slices or
        frames, uneven gaps, absent tags.
    """
    try:
        return _read(series)
    except CardiosegError as error:
        which = "" if series.number is None else f"series {series.number}: "
        raise type(error)(f"{which}{error}") from error


def _read(series: Series) -> DicomScan:
    headers = [(file, read_dataset(file)) for file in series.files]
    planes = [plane for file, header in headers for plane in planes_of(file, header)]
    _require_size(planes)
    stack = arrange(planes, _same_pixels)
    geometry, grid_notes = _geometry(stack)
    body, body_notes = body_of(planes[0].dataset)
    notes = (*_modality_told(series), *stack.notes, *grid_notes, *_value_notes(planes), *body_notes)
    arrays = _arrays(stack)
    for note in notes:
        warnings.warn(f"{series.place}: {note}", ReadWarning, stacklevel=3)
    frames = tuple(Volume(array, geometry) for array in arrays)
    return DicomScan(Scan(frames, stack.times_ms, body, notes), _sources(stack))


def _sources(stack: Stack) -> tuple[tuple[SourceSlice, ...], ...]:
    return tuple(
        tuple(SourceSlice(plane.dataset, plane.frame) for plane in frame) for frame in stack.planes
    )


def _modality_told(series: Series) -> tuple[str, ...]:
    if series.modality == "MR":
        return ()
    found = series.modality or "not told"
    return (f"the modality is {found}, not MR: the models have learnt MR images only",)


def _value_notes(planes: Sequence[Plane]) -> tuple[str, ...]:
    if any(text(p.dataset, "PhotometricInterpretation") == "MONOCHROME1" for p in planes):
        return ("low values are bright (MONOCHROME1): intensities were reversed",)
    return ()


def _require_size(planes: Sequence[Plane]) -> None:
    for plane in planes:
        if max(plane.columns, plane.rows) > LARGEST_SIDE:
            raise FormatError(
                f"{plane.file.name}: {plane.columns} x {plane.rows} pixels: its header is damaged, "
                "or it is no MR image"
            )
    size = sum(plane.columns * plane.rows for plane in planes) * np.dtype(np.float32).itemsize
    if size > LARGEST_BYTES:
        raise FormatError(
            f"its headers promise {size / 2**30:.0f} GiB of intensities, more than "
            f"{LARGEST_BYTES // 2**30}: damaged, or no cardiac series"
        )


def _geometry(stack: Stack) -> tuple[Geometry, tuple[str, ...]]:
    """The grid in RAS+ mm: slices by their positions, a sheared stack kept as it is and told."""
    slices = stack.planes[0]
    first = slices[0]
    notes: tuple[str, ...] = ()
    if len(slices) > 1:
        across: Float64Array = (slices[-1].position - first.position) / (len(slices) - 1)
    else:
        across, notes = _single(first)
    affine = np.eye(4)
    affine[:3, 0] = first.along_row * first.spacing[0]
    affine[:3, 1] = first.along_column * first.spacing[1]
    affine[:3, 2] = across
    affine[:3, 3] = first.position
    geometry = Geometry((first.columns, first.rows, len(slices)), ras_from_lps(affine))
    if not geometry.is_orthogonal:
        angle = math.degrees(math.acos(geometry.shear))
        notes = (*notes, f"a sheared stack: two of its axes meet at {angle:.1f} degrees, not 90")
    return geometry, notes


def _single(plane: Plane) -> tuple[Float64Array, tuple[str, ...]]:
    depth = plane.thickness or plane.spacing_between
    if depth is None:
        raise GeometryError(
            f"{plane.file.name}: a single slice without SliceThickness: its volume is unknown; "
            "name the folder with the whole stack, or export the series again"
        )
    across: Float64Array = plane.normal * depth
    return across, (f"a single slice; its thickness, {depth:.4g} mm, is taken as its depth",)


def _arrays(stack: Stack) -> list[Float32Array]:
    """Intensities (columns, rows, slices) of each frame; every file is read once."""
    first = stack.planes[0][0]
    shape = (first.columns, first.rows, len(stack.planes[0]))
    arrays: list[Float32Array] = [np.empty(shape, np.float32, order="F") for _ in stack.planes]
    by_file: dict[DicomFile, list[tuple[int, int, Plane]]] = {}
    for t, frame in enumerate(stack.planes):
        for k, plane in enumerate(frame):
            by_file.setdefault(plane.file, []).append((t, k, plane))
    for file, places in by_file.items():
        dataset = read_dataset(file, pixels=True)
        for t, k, plane in places:
            arrays[t][:, :, k] = scaled(stored_pixels(plane, dataset), plane, dataset).T
    for array in arrays:
        array.setflags(write=False)
    return arrays


def _same_pixels(one: Plane, other: Plane) -> bool:
    return np.array_equal(_values(one), _values(other))


def _values(plane: Plane) -> Float32Array:
    dataset: Dataset = read_dataset(plane.file, pixels=True)
    return scaled(stored_pixels(plane, dataset), plane, dataset)
