"""Augmentation: parameters are drawn once for a batch and applied to images and labels alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from cardioseg.prepare.plan import FrozenModel

Share = Annotated[float, Field(ge=0, le=1)]


class Augmentation(FrozenModel):
    """How far a training image may differ from the real one.

    Parameters
    ----------
    rotation_deg
        Rotation is drawn from minus to plus this angle.
    shift
        Shift of each axis, as a share of the side.
    zoom
        Zoom of each axis is drawn from 1 - zoom to 1 + zoom, independently (as Keras does).
    flips
        Mirror each axis in half of the cases.
    quarter_turns
        Turn by 0, 90, 180 or 270 degrees.
    gamma
        Exponent on intensities from 1 / (1 + gamma) to 1 + gamma.
    contrast
        Factor on the distance to the image's mean, from 1 - contrast to 1 + contrast.
    brightness
        Offset from minus to plus this, in units of the normalised intensity.
    noise
        Largest standard deviation of the Gaussian noise that is added.
    blur
        Probability that a slice is averaged down and up again by a factor of 2.
    """

    rotation_deg: Annotated[float, Field(ge=0, le=180)] = 10.0
    shift: Share = 0.05
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.15
    flips: bool = False
    quarter_turns: bool = False
    gamma: Annotated[float, Field(ge=0, le=4)] = 0.0
    contrast: Share = 0.0
    brightness: Share = 0.0
    noise: Share = 0.0
    blur: Share = 0.0


@dataclass(frozen=True, eq=False)
class Draw:
    """The random parameters of one batch.

    Parameters
    ----------
    matrices
        (N, 2, 2): from output offsets (row, column) in pixels to input offsets.
    centres
        (N, 2): row and column of the input that the middle of the output shows.
    tone
        (N, 3): gamma, contrast factor, brightness offset.
    noise_sd
        (N,): standard deviation of the noise.
    blurred
        (N,): whether to blur.
    noise_seed
        Seed of the noise's generator.
    """

    matrices: NDArray[np.float32]
    centres: NDArray[np.float32]
    tone: NDArray[np.float32]
    noise_sd: NDArray[np.float32]
    blurred: NDArray[np.bool_]
    noise_seed: int

    def sample(
        self, images: Tensor, labels: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Images (N, 1, H, W) float32 and labels (N, H, W) of `size`, moved by one geometry."""
        grid = self._grid(images.shape[-2:], size)
        moved = functional.grid_sample(
            images, grid, mode="bilinear", padding_mode="border", align_corners=True
        )
        moved_labels = functional.grid_sample(
            labels[:, None].float(), grid, mode="nearest", padding_mode="border", align_corners=True
        )
        return self._retone(moved), moved_labels[:, 0].long()

    def _grid(self, source: torch.Size, size: tuple[int, int]) -> Tensor:
        """Sampling grid (N, rows, columns, 2) in grid_sample's (x, y) from -1 to 1."""
        rows, columns = (torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in size)
        offsets = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1)
        matrices = torch.from_numpy(self.matrices)
        points = torch.einsum("nij,rcj->nrci", matrices, offsets)
        points = points + torch.from_numpy(self.centres)[:, None, None, :]
        scale = torch.tensor([max(n - 1, 1) for n in source], dtype=torch.float32)
        return (2 * points / scale - 1).flip(-1)

    def _retone(self, images: Tensor) -> Tensor:
        gamma, contrast, brightness = torch.from_numpy(self.tone).T[:, :, None, None, None]
        low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
        extent = (high - low).clamp_min(1e-6)
        images = ((images - low) / extent) ** gamma * extent + low
        mean = images.mean((1, 2, 3), keepdim=True)
        images = (images - mean) * contrast + mean + brightness
        if self.blurred.any():
            coarse = functional.avg_pool2d(images, 2)
            soft = functional.interpolate(coarse, images.shape[-2:], mode="bilinear")
            images = torch.where(torch.from_numpy(self.blurred)[:, None, None, None], soft, images)
        if self.noise_sd.any():
            generator = torch.Generator().manual_seed(self.noise_seed)
            noise = torch.randn(images.shape, generator=generator)
            images = images + noise * torch.from_numpy(self.noise_sd)[:, None, None, None]
        return images


def draw(
    augmentation: Augmentation,
    centres: NDArray[np.floating],
    rng: np.random.Generator,
    size: tuple[int, int],
) -> Draw:
    """Draw the parameters of one batch.

    Parameters
    ----------
    augmentation
        The ranges.
    centres
        (N, 2) row and column that the middle of each output shows before shifting.
    rng
        The only source of randomness.
    size
        Rows and columns of the output, in pixels, that shifts are shares of.
    """
    count = len(centres)
    a = augmentation
    angle = np.deg2rad(rng.uniform(-a.rotation_deg, a.rotation_deg, count))
    if a.quarter_turns:
        angle += rng.integers(0, 4, count) * (np.pi / 2)
    scale = 1 / rng.uniform(1 - a.zoom, 1 + a.zoom, (count, 2))
    if a.flips:
        scale *= rng.choice((-1.0, 1.0), (count, 2))
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    shift = rng.uniform(-a.shift, a.shift, (count, 2)) * np.asarray(size)
    tone = np.stack(
        [
            (1 + rng.uniform(0, a.gamma, count)) ** rng.choice((-1.0, 1.0), count),
            rng.uniform(1 - a.contrast, 1 + a.contrast, count),
            rng.uniform(-a.brightness, a.brightness, count),
        ],
        axis=-1,
    )
    return Draw(
        matrices=(turn * scale[:, None, :]).astype(np.float32),
        centres=(centres + shift).astype(np.float32),
        tone=tone.astype(np.float32),
        noise_sd=rng.uniform(0, a.noise, count).astype(np.float32),
        blurred=rng.random(count) < a.blur,
        noise_seed=int(rng.integers(0, 2**63)),
    )
