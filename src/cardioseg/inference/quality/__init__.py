"""The quality gate: expected Dice, plausibility rules, a verdict with reasons; no reference."""

from cardioseg.inference.quality.assess import assess, predict_assessed

__all__ = ["assess", "predict_assessed"]
