"""Classical baselines as a user calls them: fitted, predicted with, and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.e2e.test_program import run, run_offline

from cardioseg.core.labels import ACDC
from cardioseg.io.nifti import read_labels
from cardioseg.workflows.phantoms import write_phantoms


@pytest.fixture(scope="module")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two synthetic subjects in ACDC's layout, and a split of them."""
    folder = tmp_path_factory.mktemp("data") / "hearts"
    write_phantoms(folder, 2, seed=3)
    parts = {"training": ["patient001"], "validation": ["patient002"]}
    (folder / "split.json").write_text(json.dumps(parts))
    return folder


def test_a_fitted_baseline_predicts_as_a_model_does(hearts: Path, tmp_path: Path) -> None:
    data, split = f"acdc:{hearts}", hearts / "split.json"
    otsu, out = tmp_path / "fitted", tmp_path / "out"
    fitted = run("baseline", "otsu", "--data", data, "--split", split, "--output", otsu, "--json")
    assert fitted.returncode == 0, fitted.stderr
    assert json.loads(fitted.stdout)["subjects"] == 1
    done = run_offline("predict", hearts, "--split", split, "--model", otsu, "--output", out)
    assert done.returncode == 0, done.stderr
    imported = done.stderr.splitlines()[-1]
    assert imported == "['scipy.ndimage', 'skimage']", "nothing else that is slow to import"
    names = sorted(path.name for path in out.glob("*.nii.gz"))
    assert names == ["patient002_frame01.nii.gz", "patient002_frame12.nii.gz"]
    assert read_labels(out / names[0], ACDC).mask("LV cavity").any()
    record = json.loads((out / "run.json").read_text())
    assert record["model_id"] == json.loads(fitted.stdout)["model_id"]
    assert (record["model"], record["engine"]) == ("fitted", "scikit-image")
    again = run("baseline", "otsu", "--data", data, "--output", otsu)
    assert again.returncode == 1
    assert "is not empty" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("scores", "--model", "otsu"), "no probabilities"),
        (("predict", "--model", "otsu", "--mirrors"), "are for networks"),
        (("predict", "--model", "otsu", "--engine", "onnx"), "are for networks"),
        (("predict", "--model", "appearance"), "must be fitted first"),
    ],
)
def test_what_a_baseline_cannot_do_is_told(
    arguments: tuple[str, ...], words: str, hearts: Path, tmp_path: Path
) -> None:
    command, *options = arguments
    done = run(command, hearts, *options, "--output", tmp_path / "out")
    assert done.returncode == 1
    assert words in done.stderr
    assert not (tmp_path / "out").exists()
