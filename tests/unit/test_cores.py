"""How many cores may be used: those the process may run on, and what its container is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from cardioseg.engines import engine


@pytest.mark.parametrize(
    ("told", "cores"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("", 8),
        ("100000 0\n", 8),
    ],
)
def test_a_containers_quota_limits_the_cores(
    told: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(told)
    monkeypatch.setattr(engine, "QUOTA", quota)
    monkeypatch.setattr(engine.os, "sched_getaffinity", lambda _: range(8), raising=False)
    assert engine.usable_cores() == cores


def test_without_a_quota_all_cores_that_may_be_run_on_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "QUOTA", tmp_path / "nothing")
    monkeypatch.setattr(engine.os, "sched_getaffinity", lambda _: range(3), raising=False)
    assert engine.usable_cores() == 3
