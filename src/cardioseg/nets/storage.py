"""The numbers inside an ONNX model: kernels kept in half precision, and read back by layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Float32Array = NDArray[np.float32]

# onnx has no types.
_Model = Any

_WIDENED = ".float32"
_WEIGHTED = ("Conv", "ConvTranspose", "BatchNormalization")


def in_half(model: bytes) -> bytes:
    """A model whose kernels are stored as float16 and cast to float32 when it is loaded.

    Biases and batch norm stay float32: they are few, and a variance may leave float16's range. So
    does a kernel with a value beyond it. All arithmetic stays float32; engines fold the casts.

    Parameters
    ----------
    model
        An ONNX model with float32 initialisers.
    """
    graph_of = onnx.load_model_from_string(model)
    graph = graph_of.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) != 4:
            continue
        with np.errstate(over="ignore"):
            half = numpy_helper.to_array(tensor).astype(np.float16)
        if not np.isfinite(half).all():
            continue
        wide = tensor.name + _WIDENED
        _rename_input(graph, tensor.name, wide)
        casts.append(
            onnx.helper.make_node("Cast", [tensor.name], [wide], to=onnx.TensorProto.FLOAT)
        )
        tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return _bytes(graph_of)


def in_single(model: bytes) -> bytes:
    """A model whose kernels are stored as float32, without casts: undoes :func:`in_half`.

    The values are those that float16 kept. Other programs read such a model most widely.
    """
    graph_of = onnx.load_model_from_string(model)
    graph = graph_of.graph
    halves = {t.name: t for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT16}
    kept = []
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in halves:
            tensor = halves[node.input[0]]
            single = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(single, tensor.name))
            _rename_input(graph, node.output[0], tensor.name)
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    return _bytes(graph_of)


def is_half(model: bytes) -> bool:
    """Whether a model stores any number as float16."""
    tensors = onnx.load_model_from_string(model).graph.initializer
    return any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in tensors)


def stored_weights(model: bytes) -> list[tuple[Float32Array, ...]]:
    """The weights of each layer, as float32, in the order in which the layers run.

    A convolution has its kernel and, unless it is zero, its bias; batch norm has scale, shift,
    mean and variance. Names tell nothing: an exporter lets equal tensors share one.

    Raises
    ------
    Exception
        What `onnx` raises where the bytes are not a model.
    """
    graph = onnx.load_model_from_string(model).graph
    arrays = {
        tensor.name: numpy_helper.to_array(tensor).astype(np.float32)
        for tensor in graph.initializer
    }
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays[node.input[0]]
    return [
        tuple(arrays[name] for name in node.input[1:] if name)
        for node in graph.node
        if node.op_type in _WEIGHTED
    ]


def without_traces(model: _Model) -> bytes:
    """A model without what the exporter noted about the machine: source paths, stack traces.

    Equal networks then give equal bytes wherever they are exported.
    """
    graph = model.graph
    for part in (*graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    del graph.metadata_props[:]
    graph.doc_string = model.doc_string = ""
    return _bytes(model)


def _rename_input(graph: _Model, old: str, new: str) -> None:
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == old:
                node.input[index] = new


def _bytes(model: _Model) -> bytes:
    data: bytes = model.SerializeToString(deterministic=True)
    return data
