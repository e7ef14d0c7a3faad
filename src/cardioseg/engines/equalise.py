"""Channels brought to one range, exactly: what eight bits per tensor then round is smaller."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cardioseg.engines.engine import Float32Array

MEASURED_SLICES = 16
"""Slices that the ranges of channels are measured on; those of whole tensors take all."""

LARGEST_GAIN = 64
"""A channel that hardly speaks is not raised by more than this over the loudest."""


def equalise(model: Any, slices: Float32Array) -> list[str]:
    """Rescale the channels between linear layers, so that all of a tensor have one range.

    What one layer multiplies a channel by, the next divides it by again, and no bias or Relu in
    between minds a positive factor: the network's answer stays as it was but for rounding. It
    is done between a depthwise convolution, a batch norm or a Relu and the one convolution
    that reads it, and where a transposed convolution and a skip are joined for a batch norm.

    Parameters
    ----------
    model
        An ONNX ModelProto whose weights are float32 initialisers; changed in place.
    slices
        Prepared training slices (N, 1, rows, columns).

    Returns
    -------
    list of str
        Names of the tensors whose channels were equalised.

    References
    ----------
    M. Nagel et al., ICCV 2019, DOI 10.1109/ICCV.2019.00141 (there between convolutions only, by
    the ranges of their weights).
    """
    network = _Network(model)
    loudest = _loudest(model, slices[:: max(1, len(slices) // MEASURED_SLICES)])
    pairs = list(_pairs(network))
    for name, reader in pairs:
        gains = _gains(loudest[name])
        network.scale_output(name, gains)
        network.scale_input(reader, gains)
    joins = list(_joins(network))
    for skip, expanded, norm in joins:
        gains = _gains(loudest[expanded], loudest[skip].max())
        network.scale_output(expanded, gains)
        network.scale_input(norm, np.concatenate([np.ones_like(loudest[skip]), gains]))
    return [name for name, _ in pairs] + [expanded for _, expanded, _ in joins]


def _gains(loudest: Float32Array, target: float | None = None) -> Float32Array:
    """What brings channels to `target`, or to their geometric mean; a silent tensor stays."""
    most = float(loudest.max())
    if most == 0 or target == 0:
        return np.ones_like(loudest)
    ranges = np.maximum(loudest, most / LARGEST_GAIN)
    level = target or np.exp(np.log(ranges).mean())
    return np.divide(level, ranges, dtype=np.float32)


def _loudest(model: Any, slices: Float32Array) -> dict[str, Float32Array]:
    """Largest absolute value of each channel of each inner image, by the tensor's name."""
    import onnx
    import onnxruntime

    inner = [node.output[0] for node in model.graph.node if node.op_type in _INNER]
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    del probed.graph.output[:]
    probed.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in inner)
    options = onnxruntime.SessionOptions()
    # Fused nodes have no inner tensors to look at.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        probed.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    loudest: dict[str, Float32Array] = {}
    for one in slices:
        found = session.run(None, {session.get_inputs()[0].name: one[None]})
        for name, tensor in zip(inner, found, strict=True):
            here = np.abs(tensor).max(axis=(0, 2, 3))
            loudest[name] = np.maximum(loudest.get(name, here), here)
    return loudest


_INNER = ("Conv", "ConvTranspose", "BatchNormalization", "Relu")


def _pairs(network: _Network) -> Iterator[tuple[str, Any]]:
    """Tensors that one convolution alone reads and whose maker can be scaled, with that reader."""
    for node in network.nodes:
        reader = network.only_reader(node.output[0])
        if reader is not None and reader.op_type == "Conv" and network.can_scale(node):
            yield node.output[0], reader


def _joins(network: _Network) -> Iterator[tuple[str, str, Any]]:
    """Skip, transposed convolution and batch norm, where the two are joined for the third."""
    for node in network.nodes:
        norm = network.only_reader(node.output[0])
        if node.op_type != "Concat" or norm is None or norm.op_type != "BatchNormalization":
            continue
        skip, expanded = node.input
        maker = network.makers[expanded]
        if maker.op_type == "ConvTranspose" and network.only_reader(expanded) is not None:
            yield skip, expanded, norm


class _Network:
    """Nodes of an ONNX graph, and their weights a channel at a time."""

    def __init__(self, model: Any) -> None:
        self._graph = model.graph
        self._weights = {each.name: each for each in model.graph.initializer}
        self.nodes = list(model.graph.node)
        self.makers = {node.output[0]: node for node in self.nodes}
        self._outputs = {each.name for each in model.graph.output}
        self._readers: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def only_reader(self, name: str) -> Any | None:
        """The node that reads a tensor, if it is one and nobody outside does."""
        readers = self._readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self._outputs else None

    def can_scale(self, node: Any) -> bool:
        """Whether a node's output channels can be scaled by its own weights or its maker's."""
        if node.op_type == "Relu":
            maker = self.makers[node.input[0]]
            return maker.op_type == "Conv" and self.only_reader(node.input[0]) is node
        return node.op_type == "BatchNormalization" or self._is_depthwise(node)

    def scale_output(self, name: str, gains: Float32Array) -> None:
        """Multiply the channels of a tensor, where it is made."""
        node = self.makers[name]
        if node.op_type == "Relu":
            self.scale_output(node.input[0], gains)
        elif node.op_type == "BatchNormalization":
            self._multiply(node, 1, gains)
            self._multiply(node, 2, gains)
        else:
            outputs = (1, -1, 1, 1) if node.op_type == "ConvTranspose" else (-1, 1, 1, 1)
            self._multiply(node, 1, gains.reshape(outputs))
            if len(node.input) > 2:
                self._multiply(node, 2, gains)

    def scale_input(self, node: Any, gains: Float32Array) -> None:
        """Undo in a node what was done to its input."""
        if node.op_type == "BatchNormalization":
            self._multiply(node, 1, np.float32(1) / gains)
            self._multiply(node, 3, gains)
        else:
            inputs = (-1, 1, 1, 1) if self._is_depthwise(node) else (1, -1, 1, 1)
            self._multiply(node, 1, np.float32(1) / gains.reshape(inputs))

    def _is_depthwise(self, node: Any) -> bool:
        return node.op_type == "Conv" and self._groups(node) == self._shape(node)[0] > 1

    def _groups(self, node: Any) -> int:
        return next((int(each.i) for each in node.attribute if each.name == "group"), 1)

    def _shape(self, node: Any) -> tuple[int, ...]:
        return tuple(self._weights[node.input[1]].dims)

    def _multiply(self, node: Any, position: int, gains: Float32Array) -> None:
        """Scale the weights of one node; those that others read, too, stay as they are for them."""
        from onnx import numpy_helper

        name = node.input[position]
        scaled = (numpy_helper.to_array(self._weights[name]) * gains).astype(np.float32)
        if len(self._readers[name]) == 1:
            self._weights[name].CopyFrom(numpy_helper.from_array(scaled, name))
            return
        self._readers[name].remove(node)
        own = f"{node.name}/{position}"
        self._graph.initializer.append(numpy_helper.from_array(scaled, own))
        self._weights[own], self._readers[own] = self._graph.initializer[-1], [node]
        node.input[position] = own
