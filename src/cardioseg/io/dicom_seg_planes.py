"""Frames of a SEG: their places and their sources."""

from __future__ import annotations

from collections.abc import Sequence

import highdicom
import numpy as np
from highdicom.seg import Segmentation
from pydicom import Dataset
from pydicom.uid import MRImageStorage

from cardioseg.core.geometry import Float64Array, Geometry
from cardioseg.io.dicom.source import SourceSlice
from cardioseg.io.dicom_objects import concept
from cardioseg.io.patient_space import lps_from_ras

_SEGMENTATION = ("DCM", "113076", "Segmentation")
_SOURCE_IMAGE = ("DCM", "121322", "Source image for image processing operation")

_OF_SEVERAL_FRAMES = (
    "SOPClassUID",
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)


def positions_of(grid: Geometry) -> list[highdicom.PlanePositionSequence]:
    """Where the slices of a grid lie, as highdicom takes it."""
    return [
        highdicom.PlanePositionSequence("PATIENT", image_position=start) for start in _starts(grid)
    ]


def header_on(grid: Geometry, header: Dataset) -> Dataset:
    """A header as an image of a single frame on the first slice of a grid would have it.

    The labels are on the grid, but highdicom takes distances from its source image whatever it is
    told, and a header may claim others than the positions have, or none.

    Parameters
    ----------
    grid
        The grid.
    header
        Of one of the source objects; changed in place.

    Returns
    -------
    Dataset
        The header.
    """
    cosines = lps_from_ras(grid.directions)[:, :2].T
    across, down, along = grid.spacing
    for name in _OF_SEVERAL_FRAMES:
        header.pop(name, None)
    header.SOPClassUID = MRImageStorage
    for (item,) in (
        positions_of(grid)[0],
        highdicom.PlaneOrientationSequence("PATIENT", image_orientation=cosines.ravel().tolist()),
        highdicom.PixelMeasuresSequence(
            pixel_spacing=(down, across), slice_thickness=along, spacing_between_slices=along
        ),
    ):
        header.update(item)
    return header


def name_source_frames(seg: Segmentation, slices: Sequence[SourceSlice], grid: Geometry) -> None:
    """Refer each frame to the source frame of its own phase and to no other at its place.

    Parameters
    ----------
    seg
        Made from the header of one of the slices' objects; changed in place.
    slices
        The source of each slice along the grid's third axis.
    grid
        The grid.
    """
    starts = _starts(grid)
    for item in seg.PerFrameFunctionalGroupsSequence:
        here = np.array(item.PlanePositionSequence[0].ImagePositionPatient, np.float64)
        nearest = int(np.linalg.norm(starts - here, axis=1).argmin())
        item.DerivationImageSequence = [_derivation(slices[nearest])]
    references = [_reference(each) for each in _objects(slices)]
    seg.SourceImageSequence = references
    by_series: dict[str, list[Dataset]] = {}
    for each in _objects(slices):
        uid = str(each.dataset.SeriesInstanceUID)
        by_series.setdefault(uid, []).append(_reference(each))
    seg.ReferencedSeriesSequence = [_series(*each) for each in by_series.items()]


def _starts(grid: Geometry) -> Float64Array:
    """Where the first voxel of each slice lies, (slices, 3) in LPS+."""
    return lps_from_ras(grid.to_world([(0, 0, k) for k in range(grid.shape[2])]).T).T


def _objects(slices: Sequence[SourceSlice]) -> list[SourceSlice]:
    """One slice of each source object."""
    return list({each.sop_instance_uid: each for each in slices}.values())


def _series(uid: str, instances: list[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = uid
    series.ReferencedInstanceSequence = instances
    return series


def _reference(source: SourceSlice) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = source.sop_class_uid
    reference.ReferencedSOPInstanceUID = source.sop_instance_uid
    return reference


def _derivation(source: SourceSlice) -> Dataset:
    image = _reference(source)
    image.PurposeOfReferenceCodeSequence = [concept(_SOURCE_IMAGE)]
    image.SpatialLocationsPreserved = "YES"
    if source.frame_number is not None:
        image.ReferencedFrameNumber = source.frame_number
    derivation = Dataset()
    derivation.DerivationCodeSequence = [concept(_SEGMENTATION)]
    derivation.SourceImageSequence = [image]
    return derivation
