"""A server that is started again: jobs are finished or reported, and nothing else is kept."""

from __future__ import annotations

import json
import os
import resource
import tempfile
from pathlib import Path

import pytest
from tests.live_server import live, small_heart
from tests.unit.test_no_space import no_file_longer_than

from cardioseg.errors import ConfigError
from cardioseg.io.lock import try_lock
from cardioseg.service.limits import Limits
from cardioseg.service.place import LOCK, server_folder
from cardioseg.service.problems import ProblemError
from cardioseg.service.records import RECORD, read_records, write_record
from cardioseg.service.store import JobStore
from cardioseg.service.uploads import Upload


@pytest.fixture(scope="module")
def heart(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return small_heart(tmp_path_factory.mktemp("heart") / "heart.nii.gz").read_bytes()


def left_behind(root: Path, heart: bytes, **changes: object) -> str:
    """A job of a server that is gone, as it left it."""
    store = JobStore(root, Limits())
    identity, folder = store.reserve()
    (folder / "upload.nii.gz").write_bytes(heart)
    store.add(identity, folder, Upload("nifti", folder / "upload.nii.gz"), "otsu")
    store.update(identity, **changes)
    write_record(store.get(identity), store.clock())
    return identity


def test_jobs_are_finished_reported_and_shown_again(tmp_path: Path, heart: bytes) -> None:
    waited = left_behind(tmp_path, heart)
    ran = left_behind(tmp_path, heart, state="running", starts=1)
    deadly = left_behind(tmp_path, heart, state="running", starts=2)
    gone = left_behind(tmp_path, heart, model="sax")
    failed = left_behind(tmp_path, heart, state="failed", error="it did not work")
    (tmp_path / ("a" * 32)).mkdir()  # an upload that was not whole
    (tmp_path / waited / "incoming-1").mkdir()
    with live(jobs=tmp_path) as running:
        found = {each: running.finished(each) for each in (waited, ran, deadly, gone, failed)}
    assert [found[each]["state"] for each in (waited, ran)] == ["done", "done"]
    assert "the server ended while this scan was segmented" in str(found[deadly]["error"])
    assert found[gone]["error"] == "sax is no longer offered here"
    assert found[failed]["error"] == "it did not work"
    assert not (tmp_path / ("a" * 32)).exists()
    assert not (tmp_path / waited / "incoming-1").exists()
    with live(jobs=tmp_path) as again:
        shown = again.client.get(f"/api/jobs/{waited}").json()
        assert shown["state"] == "done"
        assert shown["measurements"] == found[waited]["measurements"]
        assert again.client.get(f"/api/jobs/{waited}/files/result.nii.gz").status_code == 200
        assert again.client.get(f"/api/jobs/{waited}/files/{RECORD}").status_code == 404
        assert again.client.delete(f"/api/jobs/{waited}").status_code == 204
    assert not (tmp_path / waited).exists()


@pytest.mark.parametrize("text", ["", "{}", "[" * 9000, '{"format_version": 2}'])
def test_a_job_whose_record_cannot_be_read_is_left_and_told(
    tmp_path: Path, heart: bytes, text: str
) -> None:
    identity = left_behind(tmp_path, heart)
    (tmp_path / identity / RECORD).write_text(text)
    told: list[str] = []
    assert read_records(tmp_path, 0.0, told.append) == ()
    assert (tmp_path / identity / "upload.nii.gz").read_bytes() == heart
    assert told == [
        f"job {identity}: left as it is: its job.json is damaged or of another version; serve it "
        "with the version that wrote it, or remove its folder"
    ]


@pytest.mark.parametrize("version", [1, 3])
def test_a_job_of_another_version_keeps_its_corrections(
    tmp_path: Path, heart: bytes, version: int
) -> None:
    identity = left_behind(tmp_path, heart)
    folder = tmp_path / identity
    record = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps({**record, "format_version": version}))
    (folder / "edits").mkdir()
    (folder / "edits" / "edited.nii.gz").write_bytes(b"a person's work")
    with live(jobs=tmp_path) as running:
        assert running.client.get(f"/api/jobs/{identity}").status_code == 404
        assert any(f"job {identity}: left as it is" in line for line in running.log)
    assert (folder / "edits" / "edited.nii.gz").read_bytes() == b"a person's work"


def test_a_finished_job_stays_where_its_model_is_no_longer_offered(
    tmp_path: Path, heart: bytes
) -> None:
    with live(jobs=tmp_path) as running:
        job = running.finished(running.upload(heart).json()["id"])["id"]
        url = f"/api/jobs/{job}"
        labels = bytearray(running.client.get(f"{url}/labels/0").content)
        labels[400] = (labels[400] + 1) % 4
        assert running.client.put(f"{url}/labels/0", content=bytes(labels)).status_code == 200
        before = running.client.get(url).json()
    with live(models=("active-contour",), jobs=tmp_path) as other:
        now = other.client.get(url).json()
        assert {**now, "seconds_left": 0, "done": 1} == {**before, "seconds_left": 0, "done": 1}
        assert other.client.get(f"{url}/edited").status_code == 200
        assert other.client.get(f"{url}/labels/0").content[352:] == bytes(labels)[352:]
        _, extra = other.made(job, "nrrd")
        assert extra["state"] == "made"
        remade = other.client.post(f"{url}/corrected")
        assert (remade.status_code, remade.json()["code"]) == (404, "no_such_model")
    with live(jobs=tmp_path) as again:
        assert again.client.get(url).json()["edit"] == before["edit"]


@pytest.mark.parametrize("path", ["/etc/hostname", "../other/upload", "absent", ""])
def test_a_record_cannot_point_elsewhere(tmp_path: Path, heart: bytes, path: str) -> None:
    identity = left_behind(tmp_path, heart)
    record = json.loads((tmp_path / identity / RECORD).read_text())
    (tmp_path / identity / RECORD).write_text(json.dumps({**record, "path": path}))
    assert read_records(tmp_path, 0.0, lambda line: None) == ()


def test_jobs_keep_their_order_and_their_age(tmp_path: Path, heart: bytes) -> None:
    identities = [left_behind(tmp_path, heart, touched=float(-age)) for age in (10, 30, 20)]
    store = JobStore(tmp_path, Limits())
    found = read_records(tmp_path, store.clock(), lambda line: None)
    assert [job.id for job in found] == [identities[1], identities[2], identities[0]]
    assert found[0].touched == pytest.approx(-30, abs=1)


def test_two_servers_cannot_share_a_folder(tmp_path: Path) -> None:
    with (
        server_folder(tmp_path),
        pytest.raises(ConfigError, match="another server uses it"),
        server_folder(tmp_path),
    ):
        pass
    with server_folder(tmp_path) as again:
        assert again == tmp_path


def test_the_uploads_of_a_killed_server_are_removed_and_of_a_living_one_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead, living, others = (tmp_path / f"cardioseg-serve-{n}" for n in ("dead", "living", "x"))
    for folder in (dead, living, others):
        folder.mkdir()
        (folder / "upload.nii").touch()
    (dead / LOCK).touch()
    (living / LOCK).touch()
    held = os.open(living / LOCK, os.O_RDWR)
    assert try_lock(held)
    with server_folder(None) as own:
        assert own.parent == tmp_path
        assert sorted(path for path in tmp_path.iterdir() if path != own) == [living, others]
    os.close(held)
    assert not own.exists()


def test_a_full_disk_is_507_and_leaves_nothing(heart: bytes) -> None:
    with live() as running:
        with no_file_longer_than(len(heart) // 2):
            answer = running.upload(heart)
        assert (answer.status_code, answer.json()["code"]) == (507, "no_space")
        root = running.server.store.root
        assert [path.name for path in root.iterdir()] == [LOCK]
        assert running.finished(running.upload(heart).json()["id"])["state"] == "done"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_uploads_that_are_coming_count_as_waiting(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits(waiting=2))
    identities = [store.reserve()[0] for _ in range(2)]
    with pytest.raises(ProblemError, match="2 jobs are waiting"):
        store.reserve()
    store.release(identities[0])
    store.reserve()
