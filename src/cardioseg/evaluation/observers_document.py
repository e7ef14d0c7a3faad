"""A study of observers as one Markdown document, its verdicts first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from cardioseg.evaluation.observers import ObserverStudy
from cardioseg.evaluation.readings import (
    DICE,
    PAIR_METRICS,
    SENSITIVITY,
    SPECIFICITY,
    STAPLE_CONSENSUS,
    VOLUME,
    patient_means,
)
from cardioseg.evaluation.standing import FEWEST_PATIENTS, Place, Standing
from cardioseg.evaluation.statistics import Interval
from cardioseg.evaluation.tables import markdown_table, number

_DEFINITIONS = """\
Means are over patients: the cases of a patient are averaged first. Intervals are percentile
bootstraps over patients, 95 %; with one patient there are none, and those of fewer than about ten
are too narrow. A structure that both of a pair lack is undefined; one that only one of them drew
counts with Dice 0 and with the grid's diagonal as its distance. Limits of agreement, ICC and
variation are of single cases, so that opposite differences in two frames of a patient don't cancel:
limits hold the difference of 95 % of cases, from the variances between and within patients
(doi:10.1080/10543400701329422). ICC is ICC(2,1): two-way random effects, absolute agreement, a
single observer (doi:10.1037/0033-2909.86.2.420); over end diastole and end systole together it is
higher than over one of them, whose volumes spread less. Variation is the root mean square over
cases of the observers' standard deviation by their mean. Williams' index is the rater's mean
agreement with the observers divided by theirs with one another, for distances the inverse: 1 or
more means that the rater agrees with the observers at least as well as they do with each other
(doi:10.1109/42.640755); fewer than six patients get no verdict. STAPLE:
doi:10.1109/TMI.2004.828354, within the box that holds every labelled voxel; its sensitivity and
specificity depend on that box. The observers have made the consensus: agreement with it flatters
them, not the model."""

_WORDS = {
    Place.WITHIN: "agrees with the observers at least as well as they agree with one another",
    Place.UNDECIDED: "cannot be told from one more observer",
    Place.OUTSIDE: "agrees less with the observers than they agree with one another",
    Place.UNKNOWN: f"cannot be placed: a verdict needs {FEWEST_PATIENTS} patients or more",
}


@dataclass(frozen=True)
class Told:
    """What a reader of the figures must know about the files.

    Parameters
    ----------
    cases, patients
        How many of each were measured.
    notes
        Cases left out and why, ties, and whatever else was noticed; one sentence each.
    """

    cases: int
    patients: int
    notes: tuple[str, ...] = ()


def verdict_sentences(study: ObserverStudy) -> tuple[str, ...]:
    """Where the model lies, by Dice, one plain sentence for each structure; empty without one."""
    chosen = [s for s in study.standings if s.rater == study.model and s.metric == DICE]
    return tuple(_sentence(standing) for standing in chosen)


def observers_document(study: ObserverStudy, told: Told) -> str:
    """Markdown of the whole study."""
    raters = f"Observers: {', '.join(study.observers)}."
    if study.model:
        raters += f" Model: {study.model}."
    sections = ["# Observers"]
    if study.model:
        sections += ["## Where the model lies", *_bullets(verdict_sentences(study))]
    sections += [f"{raters} Cases: {told.cases}. Patients: {told.patients}."]
    sections += [*_bullets(told.notes), "## Agreement, pair by pair", _pair_table(study)]
    sections += ["## Volumes", _volume_table(study), "### Bias", _bias_table(study)]
    if study.standings:
        sections += ["## Each rater in the spread of the others", _standing_table(study)]
    sections += ["## STAPLE", _staple_table(study), "## How to read this", _DEFINITIONS]
    return "\n\n".join(sections) + "\n"


def _bullets(lines: Sequence[str]) -> list[str]:
    return ["\n".join(f"- {line}" for line in lines)] if lines else []


def _sentence(standing: Standing) -> str:
    words = f"{standing.structure}: the model {_WORDS[standing.place]}"
    if standing.own is None or standing.others is None or standing.index is None:
        return f"{standing.structure}: the model cannot be placed: no Dice is defined."
    told = f"Dice {standing.own:.3f} against {standing.others:.3f}"
    index = f"Williams' index {standing.index:.3f}{_parenthesis(standing.interval)}"
    patients = f"{standing.subjects} patient{'s' if standing.subjects != 1 else ''}"
    return f"{words} ({told}; {index}; {patients})."


def _parenthesis(interval: Interval | None) -> str:
    return "" if interval is None else f", 95 % {interval.low:.3f} to {interval.high:.3f}"


def _ends(interval: Interval | None, metric: str) -> str:
    if interval is None:
        return ""
    return f"{number(interval.low, metric)} to {number(interval.high, metric)}"


def _pair_table(study: ObserverStudy) -> str:
    header = ["structure", "metric", "pair", "mean", "95 % interval", "patients", "undefined"]
    body = []
    for pair in study.pairs:
        decimals = "volume_ml" if pair.metric.endswith("_ml") else pair.metric
        cells = [number(pair.mean, decimals), _ends(pair.interval, decimals)]
        if pair.limits:
            cells[1] += f" (limits {pair.limits.lower:.1f} to {pair.limits.upper:.1f})"
        counts = [str(pair.subjects), str(pair.undefined)]
        body.append([pair.structure, pair.metric, f"{pair.first} / {pair.second}", *cells, *counts])
    order = {metric: place for place, metric in enumerate(PAIR_METRICS)}
    return markdown_table(header, sorted(body, key=lambda row: order[row[1]]), texts=3)


def _volume_table(study: ObserverStudy) -> str:
    header = ["structure", "patients", "cases", "ICC", "95 % interval"]
    body = []
    for r in study.reliability:
        icc = [number(r.icc), _ends(r.icc_interval, DICE)]
        variation = [
            number(r.variation_percent, VOLUME),
            _ends(r.variation_interval, VOLUME),
        ]
        body.append([r.structure, str(r.subjects), str(r.cases), *icc, *variation])
    return markdown_table([*header, "variation (%)", "95 % interval"], body)


def _bias_table(study: ObserverStudy) -> str:
    header = ["structure", "rater", "volume (ml)", "minus the other observers (ml)"]
    body = []
    for b in study.biases:
        percent = "" if b.percent is None else f"{b.percent:.1f}"
        cells = [number(b.volume_ml, VOLUME), number(b.bias_ml, VOLUME), _ends(b.interval, VOLUME)]
        body.append([b.structure, b.rater, *cells, percent, str(b.subjects)])
    return markdown_table([*header, "95 % interval", "%", "patients"], body, texts=2)


def _standing_table(study: ObserverStudy) -> str:
    header = ["structure", "metric", "rater", "with the observers", "between them"]
    body = []
    for s in study.standings:
        cells = [number(s.own, s.metric), number(s.others, s.metric), number(s.index)]
        body.append([s.structure, s.metric, s.rater, *cells, _ends(s.interval, DICE), s.place])
    return markdown_table([*header, "Williams' index", "95 % interval", "place"], body, texts=3)


def _staple_table(study: ObserverStudy) -> str:
    """Sensitivity, specificity and Dice with the consensus, mean over patients."""
    header = ["structure", "rater", "sensitivity", "specificity", "Dice with the consensus"]
    body = []
    raters = (*study.observers, study.model) if study.model else study.observers
    for structure in study.structures:
        rows = [r for r in study.readings if r.structure == structure]
        for rater in raters:
            mine = [r for r in rows if r.first == rater]
            cells = []
            for metric, second in (
                (SENSITIVITY, ""),
                (SPECIFICITY, ""),
                (DICE, STAPLE_CONSENSUS),
            ):
                chosen = [r for r in mine if r.metric == metric and r.second == second]
                values = list(patient_means(chosen).values())
                cells.append(f"{fmean(values):.4f}" if values else "")
            body.append([structure, rater, *cells])
    return markdown_table(header, body, texts=2)
