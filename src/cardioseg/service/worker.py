"""A process that segments: it may be stopped at any time, and a crash in it harms no one else."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cardioseg.errors import CardiosegError, is_out_of_memory
from cardioseg.service.jobs import Summary
from cardioseg.service.problems import without_path
from cardioseg.service.uploads import Upload
from cardioseg.workflows.processes import serve_parent

if TYPE_CHECKING:
    from cardioseg.service.extras import ExtraName

_POLL_SECONDS = 0.2
_STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Task:
    """What a worker is to do: segment an upload, or take corrected labels, or make an extra.

    Parameters
    ----------
    upload
        What came.
    output
        Folder of the results.
    model
        Model folder, installed model or baseline; an extra needs none of them opened.
    labels
        A person's labels that take the place of the model's.
    extra
        Files to make of what was segmented before; None segments.
    summary
        What the job says of itself, for an extra.
    """

    upload: Upload
    output: Path
    model: str
    labels: Path | None = None
    extra: ExtraName | None = None
    summary: Summary | None = None


@dataclass(frozen=True)
class Progress:
    """Frames done and frames in all."""

    done: int
    total: int


@dataclass(frozen=True)
class Made:
    """That the files of an extra are there."""


@dataclass(frozen=True)
class Failure:
    """Why a task failed, in words for a person."""

    words: str


Answer = Summary | Made | Failure


@dataclass(eq=False)
class Worker:
    """The parent's side of one process, which is started when there is work.

    Parameters
    ----------
    job_seconds
        A task that takes longer is stopped with its process.
    """

    job_seconds: float
    _process: SpawnProcess | None = None
    _pipe: Connection[Any, Any] | None = field(default=None, repr=False)

    def run(
        self, task: Task, watch: Callable[[int, int], None], wanted: Callable[[], bool]
    ) -> Answer:
        """Do one task and wait for its end.

        Parameters
        ----------
        task
            What to do.
        watch
            Called with frames done and frames in all.
        wanted
            Asked several times a second; the process is stopped as soon as it says no.
        """
        pipe = self._started()
        pipe.send(task)
        deadline = time.monotonic() + self.job_seconds
        while True:
            if not wanted():
                self.stop()
                return Failure("deleted")
            if time.monotonic() > deadline:
                self.stop()
                return Failure(
                    f"not done within {self.job_seconds:g} s, the limit here; upload fewer frames "
                    "or choose a faster model"
                )
            try:
                answer = pipe.recv() if pipe.poll(_POLL_SECONDS) else None
            except (EOFError, OSError):
                self.stop()
                return Failure("the process that segments ended; the scan may be too large for it")
            if isinstance(answer, Progress):
                watch(answer.done, answer.total)
            elif isinstance(answer, Summary | Made | Failure):
                return answer

    def stop(self) -> None:
        """End the process; the next task starts another."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.terminate()
            process.join(_STOP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()

    def _started(self) -> Connection[Any, Any]:
        if self._process is not None and self._pipe is not None and self._process.is_alive():
            return self._pipe
        self.stop()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve_tasks, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        return ours


def serve_tasks(pipe: Connection[Any, Any]) -> None:
    """The child's side: do tasks until the parent is gone."""
    # Else a server that is started again may give the same task to another process.
    serve_parent()
    with suppress(EOFError, OSError):
        while True:
            task: Task = pipe.recv()
            pipe.send(_done(task, lambda done, total: pipe.send(Progress(done, total))))


def _done(task: Task, watch: Callable[[int, int], None]) -> Answer:
    from cardioseg.service.extras import make_extra
    from cardioseg.service.offers import open_segmenter
    from cardioseg.service.person import PersonsLabels
    from cardioseg.service.results import make_results

    try:
        if task.extra is not None and task.summary is not None:
            make_extra(task.upload, task.output, task.summary, task.extra)
            return Made()
        model = open_segmenter(task.model)
        segmenter = model if task.labels is None else PersonsLabels(model, task.labels)
        return make_results(task.upload, task.output, segmenter, watch)
    except CardiosegError as error:
        return Failure(without_path(str(error), task.upload.path))
    except (BrokenPipeError, EOFError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            return Failure("out of memory; crop the image or upload fewer frames")
        # A stranger's file must not end the service.
        what = "these files cannot be made" if task.extra else "this scan cannot be segmented"
        return Failure(f"{what} ({type(error).__name__})")
