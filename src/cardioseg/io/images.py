"""Image and label files of every format, chosen by the end of the name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.io import image, nifti, picture
from cardioseg.io.frames import model_in, only
from cardioseg.io.header_scheme import described
from cardioseg.io.itk_file import is_itk, read_itk_header
from cardioseg.io.nifti_file import read_header


def is_picture(path: str | Path) -> bool:
    """Whether the name is that of a picture of two axes.

    Examples
    --------
    >>> is_picture("cells.png"), is_picture("heart.nii.gz")
    (True, False)
    """
    return Path(path).name.lower().endswith(picture.PICTURE_SUFFIXES)


def notes_of(path: str | Path) -> tuple[str, ...]:
    """What a file's header leaves open or contradicts; readers tell the same as warnings."""
    if is_picture(path):
        return picture.notes_of(path)
    return (read_itk_header(path)[0] if is_itk(path) else read_header(path)).notes


def read_geometry(path: str | Path) -> Geometry:
    """Read the grid alone; but of a picture without unpacking a voxel.

    Raises
    ------
    FormatError, GeometryError
        As :func:`read_volume`.
    """
    if is_picture(path):
        return picture.read_geometry(path)
    return image.read_geometry(path) if is_itk(path) else nifti.read_geometry(path)


def read_frame_ms(path: str | Path) -> float | None:
    """What the header says of the time between frames; None where it says nothing, as only NIfTI
    can.
    """
    return None if is_itk(path) or is_picture(path) else read_header(path).frame_ms


def read_model_id(path: str | Path) -> str:
    """Id of the model that made a label map, as the header tells; empty where it tells none, as
    that of a picture, of labels drawn by hand, or of a file that cannot be read.
    """
    return model_in(described(path))


def read_volume(path: str | Path) -> Volume:
    """Read one image.

    Parameters
    ----------
    path
        NIfTI (`.nii`, `.nii.gz`), NRRD (`.nrrd`, `.nhdr`), MetaImage (`.mha`, `.mhd`), or a grey
        picture (`.png`). A picture, also as NIfTI of two axes, is one slice.

    Returns
    -------
    Volume
        Float32, on its grid in RAS+ mm.

    Warns
    -----
    ReadWarning
        If the header sets no orientation, contradicts itself, or the grid is sheared.

    Raises
    ------
    FormatError
        If the file is missing, empty, truncated, of another format, in colour, has several frames,
        or holds NaN.
    GeometryError
        If its voxels cannot be placed: zero spacing, a flat grid.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> heart = Volume(np.ones((4, 5, 6), np.float32), Geometry((4, 5, 6), np.eye(4)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_volume(heart, Path(folder) / "case.nrrd")
    ...     read_volume(Path(folder) / "case.nrrd").geometry.orientation
    'RAS'
    """
    return only(read_frames(path), path)


def read_frames(path: str | Path) -> tuple[Volume, ...]:
    """Read all frames of a cine; a still image is one frame.

    Raises
    ------
    FormatError, GeometryError
        As :func:`read_volume`; also if the file has five axes or holds class scores.
    """
    if is_picture(path):
        return picture.read_frames(path)
    return image.read_frames(path) if is_itk(path) else nifti.read_frames(path)


def read_exact(path: str | Path) -> tuple[Geometry, tuple[NDArray[Any], ...]]:
    """Read all frames without rounding, in the stored type (float64 where a header scales).

    Raises
    ------
    FormatError, GeometryError
        As :func:`read_frames`; also if it is a segmentation, whose names would be lost.
    """
    if is_picture(path):
        return picture.read_exact(path)
    return image.read_exact(path) if is_itk(path) else nifti.read_exact(path)


def read_labels(
    path: str | Path, scheme: LabelScheme, source_values: Mapping[int, int] | None = None
) -> LabelMap:
    """Read one label map.

    Parameters
    ----------
    path
        A file as :func:`read_volume` takes it, of whole numbers in any type. A segmentation of
        3D Slicer (`.seg.nrrd`) is read by the names of its segments.
    scheme
        What the numbers mean.
    source_values
        File value to scheme value, where a data set has its own numbers; None where the file
        uses the scheme's.

    Raises
    ------
    LabelError
        If a value is not whole, not in the scheme or not in `source_values`.
    FormatError, GeometryError
        As :func:`read_volume`.
    """
    return only(read_label_frames(path, scheme, source_values), path)


def read_label_frames(
    path: str | Path, scheme: LabelScheme, source_values: Mapping[int, int] | None = None
) -> tuple[LabelMap, ...]:
    """Read the label maps of all frames; parameters and errors as :func:`read_labels`."""
    if is_picture(path):
        return picture.read_label_frames(path, scheme, source_values)
    read = image.read_label_frames if is_itk(path) else nifti.read_label_frames
    return read(path, scheme, source_values)


def write_volume(volume: Volume, path: str | Path) -> None:
    """Write an image as float32, atomically.

    Raises
    ------
    FormatError
        If the name does not end in `.nii`, `.nii.gz`, `.nrrd` or `.mha`, or the file cannot be
        written.
    """
    if is_itk(path):
        image.write_frames((volume,), path)
    else:
        nifti.write_volume(volume, path)


def write_frames(frames: Sequence[Volume], path: str | Path, frame_ms: float | None = None) -> None:
    """Write the frames of a cine as one file; errors as :func:`write_volume`.

    Parameters
    ----------
    frames
        In the order of time, all on one grid.
    path
        As :func:`write_volume` takes it.
    frame_ms
        Time between frames; None where unknown. NIfTI alone holds it.
    """
    if is_itk(path):
        image.write_frames(frames, path)
    else:
        nifti.write_frames(frames, path, frame_ms)


def write_exact(
    geometry: Geometry,
    frames: Sequence[NDArray[Any]],
    path: str | Path,
    frame_ms: float | None = None,
) -> None:
    """Write frames in the type that they have; the rest as :func:`write_frames`."""
    if is_itk(path):
        image.write_exact(geometry, frames, path)
    else:
        nifti.write_exact(geometry, frames, path, frame_ms)


def write_labels(labels: LabelMap, path: str | Path, model_id: str = "") -> None:
    """Write a label map as uint8, atomically; equal labels give equal bytes.

    Parameters
    ----------
    labels
        The label map.
    path
        Ends in `.nii`, `.nii.gz`, `.nrrd`, `.mha`, or `.seg.nrrd`: a segmentation with names and
        colours for 3D Slicer.
    model_id
        Id of the model that made them, for the header.

    Raises
    ------
    FormatError
        If the name ends otherwise, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from cardioseg.core.labels import ACDC
    >>> grid = Geometry((4, 5, 6), np.diag([1.5, 1.5, 8.0, 1.0]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "case.seg.nrrd"
    ...     write_labels(LabelMap(np.full((4, 5, 6), 3, np.uint8), grid, ACDC), path)
    ...     round(read_labels(path, ACDC).volume_ml("LV cavity"), 6)
    2.16
    """
    if is_itk(path):
        image.write_label_frames((labels,), path, model_id)
    else:
        nifti.write_labels(labels, path, model_id)


def write_label_frames(
    frames: Sequence[LabelMap],
    path: str | Path,
    model_id: str = "",
    frame_ms: float | None = None,
) -> None:
    """Write the label maps of a cine as one file; the rest as :func:`write_labels`.

    The time between frames is held by NIfTI alone.

    Raises
    ------
    GeometryError
        If the frames lie on different grids.
    LabelError
        If they use different schemes.
    """
    if is_itk(path):
        image.write_label_frames(frames, path, model_id)
    else:
        nifti.write_label_frames(frames, path, model_id, frame_ms)
