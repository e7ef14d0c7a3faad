"""What every engine promises: the same scores for any batch and size, and errors with a path."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from tests.networks import SMALL, exported_network, random_network

from cardioseg.engines.engine import usable_cores
from cardioseg.engines.int8 import to_int8
from cardioseg.engines.onnx import OnnxEngine
from cardioseg.engines.openvino import OpenVinoEngine
from cardioseg.engines.torch import TorchEngine
from cardioseg.errors import MissingExtraError, ModelError

ENGINES = ("torch", "onnx", "openvino")


def build(name, folder):
    if name == "torch":
        return TorchEngine(SMALL, folder / "model.onnx")
    if name == "onnx":
        return OnnxEngine(folder / "model.onnx")
    pytest.importorskip("openvino")
    return OpenVinoEngine(folder / "model.onnx")


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """One random network, as ONNX."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "model.onnx").write_bytes(exported_network())
    return folder


@pytest.fixture(params=ENGINES)
def engine(request, model_folder):
    return build(request.param, model_folder)


@pytest.mark.parametrize("shape", [(1, 1, 2, 2), (3, 1, 16, 16), (2, 1, 24, 10), (5, 1, 64, 32)])
def test_scores_are_the_networks_for_any_batch_and_size(engine, shape):
    slices = np.random.default_rng(0).random(shape, np.float32)
    scores = engine(slices)
    with torch.no_grad():
        expected = torch.softmax(random_network()(torch.from_numpy(slices)), dim=1).numpy()
    assert scores.shape == (shape[0], SMALL.classes, *shape[2:])
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_the_likeliest_class_is_the_same_but_for_ties(model_folder):
    slices = np.random.default_rng(2).random((8, 1, 64, 64), np.float32)
    first, *others = (build(name, model_folder)(slices) for name in ENGINES)
    second, highest = np.sort(first, axis=1)[:, -2:].swapaxes(0, 1)
    for scores in others:
        differs = scores.argmax(axis=1) != first.argmax(axis=1)
        assert differs.mean() < 1e-3
        assert (highest - second)[differs].max(initial=0) < 1e-4


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_an_int8_network_runs_in_integers_and_stays_near(name, model_folder, tmp_path):
    slices = np.random.default_rng(3).random((4, 1, 64, 64), np.float32)
    network = to_int8((model_folder / "model.onnx").read_bytes(), slices)
    (tmp_path / "model.onnx").write_bytes(network)
    before, after = (build(name, folder)(slices) for folder in (model_folder, tmp_path))
    assert np.abs(before - after).max() > 1e-3, "float32 arithmetic would be nearer"
    assert np.abs(before - after).mean() < 0.02
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-4)


def test_the_networks_answer_is_not_trivial():
    with torch.no_grad():
        logits = random_network()(torch.rand(1, 1, 32, 32))
    assert len(torch.unique(logits.argmax(1))) >= 3


def test_the_place_in_the_batch_and_the_memory_layout_change_nothing(engine):
    slices = np.random.default_rng(1).random((4, 1, 16, 16), np.float32)
    together = engine(slices)
    alone = np.concatenate([engine(slices[i : i + 1]) for i in range(4)])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    mirrored = slices[..., ::-1]
    np.testing.assert_allclose(engine(mirrored), engine(mirrored.copy()), atol=1e-6)
    assert not np.shares_memory(together, engine(slices)), "a later answer replaces no earlier one"


def test_an_engine_has_its_name(engine):
    assert engine.name in ENGINES


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "missing"])
def test_a_damaged_file_is_refused_by_its_path(name, damage, model_folder, tmp_path):
    for path in model_folder.iterdir():
        data = path.read_bytes()
        if damage != "missing":
            contents = {"truncated": data[: len(data) // 2], "empty": b"", "text": b"not a model"}
            (tmp_path / path.name).write_bytes(contents[damage])
    with pytest.raises(ModelError, match=r"model\.onnx: ") as caught:
        build(name, tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_weights_of_another_network_are_refused(model_folder):
    other = SMALL.model_copy(update={"widths": (4, 16)})
    with pytest.raises(ModelError, match="does not hold this network's weights"):
        TorchEngine(other, model_folder / "model.onnx")


def test_a_network_with_fewer_levels_is_refused(model_folder):
    other = SMALL.model_copy(update={"widths": (4, 8, 8)})
    with pytest.raises(ModelError, match="15 layers with weights instead of 25"):
        TorchEngine(other, model_folder / "model.onnx")


def test_a_pickle_in_the_place_of_weights_is_refused_and_not_run(tmp_path):
    path = tmp_path / "model.onnx"
    torch.save(random_network().state_dict(), path)
    with pytest.raises(ModelError, match="does not hold this network's weights"):
        TorchEngine(SMALL, path)


@pytest.mark.parametrize(("name", "extra"), [("torch", "train"), ("openvino", "openvino")])
def test_a_library_that_is_not_installed_names_its_extra(name, extra, model_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(pytest, "importorskip", lambda module: None)
    with pytest.raises(MissingExtraError, match=rf"cardioseg\[{extra}\]"):
        build(name, model_folder)


def test_at_least_one_core_is_usable():
    assert usable_cores() >= 1
