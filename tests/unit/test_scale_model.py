"""The cost model: lines through what was measured, and what they say of a cohort."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.scale_model import PHASES, SHAPE, Line, cost, foretold, listed, study, table

from cardioseg.io.images import read_frames


def measured(each_s=4.0, start_s=2.0):
    runs = [
        {
            "studies": n,
            "seconds": start_s + each_s * n,
            "cpu_seconds": 2 * (start_s + each_s * n),
            "mb": 500.0,
            "bytes_read": 20_000_000 * n,
            "bytes_written": 1_000_000 * n,
        }
        for n in (1, 2, 4)
    ]
    parts = {"reading": 1.0, "network": 6.0, "preparation and restoring": 1.0, "slices": 500}
    return {"threads": 2, "runs": runs, "cpu_seconds_of_a_study": parts}


def test_a_cohort_costs_its_studies_and_the_starts_of_its_jobs():
    found = cost(measured(), studies=1000, cores=10, a_job=100)
    assert found.jobs == 5
    assert found.core_hours == pytest.approx(2 * (10 * 2 + 1000 * 4) / 3600)
    assert found.hours == pytest.approx(found.core_hours / 2 / 5)
    assert found.read_gb == pytest.approx(20)
    assert found.written_gb == pytest.approx(1)
    assert found.memory_gb == pytest.approx(5 * 500 * 1024**2 / 1e9)
    assert found.read_mb_per_s * found.hours * 3600 == pytest.approx(20_000)
    assert found.network_share == pytest.approx(6 / 8)


def test_twice_the_cores_take_half_the_time_and_read_twice_as_fast():
    few, many = (cost(measured(), 10_000, cores, 500) for cores in (64, 128))
    assert many.hours == pytest.approx(few.hours / 2)
    assert many.read_mb_per_s == pytest.approx(2 * few.read_mb_per_s)
    assert many.core_hours == few.core_hours


def test_growth_that_is_not_linear_is_seen():
    straight = measured()["runs"]
    assert foretold(straight)["error"] == 0
    bent = [*straight[:-1], {**straight[-1], "seconds": 2 * straight[-1]["seconds"]}]
    assert foretold(bent)["error"] == pytest.approx(-0.5)


def test_a_line_passes_through_noise_in_the_middle():
    rng = np.random.default_rng(0)
    points = [(n, 3 + 5 * n + rng.normal(0, 0.1)) for n in range(1, 50)]
    line = Line.through(points)
    assert line.start == pytest.approx(3, abs=0.1)
    assert line.each == pytest.approx(5, abs=0.01)


def test_the_table_has_a_row_for_each_cluster():
    rows = table(measured(), 100_000, [2, 64], 500).splitlines()
    assert "100,000 studies" in rows[0]
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["2", "64"]


def test_inputs_are_counted_as_predict_finds_them():
    found = listed(20)
    assert found["inputs"] == 20
    assert found["record_mb"] > 0


def test_a_study_has_the_size_it_claims_and_a_beating_heart(tmp_path):
    frames = read_frames(study(tmp_path, 0))
    assert len(frames) == PHASES
    assert frames[0].geometry.shape == SHAPE
    ends, middle = frames[0].array, frames[PHASES // 2].array
    assert np.abs(middle - ends).mean() > 3 * np.abs(frames[1].array - ends).mean()
