"""Label maps to models of the heart: closed meshes, and what was measured of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from cardioseg.core.labels import MYOCARDIUM_BLOOD, Structure
from cardioseg.core.mesh import Mesh
from cardioseg.core.volume import MM3_PER_ML, LabelMap
from cardioseg.errors import GeometryError, LabelError
from cardioseg.ops.mesh_check import Displacement, MeshCheck, check, displacement
from cardioseg.ops.mesh_cut import halves
from cardioseg.ops.mesh_field import Field, field_of
from cardioseg.ops.mesh_pieces import Crumbs, without_crumbs
from cardioseg.ops.mesh_shell import shell_of
from cardioseg.ops.mesh_slices import Mask
from cardioseg.ops.mesh_surface import Surface, surface_with_volume
from cardioseg.workflows.made import NOBODY, Maker
from cardioseg.workflows.mesh_cuts import Cut, plane_of
from cardioseg.workflows.provenance import Json

SMALLEST_ML = 0.1
"""Pieces and hollows of less are left out, and told: a printer loses them."""

VOLUME_PERCENT = 1.0
"""Difference of volume that a model may have before it is told as a problem."""

BLOOD_POOL = "blood pool"

NO_CRUMBS = Crumbs()

Watch = Callable[[int, int, str], None]


@dataclass(frozen=True)
class MeshOptions:
    """What to model, and how.

    Parameters
    ----------
    structures
        Names of the scheme; none means all that the label map holds.
    blood_pool
        Join all blood (cavities, vessels) into one solid.
    smooth
        Smooth the surface, by at most one voxel.
    resolution_mm
        Distance between the mesh's vertices, about; None takes the smallest spacing.
    shell_mm
        Add a hollow shell of this wall thickness around the blood pool; None adds none.
    cuts
        Planes to cut every model at.
    smallest_ml
        Pieces and hollows of less are left out; 0 keeps all.
    """

    structures: tuple[str, ...] = ()
    blood_pool: bool = False
    smooth: bool = True
    resolution_mm: float | None = None
    shell_mm: float | None = None
    cuts: tuple[Cut, ...] = ()
    smallest_ml: float = SMALLEST_ML

    def __post_init__(self) -> None:
        for value, name in ((self.resolution_mm, "resolution"), (self.shell_mm, "shell")):
            if value is not None and not 0 < value < float("inf"):
                raise GeometryError(f"the {name} is a length in mm above 0, not {value:g}")


DEFAULTS = MeshOptions()


@dataclass(frozen=True, eq=False)
class MeshResult:
    """One model and what was measured of it.

    Parameters
    ----------
    mesh
        RAS+ mm.
    check
        Whether it is closed and manifold, and its volume.
    labels_ml
        Volume of the labels that it was made from; None for a shell or a cut part.
    displacement
        How far it lies from the labels' surface; None for a shell or a cut part.
    crumbs
        What was left out as too small.
    maker
        The model that made the labels.
    """

    mesh: Mesh
    check: MeshCheck
    labels_ml: float | None = None
    displacement: Displacement | None = None
    crumbs: Crumbs = NO_CRUMBS
    maker: Maker = NOBODY

    @property
    def difference_percent(self) -> float | None:
        """Volume of the mesh against that of the labels, in percent of the labels'."""
        if self.labels_ml is None:
            return None
        return 100 * (self.check.volume_ml / self.labels_ml - 1)

    @property
    def size_mm(self) -> tuple[float, float, float]:
        """Extent along x, y and z, in mm."""
        x, y, z = np.ptp(self.mesh.vertices, axis=0).tolist()
        return x, y, z

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the model, in words; empty for a sound one."""
        found = list(self.check.problems)
        difference, moved = self.difference_percent, self.displacement
        if difference is not None and abs(difference) > VOLUME_PERCENT:
            found.append(f"volume {difference:+.1f} % of the labels'")
        if moved is not None and moved.largest_voxels > 1:
            found.append(f"a vertex lies {moved.largest_voxels:.2f} voxels from the labels")
        return tuple(found)

    def facts(self) -> dict[str, Json]:
        """Everything that was measured, for a JSON file."""
        return {
            "structure": self.mesh.name,
            "labels_ml": self.labels_ml,
            "mesh_ml": self.check.volume_ml,
            "difference_percent": self.difference_percent,
            "displacement": asdict(self.displacement) if self.displacement else None,
            "watertight": self.check.watertight,
            "problems": list(self.problems),
            "size_mm": [round(side, 3) for side in self.size_mm],
            "check": asdict(self.check),
            "left_out": asdict(self.crumbs),
        }


def heart_meshes(
    labels: LabelMap,
    options: MeshOptions = DEFAULTS,
    watch: Watch = lambda done, total, name: None,
) -> tuple[MeshResult, ...]:
    """Closed meshes of a label map's structures.

    Parameters
    ----------
    labels
        The label map.
    options
        What to model, and how.
    watch
        Called with models done, models in all, and the name of the next.

    Returns
    -------
    tuple of MeshResult
        In the scheme's order, then the shell; each cut into its parts if asked for.

    Raises
    ------
    LabelError
        If a named structure is unknown or empty, or there is nothing to model.
    GeometryError
        If the resolution is too fine for memory, the shell too thin for the resolution, or a cut
        misses.

    Examples
    --------
    >>> from cardioseg.core.geometry import Geometry
    >>> from cardioseg.core.labels import ACDC
    >>> array = np.zeros((20, 20, 6), np.uint8)
    >>> array[5:15, 5:15, 1:5] = 3
    >>> grid = Geometry((20, 20, 6), np.diag([1.5, 1.5, 8.0, 1.0]))
    >>> (cavity,) = heart_meshes(LabelMap(array, grid, ACDC))
    >>> cavity.mesh.name, cavity.check.watertight, round(cavity.check.volume_ml, 1)
    ('LV cavity', True, 7.2)
    """
    read = labels.read_as(MYOCARDIUM_BLOOD) if options.blood_pool else labels
    chosen = _chosen(read, options.structures)
    names = [s.name for s in chosen] + ([f"{BLOOD_POOL} shell"] if options.shell_mm else [])
    found: list[MeshResult] = []
    for done, structure in enumerate(chosen):
        watch(done, len(names), structure.name)
        mask = read.array == structure.value
        found.append(_solid(mask, read, structure, options)[0])
    if options.shell_mm:
        watch(len(chosen), len(names), names[-1])
        found.append(_shell(labels, options, options.shell_mm))
    watch(len(names), len(names), "")
    for cut in options.cuts:
        found = [part for result in found for part in _parts(result, cut, labels)]
    if not found:
        raise GeometryError("the cuts leave nothing; move a plane or keep the other side")
    return tuple(found)


def made_by(maker: Maker, results: Sequence[MeshResult]) -> tuple[MeshResult, ...]:
    """The same models, of labels that this model made, so that their files say so."""
    return tuple(replace(each, maker=maker) for each in results)


def _chosen(labels: LabelMap, names: Sequence[str]) -> list[Structure]:
    wanted = [labels.scheme.structure(name) for name in names] or list(labels.scheme.structures)
    there = [s for s in wanted if (labels.array == s.value).any()]
    missing = [s.name for s in wanted if s not in there]
    if names and missing:
        raise LabelError(f"no voxel of {', '.join(missing)} in the label map: nothing to model")
    if not there:
        raise LabelError("the label map is empty: nothing to model")
    return there


def _solid(
    mask: Mask, labels: LabelMap, structure: Structure, options: MeshOptions
) -> tuple[MeshResult, Field, Surface]:
    volume_mm3 = float(mask.sum()) * labels.geometry.voxel_volume_mm3
    field = field_of(
        mask, labels.geometry, smooth=options.smooth, resolution_mm=options.resolution_mm
    )
    whole = surface_with_volume(field, volume_mm3)
    surface, crumbs = without_crumbs(whole, options.smallest_ml)
    result = MeshResult(
        Mesh(surface.vertices, surface.faces, structure.name, structure.color),
        check(surface.vertices, surface.faces),
        volume_mm3 / MM3_PER_ML,
        displacement(surface.index, mask, labels.geometry),
        crumbs,
    )
    return result, field, surface


def _shell(labels: LabelMap, options: MeshOptions, thickness_mm: float) -> MeshResult:
    blood = labels.read_as(MYOCARDIUM_BLOOD)
    structure = blood.scheme.structure(BLOOD_POOL)
    mask = blood.array == structure.value
    if not mask.any():
        raise LabelError("no blood in the label map: nothing to put a shell around")
    solid, field, surface = _solid(mask, blood, structure, options)
    vertices, faces = shell_of(field, surface, thickness_mm)
    mesh = Mesh(vertices, faces, f"{BLOOD_POOL} shell", structure.color)
    return MeshResult(mesh, check(vertices, faces), crumbs=solid.crumbs)


def _parts(result: MeshResult, cut: Cut, labels: LabelMap) -> Iterator[MeshResult]:
    """The parts of a model on the sides of a plane that are kept, closed by caps."""
    mesh, sides = result.mesh, ("low", "high")
    for side, part in zip(
        sides, halves(mesh.vertices, mesh.faces, plane_of(cut, labels)), strict=True
    ):
        if cut.keep in (side, "both") and len(part[1]):
            name = mesh.name if cut.keep == side else f"{mesh.name} {side}"
            yield MeshResult(Mesh(*part, name, mesh.color), check(*part), crumbs=result.crumbs)
