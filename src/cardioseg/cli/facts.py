"""`inspect`, `models` and `info`: what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.console import result, result_json, table

AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


def inspect(
    path: Annotated[str, typer.Argument(help="A NIfTI file, or a data set: acdc:FOLDER.")],
    as_json: AsJson = False,
) -> None:
    """Show grid, orientation, planes, intensities and labels, and what is suspicious.

    Examples:
      cardioseg inspect scan.nii.gz

      cardioseg inspect acdc:FOLDER --json
    """
    from cardioseg.workflows.inspect import inspect_dataset, inspect_file

    kind, colon, _ = path.partition(":")
    is_dataset = bool(colon) and kind.isalnum() and not Path(path).exists()
    facts = inspect_dataset(path) if is_dataset else inspect_file(Path(path))
    if as_json:
        result_json(facts.to_dict())
    else:
        result(facts.to_text())


def models(as_json: AsJson = False) -> None:
    """List the installed models."""
    from cardioseg.model import installed_models, open_model

    found = [open_model(name) for name in installed_models()]
    rows = [
        {
            "name": model.name,
            "id": model.id,
            "scheme": model.plan.scheme,
            "structures": ", ".join(s.name for s in model.plan.label_scheme.structures),
            "spacing_mm": f"{model.plan.spacing_mm:g}",
            "size": " x ".join(str(side) for side in model.plan.size),
        }
        for model in found
    ]
    if as_json:
        result_json(rows)
    elif rows:
        result(table(rows))
    else:
        result("no model is installed; pip install ./models/acdc in a clone, or train one")


def info(as_json: AsJson = False) -> None:
    """Show versions, engines, cores and installed models: what a bug report needs."""
    from importlib.util import find_spec

    from cardioseg.core.labels import SCHEMES
    from cardioseg.datasets import READERS
    from cardioseg.engines.engine import usable_cores
    from cardioseg.model import installed_models
    from cardioseg.workflows.provenance import versions

    libraries = {"onnx": "onnxruntime", "openvino": "openvino", "torch": "torch"}
    engines = [name for name, library in libraries.items() if find_spec(library)]
    installed, readers = list(installed_models()), [name for name, _ in READERS]
    structures = {scheme.name: [s.name for s in scheme.structures] for scheme in SCHEMES}
    if as_json:
        result_json(
            {
                "versions": versions(),
                "engines": engines,
                "cores": usable_cores(),
                "models": installed,
                "schemes": structures,
                "datasets": readers,
            }
        )
        return
    lines = [f"{name} {number}" for name, number in versions().items()]
    lines += [
        f"engines: {', '.join(engines)}",
        f"cores: {usable_cores()}",
        f"models: {', '.join(installed) or 'none installed'}",
        *(f"scheme {name}: {', '.join(names)}" for name, names in structures.items()),
        f"data sets: {', '.join(readers)}",
    ]
    result("\n".join(lines))
