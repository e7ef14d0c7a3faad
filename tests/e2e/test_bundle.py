"""The bundle runs with MONAI's own parser and gives the labels of `cardioseg predict`."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import nibabel as nib
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
from cardioseg.workflows.bundle import FOLDER_SCRIPT, NETWORK_FILE, write_bundle

ANGLES = (0, 70)
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


def write_images(folder: Path) -> None:
    folder.mkdir()
    for angle in ANGLES:
        grid = rotated_grid((20, 18, 5), (1.5, -1.4, 8.0), angle, "y")
        array = np.random.default_rng(angle).normal(size=grid.shape).astype(np.float32)
        write_volume(Volume(array, grid), folder / f"{angle}.nii.gz")


def require_answers(model: Model, images: Path, answers: Path) -> None:
    for angle in ANGLES:
        expected = load_model(model.folder, "onnx").predict(read_volume(images / f"{angle}.nii.gz"))
        answer = read_labels(answers / f"{angle}.nii.gz", ACDC)
        np.testing.assert_array_equal(answer.array, expected.labels.array)


def test_monai_runs_the_bundle(model: Model, tmp_path: Path) -> None:
    pytest.importorskip("monai", reason="MONAI is not installed (the extra 'oracle')")
    bundle, images = tmp_path / "bundle", tmp_path / "images"
    write_bundle(model, bundle)
    write_images(images)
    command = [sys.executable, "-W", "ignore", "-c", RUN, bundle, images]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "LV cavity"
    require_answers(model, images, bundle / "eval")
    cine = nib.Nifti1Image(np.ones((8, 8, 4, 2), np.float32), np.diag([1, 1, 8, 1]))
    nib.save(cine, images / "cine.nii.gz")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1 of 3 images failed" in done.stderr


def test_a_bundle_goes_on_after_a_failure_and_leaves_out_what_is_done(
    model: Model, tmp_path: Path
) -> None:
    write_bundle(model, tmp_path / "bundle")
    images, answers = tmp_path / "images", tmp_path / "answers"
    write_images(images)
    answers.mkdir()
    cine = nib.Nifti1Image(np.ones((8, 8, 4, 2), np.float32), np.diag([1, 1, 8, 1]))
    nib.save(cine, images / "00.nii.gz")
    (images / "1.nii.gz").write_bytes(b"no image")
    (images / "2.nii.gz").write_bytes(b"nor this")
    (answers / "2.nii.gz").write_bytes(b"done")
    (answers / "part-0.nii.gz").write_bytes(b"of a run that was killed")
    sources = sorted(images.iterdir())
    run = runpy.run_path(str(tmp_path / "bundle" / "scripts" / FOLDER_SCRIPT))["main"]
    with pytest.raises(SystemExit) as left:
        run(str(tmp_path / "bundle" / NETWORK_FILE), sources, [answers / p.name for p in sources])
    lines = str(left.value).splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == [str(sources[1]), str(sources[2])]
    assert "give one frame" in lines[0]
    assert lines[-1] == "2 of 5 images failed"
    assert (answers / "2.nii.gz").read_bytes() == b"done"
    assert {path.name for path in answers.iterdir()} == {"0.nii.gz", "2.nii.gz", "70.nii.gz"}
    require_answers(model, images, answers)


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
