"""What labels tell: who encloses whom, where they are cut, whether they lie on their image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.evaluation.volumetry import left_ventricle, myocardium, right_ventricle

ENCLOSED = 0.6
"""Least share of the LV cavity's outline that must be myocardium; 0.98 or more on ACDC (160 cases),
and at most 0.45 for any other pair of structures."""

CUT_SHARE = 0.75
"""Labels that end at both ends with this much of their largest section are cut; a ventricle tapers
towards its apex."""

_INSIDE = {"87878005", "53085002", "82471001", "73829009", "74281007"}
"""SNOMED CT codes of the chambers and the myocardium: they end inside a scan, vessels run on."""

_REST_OF_WALL = {"infarct", "scar", "oedema", "no-reflow"}
"""Structures that take the myocardium's place around the LV."""


@dataclass(frozen=True)
class Parts:
    """Values of the ventricles and the muscle in a scheme; None where it has no such structure.

    `wall` has the myocardium's value and those of diseased muscle.
    """

    lv: int | None
    rv: int | None
    myocardium: int | None
    wall: tuple[int, ...] = ()


def parts_of(scheme: LabelScheme) -> Parts:
    """Which values are the left and right ventricle and the myocardium.

    Examples
    --------
    >>> from cardioseg.core.labels import ACDC
    >>> parts_of(ACDC)
    Parts(lv=3, rv=1, myocardium=2, wall=(2,))
    """
    names = (left_ventricle(scheme), right_ventricle(scheme), myocardium(scheme))
    lv, rv, muscle = (None if name is None else scheme.structure(name).value for name in names)
    diseased = [s.value for s in scheme.structures if s.name in _REST_OF_WALL]
    return Parts(lv, rv, muscle, () if muscle is None else (muscle, *diseased))


def stack(array: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
    """The label map with its slices along the last axis: the native one, else the third."""
    return np.moveaxis(array, geometry.shown_axis, 2)


def enclosure(slices: NDArray[np.uint8], inner: int, outer: Sequence[int]) -> float:
    """Share of the pixels just outside a structure, within its slices, that are others'.

    Parameters
    ----------
    slices
        Label values (rows, columns, slices).
    inner, outer
        Value of the structure, and values of those around it.

    Returns
    -------
    float
        0 to 1; 0 where the inner structure is absent.

    Examples
    --------
    >>> slices = np.zeros((5, 5, 1), np.uint8); slices[1:4, 1:4] = 2; slices[2, 2] = 3
    >>> enclosure(slices, inner=3, outer=[2])
    1.0
    """
    inside = np.pad(slices == inner, ((1, 1), (1, 1), (0, 0)))
    around = np.zeros_like(inside)
    for axis in (0, 1):
        for step in (-1, 1):
            around |= np.roll(inside, step, axis)
    ring = (around & ~inside)[1:-1, 1:-1]
    count = int(np.count_nonzero(ring))
    return float(np.count_nonzero(np.isin(slices[ring], outer)) / count) if count else 0.0


def convention(slices: NDArray[np.uint8], parts: Parts) -> tuple[float, dict[int, int]]:
    """How far the myocardium encloses the LV, and the renumbering in which it would.

    Returns
    -------
    tuple
        The share, 0 to 1, and what to renumber; empty where the labels are right or where no
        exchange of the three numbers makes them right.
    """
    if parts.lv is None or parts.myocardium is None:
        return 1.0, {}
    found = enclosure(slices, parts.lv, parts.wall)
    if found >= ENCLOSED:
        return found, {}
    values = [v for v in (parts.rv, parts.myocardium, parts.lv) if v is not None]
    ranked = sorted(
        (
            (enclosure(slices, inner, [outer]), inner, outer)
            for inner, outer in permutations(values, 2)
        ),
        reverse=True,
    )
    share, inner, outer = ranked[0]
    if share < ENCLOSED or share < 1.5 * found:
        return found, {}
    return found, _renumbering(inner, outer, parts, values)


def _renumbering(inner: int, outer: int, parts: Parts, values: list[int]) -> dict[int, int]:
    if parts.lv is None or parts.myocardium is None:
        return {}
    table = {inner: parts.lv, outer: parts.myocardium}
    left = [value for value in values if value not in table]
    free = [value for value in values if value not in table.values()]
    table.update(zip(left, free, strict=True))
    return {old: new for old, new in table.items() if old != new}


def cut_words(slices: NDArray[np.uint8], geometry: Geometry, scheme: LabelScheme) -> list[str]:
    """Where labels are cut: at the image's edge, between slices, at both ends; one line each."""
    words = []
    for structure in scheme.structures:
        if structure.code[1] in _INSIDE:
            mask = slices == structure.value
            if mask.any():
                words += _cut(mask, structure.name, stacked=geometry.native_axis is not None)
    return words


def _cut(mask: NDArray[np.bool_], name: str, *, stacked: bool) -> list[str]:
    edges = int(np.count_nonzero(mask[[0, -1]])) + int(np.count_nonzero(mask[:, [0, -1]]))
    words = [f"{name} touches the edge of the image ({edges} pixels)"] * bool(edges)
    areas = mask.sum(axis=(0, 1))
    where = np.flatnonzero(areas)
    missing = sorted(set(range(where[0], where[-1] + 1)) - set(where.tolist()))
    if missing and stacked:
        numbers = ", ".join(str(k + 1) for k in missing)
        words.append(f"{name} is missing in slice {numbers}, between slices that have it")
    if stacked and len(where) > 2:
        ends = min(areas[where[0]], areas[where[-1]]) / areas.max()
        if ends >= CUT_SHARE:
            words.append(f"{name} ends abruptly: {ends:.0%} of its largest section at both ends")
    return words


def brightness(image: NDArray[np.float32], labels: NDArray[np.uint8], parts: Parts) -> float | None:
    """Chance that a voxel of the LV is brighter than one of the myocardium, 0 to 1.

    Well away from 0.5 where labels lie on their image; None where a structure is absent.
    """
    if parts.lv is None or parts.myocardium is None or image.shape != labels.shape:
        return None
    blood, muscle = (image[labels == value] for value in (parts.lv, parts.myocardium))
    if not (blood.size and muscle.size):
        return None
    below = np.searchsorted(np.sort(muscle), blood)
    return float(below.mean() / muscle.size)


def renumbering_words(table: Mapping[int, int], scheme: LabelScheme) -> str:
    """A renumbering in words, such as '3 is RV cavity, 1 is LV cavity'."""
    names = {structure.value: structure.name for structure in scheme.structures}
    return ", ".join(f"{old} is {names[new]}" for old, new in table.items())
