"""One of two processes that torchrun starts: trains small networks whose files a test compares."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tests.unit.test_training import TRAINING, VALIDATION, StoppedError, interrupt
from tests.unit.test_several_processes import RUNS

from cardioseg.training.distributed import joined, this_process
from cardioseg.training.fit import Setup, fit


def main(output: Path) -> None:
    torch.set_num_threads(1)
    processes = this_process("cpu")
    with joined(processes):
        for name, config in RUNS.items():
            folder = output / name
            folder.mkdir(parents=True, exist_ok=True)
            fit(config, TRAINING, VALIDATION, folder, setup=Setup(processes=processes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
