"""The store and the queue: limits that hold, and files that vanish while they are counted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cardioseg.service.dispatch import Dispatcher
from cardioseg.service.jobs import Extra, Job
from cardioseg.service.limits import Limits
from cardioseg.service.offers import open_offers
from cardioseg.service.problems import ProblemError
from cardioseg.service.records import RECORD, write_record
from cardioseg.service.store import JobStore, bytes_below
from cardioseg.service.uploads import Upload
from cardioseg.service.worker import Failure, Made, Task, Worker

PATIENCE_S = 60
MIB = 1 << 20


def added(store: JobStore, size: int = 1) -> Job:
    identity, folder = store.reserve(size)
    (folder / "upload.nii").write_bytes(bytes(size))
    return store.add(identity, folder, Upload("nifti", folder / "upload.nii"), "otsu")


@contextmanager
def dispatching(store: JobStore, told: list[str]) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(store, open_offers(["otsu"]), 1, told.append)
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop()


def wait_until(met: object) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not met():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_uploads_that_are_coming_count_as_kept(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits(kept=2))
    added(store)
    coming, _ = store.reserve()
    with pytest.raises(ProblemError, match="keeps as much as it may"):
        store.reserve()
    store.release(coming)
    store.reserve()


def test_bytes_that_are_coming_count_as_kept(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits(kept_mb=3))
    added(store, MIB)
    store.reserve(2 * MIB)
    with pytest.raises(ProblemError, match="keeps as much as it may"):
        store.reserve()


def test_a_job_that_has_come_is_counted_once(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits(kept=3, waiting=3))
    for _ in range(3):
        added(store)
    assert bytes_below(tmp_path) == 3


def test_files_that_vanish_while_they_are_counted_count_nothing(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits())
    job = added(store)
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            for number in range(7):
                folder = job.folder / f"incoming-{number}"
                folder.mkdir()
                (folder / "upload").write_bytes(b"x")
                (folder / "upload").unlink()
                folder.rmdir()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            store.ask(job.id, "mesh")
            store.answer(job.id, Extra("mesh", "failed"))
    finally:
        over.set()
        thread.join()
    (job.folder / "nowhere").symlink_to(job.folder / "absent")
    assert store.get(job.id).size >= 1


def test_what_goes_wrong_ends_one_job_or_extra_and_the_thread_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(worker: Worker, task: Task, *rest: object) -> Failure | Made:
        if task.extra == "mesh" or task.upload.path.stat().st_size == 2:
            raise FileNotFoundError("a file that vanished")
        return Made() if task.extra else Failure("as it should")

    monkeypatch.setattr(Worker, "run", run)
    store, told = JobStore(tmp_path, Limits()), []
    with dispatching(store, told) as dispatcher:
        first, second = added(store, 2), added(store)
        for job in (first, second):
            dispatcher.submit(job.id)
        wait_until(lambda: store.get(second.id).state == "failed")
        for name in ("mesh", "nrrd"):
            store.ask(second.id, name)
            dispatcher.submit_extra(second.id, name)
        wait_until(lambda: not store.get(second.id).is_at_work)
    assert store.get(first.id).state == "failed"
    assert "FileNotFoundError" in store.get(first.id).error
    assert store.get(second.id).error == "as it should"
    found = {each.name: each for each in store.get(second.id).extras}
    assert (found["mesh"].state, found["nrrd"].state) == ("failed", "made")
    assert "FileNotFoundError" in found["mesh"].error
    assert f"job {first.id}: it failed (FileNotFoundError)" in told


def test_a_job_that_a_client_deletes_while_it_is_swept_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = JobStore(tmp_path, Limits(), clock=lambda: 0.0)
    jobs = [added(store) for _ in range(2)]
    for job in jobs:
        store.finish(job.id, "failed")
    monkeypatch.setattr(store, "clock", lambda: 1e6)
    delete = store.delete

    def late(identity: str) -> None:
        delete(identity)
        delete(identity)

    monkeypatch.setattr(store, "delete", late)
    assert len(store.sweep()) == 2


def test_no_lock_is_kept_for_a_job_that_is_not_there(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits())
    job = added(store)
    assert store.edit_lock(job.id) is store.edit_lock(job.id)
    with pytest.raises(ProblemError, match="no such job"):
        store.edit_lock("0" * 32)
    assert set(store._edit_locks) == {job.id}


def test_jobs_are_found_while_one_is_written_down(tmp_path: Path) -> None:
    store = JobStore(tmp_path, Limits())
    job = added(store)
    writing, found = threading.Event(), threading.Event()

    def slowly(each: Job) -> None:
        writing.set()
        assert found.wait(PATIENCE_S)
        write_record(each, 0.0)

    store.remember = slowly
    thread = threading.Thread(target=lambda: store.update(job.id, state="running"))
    thread.start()
    assert writing.wait(PATIENCE_S)
    assert store.get(job.id).state == "running"
    found.set()
    thread.join()
    assert json.loads((job.folder / RECORD).read_text())["state"] == "running"
