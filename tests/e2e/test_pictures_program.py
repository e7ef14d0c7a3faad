"""Pictures end to end: train, predict and evaluate on 2-D echo (CAMUS) and on a folder of PNG."""

from __future__ import annotations

import csv
import json
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image

from cardioseg.__main__ import main
from cardioseg.core.labels import CAMUS, FOREGROUND
from cardioseg.io.images import read_geometry, read_labels

ROWS, COLUMNS, SPACING_MM = 60, 52, 2.5

pytestmark = pytest.mark.filterwarnings("ignore::cardioseg.errors.ReadWarning")


def run(*arguments: object) -> int:
    """The program in this process: importing torch anew for each command would take the time."""
    before, sys.argv = sys.argv, ["cardioseg", *map(str, arguments)]
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    finally:
        sys.argv = before
    return 0


def tiny(path: Path, scheme: str, classes: int, epochs: int) -> Path:
    """The preset tiny with another scheme, for a few small pictures that have an upper side."""
    text = resources.files("cardioseg.training").joinpath("tiny.toml").read_text()
    for old, new in (
        ('scheme = "acdc"', f'scheme = "{scheme}"'),
        ("classes = 4", f"classes = {classes}"),
        ("epochs = 12", f"epochs = {epochs}"),
        ("flips = true", "flips = false"),
        ("batch_size = 16", "batch_size = 4"),
    ):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


def echo(rng: np.random.Generator, phase: str) -> tuple[np.ndarray, np.ndarray]:
    """An apical view: cavity below the apex, muscle around it, atrium behind; speckle in a fan."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    size = (1.0 if phase == "ED" else 0.8) * rng.uniform(0.9, 1.1)
    middle = COLUMNS / 2 + rng.uniform(-3, 3)

    def ellipse(row: float, height: float, width: float) -> np.ndarray:
        return ((rows - row) / height) ** 2 + ((columns - middle) / width) ** 2 < 1

    labels = np.zeros((ROWS, COLUMNS), np.uint8)
    labels[ellipse(46, 8 * size, 8 * size)] = 3
    labels[ellipse(24, 18 * size, 12 * size) & (rows < 39)] = 2
    labels[ellipse(24, 14 * size, 8 * size) & (rows < 39)] = 1
    level = np.array([60, 20, 140, 30])[labels]
    speckle = rng.rayleigh(0.8, labels.shape)
    fan = np.abs(columns - COLUMNS / 2) < 4 + rows * 0.8
    return np.clip(level * speckle * fan, 0, 255).astype(np.uint8), labels


def cells(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Dark bodies with a bright rim, as phase contrast shows them."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    distance = np.full((ROWS, COLUMNS), np.inf)
    for _ in range(4):
        row, column, radius = rng.uniform(10, 50), rng.uniform(10, 42), rng.uniform(6, 10)
        distance = np.minimum(distance, np.hypot(rows - row, columns - column) / radius)
    level = np.select([distance < 1, distance < 1.25], [70, 200], 120)
    grey = np.clip(level + rng.normal(0, 12, level.shape), 0, 255)
    return grey.astype(np.uint8), (distance < 1).astype(np.uint8)


@pytest.fixture(scope="module")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five patients in CAMUS' layout."""
    root = tmp_path_factory.mktemp("camus")
    rng = np.random.default_rng(0)
    for n in range(1, 6):
        folder = root / "database_nifti" / f"patient{n:04d}"
        folder.mkdir(parents=True)
        for view in ("2CH", "4CH"):
            for phase in ("ED", "ES"):
                for ending, array in zip(("", "_gt"), echo(rng, phase), strict=True):
                    picture = SimpleITK.GetImageFromArray(array)
                    picture.SetSpacing((SPACING_MM, SPACING_MM))
                    name = f"{folder.name}_{view}_{phase}{ending}.nii.gz"
                    SimpleITK.WriteImage(picture, str(folder / name))
            (folder / f"Info_{view}.cfg").write_text("ED: 1\nES: 9\nNbFrame: 18\n")
    return root


@pytest.fixture(scope="module")
def dishes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two frames of each of five dishes as PNG, and black and white masks."""
    root = tmp_path_factory.mktemp("cells")
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (root / part).mkdir()
    for n in range(10):
        grey, mask = cells(rng)
        for part, array in (("images", grey), ("masks", mask * np.uint8(255))):
            path = root / part / f"dish{n // 2}_frame{n % 2}.png"
            Image.fromarray(array).save(path, dpi=(25.4 / SPACING_MM,) * 2)
    return root


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report"


def rows_of(report: Path) -> list[dict[str, str]]:
    with (report / "report.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_camus_is_trained_on_predicted_and_evaluated(
    hearts: Path, tmp_path: Path, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, trained = tiny(tmp_path / "echo.toml", "camus", 4, 24), tmp_path / "run"
    assert run("train", "--config", config, "--data", f"camus:{hearts}", "--output", trained) == 0
    split = json.loads((trained / "split.json").read_text())
    assert len(split["validation"]) == 1
    out = tmp_path / "out"
    assert run(
        "predict", hearts, "--model", trained / "model", "--split", trained / "split.json",
        "--part", "validation", "--output", out,
    ) == 0  # fmt: skip
    assert "reject" not in capsys.readouterr().err, "an area is not judged by a heart's volume"
    written = sorted(out.glob("*.nii.gz"))
    assert len(written) == 4, "both views and phases of the one patient, and no sequence"
    for path in written:
        source = next(hearts.rglob(path.name))
        assert read_labels(path, CAMUS).geometry.is_same(read_geometry(source))
    assert run("evaluate", out, hearts, "--scheme", "camus", "--output", report) == 0
    rows = rows_of(report)
    assert {row["subject"] for row in rows} == set(split["validation"])
    dice = {
        name: np.mean([float(r["value"]) for r in rows if found(r, "dice", name)])
        for name in ("LV cavity", "myocardium", "LA")
    }
    assert min(dice.values()) > 0.6, dice
    # In the plane only: as a volume one voxel deep, every voxel would lie on the boundary.
    assert all(float(r["value"]) < 30 for r in rows if found(r, "hd95_mm", "LV cavity"))
    assert {r["phase"] for r in json.loads((report / "report.json").read_text())["rows"]} == {
        "ED",
        "ES",
    }


def found(row: dict[str, str], metric: str, structure: str) -> bool:
    return (row["metric"], row["structure"]) == (metric, structure)


def test_a_folder_of_png_is_trained_on_predicted_and_evaluated(
    dishes: Path, tmp_path: Path, report: Path
) -> None:
    config, trained = tiny(tmp_path / "cells.toml", "foreground", 2, 9), tmp_path / "run"
    assert run("train", "--config", config, "--data", f"png:{dishes}", "--output", trained) == 0
    card = (trained / "model" / "card.md").read_text()
    assert "foreground" in card
    out = tmp_path / "out"
    assert run(
        "predict", dishes / "images", "--model", trained / "model", "--split",
        trained / "split.json", "--part", "validation", "--output", out,
    ) == 0  # fmt: skip
    names = {path.name.removesuffix(".nii.gz") for path in out.glob("*.nii.gz")}
    (dish,) = json.loads((trained / "split.json").read_text())["validation"]
    assert names == {f"{dish}_frame0", f"{dish}_frame1"}
    assert run(
        "evaluate", out, dishes / "masks", "--scheme", "foreground", "--output", report
    ) == 0  # fmt: skip
    rows = rows_of(report)
    assert {row["subject"] for row in rows} == {dish}
    assert min(float(r["value"]) for r in rows if found(r, "dice", "foreground")) > 0.7
    # The answer lies on the picture as the screen shows it: columns first, rows downwards.
    answer = read_labels(out / f"{dish}_frame0.nii.gz", FOREGROUND).array[..., 0].T
    mask = np.asarray(Image.open(dishes / "masks" / f"{dish}_frame0.png")) > 0
    assert (answer.astype(bool) == mask).mean() > 0.9
