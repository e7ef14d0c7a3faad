"""The heart's cycle in a cine: volumes over time, end-diastole and end-systole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap
from cardioseg.errors import LabelError
from cardioseg.evaluation.volumetry import left_ventricle

_BLOOD = "blood pool"


@dataclass(frozen=True)
class Cycle:
    """Volumes of every structure over the frames of a cine.

    Parameters
    ----------
    times_ms
        Time of each frame after the R wave; empty where unknown.
    volumes_ml
        Volume of each structure in each frame, by name.
    ed, es
        Index of end-diastole and end-systole, from 0: the largest and the smallest left ventricle
        (blood pool, where the scheme has no ventricles). None where none was found.
    """

    times_ms: tuple[float, ...]
    volumes_ml: Mapping[str, tuple[float, ...]]
    ed: int | None
    es: int | None


def cycle_of(labels: Sequence[LabelMap], times_ms: tuple[float, ...] = ()) -> Cycle:
    """The cycle from the labels of all frames.

    Examples
    --------
    >>> from cardioseg.core.geometry import Geometry
    >>> from cardioseg.core.labels import ACDC
    >>> grid = Geometry((10, 10, 10), np.eye(4))
    >>> full, half = np.full(grid.shape, 3, np.uint8), np.zeros(grid.shape, np.uint8)
    >>> half[:5] = 3
    >>> found = cycle_of([LabelMap(half, grid, ACDC), LabelMap(full, grid, ACDC)])
    >>> found.ed, found.es, found.volumes_ml["LV cavity"]
    (1, 0, (0.5, 1.0))
    """
    scheme = labels[0].scheme
    volumes = {
        s.name: tuple(round(each.volume_ml(s.name), 4) for each in labels)
        for s in scheme.structures
    }
    curve = volumes.get(_ejecting(scheme) or "", ())
    if not any(curve):
        return Cycle(times_ms, volumes, None, None)
    return Cycle(times_ms, volumes, int(np.argmax(curve)), int(np.argmin(curve)))


def frames_of(phase: str, cycle: Cycle, count: int) -> tuple[int, ...]:
    """Indices of the frames that `all`, `ed` or `es` means.

    Raises
    ------
    LabelError
        If end-diastole or end-systole is asked for and no ventricle was found.
    """
    if phase == "all":
        return tuple(range(count))
    chosen = cycle.ed if phase == "ed" else cycle.es
    if chosen is None:
        raise LabelError(
            f"no ventricle was found in any frame, so nothing says which is {phase.upper()}; "
            "name the frame by its number (--phase K)"
        )
    return (chosen,)


def _ejecting(scheme: LabelScheme) -> str | None:
    """The structure whose volume tells the phase."""
    names = [s.name for s in scheme.structures]
    return left_ventricle(scheme) or (_BLOOD if _BLOOD in names else None)
