"""Time to accuracy: who stands for a goal, and when peers passed it, with mirrors and without."""

from __future__ import annotations

import pytest
from benchmarks.speed.accuracy import crossing_rows, later
from benchmarks.speed.budgets import reaching, trainings
from benchmarks.speed.pace import Spread


def rung(budget, seed, dice):
    return {"budget_cpu_minutes": budget, "seed": seed, "minutes": budget / 2, "dice": dice}


RUNGS = [
    *(rung(8, seed, dice) for seed, dice in enumerate((0.885, 0.875, 0.87))),
    rung(20, 0, 0.89),
    rung(60, 0, 0.907),
]


@pytest.mark.parametrize(
    ("goal", "minutes"),
    [(0.85, (4, 4, 4)), (0.88, (10,)), (0.90, (30,)), (0.95, ())],
)
def test_a_goal_that_some_seeds_miss_is_told_by_a_budget_whose_every_training_reached_it(
    goal, minutes
):
    assert reaching(RUNGS, goal, "minutes") == minutes


def test_a_longer_budget_that_a_seed_missed_stands_for_nothing():
    assert reaching([rung(8, 0, 0.86), rung(8, 1, 0.84)], 0.85, "minutes") == ()
    assert reaching([], 0.85, "minutes") == ()


def test_trainings_are_named_once_from_the_shortest():
    assert trainings([(20.0, 0), (4.0, None), (20.0, 0)], [1, 0]) == [(4, 0), (4, 1), (20, 0)]


def points(*dices, first=10):
    return [
        {"cpu_minutes": first + 10 * k, "dice": dice - 0.03, "dice_largest": dice}
        for k, dice in enumerate(dices)
    ]


PLAIN, MIRRORED = points(0.2, 0.5, 0.7, 0.8, 0.82, 0.84), points(0.83, 0.87, first=50)
OURS = Spread(7.0, 7.5, 8.0)


def test_the_row_of_nnunet_tells_its_default_and_what_it_is_without_mirrors():
    ratio, words = later({"nnunet": PLAIN, "nnunet_mirrors": MIRRORED}, OURS, 0.85)
    assert words == (
        "6.2 / 7.3 / 8.6 with mirrors, its default (50.0 to 60.0 CPU min); "
        "> 7.5 without mirrors (> 60 CPU min: not reached)"
    )
    assert ratio == pytest.approx(55 / 7.5), "the default is judged"


def test_without_a_curve_of_mirrors_the_row_is_that_of_the_other_curve():
    assert later({"nnunet": PLAIN}, OURS, 0.85) == (7.5, "> 7.5 (nnU-Net did not reach it)")
    assert later({"nnunet": PLAIN}, OURS, 0.81)[1] == "5.0 / 6.0 / 7.1"


def test_peers_have_rows_with_every_component_and_with_the_largest_pieces():
    curves = {
        "ours": [],
        "nnunet": PLAIN,
        "nnunet_mirrors": MIRRORED,
        "monai": points(0.89, first=60),
    }
    rows = {name: cells for name, clock, *cells in crossing_rows(curves)}
    assert rows["nnU-Net 2-D of an hour, by its snapshots"] == ["50.0 to 60.0", *["> 60"] * 3]
    mirrors = "nnU-Net 2-D of an hour, by its snapshots, mirrors (its default)"
    assert rows[f"{mirrors}, largest piece kept"] == ["≤ 50", "50.0 to 60.0", "> 60", "> 60"]
    monai = "MONAI BasicUNet of an hour, by its last weights"
    assert rows[monai] == ["≤ 60", "≤ 60", "> 60", "> 60"], "one point says no more"
    assert rows[f"{monai}, largest piece kept"] == ["≤ 60", "≤ 60", "≤ 60", "> 60"]
    assert len(rows) == 6
    assert len(crossing_rows({"nnunet": PLAIN})) == 2
