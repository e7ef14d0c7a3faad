"""What several routes do: make room for a job, take its body, find it finished, answer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import Request
from fastapi.responses import FileResponse

from cardioseg.service.corrections import Desk, EditRecord
from cardioseg.service.jobs import Job
from cardioseg.service.messages import JobView, job_view
from cardioseg.service.problems import ProblemError, storing
from cardioseg.service.server import Server
from cardioseg.service.uploads import Upload, inspect_upload, receive


@contextmanager
def reserved(server: Server) -> Iterator[tuple[str, Path]]:
    """A new job's id and folder, which is removed if the job does not come to be."""
    with storing():
        identity, folder = server.store.reserve()
    try:
        with storing():
            yield identity, folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        server.store.release(identity)


def copied(upload: Upload, folder: Path) -> Upload:
    """An upload of its own: the former job may be deleted at any time."""
    copy = folder / upload.path.name
    if upload.path.is_dir():
        shutil.copytree(upload.path, copy)
    else:
        shutil.copyfile(upload.path, copy)
    return Upload(upload.kind, copy, upload.series)


def not_corrected() -> ProblemError:
    """What a job without corrections answers."""
    return ProblemError(409, "not_corrected", "no frame is corrected; correct one first")


async def received(request: Request, path: Path, server: Server) -> Path:
    """The request's body, written to `path` within the server's limits."""
    declared = request.headers.get("content-length", "")
    length = int(declared) if declared.isascii() and declared.isdigit() else 0
    await receive(request.stream(), path, length, server.store.limits.upload_bytes)
    return path


def queued(server: Server, job: Job) -> JobView:
    """The view of a job that was just added, which now waits its turn."""
    server.dispatcher.submit(job.id)
    return job_view(job, server.store, server.offers)


def save_correction(
    server: Server, desk: Desk, frame: int, taken: Path, seconds: float
) -> EditRecord:
    """Check an uploaded label map and save it as the correction of one frame."""
    upload = inspect_upload(taken, server.store.limits)
    if upload.kind != "nifti":
        raise ProblemError(415, "wrong_type", "corrected labels are NIfTI (.nii or .nii.gz)")
    with server.store.edit_lock(desk.job.id):
        return desk.save(frame, desk.read_upload(upload.path, frame), seconds)


def touched_view(server: Server, job_id: str) -> JobView:
    """The view of a job somebody works on: its time to be kept starts anew."""
    server.store.touch(job_id)
    return job_view(server.store.get(job_id), server.store, server.offers)


def finished(server: Server, job_id: str) -> Job:
    """The job of that id, if it is done; 409 if not."""
    found = server.store.get(job_id)
    if found.summary is None:
        raise ProblemError(409, "not_done", f"the job is {found.state}; wait until it is done")
    return found


def desk_of(server: Server, job_id: str) -> Desk:
    """Where the corrections of a finished job are made."""
    found = finished(server, job_id)
    if found.summary is None:
        raise ProblemError(409, "not_done", "the job is not done")
    return Desk(found, found.summary, server.store.limits.corrections)


def download(path: Path, media_type: str) -> FileResponse:
    """A file under its own name."""
    return FileResponse(path, media_type=media_type, filename=path.name)
