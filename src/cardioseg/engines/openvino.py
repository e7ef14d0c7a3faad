"""OpenVINO: the fastest engine on Intel CPUs; the extra `openvino`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cardioseg.engines.engine import Float32Array
from cardioseg.errors import MissingExtraError, ModelError


class OpenVinoEngine:
    """A model that OpenVINO compiled for this CPU, in float32.

    Parameters
    ----------
    path
        The ONNX model file.
    threads
        How many at most; None leaves it to OpenVINO.

    Raises
    ------
    MissingExtraError
        If OpenVINO is not installed.
    ModelError
        If the file is not a model that OpenVINO can load.
    """

    name = "openvino"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingExtraError("the engine 'openvino'", "openvino") from error
        core = openvino.Core()
        hints: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if threads:
            hints["INFERENCE_NUM_THREADS"] = threads
        try:
            self._model = core.compile_model(path, "CPU", hints)
        except RuntimeError as error:
            raise ModelError(f"{path}: OpenVINO cannot load it: {error}") from error

    def __call__(self, slices: Float32Array) -> Float32Array:
        """Scores (N, classes, H, W) of slices (N, 1, H, W)."""
        scores = self._model([np.ascontiguousarray(slices)])[0]
        return np.array(scores, dtype=np.float32)
