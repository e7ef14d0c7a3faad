"""Rules on the segmented heart as a whole: is it there, in one piece, closed, of a heart's size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cardioseg.core.quality import Reason, Verdict
from cardioseg.core.volume import MM3_PER_ML, LabelMap
from cardioseg.inference.quality import stack as facts
from cardioseg.inference.quality.stack import LV, RV, WALL, Stack

SMALLEST_HEART_ML = 25.0
"""All structures together: the smallest of 160 reference frames of ACDC has 124 ml."""

NOTHING_ML = 1.0
"""Less than this is no heart, however small: a newborn's has some 20 ml, a slice of its apex 1."""

VOLUMES_ML = {LV: (12.0, 500.0), WALL: (25.0, 400.0), RV: (8.0, 450.0)}
"""Volumes at ED or ES of adults, sick ones included: those of ACDC's 160 reference frames (19 to
374, 35 to 298, 10 to 295 ml) and about a third more."""

DIAMETERS_MM = (32.0, 120.0)
"""Outer diameter of the left ventricle's largest slice; 34 to 96 in ACDC's references."""

OPEN_WALL, OPEN_WALL_REJECTED = 0.08, 0.4
"""Share of the cavity's outline without myocardium; at most 0.02 in ACDC's references."""

HOLES = 0.01
"""Share of the ventricle; ACDC's references have none."""

PIECES = 0.02
"""Share outside the largest piece of a slice; ACDC's references have none."""

FRAGMENTS, FRAGMENTS_REJECTED = 0.2, 0.5
"""Share of what the network found that was dropped as not part of the one heart."""

BORDER = 0.01
"""Share of the outline on the image's border; none in ACDC's references."""


def heart_reasons(labels: LabelMap, found_voxels: int) -> Iterator[Reason]:
    """Whether there is a heart, whole and in one piece; for any label scheme.

    Parameters
    ----------
    labels
        The segmentation.
    found_voxels
        Voxels that the network called heart before loose pieces were dropped.
    """
    small = _small_heart(labels)
    missing = [s.name for s in labels.scheme.structures if not labels.mask(s.name).any()]
    if small:
        yield small
    elif missing:
        severe = set(missing) != {RV}
        yield Reason(
            Verdict.REJECT if severe else Verdict.REVIEW,
            "missing_structure",
            f"{' and '.join(missing)} not found: check that the whole heart is in the scan",
        )
    left = int(np.count_nonzero(labels.array))
    loose = 1 - left / found_voxels if found_voxels else 0.0
    if loose > FRAGMENTS:
        yield Reason(
            Verdict.REJECT if loose > FRAGMENTS_REJECTED else Verdict.REVIEW,
            "fragments",
            f"{loose:.0%} of what the network took for heart lay in loose pieces and was dropped: "
            "look for parts of the heart that are missing now",
        )


def _small_heart(labels: LabelMap) -> Reason | None:
    """Whether there is no heart, or less of it than a heart has."""
    flat = labels.geometry.shape.count(1) == 1
    if flat and not facts.is_short_axis(labels.scheme):
        # A picture of another kind (echo, cells) has an area, and no volume to judge by.
        words = "nothing found: check the image's contrast"
        return None if labels.array.any() else Reason(Verdict.REJECT, "nothing", words)
    total_ml = sum(labels.volume_ml(each.name) for each in labels.scheme.structures)
    if total_ml < NOTHING_ML:
        words = (
            f"no heart found ({total_ml:.1f} ml in all): choose the short-axis cine series, "
            "or check the image's contrast"
        )
        return Reason(Verdict.REJECT, "no_heart", words)
    # Of one slice it is told already that there are few.
    if flat or total_ml >= SMALLEST_HEART_ML:
        return None
    words = (
        f"{total_ml:.1f} ml of heart in all, any adult has more than {SMALLEST_HEART_ML:g}: check "
        "the spacing in the header and whether the whole heart was found"
    )
    return Reason(Verdict.REJECT, "no_heart", words)


def shape_reasons(stack: Stack) -> Iterator[Reason]:
    """Whether a short-axis heart is closed, inside the image and of a plausible size."""
    unclosed = facts.open_wall(stack)
    if unclosed > OPEN_WALL:
        yield Reason(
            Verdict.REJECT if unclosed > OPEN_WALL_REJECTED else Verdict.REVIEW,
            "open_wall",
            f"{unclosed:.0%} of the LV cavity's outline has no myocardium around it: "
            "close the wall by hand, or check that the slices are short-axis",
        )
    holes = facts.hole_share(stack)
    if holes > HOLES:
        words = f"holes of {holes:.1%} of the ventricle inside it: fill them by hand"
        yield Reason(Verdict.REVIEW, "holes", words)
    pieces = facts.piece_share(stack)
    if pieces > PIECES:
        yield Reason(
            Verdict.REVIEW,
            "pieces",
            f"{pieces:.1%} of the structures lie apart from the rest of their slice: "
            "look at those slices",
        )
    border = facts.border_share(stack)
    if border > BORDER:
        yield Reason(
            Verdict.REVIEW,
            "touches_border",
            "the heart touches the image's border: part of it may lie outside; "
            "take the uncropped series",
        )
    yield from _size_reasons(stack)


def _size_reasons(stack: Stack) -> Iterator[Reason]:
    for name, mask in ((LV, stack.lv), (WALL, stack.wall), (RV, stack.rv)):
        volume_ml = int(mask.sum()) * stack.geometry.voxel_volume_mm3 / MM3_PER_ML
        low, high = VOLUMES_ML[name]
        if mask.any() and not low <= volume_ml <= high:
            yield Reason(
                Verdict.REVIEW,
                "volume_range",
                f"{name} of {volume_ml:.1f} ml, adults have {low:g} to {high:g}: "
                "check the spacing in the header and whether the whole heart was found",
            )
    width_mm = facts.width_mm(stack)
    if width_mm and not DIAMETERS_MM[0] <= width_mm <= DIAMETERS_MM[1]:
        yield Reason(
            Verdict.REVIEW,
            "heart_size",
            f"the left ventricle is {width_mm:.0f} mm across, adults' are {DIAMETERS_MM[0]:g} to "
            f"{DIAMETERS_MM[1]:g}: check the pixel size in the header",
        )
