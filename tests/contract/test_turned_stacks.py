"""The shipped short-axis model on a real frame that lies otherwise in its array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cardioseg import load_model
from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.datasets.acdc import read_acdc
from cardioseg.evaluation.overlap import dice
from cardioseg.inference.predictor import Predictor
from cardioseg.model import installed_models
from cardioseg.ops.grid import Reorientation

pytestmark = pytest.mark.skipif(
    "sax" not in installed_models(), reason="the model sax is not installed"
)

LARGEST_LOSS = 0.02
"""Dice that a stack may lose which the header does not say to be turned."""

QUARTER_TURN = Reorientation((1, 0, 2), (True, False, False))
MIRRORED = Reorientation((0, 1, 2), (True, False, False))
REVERSED = Reorientation((0, 1, 2), (False, False, True))


@pytest.fixture(scope="module")
def sax() -> Predictor:
    return load_model("sax")


@pytest.fixture(scope="module")
def frame(acdc_root: Path) -> tuple[Volume, LabelMap]:
    """Image and reference of a patient at end diastole."""
    return read_acdc(acdc_root)[0].pair()


@pytest.fixture(scope="module")
def plain(sax: Predictor, frame: tuple[Volume, LabelMap]) -> LabelMap:
    """The answer to the frame as it is."""
    return sax.predict(frame[0]).labels


def mean_dice(prediction: LabelMap, reference: LabelMap) -> float:
    names = [each.name for each in reference.scheme.structures]
    found = [dice(prediction.mask(name), reference.mask(name)) for name in names]
    return float(np.mean([value for value in found if value is not None]))


@pytest.mark.parametrize("step", [QUARTER_TURN, MIRRORED, REVERSED])
def test_where_the_affine_turns_with_the_array_no_label_differs(sax, frame, plain, step) -> None:
    image = frame[0]
    turned = Volume(step.apply(image.array), step.geometry(image.geometry))
    back = step.invert(sax.predict(turned).labels.array)
    assert np.count_nonzero(back != plain.array) == 0


@pytest.mark.parametrize("step", [QUARTER_TURN, MIRRORED, REVERSED])
def test_where_the_affine_is_kept_little_is_lost(sax, frame, plain, step) -> None:
    image, reference = frame
    array = step.apply(image.array)
    grid = Geometry(array.shape, image.geometry.affine)
    expected = LabelMap(step.apply(reference.array), grid, reference.scheme)
    found = sax.predict(Volume(array, grid)).labels
    whole = mean_dice(plain, reference)
    assert whole > 0.9
    assert mean_dice(found, expected) >= whole - LARGEST_LOSS
