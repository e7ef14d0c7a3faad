"""Which names and folders mean a baseline; asked for each model, so nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path

PLAN = "baseline.json"
"""The file that makes a folder a fitted baseline."""

BUILT_IN_NAMES = ("otsu", "active-contour", "otsu-whole-heart", "active-contour-whole-heart")
"""Names that need no fitting."""

NEEDS_FITTING = "appearance"


def is_baseline(source: str | Path) -> bool:
    """Whether a name or a folder means a baseline; a fitted one's folder goes before a name.

    Examples
    --------
    >>> is_baseline("otsu"), is_baseline("sax")
    (True, False)
    """
    named = isinstance(source, str) and source in (*BUILT_IN_NAMES, NEEDS_FITTING)
    return named or (Path(source) / PLAN).is_file()
