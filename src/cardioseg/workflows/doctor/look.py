"""What one case shows by itself: its findings, its repair, and what the rest is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.data.looks import content_digest
from cardioseg.errors import FormatError, GeometryError, LabelError
from cardioseg.ops.grid import Reorientation
from cardioseg.workflows.doctor.duplicates import likeness
from cardioseg.workflows.doctor.finding import Finding, Kind, Severity
from cardioseg.workflows.doctor.labels import (
    ENCLOSED,
    Parts,
    brightness,
    convention,
    cut_words,
    parts_of,
    renumbering_words,
    stack,
)
from cardioseg.workflows.doctor.pose import HeartPose, heart_pose
from cardioseg.workflows.doctor.repair import Repair, move_words, moved_labels, moves

CLEAR_BRIGHTNESS = 0.65
"""Blood and muscle differ at least so much where labels lie on their image; ACDC: 0.77 or more."""

BETTER_BRIGHTNESS = 0.03
"""A mirrored label map fits its image by more than this worse than mirrored back; on ACDC right
labels always fit better than mirrored ones, by 0.02 or more."""

_ORDERS = tuple(
    Reorientation((i, j, k), (a, b, c))
    for i, j, k in permutations(range(3))
    for a, b, c in product((False, True), repeat=3)
)


@dataclass(frozen=True, eq=False)
class Seen:
    """What one readable case shows.

    Parameters
    ----------
    case, geometry
        The case, and its image's grid.
    counts
        Voxels by class, background first; empty without labels.
    digest, likeness
        Of the image: its content whatever the storage order, and a coarse picture.
    level
        99th percentile of the intensities.
    pose
        How the heart lies after the case's own repair, where the labels tell.
    findings, repair
        What is wrong in the case by itself, and what mends it.
    """

    case: Case
    geometry: Geometry
    counts: tuple[int, ...]
    digest: str
    likeness: NDArray[np.float32]
    level: float
    pose: HeartPose | None
    findings: tuple[Finding, ...]
    repair: Repair


def look_at(case: Case) -> Seen | Finding:
    """Read one case and look at it by itself; a finding alone where it cannot be read."""
    try:
        image = case.image()
        digest = content_digest(image)
    except (FormatError, GeometryError) as error:
        return _unreadable(case, "unreadable", error, "re-export the file or leave the case out")
    told: list[Finding] = []
    labels: LabelMap | None = None
    try:
        labels = case.labels() if case.load_labels else None
    except LabelError as error:
        advice = "map the number in the reader or correct the file: it is no structure of the set"
        told.append(_unreadable(case, "label-values", error, advice))
    except (FormatError, GeometryError) as error:
        advice = "re-export the label map or leave the case out"
        told.append(_unreadable(case, "unreadable", error, advice))
    told += _intensities(case, image)
    repair, pose = Repair(), None
    counts: tuple[int, ...] = ()
    if labels is not None:
        found = np.bincount(labels.array.ravel(), minlength=labels.scheme.class_count)
        counts = tuple(found.tolist())
        repair, pose = _labels(case, image, labels, told)
    return Seen(
        case=case,
        geometry=image.geometry,
        counts=counts,
        digest=digest,
        likeness=likeness(image),
        level=float(np.percentile(image.array, 99)),
        pose=pose,
        findings=tuple(told),
        repair=repair,
    )


def _labels(
    case: Case, image: Volume, labels: LabelMap, told: list[Finding]
) -> tuple[Repair, HeartPose | None]:
    """Look at labels, adding to what is told; each check sees what the one before it mended."""
    parts, repair = parts_of(labels.scheme), Repair()
    if not labels.array.any():
        advice = "draw the labels, or remove the file so that the case counts as unlabelled"
        told.append(_finding(case, "labels-empty", "no voxel is labelled", advice))
        return repair, None
    told += _absent(case, labels)
    if not labels.geometry.is_same(image.geometry):
        finding, order = _grids(case, image, labels, parts)
        told.append(finding)
        if order is None:
            return repair, None
        repair = replace(repair, labels_on_image=order)
    labels = repair.apply(image, labels)[1]
    finding_, values = _convention(case, labels, parts)
    told += finding_
    repair = replace(repair, values=values)
    numbered = Repair(values=values).apply(image, labels)[1]
    finding_, step = _mirrored(case, image, numbered, parts)
    told += finding_
    repair = replace(repair, move_labels=step)
    mended = moved_labels(numbered, step)
    slices = stack(mended.array, mended.geometry)
    advice = "draw what is missing, or leave the case out"
    told += [
        _finding(case, "labels-cut", words, advice, severity="look")
        for words in cut_words(slices, mended.geometry, mended.scheme)
    ]
    return repair, heart_pose(image, mended, parts)


def _absent(case: Case, labels: LabelMap) -> Iterator[Finding]:
    for structure in labels.scheme.structures:
        if not (labels.array == structure.value).any():
            advice = "check that it is the anatomy or the field of view, and not forgotten"
            what = f"no voxel is {structure.name}"
            yield _finding(case, "structure-absent", what, advice, severity="look")


def _grids(
    case: Case, image: Volume, labels: LabelMap, parts: Parts
) -> tuple[Finding, Reorientation | None]:
    ours, theirs = image.geometry, labels.geometry
    apart = ours.distance_mm(theirs)
    told = "" if np.isinf(apart) else f", corners up to {apart:.3g} mm apart"
    what = f"labels on {theirs.describe()}, the image on {ours.describe()}{told}"
    order = _same_voxels(ours, theirs)
    if order is None and ours.shape == theirs.shape:
        fits = brightness(image.array, labels.array, parts)
        if fits is not None and abs(fits - 0.5) >= CLEAR_BRIGHTNESS - 0.5:
            order = Reorientation((0, 1, 2), (False, False, False))
    if order is None:
        advice = "re-export the labels on the image's grid: how they lie cannot be told"
        return _finding(case, "grid", what, advice), None
    advice = "lay the labels on the image's grid: voxel by voxel they fit it"
    return _finding(case, "grid", what, advice, repairable=True), order


def _same_voxels(image: Geometry, labels: Geometry) -> Reorientation | None:
    """The order of storage in which the labels' voxels are the image's, to half a voxel."""
    near = min(image.spacing) / 2
    for order in _ORDERS:
        if order.geometry(labels).distance_mm(image) <= near:
            return order
    return None


def _convention(case: Case, labels: LabelMap, parts: Parts) -> tuple[list[Finding], dict[int, int]]:
    share, values = convention(stack(labels.array, labels.geometry), parts)
    if share >= ENCLOSED:
        return [], {}
    what = f"myocardium is around {share:.0%} of the LV's outline only"
    if not (labels.array == parts.lv).any():
        if not values:
            return [], {}
        what = "no voxel is the LV, and another structure lies inside the myocardium"
    if values:
        advice = f"read the numbers so: {renumbering_words(values, labels.scheme)}"
        return [_finding(case, "label-convention", what, advice, repairable=True)], values
    advice = "look at the labels: no exchange of their numbers makes the myocardium enclose the LV"
    return [_finding(case, "label-convention", what, advice)], {}


def _mirrored(
    case: Case, image: Volume, labels: LabelMap, parts: Parts
) -> tuple[list[Finding], Reorientation | None]:
    """Whether the labels alone are a mirror image: turned back they lie on the bright blood."""
    fits = brightness(image.array, labels.array, parts)
    if fits is None:
        return [], None
    axis = labels.geometry.native_axis
    plane = None if axis is None else ((1, 2), (0, 2), (0, 1))[axis]
    others = {
        step: brightness(image.array, moved_labels(labels, step).array, parts)
        for step in moves(plane)
    }
    # Dark-blood images fit the other way round; a mirrored label map fits less either way.
    step, best = max(others.items(), key=lambda each: abs((each[1] or 0.5) - 0.5))
    better = abs((best or 0.5) - 0.5) - abs(fits - 0.5)
    if better <= BETTER_BRIGHTNESS:
        return [], None
    what = (
        f"labels with {move_words(step)} tell blood from muscle better ({best:.2f} against "
        f"{fits:.2f} as they are, 0.5 is chance)"
    )
    advice = "mirror the labels back onto their image"
    return [_finding(case, "labels-mirrored", what, advice, repairable=True)], step


def _intensities(case: Case, image: Volume) -> Iterator[Finding]:
    low, high = float(image.array.min()), float(image.array.max())
    if low == high:
        what = f"constant: every voxel is {low:g}"
        yield _finding(case, "intensity", what, "export the image again or leave the case out")


def _unreadable(case: Case, kind: Kind, error: Exception, suggestion: str) -> Finding:
    return _finding(case, kind, str(error), suggestion)


def _finding(
    case: Case,
    kind: Kind,
    what: str,
    suggestion: str,
    *,
    severity: Severity = "fault",
    repairable: bool = False,
) -> Finding:
    return Finding(case.subject, case.id, kind, severity, what, suggestion, repairable)
