"""What keeping pieces does to the merged ventricles of a short axis, on label maps that hold all.

    python benchmarks/largest_pieces.py acdc:FOLDER RUN/ARM/seed-*/epoch-*/labels --json FILE

Each folder holds NAME.nii.gz of cases of the data set in `myocardium_blood`. Dice and HD95 are
means over patients, frames and seeds averaged first, by arm. The references themselves are
measured, too, with the largest piece of each structure alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from cardioseg.core.labels import MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap
from cardioseg.datasets import read_dataset
from cardioseg.evaluation import Report, combine
from cardioseg.evaluation.measure import evaluate
from cardioseg.io.atomic import write_text
from cardioseg.io.nifti import read_labels
from cardioseg.ops.components import keep_one_heart

EVERYTHING = "every component"
LARGEST = "one heart, the largest piece of each structure"
BOTH = "one heart, every piece of its blood pool"
KEPT: dict[str, Callable[[LabelMap], LabelMap]] = {
    EVERYTHING: lambda labels: labels,
    LARGEST: keep_one_heart,
    BOTH: lambda labels: keep_one_heart(labels, MYOCARDIUM_BLOOD.apart),
}


def measured(data: str, folder: Path) -> dict[str, Report]:
    """A folder's label maps against the references, and the references' largest pieces."""
    cases = {case.id: case for case in read_dataset(data).labelled_cases}
    found: dict[str, list[Report]] = {kept: [] for kept in ("references", *KEPT)}
    for path in sorted(folder.glob("*.nii.gz")):
        case = cases[path.name.removesuffix(".nii.gz")]
        reference = case.labels().read_as(MYOCARDIUM_BLOOD)
        labels = read_labels(path, MYOCARDIUM_BLOOD)
        answers = {kept: keep(labels) for kept, keep in KEPT.items()}
        answers["references"] = keep_one_heart(reference)
        # A seed's answer is a case of its own, of the same patient.
        name = f"{case.id}, {folder.parts[-3]}"
        for kept, answer in answers.items():
            found[kept].append(evaluate(answer, reference, case=name, subject=case.subject))
    return {kept: combine(reports) for kept, reports in found.items()}


def figures(report: Report) -> dict[str, float | None]:
    """Mean Dice and HD95 of each structure and over both."""
    return {
        f"{metric}, {structure or 'mean'}": report.mean(metric, structure)
        for metric in ("dice", "hd95_mm")
        for structure in ("myocardium", "blood pool", None)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="KIND:FOLDER of the references")
    parser.add_argument("labels", nargs="+", type=Path, help="folders RUN/ARM/seed-N/EPOCH/labels")
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    with ProcessPoolExecutor() as pool:
        reports = list(pool.map(partial(measured, options.data), options.labels))
    arms: dict[str, dict[str, dict[str, float | None]]] = {}
    for arm in dict.fromkeys(folder.parts[-4] for folder in options.labels):
        pairs = zip(options.labels, reports, strict=True)
        own = [report for folder, report in pairs if folder.parts[-4] == arm]
        arms[arm] = {kept: figures(combine([each[kept] for each in own])) for kept in KEPT}
    told = {
        "command": "python benchmarks/largest_pieces.py acdc:FOLDER LABELS... --json FILE",
        "labels": ["/".join(("RUN", *folder.parts[-4:])) for folder in options.labels],
        "patients": len(reports[0]["references"].subjects),
        "references, the largest piece of each structure": figures(reports[0]["references"]),
        "arms": arms,
    }
    write_text(options.json, json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
