"""From trained weights to a model folder, and from a model to one ONNX file for other programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cardioseg.errors import ConfigError, MissingExtraError
from cardioseg.io.atomic import write_bytes
from cardioseg.model import CARD, NETWORK, WEIGHTS, Model, write_model
from cardioseg.prepare.plan import Plan

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ModelFiles:
    """The contents of a model folder before it is written."""

    plan: Plan
    files: dict[str, bytes]

    def write(self, folder: Path) -> Model:
        """Write the folder and open it."""
        return write_model(folder, self.plan, self.files)


def network_files(network: nn.Module, plan: Plan, card: str) -> ModelFiles:
    """Weights as safetensors, the network as ONNX, and the card.

    Raises
    ------
    MissingExtraError
        If torch or the ONNX exporter is not installed.
    """
    try:
        from safetensors.torch import save

        from cardioseg.nets.export import to_onnx
        from cardioseg.nets.unet import UNet
    except ImportError as error:
        raise MissingExtraError("exporting a network", "train") from error
    if not isinstance(network, UNet):
        raise ConfigError(f"cannot export a {type(network).__name__}: expected a UNet")
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    files = {WEIGHTS: save(weights), NETWORK: to_onnx(network), CARD: card.encode()}
    return ModelFiles(plan, files)


def export_onnx(model: Model, path: Path) -> None:
    """Write a model as one ONNX file whose metadata says how to prepare and restore.

    Parameters
    ----------
    model
        The model.
    path
        The file to write, atomically.

    Raises
    ------
    MissingExtraError
        If the package `onnx` is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("writing an ONNX file", "train") from error
    graph = onnx.load_model_from_string((model.folder / NETWORK).read_bytes())
    scheme = model.plan.label_scheme
    labels = {"0": "background", **{str(s.value): s.name for s in scheme.structures}}
    facts = {
        "cardioseg.plan": model.plan.to_json(),
        "cardioseg.model_id": model.id,
        "cardioseg.labels": json.dumps(labels),
        "cardioseg.preparation": PREPARATION_IN_WORDS,
        "cardioseg.license": "see the model's card",
    }
    onnx.helper.set_model_props(graph, facts)
    write_bytes(path, graph.SerializeToString())


PREPARATION_IN_WORDS = (
    "Take the slices of the plan's plane ('native': perpendicular to the largest spacing; "
    "'orthogonal': axial, coronal and sagittal, each prepared and restored by itself) with "
    "rows towards posterior and columns towards the patient's left (axial), rows towards inferior "
    "otherwise. Resample rows and columns linearly to spacing_mm with the image's middle kept, "
    "averaging over the step where it shrinks; crop or pad around the middle to size. Scale the "
    "1st to 99th percentiles of all slices together (padding left out) to 0 to 1 and clip "
    "('percentile'), or shift and scale to zero mean and unit variance ('zscore'); padding takes "
    "the lowest value. Input 'slices' (N, 1, rows, columns), output 'scores' (N, classes, rows, "
    "columns) after softmax. To restore, interpolate the scores linearly at the native pixels, "
    "background outside, average those of orthogonal planes, and take the largest."
)
