"""What a run over many inputs has done so far: kept on disk, so that a killed one goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cardioseg.errors import ConfigError
from cardioseg.io.atomic import write_text
from cardioseg.workflows.provenance import FORMAT_VERSION, RUN, Json, versions

PROGRAM = "cardioseg"
KINDS_ASKED = "write"
"""What a run tells of the kinds of output that it was asked for."""

_BESIDE_LABELS = (KINDS_ASKED, "quality")
_DIGITS = 16

FORMER = "former"
"""What a run.json tells of earlier runs whose place it took: their files that are still there."""

Record = dict[str, Json]


@dataclass(frozen=True)
class PastRun:
    """What the run.json or the journal of an earlier run says: the run, and each of its inputs."""

    path: Path
    head: Record
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Earlier:
    """What earlier runs of a command tell.

    Parameters
    ----------
    records
        The last record of each input, by name: it was finished, failed, or was only begun.
    own
        Names that the run.json tells of whose place the next one takes.
    """

    records: Mapping[str, Record]
    own: frozenset[str]


@dataclass(frozen=True)
class Journal:
    """The file run-COMMAND.jsonl: a line that says what decides the answers, then one an input.

    First come the inputs that are done and those that are begun, then each as it ends. It lies in
    the output folder while the command runs; run.json follows it. What is left of it after a stop,
    and the run.json of every run that ended, tell the next one what is done.

    Parameters
    ----------
    folder
        The output folder.
    command
        Name of the command.
    facts
        What decides the answers, as run.json tells it.
    share
        Which share of the work this is, such as `3-of-8`; empty for all of it.
    """

    folder: Path
    command: str
    facts: Mapping[str, Json]
    share: str = ""

    @property
    def path(self) -> Path:
        """Its file."""
        name = f"run-{self.command}-{self.share}" if self.share else f"run-{self.command}"
        return self.folder / f"{name}.jsonl"

    def earlier(self) -> Earlier | None:
        """What earlier runs in the folder tell, of every share; the later file has the last word.

        None if there was no run of this command.

        Raises
        ------
        ConfigError
            If one of them was made with something else; it names what differs.
        """
        found: dict[str, Record] = {}
        own: set[str] = set()
        begun = False
        for past in self.past_runs():
            begun = True
            self._require_same(past.path, past.head)
            told = {str(each["name"]): each for each in past.records}
            found |= told
            if not self.share or past.path.stem == self.path.stem:
                own |= told.keys()
        return Earlier(found, frozenset(own)) if begun else None

    def past_runs(self) -> Iterator[PastRun]:
        """Earlier runs of this command in the folder, whatever they were made with, old ones first.

        Those whose files were left by a kill or by Ctrl-C are among them.
        """
        for path in sorted(
            [*self.folder.glob("run*.json"), *self.folder.glob("run*.jsonl")], key=_age
        ):
            head, records = _read(path)
            if head.get("command") == self.command:
                yield PastRun(path, head, tuple(records))

    def takes_place_of(self, past: PastRun) -> bool:
        """Whether nothing is left of an earlier run's file when this run has ended."""
        stem = past.path.stem
        return stem == self.path.stem or (not self.share and stem == Path(RUN).stem)

    def begin(self, done: Mapping[str, Record], todo: Iterable[str]) -> BinaryIO:
        """Start the file with what is done and what is begun; :func:`add` adds to the stream."""
        head = {
            "format_version": FORMAT_VERSION,
            "command": self.command,
            "versions": versions(),
            **self.facts,
        }
        begun = ({"name": name, "begun": True} for name in todo)
        lines = [json.dumps(each) + "\n" for each in (head, *done.values(), *begun)]
        write_text(self.path, "".join(lines))
        return self.path.open("ab")

    def end(self) -> None:
        """Remove the file: run.json tells it all."""
        self.path.unlink(missing_ok=True)

    def settings(self, head: Mapping[str, Json] | None = None) -> str:
        """A digest of what decides a run's labels, whatever it writes of them; None means now."""
        told = {**self.facts, "versions": versions()} if head is None else head
        made = told.get("versions")
        program = made.get(PROGRAM) if isinstance(made, dict) else None
        deciding = {name: told.get(name) for name in self.facts if name not in _BESIDE_LABELS}
        text = json.dumps([program, deciding], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]

    def _require_same(self, path: Path, head: Record) -> None:
        made, now = head.get("versions"), versions()
        same_program = isinstance(made, dict) and made.get(PROGRAM) == now.get(PROGRAM)
        differing = [name for name, value in self.facts.items() if head.get(name) != value]
        differing += [] if same_program else [f"version of {PROGRAM}"]
        if differing:
            raise ConfigError(
                f"{path}: that run had another {', '.join(differing)}; give the same, name another "
                "folder, or do all anew with --force"
            )


def written_of(record: Record) -> list[str] | None:
    """Names of the files that a record tells of; None where it does not say."""
    written = record.get("written")
    return [str(name) for name in written] if isinstance(written, list) else None


def add(stream: BinaryIO, record: Record) -> None:
    """Add a line, on the disk at once; one that finds no space is an input that is done again."""
    with suppress(OSError):
        os.write(stream.fileno(), json.dumps(record).encode() + b"\n")
        os.fsync(stream.fileno())


def _age(path: Path) -> tuple[int, str]:
    """Earlier files first."""
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:
        return 0, path.name


def _read(path: Path) -> tuple[Record, list[Record]]:
    """What a run.json or a journal says; a line that was cut off, or another file, says nothing."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return {}, []
    if path.suffix == Path(RUN).suffix:
        head = _parsed(text)
        files = head.get("files")
        found = files if isinstance(files, list) else []
        return head, [each for each in found if isinstance(each, dict) and "name" in each]
    head, *lines = [_parsed(line) for line in text.splitlines()] or [{}]
    return head, [each for each in lines if "name" in each]


def _parsed(text: str) -> Record:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
