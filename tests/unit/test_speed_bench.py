"""The benchmark: turns are taken, costs are the network's, goals are read off a log."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.speed.accuracy import minutes_to_goals
from benchmarks.speed.contender import Contender, Worker
from benchmarks.speed.pace import ratios, take_turns
from benchmarks.speed.roofline import layers_of, roofline
from benchmarks.speed.volumes import run_program

from cardioseg.nets.unet import count_multiplications, unet_2


def test_contenders_take_turns_and_the_warm_up_does_not_count():
    told: list[str] = []
    clock = iter(range(100))

    def contender(name):
        def run():
            told.append(name)
            return float(next(clock))

        return run

    seconds = take_turns({n: contender(n) for n in "ab"}, rounds=3, warm_up=1)
    assert told == ["a", "b"] * 4
    assert seconds == {"a": [2.0, 4.0, 6.0], "b": [3.0, 5.0, 7.0]}


def test_a_ratio_is_taken_turn_by_turn():
    # A machine that is twice as slow in the second round changes no ratio.
    spread = ratios([2.0, 4.0, 2.0], [1.0, 2.0, 1.0])
    assert (spread.min, spread.median, spread.max) == (2.0, 2.0, 2.0)


def test_the_roofline_counts_the_multiplications_that_the_network_does():
    layers = layers_of("separable", 64)
    assert sum(layer.gmac for layer in layers) == pytest.approx(
        count_multiplications(unet_2(), 64, 64) / 1e9
    )
    kinds = {layer.kind for layer in layers}
    assert {"depthwise 3 x 3", "1 x 1", "transposed 2 x 2"} <= kinds


def test_the_roof_is_lower_on_a_faster_machine():
    slow, fast = (
        roofline("separable", 64, *machine)["roof_ms"] for machine in ((50, 10), (99, 20))
    )
    assert fast < slow


def test_goals_are_reached_at_the_minute_of_the_first_epoch_that_validated_them(tmp_path):
    log = tmp_path / "log.jsonl"
    records = [
        {"seconds": 60, "cpu_seconds": 120},
        {"seconds": 60, "cpu_seconds": 120, "dice": 0.81},
        {"seconds": 60, "cpu_seconds": 120, "dice": 0.86},
        {"seconds": 60, "cpu_seconds": 120, "dice": 0.84},
    ]
    log.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert minutes_to_goals(log) == {
        "0.80": {"minutes": 2.0, "cpu_minutes": 4.0, "dice": 0.81},
        "0.85": {"minutes": 3.0, "cpu_minutes": 6.0, "dice": 0.86},
        "0.88": None,
        "0.90": None,
    }


def test_a_worker_runs_once_for_each_call_in_a_process_of_its_own():
    contender = Contender("ours", "torch-nchw", "predict", "unet-2", 1, 32)
    with Worker(contender, Path(sys.executable), threads=1) as worker:
        assert 0 < worker() < 60
        assert 0 < worker() < 60


def test_a_contender_may_be_told_its_threads():
    contender = Contender("ours", "onnx@1", "predict", "unet-2", 1, 32)
    with Worker(contender, Path(sys.executable), threads=1) as worker:
        assert 0 < worker() < 60


def test_a_worker_that_dies_is_told(capfd):
    contender = Contender("ours", "no-such-engine", "predict", "unet-2", 1, 32)
    with pytest.raises(SystemExit, match="died"):
        Worker(contender, Path(sys.executable), threads=1)
    assert "no contender 'no-such-engine'" in capfd.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is told in Linux' unit")
def test_a_programs_peak_is_its_own_and_not_this_process():
    held = np.ones(300 * 2**20 // 8)  # more than the bound
    peak_mb = run_program(["--help"], threads=1).peak_mb
    assert 5 < peak_mb < 200 < held.nbytes / 2**20


def test_a_program_that_fails_is_told(tmp_path):
    with pytest.raises(SystemExit, match="no such model"):
        run_program(["models", "nowhere"], threads=1)
