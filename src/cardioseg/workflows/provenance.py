"""run.json: what made an output, so that it can be made again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cardioseg.io.atomic import write_text

RUN = "run.json"
FORMAT_VERSION = 1

_LIBRARIES = (
    "cardioseg",
    "numpy",
    "scipy",
    "nibabel",
    "onnxruntime",
    "torch",
    "openvino",
    "optuna",
    "scikit-image",
)

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def versions() -> dict[str, str]:
    """Versions of Python and of the installed libraries that a result depends on."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def combined_digest(digests: Iterable[str]) -> str:
    """One digest of many, whatever their order."""
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def write_run(folder: Path, command: str, facts: Mapping[str, Json]) -> None:
    """Write run.json into a folder: command, versions and whatever the command adds.

    Paths and identifiers stay out of it: inputs are named by their file name and digest.
    """
    record = {
        "format_version": FORMAT_VERSION,
        "command": command,
        "versions": versions(),
        **facts,
    }
    write_text(folder / RUN, json.dumps(record, indent=2) + "\n")
