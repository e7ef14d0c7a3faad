"""What is suspicious about an image: facts that often mean a conversion went wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.short_axis import FEW_SLICES, pose_is_lost
from cardioseg.io.nifti_header import NiftiHeader

HUGE_SPACING_MM = 15.0
"""Cardiac stacks are 5 to 10 mm apart, 12 with a gap."""

TINY_SPACING_MM = 0.1
"""No clinical MR resolves this."""

CLIPPED_SHARE = 0.002
"""More voxels at the very highest value than this are a clipped histogram."""


def orientation_lost(header: NiftiHeader) -> bool:
    """Whether the header holds no pose: no code, or the plain affine that a lossy copy leaves."""
    return (header.sform_code <= 0 and header.qform_code <= 0) or pose_is_lost(header.geometry)


def header_suspicions(header: NiftiHeader) -> Iterator[str]:
    """What is suspicious about shape, spacing and pose."""
    yield from header.notes
    geometry = header.geometry
    if header.unit == "unknown":
        yield "the header names no unit of length: millimetres are assumed"
    if orientation_lost(header) and (header.sform_code > 0 or header.qform_code > 0):
        yield (
            "the affine holds only the spacing (axes along the scanner's, origin 0): the patient's "
            "orientation was probably lost in a conversion, so no directions are claimed"
        )
    yield from _odd_sizes(geometry)
    if header.frames > 1:
        yield f"a cine of {header.frames} frames: each is treated as a volume of its own"


def _odd_sizes(geometry: Geometry) -> Iterator[str]:
    if max(geometry.spacing) > HUGE_SPACING_MM:
        yield f"a spacing of {max(geometry.spacing):.4g} mm: are the units right?"
    if min(geometry.spacing) < TINY_SPACING_MM:
        yield f"a spacing of {min(geometry.spacing):.4g} mm: are the units right?"
    slices = geometry.shape[int(np.argmax(geometry.spacing))]
    if slices < FEW_SLICES:
        yield f"only {slices} slice{'s' * (slices != 1)}: too few for the volume of a ventricle"


def value_suspicions(values: NDArray[np.float32], header: NiftiHeader) -> Iterator[str]:
    """What is suspicious about the intensities of an image (not of a label map).

    Parameters
    ----------
    values
        Intensities of all frames, any shape.
    header
        The file's header.
    """
    low, high = float(values.min()), float(values.max())
    if low == high:
        yield f"constant: every voxel is {low:g}"
        return
    if low < 0:
        yield f"negative intensities, down to {low:g}: MR magnitude images have none"
    share = float(np.mean(values == high))
    if share > CLIPPED_SHARE:
        bits = ", stored in 8 bits" if header.dtype.itemsize == 1 else ""
        yield f"{share:.1%} of the voxels are at the highest value, {high:g}: clipped{bits}"
