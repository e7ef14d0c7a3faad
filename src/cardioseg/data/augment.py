"""Augmentation: parameters are drawn once for a batch and applied to images and labels alike."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from cardioseg.prepare.plan import FrozenModel

Share = Annotated[float, Field(ge=0, le=1)]

_GAIN_SIDE = 4
_CURVE_POINTS = 8
_BAND_CYCLES = 4.0
_BAND_WIDTHS = (0.04, 0.2)
_BAND_DEPTHS = (0.3, 1.0)


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
    bias
        Largest standard deviation of the logarithm of a smooth gain, as a surface coil leaves it.
    curve
        Largest unevenness of a random monotone intensity curve: the standard deviation of the
        logarithm of its steps. Other scanners and sequences move tissues apart or together.
    bands
        Probability that a slice has dark bands, as steady-state free precession has where the field
        is off by half a cycle a repetition: up to four across the image, bent, of any direction.
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
    bias: Share = 0.0
    curve: Annotated[float, Field(ge=0, le=4)] = 0.0
    bands: Share = 0.0


def _none() -> NDArray[np.float32]:
    return np.empty(0, np.float32)


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
    log_gain
        (N, 4, 4): logarithm of the gain on a coarse grid over the image; empty for none.
    curves
        (N, 8): values, rising from 0 to 1, that evenly spaced intensities take; empty for none.
    fields
        (N, 6): of a field in cycles, the factors of 1, y, x, y y, x y and x x, both from -1 to 1
        over the image; whole cycles are dark. Empty for none.
    bands
        (N, 2): half-width of a band in cycles, and the share of the signal that its middle loses.
    noise_seed
        Seed of the noise's generator.
    before, after
        Images of the batch that lie before and after these, where these are a part of one.
    """

    matrices: NDArray[np.float32]
    centres: NDArray[np.float32]
    tone: NDArray[np.float32]
    noise_sd: NDArray[np.float32]
    blurred: NDArray[np.bool_]
    noise_seed: int
    log_gain: NDArray[np.float32] = field(default_factory=_none)
    curves: NDArray[np.float32] = field(default_factory=_none)
    fields: NDArray[np.float32] = field(default_factory=_none)
    bands: NDArray[np.float32] = field(default_factory=_none)
    before: int = 0
    after: int = 0

    def part(self, rows: slice) -> Draw:
        """The parameters of some neighbouring images: sampled alone, they come out the same."""
        start, stop, _ = rows.indices(len(self.centres))
        return replace(
            self,
            matrices=self.matrices[rows],
            centres=self.centres[rows],
            tone=self.tone[rows],
            noise_sd=self.noise_sd[rows],
            blurred=self.blurred[rows],
            log_gain=self.log_gain[rows],
            curves=self.curves[rows],
            fields=self.fields[rows],
            bands=self.bands[rows],
            before=self.before + start,
            after=self.after + len(self.centres) - stop,
        )

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
        unit = ((images - low) / extent) ** gamma
        if self.curves.size:
            unit = _bent(unit, torch.from_numpy(self.curves))
        if self.log_gain.size:
            coarse = torch.from_numpy(self.log_gain)[:, None]
            unit = unit * functional.interpolate(coarse, images.shape[-2:], mode="bicubic").exp()
        if self.fields.size:
            unit = unit * self._band_signal(images.shape[-2:])
        images = unit * extent + low
        mean = images.mean((1, 2, 3), keepdim=True)
        images = (images - mean) * contrast + mean + brightness
        if self.blurred.any():
            coarse = functional.avg_pool2d(images, 2)
            soft = functional.interpolate(coarse, images.shape[-2:], mode="bilinear")
            images = torch.where(torch.from_numpy(self.blurred)[:, None, None, None], soft, images)
        if self.noise_sd.any():
            generator = torch.Generator().manual_seed(self.noise_seed)
            whole = (self.before + len(images) + self.after, *images.shape[1:])
            noise = torch.randn(whole, generator=generator)[self.before :][: len(images)]
            images = images + noise * torch.from_numpy(self.noise_sd)[:, None, None, None]
        return images

    def _band_signal(self, size: torch.Size) -> Tensor:
        """Share of the signal (N, 1, rows, columns) that the bands leave."""
        y, x = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in size), indexing="ij")
        terms = torch.stack([torch.ones_like(y), y, x, y * y, x * y, x * x])
        cycles = torch.einsum("nt,trc->nrc", torch.from_numpy(self.fields), terms)
        width, depth = torch.from_numpy(self.bands).T[:, :, None, None]
        off = (cycles - cycles.round()) / width
        signal: Tensor = 1 - depth * (-off.square()).exp()
        return signal[:, None]


def _bent(unit: Tensor, curves: Tensor) -> Tensor:
    """Intensities from 0 to 1 sent through piecewise linear curves, one for each image."""
    steps = curves.shape[1] - 1
    place = unit.flatten(1).clamp(0, 1) * steps
    below = place.long().clamp_max(steps - 1)
    start, end = curves.gather(1, below), curves.gather(1, below + 1)
    return (start + (end - start) * (place - below)).view_as(unit)


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
    noise_sd = rng.uniform(0, a.noise, count).astype(np.float32)
    blurred = rng.random(count) < a.blur
    noise_seed = int(rng.integers(0, 2**63))
    log_gain = _log_gains(a.bias, count, rng) if a.bias else _none()
    curves = _curves(a.curve, count, rng) if a.curve else _none()
    fields, bands = _bands(a.bands, count, rng) if a.bands else (_none(), _none())
    return Draw(
        matrices=(turn * scale[:, None, :]).astype(np.float32),
        centres=(centres + shift).astype(np.float32),
        tone=tone.astype(np.float32),
        noise_sd=noise_sd,
        blurred=blurred,
        noise_seed=noise_seed,
        log_gain=log_gain,
        curves=curves,
        fields=fields,
        bands=bands,
    )


def _log_gains(bias: float, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth gains with mean 1 on a logarithmic scale, each of its own strength."""
    strength = rng.uniform(0, bias, (count, 1, 1))
    rough = rng.normal(size=(count, _GAIN_SIDE, _GAIN_SIDE))
    rough -= rough.mean((1, 2), keepdims=True)
    return (strength * rough).astype(np.float32)


def _curves(unevenness: float, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Rising curves from 0 to 1, each of its own unevenness."""
    strength = rng.uniform(0, unevenness, (count, 1))
    steps = np.exp(strength * rng.normal(size=(count, _CURVE_POINTS - 1)))
    rising = np.cumsum(steps, axis=1) / steps.sum(axis=1, keepdims=True)
    return np.concatenate([np.zeros((count, 1)), rising], axis=1).astype(np.float32)


def _bands(
    share: float, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fields, and widths and depths of their bands; slices without bands have the depth 0."""
    slope = rng.uniform(0.25, 1, count) * _BAND_CYCLES / 2
    angle = rng.uniform(0, 2 * np.pi, count)
    bend = rng.normal(0, 0.5, (count, 3))
    fields = [rng.uniform(0, 1, count), slope * np.cos(angle), slope * np.sin(angle), *bend.T]
    width, depth = rng.uniform(*_BAND_WIDTHS, count), rng.uniform(*_BAND_DEPTHS, count)
    depth = np.where(rng.random(count) < share, depth, 0)
    bands = np.stack([width, depth], axis=-1)
    return np.stack(fields, axis=-1).astype(np.float32), bands.astype(np.float32)
