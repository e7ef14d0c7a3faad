"""Weights stored once: in half precision if the answer stays, and readable by layer."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from tests.networks import SMALL, exported_network, random_network

from cardioseg.datasets import read_dataset
from cardioseg.engines.onnx import OnnxEngine
from cardioseg.engines.torch import TorchEngine
from cardioseg.model import CARD, NETWORK, open_model
from cardioseg.nets import export
from cardioseg.nets.export import folded_network, to_onnx
from cardioseg.nets.storage import in_half, in_single, is_half, stored_weights
from cardioseg.nets.unet import UNet
from cardioseg.prepare.plan import NetworkPlan, Plan
from cardioseg.prepare.preparation import Preparation
from cardioseg.workflows.export import ModelFiles, export_onnx, network_files, smallest

THE_PLAN = Plan(spacing_mm=1.5, size=(16, 16), network=SMALL, scheme="acdc")
SLICES = np.random.default_rng(0).random((4, 1, 32, 32), np.float32)


def engines(model, tmp_path, plan=SMALL):
    path = tmp_path / "model.onnx"
    path.write_bytes(model)
    yield OnnxEngine(path)
    yield TorchEngine(plan, path)
    openvino = pytest.importorskip("cardioseg.engines.openvino")
    yield openvino.OpenVinoEngine(path)


def with_kernel(model, change, bias=None):
    """The model with its last kernel changed in place, and its bias set."""
    loaded = onnx.load_model_from_string(model)
    head = [node for node in loaded.graph.node if node.op_type == "Conv"][-1]
    for tensor in loaded.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor).copy()
        if tensor.name == head.input[1]:
            change(array)
        elif tensor.name == head.input[2] and bias is not None:
            array[:] = bias
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    return loaded.SerializeToString()


def test_half_precision_halves_the_kernels_and_changes_the_scores_little(tmp_path):
    plan = NetworkPlan(widths=(16, 64), classes=4, convolution="conventional")
    single = to_onnx(random_network(plan))
    half = in_half(single)
    onnx.checker.check_model(onnx.load_model_from_string(half))
    assert is_half(half)
    assert not is_half(single)
    assert len(half) < 0.6 * len(single)
    (tmp_path / "single").mkdir()
    expected = next(engines(single, tmp_path / "single", plan))(SLICES)
    answers = [engine(SLICES) for engine in engines(half, tmp_path, plan)]
    for scores in answers:
        assert 0 < np.abs(scores - expected).max() < 0.02
        np.testing.assert_allclose(scores, answers[0], atol=1e-4)


def test_only_kernels_are_halved_and_going_back_keeps_what_float16_kept(tmp_path):
    single = exported_network()
    half = in_half(single)
    stored = {t.name: t for t in onnx.load_model_from_string(half).graph.initializer}
    kinds = {(len(t.dims) == 4, t.data_type) for t in stored.values()}
    assert kinds == {(True, onnx.TensorProto.FLOAT16), (False, onnx.TensorProto.FLOAT)}
    back = in_single(half)
    assert not is_half(back)
    assert not any(n.op_type == "Cast" for n in onnx.load_model_from_string(back).graph.node)
    answers = []
    for name, model in (("half", half), ("back", back)):
        (tmp_path / name).mkdir()
        answers.append(next(engines(model, tmp_path / name))(SLICES))
    np.testing.assert_array_equal(*answers)
    for one, other in zip(stored_weights(half), stored_weights(back), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_kernel_beyond_float16_stays_float32():
    large = with_kernel(exported_network(), lambda kernel: kernel.put(0, 1e6))
    stored = onnx.load_model_from_string(in_half(large)).graph.initializer
    kept = [t for t in stored if len(t.dims) == 4 and t.data_type == onnx.TensorProto.FLOAT]
    assert len(kept) == 1
    assert onnx.numpy_helper.to_array(kept[0]).max() == 1e6


@pytest.mark.parametrize(("kind", "trained"), [("separable", False), ("conventional", True)])
def test_the_network_is_read_back_layer_by_layer(kind, trained):
    """Untrained, many tensors are equal or zero, and the exporter merges or drops them."""
    plan = NetworkPlan(widths=(4, 8, 8), classes=3, convolution=kind, dropout=0.1)
    network = random_network(plan) if trained else UNet(plan).eval()
    again = folded_network(plan, stored_weights(to_onnx(network)))
    images = torch.rand(2, 1, 16, 24)
    with torch.no_grad():
        torch.testing.assert_close(again(images), network(images), atol=1e-5, rtol=1e-4)


def test_the_model_file_tells_nothing_of_the_machine_and_is_the_same_again():
    model = exported_network()
    assert b".py" not in model
    assert model == to_onnx(random_network())


def test_half_precision_is_kept_only_if_the_labels_stay():
    model = exported_network()
    assert is_half(smallest(model, SLICES))

    def nearly_equal(kernel):
        """Logits of all classes within less than float16 resolves: class 1 wins, then class 0."""
        kernel[:] = 0.5 * np.array([1, 1.0002, 1.0001, 0.9999])[:, None, None, None]

    fragile = with_kernel(model, nearly_equal, bias=0.0)
    assert smallest(fragile, SLICES) == fragile


def test_without_check_slices_the_weights_stay_float32(monkeypatch):
    monkeypatch.setattr(export, "to_onnx", lambda network, temperature: exported_network())
    network = random_network()
    assert not is_half(network_files(network, THE_PLAN, "card").files["model.onnx"])
    assert is_half(network_files(network, THE_PLAN, "card", SLICES).files["model.onnx"])


def test_the_exported_file_is_float32_and_answers_as_the_model(tmp_path):
    half = in_half(exported_network())
    card = "|---|---|\n| Licence of the weights | CC0 1.0 |"
    files = {NETWORK: half, CARD: card.encode()}
    model = ModelFiles(THE_PLAN.model_copy(update={"plane": "orthogonal"}), files).write(
        tmp_path / "m"
    )
    export_onnx(model, tmp_path / "out.onnx")
    assert not is_half((tmp_path / "out.onnx").read_bytes())
    told = {p.key: p.value for p in onnx.load_model(tmp_path / "out.onnx").metadata_props}
    assert told["cardioseg.license"] == "CC0 1.0"
    assert '"plane": "orthogonal"' in told["cardioseg.plan"]
    assert "average those of orthogonal planes" in told["cardioseg.preparation"]
    first, second = (OnnxEngine(p) for p in (tmp_path / "out.onnx", tmp_path / "m" / "model.onnx"))
    np.testing.assert_array_equal(first(SLICES), second(SLICES))


def test_scores_are_softmax_of_logits_over_the_temperature_in_every_engine(tmp_path):
    network, temperature = random_network(), 3.0
    plan = THE_PLAN.model_copy(update={"temperature": temperature})
    model = network_files(network, plan, "card").files["model.onnx"]
    with torch.no_grad():
        logits = network(torch.from_numpy(SLICES))
        expected = torch.softmax(logits / temperature, dim=1).numpy()
        plain = torch.softmax(logits, dim=1).numpy()
    assert np.abs(expected - plain).max() > 0.05
    for engine in engines(model, tmp_path):
        scores = engine(SLICES)
        np.testing.assert_allclose(scores, expected, atol=1e-4)
        np.testing.assert_array_equal(scores.argmax(axis=1), plain.argmax(axis=1))


def test_real_slices_let_the_shipped_model_be_stored_in_half_precision(acdc_root):
    model = open_model("sax")
    case = read_dataset(f"acdc:{acdc_root}").cases[0]
    image = case.image()
    slices = Preparation(image.geometry, model.plan).slices(image)[:, None]
    single = in_single((model.folder / NETWORK).read_bytes())
    assert is_half(smallest(single, slices))
