"""Validation while training: Dice by volume on the prepared slices, averaged by patient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cardioseg.core.labels import LabelScheme
from cardioseg.data.slices import SliceStore
from cardioseg.evaluation.overlap import dice
from cardioseg.training.distributed import ALONE, Processes, summed

BATCH_SIZE = 16
"""Slices that a network answers at a time outside of training."""


def validate(
    network: nn.Module, scheme: LabelScheme, store: SliceStore, processes: Processes = ALONE
) -> dict[str, float]:
    """Mean Dice over structures, and each structure's, on prepared slices.

    A structure is compared over the whole volume. Of orthogonal planes each counts as a volume of
    its own: the figure is that of single planes, not of the mean that predicting takes. Planes and
    frames of a patient are averaged first, then patients, then structures. A structure absent from
    both maps has no Dice and is left out; one that is absent from all has no value and does not
    lower the mean.

    Of several processes each predicts some of the volumes, and all get every figure.

    Returns
    -------
    dict
        `dice`, 0 to 1 (0 if no structure is anywhere), and `dice NAME` of each structure that is.
    """
    found = subject_dice(network, scheme, store, processes)
    means = {f"dice {name}": fmean(subjects.values()) for name, subjects in found.items()}
    return {"dice": fmean(means.values()) if means else 0.0, **means}


def subject_dice(
    network: nn.Module, scheme: LabelScheme, store: SliceStore, processes: Processes = ALONE
) -> dict[str, dict[str, float]]:
    """Dice of each structure and subject, as in :func:`validate`; structures in their order."""
    volumes = list(store.of_volumes().values())
    table = _volume_dice(network, scheme, store, volumes, processes)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for positions, row in zip(volumes, table, strict=True):
        subject = store.entries[positions[0]].subject
        for structure, value in zip(scheme.structures, row, strict=True):
            if not np.isnan(value):
                found[structure.name][subject].append(float(value))
    return {
        structure.name: {subject: fmean(dices) for subject, dices in found[structure.name].items()}
        for structure in scheme.structures
        if structure.name in found
    }


@torch.no_grad()
def _volume_dice(
    network: nn.Module,
    scheme: LabelScheme,
    store: SliceStore,
    volumes: Sequence[Sequence[int]],
    processes: Processes,
) -> NDArray[np.float64]:
    """Dice (volumes, structures) of all processes' volumes; not a number where it is undefined."""
    network.eval()
    table = np.zeros((len(volumes), len(scheme.structures)))
    for number in range(processes.rank, len(volumes), processes.count):
        positions = volumes[number]
        images = torch.from_numpy(store.images[positions].astype(np.float32))[:, None]
        predicted = _labels(network, images.to(processes.device))
        reference = np.asarray(store.labels[positions])
        for column, structure in enumerate(scheme.structures):
            value = dice(predicted == structure.value, reference == structure.value)
            table[number, column] = np.nan if value is None else value
    whole: NDArray[np.float64] = summed(processes, torch.from_numpy(table)).numpy()
    return whole


def _labels(network: nn.Module, images: torch.Tensor) -> NDArray[np.uint8]:
    """Labels (slices, rows, columns); a few slices at a time, for a heart may have two hundred."""
    batches = (
        network(batch.contiguous(memory_format=torch.channels_last)).argmax(dim=1)
        for batch in torch.split(images, BATCH_SIZE)
    )
    labels: NDArray[np.uint8] = torch.cat(list(batches)).to(torch.uint8).cpu().numpy()
    return labels
