"""The gradient of a step's whole batch, whoever has its images: DistributedDataParallel."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cardioseg.nets.loss import total_loss
from cardioseg.nets.terms import Whole
from cardioseg.nets.unet import UNet
from cardioseg.training.batches import MicroBatch
from cardioseg.training.config import TrainConfig
from cardioseg.training.distributed import Processes
from cardioseg.training.native import NativeUNet, load_kernels
from cardioseg.training.whole_batch import Rows, spread, whole_sum


class Gradients:
    """Puts the gradient of each step's loss into the network's parameters, in every process.

    The loss of a micro-batch and its batch norm are those of all its images, in whichever process
    they lie and however uneven the shares. One process alone computes as if this were not here.

    Parameters
    ----------
    config
        Loss, precision and kernels.
    network
        What is trained; of several processes its batch norm and dropout are exchanged for layers
        over all of them.
    processes
        Who has a share of each batch.
    """

    def __init__(self, config: TrainConfig, network: UNet, processes: Processes) -> None:
        self.processes, self._config, self._rows = processes, config, Rows()
        self._forward: nn.Module = network
        self._whole: Whole | None = None
        if processes.count == 1 and processes.kind == "cpu" and config.kernels == "native":
            load_kernels()  # says what is missing before the first step
            self._forward = NativeUNet(network)
        if processes.count > 1:
            spread(network, processes, self._rows)
            self._whole = whole_sum(processes)
            gpu = [processes.device] if processes.kind == "cuda" else None
            self._forward = DistributedDataParallel(network, device_ids=gpu)

    def of(self, step: Sequence[MicroBatch]) -> float:
        """Add the gradient of a step to the parameters'; the step's loss.

        Parameters
        ----------
        step
            Its micro-batches, this process's share of them.
        """
        total = 0.0
        for number, batch in enumerate(step, start=1):
            with self._silence(number < len(step)):
                loss = self._loss(batch)
                # DistributedDataParallel takes the mean over processes, and theirs is one sum.
                (loss * (batch.weight * self.processes.count)).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach()) * batch.weight
        return total

    def _silence(self, before_the_last: bool) -> AbstractContextManager[None]:
        """Gradients are exchanged once a step."""
        if before_the_last and isinstance(self._forward, DistributedDataParallel):
            return self._forward.no_sync()
        return nullcontext()

    def _loss(self, batch: MicroBatch) -> Tensor:
        self._rows.own, self._rows.whole = batch.own, batch.whole
        half = self._config.precision == "bfloat16"
        with torch.autocast(self.processes.kind, torch.bfloat16, enabled=half):
            logits = self._forward(batch.images)
        return total_loss(self._config.loss, logits.float(), batch.labels, self._whole)
