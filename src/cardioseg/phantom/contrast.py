"""Contrasts: the signal of each tissue in a kind of MR image, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cardioseg.errors import LabelError
from cardioseg.phantom.tissue import Tissue

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class Contrast:
    """Signal and texture of each tissue, in an arbitrary unit.

    Parameters
    ----------
    name
        What kind of image it makes.
    signal
        Mean signal of each tissue or label value; 0 has none unless named. A negative signal is
        out of phase: it cancels the others within a voxel, as fat does in balanced SSFP.
    texture
        Standard deviation within a tissue; 0 where not named.
    """

    name: str
    signal: Mapping[int, float] = field(hash=False)
    texture: Mapping[int, float] = field(default_factory=dict, hash=False)

    def tables(self, values: NDArray[np.uint8]) -> tuple[Float32Array, Float32Array]:
        """Lookup tables (256,) of signal and texture for the values of a map.

        Raises
        ------
        LabelError
            If the map holds a value without a signal.
        """
        signal, texture = np.zeros((2, 256), np.float32)
        signal[list(self.signal)] = list(self.signal.values())
        texture[list(self.texture)] = list(self.texture.values())
        present = np.flatnonzero(np.bincount(values.ravel(), minlength=256)).tolist()
        missing = [str(v) for v in present if v and v not in self.signal]
        if missing:
            raise LabelError(
                f"contrast {self.name} has no signal for the values {', '.join(missing)} of the "
                "map; add them to its signals"
            )
        return signal, texture

    def varied(self, rng: np.random.Generator, spread: float = 0.08) -> Contrast:
        """Another scanner's version: each signal times a random factor, texture in proportion.

        Parameters
        ----------
        rng
            Source of randomness.
        spread
            Standard deviation of the factors' logarithms.
        """
        factors = dict(
            zip(self.signal, np.exp(rng.normal(0, spread, len(self.signal))), strict=True)
        )
        signal = {value: float(mean * factors[value]) for value, mean in self.signal.items()}
        texture = {v: float(sd * factors.get(v, 1.0)) for v, sd in self.texture.items()}
        return replace(self, signal=signal, texture=texture)

    def scaled(self, gain: float) -> Contrast:
        """The same contrast at another receiver gain."""
        signal = {value: gain * mean for value, mean in self.signal.items()}
        texture = {value: gain * sd for value, sd in self.texture.items()}
        return replace(self, signal=signal, texture=texture)


_TEXTURE: dict[int, float] = {
    Tissue.LUNG: 5.0,
    Tissue.FAT: 9.0,
    Tissue.MUSCLE: 7.0,
    Tissue.LIVER: 5.0,
    Tissue.STOMACH: 25.0,
    Tissue.SPLEEN: 7.0,
    Tissue.MARROW: 12.0,
    Tissue.MYOCARDIUM: 6.0,
    Tissue.RV_WALL: 6.0,
    Tissue.LV_TRABECULAE: 14.0,
    Tissue.RV_TRABECULAE: 10.0,
    Tissue.LV: 9.0,
    Tissue.RV: 11.0,
    Tissue.LA: 12.0,
    Tissue.RA: 12.0,
    Tissue.AORTA: 9.0,
    Tissue.PULMONARY_ARTERY: 10.0,
    Tissue.SVC: 9.0,
    Tissue.IVC: 9.0,
}


def _contrast(name: str, rest: Mapping[int, float], blood: Mapping[int, float]) -> Contrast:
    """Signals with one value for the blood of a side unless named."""
    left, right = blood[Tissue.LV], blood[Tissue.RV]
    signal: dict[int, float] = {
        Tissue.AIR: 0.0,
        Tissue.CORTEX: 8.0,
        Tissue.LA: 0.96 * left,
        Tissue.AORTA: 0.97 * left,
        Tissue.RA: 0.97 * right,
        Tissue.PULMONARY_ARTERY: 0.97 * right,
        Tissue.SVC: 0.95 * right,
        Tissue.IVC: 0.95 * right,
        Tissue.SMALL_VESSEL: 0.85 * right,
        **blood,
        **rest,
    }
    return Contrast(name, signal, _TEXTURE)


CINE = _contrast(
    "cine",
    {
        Tissue.LUNG: 9.0,
        Tissue.FAT: -190.0,
        Tissue.MUSCLE: 42.0,
        Tissue.LIVER: 56.0,
        Tissue.STOMACH: 110.0,
        Tissue.SPLEEN: 88.0,
        Tissue.MARROW: -58.0,
        Tissue.DISC: 55.0,
        Tissue.SPINAL_FLUID: 200.0,
        Tissue.MYOCARDIUM: 58.0,
        Tissue.RV_WALL: 58.0,
        Tissue.LV_TRABECULAE: 76.0,
        Tissue.RV_TRABECULAE: 80.0,
    },
    {Tissue.LV: 178.0, Tissue.RV: 160.0},
)
"""Balanced SSFP cine: bright blood, muscle a third of it, bright fat with dark outlines."""

LATE_ENHANCEMENT = _contrast(
    "late_enhancement",
    {
        Tissue.LUNG: 10.0,
        Tissue.FAT: 190.0,
        Tissue.MUSCLE: 48.0,
        Tissue.LIVER: 70.0,
        Tissue.STOMACH: 60.0,
        Tissue.SPLEEN: 80.0,
        Tissue.MARROW: 90.0,
        Tissue.DISC: 30.0,
        Tissue.SPINAL_FLUID: 25.0,
        Tissue.MYOCARDIUM: 14.0,
        Tissue.RV_WALL: 18.0,
        Tissue.LV_TRABECULAE: 55.0,
        Tissue.RV_TRABECULAE: 50.0,
    },
    {Tissue.LV: 125.0, Tissue.RV: 132.0},
)
"""Inversion recovery after gadolinium: healthy muscle nulled, blood grey, fat bright."""

T1_WEIGHTED = _contrast(
    "t1_weighted",
    {
        Tissue.LUNG: 8.0,
        Tissue.FAT: 215.0,
        Tissue.MUSCLE: 78.0,
        Tissue.LIVER: 105.0,
        Tissue.STOMACH: 60.0,
        Tissue.SPLEEN: 80.0,
        Tissue.MARROW: 130.0,
        Tissue.DISC: 70.0,
        Tissue.SPINAL_FLUID: 35.0,
        Tissue.MYOCARDIUM: 92.0,
        Tissue.RV_WALL: 92.0,
        Tissue.LV_TRABECULAE: 60.0,
        Tissue.RV_TRABECULAE: 60.0,
    },
    {Tissue.LV: 20.0, Tissue.RV: 26.0},
)
"""Black-blood T1-weighted spin echo: dark blood, grey muscle, bright fat."""

WHOLE_HEART = _contrast(
    "whole_heart",
    {
        Tissue.LUNG: 12.0,
        Tissue.FAT: 58.0,
        Tissue.MUSCLE: 66.0,
        Tissue.LIVER: 82.0,
        Tissue.STOMACH: 80.0,
        Tissue.SPLEEN: 90.0,
        Tissue.MARROW: 62.0,
        Tissue.DISC: 82.0,
        Tissue.SPINAL_FLUID: 120.0,
        Tissue.MYOCARDIUM: 82.0,
        Tissue.RV_WALL: 82.0,
        Tissue.LV_TRABECULAE: 100.0,
        Tissue.RV_TRABECULAE: 102.0,
    },
    {Tissue.LV: 158.0, Tissue.RV: 152.0},
)
"""Three-dimensional whole-heart SSFP with fat suppression and T2 preparation."""
