"""Rules on how the segmented slices follow each other, and on where the stack ends."""

from __future__ import annotations

from collections.abc import Iterator

from cardioseg.core.quality import Reason, Verdict
from cardioseg.inference.quality import stack as facts
from cardioseg.inference.quality.stack import Stack

JUMP_MM = 15.0
"""Of the ventricle's middle from between its neighbours; exceeded by 2 % of ACDC's references."""

AREA_STEP = 0.25
"""Of the ventricle's area from its neighbours' mean; at most 0.20 in ACDC's references."""

LONG, LONG_REJECTED = 1.55, 1.9
"""Length over width in the largest slice: at most 1.50 in ACDC's references, 2 along the axis."""

CUT_APEX = 0.6
"""Area at the apical end of the stack over the largest; exceeded by 1 % of ACDC's references."""

CUT_BASE = 0.5
"""Area at the basal end of the stack over the largest, together with `SHORT`."""

SHORT = 0.85
"""Length over width of a ventricle that is not all there; 2 % of ACDC's references are shorter."""


def slice_reasons(stack: Stack) -> Iterator[Reason]:
    """What speaks against a short-axis heart, seen from slice to slice."""
    if not len(stack.used):
        return
    yield from _order_reasons(stack)
    yield from _axis_reasons(stack)


def _order_reasons(stack: Stack) -> Iterator[Reason]:
    gap = facts.missing_slices(stack)
    if len(gap):
        numbers = ", ".join(map(str, facts.from_foot(stack, gap)[:6]))
        yield Reason(
            Verdict.REVIEW,
            "slice_gap",
            f"no left ventricle in {len(gap)} slice{'s' * (len(gap) != 1)} between others that "
            f"have it (number {numbers}, from the foot end): contour them by hand",
        )
    jump = facts.largest_jump_mm(stack)
    if jump > JUMP_MM:
        yield Reason(
            Verdict.REVIEW,
            "slice_jump",
            f"a slice's ventricle lies {jump:.0f} mm off its neighbours: check for "
            "breathing between slices or for slices in a wrong order",
        )
    step = facts.largest_area_step(stack)
    if step > AREA_STEP:
        yield Reason(
            Verdict.REVIEW,
            "area_jump",
            f"a slice's ventricle differs by {step:.0%} of the largest area from its neighbours: "
            "look at that slice, and at the order of the slices",
        )


def _axis_reasons(stack: Stack) -> Iterator[Reason]:
    elongated = facts.elongation(stack)
    if elongated > LONG:
        yield Reason(
            Verdict.REJECT if elongated > LONG_REJECTED else Verdict.REVIEW,
            "long_axis",
            f"the left ventricle is {elongated:.1f} times as long as wide in its largest slice: "
            "this looks like a long-axis view; choose the short-axis stack",
        )
    base, apex = facts.end_shares(stack)
    ratio = facts.length_over_width(stack)
    if apex > CUT_APEX:
        yield Reason(
            Verdict.REVIEW,
            "apex_cut_off",
            f"the stack's last slice at the apex still has {apex:.0%} of the largest area: the "
            "apex is not in the scan; volumes are too small",
        )
    if base > CUT_BASE and ratio < SHORT:
        yield Reason(
            Verdict.REVIEW,
            "base_cut_off",
            f"the stack ends in a wide left ventricle that is only {ratio:.1f} times as long as "
            "wide: the base is not in the scan; volumes are too small",
        )
