"""Markdown tables of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cardioseg.evaluation.clinical import Agreement
from cardioseg.evaluation.rows import BACKGROUND, NO_SCORES, Level, Row
from cardioseg.evaluation.summary import Summary, mean_of, structures_of
from cardioseg.evaluation.volumetry import REGIONS

Tag = Literal["group", "phase", "region"]

DECIMALS = {"hd95_mm": 2, "assd_mm": 2, "volume_ml": 1, "volume_error_ml": 1}
DECIMALS |= {"absolute_volume_error_ml": 1}
UNDEFINED = "undefined"


def markdown_table(header: Sequence[str], body: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A Markdown table; the first columns are text, all others are right-aligned.

    Examples
    --------
    >>> print(markdown_table(["name", "Dice"], [["LV", "0.9"]]))
    | name | Dice |
    |---|---:|
    | LV | 0.9 |
    """
    rule = "|" + "---|" * texts + "---:|" * (len(header) - texts)
    lines = ["| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |" for cells in body]
    return "\n".join(["| " + " | ".join(header) + " |", rule, *lines])


def number(value: float | None, metric: str = "dice") -> str:
    """A value as tables print it: three decimals, two for mm and one for ml."""
    if value is None:
        return UNDEFINED
    text = f"{value:.{DECIMALS.get(metric, 3)}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def summary_table(summaries: Sequence[Summary], level: Level) -> str:
    """Mean, interval, median and counts of every structure and metric of one level."""
    kind = "cases" if level == "volume" else "slices"
    header = ["structure", "metric", "mean", "95 % interval", "median", "patients", kind]
    body = []
    for s in (s for s in summaries if s.level == level):
        interval = (
            "" if s.low is None else f"{number(s.low, s.metric)} to {number(s.high, s.metric)}"
        )
        cells = [s.structure, s.metric, number(s.mean, s.metric), interval]
        cells.append("" if s.median is None else number(s.median, s.metric))
        counts = (s.subjects, s.defined, s.undefined, s.missed, s.spurious)
        body.append([*cells, *(str(count) for count in counts)])
    return markdown_table([*header, UNDEFINED, "missed", "spurious"], body, texts=2)


def class_table(rows: Sequence[Row], level: Level) -> str:
    """Dice and cross-entropy of background and each structure, and their mean over the classes."""
    chosen = [r for r in rows if r.level == level]
    classes = (BACKGROUND, *structures_of(chosen))
    label = "per volume" if level == "volume" else "per slice"
    body = []
    for title, metric in (("Dice", "dice"), ("CCE", "cce")):
        found = [r for r in chosen if r.metric == metric]
        if found and all(r.note == NO_SCORES for r in found):
            body.append([title, *(NO_SCORES for _ in classes), NO_SCORES])
            continue
        means = [mean_of(found, (name,)) for name in classes]
        body.append([title, *(number(m) for m in means), number(mean_of(found, classes))])
    return markdown_table([label, *classes, "mean"], body)


def breakdown_table(rows: Sequence[Row], metric: str, tag: Tag, level: Level) -> str:
    """Mean of one metric by group, phase or region and structure; empty if there is none."""
    chosen = [r for r in rows if r.metric == metric and r.level == level]
    structures = structures_of(chosen)
    body = []
    for name in sorted({getattr(r, tag) for r in chosen}, key=_tag_order):
        part = [r for r in chosen if getattr(r, tag) == name]
        means = [mean_of(part, (structure,)) for structure in structures]
        means.append(mean_of(part, structures))
        patients = len({r.subject for r in part})
        cells = [number(mean, metric) for mean in means]
        body.append([name or "unknown", str(patients), *cells])
    return markdown_table([tag, "patients", *structures, "mean"], body)


def _tag_order(name: str) -> tuple[bool, int, str]:
    """Base, mid, apex; others by name; unknown last."""
    return (not name, REGIONS.index(name) if name in REGIONS else 0, name)


def worst_cases_table(rows: Sequence[Row], count: int = 5) -> str:
    """The cases with the lowest mean Dice over structures, and what went wrong in them."""
    chosen = [r for r in rows if r.metric == "dice" and r.level == "volume"]
    structures = structures_of(chosen)
    ranked = []
    for case in dict.fromkeys(r.case for r in chosen):
        part = [r for r in chosen if r.case == case]
        mean = mean_of(part, structures)
        if mean is not None:
            ranked.append((mean, case, part))
    body = []
    for mean, case, part in sorted(ranked, key=lambda entry: entry[:2])[:count]:
        cells = [number(mean_of(part, (name,))) for name in structures]
        notes = "; ".join(f"{r.structure}: {r.note}" for r in part if r.note)
        body.append([case, number(mean), *cells, notes])
    return markdown_table(["case", "mean Dice", *structures, "note"], body)


def agreement_table(agreements: Sequence[Agreement]) -> str:
    """Bias and limits of agreement of clinical quantities."""
    header = ["quantity", "unit", "patients", "prediction", "reference", "bias", "95 % limits"]
    body = []
    for a in agreements:
        means = [f"{a.predicted:.1f}", f"{a.reference:.1f}"]
        limits = ["", ""]
        if a.limits:
            limits = [f"{a.limits.bias:.1f}", f"{a.limits.lower:.1f} to {a.limits.upper:.1f}"]
        body.append([a.quantity, a.unit, str(a.subjects), *means, *limits, str(a.undefined)])
    return markdown_table([*header, UNDEFINED], body, texts=2)
