"""`function`: volumes over the cycle, ejection, mass and wall thickness from label maps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.console import Bar, result, result_json, say, table


def function(
    labels: Annotated[Path, typer.Argument(help="4-D label map of a cine, a label map, a folder.")],
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for tables and figures.")
    ] = None,
    scheme: Annotated[
        str,
        typer.Option("--scheme", help="Numbering of the labels; default: as headers tell, acdc."),
    ] = "",
    reference: Annotated[
        str, typer.Option("--reference", help="Data set to compare with, such as acdc:FOLDER.")
    ] = "",
    height: Annotated[
        float | None, typer.Option("--height", help="Height, m.", min=0.3, max=2.6)
    ] = None,
    weight: Annotated[
        float | None, typer.Option("--weight", help="Weight, kg.", min=1.0, max=400.0)
    ] = None,
    sex: Annotated[str, typer.Option("--sex", help="F or M: ranges of healthy adults.")] = "",
    age: Annotated[float | None, typer.Option("--age", help="Age, years.", min=0, max=130)] = None,
    frame_ms: Annotated[
        float | None, typer.Option("--frame-ms", help="Time from frame to frame, ms.", min=0.1)
    ] = None,
    heart_rate: Annotated[
        float | None, typer.Option("--heart-rate", help="Beats per minute.", min=10, max=400)
    ] = None,
    errors: Annotated[
        Path | None,
        typer.Option("--errors", help="errors.json of a model: 95 % intervals."),
    ] = None,
    orientation_unknown: Annotated[
        bool, typer.Option("--orientation-unknown", help="The grid's directions are not true.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite results.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Measure volumes, ejection fraction, mass and wall thickness over the cardiac cycle.

    With --reference, hold them against the function of the data set's own labels.

    Examples:
      cardioseg function cine_labels.nii.gz --height 1.75 --weight 70 --frame-ms 40

      cardioseg function out --reference acdc:FOLDER --output function
    """
    from cardioseg.core.labels import scheme_named
    from cardioseg.core.scan import Body
    from cardioseg.evaluation.function_record import shown_rows
    from cardioseg.workflows.function import FunctionInputs, function_of_files

    if sex not in ("", "F", "M"):
        raise typer.BadParameter(f"--sex {sex}: write F or M, or leave it out")
    inputs = FunctionInputs(
        scheme=scheme_named(scheme) if scheme else None,
        body=Body(height, weight, sex, age),
        frame_ms=frame_ms,
        heart_rate_bpm=heart_rate,
        errors=errors,
        reference=reference,
        orientation_known=not orientation_unknown,
    )
    with Bar("measuring") as bar:
        done = function_of_files(labels, inputs, output, force=force, watch=bar.show)
    if as_json:
        result_json(done.to_record())
        return
    for name, each in done.functions.items():
        if not done.pairs:
            frames = (("ED", each.number(each.ed)), ("ES", each.number(each.es)))
            phases = ", ".join(
                f"{phase} frame {'unknown' if number is None else number}"
                for phase, number in frames
            )
            result(table(shown_rows(each), f"{name}: {phases}\n"))
        for note in each.notes:
            say(f"{name}: {note}")
    if done.pairs:
        result(done.agreement_markdown())
