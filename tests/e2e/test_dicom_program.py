"""The program on DICOM, from a phantom's cine to label maps in the patient's space."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.dicom_series import PATIENT, write_enhanced, write_series

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.io.images import read_frame_ms
from cardioseg.io.nifti import read_label_frames, read_labels, write_frames
from cardioseg.io.scans import read_scan
from cardioseg.phantom import phantom_case

pytestmark = pytest.mark.filterwarnings("ignore::cardioseg.errors.ReadWarning")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cardioseg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def frames() -> tuple[np.ndarray, Geometry]:
    """A cine of three frames: in between, end-systole, end-diastole."""
    images = [phantom_case(4, 0, phase=phase, size=96).image() for phase in ("ED", "ES")]
    ed, es = (np.clip(image.array * 4, 0, 4000).astype(np.uint16) for image in images)
    middle = phantom_case(4, 0, phase="ED", size=96).labels().array
    between = np.where(middle == 0, ed, es).astype(np.uint16)
    return np.stack([between, es, ed]), images[0].geometry


@pytest.fixture(scope="module")
def study(frames, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the cine as series 3 and a single frame of it as series 8."""
    folder = tmp_path_factory.mktemp("archive") / "study"
    write_series(folder / "cine", *frames, number=3)
    write_series(folder / "still", frames[0][:1], frames[1], number=8)
    return folder


@pytest.fixture(scope="module")
def predicted(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    done = run(
        "predict", study, "--series", 3, "--model", "otsu", "--output", out, "--write",
        "nifti,json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


def test_several_series_are_listed_and_none_is_guessed(study: Path, tmp_path: Path) -> None:
    done = run("predict", study, "--model", "otsu", "--output", tmp_path)
    assert done.returncode == 1
    assert "3: cine short axis" in done.stderr
    assert "8: cine short axis" in done.stderr
    listed = run("inspect", study, "--json")
    found = json.loads(listed.stdout)
    assert [each["number"] for each in found["series"]] == [3, 8]
    assert found["chosen"] is None
    told = run("inspect", study, "--series", 3).stdout
    assert "frames        3, 0 to 80 ms" in told
    assert PATIENT.split("^")[0] not in listed.stdout + told + done.stderr


def test_labels_are_those_of_the_same_voxels_as_nifti(
    study: Path, predicted: Path, tmp_path: Path
) -> None:
    scan = read_scan(study, 3)
    write_frames(scan.frames, tmp_path / "cine.nii.gz")
    done = run("predict", tmp_path / "cine.nii.gz", "--model", "otsu", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    ours = read_label_frames(predicted / "study.nii.gz", ACDC)
    theirs = read_label_frames(tmp_path / "out" / "cine.nii.gz", ACDC)
    for one, other in zip(ours, theirs, strict=True):
        assert one.geometry.is_same(scan.frames[0].geometry)
        assert np.array_equal(one.array, other.array)


def test_the_facts_tell_volumes_phases_and_no_identifier(study: Path, predicted: Path) -> None:
    assert {path.name for path in predicted.iterdir()} == {
        "study.nii.gz", "study.json", "run.json",
    }  # fmt: skip
    facts = json.loads((predicted / "study.json").read_text())
    labels = read_label_frames(predicted / "study.nii.gz", ACDC)
    curve = facts["function"]["volumes_ml"]["LV cavity"]
    assert curve == pytest.approx([each.volume_ml("LV cavity") for each in labels], abs=1e-3)
    assert facts["function"]["times_ms"] == [0, 40, 80]
    assert facts["function"]["ed"] == int(np.argmax(curve)) + 1
    assert facts["function"]["es"] == int(np.argmin(curve)) + 1
    record = json.loads((predicted / "run.json").read_text())
    assert facts["provenance"]["input_sha256"] == record["files"][0]["input_sha256"]
    assert record["files"][0]["frames"] == 3
    for path in predicted.iterdir():
        assert b"Invented" not in path.read_bytes()
        assert b"0815" not in path.read_bytes()


def test_labels_of_a_whole_cine_tell_the_time_between_frames(
    study: Path, predicted: Path, tmp_path: Path
) -> None:
    labels, target = predicted / "study.nii.gz", tmp_path / "again.nii.gz"
    assert read_frame_ms(labels) == pytest.approx(40)
    done = run("convert", labels, target, "--scheme", "acdc")
    assert "3 frames of 40 ms, labels of acdc" in done.stdout
    assert read_frame_ms(target) == read_frame_ms(labels)
    done = run("convert", labels, tmp_path / "again.nrrd")
    assert "3 frames of 40 ms (not kept)" in done.stdout


def test_phases_by_name_and_number_from_a_zip(study: Path, predicted: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in (study / "cine").iterdir():
            archive.write(path, path.name)
    facts = json.loads((predicted / "study.json").read_text())
    frames = read_label_frames(predicted / "study.nii.gz", ACDC)
    for phase, number in (("es", facts["function"]["es"]), ("2", 2)):
        out = tmp_path / phase
        done = run(
            "predict", packed, "--model", "otsu", "--output", out, "--phase", phase, "--name", "x"
        )
        assert done.returncode == 0, done.stderr
        assert np.array_equal(read_labels(out / "x.nii.gz", ACDC).array, frames[number - 1].array)
        record = json.loads((out / "run.json").read_text())["files"][0]
        assert record["input_sha256"] == facts["provenance"]["input_sha256"]
    absent = run("predict", packed, "--model", "otsu", "--output", tmp_path, "--phase", 4)
    assert absent.returncode == 1
    assert "3 frames" in absent.stderr


def test_an_enhanced_object_gives_the_same_voxels(frames, study: Path, tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "cine.dcm", *frames)
    one, other = read_scan(path), read_scan(study, 3)
    assert one.frames[0].geometry.is_same(other.frames[0].geometry)
    assert np.array_equal(one.frames[1].array, other.frames[1].array * 2 - 10)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--write", "nifti,hologram"), "choose from nifti, json"),
        (("--phase", "late"), "choose all, ed, es"),
        (("--name", "../x"), "not a file's name"),
        (("--series", "9"), "no series fits '9'"),
    ],
)
def test_what_cannot_be_meant_is_told(study: Path, tmp_path: Path, options, words: str) -> None:
    done = run("predict", study, "--model", "otsu", "--output", tmp_path / "out", *options)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_nifti_and_dicom_in_one_folder_are_refused(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    scan = read_scan(study, 8)
    write_series(
        folder, np.ones((1, *scan.frames[0].array.shape), np.uint16), scan.frames[0].geometry
    )
    write_frames(scan.frames, folder / "case.nii.gz")
    done = run("predict", folder, "--model", "otsu", "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "NIfTI and DICOM" in done.stderr
