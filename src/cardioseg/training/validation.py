"""Validation while training: Dice by volume on the prepared slices, averaged by patient."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cardioseg.core.labels import LabelScheme
from cardioseg.data.slices import SliceStore
from cardioseg.evaluation.overlap import dice


def validate(network: nn.Module, scheme: LabelScheme, store: SliceStore) -> dict[str, float]:
    """Mean Dice over structures, and each structure's, on prepared slices.

    A structure is compared over the whole volume. Of orthogonal planes each counts as a volume of
    its own: the figure is that of single planes, not of the mean that predicting takes. Planes and
    frames of a patient are averaged first, then patients, then structures. A structure absent from
    both maps has no Dice and is left out; one that is absent from all has no value and does not
    lower the mean.

    Returns
    -------
    dict
        `dice`, 0 to 1 (0 if no structure is anywhere), and `dice NAME` of each structure that is.
    """
    found = subject_dice(network, scheme, store)
    means = {f"dice {name}": fmean(subjects.values()) for name, subjects in found.items()}
    return {"dice": fmean(means.values()) if means else 0.0, **means}


@torch.no_grad()
def subject_dice(
    network: nn.Module, scheme: LabelScheme, store: SliceStore
) -> dict[str, dict[str, float]]:
    """Dice of each structure and subject, as in :func:`validate`; structures in their order."""
    network.eval()
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for positions in store.of_volumes().values():
        images = torch.from_numpy(store.images[positions].astype(np.float32))[:, None]
        predicted = _labels(network, images)
        reference = np.asarray(store.labels[positions])
        subject = store.entries[positions[0]].subject
        for structure in scheme.structures:
            value = dice(predicted == structure.value, reference == structure.value)
            if value is not None:
                found[structure.name][subject].append(value)
    return {
        structure.name: {subject: fmean(dices) for subject, dices in found[structure.name].items()}
        for structure in scheme.structures
        if structure.name in found
    }


def _labels(network: nn.Module, images: torch.Tensor) -> NDArray[np.uint8]:
    logits = network(images.contiguous(memory_format=torch.channels_last))
    labels: NDArray[np.uint8] = logits.argmax(dim=1).to(torch.uint8).numpy()
    return labels
