"""Run a server until it is told to end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from cardioseg.errors import ConfigError
from cardioseg.service.app import create_app
from cardioseg.service.server import running_server
from cardioseg.service.settings import Settings

_BACKLOG = 256
_GRACE_SECONDS = 3

Told = Callable[[str], None]


def run_service(settings: Settings, tell: Told, ready: Told) -> None:
    """Serve until Ctrl-C or a signal to end.

    Parameters
    ----------
    settings
        Where, which models, whom.
    tell
        Gets lines for a log; jobs are named by their id alone.
    ready
        Gets the address once the server listens.

    Raises
    ------
    ConfigError
        If the address cannot be used.
    ModelError, PlanError
        If a model cannot be opened.
    """
    with running_server(settings, tell) as server, listening(settings) as listener:
        config = uvicorn.Config(
            create_app(server),
            # Its lines would name clients' addresses and queries.
            access_log=False,
            log_level="warning",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        ready(f"http://{host}:{listener.getsockname()[1]}/")
        with _ending_in_order():
            uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Make SIGTERM an exception, as Ctrl-C is: uvicorn raises both again once it has ended.

    Without this the process would be gone before its folder is removed.
    """
    former = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def listening(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say; a ConfigError where that cannot be."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {settings.host}, port {settings.port}: {error.strerror}; choose "
            "another --port"
        ) from error
