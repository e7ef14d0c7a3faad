"""Where voxels lie: cardioseg against SimpleITK's series reader and dcm2niix, on the same files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
from tests.dicom_series import LPS, noise, oblique, values_at, write_enhanced, write_series

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import Volume
from cardioseg.io.dicom import DicomScan, choose_series, find_series, read_series

AGREES_MM = 1e-2
"""Headers are written with four to six digits."""

EIGHT = [(i, j, k) for i in (1, -1) for j in (1, -1) for k in (1, -1)]


def read(path: Path) -> DicomScan:
    return read_series(choose_series(find_series(path)))


def by_simpleitk(folder: Path, one_frame: list[Path] | None = None) -> Volume:
    """A series as SimpleITK places it, in RAS."""
    reader = sitk.ImageSeriesReader()
    names = reader.GetGDCMSeriesFileNames(str(folder))
    kept = None if one_frame is None else {path.name for path in one_frame}
    reader.SetFileNames([name for name in names if kept is None or Path(name).name in kept])
    image = reader.Execute()
    affine = np.eye(4)
    directions = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, :3] = directions * LPS[:, None]
    affine[:3, 3] = np.array(image.GetOrigin()) * LPS
    array = sitk.GetArrayFromImage(image).transpose(2, 1, 0).astype(np.float32)
    return Volume(array, Geometry(array.shape, affine))


def by_dcm2niix(source: Path, output: Path) -> list[Volume]:
    """A series as dcm2niix places it."""
    program = shutil.which("dcm2niix", path=str(Path(sys.executable).parent)) or shutil.which(
        "dcm2niix"
    )
    if program is None:
        pytest.skip("dcm2niix is not installed")
    output.mkdir()
    subprocess.run(
        [program, "-b", "n", "-z", "n", "-m", "y", "-f", "cine", "-o", str(output), str(source)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    images = [nibabel.load(path) for path in output.glob("*.nii")]
    if len(images) != 1:
        raise AssertionError(f"dcm2niix wrote {len(images)} files")
    data = np.asarray(images[0].dataobj).astype(np.float32)
    data = data if data.ndim == 4 else data[..., None]
    grid = Geometry(data.shape[:3], images[0].affine)
    return [Volume(data[..., t], grid) for t in range(data.shape[3])]


def agree(ours: Volume, theirs: Volume) -> None:
    """Both have the same values at the same points of the patient."""
    grid, other = ours.geometry, theirs.geometry
    assert sorted(grid.shape) == sorted(other.shape)
    matched = np.linalg.norm(grid.corners()[:, None] - other.corners()[None], axis=-1).min(axis=1)
    assert matched.max() < AGREES_MM
    assert np.array_equal(values_at(theirs, grid), ours.array)


@pytest.mark.parametrize("signs", EIGHT)
def test_a_still_stack_in_eight_orientations(tmp_path: Path, signs: tuple[int, int, int]) -> None:
    grid = oblique(signs=signs)
    folder = write_series(tmp_path / "dicom", noise(grid), grid)
    ours = read(folder).scan.frames[0]
    agree(ours, by_simpleitk(folder))
    agree(ours, by_dcm2niix(folder, tmp_path / "nifti")[0])


def test_a_cine(tmp_path: Path) -> None:
    grid = oblique()
    folder = write_series(tmp_path / "dicom", noise(grid, 4), grid)
    ours = read(folder).scan.frames
    theirs = by_dcm2niix(folder, tmp_path / "nifti")
    assert len(theirs) == len(ours)
    for one, other in zip(ours, theirs, strict=True):
        agree(one, other)


def test_an_enhanced_object(tmp_path: Path) -> None:
    grid = oblique()
    path = write_enhanced(tmp_path / "dicom" / "cine.dcm", noise(grid), grid)
    agree(read(path).scan.frames[0], by_dcm2niix(path.parent, tmp_path / "nifti")[0])


def test_the_real_cine_of_a_pig(pig_root: Path, tmp_path: Path) -> None:
    found = read(pig_root)
    frames, folder = found.scan.frames, next(pig_root.rglob("*.dcm")).parent
    assert (len(frames), frames[0].array.shape) == (20, (256, 256, 20))
    by_time = by_dcm2niix(folder, tmp_path / "nifti")
    assert len(by_time) == 20
    for t in (0, 7, 19):
        agree(frames[t], by_time[t])
    numbers = {int(source.dataset.InstanceNumber) for source in found.sources[7]}
    files = [folder / f"I{number:04d}.dcm" for number in numbers]
    agree(frames[7], by_simpleitk(folder, files))
