"""The quality gate: how far one segmentation can be trusted, without a reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from cardioseg.core.quality import Quality, Reason, Verdict
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.engines.engine import Float32Array
from cardioseg.inference.predictor import Prediction, Predictor
from cardioseg.inference.quality.calibration import Calibration, calibration_of
from cardioseg.inference.quality.features import MIRRORS, mirror_features, score_features
from cardioseg.inference.quality.pose import pose_reasons, view_reasons
from cardioseg.inference.quality.scan import grid_reasons, scan_reasons
from cardioseg.inference.quality.shape import heart_reasons, shape_reasons
from cardioseg.inference.quality.slices import slice_reasons
from cardioseg.inference.quality.stack import is_short_axis, short_axis_stack

REVIEW_BELOW = 0.8
"""Expected Dice of a structure below which a person looks at it."""

REJECT_BELOW = 0.5
"""Mean expected Dice below which nothing of a segmentation is worth correcting."""

_SEVERITY = {Verdict.ACCEPT: 0, Verdict.REVIEW: 1, Verdict.REJECT: 2}


@dataclass(frozen=True)
class Evidence:
    """What the scores of one segmentation tell: a few numbers, where the scores take megabytes.

    Parameters
    ----------
    features
        Features of each structure that cost no pass of the network, 0 to 1.
    found_voxels
        Voxels that the network called heart before loose pieces were dropped.
    """

    features: Mapping[str, Mapping[str, float]]
    found_voxels: int


def evidence_of(scores: Float32Array, labels: LabelMap) -> Evidence:
    """Evidence from the scores (classes, I, J, K) of an answer."""
    return Evidence(score_features(scores, labels), int(np.count_nonzero(scores.argmax(axis=0))))


def predict_assessed(predictor: Predictor, volume: Volume) -> tuple[Prediction, Quality]:
    """Segment a volume and judge the answer, in one pass of the network and what the gate adds.

    Parameters
    ----------
    predictor
        The model and its engine.
    volume
        The image.
    """
    prediction, scores = predictor.predict_with_scores(volume)
    return prediction, assess(predictor, volume, prediction.labels, scores)


def assess(predictor: Predictor, volume: Volume, labels: LabelMap, scores: Float32Array) -> Quality:
    """Judge one segmentation.

    A model whose folder holds a `quality.json` gets an expected Dice for each structure; its
    network is asked again about the mirrored heart if the calibration uses that. Other models, and
    answers made in another way than the plan says, are judged by rules alone.

    Parameters
    ----------
    predictor
        What made the segmentation.
    volume
        The image.
    labels, scores
        Its answer, as :meth:`Predictor.predict_with_scores` gives it, scores (classes, I, J, K).

    Returns
    -------
    Quality
        The verdict is the worst of its reasons', `accept` without one.

    Raises
    ------
    ModelError
        If the model's calibration is malformed.
    """
    return assess_by_evidence(predictor, volume, labels, evidence_of(scores, labels))


def assess_by_evidence(
    predictor: Predictor, volume: Volume, labels: LabelMap, evidence: Evidence
) -> Quality:
    """What :func:`assess` answers, from what was kept of scores that are no longer there.

    A cine is judged by the frames of its end diastole and end systole, which are known only when
    all frames have been segmented.
    """
    calibration = calibration_of(predictor.model) if predictor.is_as_planned else None
    if calibration and labels.array.any():
        features = {name: dict(values) for name, values in evidence.features.items()}
        if calibration.needs_mirrors:
            _add_mirrors(features, predictor, volume, labels)
        expected = calibration.expected(features)
    else:
        expected = _nothing_expected(calibration)
    return judge(rule_reasons(volume, labels, evidence.found_voxels), expected)


def assess_by_rules(volume: Volume, labels: LabelMap, found_voxels: int | None = None) -> Quality:
    """Judge labels that have no scores, such as a classical method's or corrected ones.

    Parameters
    ----------
    volume
        The image.
    labels
        Its segmentation, on the same grid.
    found_voxels
        Voxels that were called heart before loose pieces were dropped; None if none were.
    """
    found = int(np.count_nonzero(labels.array)) if found_voxels is None else found_voxels
    return judge(rule_reasons(volume, labels, found), {})


def features_of(
    predictor: Predictor,
    volume: Volume,
    labels: LabelMap,
    scores: Float32Array,
    mirrors: bool = True,
) -> dict[str, dict[str, float]]:
    """Features of each structure, 0 to 1; without mirrored passes if they are not wanted."""
    answer = score_features(scores, labels)
    if mirrors:
        _add_mirrors(answer, predictor, volume, labels)
    return answer


def _add_mirrors(
    features: dict[str, dict[str, float]], predictor: Predictor, volume: Volume, labels: LabelMap
) -> None:
    for name, value in mirror_features(predictor, volume, labels).items():
        features[name][MIRRORS] = value


def rule_reasons(volume: Volume, labels: LabelMap, found_voxels: int) -> Iterator[Reason]:
    """Everything that the plausibility rules find.

    Parameters
    ----------
    volume
        The image.
    labels
        Its segmentation.
    found_voxels
        Voxels that the network called heart before loose pieces were dropped.
    """
    yield from scan_reasons(volume)
    if is_short_axis(labels.scheme):
        yield from grid_reasons(volume)
        yield from view_reasons(volume.geometry)
    yield from heart_reasons(labels, found_voxels)
    stack = short_axis_stack(labels) if labels.array.any() else None
    if stack is not None:
        yield from shape_reasons(stack)
        yield from slice_reasons(stack)
        yield from pose_reasons(stack, labels.geometry)


def judge(reasons: Iterable[Reason], expected: Mapping[str, float]) -> Quality:
    """The verdict on reasons and expected Dice.

    Examples
    --------
    >>> judge([], {"LV cavity": 0.93, "RV cavity": 0.7}).verdict.value
    'review'
    """
    found = [*reasons, *_expected_reasons(expected)]
    unique = {(reason.rule, reason.words): reason for reason in found}
    ranked = sorted(unique.values(), key=lambda reason: -_SEVERITY[reason.verdict])
    verdict = ranked[0].verdict if ranked else Verdict.ACCEPT
    return Quality(verdict, dict(expected), tuple(ranked))


def _expected_reasons(expected: Mapping[str, float]) -> Iterator[Reason]:
    if not expected:
        return
    low = {name: value for name, value in expected.items() if value < REVIEW_BELOW}
    told = ", ".join(f"{name} {value:.2f}" for name, value in low.items())
    if sum(expected.values()) / len(expected) < REJECT_BELOW:
        words = f"the contours are probably wrong (expected Dice: {told}): contour by hand"
        yield Reason(Verdict.REJECT, "low_expected_dice", words)
    elif low:
        words = f"the contours are unsure (expected Dice: {told}): check and correct them"
        yield Reason(Verdict.REVIEW, "low_expected_dice", words)


def _nothing_expected(calibration: Calibration | None) -> dict[str, float]:
    return dict.fromkeys(calibration.structures, 0.0) if calibration else {}
