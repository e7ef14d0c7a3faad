"""A contender: a worker process in its own environment, asked for one run at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
}
"""glibc's settings that keep freed memory in the process, as `training/allocator.py` sets them."""


@dataclass(frozen=True)
class Contender:
    """Who runs what.

    Parameters
    ----------
    family
        `ours`, `keras` or `peers`.
    name
        As the family's module knows it.
    task
        `predict` or `train`.
    network
        `unet-1` or `unet-2`; MONAI and nnU-Net have their own.
    batch, side
        Images in a batch, pixels of a side.
    keeps_memory
        Start the process with :data:`KEEP_FREED_MEMORY`.
    """

    family: str
    name: str
    task: str
    network: str
    batch: int
    side: int
    keeps_memory: bool = False

    @property
    def told(self) -> str:
        """Name for tables."""
        return self.name + (" (allocator set)" if self.keeps_memory else "")


def pin(threads: int) -> None:
    """Keep this process, and those that it starts, on as many cores as it has threads.

    Libraries that take the cores they find, such as ONNX Runtime and OpenVINO, find no more.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def as_installed(threads: int) -> dict[str, str]:
    """The environment of a process that is timed.

    Python may keep the bytecode of its modules, as of installed ones: else it compiles the source
    at each start, ours and not a peer's, whose packages pip compiled.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "OMP_NUM_THREADS": str(threads)}


class Worker:
    """A running contender; a context manager. Calling it answers the seconds of one run."""

    def __init__(self, contender: Contender, python: Path, threads: int) -> None:
        environment = {**as_installed(threads), "TF_NUM_INTRAOP_THREADS": str(threads)}
        environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
        if contender.keeps_memory:
            environment |= KEEP_FREED_MEMORY
        words = [contender.family, contender.name, contender.task, contender.network]
        command = [str(python), "-m", "benchmarks.speed.worker", *words]
        self._told = " ".join(words)
        self._process = subprocess.Popen(
            [*command, str(contender.batch), str(contender.side)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._answer("ready")

    def __call__(self) -> float:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._answer())

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _answer(self, wanted: str = "") -> str:
        # Libraries may greet on stdout before the worker does.
        for line in self._process.stdout:
            if wanted and line.strip() != wanted:
                continue
            return line
        self._end()
        sys.exit(f"error: the worker '{self._told}' died; its last words are above")

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()
