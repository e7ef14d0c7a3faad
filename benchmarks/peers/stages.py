"""A stage is a command that ends in a JSON file; a stage whose file is there is not run again."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.peers.files import read_json, write_json

LOG_SHOWN = 15

Stage = Callable[[Path, Sequence[str], Mapping[str, str]], dict]
"""As :func:`run_stage`: the file, the command, its environment."""


def run_stage(done: Path, command: Sequence[str], environment: Mapping[str, str]) -> dict:
    """Run a command unless its file is there; its seconds are added to the file.

    Parameters
    ----------
    done
        The JSON file that the command writes as its last act; a log goes beside it.
    command
        Program and arguments.
    environment
        All of its environment.

    Returns
    -------
    dict
        What the file says; `process_seconds` (wall) and `cpu_seconds` are of the whole process
        with its workers, `load_before` is the machine's load of the minute before it (None where
        the system tells none). A stage that went on after a stop has those of its last process.

    Raises
    ------
    SystemExit
        If the command fails; the log's end is shown.
    """
    if done.is_file() and "cpu_seconds" in (found := read_json(done)):
        return found
    done.parent.mkdir(parents=True, exist_ok=True)
    log = done.with_suffix(".log")
    print(f"{done.parent.name}/{done.stem}: running, see {log}", file=sys.stderr, flush=True)
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    started, before = time.monotonic(), _children_cpu_s()
    with log.open("wb") as stream:
        code = subprocess.run(  # noqa: PLW1510 (the code is looked at below)
            command, stdout=stream, stderr=subprocess.STDOUT, env=dict(environment)
        ).returncode
    if code or not done.is_file():
        shown = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_SHOWN:])
        raise SystemExit(f"{shown}\nerror: this stage failed with code {code}; its log is {log}")
    facts = {
        **read_json(done),
        "process_seconds": time.monotonic() - started,
        "cpu_seconds": _children_cpu_s() - before,
        "load_before": load,
    }
    write_json(done, facts)
    return facts


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
