"""One server's state: its folder, jobs, models and queue, from start to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cardioseg.service.dispatch import Dispatcher
from cardioseg.service.jobs import Job
from cardioseg.service.offers import Offer, open_offers
from cardioseg.service.place import server_folder
from cardioseg.service.records import read_records, write_record
from cardioseg.service.settings import Settings
from cardioseg.service.store import JobStore

Told = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Server:
    """What the routes work with."""

    settings: Settings
    offers: tuple[Offer, ...]
    store: JobStore
    dispatcher: Dispatcher
    tell: Told


@contextmanager
def running_server(settings: Settings, tell: Told) -> Iterator[Server]:
    """A server, with the jobs that a former one left in its folder if that is a kept one.

    A temporary folder is removed at the end; where the process is killed, by the next server.

    Raises
    ------
    ModelError, PlanError, ConfigError
        If a model cannot be opened.
    """
    offers = open_offers(settings.models)
    with server_folder(settings.jobs) as root:
        store = JobStore(root, settings.limits)
        if settings.jobs is not None:
            store.remember = lambda job: write_record(job, store.clock())
        dispatcher = Dispatcher(store, offers, settings.workers, tell)
        for job in _former(store, offers, tell):
            dispatcher.submit(job.id)
        dispatcher.start()
        try:
            yield Server(settings, offers, store, dispatcher, tell)
        finally:
            dispatcher.stop()
            store.close()


def _former(store: JobStore, offers: tuple[Offer, ...], tell: Told) -> Iterator[Job]:
    """Take over what a former server left; the jobs that are still to be done."""
    names = {offer.name for offer in offers}
    for job in read_records(store.root, store.clock(), tell):
        store.take(job)
        if job.state != "queued":
            store.remember(job)
        elif job.model in names:
            yield job
        else:
            store.finish(job.id, "failed", error=f"{job.model} is no longer offered here")
