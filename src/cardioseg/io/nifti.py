"""NIfTI files: volumes, label maps and scores, on their grid in the patient.

What the formats share, such as parameters and errors, is told in `cardioseg.io.images`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import FormatError, ReadWarning
from cardioseg.io.frames import (
    common_grid,
    common_scheme,
    labels_told,
    only,
    scores_told,
    stacked,
    translated,
)
from cardioseg.io.nifti_file import naming, read_header, read_stored, write_array
from cardioseg.io.nifti_header import NiftiHeader
from cardioseg.io.values import intensities, whole_numbers

SCORES_INTENT = "class scores"
"""Name in the header of a file of scores, so that its classes are not taken for frames."""


def read_geometry(path: str | Path) -> Geometry:
    """Read the grid alone, without unpacking a voxel and without warnings.

    Raises
    ------
    FormatError, GeometryError
        As :func:`cardioseg.io.nifti_file.read_header`.
    """
    return read_header(path).geometry


def read_volume(path: str | Path) -> Volume:
    """Read one image of NIfTI-1 or NIfTI-2 as :func:`cardioseg.io.images.read_volume` does.

    Returns
    -------
    Volume
        Scaled as the header says, on the grid of its sform if that is set, else of its qform;
        lengths converted to mm.

    Examples
    --------
    >>> import tempfile
    >>> image = Volume(np.ones((4, 5, 6), np.float32), Geometry((4, 5, 6), np.eye(4)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_volume(image, Path(folder) / "case.nii.gz")
    ...     read_volume(Path(folder) / "case.nii.gz").geometry.orientation
    'RAS'
    """
    return only(read_frames(path), path)


def read_frames(path: str | Path) -> tuple[Volume, ...]:
    """Read all frames of a cine, (I, J, K, T) in the file; a still image is one frame."""
    header, stored = _read(path)
    with naming(path):
        return tuple(
            Volume(intensities(frame, header.slope, header.intercept), header.geometry)
            for frame in _split(stored, header)
        )


def read_labels(
    path: str | Path, scheme: LabelScheme, source_values: Mapping[int, int] | None = None
) -> LabelMap:
    """Read one label map as :func:`cardioseg.io.images.read_labels` does."""
    return only(read_label_frames(path, scheme, source_values), path)


def read_label_frames(
    path: str | Path, scheme: LabelScheme, source_values: Mapping[int, int] | None = None
) -> tuple[LabelMap, ...]:
    """Read the label maps of all frames."""
    header, stored = _read(path)
    with naming(path):
        return tuple(
            LabelMap(translated(frame, scheme, source_values), header.geometry, scheme)
            for frame in (
                whole_numbers(each, header.slope, header.intercept)
                for each in _split(stored, header)
            )
        )


def read_exact(path: str | Path) -> tuple[Geometry, tuple[NDArray[Any], ...]]:
    """Read all frames without rounding: as stored, in float64 where the header scales them."""
    header, stored = _read(path)
    if header.is_scaled:
        stored = stored * np.float64(header.slope) + header.intercept
    return header.geometry, tuple(_split(stored, header))


def read_scores(path: str | Path) -> tuple[NDArray[np.float32], Geometry]:
    """Read class scores: float32 (C, I, J, K), and their grid; undoes :func:`write_scores`.

    Raises
    ------
    FormatError, GeometryError
        As :func:`read_volume`; also if the file has no fourth axis or more than four.
    """
    header, stored = read_stored(path)
    _tell(header, path)
    if len(header.shape) != 4:
        raise FormatError(f"{path}: shape {header.shape}; scores are (I, J, K, classes)")
    with naming(path):
        scores = [
            Volume(intensities(each, header.slope, header.intercept), header.geometry)
            for each in _frames(stored)
        ]
    return np.stack([each.array for each in scores]), header.geometry


def write_volume(volume: Volume, path: str | Path) -> None:
    """Write an image as float32 NIfTI-1."""
    write_array(path, volume.array, volume.geometry, "cardioseg image")


def write_frames(frames: Sequence[Volume], path: str | Path, frame_ms: float | None = None) -> None:
    """Write the frames of a cine, so far apart in time, as one 4-D file (I, J, K, T)."""
    geometry = common_grid([frame.geometry for frame in frames], path)
    array = np.stack([frame.array for frame in frames], axis=-1)
    write_array(path, array, geometry, "cardioseg cine", frame_ms=frame_ms)


def write_exact(
    geometry: Geometry,
    frames: Sequence[NDArray[Any]],
    path: str | Path,
    frame_ms: float | None = None,
) -> None:
    """Write frames in the type that they have."""
    array = stacked(frames)
    little_endian = array.astype(array.dtype.newbyteorder("<"))
    write_array(path, little_endian, geometry, "cardioseg image", frame_ms=frame_ms)


def write_labels(labels: LabelMap, path: str | Path, model_id: str = "") -> None:
    """Write a label map as uint8 NIfTI-1, as :func:`cardioseg.io.images.write_labels` does.

    Examples
    --------
    >>> import tempfile
    >>> from cardioseg.core.labels import ACDC
    >>> grid = Geometry((4, 5, 6), np.diag([1.5, 1.5, 8.0, 1.0]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "case.nii.gz"
    ...     write_labels(LabelMap(np.full((4, 5, 6), 3, np.uint8), grid, ACDC), path)
    ...     read_labels(path, ACDC).volume_ml("LV cavity")
    2.16
    """
    told = labels_told(labels.scheme, model_id)
    write_array(path, labels.array, labels.geometry, told, ("label", ""))


def write_label_frames(
    frames: Sequence[LabelMap],
    path: str | Path,
    model_id: str = "",
    frame_ms: float | None = None,
) -> None:
    """Write the label maps of a cine, so far apart in time, as one 4-D file (I, J, K, T)."""
    geometry = common_grid([frame.geometry for frame in frames], path)
    scheme = common_scheme(frames, path)
    array = np.stack([frame.array for frame in frames], axis=-1)
    write_array(path, array, geometry, labels_told(scheme, model_id), ("label", ""), frame_ms)


def write_scores(
    scores: NDArray[np.floating],
    geometry: Geometry,
    path: str | Path,
    model_id: str = "",
    scheme: LabelScheme | None = None,
) -> None:
    """Write class scores (C, I, J, K) as a 4-D float32 file with the classes last, (I, J, K, C).

    The header names them 'class scores', so that they are not read as the frames of a cine, and the
    scheme whose classes they are.
    Half precision is written as float32: NIfTI has no 16-bit floating type.

    Raises
    ------
    FormatError
        If the shape is not (C, *grid) with two classes or more, or the file cannot be written.
    """
    if scores.shape[1:] != geometry.shape or scores.shape[0] < 2:
        raise FormatError(
            f"{path}: scores of shape {scores.shape} on a grid of shape {geometry.shape}; "
            "give (classes, I, J, K), two classes or more"
        )
    array = np.moveaxis(scores, 0, -1).astype(np.float32)
    told = scores_told(scheme, model_id)
    write_array(path, array, geometry, told, ("estimate", SCORES_INTENT))


def _read(path: str | Path) -> tuple[NiftiHeader, NDArray[Any]]:
    """Header and stored numbers of an image or a cine, its header's contradictions told."""
    header, stored = read_stored(path)
    if len(header.shape) > 4:
        raise FormatError(
            f"{path}: {len(header.shape)} axes {header.shape}; save volumes (I, J, K) or a cine "
            "(I, J, K, T)"
        )
    if header.intent == SCORES_INTENT:
        raise FormatError(f"{path}: class scores, not an image; name an image or a label map")
    _tell(header, path)
    return header, stored


def _tell(header: NiftiHeader, path: str | Path) -> None:
    for note in header.notes:
        warnings.warn(f"{path}: {note}", ReadWarning, stacklevel=4)


def _split(stored: NDArray[Any], header: NiftiHeader) -> list[NDArray[Any]]:
    return [stored] if len(header.shape) == 3 else _frames(stored)


def _frames(stored: NDArray[Any]) -> list[NDArray[Any]]:
    return [stored[..., index] for index in range(stored.shape[-1])]
