"""`cardioseg compare STUDY`: killed at any time it goes on; the slides' study runs as printed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import pytest

from cardioseg.io.nifti import write_labels, write_volume
from cardioseg.phantom import whole_heart_case
from cardioseg.workflows.phantoms import write_phantoms

# A background job of a script starts with Ctrl-C ignored; a person's does not.
INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from cardioseg.__main__ import main
sys.argv = ["cardioseg", *sys.argv[1:]]
main()
"""
PROGRAM = (sys.executable, "-m", "cardioseg", "compare")

TOML = """
name = "tiny"
scheme = "myocardium_blood"
base = "paper"
seeds = [0]
[config]
epochs = 3
patience = 0
learning_rate = 5e-3
plan.spacing_mm = 4.0
plan.size = [32, 32]
plan.network.widths = [2, 4]
[data]
split = "subjects:1/1/2"
[arms.unet_1]
title = "U-Net 1"
config.plan.network.convolution = "conventional"
[arms.unet_2]
title = "U-Net 2"
"""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four synthetic subjects in ACDC's layout and a study."""
    folder = tmp_path_factory.mktemp("study")
    write_phantoms(folder / "hearts", 4, seed=1)
    (folder / "tiny.toml").write_text(TOML)
    return folder


def stop_when(arguments: list[str], folder: Path, pattern: str, sent: signal.Signals) -> int:
    """Start the program, and send a signal the moment that a file of that pattern is there."""
    program = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "compare", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 600
    while not list(folder.glob(pattern)) and program.poll() is None:
        assert time.monotonic() < deadline, pattern
        time.sleep(0.005)
    program.send_signal(sent)
    code = program.wait(timeout=120)
    assert not (folder / "run.json").exists(), "it was stopped before the end"
    return code


def results(folder: Path) -> dict[str, bytes]:
    """Tables at equal epochs: those at equal minutes depend on how fast the machine was."""
    found = folder.glob("tables/*-equal-epochs/*.csv")
    return {path.name: path.read_bytes() for path in found}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_interrupted_and_killed_it_ends_with_the_same_tables(place: Path) -> None:
    study, data = str(place / "tiny.toml"), f"acdc:{place / 'hearts'}"
    whole = run(study, "--data", data, "--output", place / "whole")
    assert whole.returncode == 0, whole.stderr
    assert "U-Net 2" in whole.stdout
    killed = place / "killed"
    arguments = [study, "--data", data, "--output", str(killed)]
    for pattern, sent, code in (
        ("unet_1/seed-0/checkpoint.safetensors", signal.SIGINT, 130),
        ("unet_2/seed-0/best-*.safetensors", signal.SIGKILL, -signal.SIGKILL),
        ("unet_1/seed-0/epoch-*/cases/*.json", signal.SIGKILL, -signal.SIGKILL),
    ):
        assert stop_when(arguments, killed, pattern, sent) == code
    done = run(*arguments, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["seeds_done"] == [0]
    assert "unet_1, seed 0: epoch 1/3" not in done.stderr, "what was trained is not trained again"
    expected = results(place / "whole")
    assert len(expected) == 5
    assert results(killed) == expected
    assert not list(killed.rglob("*.safetensors.tmp"))


def test_the_two_forms_are_shown_where_neither_is_complete(place: Path) -> None:
    for arguments in (("slides-acdc",), (place, place), ("slides-acdc", place, "--data", "acdc:x")):
        done = run(*arguments, "--output", place / "out")
        assert done.returncode == 2
        words = " ".join(done.stderr.split())
        assert "compare A B REFERENCES --scheme SCHEME" in words
        assert "compare STUDY --data KIND:FOLDER" in words
    wrong = run("slides-acdx", "--data", f"acdc:{place / 'hearts'}", "--output", place / "out")
    assert wrong.returncode == 1
    assert "slides-acdc, slides-acdc-128, split-inflation, losses, hvsmr-paper" in wrong.stderr
    other = run("slides-acdc", "--data", f"acdc:{place / 'hearts'}", "--output", place / "out")
    assert other.returncode == 1
    assert "patient" in other.stderr
    assert "point --data at the whole data set" in other.stderr
    assert not (place / "out").exists()


def test_the_slides_study_runs_on_ten_volumes_in_hvsmrs_layout(tmp_path: Path) -> None:
    """The shipped study, with smaller networks and slices, on phantoms stored as P-I-R."""
    data = tmp_path / "hvsmr"
    data.mkdir()
    for number in range(10):
        image, labels = whole_heart_case(0, number, spacing_mm=10.0).case().pair()
        stem = f"training_axial_crop_pat{number}"
        write_volume(image, data / f"{stem}.nii.gz")
        write_labels(labels, data / f"{stem}-label.nii.gz")
    shipped = resources.files("cardioseg.workflows.study").joinpath("hvsmr-paper.toml").read_text()
    small = shipped.replace("seeds = [0, 1, 2]", "seeds = [0]").replace("epochs = 30", "epochs = 1")
    small = small.replace(
        "plan.spacing_mm = 0.9",
        "plan.spacing_mm = 10.0\nplan.size = [16, 16]\nplan.network.widths = [2, 4]",
    )
    assert small != shipped
    (tmp_path / "small.toml").write_text(small)
    output = tmp_path / "run"
    done = run(tmp_path / "small.toml", "--data", f"hvsmr:{data}", "--output", output)
    assert done.returncode == 0, done.stderr
    assert "slices of one patient" in done.stderr
    assert "slices are there" in done.stderr
    told = json.loads((output / "study.json").read_text())
    by_patient, by_image = (
        next(
            c for c in told["contrasts"] if c["candidate"] == name and c["budget"] == "equal epochs"
        )
        for name in ("unet_2", "unet_2_images")
    )
    assert set(by_patient["comparisons"]) == {"volume", "slice"}
    assert by_patient["comparisons"]["volume"][0]["subjects"] == 1
    assert by_patient["verdicts"][0]["word"] == "undecided", "one patient says nothing"
    assert set(by_image["comparisons"]) == {"slice"}
    assert by_image["comparisons"]["slice"][0]["subjects"] > 1
    text = (output / "study.md").read_text()
    assert "Patients of its test were in training: too good." in text
    pictures = sorted(path.name for path in output.glob("*.png"))
    assert len(pictures) == 6
