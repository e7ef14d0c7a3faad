"""`predict --write seg,sr`: from a DICOM folder to objects that lie where their source lies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from tests.dicom_checks import dcmqi_masks, iod_errors
from tests.dicom_hearts import ring_cine
from tests.dicom_sources import write_scan

from cardioseg.core.labels import ACDC
from cardioseg.io.dicom import choose_series, find_series, read_series
from cardioseg.io.nifti import read_label_frames, read_labels
from cardioseg.model import installed_models

pytestmark = pytest.mark.filterwarnings("ignore::cardioseg.errors.ReadWarning")


def predict(folder: Path, output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cardioseg", "predict", str(folder), "--output", str(output)]
    return subprocess.run(
        [*command, *options], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("in") / "study"
    write_scan(ring_cine(), folder)
    return folder


def report_groups(path: Path):
    return highdicom.sr.srread(path).content.get_volumetric_roi_measurement_groups()


@pytest.fixture(scope="module")
def predicted(study, tmp_path_factory):
    output = tmp_path_factory.mktemp("out")
    done = predict(study, output, "--model", "otsu", "--write", "nifti,seg,sr")
    assert done.returncode == 0, done.stderr
    return output


def test_every_phase_has_a_seg_that_lies_where_the_label_map_lies(study, predicted, tmp_path):
    files = sorted(predicted.glob("*.seg.dcm"))
    assert [path.name[-16:] for path in files] == ["-phase01.seg.dcm", "-phase02.seg.dcm"]
    grid = read_series(choose_series(find_series(study))).scan.frames[0].geometry
    labels = read_label_frames(next(predicted.glob("*.nii.gz")), ACDC)
    for number, (path, frame) in enumerate(zip(files, labels, strict=True)):
        assert iod_errors(path) == []
        folder = tmp_path / str(number)
        folder.mkdir()
        masks = dcmqi_masks(path, folder, grid)
        assert frame.geometry.is_same(grid)
        for structure in ACDC.structures:
            assert np.array_equal(masks[structure.value], frame.mask(structure.name))
    assert labels[0].volume_ml("LV cavity") > labels[1].volume_ml("LV cavity") > 10


def test_the_report_refers_to_the_segs_of_ed_and_es(predicted):
    (path,) = predicted.glob("*.sr.dcm")
    assert iod_errors(path) == []
    uids = [dcmread(each).SOPInstanceUID for each in sorted(predicted.glob("*.seg.dcm"))]
    found = {
        m.name.meaning: group.referenced_segment[0].referenced_sop_instance_uid
        for group in report_groups(path)
        for m in group.get_measurements()
    }
    assert found["Left Ventricular ED Volume"] == uids[0]
    assert found["Left Ventricular ES Volume"] == uids[1]


def test_a_report_does_not_refer_to_a_seg_of_other_labels(study, predicted, tmp_path):
    for path in predicted.glob("*.seg.dcm"):
        stale = dcmread(path)
        pixels = bytearray(stale.PixelData)
        pixels[len(pixels) // 2] ^= 1
        stale.PixelData = bytes(pixels)
        stale.save_as(tmp_path / path.name)
    done = predict(study, tmp_path, "--model", "otsu", "--write", "sr")
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*.sr.dcm")
    assert report_groups(path) == []


def test_other_inputs_than_dicom_have_no_seg(predicted, tmp_path):
    (image,) = predicted.glob("*.nii.gz")
    done = predict(image, tmp_path, "--model", "otsu", "--write", "seg")
    assert done.returncode != 0
    assert "DICOM" in done.stderr
    assert list(tmp_path.glob("*.dcm")) == []


@pytest.mark.skipif("sax" not in installed_models(), reason="the model sax is not installed")
def test_a_phase_of_the_pig_lies_on_its_source(pig_root, tmp_path):
    options = ("--model", "sax", "--phase", "1", "--write", "nifti,seg,sr")
    done = predict(pig_root, tmp_path, *options)
    assert done.returncode == 0, done.stderr
    (seg,), (sr,) = tmp_path.glob("*.seg.dcm"), tmp_path.glob("*.sr.dcm")
    assert iod_errors(seg) == iod_errors(sr) == []
    labels = read_labels(next(tmp_path.glob("*.nii.gz")), ACDC)
    masks = dcmqi_masks(seg, tmp_path, labels.geometry)
    for structure in ACDC.structures:
        assert np.array_equal(masks[structure.value], labels.mask(structure.name))
        assert masks[structure.value].any()
    # Where the scanner says that the images are: each mask lies within its slice's rectangle.
    read = dcmread(seg)
    images = {}
    for path in pig_root.rglob("*.dcm"):
        header = dcmread(path, stop_before_pixels=True)
        images[header.SOPInstanceUID] = header.ImagePositionPatient
    for item in read.PerFrameFunctionalGroupsSequence:
        source = item.DerivationImageSequence[0].SourceImageSequence[0]
        place = item.PlanePositionSequence[0].ImagePositionPatient
        expected = images[source.ReferencedSOPInstanceUID]
        assert np.allclose(np.array(place, float), np.array(expected, float), atol=1e-3)
