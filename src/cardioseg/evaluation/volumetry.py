"""Volumes, mass, ejection fraction, and the base, middle and apex of a stack."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, LEFT_VENTRICLE, LabelScheme
from cardioseg.core.volume import MM3_PER_ML, LabelMap

MYOCARDIUM_G_PER_ML = 1.05
"""Density of myocardium, g/ml (Vinnakota and Bassingthwaighte, doi:10.1152/ajpheart.00478.2003)."""

REGIONS = ("base", "mid", "apex")

ONE_SLICE = "one slice: an area, not a volume"
"""Why volumes, mass and ejection fraction are undefined on a grid of one slice."""

_LEFT_VENTRICLE, _RIGHT_VENTRICLE, _MYOCARDIUM, _BLOOD = (
    "87878005",
    "53085002",
    "74281007",
    "87612001",
)


def volume_ml(mask: NDArray[np.bool_], geometry: Geometry) -> float:
    """Volume of a mask: voxels times the volume of a voxel (|det affine|), in ml.

    Examples
    --------
    >>> volume_ml(np.ones((10, 10, 10), bool), Geometry((10, 10, 10), np.diag([2, 2, 2, 1])))
    8.0
    """
    return int(np.count_nonzero(mask)) * geometry.voxel_volume_mm3 / MM3_PER_ML


def volume_error_ml(
    prediction: NDArray[np.bool_], reference: NDArray[np.bool_], geometry: Geometry
) -> float:
    """Volume of the prediction minus that of the reference, in ml; negative if too small."""
    return volume_ml(prediction, geometry) - volume_ml(reference, geometry)


def myocardial_mass_g(volume: float) -> float:
    """Mass of a volume of myocardium (ml) at 1.05 g/ml, in g.

    Examples
    --------
    >>> myocardial_mass_g(100.0)
    105.0
    """
    return volume * MYOCARDIUM_G_PER_ML


def ejection_fraction_percent(end_diastolic_ml: float, end_systolic_ml: float) -> float:
    """Share of the end-diastolic volume that the ventricle ejects, in percent.

    Raises
    ------
    ValueError
        If the end-diastolic volume is not positive.

    Examples
    --------
    >>> ejection_fraction_percent(150.0, 60.0)
    60.0
    """
    if end_diastolic_ml <= 0:
        raise ValueError(
            f"end-diastolic volume {end_diastolic_ml:g} ml: no ejection fraction without a cavity"
        )
    return 100.0 * (end_diastolic_ml - end_systolic_ml) / end_diastolic_ml


def slice_regions(labels: LabelMap, slice_axis: int) -> tuple[str, ...]:
    """The region of each slice of a stack: base, mid, apex, or '' where none can be told.

    The labelled slices are cut into thirds; the base is the end whose half holds more of the left
    ventricle's cavity. Slices that don't divide by three go to the base first. Without a left
    ventricle, with fewer than three labelled slices or with two equal ends, all are ''.

    Parameters
    ----------
    labels
        The reference labels.
    slice_axis
        Array axis along which the slices are stacked, 0 to 2.

    Returns
    -------
    tuple of str
        One entry a slice.

    Examples
    --------
    >>> from cardioseg.core.labels import ACDC
    >>> array = np.zeros((4, 1, 5), np.uint8)
    >>> array[:1, :, 1], array[:2, :, 2], array[:4, :, 3] = 3, 3, 3
    >>> slice_regions(LabelMap(array, Geometry((4, 1, 5), np.eye(4)), ACDC), slice_axis=2)
    ('', 'apex', 'mid', 'base', '')
    """
    regions = [""] * labels.array.shape[slice_axis]
    cavity = left_ventricle(labels.scheme)
    stack = np.moveaxis(labels.array, slice_axis, 0)
    labelled = np.flatnonzero(stack.any(axis=(1, 2)))
    if cavity is None or len(labelled) < len(REGIONS):
        return tuple(regions)
    voxels = np.count_nonzero(labels.mask(cavity), axis=_in_plane(slice_axis))[labelled]
    half = len(labelled) // 2
    first, last = int(voxels[:half].sum()), int(voxels[-half:].sum())
    if first == last:
        return tuple(regions)
    from_base = labelled if first > last else labelled[::-1]
    for region, third in zip(REGIONS, np.array_split(from_base, len(REGIONS)), strict=True):
        for index in third:
            regions[index] = region
    return tuple(regions)


def is_one_slice(geometry: Geometry) -> bool:
    """Whether a grid is one slice deep: voxels times their volume then measure an area.

    Examples
    --------
    >>> [is_one_slice(Geometry((64, 64, slices), np.eye(4))) for slices in (1, 2)]
    [True, False]
    """
    return 1 in geometry.shape


def volume_scheme(scheme: LabelScheme) -> LabelScheme:
    """The scheme that mass and wall are measured in: where infarct is apart, one with whole walls.

    Examples
    --------
    >>> from cardioseg.core.labels import EMIDEC, MYOPS
    >>> [volume_scheme(each).name for each in (ACDC, EMIDEC, MYOPS)]
    ['acdc', 'left_ventricle', 'acdc']
    """
    for whole in (ACDC, LEFT_VENTRICLE):
        read_as = list(scheme.merges.get(whole.name, {}).values())
        if any(read_as.count(s.value) > 1 for s in whole.structures if s.name == myocardium(whole)):
            return whole
    return scheme


def for_volumes(labels: LabelMap) -> LabelMap:
    """The labels as mass and wall are measured: infarct, no-reflow, oedema and scar are muscle."""
    return labels.read_as(volume_scheme(labels.scheme))


def wall_structures(scheme: LabelScheme) -> tuple[str, ...]:
    """Names of the structures that make the left ventricle's wall; none without myocardium.

    Examples
    --------
    >>> from cardioseg.core.labels import EMIDEC
    >>> wall_structures(EMIDEC)
    ('myocardium', 'infarct', 'no-reflow')
    """
    whole = volume_scheme(scheme)
    table, muscle = scheme.merge_table(whole), myocardium(whole)
    if muscle is None:
        return ()
    wall = whole.structure(muscle).value
    return tuple(s.name for s in scheme.structures if table[s.value] == wall)


def left_ventricle(scheme: LabelScheme) -> str | None:
    """Name of the left ventricle's structure in a scheme, by its SNOMED code; None without one."""
    return _by_code(scheme, _LEFT_VENTRICLE)


def right_ventricle(scheme: LabelScheme) -> str | None:
    """Name of the right ventricle's structure in a scheme; None without one."""
    return _by_code(scheme, _RIGHT_VENTRICLE)


def myocardium(scheme: LabelScheme) -> str | None:
    """Name of the myocardium in a scheme; None without one."""
    return _by_code(scheme, _MYOCARDIUM)


def blood_pool(scheme: LabelScheme) -> str | None:
    """Name of the blood of all chambers together in a scheme; None without such a structure."""
    return _by_code(scheme, _BLOOD)


def _by_code(scheme: LabelScheme, code: str) -> str | None:
    names = [s.name for s in scheme.structures if s.code[1] == code]
    return names[0] if names else None


def _in_plane(slice_axis: int) -> tuple[int, int]:
    first, second = (axis for axis in range(3) if axis != slice_axis)
    return first, second
