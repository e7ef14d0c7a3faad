"""The HTTP API on a real server: the whole way, every refusal, and that it lives on."""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
import json
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.live_server import Live, live, small_cine, small_heart

from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap
from cardioseg.datasets import read_dataset
from cardioseg.errors import WriteError
from cardioseg.io.nifti import read_labels, write_labels
from cardioseg.service.app import create_app
from cardioseg.workflows.provenance import file_digest

NOBODY = "0" * 32
TOKEN = "a-token-of-more-than-sixteen-letters"


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    with live(upload_mb=2, unpacked_mb=16) as running:
        yield running


@pytest.fixture(scope="module")
def heart(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return small_heart(tmp_path_factory.mktemp("heart") / "heart.nii.gz").read_bytes()


@pytest.fixture(scope="module")
def done(server: Live, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A cine of two frames, segmented."""
    cine = small_cine(tmp_path_factory.mktemp("cine") / "cine.nii.gz").read_bytes()
    answer = server.upload(cine)
    assert answer.status_code == 202, answer.text
    job = server.finished(answer.json()["id"])
    assert job["state"] == "done", job["error"]
    return job


def labels_of(server: Live, job: str, frame: int, folder: Path) -> LabelMap:
    data = server.client.get(f"/api/jobs/{job}/labels/{frame}").content
    (folder / "labels.nii").write_bytes(data)
    return read_labels(folder / "labels.nii", ACDC)


def test_a_finished_job_offers_labels_image_and_measurements(
    server: Live, done: dict[str, object]
) -> None:
    assert (done["frames"], done["total"], done["native_axis"]) == (2, 2, 2)
    kinds = {each["kind"]: each["name"] for each in done["files"]}
    assert {"labels", "image", "measurements", "findings"} <= kinds.keys()
    for name in kinds.values():
        answer = server.client.get(f"/api/jobs/{done['id']}/files/{name}")
        assert answer.status_code == 200
        assert answer.content
    quantities = {(each["structure"], each["quantity"]) for each in done["measurements"]}
    assert ("LV cavity", "ejection fraction") in quantities
    findings = server.client.get(f"/api/jobs/{done['id']}/files/{kinds['findings']}").json()
    assert set(findings["function"]["notes"]) <= set(done["notes"])


def test_measurements_are_those_of_the_workflow(server: Live, heart: bytes) -> None:
    job = server.finished(server.upload(heart).json()["id"])
    findings = server.client.get(f"/api/jobs/{job['id']}/files/result.json").json()
    assert findings["measurements"] == job["measurements"]
    assert [each["structure"] for each in job["measurements"]] == [s.name for s in ACDC.structures]


def test_other_files_are_made_when_they_are_asked_for_and_once(
    server: Live, done: dict[str, object]
) -> None:
    assert {each["kind"] for each in done["files"]} == {
        *("labels", "image", "measurements", "findings")
    }
    assert {each["name"]: each["state"] for each in done["extras"]} == dict.fromkeys(
        ("mesh", "report", "nrrd"), "offered"
    )
    job, extra = server.made(done["id"], "nrrd")
    assert extra["state"] == "made"
    names = [each["name"] for each in job["files"] if each["kind"] == "slicer"]
    assert names == ["result-phase01.seg.nrrd", "result-phase02.seg.nrrd"]
    path = server.server.store.get(str(done["id"])).results / names[0]
    before = path.stat().st_mtime_ns
    again, _ = server.made(done["id"], "nrrd")
    assert again["files"] == job["files"]
    assert path.stat().st_mtime_ns == before
    refused = server.client.post(f"/api/jobs/{done['id']}/extras/dicom")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_dicom")
    unknown = server.client.post(f"/api/jobs/{done['id']}/extras/..%2fpasswd")
    assert unknown.status_code in (404, 422)


def test_a_model_of_no_heart_fails_with_words(server: Live, heart: bytes, tmp_path: Path) -> None:
    job = server.finished(server.upload(heart).json()["id"])["id"]
    labels = labels_of(server, str(job), 0, tmp_path)
    nothing = LabelMap(np.zeros_like(labels.array), labels.geometry, ACDC)
    write_labels(nothing, tmp_path / "nothing.nii")
    body = (tmp_path / "nothing.nii").read_bytes()
    assert server.client.put(f"/api/jobs/{job}/labels/0", content=body).status_code == 200
    other = server.finished(server.client.post(f"/api/jobs/{job}/corrected").json()["id"])
    _, extra = server.made(other["id"], "mesh")
    assert extra == {
        "name": "mesh",
        "state": "failed",
        "error": "no heart was found, so there is nothing to make it of",
    }


def test_events_tell_the_job_until_its_end(server: Live, heart: bytes) -> None:
    job = server.upload(heart).json()["id"]
    with server.client.stream("GET", f"/api/jobs/{job}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]
    assert told[-1]["state"] == "done"
    versions = [each["done"] for each in told]
    assert versions == sorted(versions)


def test_again_segments_the_same_scan_as_a_job_of_its_own(
    server: Live, done: dict[str, object]
) -> None:
    other = server.client.post(f"/api/jobs/{done['id']}/again", params={"model": "otsu"})
    assert other.status_code == 202
    assert other.json()["id"] != done["id"]
    again = server.finished(other.json()["id"])
    assert again["measurements"] == done["measurements"]


def test_twenty_uploads_at_once_are_all_answered(heart: bytes) -> None:
    with live() as running, concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: running.upload(heart), range(20)))
        assert [each.status_code for each in answers] == [202] * 20
        jobs = [each.json()["id"] for each in answers]
        assert len(set(jobs)) == 20
        assert all(running.finished(job)["state"] == "done" for job in jobs)


def test_a_full_queue_says_so_and_when_to_come_again(heart: bytes) -> None:
    with live(waiting=1, kept=3) as running:
        answers = [running.upload(heart) for _ in range(6)]
        refused = [each for each in answers if each.status_code == 503]
        assert refused
        assert {each.json()["code"] for each in refused} <= {"busy", "full"}
        assert all("retry-after" in each.headers for each in refused)


def test_refused_uploads_leave_nothing_and_the_server_lives(server: Live, heart: bytes) -> None:
    before = sorted(path.name for path in server.server.store.root.iterdir())
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../bomb", bytes(1000))
    hostile = {
        b"%PDF": 415,
        b"": 422,
        heart[: len(heart) // 2]: 422,
        bomb.getvalue(): 400,
        bytes(3 << 20): 413,
    }
    for data, status in hostile.items():
        answer = server.upload(data)
        assert answer.status_code == status, answer.text
        assert answer.json()["message"]
        assert str(server.server.store.root) not in answer.text
    assert server.client.get("/api/health").status_code == 200
    assert sorted(path.name for path in server.server.store.root.iterdir()) == before


def test_a_length_that_lies_is_refused(server: Live) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(1 << 16)

    answer = server.client.post("/api/jobs", content=chunks())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/api/jobs/{NOBODY}", 404),
        ("DELETE", f"/api/jobs/{NOBODY}", 404),
        ("GET", f"/api/jobs/{NOBODY}/events", 404),
        ("GET", f"/api/jobs/{NOBODY}/labels/0", 404),
        ("POST", f"/api/jobs/{NOBODY}/again", 404),
        ("GET", "/api/jobs/..%2f..%2fetc", 404),
        ("GET", "/api/jobs/short", 422),
        ("GET", "/api/nothing", 404),
        ("GET", "/static/..%2f..%2fapp.py", 404),
        ("PATCH", "/api/models", 405),
    ],
)
def test_what_is_not_there(server: Live, method: str, path: str, status: int) -> None:
    answer = server.client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["message"]


def test_an_unknown_model_is_named_with_the_known(server: Live, heart: bytes) -> None:
    answer = server.upload(heart, model="/etc/passwd")
    assert answer.status_code == 404
    assert "otsu" in answer.json()["message"]


@pytest.mark.parametrize("name", ["..%2f..%2fupload.nii.gz", "upload.nii.gz", "nothing.nii.gz"])
def test_a_name_never_becomes_a_path(server: Live, done: dict[str, object], name: str) -> None:
    assert server.client.get(f"/api/jobs/{done['id']}/files/{name}").status_code == 404


def test_results_of_a_job_that_waits_are_409(heart: bytes) -> None:
    with live() as running:
        jobs = [running.upload(heart).json()["id"] for _ in range(3)]
        answer = running.client.get(f"/api/jobs/{jobs[-1]}/labels/0")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_done")


def test_a_scan_that_cannot_be_segmented_fails_with_words(server: Live, tmp_path: Path) -> None:
    from cardioseg.core.geometry import Geometry
    from cardioseg.core.volume import Volume
    from cardioseg.io.nifti import write_volume

    cube = Volume(np.ones((8, 8, 8), np.float32), Geometry((8, 8, 8), np.eye(4)))
    write_volume(cube, tmp_path / "cube.nii.gz")
    job = server.finished(server.upload((tmp_path / "cube.nii.gz").read_bytes()).json()["id"])
    assert job["state"] == "failed"
    assert "plane" in str(job["error"])
    assert str(server.server.store.root) not in str(job["error"])


def test_a_job_above_its_time_fails_and_the_next_one_runs(heart: bytes) -> None:
    with live(job_seconds=0.01) as running:
        job = running.finished(running.upload(heart).json()["id"])
        assert job["state"] == "failed"
        assert "limit" in str(job["error"])
        assert running.upload(heart).status_code == 202


def test_a_deleted_job_leaves_no_file(server: Live, heart: bytes) -> None:
    job = server.upload(heart).json()["id"]
    server.finished(job)
    folder = server.server.store.root / job
    assert folder.is_dir()
    assert server.client.delete(f"/api/jobs/{job}").status_code == 204
    assert not folder.exists()
    assert server.client.get(f"/api/jobs/{job}").status_code == 404


def test_a_running_job_that_is_deleted_is_stopped_and_the_next_one_runs(heart: bytes) -> None:
    with live() as running:
        first, second = (running.upload(heart).json()["id"] for _ in range(2))
        while running.client.get(f"/api/jobs/{first}").json()["state"] == "queued":
            time.sleep(0.05)
        assert running.client.delete(f"/api/jobs/{first}").status_code == 204
        assert running.finished(second)["state"] == "done"
        root = running.server.store.root
        assert [path.name for path in root.iterdir() if path.is_dir()] == [second]


def test_nothing_is_kept_after_its_time(heart: bytes) -> None:
    with live(keep_minutes=0.02) as running:
        job = running.upload(heart).json()["id"]
        deadline = time.monotonic() + 300
        folder = running.server.store.root / job
        while folder.exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not folder.exists()
        assert running.client.get(f"/api/jobs/{job}").status_code == 404
    assert not running.server.store.root.exists()


def test_the_log_names_jobs_by_their_id_alone(server: Live, done: dict[str, object]) -> None:
    assert f"job {done['id']}: queued" in server.log
    assert all(line.startswith("job ") for line in server.log)


# Corrections.


def test_a_correction_is_marked_counted_timed_and_measured(
    server: Live, heart: bytes, tmp_path: Path
) -> None:
    job = server.finished(server.upload(heart).json()["id"])
    url = f"/api/jobs/{job['id']}"
    labels = labels_of(server, str(job["id"]), 0, tmp_path)
    array = labels.array.copy()
    array[30:34, 30:34, 4] = (array[30:34, 30:34, 4] + 1) % 4
    changed = int(np.count_nonzero(array != labels.array))
    write_labels(LabelMap(array, labels.geometry, ACDC), tmp_path / "edited.nii.gz")
    body = (tmp_path / "edited.nii.gz").read_bytes()
    answer = server.client.put(f"{url}/labels/0", content=body, params={"seconds": 12.5})
    assert answer.status_code == 200, answer.text
    edit = answer.json()["edit"]
    parent = server.client.get(f"{url}/files/result.nii.gz").content
    (tmp_path / "parent.nii.gz").write_bytes(parent)
    assert edit["edited"] is True
    assert edit["parent_sha256"] == file_digest(tmp_path / "parent.nii.gz")
    assert edit["voxels_changed"] == changed > 0
    assert edit["seconds"] == 12.5
    assert edit["corrections"] == [
        {"frame": 0, "action": "brush", "seconds": 12.5, "voxels_changed": changed}
    ]
    assert answer.json()["measurements"] != job["measurements"]
    edited = server.client.get(f"{url}/edited").content
    (tmp_path / "back.nii.gz").write_bytes(edited)
    assert edit["sha256"] == file_digest(tmp_path / "back.nii.gz")
    assert (read_labels(tmp_path / "back.nii.gz", ACDC).array == array).all()

    carried = server.client.post(f"{url}/labels/0/propagate", params={"reach": 1}).json()["edit"]
    assert carried["voxels_changed"] >= changed
    assert carried["seconds"] == 12.5
    assert (labels_of(server, str(job["id"]), 0, tmp_path).array[..., 4] == array[..., 4]).all()

    remade = server.client.post(f"{url}/corrected")
    assert remade.status_code == 202
    other = server.finished(remade.json()["id"])
    assert (other["state"], other["corrected"]) == ("done", True)
    now = server.client.get(url).json()
    assert other["measurements"] == now["measurements"]
    files = f"/api/jobs/{other['id']}/files"
    labelled = server.client.get(f"{files}/result.json").json()["provenance"]
    assert labelled["model"] == "otsu, corrected by a person"
    assert server.client.get(f"{files}/edit.json").json() == now["edit"]

    back = server.client.delete(f"{url}/labels/0").json()
    assert back["edit"]["voxels_changed"] == 0
    assert back["measurements"] == job["measurements"]


def test_corrected_frames_become_a_data_set_for_training(
    server: Live, done: dict[str, object], tmp_path: Path
) -> None:
    url = f"/api/jobs/{done['id']}"
    assert server.client.get(f"{url}/training").json()["code"] == "not_corrected"
    assert server.client.post(f"{url}/corrected").json()["code"] == "not_corrected"
    labels = labels_of(server, str(done["id"]), 1, tmp_path)
    array = labels.array.copy()
    array[20:24, 20:24, 3] = (array[20:24, 20:24, 3] + 1) % 4
    write_labels(LabelMap(array, labels.geometry, ACDC), tmp_path / "edited.nii")
    body = (tmp_path / "edited.nii").read_bytes()
    assert server.client.put(f"{url}/labels/1", content=body).status_code == 200
    packed = server.client.get(f"{url}/training").content
    zipfile.ZipFile(io.BytesIO(packed)).extractall(tmp_path / "set")
    (case,) = read_dataset(f"nnunet:{tmp_path / 'set'}").cases
    image, back = case.pair()
    assert image.geometry.is_same(labels.geometry)
    assert (back.read_as(ACDC).array == array).all()
    assert json.loads((tmp_path / "set" / "edit.json").read_text())["edited"] is True


@pytest.mark.parametrize("wrong", ["grid", "values", "type"])
def test_labels_that_do_not_fit_are_refused(
    server: Live, done: dict[str, object], tmp_path: Path, wrong: str
) -> None:
    from cardioseg.core.geometry import Geometry
    from cardioseg.core.labels import HVSMR2

    labels = labels_of(server, str(done["id"]), 0, tmp_path)
    array, geometry, scheme = labels.array.copy(), labels.geometry, ACDC
    if wrong == "grid":
        geometry = Geometry(geometry.shape, geometry.affine + np.eye(4, k=3) * 5)
    if wrong == "values":
        array[0, 0, 0], scheme = 8, HVSMR2
    write_labels(LabelMap(array, geometry, scheme), tmp_path / "wrong.nii")
    body = b"words" if wrong == "type" else (tmp_path / "wrong.nii").read_bytes()
    answer = server.client.put(f"/api/jobs/{done['id']}/labels/0", content=body)
    assert answer.status_code == (415 if wrong == "type" else 422)
    assert str(server.server.store.root) not in answer.text


@pytest.mark.parametrize("frame", [2, 99_999])
def test_a_frame_that_is_not_there(server: Live, done: dict[str, object], frame: int) -> None:
    assert server.client.get(f"/api/jobs/{done['id']}/labels/{frame}").status_code == 404


def test_a_record_of_corrections_has_an_end(heart: bytes) -> None:
    with live(corrections=2) as running:
        job = running.finished(running.upload(heart).json()["id"])["id"]
        answers = [running.client.delete(f"/api/jobs/{job}/labels/0") for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 409]


def corrected_once(server: Live, job: object) -> httpx.Response:
    """Another label in one voxel of the first frame."""
    url = f"/api/jobs/{job}/labels/0"
    labels = bytearray(server.client.get(url).content)
    labels[-1] = (labels[-1] + 1) % 4
    return server.client.put(url, content=bytes(labels))


def test_a_correction_that_was_cut_off_is_answered(
    server: Live, heart: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = server.finished(server.upload(heart).json()["id"])
    url = f"/api/jobs/{job['id']}"
    written = []

    def ended(*rest: object) -> None:
        written.append(server.client.get(url))
        raise WriteError("as if the server ended here")

    with monkeypatch.context() as patch:
        patch.setattr("cardioseg.service.corrections.write_measurements", ended)
        assert corrected_once(server, job["id"]).status_code == 507
    for answer in (*written, server.client.get(url)):
        assert answer.status_code == 200
        assert (answer.json()["edit"], answer.json()["measurements"]) == (
            None,
            job["measurements"],
        )


def test_a_correction_without_measurements_is_measured_anew(server: Live, heart: bytes) -> None:
    job = server.finished(server.upload(heart).json()["id"])["id"]
    before = corrected_once(server, job).json()
    (server.server.store.get(str(job)).edits / "measurements.json").unlink()
    answer = server.client.get(f"/api/jobs/{job}")
    assert answer.status_code == 200
    for found, written in zip(answer.json()["measurements"], before["measurements"], strict=True):
        value = pytest.approx(written["value"], rel=1e-4)
        assert found == {**written, "value": value}


def test_a_correction_is_as_large_as_its_grid_and_counts(server: Live, heart: bytes) -> None:
    job = str(server.finished(server.upload(heart).json()["id"])["id"])
    before = server.server.store.get(job).size
    answer = server.client.put(f"/api/jobs/{job}/labels/0", content=bytes(1 << 20))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert corrected_once(server, job).status_code == 200
    found = server.server.store.get(job)
    edits = sum(path.stat().st_size for path in found.edits.iterdir())
    assert found.size >= before + edits


def test_one_correction_of_a_job_comes_at_a_time(server: Live, heart: bytes) -> None:
    job = str(server.finished(server.upload(heart).json()["id"])["id"])
    folder = server.server.store.get(job).folder
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    head = f"PUT /api/jobs/{job}/labels/0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    with socket.create_connection(address) as slow:
        slow.sendall(f"{head}\r\n".encode() + bytes(10))
        while not list(folder.glob("incoming-*")):
            time.sleep(0.01)
        second = corrected_once(server, job)
        assert (second.status_code, second.json()["code"]) == (503, "busy")
        assert "retry-after" in second.headers
    while list(folder.glob("incoming-*")):
        time.sleep(0.01)
    assert corrected_once(server, job).status_code == 200


def test_corrected_labels_do_not_pass_for_the_models_own(server: Live, heart: bytes) -> None:
    job = server.finished(server.upload(heart).json()["id"])["id"]
    url = f"/api/jobs/{job}/labels/0"
    described = slice(148, 228)  # NIfTI's `descrip`
    own = server.client.get(url).content[described]
    assert b"-corrected" not in own
    assert corrected_once(server, job).status_code == 200
    assert b"-corrected" in server.client.get(url).content[described]
    assert server.client.delete(url).status_code == 200
    assert server.client.get(url).content[described] == own


def test_what_was_reverted_is_not_corrected(server: Live, heart: bytes) -> None:
    job = server.finished(server.upload(heart).json()["id"])["id"]
    assert corrected_once(server, job).status_code == 200
    assert server.client.delete(f"/api/jobs/{job}/labels/0").status_code == 200
    for answer in (
        server.client.post(f"/api/jobs/{job}/corrected"),
        server.client.get(f"/api/jobs/{job}/training"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "not_corrected")


def test_a_change_of_labels_that_are_others_by_now_is_refused(server: Live, heart: bytes) -> None:
    job = server.finished(server.upload(heart).json()["id"])["id"]
    url = f"/api/jobs/{job}/labels/0"
    first = server.client.get(url)
    known = {"If-Match": first.headers["ETag"]}
    body = bytearray(first.content)
    body[-1] = (body[-1] + 1) % 4
    saved = server.client.put(url, content=bytes(body), headers=known)
    assert saved.status_code == 200
    for late in (
        server.client.put(url, content=first.content, headers=known),
        server.client.post(f"{url}/propagate", headers=known),
        server.client.delete(url, headers=known),
    ):
        assert (late.status_code, late.json()["code"]) == (409, "changed_meanwhile")
    assert server.client.get(f"/api/jobs/{job}").json()["edit"] == saved.json()["edit"]
    now = saved.json()["edit"]["sha256"]
    assert server.client.get(url).headers["ETag"] == f'"{now}"'
    assert server.client.delete(url, headers={"If-Match": now}).status_code == 200
    assert server.client.put(url, content=first.content).status_code == 200


def test_a_client_that_leaves_is_no_failure_of_the_server(server: Live) -> None:
    sent = []

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message["type"])

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/jobs",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    before = sorted(path.name for path in server.server.store.root.iterdir())
    asyncio.run(create_app(server.server)(scope, receive, send))
    assert sent[0] == "http.response.start"
    assert sorted(path.name for path in server.server.store.root.iterdir()) == before


# Who may ask.


def test_headers_keep_browsers_strict(server: Live) -> None:
    for path in ("/", "/api/models", "/static/main.js", "/nothing"):
        headers = server.client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "169.254.1.1", ""])
def test_another_host_is_refused(server: Live, host: str) -> None:
    answer = server.client.get("/api/models", headers={"Host": host})
    assert answer.status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "[::1]:8000", "127.0.0.1"])
def test_this_machine_is_answered_by_its_names(server: Live, host: str) -> None:
    assert server.client.get("/api/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://["]
)
def test_another_sites_page_is_refused(server: Live, heart: bytes, origin: str) -> None:
    answer = server.client.post("/api/jobs", content=heart, headers={"Origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_origin")


def test_the_pages_own_origin_is_answered(server: Live) -> None:
    answer = server.client.get("/api/models", headers={"Origin": server.url})
    assert answer.status_code == 200


def test_with_a_token_only_those_who_show_it_are_answered() -> None:
    with live(token=TOKEN) as running:
        ask = running.client.get
        assert ask("/api/models").status_code == 401
        for wrong in ("Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
            assert ask("/api/models", headers={"Authorization": wrong}).status_code == 401
        shown = {"Authorization": f"Bearer {TOKEN}"}
        assert ask("/api/models", headers=shown).status_code == 200
        assert ask("/api/models", headers={**shown, "Host": "ward.example"}).status_code == 200
        assert ask("/").status_code == 200


def test_the_page_has_no_address_of_another_site(server: Live) -> None:
    for path in ("/", *(f"/static/{n}.js" for n in ("main", "server", "viewer", "words"))):
        text = httpx.get(f"{server.url}{path}").text
        assert "http://" not in text
        assert "https://" not in text
