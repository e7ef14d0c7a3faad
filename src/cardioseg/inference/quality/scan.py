"""Rules on the image and its grid, before anything is segmented."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cardioseg.core.quality import Reason, Verdict
from cardioseg.core.short_axis import FEW_SLICES
from cardioseg.core.volume import Volume

AIR_HU = -300.0
"""Hounsfield units below which there is only air and lung; MR magnitude has no such values."""

AIR_SHARE = 0.03
"""More of a scan than this lies below `AIR_HU` in CT of a chest."""

FINEST_PIXEL_MM, COARSEST_PIXEL_MM = 0.4, 3.5
"""In-plane pixels of short-axis cine lie within; sax was trained on 0.7 to 1.9 mm."""

NEAREST_SLICES_MM, FARTHEST_SLICES_MM = 3.5, 15.0
"""Short-axis stacks are 5 to 10 mm apart, 12 with a gap."""

NARROWEST_VIEW_MM, WIDEST_VIEW_MM = 190.0, 550.0
"""Sides of a field of view that holds a heart and some of the chest around it."""

BLANK = 0.1
"""A slice whose spread of intensities is below this share of the median slice's holds nothing."""


def scan_reasons(volume: Volume) -> Iterator[Reason]:
    """What speaks against a scan as the input of any model for cardiac MR.

    Parameters
    ----------
    volume
        The image.

    Examples
    --------
    >>> from cardioseg.core.geometry import Geometry
    >>> flat = Volume(np.zeros((160, 160, 9)), Geometry((160, 160, 9), np.diag([1.5, 1.5, 8, 1])))
    >>> [reason.rule for reason in scan_reasons(flat)]
    ['constant']
    """
    values = volume.array
    if values.min() == values.max():
        words = f"every voxel of the scan is {values.min():g}: export the series again"
        yield Reason(Verdict.REJECT, "constant", words)
        return
    air = float((values < AIR_HU).mean())
    if air > AIR_SHARE:
        yield Reason(
            Verdict.REJECT,
            "ct",
            f"{air:.0%} of the voxels are below {AIR_HU:g}: these look like the Hounsfield units "
            "of CT; the model reads MR only: choose the cine MR series",
        )


def grid_reasons(volume: Volume) -> Iterator[Reason]:
    """What speaks against a scan as a short-axis stack: slices, pixels, field of view."""
    axis = volume.geometry.native_axis
    if axis is None:
        yield Reason(
            Verdict.REVIEW,
            "not_a_stack",
            f"{volume.geometry.describe()}: not a stack of slices, as this model reads; choose "
            "the short-axis cine series, or a model for whole hearts",
        )
        return
    spacing, shape = list(volume.geometry.spacing), list(volume.geometry.shape)
    apart, count = spacing.pop(axis), shape.pop(axis)
    if count < FEW_SLICES:
        yield Reason(
            Verdict.REVIEW,
            "few_slices",
            f"only {count} slice{'s' * (count != 1)}: too few for the volume of a ventricle; "
            "choose the whole short-axis stack",
        )
    if max(spacing) > COARSEST_PIXEL_MM or min(spacing) < FINEST_PIXEL_MM:
        yield Reason(
            Verdict.REVIEW,
            "pixel_size",
            f"pixels of {spacing[0]:.3g} x {spacing[1]:.3g} mm, usual are {FINEST_PIXEL_MM:g} to "
            f"{COARSEST_PIXEL_MM:g}: check the spacing in the header, or take a finer series",
        )
    if not NEAREST_SLICES_MM <= apart <= FARTHEST_SLICES_MM:
        yield Reason(
            Verdict.REVIEW,
            "slice_distance",
            f"slices {apart:.3g} mm apart, usual are {NEAREST_SLICES_MM:g} to "
            f"{FARTHEST_SLICES_MM:g}: check the spacing in the header, whether slices are missing "
            "and whether this is a short-axis stack",
        )
    sides = [count * each for count, each in zip(shape, spacing, strict=True)]
    if min(sides) < NARROWEST_VIEW_MM or max(sides) > WIDEST_VIEW_MM:
        yield Reason(
            Verdict.REVIEW,
            "field_of_view",
            f"slices of {sides[0]:.0f} x {sides[1]:.0f} mm, usual are {NARROWEST_VIEW_MM:g} to "
            f"{WIDEST_VIEW_MM:g}: check the spacing in the header; don't crop the scan",
        )
    yield from _blank_reasons(volume, axis)


def _blank_reasons(volume: Volume, axis: int) -> Iterator[Reason]:
    slices = np.moveaxis(volume.array, axis, 0)
    # One at a time: the deviations of a whole volume in float64 are twice the volume.
    spread = np.array([each.ravel().std(dtype=np.float64) for each in slices])
    if not spread.any():
        return
    blank = np.flatnonzero(spread < BLANK * np.median(spread[spread > 0]))
    if len(blank):
        numbers = ", ".join(str(k + 1) for k in blank[:6])
        yield Reason(
            Verdict.REVIEW,
            "blank_slices",
            f"nothing in {len(blank)} of {len(slices)} slices (number {numbers}): export the "
            "series again, or leave volumes aside",
        )
