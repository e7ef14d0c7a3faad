"""How a whole-heart model does, per volume and per axial slice: on real and on synthetic scans.

    python benchmarks/whole_heart.py hvsmr:FOLDER --model whole-heart --output report
    python benchmarks/whole_heart.py labels:FOLDER --leave-out pat4 --count 12 --output report
    python benchmarks/whole_heart.py phantoms --count 12 --output report

`labels` images a folder's label maps as `cardioseg phantom --from-labels` does; `phantoms` are
harder ones. Axial slices are cut by anatomy on the scan's own grid and laid on 256 x 256 pixels,
which only the background's figures depend on. Writes report.csv and report_slices.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cardioseg
from cardioseg.core.case import Case
from cardioseg.core.volume import LabelMap
from cardioseg.datasets.hvsmr import read_hvsmr
from cardioseg.evaluation import combine
from cardioseg.evaluation.measure import Settings, evaluate
from cardioseg.inference.predictor import Predictor
from cardioseg.io.atomic import write_text
from cardioseg.ops.grid import centred_window, reorientation
from cardioseg.phantom import HARDER, congenital_case, implanted_case
from cardioseg.workflows.whole_hearts import heart_boxes

CANVAS = 256


def axial(labels: LabelMap) -> LabelMap:
    """The label map as a stack of axial slices of 256 x 256 pixels, or more where it is larger."""
    turn = reorientation(labels.geometry, "LPS")
    array, geometry = turn.apply(labels.array), turn.geometry(labels.geometry)
    i, j, k = array.shape
    window = centred_window((i, j, k), (max(i, CANVAS), max(j, CANVAS), k))
    return LabelMap(window.apply(array), window.geometry(geometry), labels.scheme)


def cases(options: argparse.Namespace) -> list[Case]:
    kind, _, folder = options.data.partition(":")
    if kind == "hvsmr":
        return [case for case in read_hvsmr(folder) if case.load_labels]
    if kind == "labels":
        boxes = heart_boxes(Path(folder), options.leave_out)
        return [implanted_case(boxes, options.seed, n) for n in range(options.count)]
    return [congenital_case(options.seed, n, HARDER) for n in range(options.count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="hvsmr:FOLDER, labels:FOLDER or phantoms")
    parser.add_argument("--model", default="whole-heart")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--leave-out", nargs="*", default=())
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=901)
    parser.add_argument("--mirrors", action="store_true")
    parser.add_argument("--largest", action="store_true")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    opened = cardioseg.load_model(options.model, options.engine)
    predictor = Predictor(
        opened.model,
        opened.engine,
        mirrors=options.mirrors,
        largest_component=options.largest or None,
    )
    reports = []
    for case in cases(options):
        image, reference = case.pair()
        prediction = predictor.predict(image).labels
        settings = Settings(slice_axis=2)
        report = evaluate(
            axial(prediction),
            axial(reference),
            case=case.id,
            subject=case.subject,
            settings=settings,
        )
        reports.append(report)
        found = {s: report.mean("dice", s) for s in ("myocardium", "blood pool")}
        print(case.id, {name: round(value or 0, 4) for name, value in found.items()}, flush=True)
    report = combine(reports)
    options.output.mkdir(parents=True, exist_ok=True)
    write_text(options.output / "report.csv", report.to_csv())
    write_text(options.output / "report_slices.csv", report.to_csv("slice"))


if __name__ == "__main__":
    main()
