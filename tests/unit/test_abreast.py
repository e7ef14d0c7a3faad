"""Two at a time, inputs or frames of a cine: the same answers, in less time, within bounds."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from threading import Lock, get_ident

import numpy as np
import pytest
from tests.in_process import run
from tests.small_cohort import scan, small_model

from cardioseg.core.geometry import Geometry
from cardioseg.core.scan import LARGE_VOXELS, Scan
from cardioseg.core.volume import Volume
from cardioseg.engines import engine as engine_module
from cardioseg.errors import FormatError, ModelError
from cardioseg.inference import predictor as predictor_module
from cardioseg.inference.predictor import load_model
from cardioseg.workflows.abreast import PLACES, threads_for_two, two_at_a_time
from cardioseg.workflows.choice import Choice
from cardioseg.workflows.inputs import Input, Opened, gather_images
from cardioseg.workflows.outcome import Written
from cardioseg.workflows.outputs import kinds_named
from cardioseg.workflows.predict import prediction
from cardioseg.workflows.segment import Wanted, segment
from cardioseg.workflows.work import Start, Task, one_by_one, run_task


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    pytest.importorskip("torch", reason="the network is made by torch")
    return small_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def two_cores(monkeypatch) -> None:
    monkeypatch.setattr(engine_module, "usable_cores", lambda: 2)


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Input, ...]:
    for number in range(5):
        scan(tmp_path / "in" / f"case{number}.nii.gz", slices=3 + number, seed=number)
    return gather_images([tmp_path / "in"])


class Meter:
    """How many are inside at a time."""

    def __init__(self) -> None:
        self._lock, self._inside, self.most, self.threads = Lock(), 0, 0, set()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            self.threads.add(get_ident())
            self.most = max(self.most, self._inside)
        time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1


def worked(task: Task, inputs, output: Path, how=two_at_a_time):
    return run_task(task, inputs, output, Start(), how)


def test_files_and_records_are_those_of_one_by_one(inputs, model, two_cores, tmp_path) -> None:
    choice = Choice(str(model))
    alone, shared = choice.opened(), choice.opened(threads_for_two(choice, inputs))
    found = {}
    for name, each, how in (("one", alone, one_by_one), ("two", shared, two_at_a_time)):
        task = prediction(each, tmp_path / name, Wanted(kinds_named("nifti,json")))
        outcomes = worked(task, inputs, tmp_path / name, how)
        assert [outcome.name for outcome in outcomes] == [f"case{n}" for n in range(5)]
        assert not any(outcome.error for outcome in outcomes)
        told = json.loads((tmp_path / name / "run.json").read_text())
        files = [
            {key: value for key, value in each.items() if key != "seconds"}
            for each in told.pop("files")
        ]
        del told["duration_s"]
        found[name] = (
            told,
            files,
            [(tmp_path / name / f"case{n}.nii.gz").read_bytes() for n in range(5)],
            [(tmp_path / name / f"case{n}.json").read_text() for n in range(5)],
        )
    assert found["one"] == found["two"]


def test_two_are_made_and_one_is_written_at_a_time(inputs, tmp_path) -> None:
    making, writing, told = Meter(), Meter(), []

    def make(each, opened, tell):
        def finish():
            with writing:
                return Written(1)

        with making:
            tell(", half")
        return finish

    task = Task("predict", kinds_named("nifti"), make, {})
    outcomes = list(two_at_a_time(task, inputs, told.append))
    assert sorted(each.name for each in outcomes) == [each.name for each in inputs]
    assert (making.most, writing.most) == (PLACES, 1)
    assert len(making.threads) == PLACES
    assert sorted(told) == sorted(
        [each.name for each in inputs] + [f"{each.name}, half" for each in inputs]
    )


def test_of_large_volumes_one_is_worked_on_at_a_time(inputs, monkeypatch) -> None:
    making = Meter()

    def make(each, opened, tell):
        with making:
            return lambda: Written(1)

    monkeypatch.setattr("cardioseg.core.scan.LARGE_VOXELS", 16 * 16 * 3 - 1)
    list(two_at_a_time(Task("predict", (), make, {}), inputs, lambda words: None))
    assert making.most == 1


def test_a_bad_input_stops_no_other_and_a_fault_stops_all(inputs, tmp_path) -> None:
    def make(each, opened, tell):
        if each.name == "case1":
            raise error
        time.sleep(0.05)
        tell(", half")
        return lambda: Written(1)

    task = Task("predict", (), make, {})
    error: Exception = FormatError("too strange")
    outcomes = {each.name: each for each in two_at_a_time(task, inputs, lambda words: None)}
    assert outcomes["case1"].error.endswith("case1.nii.gz: too strange")
    assert sum(bool(each.error) for each in outcomes.values()) == 1
    error = ZeroDivisionError()
    begun: list[str] = []
    with pytest.raises(ZeroDivisionError):
        list(two_at_a_time(task, inputs, begun.append))
    assert "case4" not in begun


def test_whoever_leaves_early_ends_what_is_under_way(inputs) -> None:
    finished = []

    def make(each, opened, tell):
        if each.name != "case0":
            time.sleep(0.1)
            tell(", half")  # ends here: nobody waits for it any more
        return lambda: finished.append(each.name) or Written(1)

    outcomes = two_at_a_time(Task("predict", (), make, {}), inputs, lambda words: None)
    assert next(outcomes).name == "case0"
    outcomes.close()
    assert finished == ["case0"]


def test_who_is_given_two_inputs(inputs, two_cores, monkeypatch) -> None:
    assert threads_for_two(Choice("sax"), inputs) == 1
    assert threads_for_two(Choice("sax"), inputs[:1]) is None
    assert threads_for_two(Choice("sax"), [*inputs, replace(inputs[0], is_dicom=True)]) is None
    assert threads_for_two(Choice("sax", engine="openvino"), inputs) is None
    assert threads_for_two(Choice("otsu"), inputs) is None
    with pytest.raises(ModelError, match="unknown engine 'best'"):
        threads_for_two(Choice("sax", engine="best"), inputs)
    monkeypatch.setattr(engine_module, "usable_cores", lambda: 1)
    assert threads_for_two(Choice("sax"), inputs) is None


def test_a_predictor_for_two_is_the_same_with_half_of_the_threads(model, two_cores) -> None:
    whole = load_model(model)
    half = whole.for_two()
    assert half is not None
    assert half.threads == 1
    assert half.settings == whole.settings
    assert half.for_two() is None, "whose threads were counted out keeps to them"
    assert load_model(model, threads=2).for_two() is None


def cine(frames: int) -> Opened:
    grid = Geometry((16, 16, 4), np.diag([1.5, 1.5, 8.0, 1.0]))
    noise = np.random.default_rng(0).random((frames, *grid.shape), np.float32)
    return Opened(Scan(tuple(Volume(each, grid) for each in noise)), None, "0" * 64)


@pytest.mark.parametrize("quality", [True, False])
def test_frames_of_a_cine_are_those_of_one_by_one(model, two_cores, monkeypatch, quality) -> None:
    told: list[tuple[int, int]] = []
    predict = predictor_module.Predictor.predict_scores
    meter = Meter()

    def metered(self, volume):
        with meter:
            return predict(self, volume)

    monkeypatch.setattr(predictor_module.Predictor, "predict_scores", metered)
    wanted, opened = Wanted(quality=quality), cine(6)
    results = [
        segment(
            load_model(model, threads=threads), "cine", opened, wanted, lambda *k: told.append(k)
        )
        for threads in (1, None)
    ]
    assert told == [(number, 6) for number in range(1, 7)] * 2
    assert meter.most == (PLACES if quality else 0)
    for index in range(6):
        one, two = (each.labels[index].array for each in results)
        assert np.array_equal(one, two)
    assert results[0].phases == results[1].phases
    assert results[0].quality == results[1].quality


def test_frames_that_are_large_are_taken_one_by_one(model, two_cores, monkeypatch) -> None:
    monkeypatch.setattr("cardioseg.core.scan.LARGE_VOXELS", 16 * 16 * 4 - 1)
    monkeypatch.setattr(
        predictor_module.Predictor, "for_two", lambda self: pytest.fail("two at a time")
    )
    segment(load_model(model), "cine", cine(3), Wanted(), lambda done, total: None)


def test_the_scan_says_when_it_is_large() -> None:
    grid = Geometry((1, 2, 3), np.eye(4))
    small = Scan((Volume(np.zeros(grid.shape, np.float32), grid),))
    assert not small.is_large
    assert LARGE_VOXELS < 528 * 528 * 200


def test_the_program_takes_two_and_tells_the_time_on_the_clock(
    inputs, model, two_cores, tmp_path, capsys
) -> None:
    started = time.monotonic()
    assert run("predict", tmp_path / "in", "--model", model, "--output", tmp_path / "out") == 0
    words = capsys.readouterr().out
    assert words.startswith(f"5 of 5 written to {tmp_path / 'out'} in ")
    assert float(words.split()[-2]) <= time.monotonic() - started + 0.1
