"""What every file of measurements says about how it was made."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def facts(arguments: Sequence[str], threads: int) -> dict[str, object]:
    """Command, threads, processor and load; to be asked before anything is measured.

    Parameters
    ----------
    arguments
        The command's, as `sys.argv[1:]` has them.
    threads
        Of whoever is measured.

    Returns
    -------
    dict
        `command`, `threads`, `processor` and `load_before`, the machine's load of the last minute;
        None where the system tells none.
    """
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {
        "command": told(arguments),
        "threads": threads,
        "processor": processor(),
        "load_before": load,
    }


def kept(path: Path) -> dict[str, Any]:
    """What a file of measurements already holds, to be added to; empty where there is no file."""
    found: dict[str, Any] = json.loads(path.read_text())["found"] if path.is_file() else {}
    return found


def told(words: Sequence[str]) -> list[str]:
    """A command line without the folders of this machine.

    Examples
    --------
    >>> told(["--model", "/home/me/run/model", "--data", "acdc:/data/acdc"])
    ['--model', 'model', '--data', 'acdc:FOLDER']
    """
    return [_without_folder(word) for word in words]


def _without_folder(word: str) -> str:
    layout, colon, folder = word.partition(":")
    if colon and Path(folder).is_absolute():
        return f"{layout}:FOLDER"
    name, sign, path = word.rpartition("=")
    return name + sign + (Path(path).name if Path(path).is_absolute() else path)


def processor() -> str:
    """The processor's name, as the system tells it."""
    lines = Path("/proc/cpuinfo")
    if lines.is_file():
        for line in lines.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
