"""NRRD and MetaImage files: volumes and label maps, on their grid in the patient."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import FormatError, ReadWarning
from cardioseg.io.frames import common_grid, common_scheme, labels_told, stacked, translated
from cardioseg.io.itk_file import read_itk, read_itk_header, write_itk
from cardioseg.io.itk_header import ItkHeader
from cardioseg.io.nifti_file import naming
from cardioseg.io.segments import (
    SEGMENTATION_SUFFIX,
    scheme_values,
    segment_fields,
    segments,
)
from cardioseg.io.values import intensities, whole_numbers


def read_geometry(path: str | Path) -> Geometry:
    """Read the grid alone; errors as :func:`cardioseg.io.itk_file.read_itk_header`."""
    return read_itk_header(path)[1]


def read_frames(path: str | Path) -> tuple[Volume, ...]:
    """Read all frames of a cine; a still image is one frame.

    Parameters
    ----------
    path
        `.nrrd`, `.nhdr`, `.mha` or `.mhd`.

    Returns
    -------
    tuple of Volume
        Float32, on the grid that ITK places, in RAS+ mm.

    Warns
    -----
    ReadWarning
        If the header sets no patient space, or the grid is sheared.

    Raises
    ------
    FormatError
        If the file is missing, truncated, damaged, in colour, 2-D, or holds NaN.
    GeometryError
        If its voxels cannot be placed.
    """
    _, geometry, frames = _read(path)
    with naming(path):
        return tuple(Volume(intensities(frame), geometry) for frame in frames)


def read_label_frames(
    path: str | Path, scheme: LabelScheme, source_values: Mapping[int, int] | None = None
) -> tuple[LabelMap, ...]:
    """Read the label maps of all frames.

    A segmentation of 3D Slicer is read by the names of its segments, whatever their numbers.

    Parameters
    ----------
    path
        A file as :func:`read_frames` takes it, of whole numbers.
    scheme
        What the numbers, or the segments' names, mean.
    source_values
        File value to scheme value, where a data set has its own numbers; names are not read then.

    Raises
    ------
    LabelError
        If a value or a segment's name is not in the scheme.
    FormatError, GeometryError
        As :func:`read_frames`; also if segments lie in several layers.
    """
    header, geometry, frames = _read(path)
    with naming(path):
        found = segments(header.fields) if source_values is None else ()
        maps = []
        for frame in frames:
            numbers = whole_numbers(frame)
            table = scheme_values(found, numbers, scheme) if found else source_values
            maps.append(LabelMap(translated(numbers, scheme, table), geometry, scheme))
    return tuple(maps)


def read_exact(path: str | Path) -> tuple[Geometry, tuple[NDArray[Any], ...]]:
    """Read all frames as stored.

    Raises
    ------
    FormatError, GeometryError
        As :func:`read_frames`; also if it is a segmentation, whose names would be lost.
    """
    header, geometry, frames = _read(path)
    if segments(header.fields):
        raise FormatError(
            f"{path}: a segmentation, whose names and colours would be lost; name the scheme that "
            "tells its structures (--scheme)"
        )
    return geometry, frames


def write_frames(frames: Sequence[Volume], path: str | Path) -> None:
    """Write an image, or the frames of a cine, as float32; errors as `write_itk`."""
    geometry = common_grid([frame.geometry for frame in frames], path)
    write_exact(geometry, [frame.array for frame in frames], path)


def write_exact(geometry: Geometry, frames: Sequence[NDArray[Any]], path: str | Path) -> None:
    """Write frames in the type that they have; errors as `write_itk`."""
    if is_segmentation(path):
        raise FormatError(
            f"{path}: an image cannot be written as a segmentation, and labels only with the "
            "scheme that names them (--scheme); else end the name in .nrrd"
        )
    write_itk(path, stacked(frames), geometry, {"cardioseg": "image"})


def write_label_frames(frames: Sequence[LabelMap], path: str | Path, model_id: str = "") -> None:
    """Write a label map, or those of a cine, as uint8; `.seg.nrrd` is a 3D Slicer segmentation.

    Raises
    ------
    FormatError
        If the name has another suffix, a cine is to be a `.seg.nrrd`, or the file cannot be
        written.
    GeometryError
        If the frames lie on different grids.
    LabelError
        If they use different schemes.
    """
    geometry = common_grid([frame.geometry for frame in frames], path)
    fields = {"cardioseg": labels_told(common_scheme(frames, path), model_id)}
    if is_segmentation(path):
        if len(frames) != 1:
            raise FormatError(
                f"{path}: a segmentation of 3D Slicer holds one frame, not {len(frames)}; write "
                ".nrrd, or a file a frame"
            )
        fields |= segment_fields(frames[0])
    write_itk(path, stacked([frame.array for frame in frames]), geometry, fields)


def is_segmentation(path: str | Path) -> bool:
    """Whether 3D Slicer takes a file of this name for a segmentation."""
    return Path(path).name.lower().endswith(SEGMENTATION_SUFFIX)


def _read(path: str | Path) -> tuple[ItkHeader, Geometry, tuple[NDArray[Any], ...]]:
    """Header, grid and stored numbers, what the header leaves open told."""
    header, geometry, frames = read_itk(path)
    for note in header.notes:
        warnings.warn(f"{path}: {note}", ReadWarning, stacklevel=4)
    return header, geometry, frames
