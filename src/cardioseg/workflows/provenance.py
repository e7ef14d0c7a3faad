"""run.json: what made an output, so that it can be made again."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from cardioseg.errors import FormatError, version_problem
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
    "SimpleITK",
    "manifold3d",
    "scikit-image",
)

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def versions() -> dict[str, str]:
    """Versions of Python and of the installed libraries that a result depends on."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = _version(name)
        except PackageNotFoundError:
            continue
    return found


def _version(name: str) -> str:
    """As `importlib.metadata.version`, which parses a library's whole description for it."""
    for line in (distribution(name).read_text("METADATA") or "").splitlines():
        if line.startswith("Version: "):
            return line.removeprefix("Version: ").strip()
    return version(name)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_run(
    folder: Path, command: str, facts: Mapping[str, Json], started: float, share: str = ""
) -> Path:
    """Write run.json into a folder: command, versions, duration and whatever the command adds.

    Paths and identifiers stay out of it: inputs are named by their file name and digest. Where the
    folder holds the run.json of another command, that one stays and this is run-COMMAND.json.

    Parameters
    ----------
    folder
        Where the output lies.
    command
        Name of the command.
    facts
        What decides the output: settings, seeds, digests of inputs.
    started
        `time.monotonic()` when the command began.
    share
        Which share of the work this was, such as `3-of-8`: it is run-COMMAND-3-of-8.json then.
    """
    path = folder / (f"run-{command}-{share}.json" if share else RUN)
    if path.exists() and _command(path) != command:
        path = folder / f"run-{command}.json"
    _write(path, command, facts, started)
    return path


def write_run_beside(file: Path, command: str, facts: Mapping[str, Json], started: float) -> Path:
    """The same for an output that is one file: NAME.run.json beside it."""
    path = file.with_name(f"{file.name}.run.json")
    _write(path, command, facts, started)
    return path


def read_run(path: Path) -> dict[str, Json]:
    """Read a run.json.

    Raises
    ------
    FormatError
        If it is missing, damaged or of another format version.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read as a run.json: {error}") from error
    if not isinstance(record, dict):
        raise FormatError(f"{path}: not a run.json: it needs format_version and command")
    version = record.get("format_version")
    if version != FORMAT_VERSION:
        raise FormatError(f"{path}: {version_problem(version, FORMAT_VERSION)}")
    return record


def _command(path: Path) -> object:
    """Which command wrote a run.json; None where it does not say."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record.get("command") if isinstance(record, dict) else None


def _write(path: Path, command: str, facts: Mapping[str, Json], started: float) -> None:
    record = {
        "format_version": FORMAT_VERSION,
        "command": command,
        "versions": versions(),
        "duration_s": round(time.monotonic() - started, 3),
        **facts,
    }
    write_text(path, json.dumps(record, indent=2) + "\n")
