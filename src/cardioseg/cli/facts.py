"""`inspect`, `models` and `info`: what is there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardioseg.cli.console import EXIT_SOME_FAILED, Bar, result, result_json, say, table, tell_which

if TYPE_CHECKING:
    from cardioseg.model import Model

AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


def inspect(
    path: Annotated[
        str,
        typer.Argument(
            help="A NIfTI file; a folder, a file or a zip of DICOM; or a data set: acdc:FOLDER."
        ),
    ],
    series: Annotated[
        str, typer.Option("--series", help="Of several DICOM series: number or description.")
    ] = "",
    fix: Annotated[
        Path | None,
        typer.Option("--fix", help="Of a data set: new folder for a repaired copy (nnU-Net raw)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show grid, orientation, planes, intensities and labels, and what is suspicious.

    Of DICOM the series are listed, without identifiers. A data set is examined: image and label on
    different grids, mirrored or swapped axes, wrong label numbers, empty or cut labels, one scan
    under two names, outlying spacings and intensities; each with what to do. The exit code is 3
    where a fault was found, 0 else. --fix never changes the set itself.

    Examples:
      cardioseg inspect scan.nii.gz

      cardioseg inspect DICOM_DIR --series 5

      cardioseg inspect acdc:FOLDER --json

      cardioseg inspect acdc:FOLDER --fix REPAIRED
    """
    from cardioseg.datasets.layout import stem
    from cardioseg.errors import DatasetError
    from cardioseg.io.dicom import holds_dicom
    from cardioseg.workflows.inspect import inspect_file

    place = Path(path)
    kind, colon, _ = path.partition(":")
    is_dataset = bool(colon) and kind.isalnum() and not place.exists()
    if fix and not is_dataset:
        raise DatasetError(f"{path}: --fix repairs a data set; name one, such as acdc:FOLDER")
    if place.exists() and not stem(place) and holds_dicom(place):
        _inspect_dicom(place, series, as_json)
        return
    if series:
        raise DatasetError(f"{path}: --series {series}: not DICOM; leave it out")
    if is_dataset:
        _inspect_dataset(path, fix, as_json)
        return
    if place.is_dir():
        raise DatasetError(
            f"{path}: a folder without DICOM; name a file in it, or a data set, such as acdc:{path}"
        )
    facts = inspect_file(place)
    if as_json:
        result_json(facts.to_dict())
    else:
        result(facts.to_text())


def _inspect_dataset(spec: str, fix: Path | None, as_json: bool) -> None:
    from cardioseg.datasets import read_dataset
    from cardioseg.workflows.doctor import examine, write_repaired
    from cardioseg.workflows.inspect import dataset_facts

    dataset = read_dataset(spec)
    with Bar("examining") as bar:
        examination = examine(dataset, bar.show)
        facts = dataset_facts(examination)
        copy = write_repaired(examination, fix, bar.show) if fix else None
    if as_json:
        result_json({**facts.to_dict(), "copy": copy and asdict(copy)})
    else:
        result(facts.to_text())
    if copy and not as_json:
        result(f"\n{copy.to_text()}\nread the copy as nnunet:{fix}")
    if examination.faults:
        raise SystemExit(EXIT_SOME_FAILED)


def _inspect_dicom(place: Path, series: str, as_json: bool) -> None:
    from cardioseg.workflows.inspect_dicom import inspect_dicom

    facts = inspect_dicom(place, series)
    if as_json:
        result_json(facts.to_dict())
        return
    words = facts.scan_text()
    result(table(facts.rows) + (f"\n\n{words}" if words else ""))


def models(
    name: Annotated[
        str, typer.Argument(help="Print this model's card; without it, list the installed models.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the installed models, or print the card of one.

    Examples:
      cardioseg models

      cardioseg models sax
    """
    from cardioseg.errors import ModelError, PlanError
    from cardioseg.model import installed_models, open_model

    if name:
        tell_which(name)
        model = open_model(name)
        card = model.card or f"{name}: has no card\n"
        if as_json:
            result_json({**_model_row(model), "card": card})
        else:
            result(f"{card.rstrip()}\n\nModel id: {model.id}")
        return
    rows = []
    for installed in installed_models():
        try:
            rows.append(_model_row(open_model(installed)))
        except (ModelError, PlanError) as error:
            say(f"warning: {installed}: {error}")
    if as_json:
        result_json(rows)
    elif rows:
        result(table(rows))
    else:
        result("no model is installed; pip install ./models/acdc in a clone, or train one")


def _model_row(model: Model) -> dict[str, str]:
    """What a list tells of a model; licence and validation as its card has them."""
    from cardioseg.model import LICENCE_ROW, VALIDATION_ROW

    plan, card = model.plan, model.card_rows
    return {
        "name": model.name,
        "id": model.id,
        "structures": ", ".join(s.name for s in plan.label_scheme.structures),
        "scheme": plan.scheme,
        "input": f"{plan.plane}, {plan.spacing_mm:g} mm, {' x '.join(map(str, plan.size))}",
        "size": f"{model.size_bytes / 1e6:.1f} MB",
        "licence": card.get(LICENCE_ROW) or card.get("Licence of the data") or "see the card",
        "validation": card.get(VALIDATION_ROW, "not told"),
    }


def info(as_json: AsJson = False) -> None:
    """Show versions, engines, cores and installed models: what a bug report needs."""
    from importlib.util import find_spec

    from cardioseg.core.labels import SCHEMES
    from cardioseg.datasets import READERS
    from cardioseg.engines.engine import usable_cores
    from cardioseg.model import LIBRARIES, installed_models
    from cardioseg.workflows.provenance import versions

    engines = [name for name, library in LIBRARIES.items() if find_spec(library)]
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
