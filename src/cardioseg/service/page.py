"""The viewer's page: static files of our own, and NiiVue where it was vendored."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

STATIC = Path(__file__).parent / "static"
NIIVUE = STATIC / "vendor" / "niivue.umd.js"

HOW_TO_GET_VIEWER = (
    "the viewer NiiVue is not here, so images are not shown; uploads, results and measurements "
    "work. In a clone run: make viewer (it needs npm)"
)


def has_viewer() -> bool:
    """Whether NiiVue is there."""
    return NIIVUE.is_file()


def version() -> str:
    """Version of this package."""
    try:
        return installed_version("cardioseg")
    except PackageNotFoundError:
        return "unknown"
