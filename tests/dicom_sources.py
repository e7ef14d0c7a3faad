"""Synthetic DICOM series on any grid, as a scanner would write them, of an invented patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from scipy.spatial.transform import Rotation

from cardioseg.core.geometry import Geometry
from cardioseg.core.scan import Scan
from cardioseg.core.volume import Volume
from cardioseg.io.dicom.source import DicomScan, SourceSlice

LPS = np.array([-1.0, -1.0, 1.0])

EIGHT = tuple((i, j, k) for i in (1, -1) for j in (1, -1) for k in (1, -1))
"""Signs of the three axes: every mirroring of a grid."""


def oblique_grid(shape=(14, 11, 6), spacing=(1.25, 1.5, 8.0), signs=(1, 1, 1)) -> Geometry:
    """A short-axis-like grid, turned about three axes, with mirrored axes where a sign is -1."""
    turn = Rotation.from_euler("xyz", (34.0, -48.0, 21.0), degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing * np.array(signs)
    affine[:3, 3] = (-12.3, 45.6, -7.8)
    return Geometry(shape, affine)


def dicom_scan(grid: Geometry, frames: np.ndarray | None = None, phases: int = 1) -> DicomScan:
    """A cine of single-frame MR images, written interleaved: instance numbers don't follow place.

    Parameters
    ----------
    grid
        Its third axis is the stack's.
    frames
        Intensities (T, I, J, K), 0 to 4095; None draws them.
    """
    if frames is None:
        frames = np.random.default_rng(3).integers(0, 1000, (phases, *grid.shape))
    study, series, place = (generate_uid(prefix=None) for _ in range(3))
    sources = tuple(
        tuple(
            SourceSlice(_header(grid, (t, k, len(frames)), (study, series, place)))
            for k in range(grid.shape[2])
        )
        for t in range(len(frames))
    )
    volumes = tuple(Volume(frame.astype(np.float32), grid) for frame in frames)
    times = tuple(40.0 * t for t in range(len(frames)))
    return DicomScan(Scan(volumes, times), sources)


def write_scan(scan: DicomScan, folder: Path) -> list[Path]:
    """The scan's images as files, in an order and under names that tell nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for frame, slices in zip(scan.scan.frames, scan.sources, strict=True):
        for k, source in enumerate(slices):
            image = Dataset()
            image.update(source.dataset)
            image.file_meta = source.dataset.file_meta
            image.PixelData = frame.array[:, :, k].T.astype("<u2").tobytes()
            path = folder / f"I{hash(source.sop_instance_uid) & 0xFFFFFF:07}.dcm"
            image.save_as(path, enforce_file_format=True)
            paths.append(path)
    return sorted(paths)


def _header(grid: Geometry, number: tuple[int, int, int], uids: tuple[str, str, str]) -> Dataset:
    t, k, phases = number
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = MRImageStorage
    header.SOPInstanceUID = generate_uid(prefix=None)
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID = uids
    header.PatientName, header.PatientID = "Probe^Invented", "INVENTED-0815"
    header.PatientBirthDate, header.PatientSex = "19700101", "F"
    header.PatientSize, header.PatientWeight = "1.68", "61"
    header.AccessionNumber, header.StudyID = "ACC-4711", "S1"
    header.StudyDate, header.StudyTime = "20200102", "030405"
    header.SeriesDate, header.SeriesTime = "20200102", "030500"
    header.ContentDate, header.ContentTime = "20200102", "030600"
    header.StudyDescription, header.SeriesDescription = "Heart", "sax cine"
    header.ReferringPhysicianName = "Doctor^Invented"
    header.Manufacturer, header.ManufacturerModelName = "Invented", "Scanner"
    header.Modality, header.SeriesNumber, header.PatientPosition = "MR", 5, "HFS"
    header.PositionReferenceIndicator, header.Laterality = "", ""
    header.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    header.ScanningSequence, header.SequenceVariant, header.ScanOptions = "GR", "SS", ""
    header.MRAcquisitionType, header.EchoTrainLength = "2D", 1
    header.RepetitionTime, header.EchoTime = "3.2", "1.4"
    # Counted from the stack's far end: order of instances is not order of places along our axis.
    header.AcquisitionNumber = 1
    header.InstanceNumber = (grid.shape[2] - 1 - k) * phases + t + 1
    header.TriggerTime, header.CardiacNumberOfImages = f"{40 * t}", phases
    cosines = (grid.directions * LPS[:, None])[:, :2].T.ravel()
    header.ImageOrientationPatient = [f"{c:.10f}"[:16] for c in cosines]
    start = grid.to_world((0, 0, k)) * LPS
    header.ImagePositionPatient = [f"{p:.8f}"[:16] for p in start]
    across, down, along = grid.spacing
    header.PixelSpacing = [f"{down:.6g}", f"{across:.6g}"]
    header.SliceThickness = header.SpacingBetweenSlices = f"{along:.6g}"
    header.Rows, header.Columns = grid.shape[1], grid.shape[0]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    header.PixelRepresentation = 0
    return header
