"""What a run begins with: data, labels, split, first weights; one that goes on is held to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cardioseg.datasets import Dataset
from cardioseg.errors import ConfigError, LeakageError
from cardioseg.io.atomic import write_text
from cardioseg.training.checkpoint import CHECKPOINT
from cardioseg.workflows.provenance import RUN, Json, file_digest

SPLIT = "split.json"
SOURCE = "source.json"
"""Where the data lay on this machine: for `reproduce`, and not for others, unlike run.json."""

EVERYBODY = "*"
"""In place of names: a split by slices trains on slices of every subject."""

_FORMAT_VERSION = 1


@dataclass(frozen=True)
class Beginning:
    """What a run is about to train with.

    Parameters
    ----------
    dataset
        The data set.
    labels_digest
        Of its images and labels.
    split
        Record of the split, as split.json holds it.
    weights_of
        Run directory whose weights are the first ones; None draws new ones.
    """

    dataset: Dataset
    labels_digest: str
    split: str
    weights_of: Path | None = None


def begin(output: Path, beginning: Beginning, resume: bool) -> str | None:
    """Note what a run begins with, in source.json and split.json; check one that goes on.

    Returns
    -------
    str or None
        SHA-256 of the checkpoint whose weights are the first ones; None where they are new.

    Raises
    ------
    ConfigError
        If the run began with another split, other images or labels, or with weights that are
        neither given nor in its own checkpoint.
    LeakageError
        If the first weights, or those that they began with, have trained on who is held out here.
    """
    noted = _read(output / SOURCE) if resume else {}
    weights_of = beginning.weights_of
    if resume:
        _require_same(output, beginning, noted)
        if weights_of is not None and (output / CHECKPOINT).is_file():
            _require_same_weights(output, weights_of, noted)
    if noted.get("started_from") and not (output / CHECKPOINT).is_file() and weights_of is None:
        raise ConfigError(
            f"{output}: stopped before its first epoch was over and began with another run's "
            "weights; name it with --start-from"
        )
    seen = {**_names(noted), **({} if weights_of is None else seen_by(weights_of))}
    if weights_of is not None:
        _require_unseen(weights_of, seen, beginning)
    started_from = noted.get("started_from")
    # Where there is no checkpoint, who reads the weights says so.
    if weights_of is not None and (weights_of / CHECKPOINT).is_file():
        started_from = file_digest(weights_of / CHECKPOINT)
    facts: dict[str, Json] = {
        "format_version": _FORMAT_VERSION,
        "data": beginning.dataset.source,
        "scheme": beginning.dataset.scheme.name,
        "name": beginning.dataset.name,
        "labels_digest": beginning.labels_digest,
        "started_from": started_from,
        "seen_before": {name: list(subjects) for name, subjects in seen.items()},
    }
    write_text(output / SOURCE, json.dumps(facts) + "\n")
    write_text(output / SPLIT, beginning.split)
    return started_from if isinstance(started_from, str) else None


def seen_by(run: Path) -> dict[str, tuple[str, ...]]:
    """Subjects that a run's weights have trained on, by data set, also before the run began."""
    split, facts, source = (_read(run / name) for name in (SPLIT, RUN, SOURCE))
    if not split:
        return {}
    # Runs of earlier programs that did not end don't tell which data set it was: then it is any.
    name = str(facts.get("data") or source.get("name") or "")
    training = split.get("training")
    own = [EVERYBODY] if split.get("split") == "slices" else training
    seen = _names(source)
    mine = map(str, own) if isinstance(own, list) else ()
    seen[name] = tuple(dict.fromkeys((*seen.get(name, ()), *mine)))
    return seen


def _require_unseen(run: Path, seen: Mapping[str, tuple[str, ...]], beginning: Beginning) -> None:
    """Refuse first weights that have trained on who validates or tests here, told by name."""
    now = json.loads(beginning.split)
    held_out = {*now.get("validation", ()), *now.get("test", ())}
    known = {s for n, names in seen.items() if n in ("", beginning.dataset.name) for s in names}
    leaked = sorted(held_out if EVERYBODY in known else held_out & known)
    if leaked:
        raise LeakageError(
            f"leak: {run} has trained on {len(leaked)} subjects that are held out here, "
            f"{leaked[0]} first; start from the same split (--split {run / SPLIT}), or from other "
            "weights"
        )


def _require_same(output: Path, beginning: Beginning, noted: Mapping[str, Json]) -> None:
    before = _read(output / SPLIT)
    if before and before != json.loads(beginning.split):
        raise ConfigError(
            f"{output}: began with another split; resume with --split {output / SPLIT}, or start "
            "anew in another folder"
        )
    # Runs of earlier programs did not note it.
    if noted.get("labels_digest", beginning.labels_digest) != beginning.labels_digest:
        raise ConfigError(
            f"{output}: began with other images or labels than {beginning.dataset.source} holds "
            "now; name the same data, or start anew in another folder"
        )


def _require_same_weights(output: Path, weights_of: Path, noted: Mapping[str, Json]) -> None:
    """Of a run that has a checkpoint: its weights go on, whatever others are named."""
    path = weights_of / CHECKPOINT
    if not path.is_file() or file_digest(path) != noted.get("started_from"):
        raise ConfigError(
            f"{output}: did not begin with the weights that {weights_of} holds now, and goes on "
            "with its own; leave out --start-from, or start anew in another folder"
        )


def _names(source: Mapping[str, Json]) -> dict[str, tuple[str, ...]]:
    seen = source.get("seen_before")
    if not isinstance(seen, dict):
        return {}
    return {
        name: tuple(map(str, subjects))
        for name, subjects in seen.items()
        if isinstance(subjects, list)
    }


def _read(path: Path) -> dict[str, Json]:
    """A record; empty where there is none or it is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
