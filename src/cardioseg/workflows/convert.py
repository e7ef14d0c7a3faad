"""From one file format to another, with nothing lost on the way."""

from __future__ import annotations

from pathlib import Path

from cardioseg.core.labels import LabelScheme
from cardioseg.errors import FormatError, OutputExistsError
from cardioseg.io.header_scheme import require_told
from cardioseg.io.images import (
    read_exact,
    read_frame_ms,
    read_geometry,
    read_label_frames,
    write_exact,
    write_label_frames,
)
from cardioseg.io.itk_file import is_itk


def convert_file(
    source: Path, target: Path, scheme: LabelScheme | None = None, *, force: bool = False
) -> str:
    """Write an image or a label map in the format that the target's name tells.

    Grid, frames, values and their type are kept, and from NIfTI to NIfTI the time between frames;
    free text of the header is not.

    Parameters
    ----------
    source
        NIfTI, NRRD, MetaImage or PNG.
    target
        Ends in `.nii`, `.nii.gz`, `.nrrd`, `.seg.nrrd` or `.mha`.
    scheme
        What the numbers of a label map mean, not against what its header tells; needed where names
        are read or written.
    force
        Overwrite the target.

    Returns
    -------
    str
        What was written, in words.

    Raises
    ------
    OutputExistsError
        If the target is there and `force` is not set.
    FormatError, GeometryError, LabelError
        If the source cannot be read, its header tells another scheme, or something would be lost:
        the names of segments, frames in a segmentation, a type or a grid that the target cannot
        hold.
    """
    if target.exists() and not force:
        raise OutputExistsError(f"{target}: is already there; add --force to overwrite it")
    frame_ms = read_frame_ms(source)
    if scheme is not None:
        require_told(source, scheme)
        maps = read_label_frames(source, scheme)
        geometry, kind = maps[0].geometry, f"labels of {scheme.name}"
        write_label_frames(maps, target, frame_ms=frame_ms)
        count = len(maps)
    else:
        geometry, frames = read_exact(source)
        write_exact(geometry, frames, target, frame_ms)
        count, kind = len(frames), f"{frames[0].dtype.name} values"
    if not read_geometry(target).is_same(geometry):
        target.unlink()
        raise FormatError(f"{target}: this format cannot hold the grid {geometry.describe()}")
    frames_told = "" if count == 1 else f", {count} frames"
    if count > 1 and frame_ms is not None:
        frames_told += f" of {frame_ms:g} ms" + (" (not kept)" if is_itk(target) else "")
    return f"{target}: {geometry.describe()}{frames_told}, {kind}"
