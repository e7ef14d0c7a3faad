"""DICOM series that the tests write themselves: what a scanner would, with an invented patient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)
from scipy.spatial.transform import Rotation

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import Volume

LPS = np.array([-1.0, -1.0, 1.0])
PATIENT = "Invented^Person"
STEP_MS = 40

Edit = Callable[[Dataset, int, int], None]
"""Changes the data set of frame t, slice k; one without pixels is not written."""


def oblique(shape=(12, 10, 6), spacing=(1.25, 1.5, 8.0), signs=(1, 1, 1)) -> Geometry:
    """A short-axis-like grid turned about three axes, axes mirrored where a sign is -1."""
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", (31.0, -52.0, 17.0), degrees=True).as_matrix()
    affine[:3, :3] = turn * spacing * np.array(signs)
    affine[:3, 3] = (12.5, -33.25, 71.0)
    return Geometry(shape, affine)


def noise(grid: Geometry, frames: int = 1) -> NDArray[np.uint16]:
    """Frames (T, I, J, K) of random intensities that differ everywhere."""
    return np.random.default_rng(5).integers(0, 4000, (frames, *grid.shape)).astype(np.uint16)


def write_series(
    folder: Path,
    frames: NDArray[np.uint16],
    grid: Geometry,
    edit: Edit = lambda dataset, t, k: None,
    number: int = 3,
    syntax: str = ExplicitVRLittleEndian,
) -> Path:
    """One file an image, in an order and under names that tell nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    study, series = generate_uid(), generate_uid()
    for t, frame in enumerate(frames):
        for k in range(grid.shape[2]):
            dataset = header(grid, MRImageStorage, series)
            dataset.StudyInstanceUID, dataset.SeriesNumber = study, number
            dataset.InstanceNumber = t * grid.shape[2] + k + 1
            dataset.TriggerTime = str(STEP_MS * t)
            place(dataset, grid, k)
            set_pixels(dataset, frame[:, :, k].T, syntax)
            edit(dataset, t, k)
            if "PixelData" in dataset:
                name = f"{(7 * t + 13 * k) % 89:02d}_{t}_{k}.dcm"
                dataset.save_as(folder / name, enforce_file_format=True)
    return folder


def write_enhanced(path: Path, frames: NDArray[np.uint16], grid: Geometry) -> Path:
    """One enhanced MR object, its frames in an order that is not that of place or time."""
    dataset = header(grid, EnhancedMRImageStorage, generate_uid())
    dataset.StudyInstanceUID, dataset.SeriesNumber = generate_uid(), 3
    order = [(t, k) for k in range(grid.shape[2])[::-1] for t in range(len(frames))[::-1]]
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = spacing_of(grid)
    measures.SliceThickness = 5
    orientation.ImageOrientationPatient = cosines_of(grid)
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence([_group(grid, t, k) for t, k in order])
    dataset.NumberOfFrames = len(order)
    stack = np.stack([frames[t, :, :, k].T for t, k in order])
    set_pixels(dataset, stack, ExplicitVRLittleEndian)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _group(grid: Geometry, t: int, k: int) -> Dataset:
    group, position, content, cardiac, value = (Dataset() for _ in range(5))
    position.ImagePositionPatient = position_of(grid, k)
    content.TemporalPositionIndex = t + 1
    cardiac.NominalCardiacTriggerDelayTime = float(STEP_MS * t)
    value.RescaleSlope, value.RescaleIntercept = "2", "-10"
    group.PlanePositionSequence = Sequence([position])
    group.FrameContentSequence = Sequence([content])
    group.CardiacSynchronizationSequence = Sequence([cardiac])
    group.PixelValueTransformationSequence = Sequence([value])
    return group


def header(grid: Geometry, sop_class: str, series: str) -> Dataset:
    """What every object of a series has."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.SeriesInstanceUID = series
    dataset.Modality = "MR"
    dataset.Manufacturer = "Phantom"
    dataset.SeriesDescription = "cine short axis"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    dataset.PatientName, dataset.PatientID = PATIENT, "ID-0815"
    dataset.PatientSize, dataset.PatientWeight = "1.75", "70"
    dataset.PatientSex, dataset.PatientAge = "F", "042Y"
    return dataset


def place(dataset: Dataset, grid: Geometry, k: int) -> None:
    """Position, orientation and spacing of slice k; the thickness is not the slices' distance."""
    dataset.PixelSpacing = spacing_of(grid)
    dataset.SliceThickness = "5"
    dataset.ImageOrientationPatient = cosines_of(grid)
    dataset.ImagePositionPatient = position_of(grid, k)


def set_pixels(dataset: Dataset, array: NDArray[np.uint16], syntax: str) -> None:
    """Pixels (rows, columns) or (frames, rows, columns), packed as the transfer syntax says."""
    dataset.Rows, dataset.Columns = array.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    order = ">u2" if syntax == ExplicitVRBigEndian else "<u2"
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = np.ascontiguousarray(array, dtype=order).tobytes()
    dataset["PixelData"].VR = "OW"


def spacing_of(grid: Geometry) -> list[float]:
    return [round(grid.spacing[1], 6), round(grid.spacing[0], 6)]


def cosines_of(grid: Geometry) -> list[float]:
    directions = (grid.directions.T * LPS)[:2]
    return [round(float(value), 9) for value in directions.ravel()]


def position_of(grid: Geometry, k: int) -> list[float]:
    return [round(float(value), 6) for value in grid.to_world((0, 0, k)) * LPS]


def values_at(volume: Volume, grid: Geometry) -> NDArray[np.float32]:
    """A volume's values at the points of a grid, which must be its voxels' centres."""
    indices = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    found = volume.geometry.to_index(grid.to_world(indices))
    nearest = np.rint(found).astype(int)
    if np.abs(found - nearest).max() > 1e-2:
        raise AssertionError(f"voxels lie up to {np.abs(found - nearest).max()} voxels apart")
    if (nearest < 0).any() or (nearest >= volume.array.shape).any():
        raise AssertionError("voxels lie outside the volume")
    return volume.array[tuple(np.moveaxis(nearest, -1, 0))]
