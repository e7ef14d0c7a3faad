"""ONNX Runtime: the default engine; it needs neither torch nor a compiler."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cardioseg.engines.engine import Float32Array, usable_cores
from cardioseg.errors import ModelError


class OnnxEngine:
    """A session of ONNX Runtime on the CPU.

    Parameters
    ----------
    path
        The model file.
    threads
        How many at most; None takes all usable cores.

    Raises
    ------
    ModelError
        If the file is not a model that ONNX Runtime can load.
    """

    name = "onnx"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or usable_cores()
        options.log_severity_level = 3
        # Threads wait for more work by turning in circles: not between two calls, when they would
        # take a core from what reads, prepares and writes.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the library's own errors share no base class
            raise ModelError(f"{path}: ONNX Runtime cannot load it: {error}") from error

    def __call__(self, slices: Float32Array) -> Float32Array:
        """Scores (N, classes, H, W) of slices (N, 1, H, W)."""
        scores = self._session.run(["scores"], {"slices": np.ascontiguousarray(slices)})[0]
        answer: Float32Array = scores
        return answer
