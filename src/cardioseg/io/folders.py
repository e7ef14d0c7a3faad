"""The files below a folder: none is left out in silence."""

from __future__ import annotations

import os
from pathlib import Path

from cardioseg.errors import FormatError


def files_below(folder: Path) -> list[Path]:
    """Files at any depth, sorted; links to folders are followed, each folder is read once.

    A link that leads nowhere is among them: who reads the file says so.

    Raises
    ------
    FormatError
        If a folder can't be listed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "patient").mkdir()
    ...     (Path(name) / "patient" / "scan.nii").touch()
    ...     [file.name for file in files_below(Path(name))]
    ['scan.nii']
    """
    found: list[Path] = []
    seen: set[str] = set()
    for top, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        here = os.path.realpath(top)
        if here in seen:
            folders.clear()
            continue
        seen.add(here)
        found += [Path(top) / name for name in names]
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise FormatError(
        f"{error.filename}: cannot be listed: {error.strerror}; change its permissions or name the "
        "files"
    ) from error
