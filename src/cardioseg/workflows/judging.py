"""Segment and judge: evidence is kept of each frame, and a cine is judged by a few of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cardioseg.core.quality import Quality
from cardioseg.core.volume import Volume
from cardioseg.inference.planes import LARGEST_SCORES_BYTES, scores_bytes
from cardioseg.inference.predictor import Prediction, Predictor
from cardioseg.inference.quality import (
    Evidence,
    assess_by_evidence,
    assess_by_rules,
    evidence_of,
)
from cardioseg.inference.quality.assess import judge
from cardioseg.inference.segmenter import Segmenter


def predict_with_evidence(
    segmenter: Segmenter, volume: Volume
) -> tuple[Prediction, Evidence | None]:
    """Segment one volume, and keep what its scores tell of the answer.

    None for a classical baseline, which has no scores, and for a volume whose scores are too large
    to be held: it is judged by rules alone.
    """
    is_large = scores_bytes(segmenter.scheme, volume.geometry) > LARGEST_SCORES_BYTES
    if not isinstance(segmenter, Predictor) or is_large:
        return segmenter.predict(volume), None
    prediction, scores = segmenter.predict_with_scores(volume)
    return prediction, evidence_of(scores, prediction.labels)


def quality_of(
    segmenter: Segmenter, volume: Volume, prediction: Prediction, evidence: Evidence | None
) -> Quality:
    """Judge an answer by its evidence and by rules; without evidence by rules alone."""
    if evidence is None or not isinstance(segmenter, Predictor):
        return assess_by_rules(volume, prediction.labels, prediction.found_voxels)
    return assess_by_evidence(segmenter, volume, prediction.labels, evidence)


def cine_quality(each: Mapping[int, Quality]) -> Quality:
    """The quality of a cine: the worst verdict of the frames that were judged, and every reason.

    Expected Dice is the lowest of the frames', by structure.

    Parameters
    ----------
    each
        Quality of each judged frame, by its index from 0.

    Examples
    --------
    >>> from cardioseg.core.quality import Verdict
    >>> good, fair = (Quality(Verdict.ACCEPT, {"LV cavity": dice}) for dice in (0.95, 0.9))
    >>> cine_quality({0: good, 7: fair}).predicted_dice
    {'LV cavity': 0.9}
    """
    reasons = [
        replace(reason, words=f"frame {index + 1}: {reason.words}")
        for index, quality in each.items()
        for reason in quality.reasons
    ]
    names = dict.fromkeys(name for quality in each.values() for name in quality.predicted_dice)
    lowest = {
        name: min(q.predicted_dice[name] for q in each.values() if name in q.predicted_dice)
        for name in names
    }
    return replace(judge(reasons, {}), predicted_dice=lowest)


def quality_lines(quality: Quality | None) -> tuple[str, ...]:
    """A line for the verdict and one for each reason, as logs and reports tell them.

    Examples
    --------
    >>> from cardioseg.core.quality import Reason, Verdict
    >>> quality_lines(Quality(Verdict.REVIEW, reasons=(Reason(Verdict.REVIEW, "holes", "holes"),)))
    ('quality: review', 'review: holes')
    """
    if quality is None:
        return ()
    reasons = (f"{each.verdict}: {each.words}" for each in quality.reasons)
    return (f"quality: {quality.verdict}", *reasons)
