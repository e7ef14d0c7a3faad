"""What a data set is: subjects, groups, grids, and how often each class occurs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from cardioseg.core.labels import LabelScheme
from cardioseg.datasets import read_dataset
from cardioseg.errors import DatasetError
from cardioseg.workflows.doctor import Examination, Finding, examine
from cardioseg.workflows.doctor.finding import findings_text
from cardioseg.workflows.provenance import Json

BACKGROUND = "background"

_Range = tuple[float, float, float]


@dataclass(frozen=True)
class ClassFrequency:
    """How often one class occurs.

    Parameters
    ----------
    name
        `background` or the structure.
    voxels
        Voxels over all labelled cases.
    share
        Of all voxels, 0 to 1.
    share_of_labelled
        Of all voxels that are not background, 0 to 1; 0 for the background.
    cases
        Labelled cases in which it occurs.
    """

    name: str
    voxels: int
    share: float
    share_of_labelled: float
    cases: int


@dataclass(frozen=True)
class DatasetFacts:
    """Facts of a data set; a range is smallest, median, largest.

    Parameters
    ----------
    name, license, citation, scheme
        As the reader states them.
    subjects, cases, labelled
        How many subjects, cases, and cases with reference labels.
    groups, phases
        Subjects by pathology group, cases by phase, where the data set says.
    orientations
        Cases by orientation of their array axes; `unknown` where the data set lost it.
    spacing_mm, slice_spacing_mm
        Smallest and largest spacing of each image.
    side, slices
        Longest side across the axis of the largest spacing, and voxels along it.
    frequencies
        How often each class occurs.
    case_shares
        Share of voxels of each class in each labelled case, 0 to 1: what the figure shows.
    findings
        What is wrong or looks so, with what to do.
    unchecked
        Checks that the set does not allow, and why.
    """

    name: str
    license: str
    citation: str
    scheme: str
    subjects: int
    cases: int
    labelled: int
    groups: Mapping[str, int]
    phases: Mapping[str, int]
    orientations: Mapping[str, int]
    spacing_mm: _Range
    slice_spacing_mm: _Range
    side: _Range
    slices: _Range
    frequencies: tuple[ClassFrequency, ...]
    case_shares: Mapping[str, tuple[float, ...]]
    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...]

    def to_dict(self) -> dict[str, Json]:
        """The facts for a program; shares of single cases are left out."""
        facts: dict[str, Json] = asdict(self)
        del facts["case_shares"]
        return {k: list(v) if isinstance(v, tuple) else v for k, v in facts.items()}

    def to_text(self) -> str:
        """The facts for a person, with the class-frequency table and the findings."""
        rows = [
            ("data set", f"{self.name} ({self.license})"),
            ("cite", self.citation),
            ("scheme", self.scheme),
            ("subjects", str(self.subjects)),
            ("cases", f"{self.cases}, {self.labelled} with labels"),
            ("groups", _counted(self.groups)),
            ("phases", _counted(self.phases)),
            ("orientation", _counted(self.orientations)),
            ("spacing", f"{_span(self.spacing_mm)} mm; slices {_span(self.slice_spacing_mm)} mm"),
            ("size", f"longest side {_span(self.side)}; slices {_span(self.slices)}"),
            *(("not checked", words) for words in self.unchecked),
        ]
        lines = [f"{key:<14}{words}" for key, words in rows if words]
        if self.frequencies:
            lines += [
                "",
                f"{'class':<18}{'voxels':>12}{'share':>10}{'of labelled':>13}{'cases':>7}",
            ]
        lines += [
            f"{f.name:<18}{f.voxels:>12}{f.share:>10.3%}"
            f"{'' if f.name == BACKGROUND else f'{f.share_of_labelled:.1%}':>13}{f.cases:>7}"
            for f in self.frequencies
        ]
        found = findings_text(self.findings) or "nothing found that is wrong"
        return "\n".join([*lines, "", found])


def inspect_dataset(spec: str) -> DatasetFacts:
    """Read every case of a data set, one at a time, and say what it is and what is wrong.

    A case that cannot be read is among the findings, and left out of the figures.

    Parameters
    ----------
    spec
        `KIND:FOLDER`, such as `acdc:data/acdc`.

    Raises
    ------
    DatasetError
        If the folder does not have its layout, or no case can be read.
    """
    return dataset_facts(examine(read_dataset(spec)))


def dataset_facts(examination: Examination) -> DatasetFacts:
    """What an examined data set is.

    Raises
    ------
    DatasetError
        If no case can be read.
    """
    dataset, seen = examination.dataset, examination.seen
    if not seen:
        first = examination.findings[0].what
        raise DatasetError(f"{dataset.name}: no case can be read; the first: {first}")
    counts = [each.counts for each in seen if each.counts]
    axes = [int(np.argmax(each.geometry.spacing)) for each in seen]
    grids = [each.geometry for each in seen]
    return DatasetFacts(
        name=dataset.name,
        license=dataset.license,
        citation=dataset.citation,
        scheme=dataset.scheme.name,
        subjects=len(dataset.subjects),
        cases=len(dataset.cases),
        labelled=len(dataset.labelled_cases),
        groups=_tally(group for _, group in {(case.subject, case.group) for case in dataset.cases}),
        phases=_tally(case.phase for case in dataset.cases),
        orientations=_tally(
            each.geometry.orientation if each.case.orientation_known else "unknown" for each in seen
        ),
        spacing_mm=_range(min(grid.spacing) for grid in grids),
        slice_spacing_mm=_range(max(grid.spacing) for grid in grids),
        side=_range(max(np.delete(g.shape, a)) for g, a in zip(grids, axes, strict=True)),
        slices=_range(g.shape[a] for g, a in zip(grids, axes, strict=True)),
        frequencies=_frequencies(counts, dataset.scheme),
        case_shares=_case_shares(counts, dataset.scheme),
        findings=examination.findings,
        unchecked=examination.unchecked,
    )


def _names(scheme: LabelScheme) -> tuple[str, ...]:
    return (BACKGROUND, *(s.name for s in sorted(scheme.structures, key=lambda s: s.value)))


def _frequencies(
    counts: Iterable[tuple[int, ...]], scheme: LabelScheme
) -> tuple[ClassFrequency, ...]:
    table = np.array([*counts], dtype=np.int64)
    if table.size == 0:
        return ()
    voxels, present = table.sum(axis=0), (table > 0).sum(axis=0)
    inside = max(int(voxels[1:].sum()), 1)
    return tuple(
        ClassFrequency(
            name=name,
            voxels=int(voxels[value]),
            share=float(voxels[value] / voxels.sum()),
            share_of_labelled=float(voxels[value] / inside) if value else 0.0,
            cases=int(present[value]),
        )
        for value, name in enumerate(_names(scheme))
    )


def _case_shares(
    counts: Iterable[tuple[int, ...]], scheme: LabelScheme
) -> dict[str, tuple[float, ...]]:
    cases = [*counts]
    return {
        name: tuple(each[value] / sum(each) for each in cases)
        for value, name in enumerate(_names(scheme))
    }


def _tally(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(word for word in words if word).items()))


def _range(values: Iterable[float]) -> _Range:
    found = [float(value) for value in values]
    return round(min(found), 4), round(float(np.median(found)), 4), round(max(found), 4)


def _counted(tally: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in tally.items())


def _span(values: _Range) -> str:
    low, median, high = values
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g} (median {median:.4g})"
