"""Jobs on disk: what a server that is started again must know to finish or to report them."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cardioseg.io.atomic import write_text
from cardioseg.service.jobs import ID_PATTERN, Extra, Job, State, Summary
from cardioseg.service.store import bytes_below
from cardioseg.service.uploads import Kind, Upload

RECORD = "job.json"

FORMAT_VERSION = 2
MOST_STARTS = 2
"""A job during which the server ended so often is not tried again: it may be what ends it."""

ENDED = (
    "the server ended while this scan was segmented, and again when it was tried once more; it may "
    "be too large for this machine"
)


@dataclass(frozen=True)
class _Record:
    """A job as job.json holds it; paths are relative to its folder, the time is the clock's."""

    format_version: int
    kind: Kind
    path: str
    series: str
    model: str
    labels: str | None
    state: State
    error: str
    summary: Summary | None
    touched_at: float
    starts: int
    extras: tuple[Extra, ...]


_READER = TypeAdapter(_Record)


def write_record(job: Job, now: float) -> None:
    """Write a job's record into its folder.

    Parameters
    ----------
    job
        The job.
    now
        What the store's own clock says, in seconds.

    Raises
    ------
    FormatError
        If it cannot be written.
    """
    record = _Record(
        FORMAT_VERSION,
        job.upload.kind,
        str(job.upload.path.relative_to(job.folder)),
        job.upload.series,
        job.model,
        str(job.labels.relative_to(job.folder)) if job.labels else None,
        job.state,
        job.error,
        job.summary,
        time.time() - (now - job.touched),
        job.starts,
        # One that waits may be asked for again: nobody's work is lost.
        tuple(each for each in job.extras if each.state != "waiting"),
    )
    write_text(job.folder / RECORD, json.dumps(asdict(record), indent=1) + "\n")


def read_records(root: Path, now: float, tell: Callable[[str], None]) -> tuple[Job, ...]:
    """The jobs that a former server left, in the order in which they came.

    A job that waited waits again, and so does one that ran, but not more than twice. An upload that
    was not whole has no record and is removed: its client never had an answer. A job whose record
    this version cannot read is left as it is: there may be a person's corrections in it.

    Parameters
    ----------
    root
        The server's folder.
    now
        What the store's own clock says, in seconds.
    tell
        Gets a line for a job that is left as it is.
    """
    jobs = []
    for folder in root.iterdir():
        if not folder.is_dir() or not re.fullmatch(ID_PATTERN, folder.name):
            continue
        if not (folder / RECORD).exists():
            shutil.rmtree(folder, ignore_errors=True)
        elif (job := _read(folder, now)) is not None:
            jobs.append(_to_go_on(job))
            _tidy(folder)
        else:
            tell(
                f"job {folder.name}: left as it is: its {RECORD} is damaged or of another version; "
                "serve it with the version that wrote it, or remove its folder"
            )
    return tuple(sorted(jobs, key=lambda job: job.touched))


def _read(folder: Path, now: float) -> Job | None:
    try:
        record = _READER.validate_json((folder / RECORD).read_bytes())
    except (OSError, ValidationError):
        return None
    names = [record.path, *([record.labels] if record.labels else [])]
    if record.format_version != FORMAT_VERSION or not all(_is_in(folder, n) for n in names):
        return None
    path = folder / record.path
    age = max(time.time() - record.touched_at, 0.0)
    return Job(
        id=folder.name,
        folder=folder,
        upload=Upload(record.kind, path, record.series),
        model=record.model,
        labels=folder / record.labels if record.labels else None,
        state=record.state,
        error=record.error,
        summary=record.summary,
        touched=now - age,
        size=bytes_below(folder),
        starts=record.starts,
        extras=record.extras,
    )


def _is_in(folder: Path, name: str) -> bool:
    """Whether a plain name is that of a file or folder there."""
    return name not in ("", ".", "..") and Path(name).name == name and (folder / name).exists()


def _to_go_on(job: Job) -> Job:
    if job.state != "running":
        return job
    if job.starts >= MOST_STARTS:
        return replace(job, state="failed", error=ENDED)
    return replace(job, state="queued")


def _tidy(folder: Path) -> None:
    """Remove corrections that were being received."""
    for path in folder.glob("incoming-*"):
        shutil.rmtree(path, ignore_errors=True)
