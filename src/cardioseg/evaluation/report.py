"""A report: tidy rows, their means, and their way to JSON, CSV and Markdown and back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields, replace
from types import MappingProxyType

import numpy as np

from cardioseg.errors import DatasetError, FormatError
from cardioseg.evaluation.document import document
from cardioseg.evaluation.rows import LEVELS, Level, Row
from cardioseg.evaluation.summary import Summary, mean_of, structures_of, summarise

FORMAT_VERSION = 1

COLUMNS = tuple(field.name for field in fields(Row))
"""Columns of the CSV, in order: case, subject, structure, metric, value, unit, note, ..."""


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Parameters
    ----------
    rows
        One row a value. Rows of volumes and of slices are kept apart by their level.

    Raises
    ------
    DatasetError
        If a case has the same value twice.

    Examples
    --------
    >>> report = Report((Row("a", "a", "myocardium", "dice", 0.8),
    ...                  Row("b", "b", "myocardium", "dice", 0.9)))
    >>> round(report.mean("dice", "myocardium"), 3)
    0.85
    >>> Report.from_json(report.to_json()) == report
    True
    """

    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        seen = set()
        for row in self.rows:
            key = (row.case, row.structure, row.metric, row.slice_index)
            if key in seen:
                raise DatasetError(
                    f"case {row.case} has {row.metric} of {row.structure} twice; "
                    "give each evaluated pair its own case name"
                )
            seen.add(key)

    @property
    def cases(self) -> tuple[str, ...]:
        """Names of the cases, in order."""
        return tuple(dict.fromkeys(row.case for row in self.rows))

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects, in order."""
        return tuple(dict.fromkeys(row.subject for row in self.rows))

    @property
    def structures(self) -> tuple[str, ...]:
        """Names of the structures, in order; background is not among them."""
        return structures_of(self.rows)

    def select(
        self,
        metric: str | None = None,
        structure: str | None = None,
        level: Level | None = None,
        case: str | None = None,
    ) -> Report:
        """The rows that have all the values given."""
        wanted = {"metric": metric, "structure": structure, "level": level, "case": case}
        given = {name: value for name, value in wanted.items() if value is not None}
        return Report(
            tuple(r for r in self.rows if all(getattr(r, n) == v for n, v in given.items()))
        )

    def mean(
        self, metric: str, structure: str | None = None, level: Level = "volume"
    ) -> float | None:
        """Cohort mean: frames of a patient first, then patients, then structures.

        Parameters
        ----------
        metric
            Name of the metric.
        structure
            One structure, or `background`; None averages all structures without background.
        level
            `volume`, or `slice` (slices of a case are averaged first).

        Returns
        -------
        float or None
            None where nothing is defined.
        """
        rows = self.select(metric=metric, level=level).rows
        return mean_of(rows, structures_of(rows) if structure is None else (structure,))

    def summaries(self, rng: np.random.Generator | None = None) -> tuple[Summary, ...]:
        """Mean, median and interval of every level, metric and structure.

        Parameters
        ----------
        rng
            Source of randomness for the bootstrap; without it the same draws every time.
        """
        return summarise(self.rows, rng or np.random.default_rng(0))

    def tagged(self, group: str, phase: str, regions: Sequence[str] = ()) -> Report:
        """The same rows with a pathology group, a phase and, if given, the region of each slice."""
        return Report(
            tuple(
                replace(row, group=group, phase=phase, region=_region(row, regions))
                for row in self.rows
            )
        )

    def without(self, metrics: Collection[str], why: str) -> Report:
        """The same rows, those of some metrics undefined and noted so."""
        return Report(
            tuple(
                replace(row, value=None, note=why) if row.metric in metrics else row
                for row in self.rows
            )
        )

    def to_json(
        self,
        rng: np.random.Generator | None = None,
        told: Mapping[str, Sequence[object]] = MappingProxyType({}),
    ) -> str:
        """The report as JSON: `rows` (volumes), `slices` and, derived from them, `summary`.

        Before them comes what else is told, such as the `models` that made the predictions.
        """
        parts: dict[str, Sequence[object]] = {
            **told,
            "summary": [asdict(summary) for summary in self.summaries(rng)],
            "rows": [asdict(row) for row in self.rows if row.level == "volume"],
            "slices": [asdict(row) for row in self.rows if row.level == "slice"],
        }
        lists = (f'"{name}": {_one_a_line(entries)}' for name, entries in parts.items())
        return "{\n" + ",\n".join([f'"format_version": {FORMAT_VERSION}', *lists]) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read a report that `to_json` wrote; volume rows come first.

        Raises
        ------
        FormatError
            If the text is not a report of this version.
        """
        try:
            content = json.loads(text)
            version = content["format_version"]
            entries = [*content["rows"], *content["slices"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FormatError(
                "this is not a report.json: it needs format_version, rows and slices; "
                "write one with `cardioseg evaluate`"
            ) from error
        if version != FORMAT_VERSION:
            raise FormatError(
                f"report of format version {version!r}; this program reads {FORMAT_VERSION}"
            )
        try:
            return cls(tuple(Row(**entry) for entry in entries))
        except TypeError as error:
            raise FormatError(f"a row of the report has a wrong or missing key: {error}") from error

    def to_csv(self, level: Level = "volume") -> str:
        """The rows of one level as CSV with a header; an undefined value is an empty cell."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(astuple(row) for row in self.rows if row.level == level)
        return buffer.getvalue()

    def to_markdown(self, rng: np.random.Generator | None = None) -> str:
        """The report as a document for people: tables per volume and per slice, worst cases."""
        return document(self.rows, rng or np.random.default_rng(0))


def combine(reports: Iterable[Report]) -> Report:
    """One report of several, volume rows before slice rows.

    Raises
    ------
    DatasetError
        If two of them hold a case of the same name.
    """
    rows = [row for report in reports for row in report.rows]
    return Report(tuple(row for level in LEVELS for row in rows if row.level == level))


def _region(row: Row, regions: Sequence[str]) -> str:
    return row.region if row.slice_index is None or not regions else regions[row.slice_index]


def _one_a_line(entries: Iterable[object]) -> str:
    """A JSON list that people can still read when there are thousands of entries."""
    lines = (json.dumps(entry, allow_nan=False, ensure_ascii=False) for entry in entries)
    return "[\n" + ",\n".join(lines) + "\n]"
