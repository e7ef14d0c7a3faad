"""The quality gate: expected Dice, plausibility rules, a verdict with reasons; no reference."""

from cardioseg.inference.quality.assess import (
    Evidence,
    assess,
    assess_by_evidence,
    assess_by_rules,
    evidence_of,
    predict_assessed,
)

__all__ = [
    "Evidence",
    "assess",
    "assess_by_evidence",
    "assess_by_rules",
    "evidence_of",
    "predict_assessed",
]
