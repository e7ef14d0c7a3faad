"""The report of a cohort: tables, Bland-Altman, examples and a CLAIM-style sheet, as one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cardioseg.evaluation import Report, box_plots, png_bytes
from cardioseg.evaluation.clinical import Agreement, clinical_pairs
from cardioseg.evaluation.rows import ABSENT, MISSED, SPURIOUS
from cardioseg.evaluation.summary import Summary
from cardioseg.evaluation.tables import DECIMALS
from cardioseg.workflows.report.claim import claim_sheet
from cardioseg.workflows.report.messages import Language, Message, Words
from cardioseg.workflows.report.page import render_page
from cardioseg.workflows.report.pictures import Picture, bland_altman_picture, data_uri
from cardioseg.workflows.report.terms import (
    METRICS,
    agreement_name,
    metric_meaning,
    metric_name,
    structure_name,
)

_MOST_NAMED = 20

SHOWN_METRICS = tuple(term.english for term in METRICS)

KINDS = (Message.BEST, Message.MEDIAN_CASE, Message.WORST)


@dataclass(frozen=True, eq=False)
class CohortContent:
    """What the report of a cohort tells.

    Parameters
    ----------
    name
        Name of the evaluation.
    report
        Its rows.
    examples
        The best, the median and the worst case by mean Dice, and a PNG of each, or None.
    stated
        What is known for the CLAIM-style sheet, by the item's number.
    origin
        Further lines of provenance: what it is, and its value.
    """

    name: str
    report: Report
    examples: tuple[tuple[str, bytes | None], ...] = ()
    stated: Mapping[int, str] = field(default_factory=dict)
    origin: tuple[tuple[str, str], ...] = ()


def cohort_report(content: CohortContent, language: Language = Language.ENGLISH) -> str:
    """A cohort as a self-contained HTML page: no script, nothing loaded from elsewhere.

    Parameters
    ----------
    content
        What to tell.
    language
        English or Spanish; what the evaluation's files state stays as it is.

    Returns
    -------
    str
        HTML.
    """
    words = Words(language)
    report = content.report
    found = clinical_pairs(report.rows)
    sheet = claim_sheet(content.stated, words)
    counts = {"cases": len(report.cases), "subjects": len(report.subjects)}
    values: dict[str, object] = {
        "title": words.say(Message.COHORT_TITLE, name=content.name),
        "size": words.say(Message.COHORT_SIZE, **counts),
        "few": len(report.subjects) < 2,
        "summaries": [
            _summary(s, words)
            for s in report.summaries()
            if s.level == "volume" and s.metric in SHOWN_METRICS
        ],
        "boxes": data_uri(png_bytes(box_plots({content.name: report}, "dice"), dpi=110)),
        "agreements": [_agreement(each, words) for each, _ in found],
        "charts": [_chart(a, pairs, words) for a, pairs in found if a.limits],
        "examples": [
            _example(report, kind, case, png, words)
            for kind, (case, png) in zip(KINDS, content.examples, strict=False)
        ],
        "structures": [structure_name(s, language) for s in report.structures],
        "claim": sheet,
        "stated": sum(bool(line.stated) for line in sheet),
        "origin": content.origin,
        "glossary": [
            (metric_name(m, language), metric_meaning(m, language)) for m in SHOWN_METRICS
        ],
    }
    return render_page("cohort.html.j2", values, words)


def claim_facts(report: Report) -> dict[int, str]:
    """What an evaluation's rows alone state for the CLAIM-style sheet, by the item's number."""
    rows = [r for r in report.rows if r.level == "volume"]
    metrics = ", ".join(dict.fromkeys(r.metric for r in rows))
    dice = [r for r in rows if r.metric == "dice"]
    counts = {note: sum(r.note == note for r in dice) for note in (ABSENT, MISSED, SPURIOUS)}
    facts = {
        11: f"structures: {', '.join(report.structures)}; volumes as voxels times |det affine|",
        13: f"a structure absent from both is undefined and counted ({counts[ABSENT]}); one that "
        f"only one has counts as the worst case ({counts[MISSED]} missed, "
        f"{counts[SPURIOUS]} spurious)",
        28: metrics,
        29: "bootstrap 95 % interval over patients; the cases of a patient are averaged first",
        33: f"{len(report.cases)} cases of {len(report.subjects)} patients were measured",
        35: _performance(report),
    }
    groups = sorted({r.group for r in rows if r.group})
    if groups:
        patients = {g: len({r.subject for r in rows if r.group == g}) for g in groups}
        facts[34] = "; ".join(f"{group}: {count} patients" for group, count in patients.items())
    limits = [a for a, _ in clinical_pairs(report.rows) if a.limits]
    if limits:
        facts[36] = "; ".join(
            f"{a.quantity}: bias {a.limits.bias:.1f} {a.unit} "
            f"({a.limits.lower:.1f} to {a.limits.upper:.1f})"
            for a in limits
            if a.limits
        )
    failed = [f"{r.case} ({r.structure}: {r.note})" for r in dice if r.note in {MISSED, SPURIOUS}]
    more = [f"and {len(failed) - _MOST_NAMED} more"] if len(failed) > _MOST_NAMED else []
    named = "; ".join([*failed[:_MOST_NAMED], *more])
    facts[37] = named or "no structure was missed or spurious; see the worst case"
    return facts


def _performance(report: Report) -> str:
    found = [s for s in report.summaries() if s.level == "volume" and s.metric == "dice"]
    return "; ".join(
        f"Dice of {s.structure} {s.mean:.3f}"
        + ("" if s.low is None or s.high is None else f" ({s.low:.3f} to {s.high:.3f})")
        for s in found
        if s.mean is not None
    )


def _summary(summary: Summary, words: Words) -> dict[str, object]:
    decimals = DECIMALS.get(summary.metric, 3)

    def told(value: float | None) -> str:
        return "" if value is None else words.number(value, decimals)

    interval = ""
    if summary.low is not None and summary.high is not None:
        interval = words.say(Message.RANGE, low=told(summary.low), high=told(summary.high))
    return {
        "structure": structure_name(summary.structure, words.language),
        "metric": metric_name(summary.metric, words.language),
        "mean": told(summary.mean) or words.say(Message.UNDEFINED),
        "interval": interval,
        "median": told(summary.median),
        "counts": (summary.subjects, summary.undefined, summary.missed, summary.spurious),
    }


def _agreement(each: Agreement, words: Words) -> dict[str, object]:
    limits = ("", "")
    if each.limits:
        ends = {"low": words.number(each.limits.lower), "high": words.number(each.limits.upper)}
        limits = (words.number(each.limits.bias), words.say(Message.RANGE, **ends))
    return {
        "quantity": agreement_name(each.quantity, words.language),
        "unit": each.unit,
        "subjects": each.subjects,
        "predicted": words.number(each.predicted),
        "reference": words.number(each.reference),
        "bias": limits[0],
        "limits": limits[1],
        "undefined": each.undefined,
    }


def _chart(each: Agreement, pairs: Sequence[tuple[float, float]], words: Words) -> Picture:
    if each.limits is None:
        raise ValueError(f"{each.quantity}: no limits of agreement to draw")
    name = agreement_name(each.quantity, words.language)
    return bland_altman_picture(pairs, each.limits, name, each.unit, words)


def _example(
    report: Report, kind: Message, case: str, png: bytes | None, words: Words
) -> dict[str, object]:
    rows = report.select(metric="dice", level="volume", case=case).rows
    dice = {r.structure: r.value for r in rows}
    undefined = words.say(Message.UNDEFINED)
    values = [dice.get(name) for name in report.structures]
    name = words.say(kind)
    picture = None
    if png:
        alt = words.say(Message.EXAMPLE_ALT, kind=name, case=case)
        picture = Picture(data_uri(png), alt, f"{name}: {case}")
    return {
        "kind": name,
        "case": case,
        "dice": [undefined if v is None else words.number(v, 3) for v in values],
        "picture": picture,
    }
