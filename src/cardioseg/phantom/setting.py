"""How far synthetic whole-heart scans differ from each other, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

from cardioseg.phantom.fields import Deformation


@dataclass(frozen=True)
class Setting:
    """Ranges of shapes and contrasts of whole-heart scans.

    Parameters
    ----------
    name, stream
        What its cases are called, and the number that keeps its random numbers apart.
    deformation
        Largest free-form deformation; each scan draws a share of it.
    turn_deg, stretch
        Spread of the turn about each axis, and of the logarithm of the stretch along it.
    spread
        Width of the ranges of contrasts and artefacts, relative to training's.
    full_share
        Share of the scans that show the thorax instead of the box around the heart.
    """

    name: str = "congenital"
    stream: int = 7
    deformation: Deformation = field(default_factory=Deformation)
    turn_deg: float = 8.0
    stretch: float = 0.08
    spread: float = 1.0
    full_share: float = 0.15


TRAINING = Setting()

HARDER = Setting(
    name="harder",
    stream=9,
    deformation=Deformation(strengths=(0.75, 0.5, 0.35)),
    turn_deg=12.0,
    stretch=0.1,
    spread=1.25,
)
"""For validation: shapes and contrasts beyond those of training."""
