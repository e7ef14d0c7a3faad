"""What a training step is spent on, by kind of operation; and what freed memory and layout cost it.

    python -m benchmarks.speed.spent --json docs/results/speed/spent.json

`steps`: PyTorch's profiler over whole steps of both exact networks, by our kernels and by
PyTorch's, in turns, freed memory kept. A pass back counts for the operation that it undoes; what
happens between operations, Python's share included, is `other`. `processes`: seconds and minor page
faults of a step without the profiler, each way a process of its own, in turns; by PyTorch's kernels
in both layouts, with freed memory kept and without. A part that the file has and that is not asked
for stays in it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from statistics import median

import torch
from benchmarks.speed.contender import pin
from benchmarks.speed.networks import KINDS
from benchmarks.speed.pace import Spread, ratios, take_turns
from benchmarks.speed.record import facts, kept
from benchmarks.speed.results import Results
from benchmarks.speed.steps import Child, Way, step_of
from benchmarks.speed.targets import NOT_MEASURED
from torch.profiler import ProfilerActivity, profile

from cardioseg.evaluation.tables import markdown_table
from cardioseg.io.atomic import write_text
from cardioseg.prepare.plan import NetworkPlan

FUSED = "norm, ReLU, dropout and depthwise in one"
_BACKWARD = "autograd::engine::evaluate_function: "
_NAMES = {
    "aten::conv_transpose2d": "transposed 2 x 2",
    "aten::permute": "transposed 2 x 2",
    "aten::reshape": "transposed 2 x 2",
    "aten::matmul": "transposed 2 x 2",
    "aten::batch_norm": "norm",
    "aten::relu_": "ReLU",
    "aten::feature_dropout": "dropout",
    "aten::bernoulli_": "dropout",
    "aten::div_": "dropout",
    "aten::cat": "concatenation",
    "aten::max_pool2d": "pooling",
    "_Pool": "pooling",
    "_Depthwise": "depthwise 3 x 3",
    "_Norm": FUSED,
    "loss": "loss",
}
"""Kinds of what a step calls; convolutions are told by their weight."""
_ORDER = ("1 x 1", "3 x 3", *dict.fromkeys(_NAMES.values()), "optimiser", "other")


PROFILED = tuple(
    Way(kernels, kind) for kind in ("float32", "bfloat16") for kernels in ("ours", "PyTorch")
)
APART = tuple(
    Way(kernels, "float32", layout, kept)
    for kernels, layout in (
        ("ours", "channels_last"),
        ("PyTorch", "channels_last"),
        ("PyTorch", "NCHW"),
    )
    for kept in (True, False)
)


def by_kind(step: Callable[[], None]) -> dict[str, float]:
    """Milliseconds of one step by kind of operation, as the profiler tells them."""
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as told:
        step()
    events = sorted((e for e in told.events() if not e.is_async), key=lambda e: e.time_range.start)
    undone = {
        event.sequence_nr: _kind(event, {})
        for event in events
        if event.sequence_nr >= 0 and not _is_backward(event)
    }
    spent: dict[str, float] = defaultdict(float)
    for event in events:
        spent[_kind(event, undone)] += event.self_cpu_time_total / 1e3
    return dict(spent)


def _kind(event, undone: Mapping[int, str]) -> str:
    """Kind of the outermost operation around an event that has one."""
    found = "other"
    while event is not None:
        if event.name.startswith(_BACKWARD):
            return undone.get(event.sequence_nr, "other")
        found = _own_kind(event) or found
        event = event.cpu_parent
    return found


def _own_kind(event) -> str | None:
    if event.name.startswith("Optimizer."):
        return "optimiser"
    if event.name != "aten::conv2d":
        return _NAMES.get(event.name)
    images, weight = event.input_shapes[:2]
    depthwise = weight[1] == 1 and weight[2] > 1 and images[1] == weight[0]
    return ("depthwise " if depthwise else "") + f"{weight[2]} x {weight[3]}"


def _is_backward(event) -> bool:
    while event is not None:
        if event.name.startswith(_BACKWARD):
            return True
        event = event.cpu_parent
    return False


def steps(options: argparse.Namespace) -> list[dict[str, object]]:
    """Both networks, every way of :data:`PROFILED` in turns."""
    found = []
    for network in options.networks:
        sizes = (options.batch, options.side)
        ready = {way: step_of(_plan(network), way, *sizes) for way in PROFILED}
        spent: dict[Way, list[dict[str, float]]] = {way: [] for way in PROFILED}
        for number in range(options.rounds + 1):
            for way, step in ready.items():
                told = by_kind(step)
                if number:  # the first round warms up
                    spent[way].append(told)
        for way, rounds in spent.items():
            kinds = {kind: [each.get(kind, 0.0) for each in rounds] for kind in _ORDER}
            found.append(
                {
                    "network": network,
                    **asdict(way),
                    "step_ms": Spread.of([sum(each.values()) for each in rounds]).as_json(1),
                    "ms": {kind: round(median(ms), 2) for kind, ms in kinds.items() if any(ms)},
                }
            )
            print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    return found


def processes(options: argparse.Namespace) -> list[dict[str, object]]:
    """Both networks, every way of :data:`APART` in turns."""
    found = []
    for network in options.networks:
        sizes = (options.batch, options.side, options.threads)
        with ExitStack() as running:
            ways = {
                way.told: running.enter_context(Child(_plan(network), way, *sizes)) for way in APART
            }
            seconds = take_turns(ways, options.rounds, warm_up=2)
        for way in APART:
            taken, faults = seconds[way.told], ways[way.told].faults[-options.rounds :]
            found.append(
                {
                    "network": network,
                    **asdict(way),
                    "seconds": Spread.of(taken).as_json(3),
                    "page_faults": Spread.of(faults).as_json(0),
                    "times_as_long_as": {
                        other: ratios(taken, each).as_json(2) for other, each in seconds.items()
                    },
                }
            )
            print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    return found


def spent_table(results: Results) -> str:
    """Milliseconds of a step by kind of operation, and their share of the step."""
    rows = (results.found("spent") or {}).get("steps")
    if not rows:
        return NOT_MEASURED
    header = ["ms a step (%)", *(f"{e['network']}, {e['kernels']}, {e['type']}" for e in rows)]
    totals = [sum(each["ms"].values()) for each in rows]
    kinds = [kind for kind in _ORDER if any(kind in each["ms"] for each in rows)]
    lines = [[kind, *map(_ms_and_share, _of(rows, kind), totals)] for kind in kinds]
    return markdown_table(header, [*lines, ["all", *(f"{total:.0f}" for total in totals)]])


def faults_table(results: Results) -> str:
    """Seconds and page faults of a step, with freed memory kept and without."""
    rows = (results.found("spent") or {}).get("processes")
    if not rows:
        return NOT_MEASURED
    header = ["network, kernels, layout", "freed memory", "s a step", "page faults a step"]
    lines = [
        [
            f"{each['network']}, {each['kernels']}, {each['layout']}",
            "kept" if each["keeps_memory"] else "given back",
            "{median:.2f} ({min:.2f} to {max:.2f})".format(**each["seconds"]),
            f"{each['page_faults']['median']:,.0f}",
        ]
        for each in rows
    ]
    return markdown_table(header, lines, texts=2)


def _of(rows: Sequence[Mapping], kind: str) -> list[float]:
    return [each["ms"].get(kind, 0.0) for each in rows]


def _ms_and_share(ms: float, total: float) -> str:
    return f"{ms:.0f} ({100 * ms / total:.0f})" if ms else "-"


def _plan(network: str) -> NetworkPlan:
    return NetworkPlan(convolution=KINDS[network], dropout=0.1)


PARTS = {"steps": steps, "processes": processes}


def main() -> None:
    """The parts that are asked for, then the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--networks", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--side", type=int, default=256, help="pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    pin(options.threads)
    torch.set_num_threads(options.threads)
    told = {**facts(sys.argv[1:], options.threads), "batch": options.batch, "side": options.side}
    found = kept(options.json)
    for part in options.only:
        found[part] = PARTS[part](options)
        write_text(options.json, json.dumps({**told, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
