"""A study: who is measured, at which time, what is concluded, and that nothing is done twice."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tests.networks import exported_network

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.data.looks import Looks, digests
from cardioseg.datasets import Dataset
from cardioseg.errors import ConfigError, DatasetError, LeakageError, OutputExistsError
from cardioseg.evaluation import Comparison, Report, evaluate_case
from cardioseg.evaluation.rows import Row
from cardioseg.evaluation.statistics import Interval
from cardioseg.inference.predictor import load_model
from cardioseg.model import NETWORK, write_model
from cardioseg.prepare.plan import NetworkPlan, Plan
from cardioseg.training.config import TrainConfig
from cardioseg.workflows.compare import shown_cases
from cardioseg.workflows.study.analysis import Findings, Key, contrasts, pair_stands
from cardioseg.workflows.study.budget import cpu_seconds, stand
from cardioseg.workflows.study.config import Arm, Data, Study, read_study
from cardioseg.workflows.study.document import sentences
from cardioseg.workflows.study.inflation import inflations, same_slices
from cardioseg.workflows.study.laboratory import Listener
from cardioseg.workflows.study.measure import native_slices, seeds_together, slices_apart
from cardioseg.workflows.study.parts import divide, resolve
from cardioseg.workflows.study.pictures import shown_patients
from cardioseg.workflows.study.record import require_free
from cardioseg.workflows.study.study import _parts, run_study
from cardioseg.workflows.study.verdict import verdict

PLAN = Plan(
    spacing_mm=2.0,
    size=(16, 16),
    network=NetworkPlan(widths=(2, 4), classes=3),
    scheme="myocardium_blood",
)
CONFIG = TrainConfig(plan=PLAN)
GRID = Geometry((16, 16, 4), np.diag([2.0, 2.0, 8.0, 1.0]))


def heart(seed):
    """A cavity in a ring in each of four slices, smaller towards the apex."""
    rng = np.random.default_rng(seed)
    distance = np.hypot(*(np.mgrid[:16, :16] - rng.uniform(6, 9, (2, 1, 1))))[..., None]
    radius = np.array([4.0, 3.5, 3.0, 2.0])
    labels = np.where(distance < radius - 1, 3, np.where(distance < radius + 1.5, 2, 0))
    image = np.array([0.1, 0.5, 0.3, 0.9])[labels] + rng.normal(0, 0.02, labels.shape)
    return image.astype(np.float32), labels.astype(np.uint8)


def case(number, seed=None):
    image, labels = heart(number if seed is None else seed)
    return Case(
        id=f"p{number}",
        subject=f"p{number}",
        load_image=partial(Volume, image, GRID),
        load_labels=partial(LabelMap, labels, GRID, ACDC),
    )


CASES = tuple(case(number) for number in range(6))
TOLD: list[str] = []


def silent(line):
    TOLD.append(line)


# Who trains and who is measured.


def test_shares_of_subjects_and_the_unseen_are_apart(tmp_path):
    division = divide(Data(split="subjects:2/1/1", unseen=("p4", "p5")), CASES, silent)
    parts = resolve(division, CONFIG, tmp_path, silent)
    test, unseen = parts.held_out
    trained = {entry.subject for entry in parts.training.entries}
    validated = {entry.subject for entry in parts.validation.entries}
    tested = {each.subject for each in test.cases}
    assert (len(trained), len(validated), len(tested)) == (2, 1, 1)
    assert trained | validated | tested == {"p0", "p1", "p2", "p3"}
    assert [each.id for each in unseen.cases] == ["p4", "p5"]
    assert parts.contrasted is unseen
    found = {name: set(subjects) for name, subjects in division.record.items()}
    assert found == {"training": trained, "validation": validated, "test": tested}


def test_shares_of_slices_part_every_slice_once(tmp_path):
    TOLD.clear()
    division = divide(Data(split="slices:2/1/1", among=("p0", "p1", "p2", "p3")), CASES, silent)
    assert "too good" in TOLD[0]
    assert division.record == {"divided": ["p0", "p1", "p2", "p3"]}
    parts = resolve(division, CONFIG, tmp_path, silent)
    (test,) = parts.held_out
    places = [(e.case, e.index) for s in (parts.training, parts.validation) for e in s.entries]
    places += [(name, index) for name, numbers in test.slices.items() for index in numbers]
    assert sorted(places) == [(f"p{n}", k) for n in range(4) for k in range(4)]
    assert (len(parts.training), len(parts.validation)) == (8, 4)


def test_the_step_thins_what_is_trained_on_and_of_single_slices_all(tmp_path):
    every_second = CONFIG.model_copy(update={"slice_step": 2})
    subjects = divide(Data(split="subjects:2/1/3"), CASES, silent)
    parts = resolve(subjects, every_second, tmp_path, silent)
    assert {entry.index for entry in parts.training.entries} == {0, 2}
    assert {entry.index for entry in parts.validation.entries} == {0, 1, 2, 3}
    parts = resolve(
        divide(Data(split="slices:1/1/1"), CASES, silent), every_second, tmp_path, silent
    )
    kept = {index for numbers in parts.held_out[0].slices.values() for index in numbers}
    assert kept == {0, 2}
    assert (len(parts.training), len(parts.validation)) == (4, 4)


def test_arms_with_another_step_do_not_share_their_slices(tmp_path):
    study, configs = toy(tmp_path, TOML + "config.slice_step = 2\n")
    division = divide(study.data, CASES, silent)
    divisions = dict.fromkeys(study.arms, division)
    parts = _parts(configs, divisions, lambda d, c: resolve(d, c, tmp_path, silent))
    assert {arm: len(each.training) for arm, each in parts.items()} == {"unet_1": 8, "unet_2": 4}


def test_one_person_under_several_names_is_told_and_kept_in_one_part():
    twins = (*CASES[:4], case(7, seed=0))
    TOLD.clear()
    division = divide(Data(split="subjects:2/1/1"), twins, silent)
    assert "one person under several names, kept in one part: p0, p7" in TOLD
    homes = [
        name
        for name, part in division.record.items()
        for subject in part
        if subject in ("p0", "p7")
    ]
    assert len(homes) == 2
    assert len(set(homes)) == 1
    alike = tuple(case(number, seed=0) for number in range(3))
    with pytest.raises(DatasetError, match="all 3 subjects hold the same image"):
        divide(Data(split="subjects:1/1/1"), alike, silent)


def test_a_study_made_for_other_counts_of_slices_says_so(tmp_path):
    TOLD.clear()
    division = divide(Data(split="slices:1535/389/212"), CASES, silent)
    TOLD.clear()
    resolve(division, CONFIG, tmp_path, silent)
    assert TOLD == ["split slices:1535/389/212: 24 slices are there: 17/4/3"]


def test_leaks_and_missing_subjects_are_refused(tmp_path):
    twin = (*CASES[:2], case(7, seed=0))
    data = Data(training=("p0",), validation=("p1",), test=("p7",))
    with pytest.raises(LeakageError, match="same image is in training"):
        divide(data, twin, silent)
    with pytest.raises(LeakageError, match="same image is in split"):
        divide(Data(split="slices:1/1/1", among=("p0",), unseen=("p7",)), twin, silent)
    with pytest.raises(DatasetError, match="1 subjects that the data set does not have"):
        divide(Data(training=("p0",), validation=("p1",), test=("p9",)), CASES, silent)
    split = tmp_path / "split.json"
    split.write_text('{"training": ["p0"], "validation": ["p1"]}')
    with pytest.raises(DatasetError, match="needs subjects in its part 'test'"):
        divide(Data(split=str(split)), CASES, silent)


def test_a_slices_number_is_counted_from_the_arrays_end_where_it_points_the_other_way():
    axial = PLAN.model_copy(update={"plane": "axial"})
    assert native_slices(GRID, axial, frozenset({0, 1})) == {0, 1}
    # Stored as P-I-R, as HVSMR is: feet come last along the second axis.
    affine = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
    stored = Geometry((5, 7, 6), affine)
    assert stored.orientation == "PIR"
    assert native_slices(stored, axial, frozenset({0, 2})) == {6, 4}


# At which time.

FAST = [{"dice": d, "cpu_seconds": 10.0, "epoch": n} for n, d in ((1, 0.4), (2, 0.6), (3, 0.6))]
SLOW = [{"dice": d, "cpu_seconds": 20.0, "epoch": n} for n, d in ((1, 0.5), (2, 0.8), (3, 0.7))]


def test_at_equal_minutes_the_slower_network_counts_as_it_stood():
    histories = {"fast": FAST, "slow": SLOW}
    fast, slow = pair_stands(("fast", "slow"), "equal epochs", histories)
    assert (fast.epoch, slow.epoch) == (2, 2), "the first of two equal ones, as training keeps it"
    fast, slow = pair_stands(("fast", "slow"), "equal minutes", histories)
    assert (fast.epoch, fast.trained, fast.cpu_seconds) == (2, 3, 30.0)
    assert (slow.epoch, slow.trained, slow.cpu_seconds) == (1, 1, 20.0)
    assert stand(SLOW, 19.9) is None
    assert stand(SLOW, cpu_seconds(SLOW)).trained == 3


def test_an_epoch_that_was_not_validated_counts_in_time_only():
    rare = [{"epoch": 1, "cpu_seconds": 1.0}, {"epoch": 2, "cpu_seconds": 1.0, "dice": 0.3}]
    assert stand(rare, 1.5) is None
    assert stand(rare).epoch == 2


# What is concluded.


@pytest.mark.parametrize(
    ("interval", "p", "word"),
    [
        ((0.001, 0.02), 0.04, "beats"),
        ((0.001, 0.02), 0.06, "matches"),
        ((-0.009, 0.02), 0.5, "matches"),
        ((-0.009, -0.001), 0.001, "matches"),
        ((-0.02, -0.011), 0.001, "loses"),
        ((-0.02, -0.011), 0.06, "undecided"),
        ((-0.02, 0.02), 0.9, "undecided"),
        (None, 1.0, "undecided"),
    ],
)
def test_the_verdict_follows_its_rule(interval, p, word):
    ends = Interval(*interval) if interval else None
    found = Comparison("dice", "mean of structures", 9, 0, 0.8, 0.8, ends, p, p, 0.0)
    assert verdict(found, 0.01, "volume").word == word


def rows(values, level="volume", metric="dice"):
    """One row a (case, structure) of {case: (myocardium, blood pool)}."""
    return tuple(
        Row(
            name,
            name,
            structure,
            metric,
            value,
            note="" if value is not None else "in neither",
            level=level,
            slice_index=index,
        )
        for name, pair in values.items()
        for structure, value in zip(("myocardium", "blood pool"), pair, strict=True)
        for index in ([None] if level == "volume" else [0])
    )


def test_seeds_are_averaged_before_patients_and_slices_may_be_pooled():
    one = Report(rows({"a": (0.8, 0.6), "b": (0.4, 0.2)}))
    two = Report(rows({"a": (0.6, 0.4), "b": (0.4, 0.2)}))
    both = seeds_together({0: one, 1: two})
    assert both.mean("dice", "myocardium") == pytest.approx(((0.8 + 0.6) / 2 + 0.4) / 2)
    assert both.subjects == ("a", "b")
    slices = [
        Row("a", "a", "myocardium", "dice", value, level="slice", slice_index=index)
        for index, value in enumerate((1.0, 0.5, 0.3))
    ]
    slices.append(Row("b", "b", "myocardium", "dice", 0.2, level="slice", slice_index=0))
    report = Report(tuple(slices))
    assert report.mean("dice", level="slice") == pytest.approx((0.6 + 0.2) / 2)
    assert slices_apart(report).mean("dice", level="slice") == pytest.approx(2.0 / 4)


def findings(values, history=FAST):
    """Findings of arms u and v with one seed, from {(arm, part): {case: values}}."""
    reports = {
        Key(arm, 0, 2, part): Report(rows(each) + rows(each, "slice"))
        for (arm, part), each in values.items()
    }
    arms = {arm for arm, _ in values}
    parts = {arm: max(part for a, part in values if a == arm) for arm in arms}
    return Findings({(arm, 0): history for arm in sorted(arms)}, reports, parts)


STUDY = Study(
    name="s",
    scheme="myocardium_blood",
    base="tiny",
    seeds=(0,),
    data=Data(split="subjects:1/1/1"),
    arms={"u": Arm(title="U"), "v": Arm(title="V")},
)


def test_a_contrast_is_paired_by_patient_and_its_difference_is_candidate_minus_baseline():
    better = {f"p{n}": (0.8 + n / 1000, 0.7 + n / 500) for n in range(8)}
    worse = {name: (a - 0.1, b - 0.02) for name, (a, b) in better.items()}
    found = contrasts(STUDY, findings({("u", "test"): worse, ("v", "test"): better}))
    assert [c.budget for c in found] == ["equal epochs", "equal minutes"]
    contrast = found[0]
    assert (contrast.candidate, contrast.baseline) == ("v", "u")
    for judged in contrast.verdicts:
        assert judged.difference == pytest.approx(0.06)
        assert judged.word == "beats"
    volume = [c for c in contrast.comparisons["volume"] if c.metric == "dice"]
    assert [c.subjects for c in volume] == [8, 8, 8]
    assert volume[0].p_value == pytest.approx(2 / 2**8)
    assert contrast.seeds[0].dice["volume"][0] == pytest.approx(
        np.mean([(a + b) / 2 for a, b in better.values()])
    )
    assert "V beats U per volume" in contrast.verdicts[0].sentence("V", "U")


def test_inflation_is_the_own_test_minus_the_unseen():
    own = {f"p{n}": (0.9, 0.9) for n in range(3)}
    unseen = {f"q{n}": (0.8, 0.6) for n in range(4)}
    values = {("u", "test"): own, ("u", "unseen"): unseen, ("v", "test"): own}
    values["v", "unseen"] = own
    first, second = inflations(STUDY, findings(values))
    assert (first.test, first.unseen) == (pytest.approx(0.9), pytest.approx(0.7))
    assert (first.test_patients, first.unseen_patients) == (3, 4)
    assert first.interval == Interval(0.2, 0.2)
    assert second.test - second.unseen == pytest.approx(0.0)


def test_on_the_same_slices_inflation_is_what_neighbours_are_worth():
    arms = {"u": Arm(), "v": Arm(data=Data(split="slices:1/1/1", unseen=("q0", "q1")))}
    study = STUDY.model_copy(update={"arms": arms, "contrasts": (("v", "u"),)})
    values = {
        # Each held out a patient that the other did not; one has no blood pool for `u`.
        ("u", "test"): {"p0": (0.6, 0.5), "p1": (0.7, None), "p2": (0.1, 0.1)},
        ("v", "test"): {"p0": (0.9, 0.8), "p1": (0.8, 0.9), "p3": (0.2, 0.2)},
        ("u", "unseen"): {"q0": (0.5, 0.5), "q1": (0.7, 0.7)},
        ("v", "unseen"): {"q0": (0.6, 0.6), "q1": (0.8, 0.8)},
    }
    (found,) = same_slices(study, findings(values))
    assert (found.candidate, found.baseline) == ("v", "u")
    assert (found.held_out.patients, found.unseen.patients) == (2, 2)
    assert found.held_out.candidate == pytest.approx(((0.9 + 0.8) / 2 + 0.8) / 2)
    assert found.held_out.baseline == pytest.approx(((0.6 + 0.7) / 2 + 0.5) / 2)
    assert found.unseen.candidate - found.unseen.baseline == pytest.approx(0.1)
    assert found.inflation == pytest.approx((0.2 + 0.3) / 2 - 0.1)
    # A patient's own mean leaves out the structure that one of the two has no Dice of.
    told = {name: pytest.approx(pair) for name, pair in found.held_out.by_patient.items()}
    assert told == {"p0": (0.85, 0.55), "p1": (0.8, 0.7)}
    assert found.interval is not None
    assert found.interval.low < found.inflation < found.interval.high


def test_two_splits_by_patients_inflate_nothing():
    own = {f"p{n}": (0.9, 0.9) for n in range(3)}
    values = {(arm, part): own for arm in "uv" for part in ("test", "unseen")}
    assert same_slices(STUDY, findings(values)) == ()


def test_best_median_and_worst_case_over_several_reports():
    one = Report(rows({"a": (0.9, 0.9), "b": (0.5, 0.5), "c": (0.1, 0.1)}))
    two = Report(rows({"a": (0.1, 0.1), "b": (0.8, 0.8), "c": (0.1, 0.1)}))
    assert shown_cases((one,)) == ("a", "b", "c")
    assert shown_cases((one, two)) == ("b", "a", "c")


def test_best_median_and_worst_patient_over_frames_seeds_and_both_networks():
    def of(dice):
        found = (Row(case, case[0], "LV", "dice", value) for case, value in dice.items())
        return Report(tuple(found))

    one = of({"a1": 0.9, "a2": 0.1, "b1": 0.6, "b2": 0.6, "c1": 0.7, "c2": 0.7, "d1": 0.65})
    two = of({"a1": 0.9, "a2": 0.1, "b1": 0.8, "b2": 0.8, "c1": 0.7, "c2": 0.7, "d1": 0.65})
    assert shown_patients((one, one), "volume") == ("c", "d", "a")
    both = seeds_together({0: one, 1: two})
    assert shown_patients((both, both), "volume") == ("c", "b", "a")


# Measuring.


def test_base_mid_and_apex_come_from_the_cases_own_labels_where_the_network_merges_them():
    labels = CASES[0].labels().read_as(MYOCARDIUM_BLOOD)
    report = evaluate_case(labels, CASES[0])
    regions = {row.slice_index: row.region for row in report.rows if row.level == "slice"}
    assert regions == {0: "base", 1: "base", 2: "mid", 3: "apex"}


def test_labels_and_scores_of_one_pass_are_those_of_two(tmp_path):
    plan = PLAN.model_copy(
        update={"scheme": "acdc", "network": NetworkPlan(widths=(4, 8), classes=4)}
    )
    write_model(tmp_path / "model", plan, {NETWORK: exported_network()})
    predictor = replace(load_model(tmp_path / "model"), largest_component=True)
    volume = CASES[0].image()
    prediction, scores = predictor.predict_with_scores(volume)
    assert np.array_equal(prediction.labels.array, predictor.predict(volume).labels.array)
    assert np.array_equal(scores, predictor.predict_scores(volume))
    assert scores.shape == (4, *volume.array.shape)


# A whole study.

TOML = """
name = "toy"
scheme = "myocardium_blood"
base = "paper"
seeds = [0]
[config]
epochs = 2
patience = 0
batch_size = 4
plan.spacing_mm = 2.0
plan.size = [16, 16]
plan.network.widths = [2, 4]
[data]
training = ["p0", "p1"]
validation = ["p2"]
test = ["p3", "p4"]
[arms.unet_1]
title = "U-Net 1"
config.plan.network.convolution = "conventional"
[arms.unet_2]
title = "U-Net 2"
"""
DATASET = Dataset("toy", CASES, ACDC, "free")


def toy(folder, text=TOML):
    path = folder / "toy.toml"
    path.write_text(text)
    return read_study(path)


def listed(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.csv")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    study, configs = toy(folder)
    run_study(study, configs, DATASET, folder / "run", Listener())
    return folder


def test_a_study_leaves_its_tables_pictures_models_and_a_record(finished):
    run = finished / "run"
    told = json.loads((run / "study.json").read_text())
    assert told["seeds_done"] == [0]
    assert {c["budget"] for c in told["contrasts"]} >= {"equal epochs"}
    contrast = told["contrasts"][0]
    metrics = {c["metric"] for c in contrast["comparisons"]["volume"]}
    assert metrics == {"dice", "cce", "hd95_mm", "assd_mm"}
    assert len(told["arms"]["unet_1"]["history"]["0"]) == 2
    assert told["arms"]["unet_1"]["cpu_seconds_an_epoch"] > 0
    text = (run / "study.md").read_text()
    for words in ("## Verdict", "slides' form", "base, mid and apex", "`unknown`", "| base | 2 |"):
        assert words in text
    assert len(list(run.glob("*.png"))) == 3
    record = json.loads((run / "run.json").read_text())
    assert record["verdicts"]
    assert all(len(identity) == 16 for identity in record["models"].values())
    left = {path.suffix for path in run.glob("unet_*/seed-0/*") if path.is_file()}
    assert left == {".jsonl", ".png"}, "checkpoints and snapshots of a finished seed are gone"


def test_a_finished_study_is_not_done_again(finished):
    run = finished / "run"
    before = {path: path.stat().st_mtime_ns for path in run.glob("unet_*/**/*") if path.is_file()}
    tables = listed(run)
    study, configs = toy(finished)
    TOLD.clear()
    run_study(study, configs, DATASET, run, Listener(tell=silent))
    after = {path: path.stat().st_mtime_ns for path in run.glob("unet_*/**/*") if path.is_file()}
    assert after == before
    assert listed(run) == tables
    assert not any("epoch 1/" in line for line in TOLD)


def test_another_study_or_other_data_in_the_folder_is_refused_with_what_differs(finished):
    run = finished / "run"
    changed = toy(finished, TOML.replace("epochs = 2", "epochs = 3"))
    with pytest.raises(
        ConfigError, match=r"differs in study\.config\.epochs, configs\.unet_1\.epo"
    ):
        run_study(*changed, DATASET, run, Listener())
    others = (case(0, seed=99), *CASES[1:])
    with pytest.raises(ConfigError, match="differs in data_digest"):
        run_study(*toy(finished), replace(DATASET, cases=others), run, Listener())


def test_a_key_that_is_new_since_the_folder_was_begun_has_its_default(finished, tmp_path):
    study, configs = toy(tmp_path)
    (tmp_path / "run").mkdir()
    record = json.loads((finished / "run" / "config.json").read_text())
    for config in record["configs"].values():
        assert config.pop("weight_decay") == 0.0
    record.pop("labels_digest")
    others = replace(DATASET, cases=(case(0, seed=99), *CASES[1:]))
    for entry, told in ((record, "differs in data_digest;"), ([], "not the record of a study")):
        (tmp_path / "run" / "config.json").write_text(json.dumps(entry))
        with pytest.raises(ConfigError, match=told):
            run_study(study, configs, others, tmp_path / "run", Listener())


def test_corrected_labels_are_another_study(finished):
    labels = CASES[0].labels()
    empty = LabelMap(np.zeros_like(labels.array), labels.geometry, labels.scheme)
    corrected = replace(DATASET, cases=(replace(CASES[0], load_labels=lambda: empty), *CASES[1:]))
    with pytest.raises(ConfigError, match="differs in labels_digest;"):
        run_study(*toy(finished), corrected, finished / "run", Listener())


SPLIT = {"training": ["p0", "p1"], "validation": ["p2"], "test": ["p3", "p4"]}
BY_FILE = TOML.replace(
    TOML[TOML.index("training =") : TOML.index("[arms.unet_1]")], 'split = "split.json"\n'
)


def begun(folder, split):
    """A study whose parts are in a file, stopped before its first step."""
    (folder / "split.json").write_text(json.dumps(split))

    def stop(done, total, note):
        raise StoppedError

    study, configs = toy(folder, BY_FILE)
    with pytest.raises(StoppedError):
        run_study(study, configs, DATASET, folder / "run", Listener(show=stop))
    return json.loads((folder / "run" / "config.json").read_text())


class StoppedError(Exception):
    """Stands for Ctrl-C."""


def test_a_study_whose_split_file_was_changed_is_refused(tmp_path):
    record = begun(tmp_path, SPLIT)
    assert record["study"]["data"]["split"] == "split.json", "no path in the record"
    assert record["parts"] == dict.fromkeys(("unet_1", "unet_2"), SPLIT)
    assert begun(tmp_path, {**SPLIT, "training": ["p1", "p0"]}) == record, (
        "their order says nothing"
    )
    (tmp_path / "split.json").write_text(
        json.dumps({**SPLIT, "training": ["p3", "p4"], "test": ["p0", "p1"]})
    )
    with pytest.raises(
        ConfigError, match=r"differs in parts\.unet_1\.training, parts\.unet_1\.test, parts\.unet_2"
    ):
        run_study(*toy(tmp_path, BY_FILE), DATASET, tmp_path / "run", Listener())


def test_a_study_of_a_program_that_recorded_no_parts_is_gone_on_with_and_gets_them(tmp_path):
    record = begun(tmp_path, SPLIT)
    path = tmp_path / "run" / "config.json"
    path.write_text(json.dumps({key: record[key] for key in ("study", "configs", "data_digest")}))
    assert begun(tmp_path, SPLIT) == record


def test_a_study_whose_step_an_earlier_program_ignored_is_not_gone_on_with(tmp_path):
    text = TOML.replace("epochs = 2", "epochs = 2\nslice_step = 2")
    study, configs = toy(tmp_path, text)
    earlier = {
        "study": study.model_dump(mode="json"),
        "configs": {arm: config.model_dump(mode="json") for arm, config in configs.items()},
        **digests(Looks(), CASES[:5]),
    }
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps(earlier))
    with pytest.raises(
        ConfigError, match=r"differs in configs\.unet_1\.slice_step, configs\.unet_2"
    ):
        run_study(study, configs, DATASET, tmp_path / "run", Listener())


def test_data_that_leak_leave_no_study_in_the_folder(tmp_path):
    twins = replace(DATASET, cases=(*CASES[:4], case(4, seed=0)))
    with pytest.raises(LeakageError):
        run_study(*toy(tmp_path), twins, tmp_path / "run", Listener())
    assert not (tmp_path / "run").exists()


def test_a_folder_with_something_else_and_a_data_set_of_another_kind_are_refused(tmp_path):
    study, configs = toy(tmp_path)
    with pytest.raises(OutputExistsError, match="holds no study"):
        run_study(study, configs, DATASET, tmp_path, Listener())
    meant = study.model_copy(update={"dataset": "hvsmr"})
    with pytest.raises(ConfigError, match="--data hvsmr:FOLDER"):
        run_study(meant, configs, DATASET, tmp_path / "run", Listener())


@pytest.mark.parametrize("other", ['split = "slices:2/1/1"', 'split = "subjects:2/2/2"'])
def test_arms_measured_on_different_images_are_refused_before_training(tmp_path, other):
    study, configs = toy(tmp_path, TOML + f"[arms.unet_2.data]\n{other}\n")
    with pytest.raises(ConfigError, match="unet_2 and unet_1: they are measured on different"):
        run_study(study, configs, DATASET, tmp_path / "run", Listener())
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["cache"]
    require_free(tmp_path / "run")


def test_slices_against_subjects_tells_the_inflation(tmp_path):
    text = (
        TOML.partition("[data]")[0]
        + """
[data]
split = "subjects:2/1/1"
among = ["p0", "p1", "p2", "p3"]
unseen = ["p4", "p5"]
[arms.by_patients]
[arms.by_slices.data]
split = "slices:2/1/1"
among = ["p0", "p1", "p2", "p3"]
unseen = ["p4", "p5"]
"""
    )
    study, configs = toy(tmp_path, text)
    results = run_study(study, configs, DATASET, tmp_path / "run", Listener())
    assert [each.arm for each in results.inflations] == ["by_patients", "by_slices"]
    assert results.inflations[1].unseen_patients == 2
    told = (tmp_path / "run" / "study.md").read_text()
    assert "How much the split inflates" in told
    (same,) = results.same_slices
    assert same.held_out.patients <= 1
    assert same.unseen.patients == 2
    assert f"| inflation |  |  |  | {same.inflation:+.3f} |" in told
    assert results.contrasts[0].comparisons["volume"][0].subjects == 2, "drawn on the unseen"
    late = replace(results, contrasts=results.contrasts[:1])
    first, *_, last = sentences(late)
    assert first.startswith("At equal epochs: by_slices ")
    assert last.startswith("At equal minutes: no verdict on by_slices and by_patients")
