"""Predicting with ONNX Runtime imports neither torch nor a file-format library."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.networks import SMALL, exported_network

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
