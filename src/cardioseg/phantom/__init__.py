"""Synthetic hearts in a synthetic thorax, and MR images of them or of any label map."""

from cardioseg.phantom.acquisition import Acquisition, acquire, add_rician_noise, refined
from cardioseg.phantom.anatomy import VARIANTS, HeartShape, Variant
from cardioseg.phantom.cohort import PhantomCase, cohort, phantom_case, whole_heart_case
from cardioseg.phantom.congenital import draw_congenital_heart
from cardioseg.phantom.contrast import (
    CINE,
    LATE_ENHANCEMENT,
    T1_WEIGHTED,
    WHOLE_HEART,
    Contrast,
)
from cardioseg.phantom.draw import contracted, draw_heart
from cardioseg.phantom.fields import Deformation
from cardioseg.phantom.implant import draw_implanted, heart_box, implanted, implanted_case
from cardioseg.phantom.organs import draw_thorax
from cardioseg.phantom.scene import label, rasterise
from cardioseg.phantom.setting import HARDER, TRAINING, Setting
from cardioseg.phantom.synthesis import Appearance, draw_appearance, synthesise
from cardioseg.phantom.thorax import Thorax
from cardioseg.phantom.tissue import Tissue, TissueMap
from cardioseg.phantom.whole_heart import congenital_case, draw_tissues, heart_labels

__all__ = [
    "CINE",
    "HARDER",
    "LATE_ENHANCEMENT",
    "T1_WEIGHTED",
    "TRAINING",
    "VARIANTS",
    "WHOLE_HEART",
    "Acquisition",
    "Appearance",
    "Contrast",
    "Deformation",
    "HeartShape",
    "PhantomCase",
    "Setting",
    "Thorax",
    "Tissue",
    "TissueMap",
    "Variant",
    "acquire",
    "add_rician_noise",
    "cohort",
    "congenital_case",
    "contracted",
    "draw_appearance",
    "draw_congenital_heart",
    "draw_heart",
    "draw_implanted",
    "draw_thorax",
    "draw_tissues",
    "heart_box",
    "heart_labels",
    "implanted",
    "implanted_case",
    "label",
    "phantom_case",
    "rasterise",
    "refined",
    "synthesise",
    "whole_heart_case",
]
