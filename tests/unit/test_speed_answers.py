"""Tables and sums of what int8 costs and of how engines differ."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.speed.engines import difference, engines_table
from benchmarks.speed.int8 import int8_table
from benchmarks.speed.results import Results

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap


def answer(*columns):
    """Labels and scores of a row of voxels, each by its scores for the four classes."""
    scores = np.array(columns, np.float32).T[:, :, None, None]
    geometry = Geometry(scores.shape[1:], np.eye(4))
    return LabelMap(scores.argmax(axis=0).astype(np.uint8), geometry, ACDC), scores


def test_the_gap_is_that_of_the_first_engine_where_another_says_another_class() -> None:
    first = answer((0.5, 0.25, 0.25, 0), (0.1, 0.4375, 0.4625, 0), (0, 0, 0, 1))
    other = answer((0.75, 0.25, 0, 0), (0.1, 0.4625, 0.4375, 0), (0, 0, 0, 1))
    found = difference(first, other)
    assert (found.voxels, found.likeliest) == (1, 1)
    assert found.gap == pytest.approx(0.025)
    assert found.score == pytest.approx(0.25)
    assert found.dice < 1


def test_the_same_answer_has_no_gap() -> None:
    same = answer((0.5, 0.25, 0.25, 0), (0, 0, 0, 1))
    found = difference(same, same)
    assert (found.voxels, found.likeliest, found.gap, found.score) == (0, 0, 0, 0)
    assert found.dice == 1


def test_a_piece_that_is_kept_by_one_engine_alone_counts_as_voxels() -> None:
    labels, scores = answer((0.5, 0.25, 0.25, 0), (0, 0, 0, 1))
    dropped = LabelMap(np.zeros_like(labels.array), labels.geometry, ACDC)
    found = difference((labels, scores), (dropped, scores))
    assert (found.voxels, found.likeliest) == (1, 0)


def test_a_row_for_each_network_and_engine() -> None:
    dice = {"float32": {"LV": 0.9, "RV": 0.8}, "int8": {"LV": 0.9, "RV": 0.797}, "drop": 0.0015}
    times = {"min": 1.5, "median": 2.0, "max": 2.25}
    found = {"fast": {"engines": {"openvino": dice}, "times_as_fast": {"openvino": times}}}
    table = int8_table(Results({"int8": {"found": found}}))
    row = "| fast | OpenVINO | 0.8500 | 0.8485 | 0.0015 | 0.0030 (RV) | 2.00 x (1.50 to 2.25) |"
    assert table.splitlines()[-1] == row

    untimed = {"fast": {"engines": {"openvino": dice}}}
    assert int8_table(Results({"int8": {"found": untimed}})).endswith("| 0.0030 (RV) | - |")

    told = {"differing_voxels": 3, "likeliest_class_differs": 2, "largest_gap_there": 2.1e-06}
    told |= {"largest_score_difference": 4e-06}
    found = {"sax": {"images": 20, "heart_voxels": 123456, "engines": {"torch": told}}}
    table = engines_table(Results({"engines": {"found": found}}))
    assert table.splitlines()[-1] == "| sax | PyTorch | 20 | 123,456 | 3 | 2 | 2e-06 | 4e-06 |"


def test_what_was_not_measured_says_so() -> None:
    assert "measured" in int8_table(Results({})) == engines_table(Results({}))
