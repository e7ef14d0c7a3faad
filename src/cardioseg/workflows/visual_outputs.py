"""Models to turn and print, and a page to read: what `predict` makes for people to look at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from weakref import WeakKeyDictionary

from cardioseg.core.volume import LabelMap
from cardioseg.evaluation.figures import png_bytes
from cardioseg.evaluation.function_charts import bulls_eye
from cardioseg.evaluation.rendering import mesh_figure
from cardioseg.io.atomic import write_bytes, write_text
from cardioseg.workflows.made import Maker
from cardioseg.workflows.mesh import MeshResult, heart_meshes, made_by
from cardioseg.workflows.mesh_files import write_meshes
from cardioseg.workflows.report import CaseContent, Frame, Origin, case_report
from cardioseg.workflows.result import Result

FORMATS = ("stl", "glb")


@dataclass(frozen=True, eq=False)
class _Models:
    """Models of one label map, none where nothing is labelled, and their picture, drawn once."""

    meshes: tuple[MeshResult, ...]

    @cached_property
    def picture(self) -> bytes:
        drawn = mesh_figure([each.mesh for each in self.meshes])
        return png_bytes(drawn, model_id=self.meshes[0].maker.model_id)


_MADE: WeakKeyDictionary[LabelMap, _Models] = WeakKeyDictionary()
"""What was made for the models and is wanted for the report, as long as its label map is in use."""


def write_models(result: Result, folder: Path) -> tuple[Path, ...]:
    """Write NAME-STRUCTURE.stl, NAME.glb, NAME-meshes.json and NAME-mesh.png; ES apart as NAME-es.

    A label map without a heart has no models: nothing is written, and the quality says why.
    """
    written: list[Path] = []
    for phase, index in result.named_frames.items():
        models = _models(result, index)
        if models.meshes:
            name = f"{result.name}-es" if phase == "ES" else result.name
            picture = folder / f"{name}-mesh.png"
            written += write_meshes(models.meshes, folder, name, FORMATS, force=True)
            write_bytes(picture, models.picture)
            written.append(picture)
    return tuple(written)


def write_page(result: Result, folder: Path) -> tuple[Path, ...]:
    """Write NAME.html: the report of one case, self-contained, in English."""
    path = folder / f"{result.name}.html"
    write_text(path, case_report(_content(result)))
    return (path,)


def _content(result: Result) -> CaseContent:
    frames = tuple(
        Frame(
            phase,
            result.labels[index],
            result.scan.frames[index],
            0 if phase or not result.scan.is_cine else index + 1,
        )
        for phase, index in result.named_frames.items()
    )
    function, made = result.function, result.provenance
    models = _models(result, next(iter(result.named_frames.values())))
    return CaseContent(
        name=result.name,
        frames=frames,
        measurements=result.measurements,
        quality=result.quality,
        origin=Origin(made.model, made.model_id, version("cardioseg"), result.input_sha256),
        times_ms=function.times_ms if function else (),
        volumes_ml=function.volumes_ml if function else {},
        mesh=models.picture if models.meshes else None,
        bulls_eye=_wall(result),
        notes=result.notes,
    )


def _wall(result: Result) -> bytes | None:
    """Wall thickness at ED and ES by AHA segment, where some of it is known."""
    function = result.function
    if function is None:
        return None
    walls = {"end diastole": function.wall_ed, "end systole": function.wall_es}
    if not any(value is not None for wall in walls.values() for value in wall.values_mm):
        return None
    return png_bytes(bulls_eye(walls), model_id=result.provenance.model_id)


def _models(result: Result, index: int) -> _Models:
    """Models of one frame's label map, made once."""
    labels, made = result.labels[index], result.provenance
    if labels not in _MADE:
        models = heart_meshes(labels) if labels.array.any() else ()
        _MADE[labels] = _Models(made_by(Maker(made.model_id, made.model), models))
    return _MADE[labels]
