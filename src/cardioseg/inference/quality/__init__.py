"""The quality gate: expected Dice, plausibility rules, a verdict with reasons; no reference."""

from cardioseg.inference.quality.assess import assess, assess_by_rules, predict_assessed

__all__ = ["assess", "assess_by_rules", "predict_assessed"]
