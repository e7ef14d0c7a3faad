"""cardioseg within the same budget: as many epochs as fit, then predictions with their seconds."""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from dataclasses import replace
from pathlib import Path

import torch
from benchmarks.peers.files import read_json, write_json
from benchmarks.speed.timed_engine import TimedEngine

from cardioseg.data.splits import read_split
from cardioseg.datasets import read_dataset
from cardioseg.errors import ConfigError
from cardioseg.inference.predictor import load_model
from cardioseg.training.config import TrainConfig, read_config
from cardioseg.training.fit import LOG
from cardioseg.workflows.inputs import gather_images, of_part
from cardioseg.workflows.origin import SPLIT
from cardioseg.workflows.predict import predict_files
from cardioseg.workflows.provenance import RUN
from cardioseg.workflows.train import CONFIG, MODEL, Start
from cardioseg.workflows.train import train as run_training

RESERVE = 0.05
"""Share of the budget that is left unplanned: an epoch's CPU seconds vary."""


def epochs_within(budget_s: float, epoch_s: float, validation_s: float, every: int) -> int:
    """The most epochs, at least 1, whose time with validations fits in the budget's plan.

    Examples
    --------
    >>> epochs_within(1000, 10, 20, every=10)
    79
    """
    usable = (1 - RESERVE) * budget_s
    count = max(int(usable / (epoch_s + validation_s / every)), 1)
    while count > 1 and count * epoch_s + math.ceil(count / every) * validation_s > usable:
        count -= 1
    return count


def train(options: argparse.Namespace) -> None:
    """Train within the budget, or take the facts of a run that is there."""
    if options.run:
        run = options.run
        _require_same_split(run / SPLIT, options.split)
    else:
        run = options.output.parent / "run"
        _train_within(options, run)
    facts = read_json(run / RUN)
    config = facts["config"]
    told = {
        "training_cpu_seconds": sum(each["cpu_seconds"] for each in _log(run)),
        "training_seconds": facts["seconds"],
        "epochs": facts["epochs"],
        "batch_size": config["batch_size"],
        "patch": config["patch"] or config["plan"]["size"],
        "spacing_mm": config["plan"]["spacing_mm"],
        "precision": config.get("precision", "float32"),
        "optimiser": f"{config['optimiser']}, {config['learning_rate']}, {config['schedule']}",
        "parameters": _parameters(run),
        "model": str(run.resolve() / MODEL),
        "model_id": facts["model_id"],
        "torch": facts["versions"]["torch"],
        "from_existing_run": bool(options.run),
    }
    write_json(options.output, told)


def _train_within(options: argparse.Namespace, run: Path) -> None:
    dataset = read_dataset(f"acdc:{options.acdc}")
    split = str(options.split)
    chosen = run.with_name("config.json")
    if not chosen.is_file():
        config = read_config(options.preset).model_copy(update={"seed": options.seed})
        trial = run.with_name("calibration")
        shutil.rmtree(trial, ignore_errors=True)
        short = config.model_copy(update={"epochs": 2, "validate_every": 2, "patience": 0})
        run_training(short, dataset, split, trial)
        first, second = (each["cpu_seconds"] for each in _log(trial))
        shutil.rmtree(trial)
        epochs = epochs_within(
            60 * options.minutes, first, max(second - first, 0.0), config.validate_every
        )
        write_json(chosen, config.model_copy(update={"epochs": epochs}).model_dump(mode="json"))
    config = TrainConfig.model_validate_json(chosen.read_text())
    run_training(config, dataset, split, run, start=Start(resume=(run / CONFIG).exists()))


def _log(run: Path) -> list[dict]:
    """What the training said of each epoch; validation counts to its epoch."""
    return [json.loads(line) for line in (run / LOG).read_text().splitlines()]


def _require_same_split(own: Path, wanted: Path) -> None:
    first, second = read_split(own), read_split(wanted)
    if {*first.training} != {*second.training} or {*first.validation} != {*second.validation}:
        raise ConfigError(f"{own}: this run was trained on another split than {wanted}")


def _parameters(run: Path) -> int:
    from cardioseg.nets.unet import UNet
    from cardioseg.prepare.plan import Plan

    path = run / MODEL / "plan.json"
    network = UNet(Plan.from_json(path.read_bytes(), path).network)
    return sum(each.numel() for each in network.parameters())


def predict(options: argparse.Namespace) -> None:
    """Predict the validation subjects, and write the seconds."""
    model = read_json(options.model / "train.json")["model"]
    predictor = load_model(model)
    engine = TimedEngine(predictor.engine)
    timed = replace(
        predictor,
        engine=engine,
        mirrors=options.mirrors,
        largest_component=False if options.all_components else None,
    )
    inputs = of_part(gather_images([options.acdc]), options.split, "validation")
    started = time.perf_counter()
    predict_files(timed, inputs, options.output.parent / "labels", force=True)
    seconds = time.perf_counter() - started
    facts = {
        "volumes": len(inputs),
        "seconds_a_volume": seconds / len(inputs),
        "network_seconds_a_volume": engine.seconds / len(inputs),
        "mirrors": options.mirrors,
        "largest_component": timed.keeps_largest,
        "engine": engine.name,
    }
    write_json(options.output, facts)


def main() -> None:
    """One stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=["train", "predict"])
    parser.add_argument("--output", type=Path, required=True, help="JSON that tells it is done")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--acdc", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--minutes", type=float, help="of CPU time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", type=Path, help="an existing run directory, instead of training")
    parser.add_argument("--model", type=Path, help="folder with train.json")
    parser.add_argument("--mirrors", action="store_true")
    parser.add_argument("--all-components", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    {"train": train, "predict": predict}[options.stage](options)


if __name__ == "__main__":
    main()
