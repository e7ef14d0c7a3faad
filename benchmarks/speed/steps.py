"""A training step: whose kernels, in what type, layout and memory; here, or in a process apart."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch
from torch.profiler import record_function

from cardioseg.nets.loss import Loss, total_loss
from cardioseg.nets.unet import UNet
from cardioseg.prepare.plan import NetworkPlan
from cardioseg.training.allocator import keep_freed_memory
from cardioseg.training.native import NativeUNet


@dataclass(frozen=True)
class Way:
    """How a network is trained: by whose kernels, in what type and layout, with what memory."""

    kernels: str = "ours"
    type: str = "float32"
    layout: str = "channels_last"
    keeps_memory: bool = True

    @property
    def told(self) -> str:
        """In words."""
        memory = "freed memory kept" if self.keeps_memory else "as glibc comes"
        return f"{self.kernels}, {self.type}, {self.layout}, {memory}"


def step_of(plan: NetworkPlan, way: Way, batch: int, side: int) -> Callable[[], None]:
    """A whole training step of random images; its parts are named for the profiler."""
    if way.keeps_memory:
        keep_freed_memory()
    torch.manual_seed(0)
    layout = torch.channels_last if way.layout == "channels_last" else torch.contiguous_format
    model = UNet(plan).train().to(memory_format=layout)
    forward = NativeUNet(model) if way.kernels == "ours" else model
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    images = torch.rand(batch, 1, side, side).contiguous(memory_format=layout)
    labels = torch.randint(0, plan.classes, (batch, side, side))

    def step() -> None:
        with record_function("step"):
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=way.type == "bfloat16"):
                logits = forward(images)
            with record_function("loss"):
                loss = total_loss(Loss(), logits.float(), labels)
            loss.backward()
            optimiser.step()

    return step


class Child:
    """A way in a process of its own; a context manager. Calling it answers a step's seconds."""

    def __init__(self, plan: NetworkPlan, way: Way, batch: int, side: int, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.faults: list[int] = []
        self._pipe, other = context.Pipe()
        words = (other, plan, way, batch, side, threads)
        self._process = context.Process(target=_serve, args=words)
        self._process.start()
        other.close()

    def __call__(self) -> float:
        self._pipe.send(True)
        seconds, faults = self._pipe.recv()
        self.faults.append(faults)
        return float(seconds)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send(False)
        self._process.join()


def _serve(
    pipe: Connection, plan: NetworkPlan, way: Way, batch: int, side: int, threads: int
) -> None:
    torch.set_num_threads(threads)
    step = step_of(plan, way, batch, side)
    while pipe.recv():
        before, started = page_faults(), time.perf_counter()
        step()
        pipe.send((time.perf_counter() - started, page_faults() - before))


def page_faults() -> int:
    """Minor page faults of this process so far."""
    import resource  # there is none on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
