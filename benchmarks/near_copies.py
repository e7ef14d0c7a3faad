"""How alike the leak guard's small pictures are: two people, two frames of one, copies.

python -m benchmarks.near_copies ACDC_FOLDER docs/results/near-copies.json
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import Volume
from cardioseg.data import near
from cardioseg.datasets import read_dataset

Array = NDArray[np.float32]
EVERY = 8
"""Copies are made of every eighth frame."""

COPIES: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "noise of a third of the spread": lambda a, r: a + r.normal(0, 0.33 * a.std(), a.shape),
    "voxels larger by 1/0.7": lambda a, r: ndimage.zoom(a, (0.7, 0.7, 1), order=1),
    "without its last slice": lambda a, r: a[:, :, :-1],
    "without its first and last slice": lambda a, r: a[:, :, 1:-1],
    "cropped by 3 voxels all around": lambda a, r: a[3:-3, 3:-3],
    "cropped by 6 voxels all around": lambda a, r: a[6:-6, 6:-6],
    "cropped by 12 voxels all around": lambda a, r: a[12:-12, 12:-12],
}


def picture(array: Array, grid: Geometry) -> Array:
    values = np.ascontiguousarray(array, np.float32)
    return near.thumbnail(Volume(values, Geometry(values.shape, grid.affine)))


def spread(values: NDArray[np.floating]) -> dict[str, float]:
    return {
        "lowest": round(float(values.min()), 3),
        "median": round(float(np.median(values)), 3),
        "highest": round(float(values.max()), 3),
    }


def main(folder: str, output: str) -> None:
    cases = read_dataset(f"acdc:{folder}").cases
    images = [case.image() for case in cases]
    pictures = np.stack([near.thumbnail(image) for image in images])
    best = near._best(pictures, pictures)
    subjects = np.array([case.subject for case in cases])
    twin = np.isin(subjects, ("patient074", "patient076"))
    upper = np.triu(np.ones(best.shape, bool), 1)
    same = upper & (subjects[:, None] == subjects[None])
    twins = upper & ~same & np.outer(twin, twin)
    rng = np.random.default_rng(0)
    copies = {}
    for name, change in COPIES.items():
        values = [
            near._best(
                pictures[n][None], picture(change(images[n].array, rng), images[n].geometry)[None]
            )[0, 0]
            for n in range(0, len(images), EVERY)
        ]
        copies[name] = spread(np.array(values))
    found = {
        "frames": len(cases),
        "subjects": len(set(subjects)),
        "limit": near.NEAR,
        "two frames of one subject": spread(best[same]),
        "frames of two subjects": spread(best[upper & ~same & ~twins]),
        "patient074 and patient076": spread(best[twins]),
        "copies": {"frames": len(range(0, len(images), EVERY)), **copies},
    }
    Path(output).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
