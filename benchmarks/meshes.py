"""Models of hearts in numbers: volume, displacement, soundness; one row a structure.

    python benchmarks/meshes.py --acdc ACDC --patients 10 --output docs/results/meshes/acdc.json
    python benchmarks/meshes.py --hvsmr HVSMR --output docs/results/meshes/hvsmr.json

Numbers only: no mesh and no picture is written.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from cardioseg.core.volume import LabelMap
from cardioseg.datasets.acdc import read_acdc
from cardioseg.datasets.hvsmr import read_hvsmr_labels
from cardioseg.errors import DatasetError
from cardioseg.workflows.mesh import MeshOptions, heart_meshes


def hearts(arguments: argparse.Namespace) -> Iterator[tuple[str, LabelMap]]:
    if arguments.acdc:
        cases = [case for case in read_acdc(arguments.acdc) if case.phase == "ED"]
        for case in cases[: arguments.patients]:
            if case.load_labels is None:
                raise DatasetError(f"{case.id} has no labels")
            yield case.id, case.load_labels()
    if arguments.hvsmr:
        for name, load in read_hvsmr_labels(arguments.hvsmr).items():
            yield name, load()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--acdc", type=Path)
    parser.add_argument("--hvsmr", type=Path)
    parser.add_argument("--patients", type=int, default=10)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    rows: list[object] = []
    for name, labels in hearts(arguments):
        results = heart_meshes(labels, MeshOptions())
        spacing = [round(s, 3) for s in labels.geometry.spacing]
        for each in results:
            rows.append({"heart": name, "spacing_mm": spacing, **each.facts()})
            moved = each.displacement
            print(
                f"| {name} | {each.mesh.name} | {each.labels_ml:.2f} | {each.check.volume_ml:.2f} "
                f"| {each.difference_percent:+.2f} | {moved.largest_mm:.2f} "
                f"| {moved.largest_voxels:.2f} | {100 * moved.covered:.1f} "
                f"| {'yes' if each.check.watertight else 'no'} | {each.check.bodies} "
                f"| {each.check.faces} |",
                flush=True,
            )
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        document = {"format_version": 1, "meshes": rows}
        arguments.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
