"""All jobs of one server: their state in memory, their files in a folder named by a random id."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from cardioseg.errors import FormatError
from cardioseg.service.jobs import Extra, Job, State, Summary
from cardioseg.service.limits import Limits
from cardioseg.service.problems import ProblemError
from cardioseg.service.uploads import Upload

_GONE = "no such job; its time may be over, or the server was started anew: upload the scan again"
_REMEMBERED = {"state", "touched", "extras"}
_ID_BYTES = 16
_SECONDS_PER_MINUTE = 60


@dataclass(eq=False)
class JobStore:
    """All jobs of one server; every method may be called from any thread.

    Parameters
    ----------
    root
        Folder of the server's own; one folder a job is made in it.
    limits
        How many jobs and bytes are kept, and how long.
    clock
        Monotonic seconds.
    remember
        Called with every job whose state changed, to keep it for a server that is started again.
    """

    root: Path
    limits: Limits
    clock: Callable[[], float] = time.monotonic
    remember: Callable[[Job], None] = lambda job: None
    _jobs: dict[str, Job] = field(default_factory=dict)
    _coming: dict[str, int] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _remembering: threading.Lock = field(default_factory=threading.Lock)
    _edit_locks: dict[str, threading.Lock] = field(default_factory=dict)

    def reserve(self, expected: int = 0) -> tuple[str, Path]:
        """A new id and its empty folder, before anything is known of the upload.

        It counts as one that waits and is kept until it is released.

        Parameters
        ----------
        expected
            Bytes that are to come.

        Raises
        ------
        ProblemError
            503 where the queue or the store is full.
        """
        with self._lock:
            waiting = sum(job.state == "queued" for job in self._jobs.values()) + len(self._coming)
            kept = len(self._jobs) + len(self._coming)
            stored = sum(job.size for job in self._jobs.values()) + sum(self._coming.values())
            if waiting >= self.limits.waiting:
                raise ProblemError(503, "busy", f"{waiting} jobs are waiting; try again later")
            if kept >= self.limits.kept or stored >= self.limits.kept_bytes:
                raise ProblemError(
                    503, "full", "the server keeps as much as it may; delete a job or wait"
                )
            identity = secrets.token_hex(_ID_BYTES)
            self._coming[identity] = expected
        folder = self.root / identity
        try:
            folder.mkdir(mode=0o700)
        except OSError:
            self.release(identity)
            raise
        return identity, folder

    def release(self, identity: str) -> None:
        """An upload has come or has failed: it no longer counts as one that is coming."""
        with self._lock:
            self._coming.pop(identity, None)

    def add(
        self, identity: str, folder: Path, upload: Upload, model: str, labels: Path | None = None
    ) -> Job:
        """Take a checked upload into the queue."""
        size = bytes_below(folder)
        job = Job(identity, folder, upload, model, labels, touched=self.clock(), size=size)
        # Before it is known: whoever is told of a job finds it again.
        self.remember(job)
        self.take(job)
        return job

    def take(self, job: Job) -> None:
        """Take a job as it is."""
        with self._lock:
            self.release(job.id)
            self._jobs[job.id] = job
            self._edit_locks[job.id] = threading.Lock()

    def get(self, identity: str) -> Job:
        """The job of that id.

        Raises
        ------
        ProblemError
            404 where there is none, or its time is over.
        """
        with self._lock:
            job = self._jobs.get(identity)
            if job is None or self.expired(job):
                raise ProblemError(404, "no_such_job", _GONE)
            return job

    def update(self, identity: str, **changes: object) -> None:
        """Change a job; one that has been deleted meanwhile is left alone."""
        self._change(identity, changes)
        if _REMEMBERED & changes.keys():
            self._remember(identity)

    def _change(self, identity: str, changes: Mapping[str, object]) -> None:
        with self._lock:
            job = self._jobs.get(identity)
            if job is not None:
                changed = {"version": job.version + 1, **changes}
                self._jobs[identity] = replace(job, **changed)  # type: ignore[arg-type]

    def _remember(self, identity: str) -> None:
        """Keep a job as it is now; the lock, for which all requests wait, is not held for it."""
        with self._remembering:
            job = self._jobs.get(identity)
            if job is not None:
                # A disk that is full must not stop what runs: a restart would do it again.
                with suppress(FormatError):
                    self.remember(job)

    def finish(
        self, identity: str, state: State, summary: Summary | None = None, error: str = ""
    ) -> None:
        """End a job; its time to be kept starts now. What a deleted one left is removed."""
        size = self._measured(identity)
        self.update(
            identity, state=state, summary=summary, error=error, size=size, touched=self.clock()
        )

    def ask(self, identity: str, name: str) -> bool:
        """Ask for an extra; False where it waits or is made, so that there is nothing to do."""
        with self._lock:
            job = self.get(identity)
            if any(each.name == name and each.state != "failed" for each in job.extras):
                return False
            self._change(identity, {"extras": _with(job, Extra(name, "waiting"))})
        self.touch(identity)
        return True

    def answer(self, identity: str, extra: Extra) -> None:
        """Say what became of an extra; a job that has been deleted meanwhile is left alone."""
        with self._lock:
            job = self._jobs.get(identity)
            if job is not None:
                # Else its time might be over before the next line.
                changes = {"extras": _with(job, extra), "touched": self.clock()}
                self._change(identity, changes)
        self.touch(identity)

    def touch(self, identity: str) -> None:
        """Start a job's time to be kept anew, and count its bytes."""
        self.update(identity, size=self._measured(identity), touched=self.clock())

    def _measured(self, identity: str) -> int:
        job = self._jobs.get(identity)
        return bytes_below(job.folder) if job is not None else 0

    def exists(self, identity: str) -> bool:
        """Whether a job is still there."""
        with self._lock:
            return identity in self._jobs

    def position(self, job: Job) -> int:
        """Jobs before this one in the queue; 0 for one that does not wait."""
        with self._lock:
            ids = [each.id for each in self._jobs.values() if each.state == "queued"]
        return ids.index(job.id) if job.id in ids else 0

    def edit_lock(self, identity: str) -> threading.Lock:
        """Held while a job's corrections are read and written.

        Raises
        ------
        ProblemError
            404 where there is no such job.
        """
        with self._lock:
            return self._edit_locks[self.get(identity).id]

    def seconds_left(self, job: Job) -> float:
        """Seconds until the job is deleted; one that the server is at work for is not."""
        if job.is_at_work:
            return self.limits.keep_minutes * _SECONDS_PER_MINUTE
        age = self.clock() - job.touched
        return max(self.limits.keep_minutes * _SECONDS_PER_MINUTE - age, 0.0)

    def expired(self, job: Job) -> bool:
        """Whether the job's time is over."""
        return self.seconds_left(job) <= 0

    def delete(self, identity: str) -> None:
        """Forget a job and remove its files.

        Raises
        ------
        ProblemError
            404 where there is none.
        """
        # Not while it is remembered, which would leave a record where the folder was.
        with self._remembering, self._lock:
            job = self._jobs.pop(identity, None)
            self._edit_locks.pop(identity, None)
        if job is None:
            raise ProblemError(404, "no_such_job", _GONE)
        shutil.rmtree(job.folder, ignore_errors=True)

    def sweep(self) -> tuple[str, ...]:
        """Delete every job whose time is over; their ids."""
        with self._lock:
            over = tuple(job.id for job in self._jobs.values() if self.expired(job))
        for identity in over:
            # A client may have deleted it meanwhile.
            with suppress(ProblemError):
                self.delete(identity)
        return over

    def close(self) -> None:
        """Forget all jobs; their files stay."""
        with self._lock:
            self._jobs.clear()


def bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder; what vanishes meanwhile counts nothing."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += Path(parent, name).lstat().st_size
    return size


def _with(job: Job, extra: Extra) -> tuple[Extra, ...]:
    """A job's extras with this one in place of one of its name."""
    return (*(each for each in job.extras if each.name != extra.name), extra)
