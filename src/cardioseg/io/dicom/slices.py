"""A stack from named DICOM files, and which file each of its slices came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.volume import Volume
from cardioseg.errors import FormatError
from cardioseg.io.dicom.files import DicomFile, is_dicom_file
from cardioseg.io.dicom.header import read_dataset, text
from cardioseg.io.dicom.read import read_series
from cardioseg.io.dicom.series import series_of


@dataclass(frozen=True, eq=False)
class FileStack:
    """A volume of shape (columns, rows, slices), and which file of the list each slice is."""

    volume: Volume
    order: tuple[int, ...]


def read_stack(files: Sequence[Path]) -> FileStack:
    """Read files of one series, one image a file, as one stack.

    Raises
    ------
    FormatError
        If a file is missing, empty or no DICOM, or the files hold several series or frames.
    GeometryError
        If they are no regular stack.
    """
    members = [DicomFile(path) for path in files]
    for member in members:
        with member.opened() as stream:
            if not stream.read(1):
                raise FormatError(f"{member.path}: the file is empty; copy or export it again")
        if not is_dicom_file(member):
            raise FormatError(f"{member.path}: not a DICOM file; copy or export it again")
    source = read_series(series_of(members))
    if len(source.scan.frames) != 1:
        raise FormatError(
            f"{files[0].parent}: {len(source.scan.frames)} images at one place, where a stack has "
            "one; name the files of one phase"
        )
    uids = [
        text(read_dataset(each, tags=("SOPInstanceUID",)), "SOPInstanceUID") for each in members
    ]
    order = tuple(uids.index(each.sop_instance_uid) for each in source.sources[0])
    return FileStack(source.scan.frames[0], order)
