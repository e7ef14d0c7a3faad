"""Tables and a picture of the quality gate's errors; fitted with each patient left out in turn."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import pearsonr, spearmanr

from cardioseg.core.quality import Quality, Verdict
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.inference.quality.assess import REVIEW_BELOW, judge, rule_reasons
from cardioseg.inference.quality.calibration import Calibration, Line, fitted_line
from cardioseg.inference.quality.features import FEATURES, MIRRORS, OVERLAP, WHOLE
from cardioseg.io.atomic import write_text
from cardioseg.model import QUALITY, Model
from degradations import FAULTY

GOOD = REVIEW_BELOW
"""A segmentation is good if every structure's true Dice is at least this."""

FEATURE_SETS = {
    "overlap": (OVERLAP,),
    "whole": (WHOLE,),
    "mirrors": (MIRRORS,),
    "overlap and whole: no pass of the network": (OVERLAP, WHOLE),
    "all three": FEATURES,
}


@dataclass(frozen=True, eq=False)
class Measured:
    """What is known of one sample; `dice` is NaN where it is undefined or there is no heart."""

    id: str
    name: str
    subject: str
    volume: Volume
    labels: LabelMap
    found: int
    features: dict[str, dict[str, float]]
    dice: dict[str, float]
    seconds: tuple[float, float]
    has_heart: bool

    @property
    def worst(self) -> float:
        """Lowest Dice of a structure; 0 where there is no heart."""
        known = [value for value in self.dice.values() if np.isfinite(value)]
        return min(known) if self.has_heart and known else 0.0


@dataclass(frozen=True)
class Judged:
    """A sample and what the gate says of it, expected Dice from the other patients."""

    sample: Measured
    quality: Quality


def write_results(samples: Sequence[Measured], model: Model, folder: Path) -> None:
    """Fit, judge, and write everything."""
    folder.mkdir(parents=True, exist_ok=True)
    structures = list(samples[0].dice)
    expected = {name: left_out(samples, name, FEATURES) for name in structures}
    lines = {}
    for name in structures:
        error = agreement(samples, expected[name], name)["mae"]
        lines[name] = fit(samples, name, FEATURES, error)
    patients = len({s.subject for s in samples if s.subject})
    volumes = sum(s.has_heart for s in samples)
    data = (
        f"{volumes} volumes of {patients} ACDC validation patients, "
        f"{len({s.name for s in samples if s.has_heart}) - 1} kinds of degradation"
    )
    calibration = Calibration(network=model.id, data=data, structures=lines)
    write_text(folder / QUALITY, calibration.to_json())
    judged = [
        Judged(s, verdict(s, {name: expected[name][i] for name in structures}))
        for i, s in enumerate(samples)
    ]
    rules_only = [Judged(s, verdict(s, {})) for s in samples]
    write_text(folder / "samples.csv", _csv(judged, structures))
    summary = _summary(samples, expected, judged, rules_only, structures)
    write_text(folder / "summary.json", json.dumps(summary, indent=2) + "\n")
    write_text(folder / "tables.md", _markdown(samples, expected, judged, rules_only))
    _picture(samples, expected, folder / "quality.png")


def verdict(sample: Measured, expected: dict[str, float]) -> Quality:
    """What the gate says, given the expected Dice; nothing found has none."""
    if not sample.labels.array.any():
        expected = dict.fromkeys(expected, 0.0)
    return judge(rule_reasons(sample.volume, sample.labels, sample.found), expected)


def fit(samples: Sequence[Measured], name: str, features: tuple[str, ...], error: float) -> Line:
    """A line from the samples whose Dice is known."""
    known = [s for s in samples if s.has_heart and np.isfinite(s.dice[name])]
    return fitted_line(
        [s.features[name] for s in known], [s.dice[name] for s in known], error, features
    )


def left_out(samples: Sequence[Measured], name: str, features: tuple[str, ...]) -> np.ndarray:
    """Expected Dice of every sample from lines that saw no sample of its patient."""
    expected = np.zeros(len(samples))
    for subject in {s.subject for s in samples}:
        line = fit([s for s in samples if s.subject != subject], name, features, 0.0)
        for index, sample in enumerate(samples):
            if sample.subject == subject:
                expected[index] = line.expected(sample.features[name])
    return expected


def agreement(samples: Sequence[Measured], expected: np.ndarray, name: str) -> dict[str, float]:
    """Correlations, mean absolute error, and ROC AUC for finding a Dice below 0.8."""
    known = [i for i, s in enumerate(samples) if s.has_heart and np.isfinite(s.dice[name])]
    true = np.array([samples[i].dice[name] for i in known])
    told = expected[known]
    return {
        "volumes": len(known),
        "below_0.8": int((true < GOOD).sum()),
        "pearson": float(pearsonr(told, true)[0]),
        "spearman": float(spearmanr(told, true)[0]),
        "mae": float(np.abs(told - true).mean()),
        "bias": float((told - true).mean()),
        "auc": auc(told, true < GOOD),
    }


def auc(told: np.ndarray, bad: np.ndarray) -> float:
    """Chance that a bad sample is told a lower Dice than a good one; ties count half."""
    low, high = told[bad][:, None], told[~bad][None, :]
    if not low.size or not high.size:
        return float("nan")
    return float(((low < high) + 0.5 * (low == high)).mean())


def quality_class(sample: Measured) -> str:
    """What the sample truly is."""
    if not sample.has_heart:
        return "no short-axis heart"
    if sample.worst >= GOOD:
        return "good, faulty scan" if sample.name in FAULTY else "good"
    known = [value for value in sample.dice.values() if np.isfinite(value)]
    return "useless" if np.mean(known) < 0.5 else "poor"


CLASSES = ("good", "good, faulty scan", "poor", "useless", "no short-axis heart")


def confusion(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Verdicts by what the sample truly is."""
    table = {each: dict.fromkeys((v.value for v in Verdict), 0) for each in CLASSES}
    for each in judged:
        table[quality_class(each.sample)][each.quality.verdict.value] += 1
    return table


def rates(judged: Sequence[Judged]) -> dict[str, float]:
    """False accepts of all that are not good; good ones that a person has to look at."""
    table = confusion(judged)
    bad = [table[each] for each in CLASSES[2:]]
    faulty = table["good, faulty scan"]
    not_good = sum(sum(row.values()) for row in bad)
    good = sum(table["good"].values())
    clean = [e.quality.verdict for e in judged if e.sample.name == "none"]
    fine = [e for e in judged if e.sample.name == "none" and e.sample.worst >= GOOD]
    return {
        "not_good": not_good,
        "false_accepts": sum(row["accept"] for row in bad),
        "false_accept_rate": sum(row["accept"] for row in bad) / max(not_good, 1),
        "faulty_scans": sum(faulty.values()),
        "faulty_scans_accepted": faulty["accept"],
        "good": good,
        "good_not_accepted": good - table["good"]["accept"],
        "clean": len(clean),
        "clean_accepted": sum(v is Verdict.ACCEPT for v in clean),
        "clean_and_good": len(fine),
        "clean_and_good_accepted": sum(e.quality.verdict is Verdict.ACCEPT for e in fine),
    }


def _summary(samples, expected, judged, rules_only, structures):
    seconds = np.array([s.seconds for s in samples if np.isfinite(s.seconds[0])])
    return {
        "expected_dice": {n: agreement(samples, expected[n], n) for n in structures},
        "feature_sets": {
            label: {n: agreement(samples, left_out(samples, n, used), n) for n in structures}
            for label, used in FEATURE_SETS.items()
        },
        "confusion": confusion(judged),
        "rates": rates(judged),
        "rates_of_rules_alone": rates(rules_only),
        "median_seconds": {
            "prediction": float(np.median(seconds[:, 0])),
            "features": float(np.median(seconds[:, 1])),
        },
        "median_share_of_time": float(np.median(seconds[:, 1] / seconds[:, 0])),
    }


def _csv(judged: Sequence[Judged], structures: list[str]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    names = [f"{kind} {name}" for name in structures for kind in ("true", "expected")]
    writer.writerow(("sample", "change", "subject", *names, "verdict", "rules"))
    for each in judged:
        cells = []
        for name in structures:
            true = each.sample.dice[name]
            cells.append(f"{true:.4f}" if np.isfinite(true) else "")
            cells.append(f"{each.quality.predicted_dice[name]:.4f}")
        rules = " ".join(dict.fromkeys(reason.rule for reason in each.quality.reasons))
        sample = each.sample
        row = (sample.id, sample.name, sample.subject, *cells, each.quality.verdict.value, rules)
        writer.writerow(row)
    return table.getvalue()


def _markdown(samples, expected, judged, rules_only) -> str:
    parts = [
        _agreement_table(samples, expected),
        _feature_table(samples),
        _confusion_table(confusion(judged)),
        _rate_table(rates(judged), rates(rules_only)),
        _change_table(judged),
    ]
    return "\n\n".join(parts) + "\n"


def _agreement_table(samples, expected) -> str:
    lines = [
        "| structure | volumes | below 0.8 | Pearson | Spearman | mean abs. error | bias | AUC |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, told in expected.items():
        row = agreement(samples, told, name)
        lines.append(
            f"| {name} | {row['volumes']} | {row['below_0.8']} | {row['pearson']:.3f} | "
            f"{row['spearman']:.3f} | {row['mae']:.3f} | {row['bias']:+.3f} | {row['auc']:.3f} |"
        )
    return "\n".join(lines)


def _feature_table(samples) -> str:
    structures = list(samples[0].dice)
    heads = " | ".join(f"{name}: error, AUC" for name in structures)
    lines = [f"| features | {heads} |", "|---|" + "---:|" * len(structures)]
    for label, used in FEATURE_SETS.items():
        rows = [agreement(samples, left_out(samples, name, used), name) for name in structures]
        cells = " | ".join(f"{row['mae']:.3f}, {row['auc']:.3f}" for row in rows)
        lines.append(f"| {label} | {cells} |")
    return "\n".join(lines)


def _confusion_table(table: dict[str, dict[str, int]]) -> str:
    lines = ["| truly | accept | review | reject |", "|---|---:|---:|---:|"]
    for each, row in table.items():
        lines.append(f"| {each} | " + " | ".join(str(row[v.value]) for v in Verdict) + " |")
    return "\n".join(lines)


def _rate_table(whole: dict[str, float], rules: dict[str, float]) -> str:
    lines = ["| | rules and expected Dice | rules alone |", "|---|---:|---:|"]
    told = (
        ("accepted though not good", "false_accepts", "not_good"),
        ("contours good, scan faulty, accepted", "faulty_scans_accepted", "faulty_scans"),
        ("good, but not accepted", "good_not_accepted", "good"),
        ("unchanged scans accepted", "clean_accepted", "clean"),
        ("unchanged scans that are good, accepted", "clean_and_good_accepted", "clean_and_good"),
    )
    for words, part, of in told:
        lines.append(f"| {words} | {whole[part]} of {whole[of]} | {rules[part]} of {rules[of]} |")
    return "\n".join(lines)


def _change_table(judged: Sequence[Judged]) -> str:
    lines = [
        "| change | volumes | true Dice, worst structure | accept | review | reject | rules |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for name in dict.fromkeys(each.sample.name for each in judged):
        group = [each for each in judged if each.sample.name == name]
        verdicts = Counter(each.quality.verdict for each in group)
        rules = Counter(r for each in group for r in {x.rule for x in each.quality.reasons})
        told = ", ".join(f"{rule} {count}" for rule, count in rules.most_common(4))
        worst = [each.sample.worst for each in group]
        dice = f"{np.mean(worst):.2f} ({min(worst):.2f} to {max(worst):.2f})"
        lines.append(
            f"| {name} | {len(group)} | {dice if group[0].sample.has_heart else '-'} | "
            + " | ".join(str(verdicts[v]) for v in Verdict)
            + f" | {told} |"
        )
    return "\n".join(lines)


def _picture(samples: Sequence[Measured], expected: dict[str, np.ndarray], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for axes, (name, told) in zip(figure.subplots(1, len(expected)), expected.items(), strict=True):
        known = [i for i, s in enumerate(samples) if s.has_heart and np.isfinite(s.dice[name])]
        clean = [i for i in known if samples[i].name == "none"]
        worse = [i for i in known if samples[i].name != "none"]
        for group, colour, words in ((worse, "#0072B2", "made worse"), (clean, "#D55E00", "as is")):
            true = [samples[i].dice[name] for i in group]
            axes.scatter(told[group], true, s=12, color=colour, label=words, alpha=0.7)
        axes.plot((0, 1), (0, 1), color="0.6", linewidth=0.8)
        axes.axhline(GOOD, color="0.8", linewidth=0.8)
        axes.axvline(GOOD, color="0.8", linewidth=0.8)
        axes.set(title=name, xlabel="expected Dice", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    figure.axes[0].set_ylabel("true Dice")
    figure.axes[0].legend(frameon=False, loc="upper left", fontsize=8)
    figure.savefig(path, dpi=110)
