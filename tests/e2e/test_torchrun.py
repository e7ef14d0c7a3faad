"""`torchrun -m cardioseg train`: one network of two processes, gone on with by one, and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cardioseg.data.looks import Looks
from cardioseg.datasets import read_dataset
from cardioseg.training.checkpoint import CHECKPOINT
from cardioseg.training.config import read_config
from cardioseg.training.fit import LOG, Step, Watch, fit
from cardioseg.workflows.parts import Parts, prepared_parts
from cardioseg.workflows.phantoms import write_phantoms

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")

# The tiny preset on smaller slices, with the convolution and the rate at which Adam makes least of
# rounding (docs/scale.md).
TINY = """
epochs = 3
batch_size = 10
optimiser = "adamw"
learning_rate = 1e-3
schedule = "one_cycle"
average_decay = 0.95
[plan]
spacing_mm = 8.0
size = [16, 16]
scheme = "acdc"
[plan.network]
convolution = "conventional"
widths = [4, 8]
classes = 4
"""

STOPPING = '''
"""The program, whose first process is interrupted when the first epoch is saved."""
import sys
from cardioseg.__main__ import main
from cardioseg.training import fit

save = fit.save_checkpoint

def save_and_stop(*state):
    save(*state)
    raise KeyboardInterrupt

fit.save_checkpoint = save_and_stop
main()
'''


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    folder = tmp_path_factory.mktemp("data")
    write_phantoms(folder / "hearts", 2, seed=1)
    (folder / "tiny.toml").write_text(TINY)
    parts = {"training": ["patient001"], "validation": ["patient002"], "test": []}
    (folder / "split.json").write_text(json.dumps(parts))
    return [
        "--config", folder / "tiny.toml", "--data", f"acdc:{folder / 'hearts'}",
        "--split", folder / "split.json", "--output",
    ]  # fmt: skip


def by_two(*program: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *TORCHRUN, *map(str, program)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=environment
    )


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / LOG).read_text().splitlines()]


@pytest.fixture(scope="module")
def parts(options: list[object], tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """The slices that `train` prepares."""
    _, config, _, data, _, split, _ = map(str, options)
    cases = read_dataset(data).labelled_cases
    cache = tmp_path_factory.mktemp("cache")
    return prepared_parts(read_config(config), cases, split, cache, lambda line: None, Looks())


def train_alone(
    options: list[object], parts: Parts, folder: Path, watch: Watch | None = None
) -> None:
    """One process trains, or goes on; without the model folder, which takes longer."""
    folder.mkdir(exist_ok=True)
    fit(read_config(str(options[1])), parts.training, parts.validation, folder, watch or Watch())


@pytest.fixture(scope="module")
def by_one(
    options: list[object], parts: Parts, tmp_path_factory: pytest.TempPathFactory
) -> list[float]:
    """Each epoch's loss of a run that one process trains from beginning to end."""
    folder = tmp_path_factory.mktemp("one")
    train_alone(options, parts, folder)
    return losses(folder)


def test_two_processes_are_stopped_and_one_goes_on(
    options: list[object], parts: Parts, by_one: list[float], tmp_path: Path
) -> None:
    program, output = tmp_path / "stopping.py", tmp_path / "run"
    program.write_text(STOPPING)
    stopped = by_two(program, "train", *options, output)
    assert stopped.returncode != 0
    assert (output / CHECKPOINT).is_file(), stopped.stderr
    assert not (output / LOG).exists(), "stopped right after the first checkpoint"
    assert not (output / "model").exists()
    train_alone(options, parts, output)
    assert losses(output) == pytest.approx(by_one, abs=1e-4)


class StoppedError(Exception):
    """Stands for Ctrl-C or a power cut."""


def test_one_process_is_stopped_and_two_go_on(
    options: list[object], parts: Parts, by_one: list[float], tmp_path: Path
) -> None:
    def stop(step: Step) -> None:
        if step.epoch == 2:
            raise StoppedError

    output = tmp_path / "run"
    with pytest.raises(StoppedError):
        train_alone(options, parts, output, Watch(step=stop))
    assert len(losses(output)) == 1
    done = by_two("-m", "cardioseg", "train", *options, output, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epochs"] == 3, "one result, of the first process"
    assert losses(output) == pytest.approx(by_one, abs=1e-4)
    record = json.loads((output / "run.json").read_text())
    assert (record["processes"], record["device"]) == (2, "cpu")
    assert (output / "model" / "model.onnx").is_file()


def test_bad_input_is_told_once_and_ends_both_processes(
    options: list[object], tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("mine")
    done = by_two("-m", "cardioseg", "train", *options, tmp_path)
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert told == [f"error: {tmp_path}: is not empty; name another folder"]
