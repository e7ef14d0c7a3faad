"""What only the rest of a set tells: mirrored and turned hearts, duplicates, odd spacings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cardioseg.core.geometry import Float64Array
from cardioseg.ops.grid import Reorientation
from cardioseg.workflows.doctor.duplicates import alike_pairs
from cardioseg.workflows.doctor.finding import Finding, Severity
from cardioseg.workflows.doctor.look import Seen
from cardioseg.workflows.doctor.pose import HeartPose, handedness, pictures_of_others
from cardioseg.workflows.doctor.repair import move_words, moves

FEWEST = 5
"""Subjects that a set needs before one of them can be told to differ from the rest."""

MIRRORED = 0.05
"""How much better the mirror image must fit; `python -m tests.soak.doctor` measures it on a set."""

TURNED_DEGREES = 120.0
"""A heart that points farther away from the rest's mean is turned; ACDC: at most 89 degrees."""

ODD_SPACING, FAULTY_SPACING = 2.5, 5.0
"""Ratio to the set's median; a wrong unit is a factor of 10 or more."""

ODD_LEVEL, ODD_DEVIATIONS = 4.0, 5.0
"""Ratio of the 99th percentile to the set's median, and that in median absolute deviations."""


@dataclass(frozen=True, eq=False)
class _Posed:
    """A case whose heart's pose is known, and how much better its mirror image fits the rest."""

    seen: Seen
    pose: HeartPose
    mirrored: float


def compare_cases(seen: Sequence[Seen]) -> tuple[list[Finding], dict[str, Reorientation]]:
    """Compare each case with the rest of its set.

    Returns
    -------
    tuple
        Findings, and by case id the move that mends a mirrored one.
    """
    told, mends = _poses(seen)
    return [*told, *_duplicates(seen), *_spacings(seen), *_levels(seen)], mends


def posed_subjects(seen: Sequence[Seen]) -> int:
    """Subjects whose heart's pose the labels tell."""
    return len({each.case.subject for each in seen if each.pose is not None})


def _poses(seen: Sequence[Seen]) -> tuple[list[Finding], dict[str, Reorientation]]:
    if posed_subjects(seen) < FEWEST:
        return [], {}
    posed = _posed(seen)
    to_apex = _unit(np.median([each.pose.to_apex for each in posed], axis=0))
    to_rv = _unit(np.median([each.pose.to_rv for each in posed], axis=0))
    margins = defaultdict(list)
    for each in posed:
        margins[each.seen.case.subject].append(each.mirrored)
    told: list[Finding] = []
    mends: dict[str, Reorientation] = {}
    for each in posed:
        if np.mean(margins[each.seen.case.subject]) > MIRRORED:
            step = _mirror_step(each, to_apex, to_rv)
            mends[each.seen.case.id] = step
            told.append(_mirrored(each, step))
        else:
            told += _turned(each, to_apex, to_rv)
    return told, mends


def _posed(seen: Sequence[Seen]) -> list[_Posed]:
    known = [(each, each.pose) for each in seen if each.pose is not None]
    references = pictures_of_others(
        [pose.picture for _, pose in known], [each.case.subject for each, _ in known]
    )
    return [
        _Posed(each, pose, -handedness(pose.picture, reference))
        for (each, pose), reference in zip(known, references, strict=True)
    ]


def _mirror_step(each: _Posed, to_apex: Float64Array, to_rv: Float64Array) -> Reorientation:
    """The move after which the heart points most as the others do."""
    geometry = each.seen.geometry
    axis = geometry.native_axis
    plane = None if axis is None else ((1, 2), (0, 2), (0, 1))[axis]

    def agreement(step: Reorientation) -> float:
        apex, rv = each.pose.moved(step, geometry.directions)
        return float(apex @ to_apex + rv @ to_rv)

    return max(moves(plane), key=agreement)


def _mirrored(each: _Posed, step: Reorientation) -> Finding:
    case = each.seen.case
    what = f"the heart is a mirror image of the rest's ({move_words(step)})"
    advice = (
        "mirror image and labels back; or leave it, if the heart is known to lie so (dextrocardia)"
    )
    return Finding(case.subject, case.id, "mirrored", "fault", what, advice, repairable=True)


def _turned(each: _Posed, to_apex: Float64Array, to_rv: Float64Array) -> Iterator[Finding]:
    case = each.seen.case
    pairs = (("apex", each.pose.to_apex, to_apex), ("right ventricle", each.pose.to_rv, to_rv))
    for name, own, typical in pairs:
        angle = float(np.degrees(np.arccos(np.clip(own @ typical, -1, 1))))
        if angle > TURNED_DEGREES:
            what = f"the {name} lies {angle:.0f} degrees away from where the rest has it"
            advice = "compare it with another case: axes may be swapped and mirrored at once"
            yield Finding(case.subject, case.id, "turned", "look", what, advice)


def _duplicates(seen: Sequence[Seen]) -> Iterator[Finding]:
    """One finding a pair of subjects, of its most alike images."""
    pairs: dict[tuple[str, str], list[tuple[Seen, Seen, float]]] = defaultdict(list)
    for first, second, alike in alike_pairs(seen):
        pairs[first.case.subject, second.case.subject].append((first, second, alike))
    for found in pairs.values():
        first, second, alike = max(found, key=lambda pair: pair[2])
        how = "the same image as" if alike == 1 else f"almost the same image ({alike:.2f}) as"
        what = f"{how} {second.case.id} of subject {second.case.subject}"
        more = len(found) - 1
        what += f", and {more} more such pair{'s' * (more != 1)}" if more else ""
        advice = "keep one of the two subjects, or give both one subject's name"
        yield Finding(first.case.subject, first.case.id, "duplicate", "fault", what, advice)


def _spacings(seen: Sequence[Seen]) -> Iterator[Finding]:
    table = np.array([[min(s.geometry.spacing), max(s.geometry.spacing)] for s in seen])
    if len(table) < FEWEST:
        return
    middle = np.median(table, axis=0)
    for each, own in zip(seen, table, strict=True):
        ratios = np.maximum(own / middle, middle / own)
        if ratios.max() < ODD_SPACING:
            continue
        which = int(ratios.argmax())
        severity: Severity = "fault" if ratios.max() >= FAULTY_SPACING else "look"
        what = (
            f"{('smallest', 'largest')[which]} spacing {own[which]:.4g} mm, the set's median is "
            f"{middle[which]:.4g} mm"
        )
        advice = "check the unit and the header against the scanner's protocol"
        yield Finding(each.case.subject, each.case.id, "spacing", severity, what, advice)


def _levels(seen: Sequence[Seen]) -> Iterator[Finding]:
    bright = [each for each in seen if each.level > 0]
    if len(bright) < FEWEST:
        return
    levels = np.log([each.level for each in bright])
    middle = float(np.median(levels))
    spread = float(np.median(np.abs(levels - middle)))
    limit = max(float(np.log(ODD_LEVEL)), ODD_DEVIATIONS * spread)
    for each, level in zip(bright, levels, strict=True):
        if abs(level - middle) > limit:
            what = (
                f"99 % of the voxels lie below {each.level:.4g}, in the set's median case below "
                f"{np.exp(middle):.4g}"
            )
            advice = "check that it is the same kind of image, not rescaled, and no mask"
            yield Finding(each.case.subject, each.case.id, "intensity", "look", what, advice)


def _unit(vector: Float64Array) -> Float64Array:
    length = float(np.linalg.norm(vector))
    unit: Float64Array = vector / length if length else vector
    return unit
