"""A DICOM node: a study comes in, its short-axis series are segmented, SEG and SR go out."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cardioseg.errors import CardiosegError, NetworkError, WriteError
from cardioseg.io.atomic import make_folder, write_bytes
from cardioseg.io.dicom_network import Peer, Uids
from cardioseg.service.received import Study, WorkedOn

Work = Callable[[Path, Path, str, Callable[[str], None]], tuple[Path, ...]]
"""Segments the images of a folder into another: incoming, output, job's name, teller."""

Send = Callable[[Sequence[Path], Peer], None]

STEP_S = 0.1
TRIES = 3


@dataclass(frozen=True)
class NodeOptions:
    """How a node behaves.

    Parameters
    ----------
    destinations
        Peers that results may go to: to the one that has the sender's AE title, else the first.
    output
        Folder that also keeps results, in one folder a job; None keeps none.
    quiet_s
        A study is whole when its associations have ended and nothing came for this long.
    most_bytes
        Of all studies that wait or are worked on; what would go beyond is refused.
    oldest_s
        A study that is not whole by then is deleted. What was deleted of one, or worked on, is
        remembered for as long.
    retry_s
        Wait before results are sent again.
    """

    destinations: tuple[Peer, ...] = ()
    output: Path | None = None
    quiet_s: float = 5.0
    most_bytes: int = 4 * 2**30
    oldest_s: float = 3600.0
    retry_s: float = 5.0


class Node:
    """Keeps received studies, and works on them one after the other.

    Its log lines name jobs by random ids; nothing of a study but counts and times is in them.

    Parameters
    ----------
    folder
        For temporary files; images and results are deleted when their job ends.
    work
        Segments a study.
    send
        Sends results to a peer.
    options
        Limits, destinations and times.
    tell
        Takes log lines.
    """

    def __init__(
        self,
        folder: Path,
        work: Work,
        send: Send,
        options: NodeOptions,
        tell: Callable[[str], None],
    ) -> None:
        self._folder, self._work, self._send = folder, work, send
        self._options, self._tell = options, tell
        self._studies: dict[str, Study] = {}
        self._deleted: dict[str, tuple[float, set[str]]] = {}
        self._worked_on = WorkedOn(options.oldest_s)
        self._working: int = 0
        self._lock = threading.Lock()

    def receive(self, association: int, sender: str, uids: Uids, data: bytes) -> bool:
        """Keep one object; False if the limit on bytes is reached, or it cannot be written.

        Without an object that was refused its study is not whole.
        """
        with self._lock:
            found = self._studies.get(uids.study)
            if found is None:
                found = self._studies[uids.study] = self._begin(sender, uids.study)
            found.touched = time.monotonic()
            found.open.add(association)
            refused = self._refused(found, data)
            if refused:
                found.missing.add(uids.instance)
                self._tell(f"job {found.job}: refused an object: {refused}")
                return False
            found.size += len(data)
            found.received.append(uids)
            found.missing.discard(uids.instance)
        return True

    def released(self, association: int) -> None:
        """Note that an association has ended; the quiet time of its studies begins.

        One that began after another was broken makes up for it: senders send again.
        """
        with self._lock:
            for study in self._left(association):
                study.is_broken = study.is_broken and association in study.doubted
                study.doubted.discard(association)

    def broken(self, association: int) -> None:
        """Note that an association has ended before all was sent: its studies are not whole."""
        with self._lock:
            for study in self._left(association):
                study.is_broken = True
                study.doubted |= study.open
                study.doubted.discard(association)

    def run(self, stop: threading.Event) -> None:
        """Work on whole studies until told to stop."""
        while not stop.is_set():
            study = self._next()
            if study is None:
                stop.wait(STEP_S)
            else:
                self._process(study, stop)

    def _left(self, association: int) -> list[Study]:
        """The studies of an association that has ended."""
        left = [each for each in self._studies.values() if association in each.open]
        for study in left:
            study.open.discard(association)
            study.touched = time.monotonic()
        return left

    def _begin(self, sender: str, key: str) -> Study:
        job, now = secrets.token_hex(4), time.monotonic()
        self._tell(f"job {job}: receiving")
        _, missing = self._deleted.pop(key, (now, set()))
        return Study(job, self._folder / job, sender, now, now, missing=missing)

    def _refused(self, study: Study, data: bytes) -> str:
        """Write an object into its study's folder; why not, where it cannot be."""
        held = self._working + sum(each.size for each in self._studies.values())
        if held + len(data) > self._options.most_bytes:
            return "the limit on bytes is reached (--max-mb)"
        path = study.path(len(study.received) + 1)
        try:
            study.folder.mkdir(mode=0o700, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            path.unlink(missing_ok=True)
            return f"it cannot be written: {error.strerror}"
        return ""

    def _next(self) -> Study | None:
        """The first whole study, however long it waited; one that does not get whole is deleted."""
        now, options = time.monotonic(), self._options
        with self._lock:
            for key, (when, _) in list(self._deleted.items()):
                if now - when > options.oldest_s:
                    del self._deleted[key]
            self._worked_on.forget(self._studies)
            for key, study in list(self._studies.items()):
                is_quiet = not study.open and now - study.touched >= options.quiet_s
                if is_quiet and not study.lack:
                    self._working = study.size
                    study.later_parts = self._worked_on.later_parts(key, study.received)
                    return self._studies.pop(key)
                if is_quiet:
                    self._delete(key, f"not whole: {study.lack}; deleted, send it again")
                elif now - study.begun > options.oldest_s:
                    self._delete(key, "never whole; deleted")
        return None

    def _delete(self, key: str, words: str) -> None:
        """Delete a study, but remember its objects: the rest of them alone is not whole either."""
        study = self._studies.pop(key)
        self._deleted[key] = (time.monotonic(), study.instances | study.missing)
        study.delete()
        self._say(study, words)

    def _process(self, study: Study, stop: threading.Event) -> None:
        self._say(study, f"{len(study.received)} objects received")
        started = time.monotonic()
        try:
            written = self._segment(study)
            try:
                self._deliver(study, written, stop)
            finally:
                self._keep(study, written)
        except CardiosegError as error:
            self._say(study, f"failed: {error}")
        except Exception as error:
            # One bad study must not end the node. The words of an unforeseen error may hold what a
            # header says: only its kind is told.
            self._say(study, f"failed: {type(error).__name__}")
        finally:
            study.delete()
            self._working = 0
            self._say(
                study, f"ended after {time.monotonic() - started:.1f} s; its files are deleted"
            )

    def _segment(self, study: Study) -> tuple[Path, ...]:
        if study.later_parts:
            self._say(
                study,
                f"left out {len(study.later_parts)} series of which another part was worked on "
                "before; send the whole series again",
            )
            if not study.leave_out_later_parts():
                return ()
        results = study.folder / "results"
        return self._work(study.folder, results, study.job, lambda line: self._say(study, line))

    def _keep(self, study: Study, written: Sequence[Path]) -> None:
        if self._options.output is None or not written:
            return
        try:
            target = make_folder(self._options.output / study.job)
            for path in written:
                write_bytes(target / path.name, path.read_bytes())
        except WriteError as error:
            self._say(study, f"not kept: {error}")

    def _deliver(self, study: Study, written: Sequence[Path], stop: threading.Event) -> None:
        destinations = self._options.destinations
        if not written:
            self._say(study, "no short-axis series was segmented; nothing to send")
            return
        if not destinations:
            return
        own = [peer for peer in destinations if peer.title == study.sender]
        peer = own[0] if own else destinations[0]
        for attempt in range(1, TRIES + 1):
            try:
                self._send(written, peer)
            except NetworkError as error:
                self._say(study, f"not sent, attempt {attempt} of {TRIES}: {error}")
                if attempt == TRIES or stop.wait(self._options.retry_s):
                    return
            else:
                self._say(study, f"{len(written)} objects sent to {peer.title}")
                return

    def _say(self, study: Study, line: str) -> None:
        self._tell(f"job {study.job}: {line}")
