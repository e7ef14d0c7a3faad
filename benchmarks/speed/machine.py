"""What the machine can do: multiply-adds a second and bytes a second, the roof over everything."""

from __future__ import annotations

import platform
import time
from statistics import median

import torch
from benchmarks.speed.record import processor

GEMM_SIDE = 2048
COPY_BYTES = 256 * 2**20
ROUNDS = 7


def describe(threads: int) -> dict[str, object]:
    """Processor, cores, peak GFLOP/s of a matrix product and GB/s of a copy, measured now."""
    torch.set_num_threads(threads)
    return {
        "processor": processor(),
        "threads": threads,
        "system": platform.system(),
        "gemm_gflops": round(gemm_gflops(), 1),
        "copy_gb_per_s": round(copy_gb_per_s(), 1),
    }


def gemm_gflops() -> float:
    """Median GFLOP/s of a float32 matrix product of 2048 x 2048."""
    a = torch.rand(GEMM_SIDE, GEMM_SIDE)
    return 2 * GEMM_SIDE**3 / _seconds(lambda: a @ a) / 1e9


def copy_gb_per_s() -> float:
    """Median GB/s, read and written, of copying 256 MB."""
    source = torch.zeros(COPY_BYTES, dtype=torch.uint8)
    target = torch.ones_like(source)
    return 2 * COPY_BYTES / _seconds(lambda: target.copy_(source)) / 1e9


def _seconds(work) -> float:
    work()
    found = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return median(found)
