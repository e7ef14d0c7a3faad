"""Channels of one range: the answer stays, and what int8 rounds is smaller."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from tests.networks import SMALL, random_network
from torch import nn

from cardioseg.engines.equalise import LARGEST_GAIN, _gains, _loudest, equalise
from cardioseg.engines.int8 import to_int8
from cardioseg.engines.onnx import OnnxEngine
from cardioseg.nets.export import to_onnx
from cardioseg.prepare.plan import NetworkPlan

SIDE = 64
KINDS = {
    kind: NetworkPlan(widths=SMALL.widths, classes=SMALL.classes, convolution=kind)
    for kind in ("separable", "conventional")
}


def uneven(plan: NetworkPlan) -> bytes:
    """A network whose channels differ by up to 30 times in range, as trained ones' do."""
    network = random_network(plan)
    scales = np.random.default_rng(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            gains = 30 ** scales.uniform(-0.5, 0.5, len(module.weight))
            module.weight.data *= module.weight.data.new_tensor(gains)
    return to_onnx(network)


@pytest.fixture(scope="module")
def slices():
    return np.random.default_rng(0).random((6, 1, SIDE, SIDE), np.float32)


@pytest.fixture(scope="module", params=list(KINDS))
def network(request, tmp_path_factory) -> onnx.ModelProto:
    """As `to_int8` hands it on: constants folded, batch norm where no fold takes it."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    folder = tmp_path_factory.mktemp("folded")
    (folder / "in.onnx").write_bytes(uneven(KINDS[request.param]))
    quant_pre_process(str(folder / "in.onnx"), str(folder / "out.onnx"), skip_symbolic_shape=True)
    return onnx.load(folder / "out.onnx")


def answer(model: onnx.ModelProto | bytes, slices, tmp_path):
    path = tmp_path / "network.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return OnnxEngine(path)(slices)


def copied(network: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(network)
    return copy


def test_the_answer_stays_as_it_was(network, slices, tmp_path) -> None:
    changed = copied(network)
    assert equalise(changed, slices)
    assert changed.SerializeToString() != network.SerializeToString()
    before, after = (answer(each, slices, tmp_path) for each in (network, changed))
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_channels_have_one_range_afterwards(network, slices) -> None:
    changed = copied(network)
    names = equalise(changed, slices)
    before, after = (_loudest(each, slices) for each in (network, changed))
    uneven = [name for name in names if before[name].max() > 1.5 * before[name].min()]
    assert len(uneven) >= 4
    for name in names:
        spoke = before[name] > 1.01 * before[name].max() / LARGEST_GAIN
        assert after[name][spoke].max() == pytest.approx(after[name][spoke].min(), rel=1e-3)


def test_weights_that_two_layers_share_are_scaled_for_one(network, slices, tmp_path) -> None:
    changed = copied(network)
    # Two convolutions of equal shape read one kernel, as exporters that look for equals write it.
    shapes: dict[tuple[int, ...], onnx.NodeProto] = {}
    weights = {each.name: each for each in changed.graph.initializer}
    pair = None
    for node in changed.graph.node:
        if node.op_type == "Conv":
            shape = tuple(weights[node.input[1]].dims)
            if shape in shapes:
                pair = shapes[shape], node
            shapes[shape] = node
    assert pair is not None
    pair[1].input[1] = pair[0].input[1]
    shared = copied(changed)
    equalise(changed, slices)
    before, after = (answer(each, slices, tmp_path) for each in (shared, changed))
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_int8_is_nearer_to_float32(slices, tmp_path, monkeypatch) -> None:
    data = uneven(KINDS["separable"])
    exact = answer(data, slices, tmp_path)
    errors = []
    for rescale in (lambda model, slices: [], equalise):
        monkeypatch.setattr("cardioseg.engines.int8.equalise", rescale)
        errors.append(np.abs(answer(to_int8(data, slices), slices, tmp_path) - exact).mean())
    plain, equalised = errors
    assert equalised < 0.8 * plain


def test_a_silent_channel_is_raised_little_and_a_silent_tensor_not_at_all() -> None:
    gains = _gains(np.array([0, 1, 8], np.float32))
    assert gains[0] == pytest.approx(LARGEST_GAIN * gains[2])
    np.testing.assert_array_equal(_gains(np.zeros(3, np.float32)), 1)
    np.testing.assert_array_equal(_gains(np.ones(3, np.float32), 0.0), 1)
    np.testing.assert_allclose(_gains(np.array([1, 4], np.float32), 8.0), [8, 2])
