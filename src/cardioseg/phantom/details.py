"""What closed solids leave out: ragged walls, partitions between chambers, where vessels end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening, distance_transform_edt, gaussian_filter

from cardioseg.core.geometry import Geometry
from cardioseg.phantom.fields import smooth_noise
from cardioseg.phantom.tissue import Tissue

Tissues = NDArray[np.uint8]
Mask = NDArray[np.bool_]

CHAMBERS = (Tissue.LV, Tissue.RV, Tissue.LA, Tissue.RA)
BLOOD = (*CHAMBERS, Tissue.AORTA, Tissue.PULMONARY_ARTERY, Tissue.SVC, Tissue.IVC)
MUSCLE = (Tissue.MYOCARDIUM, Tissue.RV_WALL, Tissue.LV_TRABECULAE, Tissue.RV_TRABECULAE)

_JOINED = (
    (Tissue.LA, Tissue.LV),
    (Tissue.RA, Tissue.RV),
    (Tissue.LV, Tissue.RV),
    (Tissue.AORTA, Tissue.LV),
    (Tissue.PULMONARY_ARTERY, Tissue.RV),
    (Tissue.PULMONARY_ARTERY, Tissue.LV),
    (Tissue.SVC, Tissue.RA),
    (Tissue.IVC, Tissue.RA),
)
"""Where blood flows through; every other contact of two kinds of blood has a partition."""

COARSE = 3
"""Distances are measured on every third voxel: vessels end where a reader thinks they do."""


@dataclass(frozen=True)
class Details:
    """How much of each detail a heart has.

    Parameters
    ----------
    lv_trabeculae, rv_trabeculae
        How far muscle reaches into the blood beside a wall, 0 (smooth) to 1.
    trabecula_mm
        Width of a trabecula.
    thinned
        Share of the right ventricle's wall that is too thin to be seen.
    partitions
        Whether chambers and vessels that touch have a wall between them.
    rounding_mm
        Radius of the ventricles' rim at the base, which closed solids cut off sharply.
    vessel_mm
        How far each vessel counts as blood pool, from the chambers; beyond, it is a vessel that a
        reader leaves out.
    """

    lv_trabeculae: float
    rv_trabeculae: float
    trabecula_mm: float
    thinned: float
    partitions: bool
    rounding_mm: float
    vessel_mm: Mapping[Tissue, float]


def draw_details(rng: np.random.Generator, size: float) -> Details:
    """Random details of a heart of `size` times an adult's."""
    reach = {
        Tissue.SVC: (5, 45),
        Tissue.IVC: (2, 30),
        Tissue.PULMONARY_ARTERY: (12, 45),
        Tissue.LA: (4, 24),
        Tissue.AORTA: (50, 170),
    }
    return Details(
        lv_trabeculae=float(rng.uniform(0, 0.8)),
        rv_trabeculae=float(rng.uniform(0.1, 1)),
        trabecula_mm=float(rng.uniform(2.0, 3.5)) * size**0.5,
        thinned=float(rng.uniform(0, 0.5)),
        partitions=bool(rng.random() < 0.8),
        rounding_mm=size * float(rng.uniform(4, 9)),
        vessel_mm={t: size * float(rng.uniform(*ends)) for t, ends in reach.items()},
    )


def detailed(
    tissues: Tissues, geometry: Geometry, details: Details, rng: np.random.Generator
) -> Tissues:
    """Tissues (I, J, K) with the details that a scan shows.

    Parameters
    ----------
    tissues
        Values of `Tissue`; not changed.
    geometry
        Their grid.
    details
        How much of each.
    rng
        Source of randomness.
    """
    answer = tissues.copy()
    _round_base(answer, geometry, details.rounding_mm)
    _end_vessels(answer, geometry, details)
    if details.partitions:
        _part_chambers(answer, smooth_noise(geometry, 18.0, rng) < 1.2)
    _roughen(answer, geometry, details, rng)
    thin = smooth_noise(geometry, 22.0, rng) < np.float32(3 * details.thinned - 1.8)
    answer[(answer == Tissue.RV_WALL) & thin] = Tissue.FAT
    return answer


def _round_base(tissues: Tissues, geometry: Geometry, radius_mm: float) -> None:
    """Take off the ventricles' sharp rim where nothing continues it."""
    heart = np.isin(tissues, (*MUSCLE, *BLOOD))
    rounds = max(round(radius_mm / float(np.mean(geometry.spacing))), 1)
    kept = binary_opening(heart, iterations=rounds)
    ventricles = np.isin(tissues, (*MUSCLE, Tissue.LV, Tissue.RV))
    tissues[ventricles & ~kept] = Tissue.FAT


def _end_vessels(tissues: Tissues, geometry: Geometry, details: Details) -> None:
    """Vessels beyond their reach become vessels that do not count."""
    coarse = tissues[::COARSE, ::COARSE, ::COARSE]
    spacing = np.multiply(geometry.spacing, COARSE)
    chambers = np.isin(coarse, (*CHAMBERS, *MUSCLE))
    rounds = max(int(9.0 / spacing.mean()), 1)
    # Opening removes the pulmonary veins, which are painted as left atrium.
    core = binary_opening(chambers, iterations=rounds) | (chambers & (coarse != Tissue.LA))
    if not core.any():
        return
    distance = distance_transform_edt(~core, sampling=spacing).astype(np.float32)
    far = np.ix_(
        *(
            np.minimum(np.arange(n) // COARSE, c - 1)
            for n, c in zip(tissues.shape, coarse.shape, strict=True)
        )
    )
    limit = np.full(len(Tissue), np.inf, np.float32)
    limit[list(details.vessel_mm)] = list(details.vessel_mm.values())
    tissues[distance[far] > limit[tissues]] = Tissue.SMALL_VESSEL


def _part_chambers(tissues: Tissues, where: Mask) -> None:
    """One voxel of wall between two kinds of blood that do not flow into each other."""
    walled = np.zeros((len(Tissue), len(Tissue)), bool)
    walled[np.ix_(BLOOD, BLOOD)] = True
    walled[BLOOD, BLOOD] = False
    for first, second in _JOINED:
        walled[first, second] = walled[second, first] = False
    marked = np.zeros(tissues.shape, bool)
    for axis in range(3):
        along = np.moveaxis(tissues, axis, 0)
        np.moveaxis(marked, axis, 0)[1:] |= walled[along[1:], along[:-1]]
    tissues[marked & where] = Tissue.MUSCLE


def _roughen(
    tissues: Tissues, geometry: Geometry, details: Details, rng: np.random.Generator
) -> None:
    """Muscle reaches into the ventricles' blood, the more the nearer to a wall."""
    width = [2.5 * details.trabecula_mm / s for s in geometry.spacing]
    muscle = np.isin(tissues, MUSCLE).astype(np.float32)
    nearness = gaussian_filter(muscle, width, truncate=2)
    nearness += 0.3 * np.minimum(smooth_noise(geometry, details.trabecula_mm, rng), 2)
    for blood, trabeculae, amount in (
        (Tissue.LV, Tissue.LV_TRABECULAE, details.lv_trabeculae),
        (Tissue.RV, Tissue.RV_TRABECULAE, details.rv_trabeculae),
    ):
        rough = nearness > np.float32(1.05 - 0.5 * amount)
        tissues[(tissues == blood) & rough] = trabeculae
