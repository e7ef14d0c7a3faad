"""Models as files: one for each structure or one for all, and what was measured of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from cardioseg.core.labels import LabelScheme
from cardioseg.errors import FormatError, OutputExistsError
from cardioseg.io.atomic import make_folder, write_text
from cardioseg.io.mesh import FORMATS, SINGLE, write_mesh_file
from cardioseg.workflows.inputs import Input
from cardioseg.workflows.made import NOBODY, Maker, makers_facts, makers_of
from cardioseg.workflows.mesh import MeshOptions, MeshResult
from cardioseg.workflows.provenance import Json, file_digest, write_run

FORMAT_VERSION = 1


def write_meshes(
    results: Sequence[MeshResult],
    output: Path,
    name: str,
    formats: Sequence[str] = ("stl",),
    *,
    beside: Sequence[Path] = (),
    force: bool = False,
) -> tuple[Path, ...]:
    """Write models into a folder.

    Parameters
    ----------
    results
        The models.
    output
        Folder; created if needed.
    name
        Start of each file's name. STL, PLY and OBJ: NAME-STRUCTURE.stl for each structure; GLB and
        3MF: one NAME.glb of all. NAME-meshes.json tells what was measured.
    formats
        Of `stl`, `ply`, `obj`, `glb`, `3mf`.
    beside
        Files that the caller is going to write: none may be there either.
    force
        Overwrite files that are there.

    Returns
    -------
    tuple of Path
        The files, the JSON last.

    Raises
    ------
    FormatError
        If a format is unknown, or a file cannot be written.
    OutputExistsError
        If a file is there and `force` is not set; nothing has been written then.
    """
    require_formats(formats)
    meshes = [result.mesh for result in results]
    planned = [
        (output / f"{name}-{_in_a_name(mesh.name)}.{kind}", [mesh])
        for kind in dict.fromkeys(formats)
        if kind in SINGLE
        for mesh in meshes
    ]
    several = [kind for kind in dict.fromkeys(formats) if kind not in SINGLE]
    planned += [(output / f"{name}.{kind}", meshes) for kind in several]
    told_in = output / f"{name}-meshes.json"
    for path in (*(path for path, _ in planned), told_in, *beside):
        if path.exists() and not force:
            raise OutputExistsError(f"{path}: is already there; add --force to overwrite it")
    make_folder(output)
    for path, held in planned:
        write_mesh_file(held, path, _maker(results).model_id)
    write_text(told_in, meshes_json(results))
    return (*(path for path, _ in planned), told_in)


def require_formats(formats: Sequence[str]) -> None:
    """Refuse a format that meshes are not written in, and none; a FormatError lists them."""
    unknown = [each for each in formats if each not in FORMATS]
    if unknown or not formats:
        told = ", ".join(unknown) or "none"
        raise FormatError(f"unknown mesh format: {told}; choose of {', '.join(FORMATS)}")


def write_mesh_run(
    source: Input, scheme: LabelScheme, options: MeshOptions, output: Path, started: float
) -> None:
    """Write run.json of models made from one label map.

    Parameters
    ----------
    source
        The label map.
    scheme, options
        How it was read and modelled.
    output
        Where the models lie.
    started
        `time.monotonic()` when the work began.
    """
    chosen: dict[str, Json] = json.loads(json.dumps(asdict(options), default=str))
    facts: dict[str, Json] = {
        "scheme": scheme.name,
        "options": chosen,
        **makers_facts(makers_of([source])),
        "files": [{"name": source.path.name, "sha256": file_digest(source.path)}],
    }
    write_run(output, "mesh", facts, started)


def meshes_json(results: Sequence[MeshResult]) -> str:
    """What was measured of each model and which network made the labels, as a JSON document."""
    record = {
        "format_version": FORMAT_VERSION,
        **_maker(results).facts(),
        "meshes": [result.facts() for result in results],
    }
    return json.dumps(record, indent=2) + "\n"


def _maker(results: Sequence[MeshResult]) -> Maker:
    """What made the labels of these models, which are of one label map."""
    return results[0].maker if results else NOBODY


def _in_a_name(structure: str) -> str:
    """A structure's name as a part of a file's: LV cavity -> LV-cavity."""
    return re.sub(r"[^A-Za-z0-9]+", "-", structure).strip("-")
