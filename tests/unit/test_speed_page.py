"""The page of the speed: targets are judged on medians, what is missing says so, plots are made."""

from __future__ import annotations

import json

import pytest
from benchmarks.speed.page import filled
from benchmarks.speed.peers_predict import Seconds, compared
from benchmarks.speed.plots import write_plots
from benchmarks.speed.results import Results, crossing, read_results
from benchmarks.speed.run import _is_measured, _told
from benchmarks.speed.tables import TABLES
from benchmarks.speed.targets import TARGETS, targets_table


def spread(low, middle, high):
    return {"min": low, "median": middle, "max": high}


def duel(network, batch, speeds, against):
    return {
        "network": network,
        "batch": batch,
        "images_per_s": {name: spread(s * 0.9, s, s * 1.1) for name, s in speeds.items()},
        "times_as_fast": {
            slow: {fast: spread(r - 0.5, r, r + 0.5) for fast, r in each.items()}
            for slow, each in against.items()
        },
    }


def rung(seed, budget, dice):
    """A training fitted to a budget of CPU minutes; it takes half of them on the clock."""
    return {
        "budget_cpu_minutes": budget,
        "seed": seed,
        "epochs": budget,
        "minutes": budget / 2,
        "cpu_minutes": budget,
        "dice": dice,
        "dice_all_components": dice - 0.02,
    }


@pytest.fixture
def parts():
    predicting = duel(
        "unet-2",
        8,
        {"onnx": 20.0, "openvino": 30.0, "openvino-int8": 60.0, "keras": 5.0},
        {
            "keras": {"onnx": 4.0, "openvino": 6.0, "openvino-int8": 12.0},
            "openvino": {"openvino-int8": 2.0},
        },
    )
    stepping = duel(
        "unet-2",
        4,
        {"ours": 2.0, "ours-bfloat16": 8.0, "keras": 1.0},
        {"keras": {"ours": 2.0, "ours-bfloat16": 8.0}},
    )
    seconds = {"process_s": spread(1, 1, 1), "network_s": spread(1, 1, 1)}
    return {
        "inference": [predicting],
        "training": [stepping],
        "process": {
            "runs": {"auto": {"seconds": spread(0.6, 0.9, 1.6), "peak_mb": spread(200, 210, 220)}},
            "large": {"seconds": 40.0, "peak_mb": 1024.0},
        },
        "growth": {
            "slices": [{"slices": 8, "seconds": 1.0}],
            "side": [{"side": 128, "seconds": 0.5}],
            "volumes": [{"volumes": 2, "seconds": 3.0, "mb": 200}],
        },
        "budgets": [
            rung(seed, budget, dice)
            for seed, dices in enumerate(((0.82, 0.86), (0.851, 0.87), (0.84, 0.865)))
            for budget, dice in zip((8, 20), dices, strict=True)
        ],
        "curve": {
            "nnunet": [
                {"cpu_minutes": 10 * k, "dice": 0.1 * k, "dice_largest": 0.11 * k}
                for k in range(1, 7)
            ]
        },
        "peers-predict": {
            "seconds": {"ours": seconds, "nnunet, mirrors": seconds},
            "nnunet_over_ours": {
                mirrors: {which: spread(9, 11, 12) for which in ("process", "network")}
                for mirrors in ("with", "without")
            },
        },
    }


def results(parts):
    return Results({name: {"found": found} for name, found in parts.items()})


def row(table, words):
    line = next(line for line in table.splitlines() if words in line)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_fastest_float32_engine_stands_for_ours_and_int8_beside_it(parts):
    told = row(targets_table(results(parts)), "U-Net 2, batch 8: ours / Keras |")
    assert told[3] == "5.50 / 6.00 / 6.50 (OpenVINO)"
    assert told[4] == "11.50 / 12.00 / 12.50 (OpenVINO int8)"
    assert told[5] == "aim (reduced)"


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("batch 8, int8 / our float32", "aim"),
        ("training step, U-Net 2, batch 4: ours / Keras as it comes", "aim (reduced)"),
        ("training step, U-Net 2, batch 8: ours / Keras as it comes", "not measured"),
        ("`predict --model sax`, one volume", "target"),
        ("nnU-Net 2-D predict / ours, network only |", "target"),
        ("peak memory", "target"),
        ("time to 0.85 on ACDC", "target"),
    ],
)
def test_medians_are_judged(parts, words, verdict):
    assert row(targets_table(results(parts)), words)[-1] == verdict


def test_a_target_that_is_missed_says_no(parts):
    parts["process"]["runs"]["auto"]["seconds"] = spread(1.0, 1.6, 1.7)
    table = targets_table(results(parts))
    assert row(table, "`predict --model sax`")[-2:] == ["-", "no"]


def test_a_goal_that_nnunet_does_not_reach_is_told_as_more_than(parts):
    told = row(targets_table(results(parts)), "nnU-Net 2-D / ours |")
    assert told[3] == "> 3.0 (nnU-Net did not reach it)", "60 minutes over the slowest seed's 20"


def test_a_goal_that_nnunet_reaches_lies_between_two_snapshots(parts):
    parts["curve"]["nnunet"][-1] |= {"dice": 0.84, "dice_largest": 0.9}
    told = row(targets_table(results(parts)), "nnU-Net 2-D / ours |")
    assert told[3] == "2.5 / 2.9 / 7.5"
    accuracy = TABLES["accuracy"](results(parts))
    assert row(accuracy, "by its snapshots |")[3] == "> 60"
    assert row(accuracy, "by its snapshots, largest piece kept |")[3] == "50.0 to 60.0"


def test_pytorch_is_judged_as_it_comes_and_with_all_that_our_training_gives_it(parts):
    (stepping,) = parts["training"]
    slow = {"torch-channels-last": 0.5, "ours-eager": 1.6, "ours-bfloat16-eager": 4.0}
    for name, speed in slow.items():
        stepping["images_per_s"][name] = spread(speed, speed, speed)
        stepping["times_as_fast"][name] = {
            fast: spread(*[images / speed] * 3)
            for fast, images in {"ours": 2.0, "ours-bfloat16": 8.0}.items()
        }
    table = targets_table(results(parts))
    told = row(table, "U-Net 2, batch 4: ours / PyTorch as it comes")
    assert told[3].startswith("4.00 / 4.00 / 4.00")
    told = row(table, "U-Net 2, batch 4: ours / PyTorch with memory kept")
    assert told[3].startswith("1.25 / 1.25 / 1.25")
    assert told[4].startswith("2.00 / 2.00 / 2.00")
    assert told[5] == "target (reduced)"


def test_each_seed_has_the_cheapest_training_that_reached_the_goal(parts):
    told = row(targets_table(results(parts)), "time to 0.85 on ACDC")
    assert told[3] == "4.0 / 10.0 / 10.0 (3 seeds)"
    assert "| 10.0 (4.0 to 10.0) |" in TABLES["accuracy"](results(parts))
    assert row(TABLES["budgets"](results(parts)), "| 3 | 20 |")[3:6] == [
        "10.0",
        "20.0",
        "0.865 (0.860 to 0.870)",
    ]


def test_seeds_that_miss_the_goal_are_counted(parts):
    parts["budgets"] = [each for each in parts["budgets"] if each["budget_cpu_minutes"] == 8]
    told = row(targets_table(results(parts)), "time to 0.85 on ACDC")
    assert told[3:] == ["1 of 3 seeds reached it", "-", "no"]
    assert "| 1 of 3 seeds |" in TABLES["accuracy"](results(parts))
    assert "not reached" in TABLES["accuracy"](results(parts))


def test_a_log_of_one_training_has_rows_of_its_own(parts):
    point = {"minutes": 3.0, "cpu_minutes": 6.0, "dice": 0.86}
    parts["accuracy"] = {"a": {"0.80": point, "0.85": point, "0.88": None, "0.90": None}}
    told = row(TABLES["accuracy"](results(parts)), "cardioseg, a of an hour")
    assert told[1:] == ["min on the clock", "3.0", "3.0", "not reached", "not reached"]


def test_without_any_file_every_target_and_table_says_so():
    table = targets_table(Results({}))
    assert table.count("| not measured |\n") + table.endswith("| not measured |") == len(TARGETS)
    assert all("not measured" in make(Results({})) for make in TABLES.values())


def test_a_crossing_lies_between_two_measurements():
    curve = [{"cpu_minutes": 10, "dice": 0.84}, {"cpu_minutes": 20, "dice": 0.86}]
    found, last = crossing(curve, 0.85, "cpu_minutes")
    assert (found.min, found.median, found.max, last) == (10, pytest.approx(15), 20, 20)
    assert crossing(curve, 0.9, "cpu_minutes") == (None, 20)


def test_a_page_keeps_its_words_and_gets_new_tables_and_plots(parts, tmp_path):
    for name, found in parts.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"found": found}))
    found = read_results(tmp_path)
    made = write_plots(found, tmp_path)
    assert {p.stem for p in made} == {"inference", "training", "process", "growth", "curve"}
    assert all(path.read_bytes()[1:4] == b"PNG" for path in made)
    page = "words\n<!-- process -->\nold\n<!-- end -->\n<!-- plot process -->\n<!-- end -->\nend"
    told = filled(page, found, {"process": "results/process.png"})
    assert told.startswith("words\n<!-- process -->\n\n| one process |")
    assert "old" not in told
    assert "![process](results/process.png)" in told
    assert filled(told, found, {"process": "results/process.png"}) == told


def test_a_page_with_an_unknown_block_is_refused():
    with pytest.raises(SystemExit, match="no table 'speed'"):
        filled("<!-- speed -->\n<!-- end -->", Results({}), {})


def test_a_part_is_measured_again_when_peers_are_asked_for(tmp_path):
    class Asked:
        keras, peers = "python", None

    path = tmp_path / "inference.json"
    assert not _is_measured(path, "inference", Asked)
    path.write_text('{"beside": []}')
    assert not _is_measured(path, "inference", Asked)
    assert _is_measured(path, "roof", Asked)
    path.write_text('{"beside": ["keras", "peers"]}')
    assert _is_measured(path, "inference", Asked)


def test_a_recorded_command_names_no_folder_of_the_machine():
    told = _told(["--image", "/home/me/a.nii.gz", "--log", "fast=/home/me/log.jsonl", "--rounds"])
    assert told == ["--image", "a.nii.gz", "--log", "fast=log.jsonl", "--rounds"]


def test_nnunet_and_ours_take_turns_and_ratios_are_taken_within_a_round():
    told = []

    def run(name, process, network):
        seconds = iter(process)

        def once():
            told.append(name)
            return Seconds(next(seconds), network)

        return once

    names = ("ours", "ours, mirrors", "nnunet", "nnunet, mirrors")
    runs = {
        name: run(name, (9.0, factor * 1.0, factor * 2.0), factor)
        for factor, name in enumerate(names, start=1)
    }
    found = compared(runs, rounds=2)
    assert told == [*names] * 3
    assert found["seconds"]["nnunet"]["process_s"] == spread(3.0, 4.5, 6.0)
    assert found["nnunet_over_ours"]["without"]["process"] == spread(3.0, 3.0, 3.0)
    assert found["nnunet_over_ours"]["with"]["network"] == spread(4.0, 4.0, 4.0)
