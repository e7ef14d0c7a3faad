"""`quantise`: a model's int8 twin, if the validation patients allow it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.console import Bar, result, result_json, table, tell_which


def quantise(
    model: Annotated[str, typer.Argument(help="Installed model or model folder, float32.")],
    data: Annotated[str, typer.Option("--data", help="Labelled data, such as acdc:FOLDER.")],
    split: Annotated[
        Path,
        typer.Option("--split", help="JSON file: training patients calibrate, validation judges."),
    ],
    output: Annotated[Path, typer.Option("--output", help="Model folder to write.")],
    largest_drop: Annotated[
        float,
        typer.Option(
            "--largest-drop", help="Mean Dice that int8 may cost by any engine.", min=0, max=1
        ),
    ] = 0.002,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Write a model in 8-bit integers: smaller and faster, if it stays as good.

    Ranges come from slices of the training patients; the validation patients judge, by ONNX Runtime
    and, where it is installed, by OpenVINO. A model that loses more than --largest-drop by either
    is not written.

    Example:
      cardioseg quantise run/model --data acdc:ACDC --split split.json --output sax-int8

      cardioseg predict scan.nii.gz --model sax-int8 --engine openvino --output out
    """
    from cardioseg.data.splits import read_split
    from cardioseg.datasets import read_dataset
    from cardioseg.model import open_model
    from cardioseg.workflows.quantise import quantise as run

    tell_which(model)
    opened, dataset, parts = open_model(model), read_dataset(data), read_split(split)
    with Bar("judging") as bar:
        judged = run(opened, dataset, parts, output, largest_drop=largest_drop, watch=bar.show)
    if as_json:
        result_json(
            {
                "engines": {
                    name: {"float32": each.before, "int8": each.after, "drop": each.drop}
                    for name, each in judged.engines.items()
                },
                "drop": judged.drop,
                "subjects": judged.subjects,
                "calibration_slices": judged.calibration_slices,
            }
        )
        return
    rows = [
        {
            "Dice": name,
            "engine": engine,
            "float32": f"{before:.4f}",
            "int8": f"{each.after[name]:.4f}",
        }
        for engine, each in judged.engines.items()
        for name, before in each.before.items()
    ]
    result(table(rows))
    lost = ", ".join(f"{each.drop:.4f} by {engine}" for engine, each in judged.engines.items())
    result(f"{output}: mean Dice lost on {judged.subjects} validation patients: {lost}")
