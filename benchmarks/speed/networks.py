"""What is timed in cardioseg's environment: both exact networks by engine, and a training step."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch

from cardioseg.engines.int8 import to_int8
from cardioseg.nets.export import to_onnx
from cardioseg.nets.loss import Loss, total_loss
from cardioseg.nets.unet import UNet
from cardioseg.prepare.plan import NetworkPlan
from cardioseg.training.allocator import keep_freed_memory
from cardioseg.training.native import NativeUNet

KINDS = {"unet-1": "conventional", "unet-2": "separable"}
Work = Callable[[], object]


def predict(contender: str, network: str, batch: int, side: int) -> Work:
    """One batch by `onnx`, `openvino`, either with `-int8` or with `@THREADS`, by
    `openvino-two-streams` or by PyTorch: `torch-nchw`, `torch-channels-last`.
    """
    images = np.random.default_rng(0).random((batch, 1, side, side), np.float32)
    if contender.startswith("torch-"):
        return _eager(contender, network, images)
    name, _, count = contender.partition("@")
    threads = int(count) if count else None
    engine_name = name.removesuffix("-int8")
    path = _model_file(network, engine_name != name)
    if engine_name == "onnx":
        from cardioseg.engines.onnx import OnnxEngine

        engine = OnnxEngine(path, threads)
    elif engine_name == "openvino":
        from cardioseg.engines.openvino import OpenVinoEngine

        engine = OpenVinoEngine(path, threads)
    elif engine_name == "openvino-two-streams":
        return _two_streams(path, images)
    else:
        raise SystemExit(f"no contender {contender!r}")
    return lambda: engine(images)


def train(contender: str, network: str, batch: int, side: int) -> Work:
    """One training step: `ours` or `ours-bfloat16`, either with `-eager` (without our kernels),
    or stock PyTorch: `torch-nchw`, `torch-channels-last`.
    """
    if contender.startswith("ours"):
        keep_freed_memory()
    torch.manual_seed(0)
    model = UNet(_plan(network)).train()
    layout = torch.contiguous_format if contender == "torch-nchw" else torch.channels_last
    model.to(memory_format=layout)
    optimiser = torch.optim.Adam(
        model.parameters(), lr=1e-3, fused=contender.startswith("ours") or None
    )
    images = torch.rand(batch, 1, side, side).contiguous(memory_format=layout)
    labels = torch.randint(0, 3, (batch, side, side))
    reduced = "bfloat16" in contender
    forward = NativeUNet(model) if contender in ("ours", "ours-bfloat16") else model

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            logits = forward(images)
        total_loss(Loss(), logits.float(), labels).backward()
        optimiser.step()

    return step


def _eager(contender: str, network: str, images: np.ndarray) -> Work:
    """The network as PyTorch runs it, nothing folded."""
    model = UNet(_plan(network)).eval()
    layout = torch.channels_last if contender == "torch-channels-last" else torch.contiguous_format
    model.to(memory_format=layout)
    batch = torch.from_numpy(images).contiguous(memory_format=layout)

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return torch.softmax(model(batch), dim=1)

    return run


def _two_streams(path: Path, images: np.ndarray) -> Work:
    """Images one by one in OpenVINO's two asynchronous streams, a thread for each."""
    import openvino

    hints = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": 2, "INFERENCE_PRECISION_HINT": "f32"}
    queue = openvino.AsyncInferQueue(openvino.Core().compile_model(path, "CPU", hints), 2)

    def run() -> None:
        for first in range(len(images)):
            queue.start_async([images[first : first + 1]])
        queue.wait_all()

    return run


def _plan(network: str) -> NetworkPlan:
    return NetworkPlan(convolution=KINDS[network], dropout=0.1)


@cache
def _model_file(network: str, int8: bool) -> Path:
    """An untrained network: its speed is a trained one's, its answers are not looked at."""
    torch.manual_seed(0)
    path = Path(tempfile.mkdtemp()) / "model.onnx"
    data = to_onnx(UNet(_plan(network)).eval())
    if int8:
        data = to_int8(data, np.random.default_rng(0).random((2, 1, 64, 64), np.float32))
    path.write_bytes(data)
    return path
