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


@torch.no_grad()
def validate(network: nn.Module, scheme: LabelScheme, store: SliceStore) -> dict[str, float]:
    """Mean Dice over structures, and each structure's, on prepared slices.

    A structure is compared over the whole volume; the frames of a patient are averaged first,
    then patients, then structures. A structure absent from both maps has no Dice and is left out.

    Returns
    -------
    dict
        `dice` and `dice NAME` for each structure, 0 to 1; 0 where none is defined.
    """
    network.eval()
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for positions in store.of_cases().values():
        images = torch.from_numpy(store.images[positions].astype(np.float32))[:, None]
        predicted = _labels(network, images)
        reference = np.asarray(store.labels[positions])
        subject = store.entries[positions[0]].subject
        for structure in scheme.structures:
            value = dice(predicted == structure.value, reference == structure.value)
            if value is not None:
                found[structure.name][subject].append(value)
    means = {}
    for structure in scheme.structures:
        patients = [fmean(frames) for frames in found[structure.name].values()]
        means[f"dice {structure.name}"] = fmean(patients) if patients else 0.0
    return {"dice": fmean(means.values()), **means}


def _labels(network: nn.Module, images: torch.Tensor) -> NDArray[np.uint8]:
    logits = network(images.contiguous(memory_format=torch.channels_last))
    labels: NDArray[np.uint8] = logits.argmax(dim=1).to(torch.uint8).numpy()
    return labels
