"""What several routes do: make room for a job, take its body, find it finished, answer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import Request
from fastapi.responses import FileResponse

from cardioseg.service.corrections import Desk
from cardioseg.service.edit_record import EditRecord
from cardioseg.service.jobs import Job
from cardioseg.service.messages import JobView, job_view
from cardioseg.service.problems import ProblemError, storing
from cardioseg.service.server import Server
from cardioseg.service.uploads import Upload, inspect_upload, receive


@contextmanager
def reserved(server: Server, expected: int) -> Iterator[tuple[str, Path]]:
    """A new job's id and folder for so many bytes, removed if the job does not come to be."""
    with storing():
        identity, folder = server.store.reserve(expected)
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


def declared(request: Request) -> int:
    """The body's length as the client told it; 0 where it did not."""
    told = request.headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() else 0


async def received(request: Request, path: Path, limit: int) -> Path:
    """The request's body, written to `path`; of at most `limit` bytes."""
    await receive(request.stream(), path, declared(request), limit)
    return path


@contextmanager
def incoming(desk: Desk) -> Iterator[Path]:
    """Folder of a correction while it comes, removed at the end.

    Raises
    ------
    ProblemError
        503 where one of the same job is coming already; 507 where the disk is full.
    """
    folder = desk.job.folder / "incoming-correction"
    with storing():
        try:
            folder.mkdir()
        except FileExistsError as error:
            raise ProblemError(
                503, "busy", "another correction of this job is being saved; try again then"
            ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def queued(server: Server, job: Job) -> JobView:
    """The view of a job that was just added, which now waits its turn."""
    server.dispatcher.submit(job.id)
    return job_view(job, server.store)


def require_base(desk: Desk, base: str) -> None:
    """Refuse a change of labels that somebody else has changed meanwhile.

    Parameters
    ----------
    desk
        The labels, whose lock is held.
    base
        Digest of the labels that the client knows, quoted or not, as `If-Match` sends it; a
        client that names none, or `*`, changes whatever is there.

    Raises
    ------
    ProblemError
        409 where the labels are others.
    """
    known = base.strip().removeprefix("W/").strip('"')
    if known not in ("", "*", desk.digest()):
        raise ProblemError(
            409,
            "changed_meanwhile",
            "somebody else has changed these labels meanwhile; take them anew and repeat it",
        )


def save_correction(
    server: Server, desk: Desk, frame: int, taken: Path, seconds: float, base: str = ""
) -> EditRecord:
    """Check an uploaded label map and save it as the correction of one frame."""
    upload = inspect_upload(taken, server.store.limits)
    if upload.kind != "nifti":
        raise ProblemError(415, "wrong_type", "corrected labels are NIfTI (.nii or .nii.gz)")
    with server.store.edit_lock(desk.job.id):
        require_base(desk, base)
        return desk.save(frame, desk.read_upload(upload.path, frame), seconds)


def touched_view(server: Server, job_id: str) -> JobView:
    """The view of a job somebody works on: its time to be kept starts anew."""
    server.store.touch(job_id)
    return job_view(server.store.get(job_id), server.store)


def finished(server: Server, job_id: str) -> Desk:
    """The labels of the job of that id, if it is done; 409 if not."""
    found = server.store.get(job_id)
    if found.summary is None:
        raise ProblemError(409, "not_done", f"the job is {found.state}; wait until it is done")
    return Desk(found, found.summary, server.store.limits.corrections)


def download(path: Path, media_type: str) -> FileResponse:
    """A file under its own name."""
    return FileResponse(path, media_type=media_type, filename=path.name)
