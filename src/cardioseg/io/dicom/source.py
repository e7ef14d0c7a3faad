"""Where a scan came from: for each frame and slice, the DICOM object that holds it."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom import Dataset

from cardioseg.core.scan import Scan
from cardioseg.errors import FormatError


@dataclass(frozen=True, eq=False)
class SourceSlice:
    """One slice of a scan in the DICOM object that it was read from.

    The header carries the patient's identity: it is for objects that an archive stores beside
    their source (SEG, SR), never for a log, a message, a name or any other file.

    Parameters
    ----------
    dataset
        The object's whole data set with its file meta information (`dataset.file_meta`), without
        pixel data; slices of one multi-frame object share it. Not to be changed.
    frame_number
        Number of the frame in a multi-frame object, from 1; None for a single-frame object.
    """

    dataset: Dataset
    frame_number: int | None = None

    @property
    def sop_class_uid(self) -> str:
        """What kind of object it is."""
        return str(self.dataset.SOPClassUID)

    @property
    def sop_instance_uid(self) -> str:
        """Which object it is."""
        return str(self.dataset.SOPInstanceUID)


@dataclass(frozen=True, eq=False)
class DicomScan:
    """A scan and the slices that it was read from.

    `scan.frames[phase].array[:, :, k].T` has the rows and columns of the pixels of
    `sources[phase][k]`: the first array axis runs along a row (the column index grows), the second
    down a column (the row index grows), the third along the stack.

    Parameters
    ----------
    scan
        Frames, times, body and notes.
    sources
        One tuple a frame, in it one slice a plane along the third array axis.

    Raises
    ------
    FormatError
        If frames or slices of the scan and of its sources differ in number.
    """

    scan: Scan
    sources: tuple[tuple[SourceSlice, ...], ...]

    def __post_init__(self) -> None:
        depth = self.scan.frames[0].geometry.shape[2]
        if len(self.sources) != len(self.scan.frames):
            raise FormatError(f"sources of {len(self.sources)} of {len(self.scan.frames)} frames")
        if any(len(slices) != depth for slices in self.sources):
            raise FormatError(f"every frame needs the sources of its {depth} slices")
