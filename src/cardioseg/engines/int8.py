"""A network in 8-bit integers: ranges measured on real slices, arithmetic in int8 where it pays."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cardioseg.engines.engine import Float32Array
from cardioseg.engines.equalise import equalise
from cardioseg.errors import MissingExtraError, ModelError

CALIBRATION_BATCH = 4

_IN_INT8 = ["Conv", "ConvTranspose", "Relu", "MaxPool", "Concat"]
"""What stays in float32 is the head and what follows: eight bits are too few for scores."""


def to_int8(network: bytes, slices: Float32Array) -> bytes:
    """Static quantisation of an ONNX network: weights a channel at a time, activations per tensor.

    The result stays an ONNX model with float32 inputs and outputs, whose integer parts are written
    as pairs of QuantizeLinear and DequantizeLinear: ONNX Runtime and OpenVINO both run them in
    int8. Weights use 7 of the 8 bits, so that processors without VNNI (AVX2) do not overflow when
    they add pairs of products: one file gives the same answer on both kinds. A tensor has one
    range, so its channels are brought to one first; the range is the mean of those of the
    batches, which rare values widen less than they widen the largest.

    Parameters
    ----------
    network
        ONNX model, float32 or with kernels stored in half precision.
    slices
        Prepared training slices (N, 1, rows, columns), which set the range of every activation.

    Raises
    ------
    MissingExtraError
        If ONNX's Python package is not installed.
    ModelError
        If the model cannot be quantised.

    References
    ----------
    B. Jacob et al., CVPR 2018, DOI 10.1109/CVPR.2018.00286; M. Nagel et al., ICCV 2019, DOI
    10.1109/ICCV.2019.00141 (channels of one range).
    """
    try:
        import onnx
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtraError("an int8 network", "train") from error
    with tempfile.TemporaryDirectory() as name:
        source, folded, target = (Path(name) / f"{step}.onnx" for step in ("in", "folded", "out"))
        source.write_bytes(network)
        try:
            with _quiet_root_logger():
                # Constants are folded first: kernels stored in half precision become weights again.
                quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
                model = onnx.load(folded)
                equalise(model, slices)
                onnx.save(model, folded)
                quantize_static(
                    str(folded),
                    str(target),
                    _reader(slices),
                    op_types_to_quantize=_IN_INT8,
                    nodes_to_exclude=[_head(model)],
                    quant_format=QuantFormat.QDQ,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                    per_channel=True,
                    reduce_range=True,
                    extra_options={"CalibMovingAverage": True},
                )
        except Exception as error:  # the library's own errors share no base class
            raise ModelError(f"the network cannot be quantised: {error}") from error
        return target.read_bytes()


def _head(model: Any) -> str:
    """Name of the last convolution, which makes the logits."""
    return next(str(each.name) for each in reversed(model.graph.node) if each.op_type == "Conv")


def _reader(slices: Float32Array) -> object:
    """Slices in small batches, as ONNX Runtime's calibrator asks for them."""
    from onnxruntime.quantization import CalibrationDataReader

    def batches() -> Iterator[dict[str, Float32Array]]:
        for first in range(0, len(slices), CALIBRATION_BATCH):
            yield {"slices": np.ascontiguousarray(slices[first : first + CALIBRATION_BATCH])}

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = batches()

        def get_next(self) -> dict[str, Float32Array] | None:
            return next(self._batches, None)

    return Reader()


@contextmanager
def _quiet_root_logger() -> Iterator[None]:
    """The library speaks through the root logger, of things that were decided here."""
    before = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.root.setLevel(before)
