"""A scan from any file that is read: NIfTI, NRRD and MetaImage, still or cine, and DICOM series."""

from __future__ import annotations

from pathlib import Path

from cardioseg.core.scan import Scan
from cardioseg.io.dicom import choose_series, find_series, holds_dicom, read_series
from cardioseg.io.images import notes_of, read_frames


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
        return read_series(choose_series(find_series(source), series, source)).scan
    frames = read_frames(source)
    return Scan(frames, notes=notes_of(source))
