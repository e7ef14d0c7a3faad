"""Which label maps of several observers belong together, and on which grid and scheme they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.labels import Code, LabelScheme, Structure
from cardioseg.core.volume import LabelMap
from cardioseg.errors import DatasetError, LabelError
from cardioseg.evaluation.readings import STAPLE_CONSENSUS
from cardioseg.io.header_scheme import told_scheme
from cardioseg.io.images import read_labels
from cardioseg.workflows.evaluate import own_labels, read_as
from cardioseg.workflows.inputs import Input, gather_labels

_ANATOMY: Code = ("SCT", "123037004", "Anatomical structure")
_PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
_NUMBERS = "numbers"


@dataclass(frozen=True)
class ObserverFolders:
    """What is compared.

    Parameters
    ----------
    observers
        A folder of label maps for each observer, two or more; its name is the observer's.
    model
        Folder of a model's label maps; None without one.
    scheme
        What all are compared in: numbering of files whose headers tell none, the others are merged
        into it. None names structures by their number: label 1, label 2, ...
    images
        Folder of images for the picture of outlines; None draws the votes instead.
    """

    observers: tuple[Path, ...]
    model: Path | None = None
    scheme: LabelScheme | None = None
    images: Path | None = None


@dataclass(frozen=True)
class ObservedCase:
    """The files of one case by rater, on which all observers can be compared."""

    name: str
    subject: str
    files: Mapping[str, Path]


@dataclass(frozen=True)
class Raters:
    """Names of observers and model (empty without one), and each one's files by case."""

    observers: tuple[str, ...]
    model: str
    files: Mapping[str, Mapping[str, Input]]


def gather_raters(folders: ObserverFolders) -> Raters:
    """The files of every observer and of the model.

    Raises
    ------
    DatasetError
        With fewer than two observers, two folders of one name, or a folder without label maps.
    """
    if len(folders.observers) < 2:
        raise DatasetError("name the folders of at least two observers")
    paths = [*folders.observers, *([folders.model] if folders.model else [])]
    names = [path.resolve().name for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise DatasetError(
                f"two folders are named {name}; rename one: a folder's name is its observer's"
            )
    if STAPLE_CONSENSUS in names:
        raise DatasetError(
            f"a folder is named {STAPLE_CONSENSUS}, as the consensus is; rename it: a folder's "
            "name is its observer's"
        )
    files = {
        name: {each.name: each for each in gather_labels(path)}
        for name, path in zip(names, paths, strict=True)
    }
    count = len(folders.observers)
    return Raters(tuple(names[:count]), names[count] if folders.model else "", files)


def matched_cases(raters: Raters, has_model: bool) -> tuple[tuple[ObservedCase, ...], list[str]]:
    """Cases that all observers have, and sentences about the others."""
    found: dict[str, Input] = {}
    for given in raters.files.values():
        found |= {name: each for name, each in given.items() if name not in found}
    cases, notes = [], []
    for name in sorted(found):
        missing = [o for o in raters.observers if name not in raters.files[o]]
        if missing:
            notes.append(f"{name} is left out: {', '.join(missing)} did not label it.")
            continue
        paths = {r: each[name].path for r, each in raters.files.items() if name in each}
        if has_model and raters.model not in paths:
            notes.append(f"{name}: the model did not label it; it counts for the observers only.")
        cases.append(ObservedCase(name, found[name].subject, paths))
    if not cases:
        raise DatasetError(
            f"no case has a label map of every observer ({', '.join(raters.observers)}); "
            "files are matched by name"
        )
    return tuple(cases), notes


def numbered_scheme(cases: Sequence[ObservedCase]) -> LabelScheme:
    """A scheme of structures named by their number, up to the largest that any file holds.

    Raises
    ------
    LabelError
        If headers tell different schemes, in which one number is several structures.
    """
    paths = [path for case in cases for path in case.files.values()]
    told = {scheme.name: path for path in paths if (scheme := told_scheme(path)) is not None}
    if len(told) > 1:
        found = ", ".join(f"{name} ({path})" for name, path in sorted(told.items()))
        raise LabelError(
            f"headers tell different schemes, so numbers cannot be compared: {found}; name the one "
            "to compare them in with --scheme"
        )
    every = _scheme_to(255)
    highest = max(int(read_labels(path, every).array.max()) for path in paths)
    return _scheme_to(max(highest, 1))


def read_rated(path: Path, scheme: LabelScheme) -> LabelMap:
    """A rater's label map, read as its header tells and merged into the scheme, as `evaluate` does;
    by its numbers where the scheme is that of numbers.

    Raises
    ------
    LabelError
        If the header tells a scheme that cannot be read as this one.
    CardiosegError
        If the file cannot be read.
    """
    if scheme.name == _NUMBERS:
        return read_labels(path, scheme)
    return read_as(own_labels(path, scheme), scheme, path)


def _scheme_to(highest: int) -> LabelScheme:
    return LabelScheme(
        _NUMBERS,
        tuple(
            Structure(f"label {value}", value, _PALETTE[(value - 1) % len(_PALETTE)], _ANATOMY)
            for value in range(1, highest + 1)
        ),
    )


def on_one_grid(
    case: str, labels: dict[str, LabelMap], observers: Sequence[str]
) -> tuple[dict[str, LabelMap], list[str]]:
    """The maps on the first observer's grid; none if an observer's lies on another."""
    first = labels[observers[0]].geometry
    astray = [name for name, each in labels.items() if not each.geometry.is_same(first)]
    notes = [
        f"{case}: {name}'s grid ({labels[name].geometry.describe()}) is not that of {observers[0]} "
        f"({first.describe()}); "
        + ("the case is left out." if name in observers else "it counts for the observers only.")
        for name in astray
    ]
    if set(astray) & set(observers):
        return {}, notes
    return {name: each for name, each in labels.items() if name not in astray}, notes
