"""What besides configuration and data decides the last bits of weights; how far two runs lie."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from cardioseg.training.checkpoint import best_weights
from cardioseg.training.distributed import ALONE, Processes


def machine(processes: Processes = ALONE) -> dict[str, int | str]:
    """Processes, their device, and threads and instruction set of this one."""
    return {
        "processes": processes.count,
        "device": processes.kind,
        "threads": torch.get_num_threads(),
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
    }


def use_threads(count: int) -> None:
    """Train with so many threads from here on."""
    torch.set_num_threads(count)


def largest_difference(first: Path, second: Path) -> float:
    """Largest absolute difference of two runs' best weights; inf where names or shapes differ."""
    one, other = best_weights(first), best_weights(second)
    if one.keys() != other.keys() or any(one[n].shape != other[n].shape for n in one):
        return float("inf")
    gaps = [(one[n].double() - other[n].double()).abs().max() for n in one if one[n].numel()]
    return float(torch.stack(gaps).max())
