"""`baseline`: fit a classical method, so that `predict` can run it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.console import result, result_json, say


class MethodName(StrEnum):
    """The methods that the command line offers."""

    OTSU = "otsu"
    ACTIVE_CONTOUR = "active-contour"
    APPEARANCE = "appearance"


def baseline(
    method: Annotated[MethodName, typer.Argument(help="The method.")],
    data: Annotated[str, typer.Option(help="Data set, such as acdc:FOLDER.")],
    output: Annotated[Path, typer.Option(help="Folder for the baseline.")],
    split: Annotated[
        Path | None,
        typer.Option(help="JSON file: fit on its training part; without it, on every case."),
    ] = None,
    plane: Annotated[
        str, typer.Option(help="native, axial, sagittal or coronal slices.")
    ] = "native",
    seed: Annotated[int, typer.Option(help="Seed of an appearance model.", min=0)] = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a baseline.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Fit a classical method: learn where the heart lies and, for `appearance`, how it looks.

    Otsu and active contours also run unfitted, in the default region: `predict --model otsu`.

    Examples:
      cardioseg baseline otsu --data acdc:FOLDER --split split.json --output otsu

      cardioseg predict scan.nii.gz --model otsu --output out
    """
    from cardioseg.baselines.baseline import BaselinePlan
    from cardioseg.core.labels import ACDC
    from cardioseg.datasets import read_dataset
    from cardioseg.errors import LabelError
    from cardioseg.prepare.plan import single_plane_named
    from cardioseg.workflows.baseline import fit_files

    dataset = read_dataset(data)
    name = dataset.scheme.name
    if name not in ("acdc", "myocardium_blood"):
        raise LabelError(f"{data}: labels of scheme {name}; baselines know acdc, myocardium_blood")
    if method is MethodName.APPEARANCE and name != ACDC.name:
        raise LabelError(
            f"{data}: an appearance model needs RV, myocardium and LV (scheme acdc), the data has "
            f"{name}; choose otsu or active-contour"
        )
    plan = BaselinePlan(
        method=method.value, scheme=name, plane=single_plane_named(plane), seed=seed
    )
    fitted = fit_files(plan, dataset, split, output, force=force, tell=say)
    if as_json:
        result_json({"model_id": fitted.id, "subjects": fitted.plan.subjects})
        return
    low, high = fitted.plan.region.low_mm, fitted.plan.region.high_mm
    result(
        f"{output}: {method.value} fitted on {fitted.plan.subjects} subjects; heart region "
        f"{high[0] - low[0]:.0f} x {high[1] - low[1]:.0f} mm"
    )
