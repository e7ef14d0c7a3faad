"""Fit a classical baseline on the training part of a data set and write its folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from cardioseg.baselines.baseline import Baseline, BaselinePlan, fit_baseline
from cardioseg.baselines.folder import write_baseline
from cardioseg.baselines.names import PLAN
from cardioseg.data.leakage import require_no_leak
from cardioseg.data.looks import Looks, data_digest
from cardioseg.data.splits import read_split
from cardioseg.datasets import Dataset
from cardioseg.errors import DatasetError, OutputExistsError
from cardioseg.io.atomic import is_empty
from cardioseg.workflows.provenance import Json, write_run


def fit_files(
    plan: BaselinePlan,
    dataset: Dataset,
    split: Path | None,
    output: Path,
    *,
    force: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> Baseline:
    """Fit a baseline and write its folder.

    Parameters
    ----------
    plan
        Method, scheme and plane.
    dataset
        Cases with labels in the plan's scheme.
    split
        JSON file; its training part is fitted on. None takes every case.
    output
        The folder; created if needed.
    force
        Overwrite a baseline that is there.
    tell
        Told how it goes.

    Raises
    ------
    OutputExistsError
        If `output` holds files and `force` is not set.
    DatasetError
        If the split or the cases cannot be used.
    LeakageError
        If a subject, a scan, an image or a near copy of one is in two parts.
    """
    if not is_empty(output) and not (force and (output / PLAN).is_file()):
        raise OutputExistsError(
            f"{output}: is not empty; name another folder, or add --force over a baseline"
        )
    started = time.monotonic()
    cases, looks = dataset.labelled_cases, Looks()
    if split is not None:
        parts = read_split(split)
        chosen = {
            "training": parts.cases(cases, "training"),
            "validation": parts.cases(cases, "validation"),
            "test": parts.tested(cases),
        }
        tell(f"checking {sum(map(len, chosen.values()))} cases for leaks")
        require_no_leak(chosen, looks, near_duplicates=not parts.allow_near_duplicates)
        cases = chosen["training"]
    if not cases:
        raise DatasetError(f"data set {dataset.name}: no case to fit on has labels")
    tell(f"fitting {plan.method} on {len(cases)} cases")
    named = plan.model_copy(update={"data": dataset.name, "data_license": dataset.license})
    baseline = write_baseline(output, fit_baseline(named, cases))
    facts: dict[str, Json] = {
        "model_id": baseline.id,
        "data": dataset.name,
        "data_digest": data_digest(looks, cases),
    }
    write_run(output, "baseline", facts, started)
    return baseline
