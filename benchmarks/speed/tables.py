"""The tables of docs/performance.md, each made of one part's measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from statistics import median

from benchmarks.speed.accuracy import GOALS, crossing_rows
from benchmarks.speed.augmenting import augmenting_table
from benchmarks.speed.budgets import WAYS, cheapest, reaching
from benchmarks.speed.default_engine import default_engine_table
from benchmarks.speed.depthwise import depthwise_table, levels_table
from benchmarks.speed.engines import engines_table
from benchmarks.speed.int8 import int8_table
from benchmarks.speed.pace import Spread, median_and_ends, spread_words
from benchmarks.speed.results import NOT_MEASURED, Results, name_of
from benchmarks.speed.spent import faults_table, spent_table
from benchmarks.speed.stages import stages_table
from benchmarks.speed.targets import targets_table
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
            name_of(name),
            *(
                median_and_ends(duel.images_per_s[name]) if name in duel.images_per_s else "-"
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
        for name, each in (found["runs"] | found["large"]).items()
    ]
    return markdown_table(["one process", "s (min / median / max)", "peak MiB"], rows)


def load_line(results: Results) -> str:
    """The load of the machine before what was measured, over all files that tell it."""
    loads = sorted(_loads(list(results.parts.values())))
    if not loads:
        return NOT_MEASURED
    told = f"{loads[0]:.1f} to {loads[-1]:.1f}, median {median(loads):.1f}"
    return f"Load before {len(loads)} measurements: {told}."


def _loads(told: object) -> Iterator[float]:
    if isinstance(told, list):
        for each in told:
            yield from _loads(each)
    if isinstance(told, Mapping):
        if isinstance(told.get("load_before"), (int, float)):
            yield told["load_before"]
        yield from _loads(list(told.values()))


def size_table(results: Results) -> str:
    """Seconds and memory of one volume against its slices and their pixels."""
    found = results.found("growth")
    if not found:
        return NOT_MEASURED
    sizes = [(f"192 x 192 x {each['slices']}", each) for each in found["slices"]]
    sizes += [(f"{each['side']} x {each['side']} x 10", each) for each in found["side"]]
    rows = [[told, f"{e['seconds']:.3f}", str(e.get("mb", "-"))] for told, e in sizes]
    return markdown_table(["one volume", "s, program running", "peak MiB of a process"], rows)


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
        row += [median_and_ends(spreads[key], 1) for key in ("minutes", "cpu_minutes")]
        rows.append([*row, *(median_and_ends(spreads[key], 3) for key in WAYS)])
    return markdown_table(header, rows)


def window_table(results: Results) -> str:
    """What is read around the located heart, and how like the answers are."""
    found = results.found("window")
    if not found:
        return NOT_MEASURED
    header = ["model", "images", "pixels read", "Dice, mean", "Dice, least"]
    header += [
        "one structure, least",
        f"images below {SAME}",
        "identical",
        "Dice with the reference, whole slices to windows",
    ]
    rows = [
        [
            name,
            str(each["images"]),
            f"{each['pixels_read']:.2f}",
            f"{each['dice_mean']:.4f}",
            f"{each['dice_min']:.4f}",
            f"{each['structure_min']:.4f} ({each['least_structure'] or 'all'})",
            str(each["below"][f"{SAME}"]),
            str(each["identical"]),
            " to ".join(f"{each['reference_dice'][way]:.4f}" for way in ("whole", "window")),
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
        [name, *(median_and_ends(Spread(**figures[key]), 2) for key in ("s", "cpu_s"))]
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
    rows += crossing_rows(curves)
    return markdown_table(header, rows, texts=2) if rows else NOT_MEASURED


def peers_table(results: Results) -> str:
    """One volume by nnU-Net and by cardioseg: the whole process, and the network alone."""
    found = results.found("peers-predict")
    if not found:
        return NOT_MEASURED
    rows = [
        [
            PEERS[name].replace("cardioseg", f"cardioseg, `{found['model']}`"),
            spread_words(Spread(**each["process_s"])),
            spread_words(Spread(**each["network_s"])),
        ]
        for name, each in found["seconds"].items()
    ]
    return markdown_table(["one volume", "whole process (s)", "network only (s)"], rows)


def _cheapest_words(rungs: Sequence[Mapping[str, float]], goal: float, clock: str) -> str:
    found, seeds = reaching(rungs, goal, clock), cheapest(rungs, goal, clock)
    if found:
        few = f" ({len(found)} of {len(seeds)} seeds trained so long)" * (len(found) < len(seeds))
        return median_and_ends(Spread.of(found), 1) + few
    known = [minutes for minutes in seeds.values() if minutes is not None]
    return f"{len(known)} of {len(seeds)} seeds" if known else "not reached"


def _minutes_of(run: Mapping[str, Mapping | None], goal: float, key: str) -> str:
    reached = run[f"{goal:.2f}"]
    return f"{reached[key]:.1f}" if reached else "not reached"


TABLES: dict[str, Callable[[Results], str]] = {
    "targets": targets_table,
    "load": load_line,
    "machine": machine_table,
    **{part: partial(duels_table, part=part) for part in ("inference", "training", "threads")},
    "process": process_table,
    "stages": stages_table,
    "default-engine": default_engine_table,
    "spent": spent_table,
    "faults": faults_table,
    "depthwise": depthwise_table,
    "depthwise-levels": levels_table,
    "augmenting": augmenting_table,
    "engines": engines_table,
    "int8": int8_table,
    "growth": growth_table,
    "size": size_table,
    "window": window_table,
    "abreast": abreast_table,
    "budgets": budgets_table,
    "accuracy": accuracy_table,
    "peers-predict": peers_table,
}
"""By the name that stands in the page's markers."""
