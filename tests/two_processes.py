"""What each of two processes of torchrun does; test_several_processes.py looks at what it leaves.

Run as `torchrun --nproc-per-node 2 tests/two_processes.py FOLDER`; it ends with a failure of one.
"""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import suppress
from pathlib import Path

import torch
from tests.networks import random_network
from tests.unit.test_several_processes import BROKEN, RUNS, STOPPED, THREE_HEARTS, network_plan
from tests.unit.test_training import TRAINING, VALIDATION, StoppedError, interrupt

from cardioseg.errors import CardiosegError, ConfigError
from cardioseg.training import fit as fitting
from cardioseg.training.distributed import Processes, joined, require_agreement, this_process, told
from cardioseg.training.fit import Setup, Watch, fit
from cardioseg.training.validation import validate


def forbidden(*_: object) -> None:
    raise AssertionError("only the first process writes")


def train_all(output: Path, processes: Processes) -> dict[str, str]:
    """Every run, the one that a single process began, and one that stops; a digest of each."""
    digests = {}
    for name, config in RUNS.items():
        setup = Setup(processes=processes)
        network, _ = fit(config, TRAINING, VALIDATION, output / name, setup=setup)
        bytes_of = (value.numpy().tobytes() for value in network.state_dict().values())
        digests[name] = hashlib.sha256(b"".join(bytes_of)).hexdigest()
    with suppress(StoppedError):
        setup = Setup(processes=processes)
        config = RUNS["dice"]
        fit(config, TRAINING, VALIDATION, output / STOPPED, interrupt(2, 1), setup)
    return digests


def main(output: Path) -> None:
    torch.set_num_threads(1)
    processes = this_process("cpu")
    if not processes.is_first:
        fitting.save_checkpoint = fitting._write_log = forbidden
    with joined(processes):
        found: dict[str, object] = {"digests": train_all(output, processes)}
        network = random_network(network_plan("separable"))
        scheme = RUNS["dice"].plan.label_scheme
        found["validation"] = validate(network, scheme, THREE_HEARTS, processes)
        found["told"] = told(processes, f"of {processes.rank}: é")
        try:
            require_agreement(processes, f"checkpoint {processes.rank}")
        except ConfigError as error:
            found["disagreement"] = str(error)
        (output / f"rank-{processes.rank}.json").write_text(json.dumps(found))

        def break_one(step: object) -> None:
            if not processes.is_first:
                raise ConfigError(BROKEN)

        setup = Setup(processes=processes)
        fit(RUNS["dice"], TRAINING, None, output / "broken", Watch(step=break_one), setup)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except CardiosegError as error:
        sys.exit(f"error: {error}")
