"""A scan from any file that is read: NIfTI, NRRD and MetaImage, still or cine, and DICOM series."""

from __future__ import annotations

from pathlib import Path

from cardioseg.core.scan import Scan
from cardioseg.io.dicom import holds_dicom
from cardioseg.io.images import is_picture, notes_of, read_frames
from cardioseg.io.itk_file import is_itk
from cardioseg.io.nifti_file import read_header

SHORTEST_BEAT_MS, LONGEST_BEAT_MS = 250.0, 3000.0
"""A cycle of 240 and of 20 beats a minute: what a cine of one heartbeat may take."""

_UNSET_MS = 1000.0
"""What a header says that nobody set: one second, too long between the frames of a beat."""


def read_scan(path: str | Path, series: str | int | None = None) -> Scan:
    """Read one input, whatever its format.

    Parameters
    ----------
    path
        A NIfTI, NRRD, MetaImage or PNG file; or a folder, a file or a zip of DICOM.
    series
        Number, description or UID of the DICOM series; None takes the only one.

    Warns
    -----
    ReadWarning
        What the header leaves open or contradicts; the same words are in the scan's notes.

    Raises
    ------
    FormatError, GeometryError
        As :func:`cardioseg.io.images.read_frames` and :func:`cardioseg.io.dicom.read_series`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from cardioseg.core.geometry import Geometry
    >>> from cardioseg.core.volume import Volume
    >>> from cardioseg.io.nifti import write_volume
    >>> image = Volume(np.ones((4, 5, 6), np.float32), Geometry((4, 5, 6), np.eye(4)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_volume(image, Path(folder) / "case.nii.gz")
    ...     read_scan(Path(folder) / "case.nii.gz").is_cine
    False
    """
    source = Path(path)
    if source.exists() and holds_dicom(source):
        from cardioseg.io.dicom import choose_series, find_series, read_series

        return read_series(choose_series(find_series(source), series, source)).scan
    frames = read_frames(source)
    times, notes = times_of(source)
    return Scan(frames, times, notes=(*notes_of(source), *notes))


def times_of(path: str | Path) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Time of each frame of a NIfTI cine in ms, the first at 0, and what to know about them.

    Empty for a still image and another format, and where the header gives no unit of time, leaves
    the 1 s that many programs write unasked, or the frames together would not take as long as a
    heartbeat does.
    """
    if is_itk(path) or is_picture(path):
        return (), ()
    header = read_header(path)
    if header.frame_ms is None or header.frame_ms == _UNSET_MS:
        return (), ()
    step, count = header.frame_ms, header.frames
    if SHORTEST_BEAT_MS <= step * count <= LONGEST_BEAT_MS:
        return tuple(step * number for number in range(count)), ()
    told = f"{count} frames {step:g} ms apart by the header: no heartbeat, so times are unknown"
    return (), (told,)
