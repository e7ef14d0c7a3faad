"""Charts of a search: what is drawn, with no trial, some pruned, none complete."""

from __future__ import annotations

import pytest

from cardioseg.evaluation import png_bytes
from cardioseg.evaluation.search_charts import TrialCurve, history_figure, importance_figure

COMPLETE = [
    TrialCurve(0, True, {1: 0.1, 2: 0.4}),
    TrialCurve(1, False, {1: 0.05}),
    TrialCurve(2, True, {1: 0.5, 2: 0.3}),
    TrialCurve(3, False, {1: 0.02}),
]


def test_the_best_so_far_never_falls_and_reaches_the_last_trial():
    left, right = history_figure(COMPLETE).axes
    (best,) = [line for line in left.lines if line.get_label() == "best so far"]
    assert list(best.get_xdata()) == [0, 1, 2, 3]
    assert list(best.get_ydata()) == [0.4, 0.4, 0.5, 0.5]
    assert [line.get_label() for line in left.lines][:2] == ["pruned", "complete"]
    assert len(right.lines) == 4
    (thick,) = [line for line in right.lines if line.get_linewidth() == 2]
    assert thick.get_label() == "trial 2"


@pytest.mark.parametrize("curves", [[], COMPLETE[1:2], COMPLETE[:1]])
def test_few_trials_make_a_picture_too(curves):
    assert png_bytes(history_figure(curves), dpi=20)[1:4] == b"PNG"


def test_bars_are_the_shares_the_highest_on_top():
    (axes,) = importance_figure({"a": 0.2, "b": 0.8}, 9).axes
    assert [bar.get_width() for bar in axes.patches] == [0.2, 0.8]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert "9 complete trials" in axes.get_xlabel()
