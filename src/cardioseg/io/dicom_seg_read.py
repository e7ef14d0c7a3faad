"""Recognise a SEG on disk as the one of a label map, so that a report may refer to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from cardioseg.core.volume import LabelMap
from cardioseg.io.dicom.source import DicomScan
from cardioseg.io.dicom_seg_file import SegFile, Segment


def read_seg_file(path: Path, phase: int, labels: LabelMap, source: DicomScan) -> SegFile | None:
    """What a report needs of a SEG, if the file is one of these labels on these images.

    Parameters
    ----------
    path
        The file; it need not exist.
    phase
        Which frame of the scan the labels are of.
    labels
        The label map that the SEG should hold.
    source
        The scan and its DICOM slices.

    Returns
    -------
    SegFile or None
        None where there is no file, or it is of other images, structures or voxels: a report must
        not refer to what an earlier run has left.
    """
    if not path.is_file():
        return None
    try:
        seg = dcmread(path)
        if not _is_of(seg, phase, labels, source):
            return None
        segments = tuple(
            Segment(
                str(item.SegmentLabel),
                int(item.SegmentNumber),
                str(item.TrackingID),
                str(item.TrackingUID),
            )
            for item in seg.SegmentSequence
        )
        uids = (str(seg.SOPInstanceUID), str(seg.SeriesInstanceUID))
    except (InvalidDicomError, AttributeError, ValueError, LookupError, TypeError):
        return None  # of another program, whose SEG may lack what ours have
    return SegFile(path, phase, *uids, segments)


def _is_of(seg: Dataset, phase: int, labels: LabelMap, source: DicomScan) -> bool:
    """Whether every frame of a SEG is the slice of these labels that its source image has."""
    places = {
        (each.sop_instance_uid, each.frame_number): k
        for k, each in enumerate(source.sources[phase])
    }
    names = [s.name for s in labels.scheme.structures]
    if [item.SegmentLabel for item in seg.SegmentSequence] != names:
        return False
    frames = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    for frame, item in zip(frames, seg.PerFrameFunctionalGroupsSequence, strict=True):
        image = item.DerivationImageSequence[0].SourceImageSequence[0]
        number = item.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        k = places.get((image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber")))
        if k is None or not np.array_equal(frame > 0, (labels.array[:, :, k] == number).T):
            return False
    return True
