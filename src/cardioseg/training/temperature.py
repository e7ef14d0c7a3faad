"""Temperature scaling after training: one number that makes scores mean what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage, special
from torch import nn

from cardioseg.data.slices import SliceStore
from cardioseg.errors import GeometryError
from cardioseg.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability_bins,
)
from cardioseg.training.validation import BATCH_SIZE

MARGIN_MM = 10.0
"""Pixels farther than this from where a volume has labels are easy background and don't count."""

MOST_PIXELS = 1_000_000
"""More pixels than this are thinned evenly: the temperature is one number."""


@dataclass(frozen=True)
class Calibration:
    """A fitted temperature, and what it changes.

    Parameters
    ----------
    temperature
        Divides the logits.
    ece_before, ece_after
        Expected calibration error without and with it, 0 to 1.
    nll_before, nll_after
        Mean negative log-likelihood, natural logarithm.
    pixels
        Pixels that it was fitted on.
    """

    temperature: float
    ece_before: float
    ece_after: float
    nll_before: float
    nll_after: float
    pixels: int


def calibrate(network: nn.Module, spacing_mm: float, store: SliceStore) -> Calibration:
    """Fit the temperature on prepared slices, near the heart; labels are unchanged by it.

    Parameters
    ----------
    network
        A trained network that gives logits.
    spacing_mm
        Spacing of the slices.
    store
        Slices that did not train it. Figures before and after are of these slices, too.

    Raises
    ------
    GeometryError
        If the store is empty.
    """
    if not len(store):
        raise GeometryError("no slices to fit a temperature on")
    logits, labels = _near_the_heart(network, spacing_mm, store)
    temperature = round(fit_temperature(logits, labels), 4)
    (ece_before, nll_before), (ece_after, nll_after) = (
        _figures(logits, labels, each) for each in (1.0, temperature)
    )
    return Calibration(temperature, ece_before, ece_after, nll_before, nll_after, labels.size)


def _figures(
    logits: NDArray[np.float32], labels: NDArray[np.uint8], temperature: float
) -> tuple[float, float]:
    """Expected calibration error, and negative log-likelihood."""
    scores = special.softmax(logits / temperature, axis=0)
    error = expected_calibration_error(reliability_bins(scores, labels))
    return error or 0.0, negative_log_likelihood(logits, labels, temperature)


@torch.no_grad()
def _near_the_heart(
    network: nn.Module, spacing_mm: float, store: SliceStore
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Logits (classes, pixels) and labels (pixels,) within the margin of each volume's labels."""
    network.eval()
    volumes = [np.array(positions) for positions in store.of_volumes().values()]
    regions = [_region(store.labels[each], spacing_mm) for each in volumes]
    total = sum(
        int(region.sum()) * len(each) for each, region in zip(volumes, regions, strict=True)
    )
    every = -(-total // MOST_PIXELS)
    logits, labels = [], []
    for positions, region in zip(volumes, regions, strict=True):
        for first in range(0, len(positions), BATCH_SIZE):
            batch = positions[first : first + BATCH_SIZE]
            images = torch.from_numpy(store.images[batch].astype(np.float32))[:, None]
            answers = network(images.contiguous(memory_format=torch.channels_last)).numpy()
            chosen = np.moveaxis(answers, 1, 0)[:, :, region]
            logits.append(chosen.reshape(len(chosen), -1)[:, ::every])
            labels.append(store.labels[batch][:, region].reshape(-1)[::every])
    return np.concatenate(logits, axis=1), np.concatenate(labels)


def _region(labels: NDArray[np.uint8], spacing_mm: float) -> NDArray[np.bool_]:
    """Pixels (rows, columns) near any label of the volume; all where it has none."""
    marked = labels.any(axis=0)
    if not marked.any():
        return np.ones(marked.shape, np.bool_)
    region: NDArray[np.bool_] = ndimage.distance_transform_edt(~marked) * spacing_mm <= MARGIN_MM
    return region
