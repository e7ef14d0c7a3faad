"""`mesh`: models of the heart from a label map, to look at, to measure and to print."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardioseg.cli.console import Bar, fail, result, result_json, say, table

if TYPE_CHECKING:
    from cardioseg.core.labels import LabelScheme
    from cardioseg.workflows.mesh import MeshResult


def mesh(
    labels: Annotated[Path, typer.Argument(help="Label map (NIfTI).", metavar="LABELS")],
    output: Annotated[Path, typer.Option("--output", help="Folder for the models.")],
    scheme: Annotated[
        str,
        typer.Option("--scheme", help="Numbering of the labels; default: as the header tells."),
    ] = "",
    structures: Annotated[
        str, typer.Option("--structures", help="Names, with commas between; default: all.")
    ] = "",
    formats: Annotated[
        str, typer.Option("--format", help="Of stl, ply, obj, glb, 3mf, with commas between.")
    ] = "stl",
    smooth: Annotated[bool, typer.Option("--smooth/--no-smooth", help="By one voxel at most.")] = (
        True
    ),
    resolution: Annotated[
        float | None, typer.Option(help="Distance of vertices in mm; default: smallest spacing.")
    ] = None,
    shell: Annotated[
        float | None,
        typer.Option(help="Add a hollow shell around the blood pool, of this thickness in mm."),
    ] = None,
    cut: Annotated[
        list[str] | None,
        typer.Option(help="AXIS@MM: x, y, z (patient), base, or a normal: z@40, base@30, 0,1,1@25"),
    ] = None,
    keep: Annotated[
        str, typer.Option(help="What of a cut: both, low (before the plane) or high.")
    ] = "both",
    solid: Annotated[str, typer.Option(help="blood-pool: cavities and vessels as one solid.")] = "",
    smallest: Annotated[
        float, typer.Option(help="Leave out pieces and hollows of less, in ml.", min=0)
    ] = 0.1,
    picture: Annotated[bool, typer.Option("--picture", help="Draw NAME.png, three views.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was measured.")] = False,
) -> None:
    """Make models of a label map's structures: closed meshes in the patient's millimetres.

    Examples:
      cardioseg mesh out/case.nii.gz --output models --format stl,glb --picture

      cardioseg mesh out/case.nii.gz --output print --structures myocardium --cut base@30

      cardioseg mesh out/case.nii.gz --output print --solid blood-pool --shell 2 --format 3mf
    """
    from cardioseg.io.nifti import read_labels
    from cardioseg.workflows.inputs import gather_labels
    from cardioseg.workflows.made import NOBODY, makers_of
    from cardioseg.workflows.mesh import MeshOptions, heart_meshes, made_by
    from cardioseg.workflows.mesh_cuts import read_cut
    from cardioseg.workflows.mesh_files import (
        meshes_json,
        require_formats,
        write_mesh_run,
        write_meshes,
    )

    started = time.monotonic()

    if keep != "both" and not cut:
        fail(f"--keep {keep}: nothing is cut; add --cut, or leave it out")
    if solid not in ("", "blood-pool"):
        fail(f"--solid {solid}: choose blood-pool, or leave it out")
    options = MeshOptions(
        structures=tuple(each.strip() for each in structures.split(",") if each.strip()),
        blood_pool=bool(solid),
        smooth=smooth,
        resolution_mm=resolution,
        shell_mm=shell,
        cuts=tuple(read_cut(each, keep) for each in cut or ()),
        smallest_ml=smallest,
    )
    if labels.is_dir():
        fail(f"{labels}: a folder; name one label map")
    (source,) = gather_labels(labels)
    kinds = [each.strip().lower() for each in formats.split(",") if each.strip()]
    require_formats(kinds)
    with Bar("modelling") as bar:
        read = read_labels(source.path, _scheme(source.path, scheme))
        maker = next(iter(makers_of([source])), NOBODY)
        results = made_by(maker, heart_meshes(read, options, bar.show))
        pictures = [output / f"{source.name}.png"] if picture else []
        written = write_meshes(results, output, source.name, kinds, beside=pictures, force=force)
        write_mesh_run(source, read.scheme, options, output, started)
        for path in pictures:
            from cardioseg.evaluation.rendering import render

            render([each.mesh for each in results], path, model_id=maker.model_id)
    if as_json:
        import json

        result_json(json.loads(meshes_json(results)))
    else:
        result(table([_row(each) for each in results]))
        result(f"{len(written)} files written to {output}")
    for each in results:
        if each.problems:
            say(f"warning: {each.mesh.name}: {'; '.join(each.problems)}")
        if each.crumbs.pieces or each.crumbs.hollows:
            say(_left_out(each))


def _scheme(path: Path, name: str) -> LabelScheme:
    from cardioseg.core.labels import SCHEMES, scheme_named
    from cardioseg.io.header_scheme import require_told, told_scheme

    if name:
        scheme = scheme_named(name)
        require_told(path, scheme)
        return scheme
    told = told_scheme(path)
    if told is None:
        names = ", ".join(scheme.name for scheme in SCHEMES)
        fail(f"{path}: the header does not say what the labels mean; add --scheme, one of {names}")
    return told


def _row(each: MeshResult) -> dict[str, str]:
    labels, moved, difference = each.labels_ml, each.displacement, each.difference_percent
    return {
        "structure": each.mesh.name,
        "labels ml": "" if labels is None else f"{labels:.2f}",
        "mesh ml": f"{each.check.volume_ml:.2f}",
        "difference %": "" if difference is None else f"{difference:+.2f}",
        "moved mm": "" if moved is None else f"{moved.largest_mm:.2f}",
        "moved voxels": "" if moved is None else f"{moved.largest_voxels:.2f}",
        "watertight": "yes" if each.check.watertight else "no",
        "faces": str(each.check.faces),
        "size mm": " x ".join(f"{side:.0f}" for side in each.size_mm),
    }


def _left_out(each: MeshResult) -> str:
    crumbs = each.crumbs
    return (
        f"{each.mesh.name}: left out {crumbs.pieces} small pieces ({crumbs.pieces_ml:.3f} ml), "
        f"filled {crumbs.hollows} small hollows ({crumbs.hollows_ml:.3f} ml)"
    )
