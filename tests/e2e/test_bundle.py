"""The bundle runs with MONAI's own parser and gives the labels of `cardioseg predict`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.grids import rotated_grid
from tests.networks import SMALL, exported_network

from cardioseg.core.labels import ACDC
from cardioseg.core.volume import Volume
from cardioseg.errors import OutputExistsError
from cardioseg.inference.predictor import load_model
from cardioseg.io.images import read_labels, read_volume, write_volume
from cardioseg.model import NETWORK, Model, write_model
from cardioseg.prepare.plan import Plan
from cardioseg.workflows.bundle import write_bundle

RUN = """
import sys
sys.modules["cardioseg"] = None
from monai.bundle import ConfigParser
root, images = sys.argv[1:]
parser = ConfigParser()
parser.read_config(f"{root}/configs/inference.json")
parser.read_meta(f"{root}/configs/metadata.json")
parser["bundle_root"], parser["dataset_dir"] = root, images
parser.get_parsed_content("run")
print(parser["_meta_#network_data_format#outputs#scores#channel_def#3"])
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    plan = Plan(spacing_mm=1.5, size=(24, 24), network=SMALL, scheme="acdc", largest_component=True)
    files = {NETWORK: exported_network()}
    return write_model(tmp_path_factory.mktemp("models") / "random", plan, files)


def test_monai_runs_the_bundle(model: Model, tmp_path: Path) -> None:
    pytest.importorskip("monai", reason="MONAI is not installed (the extra 'oracle')")
    write_bundle(model, tmp_path / "bundle")
    (tmp_path / "images").mkdir()
    for angle in (0, 70):
        grid = rotated_grid((20, 18, 5), (1.5, -1.4, 8.0), angle, "y")
        array = np.random.default_rng(angle).normal(size=grid.shape).astype(np.float32)
        write_volume(Volume(array, grid), tmp_path / "images" / f"{angle}.nii.gz")
    command = [sys.executable, "-W", "ignore", "-c", RUN, tmp_path / "bundle", tmp_path / "images"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LV cavity"
    for angle in (0, 70):
        expected = load_model(model.folder, "onnx").predict(
            read_volume(tmp_path / "images" / f"{angle}.nii.gz")
        )
        answer = read_labels(tmp_path / "bundle" / "eval" / f"{angle}.nii.gz", ACDC)
        np.testing.assert_array_equal(answer.array, expected.labels.array)


def test_the_folder_is_a_bundle_and_is_not_overwritten(model: Model, tmp_path: Path) -> None:
    write_bundle(model, tmp_path / "bundle")
    files = {str(path.relative_to(tmp_path / "bundle")) for path in tmp_path.rglob("*.*")}
    assert {"configs/metadata.json", "configs/inference.json", "models/model.onnx"} <= files
    assert (tmp_path / "bundle" / "LICENSE").read_text().strip()
    facts = json.loads((tmp_path / "bundle" / "configs" / "metadata.json").read_text())
    for key in ("version", "monai_version", "task", "copyright", "network_data_format"):
        assert facts[key]
    assert facts["cardioseg"]["cardioseg.model_id"] == model.id
    with pytest.raises(OutputExistsError, match="is not empty; add --force"):
        write_bundle(model, tmp_path / "bundle")
    write_bundle(model, tmp_path / "bundle", force=True)
