"""A network for cardioseg that was trained on synthetic hearts alone (Apache-2.0)."""

from pathlib import Path

WHOLE_HEART = str(Path(__file__).parent / "whole-heart")
"""Whole heart: myocardium, blood pool."""
