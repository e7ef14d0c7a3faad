"""U-Net 2's depthwise convolution, forward and backward, by every way that could do it.

    python -m benchmarks.speed.depthwise --json docs/results/speed/depthwise.json

At each level a convolution of as many channels as the level is wide. The ways take turns; freed
memory is kept for all of them. GB/s are the least bytes (forward: the input read, the output
written; backward: the input and the slope read, the input's gradient written) by the median time,
beside the GB/s of a copy, measured before. What is compiled is so before the turns that count.
Types that the file has already and that are not asked for stay in it; `runs` tells the command of
each.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from benchmarks.speed.contender import pin
from benchmarks.speed.machine import describe
from benchmarks.speed.pace import Spread, ratios, take_turns
from benchmarks.speed.record import facts, kept
from benchmarks.speed.results import Results
from benchmarks.speed.targets import NOT_MEASURED
from torch import Tensor
from torch.nn import functional

from cardioseg.evaluation.tables import markdown_table
from cardioseg.io.atomic import write_text
from cardioseg.prepare.plan import NetworkPlan
from cardioseg.training.allocator import keep_freed_memory
from cardioseg.training.native.functions import depthwise

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
TENSORS = {"forward": 2, "backward": 3}
"""How many tensors of the input's size are read or written, at least."""
OURS = "ours"
Function = Callable[[Tensor, Tensor], Tensor]


def library(images: Tensor, weight: Tensor) -> Tensor:
    """PyTorch's own depthwise convolution of (N, C, H, W) by (C, 1, 3, 3)."""
    taps = weight.to(images.dtype)
    return functional.conv2d(images, taps, padding=1, groups=len(weight))


def shifted(images: Tensor, weight: Tensor) -> Tensor:
    """The same as nine shifted images, each multiplied by its tap and added."""
    height, width = images.shape[-2:]
    padded = functional.pad(images, (1, 1, 1, 1))
    taps = weight.to(images.dtype).reshape(1, -1, 9, 1, 1).unbind(2)
    windows = [
        padded[:, :, row : row + height, column : column + width]
        for row in range(3)
        for column in range(3)
    ]
    answer = windows[0] * taps[0]
    for window, tap in zip(windows[1:], taps[1:], strict=True):
        answer = torch.addcmul(answer, window, tap)
    return answer


@dataclass(frozen=True)
class Way:
    """A function, the layout that it is given, and whether `torch.compile` compiles it."""

    function: Function
    layout: torch.memory_format
    compiled: bool = False

    def ready(self) -> Function:
        """What is called; nothing is left of what was compiled for other sizes."""
        if not self.compiled:
            return self.function
        torch.compiler.reset()
        made: Function = torch.compile(self.function, dynamic=False)
        return made


WAYS = {
    "PyTorch": Way(library, torch.contiguous_format),
    "PyTorch channels_last": Way(library, torch.channels_last),
    "PyTorch channels_last, torch.compile": Way(library, torch.channels_last, compiled=True),
    "shifted multiply-adds": Way(shifted, torch.channels_last),
    "shifted, torch.compile": Way(shifted, torch.contiguous_format, compiled=True),
    "shifted channels_last, torch.compile": Way(shifted, torch.channels_last, compiled=True),
    OURS: Way(depthwise, torch.channels_last),
}
"""By the name that the table has."""


class Passes:
    """One way on one input: its forward pass, then its backward pass, each in seconds."""

    def __init__(self, way: Way, images: Tensor, weight: Tensor) -> None:
        self._function = way.ready()
        self._images = images.detach().clone(memory_format=way.layout).requires_grad_()
        self._weight = weight.detach().clone().requires_grad_()
        self._slope = torch.rand_like(self._images, requires_grad=False)
        self._answer: Tensor | None = None

    def forward(self) -> float:
        """Run forward, as in training: the way back is kept."""
        started = time.perf_counter()
        self._answer = self._function(self._images, self._weight)
        return time.perf_counter() - started

    def backward(self) -> float:
        """Run the last forward pass back, to the input and to the weight."""
        answer, self._answer = self._answer, None
        started = time.perf_counter()
        torch.autograd.grad(answer, (self._images, self._weight), self._slope)
        return time.perf_counter() - started


def levels(side: int) -> tuple[tuple[int, int], ...]:
    """Channels and pixels of a side at each level of U-Net 2."""
    return tuple((width, side >> level) for level, width in enumerate(NetworkPlan().widths))


def measured(
    kind: str, shape: tuple[int, int, int, int], rounds: int, copy_gb_per_s: float
) -> dict[str, object]:
    """Every way on one input (N, C, H, W) of a type of :data:`TYPES`."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(shape, generator=generator).to(TYPES[kind])
    weight = torch.rand((shape[1], 1, 3, 3), generator=generator)
    passes = {name: Passes(way, images, weight) for name, way in WAYS.items()}
    turns: dict[str, Callable[[], float]] = {}
    for name, each in passes.items():
        turns |= {f"{name}/forward": each.forward, f"{name}/backward": each.backward}
    seconds = take_turns(turns, rounds, warm_up=2)
    megabytes = images.numel() * images.element_size() / 1e6
    found: dict[str, dict[str, object]] = {name: {} for name in WAYS}
    for name in WAYS:
        for direction, tensors in TENSORS.items():
            taken, ours = seconds[f"{name}/{direction}"], seconds[f"{OURS}/{direction}"]
            spread = Spread.of([1e3 * each for each in taken])
            width = tensors * megabytes / spread.median
            found[name][direction] = {
                "ms": spread.as_json(3),
                "gb_per_s": round(width, 2),
                "of_copy": round(width / copy_gb_per_s, 3),
                "times_as_long_as_ours": ratios(taken, ours).as_json(2),
            }
    return {
        "type": kind,
        "shape": list(shape),
        "megabytes": round(megabytes, 2),
        "copy_gb_per_s": copy_gb_per_s,
        "ways": found,
    }


def depthwise_table(results: Results) -> str:
    """Each way over all levels: milliseconds, and GB/s as a share of a copy's."""
    found = results.found("depthwise")
    if not found:
        return NOT_MEASURED
    columns = [(kind, direction) for kind in TYPES for direction in TENSORS]
    header = ["ms (share of a copy's GB/s)", *(" ".join(column) for column in columns)]
    rows = [[name, *(_over_levels(found, name, *column) for column in columns)] for name in WAYS]
    return markdown_table(header, rows)


def levels_table(results: Results) -> str:
    """Our kernel at each level: GB/s as a share of a copy's, and the fastest other way's."""
    found = results.found("depthwise")
    if not found:
        return NOT_MEASURED
    columns = [(kind, direction) for kind in TYPES for direction in TENSORS]
    shapes = list(dict.fromkeys(tuple(each["shape"]) for each in found["levels"]))
    rows = []
    for shape in shapes:
        row = [f"{shape[1]} x {shape[2]} x {shape[3]}"]
        for kind, direction in columns:
            here = [e for e in _of_type(found, kind) if tuple(e["shape"]) == shape]
            row.append(_ours_and_next(here[0]["ways"], direction) if here else "-")
        rows.append(row)
    header = ["level; share of a copy's GB/s", *(" ".join(column) for column in columns)]
    return markdown_table(header, rows)


def _over_levels(found: Mapping, name: str, kind: str, direction: str) -> str:
    here = _of_type(found, kind)
    if not here:
        return "-"
    ms = sum(each["ways"][name][direction]["ms"]["median"] for each in here)
    copied = sum(each["megabytes"] / each["copy_gb_per_s"] for each in here)
    return f"{ms:.1f} ({TENSORS[direction] * copied / ms:.2f})"


def _ours_and_next(ways: Mapping[str, Mapping], direction: str) -> str:
    shares = {name: each[direction]["of_copy"] for name, each in ways.items()}
    ours = shares.pop(OURS)
    return f"{ours:.2f} (others {max(shares.values()):.2f})"


def _of_type(found: Mapping, kind: str) -> Sequence[Mapping]:
    return [each for each in found["levels"] if each["type"] == kind]


def main() -> None:
    """Every level in each type, then the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--types", nargs="+", choices=TYPES, default=list(TYPES))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--side", type=int, default=256, help="pixels of the first level")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    pin(options.threads)
    keep_freed_memory()
    told = facts(sys.argv[1:], options.threads)
    machine = describe(options.threads)
    found = kept(options.json)
    found["runs"] = {**found.get("runs", {}), **dict.fromkeys(options.types, told)}
    found["levels"] = [
        each for each in found.get("levels", ()) if each["type"] not in options.types
    ]
    for kind in options.types:
        for channels, side in levels(options.side):
            shape = (options.batch, channels, side, side)
            each = measured(kind, shape, options.rounds, float(machine["copy_gb_per_s"]))
            found["levels"].append(each)
            print(json.dumps(each), file=sys.stderr, flush=True)
            write_text(options.json, json.dumps({**told, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
