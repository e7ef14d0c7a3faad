"""A zip of DICOM to the server: read, chosen among several, refused, and never a name kept."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from tests.dicom_series import PATIENT, Edit, write_series
from tests.live_server import Live, live

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.io.nifti import read_geometry, read_label_frames
from cardioseg.phantom import phantom_case

SEG_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"
FAMILY = PATIENT.split("^")[0]


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    with live(unpacked_mb=32) as running:
        yield running


def zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*.dcm")):
            archive.write(path, f"{PATIENT}/{path.relative_to(folder)}")
    return buffer.getvalue()


def cine(folder: Path, edit: Edit | None = None, number: int = 3) -> tuple[Path, Geometry]:
    """Two frames of a synthetic heart as a scanner would write them."""
    volumes = [phantom_case(1, 0, phase=phase, size=64).image() for phase in ("ED", "ES")]
    frames = np.stack([np.clip(each.array * 1000, 0, 4000) for each in volumes]).astype(np.uint16)
    grid = volumes[0].geometry
    if edit is None:
        return write_series(folder, frames, grid, number=number), grid
    return write_series(folder, frames, grid, edit, number), grid


def placed(dataset: Dataset, t: int, k: int) -> None:
    dataset.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.1"


def test_a_cine_in_a_zip_is_segmented_and_no_name_is_kept(server: Live, tmp_path: Path) -> None:
    folder, grid = cine(tmp_path / "dicom", placed)
    answer = server.upload(zipped(folder))
    assert answer.status_code == 202, answer.text
    job = server.finished(answer.json()["id"])
    assert job["state"] == "done", job["error"]
    assert job["frames"] == 2
    url = f"/api/jobs/{job['id']}/files"
    (tmp_path / "labels.nii.gz").write_bytes(server.client.get(f"{url}/result.nii.gz").content)
    assert len(read_label_frames(tmp_path / "labels.nii.gz", ACDC)) == 2
    found = read_geometry(tmp_path / "labels.nii.gz")
    assert found.voxel_volume_mm3 == pytest.approx(grid.voxel_volume_mm3, rel=1e-4)
    job, extra = server.made(job["id"], "dicom")
    assert extra["state"] == "made", extra["error"]
    objects = {each["name"]: each["kind"] for each in job["files"] if "dcm" in each["name"]}
    assert objects == {
        "result-phase01.seg.dcm": "dicom_seg",
        "result-phase02.seg.dcm": "dicom_seg",
        "result.sr.dcm": "dicom_sr",
    }
    report = dcmread(io.BytesIO(server.client.get(f"{url}/result.sr.dcm").content))
    told = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert {each.ReferencedSOPSequence[0].ReferencedSOPClassUID for each in told} >= {SEG_CLASS}
    assert FAMILY not in str(job)
    for each in job["files"]:
        if not each["kind"].startswith("dicom"):
            data = server.client.get(f"{url}/{each['name']}").content
            assert FAMILY.encode() not in data
    assert FAMILY not in " ".join(server.log)
    kept = [path.name for path in server.server.store.root.rglob("*")]
    assert not any(FAMILY in name for name in kept)


def test_of_several_series_one_is_to_be_chosen(server: Live, tmp_path: Path) -> None:
    cine(tmp_path / "dicom" / "a", number=3)
    cine(tmp_path / "dicom" / "b", number=5)
    data = zipped(tmp_path / "dicom")
    answer = server.upload(data)
    assert (answer.status_code, answer.json()["code"]) == (409, "choose_series")
    choices = answer.json()["details"]["series"]
    assert [each["number"] for each in choices] == ["3", "5"]
    assert server.upload(data, series=choices[1]["choice"]).status_code == 202
    assert server.upload(data, series="3").status_code == 202
    wrong = server.upload(data, series="7")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "bad_dicom")


def cut_pixels(dataset: Dataset, t: int, k: int) -> None:
    if (t, k) == (1, 2):
        dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2]


def huge(dataset: Dataset, t: int, k: int) -> None:
    dataset.Rows = dataset.Columns = 60_000


def test_truncated_pixels_are_refused_at_once(server: Live, tmp_path: Path) -> None:
    folder, _ = cine(tmp_path / "dicom", cut_pixels)
    answer = server.upload(zipped(folder))
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_dicom")
    assert "truncated" in answer.json()["message"]


def test_a_truncated_file_is_refused(server: Live, tmp_path: Path) -> None:
    folder, _ = cine(tmp_path / "dicom")
    first = sorted(folder.iterdir())[0]
    first.write_bytes(first.read_bytes()[:-700])
    assert server.upload(zipped(folder)).status_code == 422


def test_headers_that_claim_too_much_are_refused(server: Live, tmp_path: Path) -> None:
    folder, _ = cine(tmp_path / "dicom", huge)
    assert server.upload(zipped(folder)).status_code in (413, 422)
    assert server.client.get("/api/health").status_code == 200


def test_the_real_cine_of_a_pig(tmp_path: Path) -> None:
    """Slow with a network; the reader and the job's way are what is tested."""
    from tests.conftest import DATA

    root = DATA / "pig_cine"
    if not root.is_dir():
        pytest.skip("real images are not here: pig_cine (see docs/data.md)")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(each for each in root.rglob("*") if each.suffix in ("", ".dcm")):
            if path.is_file():
                archive.write(path, path.name)
    with live() as running:
        answer = running.upload(buffer.getvalue())
        assert answer.status_code == 202, answer.text
