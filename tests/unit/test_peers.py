"""The peers' benchmark: conversion, budget, stages and tables, without any peer installed."""

import json
import os
import subprocess
import sys
import time
from argparse import Namespace

import nibabel as nib
import numpy as np
import pytest
from benchmarks.peers.clock import Clock, cosine, cpu_seconds, poly
from benchmarks.peers.convert import DATASET, fold, labelled, write_raw
from benchmarks.peers.curve import own_log, peer_curve, peer_curves, snapshots
from benchmarks.peers.files import write_json
from benchmarks.peers.run import VARIANTS, _parse, _settings, alike
from benchmarks.peers.stages import run_stage
from benchmarks.peers.table import Arm, markdown, record
from benchmarks.speed.accuracy import dice_curve
from benchmarks.speed.budgets import _parse as budgets_of
from benchmarks.speed.budgets import hour, rung

from cardioseg.core.labels import ACDC
from cardioseg.data.splits import Split
from cardioseg.datasets.nnunet import read_nnunet
from cardioseg.errors import DatasetError
from cardioseg.evaluation import Report, Row

SPLIT = Split(("patient001",), ("patient002",))


@pytest.fixture
def acdc(tmp_path):
    folder = tmp_path / "acdc" / "training"
    for patient in ("patient001", "patient002", "patient003"):
        (folder / patient).mkdir(parents=True)
        (folder / patient / "Info.cfg").write_text("ED: 1\nES: 5\nGroup: NOR\n")
        for frame in ("frame01", "frame05"):
            name = folder / patient / f"{patient}_{frame}"
            array = np.arange(8, dtype=np.uint8).reshape(2, 2, 2) % 4
            affine = np.diag([1.5, 1.5, 10, 1])
            nib.save(nib.Nifti1Image(array.astype(np.float32), affine), f"{name}.nii.gz")
            nib.save(nib.Nifti1Image(array, affine), f"{name}_gt.nii.gz")
    return folder.parent


def test_the_raw_folder_holds_both_frames_of_the_split_and_no_one_else(acdc, tmp_path):
    names = write_raw(acdc, SPLIT, tmp_path / "raw")
    assert names == (
        "patient001_frame01",
        "patient001_frame05",
        "patient002_frame01",
        "patient002_frame05",
    )
    # cardioseg's own reader of that layout finds the same label numbers in it
    cases = read_nnunet(tmp_path / "raw" / DATASET, ACDC)
    assert [case.id for case in cases] == list(names)
    assert np.array_equal(cases[0].load_labels().array.ravel(), np.arange(8, dtype=np.uint8) % 4)


def test_a_fold_keeps_the_frames_of_a_patient_together(acdc, tmp_path):
    names = write_raw(acdc, SPLIT, tmp_path / "raw")
    assert fold(SPLIT, names) == [
        {
            "train": ["patient001_frame01", "patient001_frame05"],
            "val": ["patient002_frame01", "patient002_frame05"],
        }
    ]


def test_a_subject_without_labelled_frames_is_named(acdc):
    with pytest.raises(DatasetError, match=r"1 subjects of the split.*patient009"):
        labelled(acdc, ["patient001", "patient009"])


def test_an_uncompressed_file_is_refused(acdc, tmp_path):
    path = acdc / "training" / "patient001" / "patient001_frame01.nii.gz"
    nib.save(nib.load(path), path.with_suffix(""))
    path.unlink()
    with pytest.raises(DatasetError, match=r"frame01\.nii: gzip it"):
        write_raw(acdc, SPLIT, tmp_path / "raw")


class FakeTime:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_clock_stops_before_a_step_that_would_not_fit():
    fake = FakeTime()
    clock = Clock(10, fake)
    while clock.has_time():
        fake.now += 3
    assert clock.steps == 3
    assert clock.spent_s == 9


def test_a_slow_first_step_does_not_end_the_run_early():
    fake = FakeTime()
    clock = Clock(100, fake)
    seconds = iter([30.0] + [1.0] * 200)
    while clock.has_time():
        fake.now += next(seconds)
    assert clock.steps > 65
    assert clock.spent_s <= 100


def test_a_workers_cpu_time_is_paid_from_the_same_budget():
    pytest.importorskip("psutil")
    work = "x = 0\nwhile __import__('time').process_time() < 1: x += 1\nprint(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        before, own = cpu_seconds(), time.process_time()
        worker.stdout.readline()
        spent, own = cpu_seconds() - before, time.process_time() - own
        worker.stdin.close()
    assert spent - own > 0.5


def test_what_follows_a_stop_is_not_training():
    fake = FakeTime()
    clock = Clock(10, fake)
    fake.now += 4
    clock.stop()
    fake.now += 50
    assert clock.spent_s == 4


def test_weights_are_kept_when_another_sixth_of_the_budget_is_spent():
    fake = FakeTime()
    clock, kept = Clock(60, fake), []
    while clock.has_time():
        fake.now += 4
        if clock.parts > len(kept):
            kept.append(clock.spent_s)
    assert kept == [12, 20, 32, 40, 52]


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ValueError, match="more than 0"):
        Clock(0)


@pytest.mark.parametrize("schedule", [poly, cosine])
def test_schedules_fall_from_one_to_zero_over_the_budget(schedule):
    rates = [schedule(share) for share in np.linspace(0, 1, 11)]
    assert rates[0] == 1
    assert rates[-1] == pytest.approx(0, abs=1e-12)
    assert rates == sorted(rates, reverse=True)


def test_polynomial_decay_is_nnunets():
    assert poly(0.5) == pytest.approx(0.5**0.9)


def test_epochs_are_as_many_as_fit_with_their_validations():
    torch = pytest.importorskip("torch")
    assert torch
    from benchmarks.peers.arm_ours import epochs_within

    # 95 of 100 s; 9 epochs of 10 s and the validation after the last
    assert epochs_within(100, 10, 5, every=100) == 9
    assert epochs_within(100, 10, 10, every=100) == 8
    assert epochs_within(100, 10, 10, every=1) == 4
    assert epochs_within(5, 10, 0, every=1) == 1


def test_a_stage_runs_once_and_tells_its_seconds(tmp_path):
    done = tmp_path / "stage" / "done.json"
    write = f"open({str(done)!r}, 'w').write('{{\"answer\": 1}}')"
    facts = run_stage(done, [sys.executable, "-c", write], os.environ)
    assert facts["answer"] == 1
    assert facts["cpu_seconds"] > 0
    assert facts["process_seconds"] > 0
    assert hasattr(os, "getloadavg") == (facts["load_before"] is not None)
    assert run_stage(done, [sys.executable, "-c", "raise SystemExit(1)"], os.environ) == facts


def test_a_stage_that_fails_shows_the_end_of_its_log(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('the reason')"]
    with pytest.raises(SystemExit, match=r"the reason[\s\S]*code 1"):
        run_stage(tmp_path / "done.json", command, os.environ)


def test_a_stage_without_its_file_has_failed(tmp_path):
    with pytest.raises(SystemExit, match="failed with code 0"):
        run_stage(tmp_path / "done.json", [sys.executable, "-c", ""], os.environ)


def report(shift):
    rows = []
    for number in range(4):
        for structure, value in (("RV cavity", 0.8), ("myocardium", 0.9)):
            case = f"patient{number:03d}_frame01"
            dice = value + 0.01 * number - shift
            rows.append(Row(case, case[:10], structure, "dice", dice))
            rows.append(Row(case, case[:10], structure, "hd95_mm", 5.0 + number, "mm"))
    return Report(tuple(rows))


def arm(name, shifts):
    training = {"training_seconds": 300.0, "training_cpu_seconds": 600.0}
    predicting = {"process_seconds": 40.0, "volumes": 20, "network_seconds_a_volume": 0.5}
    reports = {seed: report(shift) for seed, shift in enumerate(shifts)}
    return Arm(name, 1234567, reports, [training] * len(shifts), [predicting] * len(shifts))


def test_seeds_are_averaged_within_a_patient_and_differences_are_paired():
    found = record([arm("ours", [0.0, 0.02]), arm("peer", [0.05, 0.05])])
    ours, peer = found["arms"]
    assert ours["dice"]["mean of structures"] == pytest.approx(0.855)
    assert ours["patients"] == 4
    assert ours["hd95_mm"] == {"mean": pytest.approx(6.5), "median": pytest.approx(6.5)}
    assert ours["dice_by_seed"] == {0: pytest.approx(0.865), 1: pytest.approx(0.845)}
    assert peer["seconds_a_volume"] == 2
    dice, distance = found["differences"]
    assert dice["difference"] == pytest.approx(0.04)
    # every patient differs by the same: the interval has no width
    assert dice["interval"] == [pytest.approx(0.04), pytest.approx(0.04)]
    assert distance["metric"] == "hd95_mm"
    assert distance["difference"] == 0


def test_the_tables_are_made_from_the_record_as_json_keeps_it():
    found = json.loads(json.dumps(record([arm("ours", [0.0]), arm("peer", [0.05])])))
    text = markdown(found, 60)
    lines = text.splitlines()
    ours = next(line for line in lines if line.startswith("| ours"))
    assert "1,234,567" in ours
    assert "| 0.865 |" in ours
    assert "| 10.0 | 5.0 |" in ours
    assert "(over)" not in text
    assert "| 10.0 (over) | 5.0 |" in markdown(found, 8)
    assert "| ours | peer | dice | 0.865 | 0.815 | 0.050 | 0.050 to 0.050 |" in text


def test_like_is_compared_with_like_too():
    arms = {each: arm(f"{each.arm} {each.key}", [0.0]) for each in VARIANTS}
    pairs = [(first.name, second.name) for first, second in alike(arms)]
    assert pairs == [("ours all", "nnunet plain"), ("ours all", "monai plain")]
    found = record(list(arms.values()), alike(arms))
    assert [each["first"] for each in found["differences"][-4:]] == ["ours all"] * 4
    assert "| ours all | monai plain | dice |" in markdown(found, 60)


def test_existing_runs_are_given_by_seed(acdc, tmp_path):
    split = tmp_path / "split.json"
    split.write_text(SPLIT.to_json())
    options = _parse(["--acdc", str(acdc), "--split", str(split), "--ours", f"3={tmp_path}"])
    assert options.ours == {3: tmp_path}
    assert _settings(options)["validation"] == ["patient002"]
    with pytest.raises(SystemExit):
        _parse(["--acdc", str(acdc), "--ours", "run"])


def evaluating(dices, commands):
    """A stage that notes its commands down; an evaluation finds the next Dice."""
    reports = iter(dices)

    def stage(done, command, environment):
        commands.append([*command])
        if "evaluate" in command:
            rows = (Row("p1_frame01", "p1", "LV cavity", "dice", next(reports)),)
            done.parent.mkdir(parents=True)
            (done.parent / "report.json").write_text(Report(rows).to_json())
        return {"epochs": 7, "training_seconds": 150.0, "training_cpu_seconds": 270.0}

    return stage


def trained_peer(output, arm, *weights):
    seed = output / arm / "seed0"
    seed.mkdir(parents=True)
    for name in weights:
        (seed / name).touch()
    write_json(seed / "train.json", {"training_cpu_seconds": 3540.0})
    return seed


def test_a_curve_measures_each_snapshot_once_with_the_minutes_it_took(tmp_path):
    seed = trained_peer(tmp_path, "nnunet", "weights-1.pt", "weights-3.pt", "weights.pt")
    options, commands = Namespace(peers_output=tmp_path, acdc=tmp_path, threads=2), []
    stage = evaluating([0.5, 0.55, 0.7, 0.75, 0.9, 0.92], commands)
    kept = snapshots(seed, 60)
    curve = peer_curve(seed, kept, options, stage=stage)
    assert curve == [
        {"cpu_minutes": 10.0, "dice": 0.5, "dice_largest": 0.55},
        {"cpu_minutes": 30.0, "dice": 0.7, "dice_largest": 0.75},
        {"cpu_minutes": 59.0, "dice": 0.9, "dice_largest": 0.92},
    ]
    used = [each[each.index("--weights") + 1] for each in commands if "--weights" in each]
    assert used == ["weights-1.pt", "weights-3.pt", "weights.pt"]
    assert peer_curve(seed, kept, options, stage=stage) == curve, "measured reports are kept"
    assert sum("evaluate" in each for each in commands) == 6


def test_nnunets_last_snapshots_have_mirrors_too_and_monai_without_snapshots_one_point(tmp_path):
    trained_peer(tmp_path, "nnunet", *(f"weights-{part}.pt" for part in range(1, 6)))
    trained_peer(tmp_path, "monai")
    options = Namespace(peers_output=tmp_path, acdc=tmp_path, threads=2, seed=0, mirrored=2)
    commands = []
    curves = peer_curves(options, 60, evaluating([k / 100 for k in range(40, 60)], commands))
    assert [len(curves[name]) for name in ("nnunet", "nnunet_mirrors", "monai")] == [6, 2, 1]
    assert [point["cpu_minutes"] for point in curves["nnunet_mirrors"]] == [50.0, 59.0]
    mirrored = [each for each in commands if "--mirrors" in each]
    assert [each[each.index("--weights") + 1] for each in mirrored] == [
        "weights-5.pt",
        "weights.pt",
    ]
    assert (
        str(tmp_path / "nnunet" / "seed0" / "weights-5" / "mirrors" / "predict.json") in mirrored[0]
    )
    assert "benchmarks.peers.arm_monai" in next(
        each for each in commands[::-1] if "-m" in each and "evaluate" not in each
    )


def test_a_peer_that_took_no_part_has_no_curve(tmp_path):
    options = Namespace(peers_output=tmp_path, acdc=tmp_path, threads=2, seed=0, mirrored=1)
    assert peer_curves(options, 60, evaluating([], [])) == {}


def test_a_budget_is_a_training_that_is_predicted_with_and_measured_both_ways(tmp_path):
    commands = []
    stage = evaluating([0.9, 0.8], commands)
    options = Namespace(acdc=tmp_path, split=tmp_path / "s.json", preset="short.toml", threads=2)
    assert rung(tmp_path / "5-seed3", 5, 3, options, stage) == {
        "budget_cpu_minutes": 5,
        "seed": 3,
        "preset": "short.toml",
        "epochs": 7,
        "minutes": 2.5,
        "cpu_minutes": 4.5,
        "load_before": None,
        "dice": 0.9,
        "dice_all_components": 0.8,
    }
    train, *predictions = (each for each in commands if "evaluate" not in each)
    assert train[train.index("--minutes") + 1] == "5"
    assert train[train.index("--seed") + 1] == "3"
    assert ["--all-components" in each for each in predictions] == [False, True]
    assert all(str(tmp_path / "5-seed3") in each for each in predictions)


def test_the_training_of_make_peers_is_one_more_budget_of_the_same_patients(tmp_path):
    settings = {"minutes": 60, "preset": "fast.toml"}
    patients = {"training": list(SPLIT.training), "validation": list(SPLIT.validation)}
    write_json(tmp_path / "settings.json", {**settings, **patients})
    facts = {"epochs": 57, "training_seconds": 2400.0, "training_cpu_seconds": 3540.0}
    write_json(tmp_path / "ours" / "seed0" / "train.json", {**facts, "load_before": 0.25})
    split = tmp_path / "split.json"
    split.write_text(SPLIT.to_json())
    options, commands = Namespace(acdc=tmp_path, split=split, threads=2), []
    assert hour(tmp_path, 0, options, evaluating([0.907, 0.89], commands)) == {
        "budget_cpu_minutes": 60,
        "seed": 0,
        "preset": "fast.toml",
        "epochs": 57,
        "minutes": 40.0,
        "cpu_minutes": 59.0,
        "load_before": 0.25,
        "dice": 0.907,
        "dice_all_components": 0.89,
    }
    folders = [each[each.index("evaluate") + 1] for each in commands]
    assert folders == [str(tmp_path / "ours/seed0" / way / "labels") for way in ("plain", "all")]
    write_json(tmp_path / "settings.json", {**settings, **patients, "validation": ["patient009"]})
    with pytest.raises(SystemExit, match=r"validation is not that of .*split\.json"):
        hour(tmp_path, 0, options, evaluating([], []))


def test_a_budget_may_be_of_one_seed_alone(tmp_path, capsys):
    words = ["--acdc", str(tmp_path), "--seeds", "0", "1", "--cpu-minutes"]
    assert budgets_of([*words, "4", "20:0"]).cpu_minutes == [(4.0, None), (20.0, 0)]
    with pytest.raises(SystemExit):
        budgets_of([*words, "4:first"])
    assert "write MINUTES or MINUTES:SEED" in capsys.readouterr().err


def test_our_curve_is_the_log_of_the_run_that_was_taken(tmp_path):
    run = tmp_path / "elsewhere"
    run.mkdir()
    lines = [
        {"seconds": 60, "cpu_seconds": 90},
        {"seconds": 60, "cpu_seconds": 90, "dice": 0.8},
    ]
    (run / "log.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    write_json(tmp_path / "seed0" / "train.json", {"model": str(run / "model")})
    curve = dice_curve(own_log(tmp_path / "seed0"))
    assert curve == [{"minutes": 2.0, "cpu_minutes": 3.0, "dice": 0.8}]
