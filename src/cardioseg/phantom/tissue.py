"""Tissues of the phantom, and how they read in each label scheme."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, HVSMR2, MYOCARDIUM_BLOOD, LabelScheme
from cardioseg.core.volume import LabelMap
from cardioseg.errors import GeometryError, LabelError


class Tissue(IntEnum):
    """What a point of the phantom is made of."""

    AIR = 0
    LUNG = 1
    FAT = 2
    MUSCLE = 3
    LIVER = 4
    STOMACH = 5
    SPLEEN = 6
    MARROW = 7
    CORTEX = 8
    DISC = 9
    SPINAL_FLUID = 10
    SMALL_VESSEL = 11
    MYOCARDIUM = 12
    RV_WALL = 13
    LV_TRABECULAE = 14
    RV_TRABECULAE = 15
    LV = 16
    RV = 17
    LA = 18
    RA = 19
    AORTA = 20
    PULMONARY_ARTERY = 21
    SVC = 22
    IVC = 23


_CHAMBERS = {
    Tissue.LV: "LV",
    Tissue.LV_TRABECULAE: "LV",
    Tissue.RV: "RV",
    Tissue.RV_TRABECULAE: "RV",
    Tissue.LA: "LA",
    Tissue.RA: "RA",
    Tissue.AORTA: "aorta",
    Tissue.PULMONARY_ARTERY: "pulmonary artery",
    Tissue.SVC: "SVC",
    Tissue.IVC: "IVC",
}

# The thin RV wall has no label, as in the data sets; trabeculae and papillary muscles count as
# cavity.
STRUCTURES: dict[str, dict[Tissue, str]] = {
    HVSMR2.name: _CHAMBERS,
    MYOCARDIUM_BLOOD.name: {
        **dict.fromkeys(_CHAMBERS, "blood pool"),
        Tissue.MYOCARDIUM: "myocardium",
    },
    ACDC.name: {
        **{t: f"{name} cavity" for t, name in _CHAMBERS.items() if name in ("LV", "RV")},
        Tissue.MYOCARDIUM: "myocardium",
    },
}
"""For each scheme, the structure that a tissue belongs to; all others are background."""


@dataclass(frozen=True, eq=False)
class TissueMap:
    """Tissues on a grid.

    Parameters
    ----------
    array
        Values of `Tissue` (I, J, K), uint8.
    geometry
        The grid.

    Raises
    ------
    GeometryError
        If array and grid differ in shape.
    LabelError
        If a value is no tissue.
    """

    array: NDArray[np.uint8]
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise GeometryError(
                f"a tissue map of shape {self.array.shape} on a grid of shape {self.geometry.shape}"
            )
        highest = int(self.array.max(initial=0))
        if self.array.dtype != np.uint8 or highest > max(Tissue):
            raise LabelError(
                f"a tissue map holds uint8 values up to {int(max(Tissue))}, "
                f"not {self.array.dtype} up to {highest}"
            )
        if self.array.flags.writeable:
            array = self.array.copy()
            array.setflags(write=False)
            object.__setattr__(self, "array", array)

    def labels(self, scheme: LabelScheme) -> LabelMap:
        """The same grid labelled in a scheme.

        Raises
        ------
        LabelError
            If the phantom has no structures for that scheme.
        """
        if scheme.name not in STRUCTURES:
            choices = ", ".join(STRUCTURES)
            raise LabelError(f"the phantom has no labels of scheme {scheme.name}; it has {choices}")
        table = np.zeros(len(Tissue), np.uint8)
        for tissue, name in STRUCTURES[scheme.name].items():
            table[tissue] = scheme.structure(name).value
        return LabelMap(table[self.array], self.geometry, scheme)
