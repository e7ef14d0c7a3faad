"""Label maps of whole hearts in numbers: volumes, shares, walls, borders; phantoms beside them.

    python benchmarks/whole_heart_statistics.py --phantoms 40 --seed 1 --output phantoms.csv
    python benchmarks/whole_heart_statistics.py --labels HVSMR/labels_full --leave-out pat4 \
        --output hvsmr.csv

Each map is brought to cubic voxels of 1.25 mm and cut to the box of what is labelled. Numbers only:
nothing of a label map itself is written.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, maximum_filter, zoom

from cardioseg.core.volume import LabelMap
from cardioseg.phantom import draw_tissues, heart_box, heart_labels
from cardioseg.workflows.whole_hearts import heart_boxes

SPACING_MM = 1.25
STREAM = 7


def statistics(labels: LabelMap) -> dict[str, float]:
    """The numbers of one heart."""
    box = heart_box(labels)
    factors = np.array(box.geometry.spacing) / SPACING_MM
    array = zoom(box.array[1:-1, 1:-1, 1:-1], factors, order=0)
    muscle, blood = array == 1, array == 2
    ml = SPACING_MM**3 / 1000
    muscle_ml, blood_ml = float(muscle.sum()) * ml, float(blood.sum()) * ml
    contact = sum(float(_borders(array, axis)) for axis in range(3)) * SPACING_MM**2 / 100
    thickness = _thickness_mm(muscle)
    sides = np.multiply(array.shape, SPACING_MM)
    return {
        "myocardium_ml": muscle_ml,
        "blood_ml": blood_ml,
        "myocardium_share_of_box": float(muscle.mean()),
        "blood_share_of_box": float(blood.mean()),
        "myocardium_area_over_volume_2_3": _area_cm2(muscle) / muscle_ml ** (2 / 3),
        "blood_area_over_volume_2_3": _area_cm2(blood) / blood_ml ** (2 / 3),
        "share_of_myocardium_border_at_blood": contact / _area_cm2(muscle),
        "share_of_blood_border_at_myocardium": contact / _area_cm2(blood),
        **{f"thickness_p{p}_mm": float(np.percentile(thickness, p)) for p in (75, 90, 99)},
        "front_to_back_mm": float(sides[0]),
        "head_to_foot_mm": float(sides[1]),
        "left_to_right_mm": float(sides[2]),
    }


def _area_cm2(mask: NDArray[np.bool_]) -> float:
    padded = np.pad(mask, 1).astype(np.int8)
    faces = sum(float(np.abs(np.diff(padded, axis=axis)).sum()) for axis in range(3))
    return faces * SPACING_MM**2 / 100


def _borders(array: NDArray[np.uint8], axis: int) -> int:
    """Faces between a voxel of myocardium and one of blood along an axis."""
    along = np.moveaxis(array, axis, 0)
    one, other = along[1:], along[:-1]
    return int((((one == 1) & (other == 2)) | ((one == 2) & (other == 1))).sum())


def _thickness_mm(mask: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Twice the distance to the border, on the ridge of the distance."""
    distance = distance_transform_edt(np.pad(mask, 1)) * SPACING_MM
    ridge = (distance >= maximum_filter(distance, 3)) & (distance > 0)
    thickness: NDArray[np.floating] = 2 * distance[ridge] - SPACING_MM
    return thickness


def hearts(arguments: argparse.Namespace) -> Iterator[tuple[str, LabelMap]]:
    if arguments.labels:
        yield from heart_boxes(arguments.labels, arguments.leave_out)
        return
    for index in range(arguments.phantoms):
        rng = np.random.default_rng((arguments.seed, index, STREAM))
        yield f"congenital_{index:04d}", heart_labels(draw_tissues(rng))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--leave-out", nargs="*", default=())
    parser.add_argument("--phantoms", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    with arguments.output.open("w", newline="") as file:
        writer = None
        for name, labels in hearts(arguments):
            row = {"heart": name, **{k: round(v, 4) for k, v in statistics(labels).items()}}
            if writer is None:
                writer = csv.DictWriter(file, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)
            print(name, flush=True)


if __name__ == "__main__":
    main()
