"""`observers` and `report` as a user calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap
from cardioseg.io.nifti import write_labels


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cardioseg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients as three people draw them; Cleo lacks the second."""
    folder = tmp_path_factory.mktemp("people")
    grid = Geometry((20, 20, 3), np.diag([1.5, 1.5, 8.0, 1.0]))
    for place, name in enumerate(("Ana", "Ben", "Cleo")):
        (folder / name).mkdir()
        for patient in range(1 if name == "Cleo" else 2):
            array = np.zeros(grid.shape, np.uint8)
            array[4 + place : 14 + place, 4:15] = 2
            array[6 + place : 12 + place, 6 : 12 + patient] = 3
            path = folder / name / f"p{patient}_frame01.nii.gz"
            write_labels(LabelMap(array, grid, ACDC), path)
    return folder


def test_observers_tells_tables_and_what_it_left_out(root: Path, tmp_path: Path) -> None:
    people = [root / name for name in ("Ana", "Ben", "Cleo")]
    done = run("observers", *people, "--json")
    assert done.returncode == 0, done.stderr
    assert "Cleo did not label it" in done.stderr
    content = json.loads(done.stdout)
    assert content["cases"] == 1
    assert {each["structure"] for each in content["pairs"]} == {"label 2", "label 3"}
    output = tmp_path / "out"
    done = run(
        "observers", *people[:2], "--model-folder", people[2], "--scheme", "acdc",
        "--output", output, "--write-consensus",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# Observers\n\n## Where the model lies")
    assert (output / "consensus" / "staple" / "p1_frame01.nii.gz").is_file()
    again = run("observers", *people[:2], "--output", output)
    assert again.returncode == 1
    assert "--force" in again.stderr


def test_report_of_predictions_and_of_an_evaluation(root: Path, tmp_path: Path) -> None:
    evaluation = tmp_path / "evaluation"
    done = run("evaluate", root / "Ben", root / "Ana", "--scheme", "acdc", "--output", evaluation)
    assert done.returncode == 0, done.stderr
    done = run("report", evaluation, "--language", "es")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(evaluation / "report.html")
    page = (evaluation / "report.html").read_text(encoding="utf-8")
    assert "no es un producto sanitario" in page
    assert str(tmp_path) not in page
    done = run("report", root / "Cleo", "--scheme", "acdc", "--output", tmp_path / "one.html")
    assert done.returncode == 0, done.stderr
    assert "not a medical device" in (tmp_path / "one.html").read_text(encoding="utf-8")
    done = run("report", root / "Cleo", "--language", "fr")
    assert done.returncode == 1
    assert "choose from en, es" in done.stderr
