"""What the arms reached, side by side: a record and two Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean

import numpy as np

from cardioseg.evaluation import Report, Summary, combine, compare
from cardioseg.evaluation.summary import MEAN_OF_STRUCTURES
from cardioseg.evaluation.tables import markdown_table, number

SHOWN = ("dice", "hd95_mm")


@dataclass(frozen=True, eq=False)
class Arm:
    """One method with one way to predict.

    Parameters
    ----------
    name
        As the tables call it.
    parameters
        Weights of the network.
    reports
        Report of each seed, by seed.
    training
        Facts of each seed's training: `training_cpu_seconds`, `training_seconds` (wall).
    predicting
        Facts of each seed's prediction: `process_seconds`, `volumes`, `network_seconds_a_volume`.
    """

    name: str
    parameters: int
    reports: Mapping[int, Report]
    training: Sequence[Mapping[str, float]]
    predicting: Sequence[Mapping[str, float]]

    @property
    def pooled(self) -> Report:
        """All seeds in one report: a patient's value is the mean over its frames and the seeds."""
        return combine(
            Report(tuple(replace(row, case=f"{row.case}, seed {seed}") for row in report.rows))
            for seed, report in sorted(self.reports.items())
        )


def record(arms: Sequence[Arm], alike: Sequence[tuple[Arm, Arm]] = ()) -> dict[str, object]:
    """The results as JSON takes them: each arm, and the first arm minus each other.

    `alike` are further pairs to subtract: methods that predict in the same way.
    """
    return {
        "arms": [_arm_record(arm) for arm in arms],
        "differences": [
            {"first": first.name, "second": second.name, **difference}
            for first, second in (*((arms[0], arm) for arm in arms[1:]), *alike)
            for difference in _differences(first, second)
        ],
    }


def markdown(results: Mapping[str, object], minutes: float) -> str:
    """Both tables of a record."""
    arms, differences = results["arms"], results["differences"]
    structures = [name for name in arms[0]["dice"] if name != MEAN_OF_STRUCTURES]
    header = ["method", "parameters", *(f"Dice, {name}" for name in structures), "mean Dice"]
    header += ["95 % interval", "HD95 mean (mm)", "HD95 median (mm)", "missed + spurious"]
    header += ["training (CPU min)", "on the clock (min)", "s a volume", "of it network"]
    body = [_arm_cells(arm, structures, minutes) for arm in arms]
    second = ["method", "against", "metric", "first", "second", "difference", "95 % interval", "p"]
    rows = [
        [
            d["first"],
            d["second"],
            d["metric"],
            *(number(d[key], d["metric"]) for key in ("mean_first", "mean_second", "difference")),
            _interval(d["interval"], d["metric"]),
            f"{d['p_value']:.2g}",
        ]
        for d in differences
    ]
    seeds = ", ".join(str(seed) for seed in arms[0]["seeds"])
    return (
        f"{minutes:g} CPU minutes of training each; seeds {seeds}; "
        f"{arms[0]['patients']} patients, per volume.\n\n"
        f"{markdown_table(header, body)}\n\n"
        "One method minus another, mean of the structures, paired by patient "
        "(bootstrap over patients; Wilcoxon, not adjusted):\n\n"
        f"{markdown_table(second, rows, texts=3)}\n"
    )


def _arm_record(arm: Arm) -> dict[str, object]:
    pooled = arm.pooled
    found = {(s.metric, s.structure): s for s in pooled.summaries() if s.level == "volume"}
    dice = {
        structure: found["dice", structure].mean
        for structure in (*pooled.structures, MEAN_OF_STRUCTURES)
    }
    distance, overlap = (found[metric, MEAN_OF_STRUCTURES] for metric in ("hd95_mm", "dice"))
    return {
        "name": arm.name,
        "seeds": sorted(arm.reports),
        "patients": len(pooled.subjects),
        "parameters": arm.parameters,
        "dice": dice,
        "dice_interval": [overlap.low, overlap.high],
        "dice_by_seed": {seed: report.mean("dice") for seed, report in arm.reports.items()},
        "hd95_mm": {"mean": distance.mean, "median": distance.median},
        "missed": _count(overlap, "missed"),
        "spurious": _count(overlap, "spurious"),
        "training_cpu_minutes": fmean(each["training_cpu_seconds"] for each in arm.training) / 60,
        "training_minutes": fmean(each["training_seconds"] for each in arm.training) / 60,
        "seconds_a_volume": fmean(
            each["process_seconds"] / each["volumes"] for each in arm.predicting
        ),
        "network_seconds_a_volume": fmean(
            each["network_seconds_a_volume"] for each in arm.predicting
        ),
    }


def _count(summary: Summary, name: str) -> int:
    return int(asdict(summary)[name])


def _differences(first: Arm, second: Arm) -> list[dict[str, object]]:
    compared = compare(first.pooled, second.pooled, np.random.default_rng(0), SHOWN)
    return [
        {
            "metric": c.metric,
            "mean_first": c.mean_a,
            "mean_second": c.mean_b,
            "difference": c.mean_a - c.mean_b,
            "interval": [c.interval.low, c.interval.high] if c.interval else None,
            "p_value": c.p_value,
            "patients": c.subjects,
        }
        for c in compared
        if c.structure == MEAN_OF_STRUCTURES
    ]


def _arm_cells(arm: Mapping[str, object], structures: Sequence[str], budget: float) -> list[str]:
    spent = arm["training_cpu_minutes"]
    return [
        arm["name"],
        f"{arm['parameters']:,}",
        *(number(arm["dice"][name]) for name in (*structures, MEAN_OF_STRUCTURES)),
        _interval(arm["dice_interval"], "dice"),
        number(arm["hd95_mm"]["mean"], "hd95_mm"),
        number(arm["hd95_mm"]["median"], "hd95_mm"),
        f"{arm['missed']} + {arm['spurious']}",
        f"{spent:.1f} (over)" if spent > budget else f"{spent:.1f}",
        f"{arm['training_minutes']:.1f}",
        f"{arm['seconds_a_volume']:.2f}",
        f"{arm['network_seconds_a_volume']:.2f}",
    ]


def _interval(ends: Sequence[float | None] | None, metric: str) -> str:
    if not ends or None in ends:
        return ""
    return " to ".join(number(end, metric) for end in ends)
