"""From trained weights to a model folder, and from a model to one ONNX file for other programs."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.labels import SCHEMES
from cardioseg.engines.onnx import OnnxEngine
from cardioseg.errors import ConfigError, MissingExtraError, OutputExistsError
from cardioseg.io.atomic import write_bytes
from cardioseg.model import CARD, LICENCE_ROW, NETWORK, Model, write_model
from cardioseg.prepare.plan import Plan
from cardioseg.workflows.provenance import Json, file_digest, write_run_beside

if TYPE_CHECKING:
    from torch import nn


Float32Array = NDArray[np.float32]

SCRIPT = "run_exported.py"
"""Name of the script beside an exported file."""

SCRIPT_SOURCE = "run_exported.py.txt"
"""Its source; no module of this package, as it imports nibabel and nothing of ours."""

CHANGED_SHARE = 1e-3
"""Labels that half-precision weights may change, as a share of the labelled pixels: a Dice then
moves by about as much, far less than between two readers. See docs/decisions/0009."""


@dataclass(frozen=True)
class ModelFiles:
    """The contents of a model folder before it is written."""

    plan: Plan
    files: dict[str, bytes]

    def write(self, folder: Path) -> Model:
        """Write the folder and open it."""
        return write_model(folder, self.plan, self.files)


def network_files(
    network: nn.Module, plan: Plan, card: str, check: Float32Array | None = None
) -> ModelFiles:
    """The network as ONNX, at the plan's temperature, and the card.

    Parameters
    ----------
    network
        A trained UNet.
    plan
        Its plan.
    card
        The model card, Markdown.
    check
        Prepared slices (N, 1, rows, columns): the weights are stored in half precision if that
        leaves their labels as they are. Without them the weights stay float32.

    Raises
    ------
    MissingExtraError
        If torch or the ONNX exporter is not installed.
    ConfigError
        If the network is not a UNet.
    """
    try:
        from cardioseg.nets.export import to_onnx
        from cardioseg.nets.unet import UNet
    except ImportError as error:
        raise MissingExtraError("exporting a network", "train") from error
    if not isinstance(network, UNet):
        raise ConfigError(f"cannot export a {type(network).__name__}: expected a UNet")
    model = to_onnx(network, plan.temperature)
    if check is not None:
        model = smallest(model, check)
    return ModelFiles(plan, {NETWORK: model, CARD: card.encode()})


def smallest(model: bytes, check: Float32Array) -> bytes:
    """An ONNX model with its kernels in half precision if the answer stays, else as it is.

    The answer stays if, on the check slices, fewer labels change than :data:`CHANGED_SHARE` of
    those that are not background.

    Parameters
    ----------
    model
        ONNX model with float32 weights.
    check
        Prepared slices (N, 1, rows, columns).
    """
    from cardioseg.nets.storage import in_half

    half = in_half(model)
    before, after = _labels(model, check), _labels(half, check)
    changed = np.count_nonzero(before != after)
    marked = np.count_nonzero(before)
    return half if changed <= CHANGED_SHARE * marked else model


def _labels(model: bytes, slices: Float32Array) -> NDArray[np.intp]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NETWORK
        write_bytes(path, model)
        engine = OnnxEngine(path)
    labels: NDArray[np.intp] = np.stack([engine(each[None]).argmax(axis=1)[0] for each in slices])
    return labels


def require_absent(paths: Iterable[Path], *, force: bool) -> None:
    """Refuse to overwrite files unless forced; an OutputExistsError names the first."""
    for path in paths:
        if path.exists() and not force:
            raise OutputExistsError(f"{path}: is already there; add --force to overwrite it")


def export_onnx(model: Model, path: Path) -> None:
    """Write a model as one float32 ONNX file whose metadata says how to prepare and restore.

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

        from cardioseg.nets.storage import in_single
    except ImportError as error:
        raise MissingExtraError("writing an ONNX file", "train") from error
    graph = onnx.load_model_from_string(in_single((model.folder / NETWORK).read_bytes()))
    onnx.helper.set_model_props(graph, metadata(model))
    write_bytes(path, graph.SerializeToString())


def write_export(model: Model, path: Path) -> None:
    """Write a model as one ONNX file, and beside it NAME.run.json.

    Raises
    ------
    MissingExtraError
        If the package `onnx` is not installed.
    """
    started = time.monotonic()
    export_onnx(model, path)
    facts: dict[str, Json] = {**model_facts(model), "sha256": file_digest(path)}
    write_run_beside(path, "export", facts, started)


def model_facts(model: Model) -> dict[str, Json]:
    """Which model an output was made of, for run.json."""
    return {"model": model.name, "model_id": model.id, "plan_sha256": model.plan.digest}


def metadata(model: Model) -> dict[str, str]:
    """What an exported file says of itself: all that a program needs to run it as we do."""
    structures = model.plan.label_scheme.structures
    labels = {"0": "background", **{str(s.value): s.name for s in structures}}
    return {
        "cardioseg.format_version": "1",
        "cardioseg.version": version("cardioseg"),
        "cardioseg.model": model.name,
        "cardioseg.model_id": model.id,
        "cardioseg.plan": model.plan.to_json(),
        "cardioseg.scheme": model.plan.scheme,
        "cardioseg.labels": json.dumps(labels),
        "cardioseg.colors": json.dumps({str(s.value): s.color for s in structures}),
        "cardioseg.codes": json.dumps({str(s.value): s.code for s in structures}),
        "cardioseg.preparation": PREPARATION_IN_WORDS,
        "cardioseg.license": model.card_rows.get(LICENCE_ROW, "see the model's card"),
        "cardioseg.intended_use": "research; not a medical device",
    }


def write_script(path: Path) -> None:
    """Write the script that runs an exported file without cardioseg, atomically."""
    write_bytes(path, files("cardioseg.workflows").joinpath(SCRIPT_SOURCE).read_bytes())


_APART_IN_WORDS = "; ".join(
    f"{', '.join(each.apart)} of scheme {each.name}" for each in SCHEMES if each.apart
)

PREPARATION_IN_WORDS = (
    "Take the slices of the plan's plane ('native': perpendicular to the largest spacing, or the "
    "picture itself where there is one; 'orthogonal': axial, coronal and sagittal, each prepared "
    "and restored by itself) with rows towards posterior and columns towards the patient's left "
    "(axial), rows towards inferior "
    "otherwise. Resample rows and columns linearly to spacing_mm with the image's middle kept, "
    "averaging over the step where it shrinks; crop or pad around the middle to size (with "
    "whole_slices a side grows to the multiple of the network's stride that holds it). Scale the "
    "1st to 99th percentiles of all slices together (padding left out) to 0 to 1 and clip "
    "('percentile'), or shift and scale to zero mean and unit variance ('zscore'); padding takes "
    "the lowest value. Input 'slices' (N, 1, rows, columns), output 'scores' (N, classes, rows, "
    "columns) after softmax, the plan's temperature inside. To restore, interpolate the scores "
    "linearly at the native pixels, background outside, average those of orthogonal planes, and "
    "take the largest, of equal ones the lower class. With largest_component keep the largest "
    "piece of all structures together (voxels connected by faces, edges or corners), then the "
    "largest piece of each structure (by faces), but in the native plane every piece of those that "
    f"lie apart there ({_APART_IN_WORDS}); of equal pieces the first, in the order of an array "
    "whose axes point to the patient's right, front and head."
)
