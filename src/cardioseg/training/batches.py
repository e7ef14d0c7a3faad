"""The random batches of an epoch, cut into micro-batches and into the shares of the processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cardioseg.data.augment import Draw, draw
from cardioseg.data.slices import SliceStore
from cardioseg.training.config import TrainConfig
from cardioseg.training.distributed import Processes, share


@dataclass(frozen=True, eq=False)
class MicroBatch:
    """What one process has of a micro-batch.

    Parameters
    ----------
    images
        (n, 1, H, W) float32, augmented; n may be 0.
    labels
        (n, H, W) int64.
    own
        Which images of the whole micro-batch these are.
    whole
        Images that all processes have of it.
    weight
        Its share of the step's images; the weights of a step sum to 1.
    """

    images: Tensor
    labels: Tensor
    own: slice
    whole: int
    weight: float


def batches(
    config: TrainConfig, store: SliceStore, rng: np.random.Generator, processes: Processes
) -> Iterator[list[MicroBatch]]:
    """The micro-batches of each step, in a random order of the slices.

    All processes draw the same order, patches and augmentation, whatever their number.
    """
    size = config.patch or config.plan.size
    order = rng.permutation(len(store))
    middle = (np.asarray(store.images.shape[1:]) - 1) / 2
    for start in range(0, len(order), config.batch_size):
        chosen = order[start : start + config.batch_size]
        centres = patch_centres(config, store, chosen, rng) if config.patch else middle
        centres = np.broadcast_to(centres, (len(chosen), 2))
        drawn = draw(config.augmentation, centres, rng, size)
        parts = min(config.accumulate, len(chosen))
        cuts = (share(len(chosen), part, parts) for part in range(parts))
        yield [_micro_batch(store, chosen, drawn, cut, processes, size) for cut in cuts]


def _micro_batch(
    store: SliceStore,
    chosen: NDArray[np.integer],
    drawn: Draw,
    cut: slice,
    processes: Processes,
    size: tuple[int, int],
) -> MicroBatch:
    whole = cut.stop - cut.start
    own = share(whole, processes.rank, processes.count)
    rows = slice(cut.start + own.start, cut.start + own.stop)
    images = torch.empty(0, 1, *size)
    labels = torch.empty(0, *size, dtype=torch.int64)
    if own.stop > own.start:
        images = torch.from_numpy(store.images[chosen[rows]].astype(np.float32))[:, None]
        images, labels = drawn.part(rows).sample(
            images, torch.from_numpy(store.labels[chosen[rows]]), size
        )
    images = images.contiguous(memory_format=torch.channels_last).to(processes.device)
    return MicroBatch(images, labels.to(processes.device), own, whole, whole / len(chosen))


def patch_centres(
    config: TrainConfig, store: SliceStore, chosen: NDArray[np.integer], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Rows and columns (N, 2) of the patches' middles: near the heart, some of them anywhere."""
    centres = np.array([store.entries[i].centre for i in chosen])
    reach = config.patch_jitter * np.asarray(config.patch)
    centres = centres + rng.uniform(-reach, reach, centres.shape)
    if config.patch_anywhere:
        anywhere = rng.uniform(0, 1, centres.shape) * (np.asarray(store.images.shape[1:]) - 1)
        centres = np.where(rng.random((len(chosen), 1)) < config.patch_anywhere, anywhere, centres)
    return centres
