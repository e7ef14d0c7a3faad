"""A finding: which subject and case, what is wrong, and what to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from cardioseg.workflows.provenance import Json

Kind = Literal[
    "unreadable",
    "grid",
    "label-values",
    "label-convention",
    "labels-empty",
    "structure-absent",
    "labels-cut",
    "labels-mirrored",
    "mirrored",
    "turned",
    "duplicate",
    "spacing",
    "intensity",
]
"""What a finding is about; scripts may rely on the words."""

Severity = Literal["fault", "look"]
"""A `fault` makes figures of this data set wrong; a `look` can be right, and a person decides."""

MOST_NAMED = 4


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks so.

    Parameters
    ----------
    subject, case
        Where; the case is empty where it is the subject's.
    kind, severity
        What it is about, and how bad it is.
    what
        What was found, with figures.
    suggestion
        What to do.
    repairable
        Whether `inspect --fix` mends it in its copy.
    """

    subject: str
    case: str
    kind: Kind
    severity: Severity
    what: str
    suggestion: str
    repairable: bool = False

    def to_dict(self) -> dict[str, Json]:
        """The finding for a program."""
        facts: dict[str, Json] = asdict(self)
        return facts

    def to_text(self) -> str:
        """The finding for a person, on two lines."""
        where = self.case or self.subject
        if self.subject not in where:
            where = f"{where} (subject {self.subject})"
        mends = " [--fix mends it]" if self.repairable else ""
        lines = (
            f"{self.severity:<6}{self.kind:<18}{where}: {self.what}",
            f"      -> {self.suggestion}{mends}",
        )
        return "\n".join(lines)


def findings_text(findings: Iterable[Finding]) -> str:
    """All findings, faults first; many that differ by the case only become one.

    Examples
    --------
    >>> facts = ("duplicate", "fault", "the same image as b_frame01", "keep one")
    >>> print(findings_text([Finding("a", "a_frame01", *facts)]))
    fault duplicate         a_frame01: the same image as b_frame01
          -> keep one
    """
    alike: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in sorted(findings, key=lambda f: (f.severity, f.kind, f.subject, f.case)):
        alike[finding.severity, finding.kind, finding.suggestion].append(finding)
    return "\n".join(line for group in alike.values() for line in _lines(group))


def _lines(group: list[Finding]) -> Iterator[str]:
    for finding in group[:MOST_NAMED]:
        yield finding.to_text()
    more = [finding.case or finding.subject for finding in group[MOST_NAMED:]]
    if more:
        yield f"      and {len(more)} more of this kind: {', '.join(more)}"
