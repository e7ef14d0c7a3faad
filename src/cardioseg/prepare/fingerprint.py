"""A data set's fingerprint: the facts about its grids that a plan is chosen from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.errors import DatasetError
from cardioseg.prepare.plan import NetworkPlan, Plan, Plane, SinglePlane, single_planes
from cardioseg.prepare.preparation import slice_orientation

COVERED_PERCENTILE = 95.0
"""A plan's field of view covers this share of the images, in percent."""


@dataclass(frozen=True)
class Fingerprint:
    """In-plane facts of the volumes of a data set, each a tuple over cases and their planes.

    Parameters
    ----------
    spacing_mm
        In-plane spacing, geometric mean of rows and columns.
    extent_mm
        Longer in-plane side of the image.
    slices
        Number of slices.
    """

    spacing_mm: tuple[float, ...]
    extent_mm: tuple[float, ...]
    slices: tuple[int, ...]

    def plan(
        self, network: NetworkPlan, scheme: str, plane: Plane = "native", largest: int = 256
    ) -> Plan:
        """A plan that fits the data: median spacing, and a size that covers most images.

        Parameters
        ----------
        network
            The network.
        scheme
            Scheme of the answer.
        plane
            Plane of the slices.
        largest
            Largest side of a prepared slice, in pixels; wider images are cropped in the middle.
        """
        spacing = round(float(np.median(self.spacing_mm)), 2)
        extent = float(np.percentile(self.extent_mm, COVERED_PERCENTILE))
        stride = network.stride
        steps = min(np.ceil(extent / spacing / stride), max(largest // stride, 1))
        side = int(steps) * stride
        return Plan(
            plane=plane, spacing_mm=spacing, size=(side, side), network=network, scheme=scheme
        )


def fingerprint(cases: Iterable[Case], plane: Plane = "native") -> Fingerprint:
    """Read the images of the cases, one at a time, and note their in-plane facts.

    Raises
    ------
    DatasetError
        If there are no cases.
    GeometryError
        If the native plane is asked for and a case has none.
    """
    grids = [case.image().geometry for case in cases]
    facts = [_facts(grid, each) for grid in grids for each in single_planes(plane)]
    if not facts:
        raise DatasetError("no cases to take a fingerprint of")
    spacing, extent, slices = zip(*facts, strict=True)
    return Fingerprint(tuple(spacing), tuple(extent), tuple(slices))


def _facts(geometry: Geometry, plane: SinglePlane) -> tuple[float, float, int]:
    sliced = slice_orientation(geometry, plane).geometry(geometry)
    _, row, column = sliced.spacing
    count, rows, columns = sliced.shape
    return float(np.sqrt(row * column)), max(rows * row, columns * column), count
