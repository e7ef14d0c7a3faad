"""Where along the stack a prediction's volumes differ from the reference's: one row a slice.

python benchmarks/slice_volumes.py PREDICTIONS --data acdc:FOLDER --output slices.csv
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from cardioseg.core.geometry import require_same_grid
from cardioseg.core.volume import MM3_PER_ML
from cardioseg.datasets import read_dataset
from cardioseg.evaluation.volumetry import slice_regions
from cardioseg.io.nifti import read_labels

COLUMNS = ("case", "phase", "structure", "slice", "region", "difference_ml")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--data", required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    cases = {case.id: case for case in read_dataset(options.data).cases}
    totals: dict[tuple[str, str], float] = defaultdict(float)
    with options.output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for path in sorted(options.predictions.glob("*.nii.gz")):
            case = cases[path.name.removesuffix(".nii.gz")]
            reference = case.labels()
            prediction = read_labels(path, reference.scheme)
            require_same_grid(prediction.geometry, reference.geometry, case.id)
            axis = reference.geometry.native_axis
            regions = slice_regions(reference, axis)
            in_plane = tuple(a for a in range(3) if a != axis)
            for structure in reference.scheme.structures:
                masks = (prediction.mask(structure.name), reference.mask(structure.name))
                counts = [np.count_nonzero(mask, axis=in_plane).astype(int) for mask in masks]
                volumes = (counts[0] - counts[1]) * reference.geometry.voxel_volume_mm3 / MM3_PER_ML
                for index, (region, volume) in enumerate(zip(regions, volumes, strict=True)):
                    row = (case.id, case.phase, structure.name, index, region, f"{volume:.2f}")
                    writer.writerow(row)
                    totals[structure.name, region or "outside"] += abs(float(volume))
    for (structure, region), total in sorted(totals.items()):
        print(f"{structure:12} {region:8} {total:7.1f} ml, absolute differences of slices added up")


if __name__ == "__main__":
    main()
