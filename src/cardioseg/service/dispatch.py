"""The queue: threads that give waiting jobs to workers, and one that deletes what is over."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cardioseg.service.jobs import Extra, Summary
from cardioseg.service.offers import Offer, offer_named
from cardioseg.service.store import JobStore
from cardioseg.service.worker import Failure, Task, Worker

if TYPE_CHECKING:
    from cardioseg.service.extras import ExtraName

Told = Callable[[str], None]

_SWEEP_SECONDS = 5.0


@dataclass(eq=False)
class Dispatcher:
    """Gives jobs to workers, first come, first served.

    Parameters
    ----------
    store
        The jobs.
    offers
        The models.
    workers
        Jobs that run at once.
    tell
        Gets lines for a log; a job is named by its id alone.
    """

    store: JobStore
    offers: tuple[Offer, ...]
    workers: int
    tell: Told
    _waiting: queue.Queue[tuple[str, ExtraName | None] | None] = field(default_factory=queue.Queue)
    _threads: list[threading.Thread] = field(default_factory=list)
    _closing: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start the threads."""
        targets = [self._work] * self.workers + [self._sweep]
        self._threads = [threading.Thread(target=each, daemon=True) for each in targets]
        for thread in self._threads:
            thread.start()

    def submit(self, identity: str) -> None:
        """Put a job at the end of the queue."""
        self.tell(f"job {identity}: queued")
        self._waiting.put((identity, None))

    def submit_extra(self, identity: str, name: ExtraName) -> None:
        """Put the making of an extra at the end of the queue."""
        self.tell(f"job {identity}: {name} asked for")
        self._waiting.put((identity, name))

    def stop(self) -> None:
        """Stop what runs and end the threads."""
        self._closing.set()
        for _ in range(self.workers):
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(timeout=10)

    def _work(self) -> None:
        worker = Worker(self.store.limits.job_seconds)
        try:
            while (item := self._waiting.get()) is not None and not self._closing.is_set():
                identity, extra = item
                if self.store.exists(identity):
                    self._do(identity, extra, worker)
        finally:
            worker.stop()

    def _do(self, identity: str, extra: ExtraName | None, worker: Worker) -> None:
        """Run a job or make an extra; whatever goes wrong ends that alone, not the thread."""
        try:
            if extra is None:
                self._run(identity, worker)
            else:
                self._make(identity, extra, worker)
        except Exception as error:
            worker.stop()
            words = f"the server could not go on with it ({type(error).__name__}); try again"
            if extra is None:
                self.store.finish(identity, "failed", error=words)
            else:
                self.store.answer(identity, Extra(extra, "failed", words))
            self.tell(f"job {identity}: {extra or 'it'} failed ({type(error).__name__})")

    def _run(self, identity: str, worker: Worker) -> None:
        job = self.store.get(identity)
        self.store.update(identity, state="running", starts=job.starts + 1)
        self.tell(f"job {identity}: running")
        source = offer_named(self.offers, job.model).source
        answer = worker.run(
            Task(job.upload, job.results, source, job.labels),
            lambda done, total: self.store.update(identity, done=done, total=total),
            lambda: self._is_wanted(identity),
        )
        if not self.store.exists(identity):
            # The process may have written while the folder was being removed.
            shutil.rmtree(job.folder, ignore_errors=True)
        elif self._closing.is_set() and not isinstance(answer, Summary):
            # Told to end in order: that was not the job's fault, and does not count as a start.
            self.store.update(identity, state="queued", starts=job.starts)
            self.tell(f"job {identity}: stopped with the server")
        elif isinstance(answer, Summary):
            self.store.finish(identity, "done", summary=answer)
            self.tell(f"job {identity}: done in {answer.seconds:.1f} s")
        elif isinstance(answer, Failure):
            self.store.finish(identity, "failed", error=answer.words)
            self.tell(f"job {identity}: failed")

    def _make(self, identity: str, name: ExtraName, worker: Worker) -> None:
        job = self.store.get(identity)
        answer = worker.run(
            Task(job.upload, job.results, job.model, extra=name, summary=job.summary),
            lambda done, total: None,
            lambda: self._is_wanted(identity),
        )
        if not self.store.exists(identity):
            shutil.rmtree(job.folder, ignore_errors=True)
        elif self._closing.is_set() and isinstance(answer, Failure):
            self.tell(f"job {identity}: stopped with the server")
        elif isinstance(answer, Failure):
            self.store.answer(identity, Extra(name, "failed", answer.words))
            self.tell(f"job {identity}: {name} failed")
        else:
            self.store.answer(identity, Extra(name, "made"))
            self.tell(f"job {identity}: {name} made")

    def _is_wanted(self, identity: str) -> bool:
        return self.store.exists(identity) and not self._closing.is_set()

    def _sweep(self) -> None:
        while not self._closing.wait(_SWEEP_SECONDS):
            for identity in self.store.sweep():
                self.tell(f"job {identity}: deleted, its time is over")
