"""A data set: cases in one label scheme, with the terms under which they came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from cardioseg.core.case import Case
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap
from cardioseg.errors import DatasetError


@dataclass(frozen=True)
class Dataset:
    """What a reader found.

    Parameters
    ----------
    name
        Short name of the data set.
    cases
        All cases, sorted by id; none is read yet.
    scheme
        Scheme of the reference labels.
    license
        Terms of the data, which bind weights trained on them too.
    citation
        Paper to cite, or empty.
    source
        `KIND:FOLDER` that it was read from; empty for cases from elsewhere.

    Raises
    ------
    DatasetError
        If there is no case, or two have one id.
    """

    name: str
    cases: tuple[Case, ...]
    scheme: LabelScheme
    license: str
    citation: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if not self.cases:
            raise DatasetError(f"data set {self.name} has no case")
        ids = [case.id for case in self.cases]
        twice = sorted({each for each in ids if ids.count(each) > 1})
        if twice:
            raise DatasetError(f"data set {self.name}: two cases have the id {twice[0]}")

    @property
    def subjects(self) -> tuple[str, ...]:
        """Ids of the subjects, sorted."""
        return tuple(sorted({case.subject for case in self.cases}))

    @property
    def labelled_cases(self) -> tuple[Case, ...]:
        """The cases that have reference labels."""
        return tuple(case for case in self.cases if case.load_labels is not None)

    def read_as(self, scheme: LabelScheme) -> Dataset:
        """The same cases with labels in a coarser scheme; merged when they are read.

        Raises
        ------
        LabelError
            If this scheme cannot be read as the other.
        """
        if scheme == self.scheme:
            return self
        self.scheme.merge_table(scheme)
        cases = tuple(
            replace(
                case, load_labels=case.load_labels and partial(_merged, case.load_labels, scheme)
            )
            for case in self.cases
        )
        return replace(self, cases=cases, scheme=scheme)


def _merged(load: Callable[[], LabelMap], scheme: LabelScheme) -> LabelMap:
    return load().read_as(scheme)
