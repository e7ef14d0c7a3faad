"""Parts of the benchmark: who runs, steps of a process, likeness by structure, what a file says."""

from __future__ import annotations

import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from benchmarks.speed import run
from benchmarks.speed.record import facts, told
from benchmarks.speed.results import name_of, read_results
from benchmarks.speed.stages import OUTSIDE, WHOLE, stages
from benchmarks.speed.targets import targets_table
from benchmarks.speed.volumes import stack
from benchmarks.speed.watched import IMPORTS, REST, STEPS, Watch
from benchmarks.speed.window import by_structure, likeness

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap


def test_each_step_counts_without_the_steps_within_it(monkeypatch):
    clock = iter([0.0, 1.0, 3.0, 10.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    watch = Watch()
    with watch.step("restoring"), watch.step("network"):
        pass
    assert watch.seconds == {"network": 2.0, "restoring": 8.0}


def test_every_step_that_is_watched_is_there(monkeypatch):
    watch = Watch()
    for step, places in STEPS.items():
        for place in places:
            # What is replaced here is put back at the end.
            module, _, path = place.partition(":")
            owner, _, name = path.rpartition(".")
            holder = importlib.import_module(module)
            holder = getattr(holder, owner) if owner else holder
            monkeypatch.setattr(holder, name, getattr(holder, name))
            watch.put_on(step, place)


def test_a_process_is_told_step_by_step_and_steps_add_up(tmp_path):
    found = stages("sax", stack(tmp_path, 96, 3), tmp_path, threads=1, rounds=1)
    assert list(found) == [OUTSIDE, IMPORTS, *STEPS, REST, WHOLE]
    parts = [each["median"] for name, each in found.items() if name != WHOLE]
    assert all(seconds > 0 for seconds in parts)
    assert sum(parts) == pytest.approx(found[WHOLE]["median"], abs=0.01)


def test_the_least_structure_is_not_hidden_by_the_mean():
    first = np.zeros((10, 10, 1), np.uint8)
    first[:5], first[5:8] = 1, 2
    second = first.copy()
    second[7] = 0
    grid = Geometry((10, 10, 1), np.eye(4))
    maps = [LabelMap(each, grid, ACDC) for each in (first, second)]
    one, two = (each.name for each in ACDC.structures[:2])
    assert by_structure(*maps) == {one: 1.0, two: pytest.approx(0.8)}
    assert likeness(*maps) == pytest.approx(0.9)


def test_how_a_file_was_made_is_told_without_folders_of_the_machine():
    known = facts(["--data", "acdc:/data/acdc", "--model", "/runs/fast/model"], 2)
    assert known["command"] == ["--data", "acdc:FOLDER", "--model", "model"]
    assert known["threads"] == 2
    assert known["processor"]
    assert "load_before" in known


def test_a_run_ends_with_the_table_of_targets(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(run.PARTS, "roof", lambda options: None)
    monkeypatch.setattr("sys.argv", ["run", "--only", "roof", "--output", str(tmp_path)])
    monkeypatch.setattr(run, "pin", lambda threads: None)
    run.main()
    table = targets_table(read_results(tmp_path))
    assert (tmp_path / "table.md").read_text() == table + "\n"
    assert capsys.readouterr().out == table + "\n"
    facts = json.loads((tmp_path / "roof.json").read_text())
    assert {"command", "threads", "processor", "load_before", "side", "beside"} <= facts.keys()
    assert str(tmp_path) not in json.dumps(facts)


def test_peers_run_as_they_come_and_with_their_freed_memory_kept(monkeypatch):
    asked = []

    def duel(options, contenders):
        asked.extend(each.told for each in contenders)
        return {}

    monkeypatch.setattr(run, "_duel", duel)
    options = SimpleNamespace(side=32, keras=None, peers="python", threads=2, kept=[])
    run.duels(options, "train", ["ours"], [1])
    peers = ["monai", "monai (allocator set)", "nnunet", "nnunet (allocator set)"]
    assert asked == ["ours", *peers] * 2
    assert all(name_of(name) != name for name in peers)


def test_threads_are_counted_up_and_told():
    asked = []

    def duels(options, task, names, batches):
        asked.extend(names)
        assert options.keras is None

    options = SimpleNamespace(threads=2, keras="python", peers=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "duels", duels)
        run.threads(options)
    assert asked[:4] == ["onnx@1", "onnx@2", "onnx@4", "openvino@1"]
    assert [name_of(each) for each in ("onnx@1", "openvino@2")] == [
        "ONNX Runtime, 1 thread",
        "OpenVINO, 2 threads",
    ]


def test_a_part_is_measured_again_when_peers_are_asked_for(tmp_path):
    class Asked:
        keras, peers, batches = "python", None, None

    path = tmp_path / "inference.json"
    duels = [{"network": n, "batch": batch} for n in run.NETWORKS for batch in (1, 8)]
    assert not run._is_measured(path, "inference", Asked)
    path.write_text(json.dumps({"beside": [], "found": duels}))
    assert not run._is_measured(path, "inference", Asked)
    assert run._kept_duels(path, "inference", Asked) == []
    assert run._is_measured(path, "roof", Asked)
    path.write_text(json.dumps({"beside": ["keras", "peers"], "found": duels}))
    assert run._is_measured(path, "inference", Asked)
    assert not run._is_measured(path, "training", Asked), "batch 4 is asked for"


def test_batches_that_are_there_are_kept_and_the_missing_one_is_added(tmp_path, monkeypatch):
    path = tmp_path / "training.json"
    there = [{"network": n, "batch": 8, "images_per_s": {}} for n in run.NETWORKS]
    path.write_text(json.dumps({"command": ["before"], "beside": [], "found": there}))
    met = []

    def duel(options, contenders):
        met.append((contenders[0].network, contenders[0].batch))
        return {"images_per_s": {}, "times_as_fast": {}}

    monkeypatch.setattr(run, "_duel", duel)
    monkeypatch.setattr(run, "pin", lambda threads: None)
    monkeypatch.setattr(run, "targets_table", lambda results: "")
    words = ["run", "--only", "training", "--batches", "1", "8", "--output", str(tmp_path)]
    monkeypatch.setattr("sys.argv", words)
    run.main()
    assert met == [("unet-1", 1), ("unet-2", 1)]
    told = json.loads(path.read_text())
    assert told["command"] == ["before"]
    assert [(each["network"], each["batch"]) for each in told["found"]] == [
        ("unet-1", 1), ("unet-1", 8), ("unet-2", 1), ("unet-2", 8)
    ]  # fmt: skip
    assert [each for each in told["found"] if each["batch"] == 8] == there
    assert "load_before" in told["found"][0]
    run.main()
    assert len(met) == 2, "nothing is left to measure"


def test_a_recorded_command_names_no_folder_of_the_machine():
    words = told(["--image", "/home/me/a.nii.gz", "--log", "fast=/home/me/log.jsonl", "--rounds"])
    assert words == ["--image", "a.nii.gz", "--log", "fast=log.jsonl", "--rounds"]
