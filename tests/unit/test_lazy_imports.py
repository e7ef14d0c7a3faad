"""Predicting with ONNX Runtime imports neither torch nor a file-format library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.networks import SMALL, exported_network
from tests.small_cohort import scan

from cardioseg.model import NETWORK, write_model
from cardioseg.prepare.plan import Plan

PREDICT = """
import sys
import numpy as np
from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import Volume
from cardioseg.inference.predictor import load_model

predictor = load_model(sys.argv[1], "onnx")
grid = Geometry((16, 16, 3), np.diag([1.5, 1.5, 8.0, 1.0]))
labels = predictor.predict(Volume(np.random.default_rng(0).random(grid.shape), grid)).labels
assert labels.array.shape == grid.shape
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Top-level modules of a process that predicted once."""
    folder = tmp_path_factory.mktemp("models") / "random"
    plan = Plan(spacing_mm=1.5, size=(16, 16), network=SMALL, scheme="acdc")
    write_model(folder, plan, {NETWORK: exported_network()})
    command = [sys.executable, "-c", PREDICT, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_onnx_runtime_did_run(imported):
    assert {"onnxruntime", "cardioseg"} <= imported


@pytest.mark.parametrize(
    "library", ["torch", "onnx", "openvino", "nibabel", "matplotlib", "typer", "skimage"]
)
def test_predicting_does_not_import(library, imported):
    assert library not in imported


def test_the_command_imports_neither_ray_nor_fsspec_nor_dicom(tmp_path):
    """Nor pandas and pyarrow, which come with Ray: only who asks for a cohort waits for them."""
    path = scan(tmp_path / "scan.nii.gz")
    code = (
        "import sys\nfrom tests.in_process import run\n"
        "assert run('predict', *sys.argv[1:]) == 0\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    command = [sys.executable, "-c", code, path, "--model", "otsu", "--output", tmp_path / "out"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
    names = set(done.stdout.split())
    assert {"cardioseg", "nibabel"} <= names
    assert not names & {"ray", "fsspec", "pandas", "pyarrow", "pydicom", "torch"}
