"""Data sets as they come: one reader a layout, each listing cases with their subjects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD, LabelScheme
from cardioseg.datasets import acdc, hvsmr, nnunet
from cardioseg.datasets.dataset import Dataset
from cardioseg.errors import DatasetError

__all__ = ["DATASET_KINDS", "Dataset", "read_dataset"]


def _acdc(folder: str, _: LabelScheme | None) -> Dataset:
    return Dataset("acdc", acdc.read_acdc(folder), ACDC, acdc.LICENSE, acdc.CITATION)


def _hvsmr(folder: str, _: LabelScheme | None) -> Dataset:
    cases = hvsmr.read_hvsmr(folder)
    return Dataset("hvsmr", cases, MYOCARDIUM_BLOOD, hvsmr.LICENSE, hvsmr.CITATION)


def _hvsmr_full(folder: str, _: LabelScheme | None) -> Dataset:
    cases = hvsmr.read_hvsmr(folder, "full")
    return Dataset("hvsmr-full", cases, MYOCARDIUM_BLOOD, hvsmr.LICENSE, hvsmr.CITATION)


def _nnunet(folder: str, scheme: LabelScheme | None) -> Dataset:
    facts = nnunet.read_description(folder)
    own = nnunet.own_scheme(facts, folder, scheme)
    name = facts.name or Path(folder).resolve().name
    cases = nnunet.read_nnunet(folder, own)
    return Dataset(name, cases, own, facts.license or "unknown", facts.reference)


_READERS: Mapping[str, Callable[[str, LabelScheme | None], Dataset]] = MappingProxyType(
    {"acdc": _acdc, "hvsmr": _hvsmr, "hvsmr-full": _hvsmr_full, "nnunet": _nnunet}
)

DATASET_KINDS = tuple(_READERS)
"""Layouts that `--data KIND:FOLDER` takes."""


def read_dataset(spec: str, scheme: LabelScheme | None = None) -> Dataset:
    """List the cases of a data set; no image is opened.

    Parameters
    ----------
    spec
        `KIND:FOLDER`, such as `acdc:data/acdc`; the kinds are in `DATASET_KINDS`.
    scheme
        Scheme to read the labels in, the data set's own or a coarser one; None is its own.

    Raises
    ------
    DatasetError
        If the spec names no kind or an unknown one, or the folder has another layout.
    LabelError
        If the labels cannot be read in `scheme`.

    Examples
    --------
    >>> read_dataset("acdc")
    Traceback (most recent call last):
    cardioseg.errors.DatasetError: 'acdc' names no data set; write KIND:FOLDER, such as acdc:data/acdc
    """
    kind, colon, folder = spec.partition(":")
    if not (colon and folder):
        raise DatasetError(f"{spec!r} names no data set; write KIND:FOLDER, such as acdc:data/acdc")
    if kind not in _READERS:
        raise DatasetError(f"unknown kind of data set {kind!r}; choose {', '.join(DATASET_KINDS)}")
    dataset = _READERS[kind](folder, scheme)
    return dataset if scheme is None else dataset.read_as(scheme)
