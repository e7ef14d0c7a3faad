"""`cardioseg serve` as a person starts and ends it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.live_server import PATIENCE_S, small_heart


def serve(*options: str, folder: Path, token: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "TMPDIR": str(folder), "CARDIOSEG_TOKEN": token}
    command = [sys.executable, "-m", "cardioseg", "serve", "--model", "otsu", *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_its_folder_is_gone_when_it_ends(tmp_path: Path, ending: signal.Signals) -> None:
    scan = small_heart(tmp_path / "Doe_Jane.nii.gz").read_bytes()
    (tmp_path / "temporary").mkdir()
    process = serve("--port", "0", folder=tmp_path / "temporary")
    try:
        assert process.stdout is not None
        address = re.search(r"http://\S+", process.stdout.readline())
        assert address is not None
        answer = httpx.post(f"{address[0]}api/jobs", content=scan, timeout=PATIENCE_S)
        assert answer.status_code == 202
        assert list((tmp_path / "temporary").glob("cardioseg-*/*"))
    finally:
        process.send_signal(ending)
        _, told = process.communicate(timeout=PATIENCE_S)
    assert list((tmp_path / "temporary").iterdir()) == []
    assert "Traceback" not in told
    assert "Doe" not in told


def test_another_host_needs_a_token(tmp_path: Path) -> None:
    process = serve("--host", "0.0.0.0", folder=tmp_path)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "CARDIOSEG_TOKEN" in told


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--upload-mb", "-1"), "upload_mb"), (("--model", "nothing"), "nothing")],
)
def test_what_cannot_be_served(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    process = serve(*options, folder=tmp_path)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert words in told
    assert "Traceback" not in told
