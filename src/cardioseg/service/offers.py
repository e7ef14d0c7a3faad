"""The models that a server offers, learnt or classical, by the names that clients use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cardioseg.baselines.folder import open_baseline
from cardioseg.baselines.names import is_baseline
from cardioseg.core.labels import LabelScheme
from cardioseg.errors import ConfigError
from cardioseg.inference.predictor import load_model
from cardioseg.inference.segmenter import Segmenter
from cardioseg.model import LICENCE_ROW, VALIDATION_ROW, installed_models, open_model
from cardioseg.service.problems import ProblemError

FALLBACK = "otsu"
"""Offered where no network is installed."""


@dataclass(frozen=True)
class Offer:
    """A model that clients may choose.

    Parameters
    ----------
    name
        What clients call it: a model folder's own name, never its path.
    source
        What the server opens.
    id
        Hash of what decides its answer.
    scheme
        Its label scheme.
    licence, validation
        As its card tells them; empty for a classical baseline.
    """

    name: str
    source: str
    id: str
    scheme: LabelScheme
    licence: str = ""
    validation: str = ""


def default_models() -> tuple[str, ...]:
    """The installed models; a classical baseline where there is none."""
    return tuple(installed_models()) or (FALLBACK,)


def open_offers(sources: Sequence[str]) -> tuple[Offer, ...]:
    """Open every model once, so that a wrong one is told when the server starts.

    Raises
    ------
    ModelError, PlanError
        If one cannot be opened.
    ConfigError
        If two have one name.
    """
    offers = tuple(_offer(source) for source in sources)
    names = [offer.name for offer in offers]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two models are called {name}; rename one's folder")
    return offers


def offer_named(offers: Sequence[Offer], name: str) -> Offer:
    """The offer of that name; an empty name is the first.

    Raises
    ------
    ProblemError
        404 where there is none.
    """
    for offer in offers:
        if name in ("", offer.name):
            return offer
    names = ", ".join(offer.name for offer in offers)
    raise ProblemError(404, "no_such_model", f"no such model here; choose one of: {names}")


@cache
def open_segmenter(source: str) -> Segmenter:
    """A model ready to run; opened once a process."""
    return open_baseline(source) if is_baseline(source) else load_model(source)


def _offer(source: str) -> Offer:
    name = Path(source).name
    if is_baseline(source):
        baseline = open_baseline(source)
        return Offer(name, source, baseline.id, baseline.scheme)
    model = open_model(source)
    rows = model.card_rows
    return Offer(
        name=name,
        source=source,
        id=model.id,
        scheme=model.plan.label_scheme,
        licence=rows.get(LICENCE_ROW, ""),
        validation=rows.get(VALIDATION_ROW, ""),
    )
