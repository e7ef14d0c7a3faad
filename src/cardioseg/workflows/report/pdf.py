"""A page as PDF, printed by a browser that is already on the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cardioseg.errors import FormatError
from cardioseg.io.atomic import write_bytes

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
)

_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
_SECONDS = 180


def find_browser() -> str | None:
    """The first Chromium or Chrome on the path (on a Mac also in Applications); None without."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None and sys.platform == "darwin" and _MAC.exists():
        return str(_MAC)
    return found


def write_pdf(html: str, path: Path) -> None:
    """Print a self-contained page to a PDF.

    Parameters
    ----------
    html
        The page; it loads nothing from elsewhere.
    path
        The PDF; an existing one is replaced.

    Raises
    ------
    FormatError
        If no browser is found, or it cannot print the page; the HTML can always be printed by hand.
    """
    browser = find_browser()
    if browser is None:
        raise FormatError(
            f"{path}: no browser to print with (looked for {', '.join(BROWSERS)}); install "
            "chromium, or open the HTML file and print it to PDF"
        )
    with tempfile.TemporaryDirectory() as folder:
        page, printed = Path(folder) / "page.html", Path(folder) / "page.pdf"
        page.write_text(html, encoding="utf-8")
        command = [
            browser,
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            f"--user-data-dir={folder}/profile",
            "--no-pdf-header-footer",
            f"--print-to-pdf={printed}",
            page.as_uri(),
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            # Chromium refuses to start its sandbox as root; the page holds no script.
            command.insert(1, "--no-sandbox")
        reason = _run(command)
        if reason or not printed.is_file():
            raise FormatError(
                f"{path}: {browser} printed nothing ({reason or 'no file'}); open the HTML file "
                "and print it to PDF"
            )
        write_bytes(path, printed.read_bytes())


def _run(command: list[str]) -> str:
    """Why it failed; empty if it did not."""
    try:
        # The command is a list of our own making: no shell, no part from a case's name.
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603  # nosec B603
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    return "" if done.returncode == 0 else f"exit code {done.returncode}"
