"""Other formats as a user meets them: convert, predict and evaluate with NRRD."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from cardioseg.core.labels import ACDC
from cardioseg.io.images import read_labels, read_volume, write_labels, write_volume
from cardioseg.phantom.cohort import phantom_case


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cardioseg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def heart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a phantom's image and labels as NIfTI."""
    folder = tmp_path_factory.mktemp("heart")
    case = phantom_case(0, 1, size=96)
    write_volume(case.image(), folder / "scan.nii.gz")
    write_labels(case.labels(), folder / "scan_gt.nii.gz")
    return folder


def test_convert_says_what_it_wrote_and_refuses_a_loss(heart: Path, tmp_path: Path) -> None:
    target = tmp_path / "scan.seg.nrrd"
    done = run("convert", heart / "scan_gt.nii.gz", target)
    assert (done.returncode, target.exists()) == (1, False)
    assert "--scheme" in done.stderr
    done = run("convert", heart / "scan_gt.nii.gz", target, "--scheme", "acdc")
    assert done.returncode == 0, done.stderr
    assert "labels of acdc" in done.stdout
    np.testing.assert_array_equal(
        read_labels(target, ACDC).array, read_labels(heart / "scan_gt.nii.gz", ACDC).array
    )
    assert run("convert", heart / "scan.nii.gz", target).returncode == 1
    done = run("convert", heart / "absent.nrrd", tmp_path / "a.mha")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "absent.nrrd: cannot be read" in done.stderr


def test_predict_and_evaluate_take_nrrd_as_they_take_nifti(heart: Path, tmp_path: Path) -> None:
    """The classical baseline needs no model; the grid of the NRRD file is that of the NIfTI."""
    (tmp_path / "in").mkdir()
    write_volume(read_volume(heart / "scan.nii.gz"), tmp_path / "in" / "scan.nrrd")
    for source, name in ((heart / "scan.nii.gz", "nifti"), (tmp_path / "in", "nrrd")):
        done = run("predict", source, "--model", "otsu", "--output", tmp_path / name)
        assert done.returncode == 0, done.stderr
    first, second = (
        read_labels(tmp_path / name / "scan.nii.gz", ACDC) for name in ("nifti", "nrrd")
    )
    np.testing.assert_array_equal(first.array, second.array)
    assert first.geometry.is_same(second.geometry)
    corrected = tmp_path / "corrected"
    corrected.mkdir()
    write_labels(first, corrected / "scan.seg.nrrd")
    options = ("--scheme", "acdc", "--output", tmp_path / "report")
    done = run("evaluate", tmp_path / "nrrd", corrected, *options)
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "report" / "report.csv").read_text()
    assert "scan,scan,LV cavity,dice,1.0" in report


def test_itk_sees_the_same_heart(heart: Path, tmp_path: Path) -> None:
    """An oracle for the whole way: the centre of the LV in the patient, by SimpleITK."""
    write_labels(read_labels(heart / "scan_gt.nii.gz", ACDC), tmp_path / "a.seg.nrrd")
    shapes = SimpleITK.LabelShapeStatisticsImageFilter()
    centres = []
    for path in (heart / "scan_gt.nii.gz", tmp_path / "a.seg.nrrd"):
        shapes.Execute(SimpleITK.ReadImage(str(path)))
        centres.append(shapes.GetCentroid(3))
        labels = read_labels(path, ACDC)
        assert shapes.GetPhysicalSize(3) / 1000 == pytest.approx(labels.volume_ml("LV cavity"))
    np.testing.assert_allclose(centres[0], centres[1], atol=1e-3)
    middle = labels.geometry.to_world(np.argwhere(labels.mask("LV cavity"))).mean(axis=0)
    np.testing.assert_allclose(np.array(centres[1]) * (-1, -1, 1), middle, atol=1e-3)
