"""A data set: cases, scheme, licence; and how a name such as `acdc:FOLDER` finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD, LabelScheme
from cardioseg.datasets import acdc, hvsmr, nnunet
from cardioseg.errors import DatasetError


@dataclass(frozen=True)
class Dataset:
    """What a reader found.

    Parameters
    ----------
    name
        Name of the reader.
    cases
        The cases, sorted by id.
    scheme
        Scheme of their labels.
    license, citation
        As the data set's authors state them; `unknown` where they don't.
    """

    name: str
    cases: tuple[Case, ...]
    scheme: LabelScheme
    license: str
    citation: str


def _acdc(folder: Path) -> Dataset:
    return Dataset("acdc", acdc.read_acdc(folder), ACDC, acdc.LICENSE, acdc.CITATION)


def _hvsmr(folder: Path) -> Dataset:
    cases = hvsmr.read_hvsmr(folder)
    return Dataset("hvsmr", cases, MYOCARDIUM_BLOOD, hvsmr.LICENSE, hvsmr.CITATION)


def _nnunet(folder: Path) -> Dataset:
    cases, scheme, license_ = nnunet.read_nnunet(folder)
    return Dataset("nnunet", cases, scheme, license_, "unknown")


READERS: tuple[tuple[str, Callable[[Path], Dataset]], ...] = (
    ("acdc", _acdc),
    ("hvsmr", _hvsmr),
    ("nnunet", _nnunet),
)
"""Name of each layout and its reader."""


def read_dataset(spec: str) -> Dataset:
    """Read a data set named as `KIND:FOLDER`.

    Parameters
    ----------
    spec
        Such as `acdc:FOLDER`, `hvsmr:FOLDER` or `nnunet:FOLDER`.

    Raises
    ------
    DatasetError
        If the kind is unknown or the folder does not have its layout.
    """
    kind, colon, folder = spec.partition(":")
    for name, reader in READERS:
        if name == kind and colon and folder:
            return reader(Path(folder))
    kinds = ", ".join(f"{name}:FOLDER" for name, _ in READERS)
    raise DatasetError(f"{spec!r} does not name a data set; write one of {kinds}")
