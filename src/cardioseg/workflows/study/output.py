"""A study's files: study.json, study.md and the tables as CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, astuple, fields
from pathlib import Path
from statistics import fmean

import numpy as np

from cardioseg.evaluation import Comparison
from cardioseg.evaluation.rows import LEVELS
from cardioseg.evaluation.summary import summarise
from cardioseg.io.atomic import make_folder, write_text
from cardioseg.workflows.provenance import Json
from cardioseg.workflows.study.analysis import Contrast
from cardioseg.workflows.study.document import StudyResults, study_document

STUDY_JSON, STUDY_MD, TABLES = "study.json", "study.md", "tables"
FORMAT_VERSION = 1


def write_tables(results: StudyResults, output: Path) -> None:
    """Write study.json, study.md and the tables of every contrast."""
    for contrast in results.contrasts:
        folder = output / TABLES / contrast_name(contrast)
        make_folder(folder)
        for arm, report in zip(
            (contrast.candidate, contrast.baseline), contrast.reports, strict=True
        ):
            for level in LEVELS:
                if any(row.level == level for row in report.rows):
                    write_text(folder / f"{arm}-{level}s.csv", report.to_csv(level))
        write_text(folder / "comparisons.csv", _comparisons_csv(contrast))
    write_text(output / STUDY_JSON, json.dumps(study_json(results), indent=1) + "\n")
    write_text(output / STUDY_MD, study_document(results))


def contrast_name(contrast: Contrast) -> str:
    """Name of a contrast's files."""
    budget = contrast.budget.replace(" ", "-")
    return f"{contrast.candidate}-against-{contrast.baseline}-{budget}"


def study_json(results: StudyResults) -> dict[str, Json]:
    """All figures of a study."""
    study = results.study
    arms: dict[str, Json] = {}
    for arm, config in results.configs.items():
        runs = {seed: results.findings.histories[arm, seed] for seed in results.findings.seeds()}
        records = [record for history in runs.values() for record in history]
        arms[arm] = {
            "title": study.title_of(arm),
            "convolution": config.plan.network.convolution,
            **asdict(results.costs[arm]),
            "epochs": config.epochs,
            "seconds_an_epoch": fmean(r["seconds"] for r in records),
            "cpu_seconds_an_epoch": fmean(r["cpu_seconds"] for r in records),
            "history": {str(seed): [dict(r) for r in history] for seed, history in runs.items()},
        }
    return {
        "format_version": FORMAT_VERSION,
        "name": study.name,
        "question": study.question.strip(),
        "scope": study.scope.strip(),
        "margin": study.margin,
        "seeds_planned": list(study.seeds),
        "seeds_done": list(results.findings.seeds()),
        "arms": arms,
        "contrasts": [_contrast_json(contrast) for contrast in results.contrasts],
        "inflation": [asdict(each) for each in results.inflations],
        "same_slices": [
            {**asdict(each), "inflation": each.inflation} for each in results.same_slices
        ],
    }


def _contrast_json(contrast: Contrast) -> Json:
    names = (contrast.candidate, contrast.baseline)
    return {
        "candidate": contrast.candidate,
        "baseline": contrast.baseline,
        "budget": contrast.budget,
        "verdicts": [
            {**asdict(verdict), "sentence": verdict.sentence(*names)}
            for verdict in contrast.verdicts
        ],
        "seeds": [asdict(seed) for seed in contrast.seeds],
        "comparisons": {
            level: [asdict(each) for each in found] for level, found in contrast.comparisons.items()
        },
        "summaries": {
            arm: [asdict(each) for each in summarise(report.rows, np.random.default_rng(0))]
            for arm, report in zip(names, contrast.reports, strict=True)
        },
    }


def _comparisons_csv(contrast: Contrast) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [f.name for f in fields(Comparison) if f.name != "interval"]
    writer.writerow(["level", *names, "low", "high"])
    for level, found in contrast.comparisons.items():
        for each in found:
            ends = astuple(each.interval) if each.interval else ("", "")
            writer.writerow([level, *(getattr(each, name) for name in names), *ends])
    return buffer.getvalue()
