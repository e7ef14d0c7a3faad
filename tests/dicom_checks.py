"""Independent readers of DICOM objects: dciodvfy (dicom3tools), dsrdump (dcmtk), dcmqi."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from cardioseg.core.geometry import Geometry

PACKAGES = {"dciodvfy": "dicom3tools", "dsrdump": "dcmtk", "Orthanc": "orthanc"}


def program(name: str) -> str:
    """Path of a program beside Python or on the PATH; skips the test where it is absent."""
    # Debian keeps servers where only root's PATH looks.
    folders = (str(Path(sys.executable).parent), None, "/usr/sbin")
    places = [shutil.which(name, path=folder) for folder in folders]
    found = next((place for place in places if place), None)
    if found is None:
        package = PACKAGES.get(name)
        where = f"Debian package {package}" if package else "Python package dcmqi"
        pytest.skip(f"{name} is not installed ({where})")
    return found


def iod_errors(path: Path) -> list[str]:
    """The lines of dciodvfy that begin with Error."""
    run = [program("dciodvfy"), "-new", str(path)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    # It names the kind of object that it took the file for: a sign that it has read it.
    if not any(line in ("Segmentation", "ComprehensiveSR") for line in lines):
        raise AssertionError(f"dciodvfy has not recognised {path.name}: {lines}")
    return [line for line in lines if line.startswith("Error")]


def dcmqi_masks(seg: Path, folder: Path, grid: Geometry) -> dict[int, np.ndarray]:
    """Masks of a SEG by segment number, each voxel placed on a grid by its point in the patient."""
    run = [program("segimage2itkimage"), "--inputDICOM", str(seg), "--outputDirectory", str(folder)]
    run += ["--prefix", "read", "-t", "nifti"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    masks = {}
    for path in folder.glob("read-*.nii.gz"):
        image = nibabel.load(path)
        points = nibabel.affines.apply_affine(image.affine, np.argwhere(np.asarray(image.dataobj)))
        exact = grid.to_index(points)
        indices = np.rint(exact).astype(int)
        if len(points):
            assert np.abs(exact - indices).max() < 0.02, "voxels lie between the grid's"
        masks[int(path.name.split("-")[1].split(".")[0])] = _on(grid, indices)
    return masks


def dcmqi_report(sr: Path, folder: Path) -> dict:
    """A TID 1500 report as dcmqi reads it."""
    target = folder / "report.json"
    run = [program("tid1500reader"), "--inputDICOM", str(sr), "--outputMetadata", str(target)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(target.read_text())


def _on(grid: Geometry, indices: np.ndarray) -> np.ndarray:
    mask = np.zeros(grid.shape, bool)
    mask[tuple(indices.T)] = True
    assert mask.sum() == len(indices)
    return mask
