"""From loose planes to a stack: every frame complete, every slice at its place on one grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from cardioseg.core.geometry import Float64Array
from cardioseg.errors import GeometryError
from cardioseg.io.dicom.header import text
from cardioseg.io.dicom.planes import Plane
from cardioseg.io.dicom.timing import SamePixels, in_order

SAME_DIRECTION = 1e-3
"""Two images are parallel if no direction cosine differs by more: cosines have six digits."""

SAME_PLACE_MM = 0.05
"""Positions of one slice in different frames differ only by rounding."""

GAP_TOLD = 0.01
"""Share of the slice distance by which a slice may lie off the regular grid in silence."""

GAP_REFUSED = 0.05
"""Share of the slice distance beyond which no regular grid describes the stack."""

_TOLD = 4
Group = list[Plane]


@dataclass(frozen=True, eq=False)
class Stack:
    """Planes on a regular grid.

    Parameters
    ----------
    planes
        [frame][slice]; slices in the direction of the images' normal.
    times_ms
        Time of each frame after the R wave; empty where unknown.
    notes
        What is worth telling, without file names.
    """

    planes: tuple[tuple[Plane, ...], ...]
    times_ms: tuple[float, ...]
    notes: tuple[str, ...]


def arrange(planes: Sequence[Plane], same_pixels: SamePixels) -> Stack:
    """Sort planes by place and time.

    Parameters
    ----------
    planes
        All planes of a series, in any order.
    same_pixels
        Whether two planes hold the same pixels; asked only where two claim one place and time.

    Raises
    ------
    GeometryError
        If they differ in orientation, size or spacing; a slice is missing or out of line; or
        the slices have unequal numbers of frames.
    """
    _require_one_frame_of_reference(planes)
    _require_one(planes, "orientations", _parallel_groups(planes))
    _require_one(planes, "sizes", _groups(planes, lambda p: f"{p.columns} x {p.rows} pixels"))
    _require_one(planes, "pixel spacings", _groups(planes, _spacing_words))
    copies, unique = _without_copies(planes)
    positions, times, notes = in_order(_by_position(unique), same_pixels)
    _require_equal_counts(positions)
    notes = (*_copies_told(copies), *notes, *_require_regular([group[0] for group in positions]))
    frames = tuple(zip(*positions, strict=True))
    return Stack(frames, times, notes)


def _copies_told(copies: int) -> tuple[str, ...]:
    if not copies:
        return ()
    return (f"copies of images (one SOP instance UID) were left out: {copies}",)


def _without_copies(planes: Sequence[Plane]) -> tuple[int, list[Plane]]:
    """Each SOP instance and frame once, and how many were left out.

    Place and time count too: programs are met that give all images one UID.
    """
    seen: dict[Hashable, Plane] = {}
    for plane in planes:
        uid = text(plane.dataset, "SOPInstanceUID")
        moment = (tuple(plane.position), plane.trigger_ms, plane.temporal, plane.order)
        seen.setdefault((uid or id(plane.dataset), plane.frame, moment), plane)
    return len(planes) - len(seen), list(seen.values())


def _groups(planes: Sequence[Plane], key: Callable[[Plane], str]) -> dict[str, Group]:
    groups: dict[str, Group] = {}
    for plane in planes:
        groups.setdefault(key(plane), []).append(plane)
    return groups


def _spacing_words(plane: Plane) -> str:
    return f"{plane.spacing[0]:.4g} x {plane.spacing[1]:.4g} mm"


def _parallel_groups(planes: Sequence[Plane]) -> dict[str, Group]:
    """Planes by orientation, named by the anatomical plane that they are closest to."""
    found: list[Group] = []
    for plane in planes:
        for group in found:
            if _same_directions(plane, group[0]):
                group.append(plane)
                break
        else:
            found.append([plane])
    names = ("sagittal", "coronal", "axial")
    closest = [names[int(np.abs(group[0].normal).argmax())] for group in found]
    return {
        f"{name} (view {n})": g for n, (name, g) in enumerate(zip(closest, found, strict=True), 1)
    }


def _require_one_frame_of_reference(planes: Sequence[Plane]) -> None:
    spaces = _groups(planes, lambda p: text(p.dataset, "FrameOfReferenceUID"))
    known = [group for uid, group in spaces.items() if uid]
    if len(known) > 1:
        raise GeometryError(
            f"images of {len(known)} frames of reference (such as {known[0][0].file.name} and "
            f"{known[1][0].file.name}): the patient was moved or placed anew between them, so "
            "their positions cannot be compared; choose images of one"
        )


def _same_directions(one: Plane, other: Plane) -> bool:
    apart = np.abs(
        np.concatenate([one.along_row - other.along_row, one.along_column - other.along_column])
    )
    return bool(apart.max() <= SAME_DIRECTION)


def _require_one(planes: Sequence[Plane], what: str, groups: dict[str, Group]) -> None:
    if len(groups) == 1:
        return
    told = [f"{len(g)} {words} (such as {g[0].file.name})" for words, g in groups.items()]
    more = f" and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    raise GeometryError(
        f"{len(planes)} images of {len(groups)} different {what}: {'; '.join(told[:_TOLD])}{more}. "
        "This is a localiser or several views in one series: choose a series that is one stack "
        "(--series), or put the images of one view into a folder of their own"
    )


def _by_position(planes: Sequence[Plane]) -> list[Group]:
    """Planes of one place together, along the normal.

    Raises
    ------
    GeometryError
        If a slice lies elsewhere within its plane from one frame to another.
    """
    normal = planes[0].normal
    ordered = sorted(planes, key=lambda p: float(p.position @ normal))
    positions: list[Group] = []
    for plane in ordered:
        here = float(plane.position @ normal)
        if positions and here - float(positions[-1][0].position @ normal) <= SAME_PLACE_MM:
            positions[-1].append(plane)
        else:
            positions.append([plane])
    for group in positions:
        for plane in group:
            apart = float(np.linalg.norm(plane.position - group[0].position))
            if apart > SAME_PLACE_MM:
                raise GeometryError(
                    f"{plane.file.name} and {group[0].file.name} are one slice but lie "
                    f"{apart:.3g} mm apart within its plane: the field of view was moved between "
                    "them; choose images of one field of view"
                )
    return positions


def _require_equal_counts(positions: Sequence[Group]) -> None:
    counts = Counter(len(group) for group in positions)
    if len(counts) == 1:
        return
    usual = counts.most_common(1)[0][0]
    odd = [
        f"slice {n} (such as {group[0].file.name}) has {len(group)}"
        for n, group in enumerate(positions, start=1)
        if len(group) != usual
    ]
    more = f", and {len(odd) - _TOLD} more slices" if len(odd) > _TOLD else ""
    raise GeometryError(
        f"unequal numbers of frames: most of the {len(positions)} slices have {usual} images, but "
        f"{', '.join(odd[:_TOLD])}{more}. Images are missing or two series are mixed: export the "
        "series again, or take the images of these slices out"
    )


def _require_regular(slices: Sequence[Plane]) -> tuple[str, ...]:
    """Refuse a stack with a gap or a slice out of line; the notes on what is only a little off."""
    if len(slices) < 2:
        return ()
    normal = slices[0].normal
    points = np.array([plane.position for plane in slices])
    heights = points @ normal
    steps = np.diff(heights)
    step = float(np.median(steps) if len(steps) > 2 else steps.min())
    share = np.arange(len(points))[:, None] / (len(points) - 1)
    off = points - (points[0] + share * (points[-1] - points[0]))
    along = np.abs(off @ normal)
    aside = np.linalg.norm(off - np.outer(off @ normal, normal), axis=1)
    if (np.abs(steps - step) > 2 * GAP_REFUSED * step).any() or along.max() > GAP_REFUSED * step:
        raise GeometryError(_gap_words(slices, steps, step))
    if aside.max() > GAP_REFUSED * step:
        worst = int(aside.argmax())
        raise GeometryError(
            f"slice {worst + 1} of {len(slices)} ({slices[worst].file.name}) lies "
            f"{aside[worst]:.3g} mm out of line within its plane: the field of view was moved "
            "between slices; resample the stack, or leave these slices out"
        )
    return (*_off_told(max(along.max(), aside.max()), step), *_depth_told(slices[0], step))


def _gap_words(slices: Sequence[Plane], steps: Float64Array, step: float) -> str:
    worst = int(np.abs(steps - step).argmax())
    between = (
        f"between slices {worst + 1} and {worst + 2} of {len(slices)} ({slices[worst].file.name}, "
        f"{slices[worst + 1].file.name}) lie {steps[worst]:.4g} mm, elsewhere {step:.4g} mm"
    )
    missing = steps[worst] / step - 1
    if missing > 0.5 and abs(missing - round(missing)) < 0.1:
        count = round(missing)
        return (
            f"{count} slice{'s are' if count > 1 else ' is'} missing: {between}; find the missing "
            "images or export the series again: nothing is filled in"
        )
    return (
        f"uneven gaps: {between}; a volume needs slices at equal distances: choose the images of "
        "one stack, or export the series again"
    )


def _off_told(off: float, step: float) -> tuple[str, ...]:
    if off <= GAP_TOLD * step:
        return ()
    return (
        f"slices lie up to {off:.2g} mm off equal distances of {step:.4g} mm: they are taken to "
        "be equal",
    )


def _depth_told(plane: Plane, step: float) -> tuple[str, ...]:
    claimed = plane.spacing_between
    if claimed is None or abs(claimed - step) <= GAP_REFUSED * step:
        return ()
    return (
        f"the header says {claimed:.4g} mm between slices, their positions {step:.4g} mm: the "
        "positions are used",
    )
