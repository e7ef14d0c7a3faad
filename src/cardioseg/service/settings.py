"""What one server is: where it listens, which models it offers, whom it lets in."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from cardioseg.errors import ConfigError
from cardioseg.service.limits import Limits

TOKEN_VARIABLE = "CARDIOSEG_TOKEN"  # noqa: S105  # nosec B105
"""Environment variable of the token: a secret is not an option that every process list shows."""

SHORTEST_TOKEN = 16


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class Settings:
    """One server's settings.

    Parameters
    ----------
    models
        Installed models, model folders or baselines that a client may choose from; the first is
        the default.
    host
        Address to listen at.
    port
        Port to listen at; 0 takes a free one.
    token
        What a client has to show; empty where none is needed.
    workers
        Jobs that run at once, each in a process of its own.
    limits
        How much is taken, kept and waited for.
    jobs
        Folder that keeps jobs over a restart; None: a temporary one, removed at the end.

    Raises
    ------
    ConfigError
        If no model is offered, two have one name, or a host other than this machine has no token.

    Examples
    --------
    >>> Settings(("otsu",)).host
    '127.0.0.1'
    """

    models: tuple[str, ...]
    host: str = "127.0.0.1"
    port: int = 8000
    token: str = field(default="", repr=False)
    workers: int = 1
    limits: Limits = field(default_factory=Limits)
    jobs: Path | None = None

    def __post_init__(self) -> None:
        if not self.models:
            raise ConfigError("no model to serve; name one with --model, such as otsu")
        if len(set(self.models)) != len(self.models):
            raise ConfigError("a model is named twice; name each once")
        if not is_loopback(self.host) and not self.token:
            raise ConfigError(
                f"{self.host} can be reached from other machines: set a token first, in the "
                f"environment variable {TOKEN_VARIABLE}, or leave --host out"
            )
        if self.token and (len(self.token) < SHORTEST_TOKEN or not self.token.isascii()):
            raise ConfigError(
                f"{TOKEN_VARIABLE} needs at least {SHORTEST_TOKEN} ASCII letters; make one with: "
                "python -c 'import secrets; print(secrets.token_urlsafe())'"
            )
