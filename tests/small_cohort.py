"""A cohort of tiny scans, a tiny model, and a model that kills whoever asks it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import Volume
from cardioseg.inference.predictor import Prediction
from cardioseg.inference.segmenter import Segmenter
from cardioseg.io.images import write_volume
from cardioseg.model import NETWORK, write_model
from cardioseg.prepare.plan import Plan
from cardioseg.workflows.choice import Choice

KILLS_ONCE, KILLS_ALWAYS = 5, 6
"""Slices of a scan at which :class:`Deadly` ends its process."""


def small_model(folder: Path) -> Path:
    """A model folder of a random network."""
    # It imports torch, which most tests here do without.
    from tests.networks import SMALL, exported_network

    plan = Plan(spacing_mm=1.5, size=(16, 16), network=SMALL, scheme="acdc")
    return write_model(folder, plan, {NETWORK: exported_network()}).folder


def scan(path: Path, slices: int = 3, seed: int = 0) -> Path:
    """A file of noise, 16 x 16 voxels a slice."""
    grid = Geometry((16, 16, slices), np.diag([1.5, 1.5, 8.0, 1.0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(Volume(np.random.default_rng(seed).random(grid.shape, np.float32), grid), path)
    return path


@dataclass(frozen=True)
class Deadly:
    """A choice whose segmenter leaves a mark and ends its process, as the scan's slices say."""

    choice: Choice
    marks: Path

    def opened(self, threads: int | None = None) -> Segmenter:
        return DeadlySegmenter(self.choice.opened(threads), self.marks)


@dataclass(frozen=True)
class DeadlySegmenter:
    segmenter: Segmenter
    marks: Path

    @property
    def scheme(self) -> LabelScheme:
        return self.segmenter.scheme

    @property
    def settings(self) -> dict[str, str | bool]:
        return dict(self.segmenter.settings)

    def predict(self, volume: Volume) -> Prediction:
        slices = volume.geometry.shape[2]
        marks = len(list(self.marks.glob(f"{slices}-*")))
        if slices == KILLS_ALWAYS or (slices == KILLS_ONCE and not marks):
            (self.marks / f"{slices}-{marks}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.segmenter.predict(volume)
