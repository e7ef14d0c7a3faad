"""What `benchmarks.speed.run` and `benchmarks.peers.curve` wrote into a folder, read back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.pace import Spread

NOT_MEASURED = "not measured"
FLOAT32 = ("onnx", "openvino")
INT8 = ("onnx-int8", "openvino-int8")
NAMES = {
    "onnx": "ONNX Runtime",
    "openvino": "OpenVINO",
    "onnx-int8": "ONNX Runtime int8",
    "openvino-int8": "OpenVINO int8",
    "openvino-two-streams": "OpenVINO, two at a time",
    "torch-nchw": "PyTorch",
    "torch-channels-last": "PyTorch channels_last",
    "ours": "cardioseg float32",
    "ours-bfloat16": "cardioseg bfloat16",
    "ours-eager": "cardioseg float32, PyTorch's kernels",
    "ours-bfloat16-eager": "cardioseg bfloat16, PyTorch's kernels",
    "keras": "Keras",
    "keras (allocator set)": "Keras, freed memory kept",
    "monai": "MONAI BasicUNet",
    "monai (allocator set)": "MONAI BasicUNet, freed memory kept",
    "nnunet": "nnU-Net PlainConvUNet",
    "nnunet (allocator set)": "nnU-Net PlainConvUNet, freed memory kept",
}
"""How pages call contenders."""


def name_of(contender: str) -> str:
    """How pages call a contender; `NAME@2` is one of two threads.

    Examples
    --------
    >>> name_of("onnx"), name_of("openvino@1")
    ('ONNX Runtime', 'OpenVINO, 1 thread')
    """
    name, _, threads = contender.partition("@")
    words = f", {threads} thread{'s' if threads != '1' else ''}" if threads else ""
    return NAMES.get(name, name) + words


Point = Mapping[str, float]


@dataclass(frozen=True)
class Duel:
    """All contenders on one network and batch.

    Parameters
    ----------
    network, batch
        What was run.
    images_per_s
        Spread of each contender.
    times_as_fast
        Spread of the ratios, turn by turn: `[slow][fast]`.
    """

    network: str
    batch: int
    images_per_s: Mapping[str, Spread]
    times_as_fast: Mapping[str, Mapping[str, Spread]]

    def fastest(self, names: Sequence[str]) -> str | None:
        """Which of these that ran has the highest median."""
        there = [name for name in names if name in self.images_per_s]
        return max(there, key=lambda name: self.images_per_s[name].median, default=None)

    def ratio(self, fast: Sequence[str], slow: Sequence[str]) -> tuple[str, Spread] | None:
        """The fastest of the first against the fastest of the others, and its name."""
        first, second = self.fastest(fast), self.fastest(slow)
        if first is None or second is None:
            return None
        return first, self.times_as_fast[second][first]


@dataclass(frozen=True)
class Results:
    """What a folder holds; a part that was not measured is None."""

    parts: Mapping[str, Mapping]

    def found(self, part: str) -> object | None:
        """What a part measured."""
        return self.parts[part]["found"] if part in self.parts else None

    def duels(self, part: str) -> tuple[Duel, ...]:
        """The duels of `inference` or `training`."""
        return tuple(
            Duel(
                each["network"],
                each["batch"],
                {name: Spread(**told) for name, told in each["images_per_s"].items()},
                {
                    slow: {fast: Spread(**told) for fast, told in told_of.items()}
                    for slow, told_of in each["times_as_fast"].items()
                },
            )
            for each in self.found(part) or ()
        )

    def duel(self, part: str, network: str, batch: int) -> Duel | None:
        """One of them."""
        wanted = (network, batch)
        return next((d for d in self.duels(part) if (d.network, d.batch) == wanted), None)


def read_results(folder: Path) -> Results:
    """Every NAME.json of a folder, by NAME."""
    return Results({path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")})


def crossing(
    curve: Sequence[Point], goal: float, clock: str, key: str = "dice"
) -> tuple[Spread | None, float]:
    """When a curve of Dice first reaches a goal: the least, likely and most minutes.

    It was passed between two measurements; the likely minute is on the line between them. None
    where it was never reached; the second value is the last minute that was measured.

    Parameters
    ----------
    curve
        Points with the clock and the Dice, in order.
    goal
        Mean Dice.
    clock
        Key of the minutes.
    key
        Which Dice.

    Examples
    --------
    >>> curve = [{"cpu_minutes": 10, "dice": 0.5}, {"cpu_minutes": 20, "dice": 1.0}]
    >>> crossing(curve, 0.75, "cpu_minutes")[0]
    Spread(min=10, median=15.0, max=20)
    """
    before, low = 0.0, 0.0
    for point in curve:
        now, dice = point[clock], point[key]
        if dice >= goal:
            share = (goal - low) / (dice - low) if dice > low else 1.0
            return Spread(before, before + max(share, 0.0) * (now - before), now), curve[-1][clock]
        before, low = now, dice
    return None, curve[-1][clock] if curve else 0.0
