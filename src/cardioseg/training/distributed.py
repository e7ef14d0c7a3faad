"""Which of torchrun's processes this one is, on which device, and what they say to each other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from cardioseg.errors import ConfigError, ProcessError

DEVICES = ("auto", "cpu", "cuda")

TIMEOUT = timedelta(hours=1)
"""How long a process waits for another that neither answers nor ends. The slices of a data set are
prepared by one of them in that time."""

_LAUNCHED, _RANK, _COUNT = "TORCHELASTIC_RUN_ID", "RANK", "WORLD_SIZE"
_LOCAL_RANK, _LOCAL_COUNT = "LOCAL_RANK", "LOCAL_WORLD_SIZE"
_BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}
_LOST = ("gloo", "nccl", "connection closed", "connection reset", "broken pipe", "timed out")


@dataclass(frozen=True)
class Processes:
    """Which of the processes that train one network this one is.

    Parameters
    ----------
    rank
        Its number, 0 to count - 1; the first one writes.
    count
        How many there are; 1 needs no group and opens none.
    device
        Where this one computes: `cpu`, or a GPU such as `cuda:0`.
    """

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    @property
    def kind(self) -> str:
        """Kind of its device, `cpu` or `cuda`."""
        return self.device.partition(":")[0]


ALONE = Processes()
"""One process on the CPU: training as it is without torchrun."""


def share(count: int, part: int, parts: int) -> slice:
    """Part number `part` of `count` things cut into `parts`: in order, sizes differ by one at most.

    Examples
    --------
    >>> [len(range(5)[share(5, part, 3)]) for part in range(3)]
    [2, 2, 1]
    """
    size, more = divmod(count, parts)
    start = part * size + min(part, more)
    return slice(start, start + size + (part < more))


def this_process(device: str, environment: Mapping[str, str] = os.environ) -> Processes:
    """What torchrun's environment says of this process; one process where torchrun is not.

    Parameters
    ----------
    device
        `cpu`, `cuda` (a GPU for each process), or `auto`: under torchrun GPUs where there are
        enough, else the CPU.
    environment
        Of this process.

    Raises
    ------
    ConfigError
        If there is no such device, or `cuda` is asked for and there are fewer GPUs than processes.

    Examples
    --------
    >>> this_process("auto", {})
    Processes(rank=0, count=1, device='cpu')
    """
    if device not in DEVICES:
        raise ConfigError(f"no device {device!r}: choose one of {', '.join(DEVICES)}")
    launched = _LAUNCHED in environment
    here, local = (
        (int(environment[name]) for name in (_LOCAL_RANK, _LOCAL_COUNT)) if launched else (0, 1)
    )
    gpus = torch.cuda.device_count() if device == "cuda" or (launched and device == "auto") else 0
    if device == "cuda" and gpus < local:
        raise ConfigError(
            f"{local} processes on this machine, and {gpus} GPUs that PyTorch can use: start one "
            "process a GPU (torchrun --nproc-per-node), or take --device cpu"
        )
    place = f"cuda:{here}" if gpus >= local else "cpu"
    if not launched:
        return Processes(device=place)
    return Processes(int(environment[_RANK]), int(environment[_COUNT]), place)


def require_one_process(environment: Mapping[str, str] = os.environ) -> None:
    """Refuse to train several times over what the processes were meant to share.

    Raises
    ------
    ConfigError
        If torchrun started several processes.
    """
    count = int(environment.get(_COUNT, 1)) if _LAUNCHED in environment else 1
    if count > 1:
        raise ConfigError(
            f"torchrun started {count} processes, and only `cardioseg train` shares its work among "
            "processes: start this command without torchrun"
        )


@contextmanager
def joined(processes: Processes) -> Iterator[None]:
    """The group of the processes, as long as the block lasts; nothing where there is one only.

    Gloo on the CPU; NCCL for tensors on GPUs.

    Raises
    ------
    ProcessError
        If another process ended early, or did not answer for an hour.
    """
    if processes.kind == "cuda":
        torch.cuda.set_device(processes.device)
    if processes.count == 1:
        yield
        return
    try:
        distributed.init_process_group(_BACKENDS[processes.kind], timeout=TIMEOUT)
        yield
    except (RuntimeError, ConnectionError) as error:
        if not _is_lost(error):
            raise
        raise ProcessError(
            f"process {processes.rank} of {processes.count} lost another one, whose own error says "
            "why; what was finished is whole: mend that and start again with --resume"
        ) from error
    # After an error the others may wait inside NCCL, and so would this: the process ends anyway.
    distributed.destroy_process_group()


def _is_lost(error: Exception) -> bool:
    words = str(error).lower()
    return isinstance(error, ConnectionError | distributed.DistError) or any(
        each in words for each in _LOST
    )


def summed(processes: Processes, tensor: Tensor) -> Tensor:
    """The sum of a tensor over all processes, the same in each; no gradient goes through it."""
    if processes.count == 1:
        return tensor
    total = tensor.detach().clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total


def told(processes: Processes, text: str = "") -> str:
    """The first process's text, in every process."""
    if processes.count == 1:
        return text
    data = torch.tensor(list(text.encode()), dtype=torch.uint8)
    size = torch.tensor(len(data))
    distributed.broadcast(size, 0)
    if not processes.is_first:
        data = torch.empty(int(size), dtype=torch.uint8)
    distributed.broadcast(data, 0)
    return bytes(data.tolist()).decode()


def require_agreement(processes: Processes, state: str) -> None:
    """Refuse to go on where the processes would do different things, and wait for each other.

    Raises
    ------
    ConfigError
        In every process, if the text of one of them differs from the first one's.
    """
    digest = hashlib.sha256(state.encode()).hexdigest()
    differs = torch.tensor(int(told(processes, digest) != digest))
    if int(summed(processes, differs)):
        raise ConfigError(
            "the processes do not start from one configuration and one checkpoint: start all with "
            "the same command, and let --output be a folder that all of them see"
        )
