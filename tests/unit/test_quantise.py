"""An int8 twin is smaller, near in its answers, and not written where it costs too much."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.networks import SMALL, exported_network

from cardioseg.core.case import Case
from cardioseg.core.volume import LabelMap
from cardioseg.data.splits import Split
from cardioseg.datasets import Dataset, read_dataset
from cardioseg.engines.int8 import to_int8
from cardioseg.engines.onnx import OnnxEngine
from cardioseg.errors import ConfigError, LeakageError, OutputExistsError
from cardioseg.inference.predictor import load_model
from cardioseg.model import CARD, NETWORK, QUALITY, Model, write_model
from cardioseg.prepare.plan import Plan
from cardioseg.workflows.phantoms import write_phantoms
from cardioseg.workflows.quantise import Change, Judgement, calibration_slices, quantise

SIDE = 64


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("models") / "random"
    plan = Plan(spacing_mm=4.0, size=(SIDE, SIDE), network=SMALL, scheme="acdc")
    card = b"# A network\n"
    return write_model(folder, plan, {NETWORK: exported_network(), CARD: card, QUALITY: b"{}"})


@pytest.fixture(scope="module")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "hearts"
    write_phantoms(folder, 3, seed=1)
    return folder


def test_integers_stand_in_the_graph_and_the_scores_stay_near(model, tmp_path) -> None:
    import onnx

    slices = np.random.default_rng(0).random((6, 1, SIDE, SIDE), np.float32)
    data = to_int8((model.folder / NETWORK).read_bytes(), slices)
    (tmp_path / NETWORK).write_bytes(data)
    weights = [
        each
        for each in onnx.load_model_from_string(data).graph.initializer
        if each.data_type == onnx.TensorProto.INT8 and len(each.dims) == 4
    ]
    assert len(weights) > 10
    # Seven bits, so that AVX2's pairwise sums cannot overflow.
    assert all(abs(onnx.numpy_helper.to_array(each).astype(int)).max() <= 64 for each in weights)
    before, after = (OnnxEngine(f)(slices) for f in (model.folder / NETWORK, tmp_path / NETWORK))
    assert not np.array_equal(before, after)
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-4)
    assert np.abs(before - after).mean() < 0.02


def test_the_twin_is_a_model_folder_that_says_what_it_is(model, hearts, tmp_path) -> None:
    dataset = read_dataset(f"acdc:{hearts}")
    first, second, third = dataset.subjects
    split = Split((first, second), (third,))
    judged = quantise(model, dataset, split, tmp_path / "int8", largest_drop=1)
    assert judged.subjects == 1
    change = judged.engines["onnx"]
    assert set(change.before) == set(change.after) == {"RV cavity", "myocardium", "LV cavity"}
    twin = load_model(tmp_path / "int8").model
    assert twin.id != model.id
    assert (twin.folder / QUALITY).read_bytes() == b"{}"
    assert "## In int8" in twin.card
    record = json.loads((tmp_path / "int8" / "run.json").read_text())
    assert record["quantised_from"] == model.id
    assert record["drop"] == judged.drop
    assert record["engines"]["onnx"] == {"before": change.before, "after": change.after}
    with pytest.raises(OutputExistsError, match="not empty"):
        quantise(model, dataset, split, tmp_path / "int8")


def test_a_twin_that_costs_too_much_is_not_written(model, hearts, tmp_path, monkeypatch) -> None:
    dataset = read_dataset(f"acdc:{hearts}")
    first, *others = dataset.subjects
    split = Split(tuple(others), (first,))
    good, bad = (Change({"LV cavity": 0.9}, {"LV cavity": each}) for each in (0.899, 0.897))
    worse = Judgement({"onnx": good, "openvino": bad}, 1, 1)
    monkeypatch.setattr("cardioseg.workflows.quantise._judge", lambda *_: worse)
    with pytest.raises(ConfigError, match=r"costs 0\.0030 .* by OpenVINO, .* nothing was written"):
        quantise(model, dataset, split, tmp_path / "int8")
    assert not (tmp_path / "int8").exists()
    with pytest.raises(ConfigError, match="validation patients"):
        quantise(model, dataset, Split(dataset.subjects, ()), tmp_path / "int8")


@pytest.mark.parametrize("below", ["", "twin"])
def test_a_file_in_the_way_is_told_before_anything_is_judged(
    model, hearts, tmp_path, below
) -> None:
    (tmp_path / "file").touch()
    dataset, judged = read_dataset(f"acdc:{hearts}"), []
    with pytest.raises(OutputExistsError, match="name another folder"):
        quantise(
            model,
            dataset,
            Split(("patient001",), ("patient002",)),
            tmp_path / "file" / below,
            watch=lambda *step: judged.append(step),
        )
    assert not judged


def test_every_engine_at_hand_judges(model, hearts, tmp_path) -> None:
    pytest.importorskip("openvino")
    dataset = read_dataset(f"acdc:{hearts}")
    first, *others = dataset.subjects
    split = Split(tuple(others), (first,))
    judged = quantise(model, dataset, split, tmp_path / "int8", largest_drop=1)
    assert list(judged.engines) == ["onnx", "openvino"]
    by_onnx, by_openvino = judged.engines.values()
    assert by_openvino.before == pytest.approx(by_onnx.before, abs=1e-3)
    assert by_openvino.after != by_openvino.before, "OpenVINO must run the integers"
    assert judged.drop == max(by_onnx.drop, by_openvino.drop)
    card = (tmp_path / "int8" / CARD).read_text()
    assert "| LV cavity | ONNX Runtime |" in card
    assert "| LV cavity | OpenVINO |" in card


def test_a_loss_that_openvino_alone_makes_is_seen(model, hearts, tmp_path, monkeypatch) -> None:
    openvino = pytest.importorskip("cardioseg.engines.openvino").OpenVinoEngine
    answers = openvino.__call__

    def background(engine, slices):
        """What an engine that overflows in int8 may say."""
        scores = answers(engine, slices)
        scores[:, 0] += 9 * engine.is_int8
        return scores

    def opened(engine, path, threads=None):
        build(engine, path, threads)
        engine.is_int8 = b"QuantizeLinear" in path.read_bytes()

    build = openvino.__init__
    monkeypatch.setattr(openvino, "__init__", opened)
    monkeypatch.setattr(openvino, "__call__", background)
    dataset = read_dataset(f"acdc:{hearts}")
    first, *others = dataset.subjects
    with pytest.raises(ConfigError, match="by OpenVINO, more than"):
        quantise(model, dataset, Split(tuple(others), (first,)), tmp_path / "int8")
    assert not (tmp_path / "int8").exists()


def test_openvino_need_not_be_there(model, hearts, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    dataset = read_dataset(f"acdc:{hearts}")
    first, *others = dataset.subjects
    split = Split(tuple(others), (first,))
    judged = quantise(model, dataset, split, tmp_path / "int8", largest_drop=1)
    assert list(judged.engines) == ["onnx"]
    assert "OpenVINO" not in (tmp_path / "int8" / CARD).read_text()


def relabelled(dataset: Dataset, keep: int | None) -> Dataset:
    """The same hearts with one structure labelled, or none."""

    def with_one(case: Case) -> Case:
        labels = case.labels()
        array = np.where(labels.array == keep, labels.array, 0).astype(np.uint8)
        kept = LabelMap(array, labels.geometry, labels.scheme)
        return replace(case, load_labels=lambda: kept)

    return replace(dataset, cases=tuple(with_one(case) for case in dataset.cases))


def test_what_nobody_has_does_not_make_the_drop_smaller(model, hearts, tmp_path) -> None:
    dataset = read_dataset(f"acdc:{hearts}")
    first, *others = dataset.subjects
    split = Split(tuple(others), (first,))
    judged = quantise(model, relabelled(dataset, 3), split, tmp_path / "lv", largest_drop=1)
    for change in judged.engines.values():
        assert set(change.before) == set(change.after) == {"LV cavity"}
    with pytest.raises(ConfigError, match="labels are empty"):
        quantise(model, relabelled(dataset, None), split, tmp_path / "none", largest_drop=1)


def test_a_training_patient_under_another_name_does_not_judge(model, hearts, tmp_path) -> None:
    dataset = read_dataset(f"acdc:{hearts}")
    first, *others = dataset.subjects
    twins = tuple(
        replace(case, id=case.id.replace(first, "twin"), subject="twin")
        for case in dataset.cases
        if case.subject == first
    )
    doubled = replace(dataset, cases=(*dataset.cases, *twins))
    with pytest.raises(LeakageError):
        quantise(model, doubled, Split((first, *others), ("twin",)), tmp_path / "int8")


def test_ranges_come_from_the_training_patients_alone(model, hearts, monkeypatch, tmp_path) -> None:
    dataset = read_dataset(f"acdc:{hearts}")
    first, *others = dataset.subjects
    seen: list[str] = []

    def watched(model, cases):
        seen.extend(case.subject for case in cases)
        return calibration_slices(model, cases)

    monkeypatch.setattr("cardioseg.workflows.quantise.calibration_slices", watched)
    quantise(model, dataset, Split(tuple(others), (first,)), tmp_path / "out", largest_drop=1)
    assert set(seen) == set(others)


def test_slices_have_the_planned_size_where_whole_slices_are_larger(hearts) -> None:
    plan = Plan(spacing_mm=2.0, size=(32, 32), whole_slices=True, network=SMALL, scheme="acdc")
    dataset = read_dataset(f"acdc:{hearts}")

    planned = Model("planned", hearts, plan, "")
    slices = calibration_slices(planned, dataset.cases[:2])
    assert slices.shape[1:] == (1, 32, 32)
