"""Our metrics beside MONAI, SimpleITK and scikit-image with SciPy, on thousands of random masks.

`make soak-metrics` runs it; it ends with 1 where a figure differs by more than rounding.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import SimpleITK
import torch
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.segmentation import find_boundaries

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import monai.metrics as monai_metrics

from cardioseg.evaluation.overlap import cce_per_class, dice, jaccard
from cardioseg.evaluation.surface import SurfaceDistances, boundary, surface_distances

RELATIVE = 1e-4
"""MONAI and SimpleITK compute in float32."""

Mask = np.ndarray
Pair = tuple[Mask, Mask]
Figures = dict[str, float]


def draw_pair(rng: np.random.Generator) -> tuple[Pair, tuple[float, ...]]:
    """Two masks that are not empty, in 3-D or 2-D, and an anisotropic spacing in mm."""
    sides = 3 if rng.random() < 0.75 else 2
    shape = tuple(int(n) for n in rng.integers(2, 30, sides))
    spacing = tuple(float(s) for s in np.exp(rng.uniform(np.log(0.4), np.log(12), sides)))
    while True:
        pair = rng.choice((blobs, points, boxes, moved))(rng, shape)
        if pair[0].any() and pair[1].any():
            return pair, spacing


def blobs(rng: np.random.Generator, shape: tuple[int, ...]) -> Pair:
    """Irregular bodies that overlap in part, some cut by the edge of the array."""
    sigma = rng.uniform(0.5, 3)
    first, noise = (ndimage.gaussian_filter(rng.normal(size=shape), sigma) for _ in range(2))
    limit = np.quantile(first, rng.uniform(0.3, 0.97))
    return first > limit, first + rng.uniform(0, 2) * noise > limit


def points(rng: np.random.Generator, shape: tuple[int, ...]) -> Pair:
    """Scattered voxels."""
    share = rng.uniform(0.005, 0.6)
    return rng.random(shape) < share, rng.random(shape) < share


def boxes(rng: np.random.Generator, shape: tuple[int, ...]) -> Pair:
    """Two boxes, often far apart."""
    found = []
    for _ in range(2):
        mask = np.zeros(shape, bool)
        low = [int(rng.integers(0, n)) for n in shape]
        mask[
            tuple(slice(a, int(rng.integers(a, n)) + 1) for a, n in zip(low, shape, strict=True))
        ] = True
        found.append(mask)
    return found[0], found[1]


def moved(rng: np.random.Generator, shape: tuple[int, ...]) -> Pair:
    """A hollow body and itself, moved by a voxel or two."""
    body = blobs(rng, shape)[0]
    shell = body & ~ndimage.binary_erosion(body, iterations=2)
    steps = [int(s) for s in rng.integers(-2, 3, len(shape))]
    return shell, np.roll(shell, steps, tuple(range(len(shape))))


def ours(pair: Pair, spacing: tuple[float, ...], tolerance_mm: float) -> Figures:
    """Every figure of a pair, as `evaluate` computes it."""
    distances = surface_distances(*pair, spacing)
    return {
        "dice": dice(*pair),
        "jaccard": jaccard(*pair),
        "hd_mm": distances.hd_mm,
        "hd95_mm": distances.hd95_mm,
        "assd_mm": distances.assd_mm,
        "average_boundary_distance_mm": distances.average_boundary_distance_mm,
        "surface_dice": distances.surface_dice(tolerance_mm),
        "volume_error_ml": float(
            (int(pair[0].sum()) - int(pair[1].sum())) * np.prod(spacing) / 1000
        ),
    }


def by_monai(pair: Pair, spacing: tuple[float, ...], tolerance_mm: float) -> Figures:
    """The figures that MONAI has."""
    first, second = (torch.from_numpy(mask.copy())[None, None].float() for mask in pair)
    options = {"include_background": True, "spacing": list(spacing)}
    return {
        "dice": monai_metrics.compute_dice(first, second).item(),
        "jaccard": monai_metrics.compute_iou(first, second).item(),
        "hd_mm": monai_metrics.compute_hausdorff_distance(first, second, **options).item(),
        "hd95_mm": monai_metrics.compute_hausdorff_distance(
            first, second, percentile=95, **options
        ).item(),
        "assd_mm": monai_metrics.compute_average_surface_distance(
            first, second, symmetric=True, **options
        ).item(),
        "surface_dice": monai_metrics.compute_surface_dice(
            first, second, [tolerance_mm], **options
        ).item(),
    }


def by_simpleitk(pair: Pair, spacing: tuple[float, ...], _: float) -> Figures:
    """The figures that SimpleITK has; distances of our boundaries, for it takes whole masks."""
    masks = [_image(mask, spacing) for mask in pair]
    overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*masks)
    far = SimpleITK.HausdorffDistanceImageFilter()
    far.Execute(*(_image(boundary(mask), spacing) for mask in pair))
    sizes = []
    for mask in masks:
        shape = SimpleITK.LabelShapeStatisticsImageFilter()
        shape.Execute(mask)
        sizes.append(shape.GetPhysicalSize(1))
    return {
        "dice": overlap.GetDiceCoefficient(1),
        "jaccard": overlap.GetJaccardCoefficient(1),
        "hd_mm": far.GetHausdorffDistance(),
        "average_boundary_distance_mm": far.GetAverageHausdorffDistance(),
        "volume_error_ml": (sizes[0] - sizes[1]) / 1000,
    }


def _image(mask: Mask, spacing: tuple[float, ...]) -> SimpleITK.Image:
    # SimpleITK's arrays are (z, y, x), its spacing (x, y, z).
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(mask.T).astype(np.uint8))
    image.SetSpacing(spacing)
    return image


def by_scikit_image(pair: Pair, spacing: tuple[float, ...], tolerance_mm: float) -> Figures:
    """Boundaries by scikit-image, nearest points by SciPy's k-d tree."""
    edges = []
    for mask in pair:
        padded = np.pad(mask, 1)  # outside the array is background
        inner = find_boundaries(padded, connectivity=1, mode="inner")
        edges.append(np.argwhere(inner) * np.asarray(spacing))
    there, back = (cKDTree(edges[1 - n]).query(edges[n])[0] for n in (0, 1))
    both = np.concatenate([there, back])
    return {
        "hd_mm": both.max(),
        "hd95_mm": max(np.percentile(there, 95), np.percentile(back, 95)),
        "assd_mm": both.mean(),
        "average_boundary_distance_mm": (there.mean() + back.mean()) / 2,
        "surface_dice": float((both <= tolerance_mm).mean()),
    }


LIBRARIES = {
    "MONAI": by_monai,
    "SimpleITK": by_simpleitk,
    "scikit-image and SciPy": by_scikit_image,
}


def other_definitions(
    pair: Pair, spacing: tuple[float, ...], tolerance_mm: float
) -> dict[str, tuple[str, float]]:
    """What other programs give under the same name: definition to our metric and its figure."""
    distances = surface_distances(*pair, spacing)
    both = np.concatenate([distances.from_prediction, distances.from_reference])
    whole = SimpleITK.HausdorffDistanceImageFilter()
    whole.Execute(*(_image(mask, spacing) for mask in pair))
    found = {
        "HD95 of the pooled distances (medpy)": ("hd95_mm", float(np.percentile(both, 95))),
        "HD of whole masks (SimpleITK)": ("hd_mm", whole.GetHausdorffDistance()),
        "ASD one way, prediction to reference (MONAI's default)": (
            "assd_mm",
            float(distances.from_prediction.mean()),
        ),
        "average of the directed means (medpy's assd)": (
            "assd_mm",
            distances.average_boundary_distance_mm,
        ),
    }
    if len(spacing) == 3:
        first, second = (torch.from_numpy(mask.copy())[None, None].float() for mask in pair)
        weighted = monai_metrics.compute_surface_dice(
            first,
            second,
            [tolerance_mm],
            include_background=True,
            spacing=list(spacing),
            use_subvoxels=True,
        ).item()
        found["surface Dice weighted by area (MONAI use_subvoxels, DeepMind)"] = (
            "surface_dice",
            weighted,
        )
    return found


def entropies(rng: np.random.Generator) -> tuple[float, float]:
    """Our cross-entropy, summed over the classes, and PyTorch's, of random scores."""
    classes, pixels = int(rng.integers(2, 9)), int(rng.integers(1, 400))
    scores = rng.dirichlet(np.full(classes, 0.3), pixels).T.astype(np.float32)
    labels = rng.integers(0, classes, pixels)
    own = float(cce_per_class(scores, labels == np.arange(classes)[:, None]).sum())
    logged = torch.from_numpy(np.log(np.clip(scores.T, 1e-7, None)))
    return own, float(torch.nn.functional.nll_loss(logged, torch.from_numpy(labels)))


def differs(own: float, other: float) -> float:
    """Relative difference; absolute where our figure is below 1."""
    return abs(own - other) / max(abs(own), 1.0)


def soak(count: int, seed: int) -> dict[str, object]:
    """Compare `count` pairs; the record has every comparison's largest difference."""
    rng = np.random.default_rng(seed)
    apart: dict[tuple[str, str], list[float]] = defaultdict(list)
    defined: dict[tuple[str, str], list[float]] = defaultdict(list)
    at_tolerance, voxels = 0, 0
    for _ in range(count):
        pair, spacing = draw_pair(rng)
        tolerance = float(rng.uniform(0.3, 12))
        own = ours(pair, spacing, tolerance)
        voxels += pair[0].size
        on_edge = _on_the_tolerance(surface_distances(*pair, spacing), tolerance)
        at_tolerance += on_edge
        for name, library in LIBRARIES.items():
            for metric, value in library(pair, spacing, tolerance).items():
                if not (on_edge and metric == "surface_dice"):
                    apart[metric, name].append(differs(own[metric], value))
        for name, (metric, value) in other_definitions(pair, spacing, tolerance).items():
            defined[name, metric].append(differs(own[metric], value))
        apart["cce", "PyTorch"].append(differs(*entropies(rng)))
    return {
        "format_version": 1,
        "pairs": count,
        "seed": seed,
        "voxels": voxels,
        "pairs_with_a_distance_at_the_tolerance": at_tolerance,
        "allowed_relative_difference": RELATIVE,
        "agreement": [_row(*key, values) for key, values in sorted(apart.items())],
        "other_definitions": [
            {
                "definition": name,
                "metric": metric,
                "compared": len(values),
                "share_that_differ": round(float(np.mean(np.array(values) > RELATIVE)), 4),
                "median_difference": round(float(np.median(values)), 6),
                "p95_difference": round(float(np.percentile(values, 95)), 6),
                "largest_difference": round(max(values), 6),
            }
            for (name, metric), values in sorted(defined.items())
        ],
    }


def _on_the_tolerance(distances: SurfaceDistances, tolerance_mm: float) -> bool:
    """Whether rounding decides if a distance is within the tolerance."""
    both = np.concatenate([distances.from_prediction, distances.from_reference])
    return bool((np.abs(both - tolerance_mm) < 1e-5 * tolerance_mm).any())


def _row(metric: str, library: str, values: list[float]) -> dict[str, object]:
    return {
        "metric": metric,
        "library": library,
        "compared": len(values),
        "disagree": int(np.sum(~(np.array(values) <= RELATIVE))),
        "largest_difference": float(f"{max(values):.3g}"),
    }


def main() -> int:
    """Run the comparison and write its record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    wanted = parser.parse_args()
    started = time.monotonic()
    warnings.simplefilter("ignore")
    record = soak(wanted.pairs, wanted.seed)
    record["seconds"] = round(time.monotonic() - started, 1)
    libraries = ("numpy", "scipy", "scikit-image", "SimpleITK", "monai", "torch")
    record["versions"] = {name: version(name) for name in libraries}
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    wanted.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    rows = [*record["agreement"], *record["other_definitions"]]
    sys.stdout.writelines("\t".join(map(str, row.values())) + "\n" for row in rows)
    return int(any(row["disagree"] for row in record["agreement"]))


if __name__ == "__main__":
    sys.exit(main())
