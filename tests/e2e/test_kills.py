"""Signal 9, once for each command; `make soak-kills` does it many times more."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.soak import kills
from tests.soak.kills import SCENARIOS, Place


@pytest.fixture(autouse=True)
def small_hearts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two subjects, so that a run takes seconds."""
    write = kills.write_phantoms
    monkeypatch.setattr(kills, "write_phantoms", lambda path, count, seed: write(path, 2, seed))


@pytest.mark.parametrize("name", ["train", "prepare", "predict", "serve"])
def test_after_a_kill_all_is_whole_and_the_result_the_same(tmp_path: Path, name: str) -> None:
    scenario, _ = SCENARIOS[name]
    tally = scenario(Place(tmp_path, random.Random(name)), 1)
    assert tally.kills == 1
    assert (tally.half_written, tally.differing, tally.lost) == ([], [], [])
    assert tally.files_checked > 0
