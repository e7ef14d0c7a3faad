"""PyTorch: the engine that training uses; the extra `train`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cardioseg.engines.engine import Float32Array, usable_cores
from cardioseg.errors import MissingExtraError, ModelError
from cardioseg.prepare.plan import NetworkPlan


class TorchEngine:
    """The network in PyTorch on the CPU.

    Parameters
    ----------
    plan
        The network.
    path
        The ONNX model file, whose weights are read: a model folder holds them once.
    threads
        How many PyTorch may use in this process; None takes all usable cores.

    Raises
    ------
    MissingExtraError
        If torch or onnx is not installed.
    ModelError
        If the file does not hold this network's weights.
    """

    name = "torch"

    def __init__(self, plan: NetworkPlan, path: Path, threads: int | None = None) -> None:
        try:
            import torch

            from cardioseg.nets.export import folded_network
            from cardioseg.nets.storage import stored_weights
        except ImportError as error:
            raise MissingExtraError("the engine 'torch'", "train") from error
        torch.set_num_threads(threads or usable_cores())
        try:
            self._network = folded_network(plan, stored_weights(path.read_bytes()))
        except Exception as error:  # damaged file, missing file or another network
            raise ModelError(f"{path}: does not hold this network's weights: {error}") from error
        self._torch = torch
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, slices: Float32Array) -> Float32Array:
        """Scores (N, classes, H, W) of slices (N, 1, H, W)."""
        torch = self._torch
        with torch.inference_mode():
            images = torch.from_numpy(np.ascontiguousarray(slices))
            images = images.contiguous(memory_format=torch.channels_last)
            scores = torch.softmax(self._network(images), dim=1)
        answer: Float32Array = scores.contiguous().numpy()
        return answer
