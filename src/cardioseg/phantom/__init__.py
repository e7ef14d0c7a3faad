"""Synthetic hearts in a synthetic thorax, and MR images of them or of any label map."""

from cardioseg.phantom.acquisition import Acquisition, acquire, add_rician_noise, refined
from cardioseg.phantom.anatomy import VARIANTS, HeartShape, Variant
from cardioseg.phantom.cohort import PhantomCase, cohort, phantom_case, whole_heart_case
from cardioseg.phantom.contrast import (
    CINE,
    LATE_ENHANCEMENT,
    T1_WEIGHTED,
    WHOLE_HEART,
    Contrast,
)
from cardioseg.phantom.draw import contracted, draw_heart
from cardioseg.phantom.organs import draw_thorax
from cardioseg.phantom.scene import label, rasterise
from cardioseg.phantom.thorax import Thorax
from cardioseg.phantom.tissue import Tissue, TissueMap

__all__ = [
    "CINE",
    "LATE_ENHANCEMENT",
    "T1_WEIGHTED",
    "VARIANTS",
    "WHOLE_HEART",
    "Acquisition",
    "Contrast",
    "HeartShape",
    "PhantomCase",
    "Thorax",
    "Tissue",
    "TissueMap",
    "Variant",
    "acquire",
    "add_rician_noise",
    "cohort",
    "contracted",
    "draw_heart",
    "draw_thorax",
    "label",
    "phantom_case",
    "rasterise",
    "refined",
    "whole_heart_case",
]
