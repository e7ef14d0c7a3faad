"""The tables of docs/performance.md, each made of one part's measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.speed.accuracy import GOALS
from benchmarks.speed.budgets import WAYS, cheapest
from benchmarks.speed.pace import Spread
from benchmarks.speed.results import NAMES, Results, crossing
from benchmarks.speed.targets import LARGEST, NOT_MEASURED, spread_words, targets_table
from benchmarks.speed.window import SAME

from cardioseg.evaluation.tables import markdown_table

_CHEAPEST = "the cheapest training that reaches it, largest piece kept"
PEERS = {
    "ours": "cardioseg",
    "ours, mirrors": "cardioseg, mirrors",
    "nnunet": "nnU-Net 2-D",
    "nnunet, mirrors": "nnU-Net 2-D, mirrors (its default)",
}


def machine_table(results: Results) -> str:
    """What the machine can do, and the least time of both networks on it."""
    found = results.found("roof")
    if not found:
        return NOT_MEASURED
    machine = found["machine"]
    told = (
        f"{machine['processor']}, {machine['threads']} threads: {machine['gemm_gflops']:g} GFLOP/s "
        f"(matrix product of 2048 x 2048, float32), {machine['copy_gb_per_s']:g} GB/s (copy)."
    )
    header = ["network, one image", "GMAC", "MB moved", "least ms", "of it by kind of layer"]
    rows = [
        [
            name,
            f"{each['gmac']:.2f}",
            f"{each['megabytes']:.0f}",
            f"{each['roof_ms']:.1f}",
            ", ".join(f"{kind} {ms:.1f}" for kind, ms in each["roof_ms_by_kind"].items()),
        ]
        for name, each in found["networks"].items()
    ]
    return f"{told}\n\n{markdown_table(header, rows)}"


def duels_table(results: Results, part: str) -> str:
    """Images a second of every contender: median, smallest and largest."""
    duels = results.duels(part)
    if not duels:
        return NOT_MEASURED
    names = list(dict.fromkeys(name for duel in duels for name in duel.images_per_s))
    header = ["images a second", *(f"{duel.network}, batch {duel.batch}" for duel in duels)]
    rows = [
        [
            NAMES.get(name, name),
            *(
                _median_and_ends(duel.images_per_s[name]) if name in duel.images_per_s else "-"
                for duel in duels
            ),
        ]
        for name in names
    ]
    return markdown_table(header, rows)


def process_table(results: Results) -> str:
    """`predict` as a process."""
    found = results.found("process")
    if not found:
        return NOT_MEASURED
    rows = [
        [name, spread_words(Spread(**each["seconds"])), f"{each['peak_mb']['median']:.0f}"]
        for name, each in found["runs"].items()
    ]
    large = found["large"]
    rows.append(["528 x 528 x 200, axial", f"{large['seconds']:.1f}", f"{large['peak_mb']:.0f}"])
    return markdown_table(["one process", "s (min / median / max)", "peak MiB"], rows)


def growth_table(results: Results) -> str:
    """Seconds and memory against the number of volumes."""
    found = results.found("growth")
    if not found:
        return NOT_MEASURED
    rows = [
        [
            str(e["volumes"]),
            f"{e['seconds']:.2f}",
            f"{e['seconds'] / e['volumes']:.2f}",
            f"{e['mb']}",
        ]
        for e in found["volumes"]
    ]
    return markdown_table(["volumes in one process", "s", "s a volume", "peak MiB"], rows)


def budgets_table(results: Results) -> str:
    """What trainings fitted to budgets reached: median over seeds, smallest and largest."""
    rungs = results.found("budgets")
    if not rungs:
        return NOT_MEASURED
    told = ("epochs", "minutes", "cpu_minutes", *WAYS)
    header = ["budget, CPU min", "seeds", "epochs", "min on the clock", "CPU min"]
    header += ["mean Dice", "the same, all components"]
    rows = []
    for budget in sorted({rung["budget_cpu_minutes"] for rung in rungs}):
        of_it = [rung for rung in rungs if rung["budget_cpu_minutes"] == budget]
        spreads = {key: Spread.of([rung[key] for rung in of_it]) for key in told}
        row = [f"{budget:g}", str(len(of_it)), f"{spreads['epochs'].median:g}"]
        row += [_median_and_ends(spreads[key], 1) for key in ("minutes", "cpu_minutes")]
        rows.append([*row, *(_median_and_ends(spreads[key], 3) for key in WAYS)])
    return markdown_table(header, rows)


def window_table(results: Results) -> str:
    """What is read around the located heart, and how like the answers are."""
    found = results.found("window")
    if not found:
        return NOT_MEASURED
    header = ["model", "images", "pixels read", "Dice, mean", "Dice, least"]
    header += [f"images below {SAME}", "identical"]
    rows = [
        [
            name,
            str(each["images"]),
            f"{each['pixels_read']:.2f}",
            f"{each['dice_mean']:.4f}",
            f"{each['dice_min']:.4f}",
            str(each["below"][f"{SAME}"]),
            str(each["identical"]),
        ]
        for name, each in found.items()
    ]
    return markdown_table(header, rows)


def abreast_table(results: Results) -> str:
    """A volume's seconds, one by one and two at a time."""
    found = results.found("abreast")
    if not found:
        return NOT_MEASURED
    rows = [
        [name, *(_median_and_ends(Spread(**figures[key]), 2) for key in ("s", "cpu_s"))]
        for name, figures in found["a volume"].items()
    ]
    return markdown_table(["a volume, or a frame", "s on the clock", "CPU s"], rows)


def accuracy_table(results: Results) -> str:
    """Minutes until each Dice: of our trainings on the clock, of both in CPU time."""
    header = ["training", "clock", *(f"Dice {goal:.2f}" for goal in GOALS)]
    clocks = (("min on the clock", "minutes"), ("CPU min", "cpu_minutes"))
    rungs, curves = results.found("budgets"), results.found("curve") or {}
    rows = []
    if rungs:
        for words, clock in clocks:
            cells = [_cheapest_words(rungs, goal, clock) for goal in GOALS]
            rows.append([f"cardioseg, {_CHEAPEST}", words, *cells])
    for name, run in (results.found("accuracy") or {}).items():
        for words, clock in clocks:
            cells = [_minutes_of(run, goal, clock) for goal in GOALS]
            rows.append([f"cardioseg, {name} of an hour, by its own log", words, *cells])
    if "nnunet" in curves:
        for words, key in (("", "dice"), (", largest piece kept", LARGEST)):
            cells = [_crossing_words(curves["nnunet"], goal, key) for goal in GOALS]
            told = f"{PEERS['nnunet']} of an hour, by its snapshots{words}"
            rows.append([told, "CPU min", *cells])
    return markdown_table(header, rows, texts=2) if rows else NOT_MEASURED


def peers_table(results: Results) -> str:
    """One volume by nnU-Net and by cardioseg: the whole process, and the network alone."""
    found = results.found("peers-predict")
    if not found:
        return NOT_MEASURED
    rows = [
        [
            PEERS[name],
            spread_words(Spread(**each["process_s"])),
            spread_words(Spread(**each["network_s"])),
        ]
        for name, each in found["seconds"].items()
    ]
    return markdown_table(["one volume", "whole process (s)", "network only (s)"], rows)


def _median_and_ends(spread: Spread, digits: int = 2) -> str:
    low, middle, high = (f"{v:.{digits}f}" for v in (spread.min, spread.median, spread.max))
    return middle if low == high else f"{middle} ({low} to {high})"


def _cheapest_words(rungs: Sequence[Mapping[str, float]], goal: float, clock: str) -> str:
    found = cheapest(rungs, goal, clock)
    known = [minutes for minutes in found.values() if minutes is not None]
    if len(known) < len(found):
        return f"{len(known)} of {len(found)} seeds" if known else "not reached"
    return _median_and_ends(Spread.of(known), 1)


def _minutes_of(run: Mapping[str, Mapping | None], goal: float, key: str) -> str:
    reached = run[f"{goal:.2f}"]
    return f"{reached[key]:.1f}" if reached else "not reached"


def _crossing_words(curve: list[Mapping[str, float]], goal: float, key: str) -> str:
    found, last = crossing(curve, goal, "cpu_minutes", key)
    return f"> {last:.0f}" if found is None else f"{found.min:.1f} to {found.max:.1f}"


TABLES: dict[str, Callable[[Results], str]] = {
    "targets": targets_table,
    "machine": machine_table,
    "inference": lambda results: duels_table(results, "inference"),
    "training": lambda results: duels_table(results, "training"),
    "process": process_table,
    "growth": growth_table,
    "window": window_table,
    "abreast": abreast_table,
    "budgets": budgets_table,
    "accuracy": accuracy_table,
    "peers-predict": peers_table,
}
"""By the name that stands in the page's markers."""
