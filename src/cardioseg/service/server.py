"""One server's state: its folder, jobs, models and queue, from start to end."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cardioseg.service.dispatch import Dispatcher
from cardioseg.service.jobs import JobStore
from cardioseg.service.offers import Offer, open_offers
from cardioseg.service.settings import Settings

Told = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Server:
    """What the routes work with."""

    settings: Settings
    offers: tuple[Offer, ...]
    store: JobStore
    dispatcher: Dispatcher
    tell: Told

    def new_name(self) -> str:
        """A name for a file that no client can guess or choose."""
        return secrets.token_hex(8)


@contextmanager
def running_server(settings: Settings, tell: Told) -> Iterator[Server]:
    """A server whose folder is removed at its end, however it ends.

    Raises
    ------
    ModelError, PlanError, ConfigError
        If a model cannot be opened.
    """
    offers = open_offers(settings.models)
    root = Path(tempfile.mkdtemp(prefix="cardioseg-"))
    store = JobStore(root, settings.limits)
    dispatcher = Dispatcher(store, offers, settings.workers, tell)
    dispatcher.start()
    try:
        yield Server(settings, offers, store, dispatcher, tell)
    finally:
        dispatcher.stop()
        store.close()
