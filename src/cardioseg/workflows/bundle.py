"""A model as a MONAI Bundle: a folder that MONAI's own runner segments with."""

from __future__ import annotations

import json
import time
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from cardioseg.errors import OutputExistsError
from cardioseg.io.atomic import is_empty, make_folder, write_bytes, write_text
from cardioseg.model import LICENCE_ROW, Model
from cardioseg.workflows.export import SCRIPT, export_onnx, metadata, model_facts, write_script
from cardioseg.workflows.provenance import write_run

NETWORK_FILE = "models/model.onnx"
FOLDER_SCRIPT = "run_folder.py"

INFERENCE = {
    "imports": ["$import functools", "$import glob", "$import os", "$import runpy"],
    "bundle_root": ".",
    "dataset_dir": "images",
    "output_dir": "$os.path.join(@bundle_root, 'eval')",
    "model": f"$os.path.join(@bundle_root, '{NETWORK_FILE}')",
    "script": f"$runpy.run_path(os.path.join(@bundle_root, 'scripts', '{FOLDER_SCRIPT}'))",
    "inputs": "$sorted(glob.glob(os.path.join(@dataset_dir, '*.nii*')))",
    # Maps, not comprehensions: MONAI evaluates an expression where those see no other entry.
    "outputs": "$list(map(functools.partial(os.path.join, @output_dir), "
    "map(os.path.basename, @inputs)))",
    "run": [
        "$os.makedirs(@output_dir, exist_ok=True)",
        "$@script['main'](@model, @inputs, @outputs)",
    ],
}
"""The bundle's program: the scripts that run an exported model, over a folder."""


def write_bundle(model: Model, folder: Path, *, force: bool = False) -> None:
    """Write the folder.

    Parameters
    ----------
    model
        The model.
    folder
        Gets `configs`, `models`, `scripts`, `docs` and `LICENSE`.
    force
        Overwrite files of a folder that is not empty.

    Raises
    ------
    OutputExistsError
        If the folder is not empty and `force` is not set.
    MissingExtraError
        If the package `onnx` is not installed.
    """
    started = time.monotonic()
    if not is_empty(folder) and not force:
        raise OutputExistsError(f"{folder}: is not empty; add --force to overwrite files in it")
    for name in ("configs", "models", "scripts", "docs"):
        make_folder(folder / name)
    export_onnx(model, folder / NETWORK_FILE)
    write_script(folder / "scripts" / SCRIPT)
    source = files("cardioseg.workflows").joinpath(f"{FOLDER_SCRIPT}.txt")
    write_bytes(folder / "scripts" / FOLDER_SCRIPT, source.read_bytes())
    write_text(folder / "configs" / "metadata.json", _json(_metadata(model)))
    write_text(folder / "configs" / "inference.json", _json(INFERENCE))
    write_text(folder / "docs" / "README.md", model.card or f"# {model.name}\n")
    licence = model.folder / "LICENSE"
    told = model.card_rows.get(LICENCE_ROW, "see docs/README.md") + "\n"
    write_bytes(folder / "LICENSE", licence.read_bytes() if licence.is_file() else told.encode())
    write_run(folder, "export", model_facts(model), started)


def _json(value: object) -> str:
    return json.dumps(value, indent=4) + "\n"


def _metadata(model: Model) -> dict[str, object]:
    """The keys of MONAI's schema, and ours under `cardioseg`."""
    plan, facts = model.plan, metadata(model)
    structures = plan.label_scheme.structures
    names = {"0": "background", **{str(s.value): s.name for s in structures}}
    stride = plan.network.stride
    shared = {"type": "image", "num_channels": 1, "dtype": "float32", "is_patch_data": False}
    shape = [f"{stride}*n", f"{stride}*n"]
    return {
        "version": version("cardioseg"),
        "changelog": {version("cardioseg"): f"exported from model {model.id}"},
        "monai_version": "1.4.0",
        "pytorch_version": "2.6.0",
        "numpy_version": "2.0.0",
        "required_packages_version": {"nibabel": "5.3.0", "onnxruntime": "1.20.0"},
        "name": model.name,
        "task": "Segmentation of the heart in cardiac MR",
        "description": f"2-D U-Net on {plan.plane} slices of {plan.spacing_mm:g} mm. "
        "Research; not a medical device.",
        "authors": "The cardioseg authors",
        "copyright": facts["cardioseg.license"],
        "intended_use": facts["cardioseg.intended_use"],
        "network_data_format": {
            "inputs": {
                "slices": {
                    **shared,
                    "format": "magnitude",
                    "modality": "MR",
                    "spatial_shape": shape,
                    "value_range": [0, 1] if plan.intensity == "percentile" else [],
                    "channel_def": {"0": "image"},
                }
            },
            "outputs": {
                "scores": {
                    **shared,
                    "format": "segmentation",
                    "num_channels": len(names),
                    "spatial_shape": shape,
                    "value_range": [0, 1],
                    "channel_def": names,
                }
            },
        },
        "cardioseg": facts,
    }
