"""The page of the speed: targets are judged on medians, what is missing says so, plots are made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.speed.page import filled
from benchmarks.speed.page import main as make_page
from benchmarks.speed.peers_predict import Seconds, compared
from benchmarks.speed.plots import write_plots
from benchmarks.speed.results import Results, crossing, read_results
from benchmarks.speed.tables import TABLES
from benchmarks.speed.targets import TARGETS, targets_table

ROOT = Path(__file__).parents[2]


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
        "int8": {
            "U-Net 2, exact": {"engines": {"onnx": {"drop": 0.0}, "openvino": {"drop": 0.001}}}
        },
        "training": [stepping],
        "process": {
            "runs": {"auto": {"seconds": spread(0.6, 0.9, 1.6), "peak_mb": spread(200, 210, 220)}},
            "large": {
                "528 x 528 x 200, axial": {
                    "seconds": spread(39, 40, 41),
                    "peak_mb": spread(1000, 1024, 1030),
                }
            },
        },
        "growth": {
            "slices": [{"slices": 8, "seconds": 1.0, "mb": 190}],
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
            "model": "sax",
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
    told = row(
        targets_table(results(parts)), "prediction, U-Net 2, batch 8: ours / Keras as it comes |"
    )
    assert told[3] == "5.50 / 6.00 / 6.50 (OpenVINO)"
    assert told[4] == "11.50 / 12.00 / 12.50 (OpenVINO int8); Dice -0.0010"
    assert told[5] == "aim (reduced)"


@pytest.mark.parametrize(
    ("judged", "verdict", "words"),
    [
        ({"U-Net 2, exact": {"engines": {"onnx": {"drop": 0.0021}}}}, "no", "Dice -0.0021"),
        ({"fast": {"engines": {"onnx": {"drop": 0.0}}}}, "no", "loss of Dice not measured"),
    ],
)
def test_int8_counts_only_where_the_trained_network_stays_as_good(parts, judged, verdict, words):
    told = row(targets_table(results({**parts, "int8": judged})), "int8 / our float32")
    assert told[5] == verdict
    assert words in told[4]


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("batch 8: int8 / our float32", "aim"),
        ("training step, U-Net 2, batch 4: ours / Keras as it comes", "aim (reduced)"),
        ("training step, U-Net 2, batch 8: ours / Keras as it comes", "not measured"),
        ("`predict --model sax`, one volume", "target"),
        ("nnU-Net 2-D predict / ours, network only |", "target"),
        ("peak memory, 528 x 528 x 200, axial", "target"),
        ("peak memory, 528 x 528 x 200, whole-heart", "not measured"),
        ("time to 0.85 on ACDC", "target"),
    ],
)
def test_medians_are_judged(parts, words, verdict):
    assert row(targets_table(results(parts)), words)[-1] == verdict


def test_keras_is_judged_as_it_comes_and_with_its_freed_memory_kept(parts):
    (predicting,) = parts["inference"]
    predicting["images_per_s"]["keras (allocator set)"] = spread(6, 6, 6)
    predicting["times_as_fast"]["keras (allocator set)"] = {
        "openvino": spread(4, 5, 6),
        "openvino-int8": spread(8, 10, 12),
    }
    told = row(targets_table(results(parts)), "prediction, U-Net 2, batch 8: ours / Keras, memory")
    assert told[1:4] == ["≥ 5 x", "7 x", "4.00 / 5.00 / 6.00 (OpenVINO)"]
    assert told[4:] == ["8.00 / 10.00 / 12.00 (OpenVINO int8); Dice -0.0010", "aim (reduced)"]


def test_pytorch_as_it_comes_is_in_the_layout_that_is_faster_for_the_network(parts):
    (stepping,) = parts["training"]
    for name, speed in {"torch-channels-last": 0.5, "torch-nchw": 1.0}.items():
        stepping["images_per_s"][name] = spread(speed, speed, speed)
        stepping["times_as_fast"][name] = {
            fast: spread(*[images / speed] * 3)
            for fast, images in {"ours": 2.0, "ours-bfloat16": 8.0}.items()
        }
    told = row(targets_table(results(parts)), "U-Net 2, batch 4: ours / PyTorch as it comes")
    assert told[3].startswith("2.00 / 2.00 / 2.00")


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


def test_the_shipped_page_is_what_its_files_say():
    folder = ROOT / "docs" / "results" / "speed"
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    plots = {path.stem: f"results/speed/{path.name}" for path in folder.glob("*.png")}
    assert filled(page, read_results(folder), plots) == page


def test_only_its_own_files_write_over_the_shipped_page(tmp_path, monkeypatch, capsys):
    page, own = tmp_path / "docs" / "page.md", tmp_path / "docs" / "results" / "speed"
    other = tmp_path / "bench-output"
    for folder in (own, other):
        folder.mkdir(parents=True)
        (folder / "roof.json").write_text(json.dumps({"found": None}))
    page.write_text("<!-- machine -->\n<!-- end -->\n")
    monkeypatch.setattr("sys.argv", ["page", "--results", str(other), "--page", str(page)])
    make_page()
    assert "not measured" not in page.read_text()
    assert "not measured" in (other / "page.md").read_text()
    monkeypatch.setattr("sys.argv", ["page", "--results", str(own), "--page", str(page)])
    make_page()
    assert "not measured" in page.read_text()
    assert capsys.readouterr().out.split() == [str(other / "page.md"), str(page)]


def test_memory_stands_beside_the_size_of_one_volume(parts):
    table = TABLES["size"](results(parts))
    assert row(table, "192 x 192 x 8 |")[1:] == ["1.000", "190"]
    assert row(table, "128 x 128 x 10 |")[1:] == ["0.500", "-"]


def test_steps_are_told_with_their_part_of_the_whole(parts):
    parts["stages"] = {"network": spread(0.2, 0.25, 0.3), "the whole process": spread(1, 1, 1)}
    assert row(TABLES["stages"](results(parts)), "network")[1:] == ["0.200 / 0.250 / 0.300", "25 %"]


def test_engines_are_compared_on_one_volume_and_on_many(parts):
    each = {"seconds": spread(1, 2, 3), "peak_mb": spread(99, 100, 101)}
    ratio = spread(0.5, 0.9, 1.1)
    parts["default-engine"] = {
        "16 volumes": {"onnx": each, "openvino": each, "openvino_over_onnx": ratio}
    }
    told = row(TABLES["default-engine"](results(parts)), "16 volumes")
    assert told[1:] == ["1.00 / 2.00 / 3.00"] * 2 + ["0.50 / 0.90 / 1.10", "100", "100"]


def test_peers_beside_which_model_is_told(parts):
    assert row(TABLES["peers-predict"](results(parts)), "cardioseg")[0] == "cardioseg, `sax`"


def test_a_page_with_an_unknown_block_is_refused():
    with pytest.raises(SystemExit, match="no table 'speed'"):
        filled("<!-- speed -->\n<!-- end -->", Results({}), {})


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
        name: run(name, (9.0, 9.0, factor * 1.0, factor * 2.0), factor)
        for factor, name in enumerate(names, start=1)
    }
    found = compared(runs, rounds=2)
    assert told == [*names] * 4
    assert found["seconds"]["nnunet"]["process_s"] == spread(3.0, 4.5, 6.0)
    assert found["nnunet_over_ours"]["without"]["process"] == spread(3.0, 3.0, 3.0)
    assert found["nnunet_over_ours"]["with"]["network"] == spread(4.0, 4.0, 4.0)
