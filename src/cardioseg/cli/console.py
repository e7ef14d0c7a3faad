"""What a person sees: progress on stderr, results on stdout, errors as one line, exit codes."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from cardioseg.errors import PlaneWarning, ReadWarning

_TOLD = (ReadWarning, PlaneWarning)

EXIT_BAD_INPUT = 1
EXIT_SOME_FAILED = 3
EXIT_INTERRUPTED = 130


def say(line: str) -> None:
    """A line for a person, on stderr: stdout holds results only."""
    print(line, file=sys.stderr, flush=True)


def result(text: str) -> None:
    """A result, on stdout."""
    print(text, flush=True)


def result_json(value: object) -> None:
    """A result for a program, as JSON on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False), flush=True)


def fail(message: str, code: int = EXIT_BAD_INPUT) -> NoReturn:
    """Say what is wrong and end with an exit code."""
    say(f"error: {message}")
    raise SystemExit(code)


def tell_which(model: str, *, baselines: bool = False) -> None:
    """Say which of two models a bare name means, where a folder of that name has one too.

    Parameters
    ----------
    model
        As it was given: an installed model or a folder.
    baselines
        Whether it may also be a classical baseline.
    """
    from cardioseg.baselines.names import is_baseline
    from cardioseg.model import PLAN, is_installed

    if not (Path(model) / PLAN).is_file():
        return
    # A path is a baseline only by what lies in it, and that is the folder here.
    if baselines and is_baseline(model) and not is_baseline(Path(model)):
        taken = "classical baseline"
    elif is_installed(model):
        taken = "installed model"
    else:
        return
    say(f"note: {model} is the {taken}; the folder here is ./{model}")


@contextmanager
def told_warnings() -> Iterator[None]:
    """Tell this package's warnings as lines, each once, without Python's file and line."""
    told: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        line = str(message)
        if issubclass(category, _TOLD) and line not in told:
            told.add(line)
            say(f"warning: {line}")

    with warnings.catch_warnings():
        for category in _TOLD:
            warnings.simplefilter("always", category)
        warnings.showwarning = show
        yield


class Bar:
    """A progress bar with the time left; silent where stderr is not a terminal and not asked for.

    Parameters
    ----------
    title
        What is going on.
    """

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=False,
        )
        self._task = self._progress.add_task(title, total=None, note="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, done: int, total: int, note: str = "") -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=done, total=total, note=note)

    def tell(self, line: str) -> None:
        """A line above the bar."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def table(rows: Sequence[Mapping[str, str]], title: str = "") -> str:
    """Rows as a plain table that fits any terminal and can be piped.

    Examples
    --------
    >>> print(table([{"name": "a", "dice": "0.9"}]))
    name  dice
    ----  ----
    a     0.9
    """
    if not rows:
        return title
    columns = list(rows[0])
    widths = {c: max(len(c), *(len(row[c]) for row in rows)) for c in columns}

    def line(cells: Mapping[str, str]) -> str:
        return "  ".join(cells[c].ljust(widths[c]) for c in columns).rstrip()

    rule = line({c: "-" * widths[c] for c in columns})
    lines = [line({c: c for c in columns}), rule, *(line(row) for row in rows)]
    return "\n".join([title, *lines] if title else lines)
