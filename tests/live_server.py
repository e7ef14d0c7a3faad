"""A real server on loopback in a thread, and hearts small enough to segment in a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn

from cardioseg.io.nifti import write_frames, write_volume
from cardioseg.phantom import phantom_case
from cardioseg.service.app import create_app
from cardioseg.service.limits import Limits
from cardioseg.service.run import listening
from cardioseg.service.server import Server, running_server
from cardioseg.service.settings import Settings

PATIENCE_S = 300
"""Far above what anything here takes, so that a loaded machine does not fail a test."""


@dataclass(frozen=True)
class Live:
    """A running server, a client for it, and the lines that it logged."""

    url: str
    server: Server
    client: httpx.Client
    log: list[str] = field(default_factory=list)

    def upload(self, data: bytes, **query: str) -> httpx.Response:
        return self.client.post("/api/jobs", content=data, params=query)

    def finished(self, job: str) -> dict[str, object]:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = self.client.get(f"/api/jobs/{job}").json()
            if found["state"] in ("done", "failed"):
                return found
            time.sleep(0.1)
        raise TimeoutError(job)

    def made(self, job: object, name: str) -> tuple[dict[str, object], dict[str, object]]:
        """Ask for an extra; the job once it was made or failed, and what it says of the extra."""
        answer = self.client.post(f"/api/jobs/{job}/extras/{name}")
        assert answer.status_code == 202, answer.text
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = self.client.get(f"/api/jobs/{job}").json()
            (extra,) = (each for each in found["extras"] if each["name"] == name)
            if extra["state"] in ("made", "failed"):
                return found, extra
            time.sleep(0.1)
        raise TimeoutError(name)


@contextmanager
def live(
    token: str = "",
    models: tuple[str, ...] = ("otsu",),
    jobs: Path | None = None,
    **limits: float,
) -> Iterator[Live]:
    log: list[str] = []
    settings = Settings(models, port=0, token=token, limits=Limits(**limits), jobs=jobs)
    with running_server(settings, log.append) as server, listening(settings) as listener:
        config = uvicorn.Config(create_app(server), log_level="error", access_log=False, ws="none")
        runner = uvicorn.Server(config)
        thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
                yield Live(url, server, client, log)
        finally:
            runner.should_exit = True
            thread.join()


def small_heart(path: Path) -> Path:
    """One volume of a synthetic heart as a file."""
    write_volume(phantom_case(1, 0, size=64).image(), path)
    return path


def small_cine(path: Path) -> Path:
    """Two frames of it."""
    frames = [phantom_case(1, 0, phase=phase, size=64).image() for phase in ("ED", "ES")]
    write_frames(frames, path)
    return path
