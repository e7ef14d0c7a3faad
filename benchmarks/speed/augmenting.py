"""How much of a training step is making its batch, and whether a thread that makes it ahead gains.

    python -m benchmarks.speed.augmenting --json docs/results/speed/augmenting.json

Three ways take turns of some steps each: each batch made between two steps, as `fit` does; and each
made by a thread while the step before it runs, where PyTorch's kernels have as many threads as the
step's, or one. All draw the same random numbers in the same order. Slices are noise, in files that
are mapped into memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from benchmarks.speed.contender import pin
from benchmarks.speed.pace import Spread, ratios, spread_words, take_turns
from benchmarks.speed.record import facts
from benchmarks.speed.results import NOT_MEASURED, Results

from cardioseg.data.slices import SliceEntry, SliceStore
from cardioseg.evaluation.tables import markdown_table
from cardioseg.io.atomic import write_text
from cardioseg.nets.unet import UNet
from cardioseg.training.allocator import keep_freed_memory
from cardioseg.training.batches import MicroBatch, batches
from cardioseg.training.config import TrainConfig, read_config
from cardioseg.training.distributed import ALONE
from cardioseg.training.machine import settled
from cardioseg.training.parallel import Gradients

PRESETS = ("fast", "sax")
IN_TURN, AHEAD, AHEAD_ON_ONE = "in turn", "ahead", "ahead, on one thread"
Batches = Iterator[list[MicroBatch]]


def noise_slices(count: int, config: TrainConfig, folder: Path) -> SliceStore:
    """Slices of noise with labels at random, mapped from files as prepared ones are."""
    rng = np.random.default_rng(0)
    shape = (count, *config.plan.size)
    np.save(folder / "images.npy", rng.random(shape, np.float32).astype(np.float16))
    np.save(
        folder / "labels.npy", rng.integers(0, config.plan.network.classes, shape, dtype=np.uint8)
    )
    images, labels = (np.load(folder / f"{n}.npy", mmap_mode="r") for n in ("images", "labels"))
    middle = (config.plan.size[0] / 2, config.plan.size[1] / 2)
    entries = tuple(SliceEntry("noise", "noise", index, middle) for index in range(count))
    return SliceStore(images, labels, entries, folder)


def ahead(made: Batches, threads: int) -> Batches:
    """The same batches in the same order, each made by a thread while the one before is used.

    PyTorch has so many threads for it; the thread that trains keeps the number it has.
    """
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(threads,)) as thread:
        coming = thread.submit(next, made, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, made, None)
            yield batch


class Training:
    """A network in training, whose turns are so many steps; each turn draws the same batches."""

    def __init__(self, config: TrainConfig, store: SliceStore) -> None:
        torch.manual_seed(0)
        network = UNet(config.plan.network).train()
        network.to(memory_format=torch.channels_last)
        self._optimiser = torch.optim.AdamW(network.parameters(), lr=1e-6, fused=True)
        self._gradients = Gradients(config, network, ALONE)
        self._config, self._store = config, store
        self.network, self.waited_s = network, list[float]()

    def turn(self, way: Callable[[Batches], Batches]) -> float:
        """Seconds of one turn; those of them that waited for a batch are added to `waited_s`."""
        torch.manual_seed(0)
        made = way(batches(self._config, self._store, np.random.default_rng(0), ALONE))
        began, waited = time.perf_counter(), 0.0
        while True:
            asked = time.perf_counter()
            batch = next(made, None)
            waited += time.perf_counter() - asked
            if batch is None:
                break
            self._optimiser.zero_grad(set_to_none=True)
            self._gradients.of(batch)
            self._optimiser.step()
        self.waited_s.append(waited)
        return time.perf_counter() - began


def compared(preset: str, steps: int, rounds: int) -> dict[str, object]:
    """The ways of a preset in turns, and whether they trained the same weights."""
    config = settled(read_config(preset))
    ways: dict[str, Callable[[Batches], Batches]] = {
        IN_TURN: lambda made: made,
        AHEAD: partial(ahead, threads=torch.get_num_threads()),
        AHEAD_ON_ONE: partial(ahead, threads=1),
    }
    with tempfile.TemporaryDirectory() as folder:
        store = noise_slices(steps * config.batch_size, config, Path(folder))
        trainings = {name: Training(config, store) for name in ways}
        runs = {
            name: lambda name=name, way=way: trainings[name].turn(way) for name, way in ways.items()
        }
        seconds = take_turns(runs, rounds)
        first, *others = (each.network.state_dict() for each in trainings.values())
    shares = {
        name: Spread.of(
            [w / s for w, s in zip(each.waited_s[-rounds:], seconds[name], strict=True)]
        )
        for name, each in trainings.items()
    }
    return {
        "preset": preset,
        "patch": config.patch,
        "batch": config.batch_size,
        "precision": config.precision,
        "kernels": config.kernels,
        "steps": steps,
        "step_ms": {
            n: Spread.of([1000 * s / steps for s in each]).as_json(1) for n, each in seconds.items()
        },
        "waiting_share": {name: each.as_json(4) for name, each in shares.items()},
        "times_as_fast": {
            name: ratios(seconds[IN_TURN], seconds[name]).as_json(3)
            for name in (AHEAD, AHEAD_ON_ONE)
        },
        "same_weights": all(
            torch.equal(value, other[name]) for other in others for name, value in first.items()
        ),
    }


def augmenting_table(results: Results) -> str:
    """A step of each preset and way, and the share of it that waits for the batch."""
    found = results.found("augmenting")
    if not found:
        return NOT_MEASURED
    rows = [
        [
            each["preset"],
            name,
            spread_words(Spread(**step), 1),
            f"{100 * each['waiting_share'][name]['median']:.1f} %",
            spread_words(Spread(**each["times_as_fast"][name]), 3) if name != IN_TURN else "1",
        ]
        for each in found
        for name, step in each["step_ms"].items()
    ]
    header = ["preset", "batch made", "ms a step", "of it waiting", "times as fast"]
    return markdown_table(header, rows)


def main() -> None:
    """Every preset, then the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument("--steps", type=int, default=16, help="of a turn")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    known = facts(sys.argv[1:], options.threads)
    pin(options.threads)
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    found = []
    for preset in options.presets:
        found.append(compared(preset, options.steps, options.rounds))
        print(json.dumps(found[-1]), flush=True)
    write_text(options.json, json.dumps({**known, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
