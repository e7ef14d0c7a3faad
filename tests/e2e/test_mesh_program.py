"""`cardioseg mesh` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import trimesh

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.io.nifti import write_labels, write_volume


def run(*arguments):
    command = [sys.executable, "-m", "cardioseg", "mesh", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    grid = Geometry((30, 30, 7), np.diag([-1.5, 1.5, 8.0, 1.0]))
    x, y, k = np.indices(grid.shape)
    radius = np.hypot(x - 14.5, y - 14.5)
    array = np.zeros(grid.shape, np.uint8)
    array[(radius < 12 - k) & (k > 0) & (k < 6)] = 2
    array[(radius < 7 - k) & (k > 0) & (k < 6)] = 3
    path = tmp_path_factory.mktemp("labels") / "case.nii.gz"
    write_labels(LabelMap(array, grid, ACDC), path)
    return path


def test_models_and_a_picture_of_a_label_map(labels, tmp_path):
    done = run(labels, "--output", tmp_path, "--format", "stl,3mf", "--picture", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["meshes"]
    assert [each["structure"] for each in told] == ["myocardium", "LV cavity"]
    assert all(each["watertight"] and not each["problems"] for each in told)
    assert {path.name for path in tmp_path.iterdir()} == {
        "case-myocardium.stl",
        "case-LV-cavity.stl",
        "case.3mf",
        "case.png",
        "case-meshes.json",
        "run.json",
    }
    again = run(labels, "--output", tmp_path)
    assert again.returncode == 1
    assert "--force" in again.stderr


def test_a_picture_that_is_there_is_kept_and_nothing_is_written(labels, tmp_path):
    (tmp_path / "case.png").write_bytes(b"of a case")
    done = run(labels, "--output", tmp_path, "--picture")
    assert done.returncode == 1
    assert "case.png: is already there; add --force" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["case.png"]
    assert (tmp_path / "case.png").read_bytes() == b"of a case"


def test_a_hollow_heart_cut_open(labels, tmp_path):
    done = run(
        labels, "--output", tmp_path, "--solid", "blood-pool", "--structures", "blood pool",
        "--shell", "2", "--cut", "base@16", "--keep", "high",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "blood pool shell" in done.stdout
    shell = trimesh.load_mesh(tmp_path / "case-blood-pool-shell.stl")
    assert shell.is_watertight
    assert shell.bounds[0][2] == pytest.approx(4 + 16, abs=1e-3)


def test_what_is_wrong_is_said(labels, tmp_path):
    plain = tmp_path / "plain.nii.gz"
    grid = Geometry((4, 4, 4), np.eye(4))
    write_volume(Volume(np.ones((4, 4, 4), np.float32), grid), plain)
    for arguments, words in (
        ((plain,), "add --scheme"),
        ((tmp_path,), "name one label map"),
        ((labels, "--solid", "everything"), "choose blood-pool"),
        ((labels, "--cut", "q@1"), "AXIS@MM"),
        ((labels, "--format", "vtk"), "unknown mesh format"),
        ((labels, "--structures", "aorta"), "has no structure"),
    ):
        done = run(*arguments, "--output", tmp_path / "out")
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
