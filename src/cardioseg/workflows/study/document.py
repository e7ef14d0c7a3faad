"""A study as one Markdown document: verdict first, then the tables that it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np

from cardioseg.evaluation import Report, comparison_table
from cardioseg.evaluation.rows import Level
from cardioseg.evaluation.statistics import Interval
from cardioseg.evaluation.summary import summarise
from cardioseg.evaluation.tables import (
    breakdown_table,
    class_table,
    markdown_table,
    number,
    summary_table,
)
from cardioseg.training.config import TrainConfig
from cardioseg.workflows.study.analysis import (
    BUDGETS,
    VOLUME_METRICS,
    Contrast,
    Findings,
    SeedResult,
)
from cardioseg.workflows.study.budget import History
from cardioseg.workflows.study.config import Study
from cardioseg.workflows.study.inflation import Inflation, SameSlices
from cardioseg.workflows.study.measure import slices_apart
from cardioseg.workflows.study.runs import Cost
from cardioseg.workflows.study.verdict import RULE

_POOLED = """\
The slides' form: each native slice by itself, all slices of all test patients (and seeds) pooled,
so that every slice weighs the same; the mean is over all classes. A structure that neither
reference nor prediction has in a slice is undefined there and left out. **Never compare these
with the figures per volume.**"""

_PER_VOLUME = """\
Frames and seeds of a patient are averaged first, then patients. A missed or spurious structure
counts with Dice 0 and the grid's diagonal as its distance. A patient's cases are its frames, once
for each seed. The mean of the first two tables is over all classes, background included."""

_REGIONS = """\
Base, mid and apex are thirds of the slices that the reference labels. `unknown` are all other
slices, and how many patients have some: Dice is 0 where the network labels something there, and
undefined and left out where it does not. (Where a reference tells no base from an apex, all of its
slices are `unknown`.)"""

_BUDGETS = """\
*Equal epochs*: every network is trained for all epochs, and the epoch that validated best is
measured. *Equal minutes*: of two networks with one seed, the slower is measured as it stood (best
validated so far) when the faster one had finished all its epochs, by the CPU time of the process:
time on the clock would depend on what else the machine did. Validation counts as training time."""


@dataclass(frozen=True, eq=False)
class StudyResults:
    """What a document is made of."""

    study: Study
    configs: Mapping[str, TrainConfig]
    costs: Mapping[str, Cost]
    findings: Findings
    contrasts: tuple[Contrast, ...]
    inflations: tuple[Inflation, ...]
    same_slices: tuple[SameSlices, ...] = ()
    pictures: tuple[str, ...] = ()


def study_document(results: StudyResults) -> str:
    """Markdown of the whole study."""
    study = results.study
    done, planned = len(results.findings.seeds()), len(study.seeds)
    sections = [f"# {study.name}", study.question.strip(), f"**Scope.** {study.scope.strip()}"]
    if not study.scope:
        sections.pop()
    if done < planned:
        sections.append(f"**Unfinished: {done} of {planned} seeds.** These figures will change.")
    sections += ["## Verdict", _verdicts(results), RULE]
    if planned < 3:
        sections.append(f"Seeds: {planned}. A claim needs at least three.")
    sections += ["## The networks and their cost", _cost_table(results), _BUDGETS]
    for contrast in results.contrasts:
        sections += _contrast_sections(study, contrast)
    if results.inflations:
        sections += _inflation_sections(study, results.inflations)
    if results.same_slices:
        sections += _same_slices_sections(study, results.same_slices)
    if results.pictures:
        sections += ["## Pictures", *(f"![{name}]({name})" for name in results.pictures)]
    return "\n\n".join(section for section in sections if section) + "\n"


def sentences(results: StudyResults) -> tuple[str, ...]:
    """The verdict of each contrast, budget and level, each as one sentence."""
    study, found = results.study, []
    known = {(each.candidate, each.baseline, each.budget): each for each in results.contrasts}
    for pair in study.pairs:
        names = study.title_of(pair[0]), study.title_of(pair[1])
        data = study.data_of(pair[0])
        leaks = data.by_slices and not data.unseen
        note = " Patients of its test were in training: too good." if leaks else ""
        for budget in BUDGETS:
            contrast = known.get((*pair, budget))
            if contrast is None:
                found.append(
                    f"At {budget}: no verdict on {names[0]} and {names[1]}: one of them had no "
                    "validated epoch in that time."
                )
                continue
            found += [f"At {budget}: {v.sentence(*names)}{note}" for v in contrast.verdicts]
    return tuple(found)


def _verdicts(results: StudyResults) -> str:
    found = sentences(results)
    return "\n".join(f"- {each}" for each in found) or "None: the study has one arm."


def _cost_table(results: StudyResults) -> str:
    header = ["network", "convolution", "parameters", "GMAC a slice", "epochs", "seconds an epoch"]
    body = []
    for arm, config in results.configs.items():
        cost = results.costs[arm]
        runs = [results.findings.histories[arm, seed] for seed in results.findings.seeds()]
        cells = [results.study.title_of(arm), config.plan.network.convolution]
        cells += [f"{cost.parameters:,}", f"{cost.multiplications / 1e9:.2f}", str(config.epochs)]
        cells += [_an_epoch(runs, "seconds"), _an_epoch(runs, "cpu_seconds")]
        body.append(cells)
    return markdown_table([*header, "CPU seconds an epoch"], body, texts=2)


def _an_epoch(runs: Sequence[History], key: str) -> str:
    values = [record[key] for history in runs for record in history]
    return f"{fmean(values):.1f}" if values else ""


def _contrast_sections(study: Study, contrast: Contrast) -> list[str]:
    names = study.title_of(contrast.candidate), study.title_of(contrast.baseline)
    sections = [f"## {names[0]} against {names[1]}, {contrast.budget}"]
    if len(contrast.seeds) < len(study.seeds):
        sections += [
            f"{len(contrast.seeds)} of {len(study.seeds)} seeds: in the others a network has not "
            "been trained yet, or had no validated epoch in that time."
        ]
    titled = list(zip(names, contrast.reports, strict=True))[::-1]  # the baseline first, as printed
    if any(row.level == "slice" for row in contrast.reports[0].rows):
        sections += ["### In the slides' form, per slice", _POOLED]
        sections += [_titled_classes(titled, "slice", pooled=True)]
    for level, comparisons in contrast.comparisons.items():
        sections += [f"### Paired by patient, per {level}"]
        if level == "volume":
            sections += [_PER_VOLUME, _titled_classes(titled, level, pooled=False)]
            sections += [f"{name}:\n\n{_intervals(report)}" for name, report in titled]
        sections += [comparison_table(comparisons, *names)]
    sections += ["### By seed", _seed_table(names, contrast.seeds)]
    if any(row.region for row in contrast.reports[0].rows):
        sections += ["### By base, mid and apex: Dice per slice, patients first", _REGIONS]
        sections += [
            f"{name}:\n\n{breakdown_table(report.rows, 'dice', 'region', 'slice')}"
            for name, report in titled
        ]
    return sections


def _titled_classes(titled: Sequence[tuple[str, Report]], level: Level, *, pooled: bool) -> str:
    tables = []
    for name, report in titled:
        rows = slices_apart(report).rows if pooled else report.rows
        tables.append(f"{name}:\n\n{class_table(rows, level)}")
    return "\n\n".join(tables)


def _intervals(report: Report) -> str:
    rows = [r for r in report.rows if r.level == "volume" and r.metric in VOLUME_METRICS]
    return summary_table(summarise(rows, np.random.default_rng(0)), "volume")


def _seed_table(names: tuple[str, str], seeds: Sequence[SeedResult]) -> str:
    """Dice of each seed, and mean and standard deviation of their differences."""
    header = ["seed"]
    for name in names:
        header += [f"{name}: epoch", "of", "CPU min"]
    levels = tuple(seeds[0].dice)
    header += [f"{what}, per {level}" for level in levels for what in (*names, "difference")]
    body = []
    for each in seeds:
        cells = [str(each.seed)]
        for where in (each.candidate, each.baseline):
            cells += [str(where.epoch), str(where.trained), f"{where.cpu_seconds / 60:.1f}"]
        for level in levels:
            cells += [*(number(value) for value in each.dice[level]), number(_gap(each, level))]
        body.append(cells)
    table = markdown_table(header, body)
    return "\n\n".join([table, *(_spread(seeds, level) for level in levels)])


def _gap(seed: SeedResult, level: Level) -> float | None:
    candidate, baseline = seed.dice[level]
    return None if candidate is None or baseline is None else candidate - baseline


def _spread(seeds: Sequence[SeedResult], level: Level) -> str:
    gaps = [gap for seed in seeds if (gap := _gap(seed, level)) is not None]
    if len(gaps) < 2:
        return f"Difference over seeds, per {level}: one seed, no spread."
    return (
        f"Difference over {len(gaps)} seeds, per {level}: mean {fmean(gaps):+.4f}, standard "
        f"deviation {stdev(gaps):.4f}, from {min(gaps):+.4f} to {max(gaps):+.4f}."
    )


def _inflation_sections(study: Study, found: Sequence[Inflation]) -> list[str]:
    header = ["network", "own test", "patients", "unseen", "patients", "inflation", "95 % interval"]
    body = []
    for each in found:
        counts = str(each.test_patients), str(each.unseen_patients)
        cells = [study.title_of(each.arm), number(each.test), counts[0]]
        cells += [
            number(each.unseen),
            counts[1],
            f"{each.test - each.unseen:+.3f}",
            _ends(each.interval),
        ]
        body.append(cells)
    words = (
        "Mean Dice per slice, patients first, at equal epochs: on the test that each split holds "
        "out itself, and on patients that are in no part of either. Their difference is what the "
        "split adds to the figure, and how much easier its test patients are: the row of the split "
        "by patients shows the latter alone."
    )
    return ["## How much the split inflates Dice", words, markdown_table(header, body)]


def _same_slices_sections(study: Study, found: Sequence[SameSlices]) -> list[str]:
    words = (
        "Mean Dice per slice, patients first, at equal epochs, of both networks on the very same "
        "slices: those that both splits hold out, and those of patients in no part of either. For "
        "the first, the network of the split by slices was trained on their neighbours, the other "
        "on nothing of these patients; for the second, neither was. The difference of the "
        "differences is what the neighbours are worth."
    )
    sections = ["## How much on the same slices", words]
    for each in found:
        names = [study.title_of(arm) for arm in (each.candidate, each.baseline)]
        body = []
        for where, part in (("held out by both", each.held_out), ("unseen", each.unseen)):
            means = [number(part.candidate), number(part.baseline)]
            gap = f"{part.candidate - part.baseline:+.3f}"
            body.append([where, str(part.patients), *means, gap, ""])
        body.append(["inflation", "", "", "", f"{each.inflation:+.3f}", _ends(each.interval)])
        header = ["slices", "patients", *names, "difference", "95 % interval"]
        sections.append(markdown_table(header, body))
    return sections


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.low:+.3f} to {interval.high:+.3f}"
