"""Cut planes as a user writes them: `z@40`, `base@30`, `0,1,1@25`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from cardioseg.core.volume import LabelMap
from cardioseg.errors import GeometryError
from cardioseg.ops.mesh_cut import Plane, Vector, base_plane

Keep = Literal["both", "low", "high"]
KEEPS: tuple[Keep, ...] = get_args(Keep)

_AXES: dict[str, Vector] = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
_CAVITIES = ("LV cavity", "LV")


@dataclass(frozen=True)
class Cut:
    """A plane, and the side that is kept.

    Parameters
    ----------
    normal
        Direction in RAS+; None cuts across the long axis, from the base towards the apex.
    position_mm
        Along the normal, from the patient's origin, or from the base.
    keep
        `low`: what lies before the position, `high`: beyond it, or both parts.
    """

    normal: Vector | None
    position_mm: float
    keep: Keep = "both"


def read_cut(text: str, keep: str = "both") -> Cut:
    """A cut from its text.

    Parameters
    ----------
    text
        AXIS@POSITION in mm: `x@12` (to the right), `y@-3.5` (to the front), `z@40` (to the head),
        `base@30` (from the base towards the apex), or a normal, `0,1,1@25`.
    keep
        `both`, `low` or `high`.

    Raises
    ------
    GeometryError
        If it cannot be read.

    Examples
    --------
    >>> read_cut("z@40", "low")
    Cut(normal=(0.0, 0.0, 1.0), position_mm=40.0, keep='low')
    """
    axis, _, position = text.partition("@")
    kept = next((each for each in KEEPS if each == keep), None)
    if kept is None:
        raise GeometryError(f"unknown side {keep!r}; choose {', '.join(KEEPS)}")
    try:
        place = float(position)
        if axis == "base":
            return Cut(None, place, kept)
        x, y, z = _AXES[axis] if axis in _AXES else map(float, axis.split(","))
    except ValueError:
        raise GeometryError(
            f"{text!r} is no cut; write AXIS@MM with x, y, z, base or a normal, such as z@40, "
            "base@30 or 0,1,1@25"
        ) from None
    Plane((x, y, z), place)
    return Cut((x, y, z), place, kept)


def plane_of(cut: Cut, labels: LabelMap) -> Plane:
    """The plane of a cut in a label map's patient.

    Raises
    ------
    GeometryError
        If the base is asked for and cannot be found.
    """
    if cut.normal is not None:
        return Plane(cut.normal, cut.position_mm)
    for structure in labels.scheme.structures:
        if structure.name in _CAVITIES:
            cavity = labels.array == structure.value
            return base_plane(cavity, labels.geometry, cut.position_mm)
    raise GeometryError(
        f"scheme {labels.scheme.name} has no left ventricle's cavity to find the base from; name "
        "a plane by x, y, z or its normal"
    )
