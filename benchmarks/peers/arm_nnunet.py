"""nnU-Net v2, 2-D, on the CPU: plan, train within a budget, predict. Runs in the peers' .venv."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from benchmarks.peers.clock import Clock, poly
from benchmarks.peers.files import append_line, read_json, write_json
from benchmarks.peers.timing import Stopwatch, autocast_bfloat16
from nnunetv2.experiment_planning.plan_and_preprocess_api import (
    extract_fingerprint_dataset,
    plan_experiment_dataset,
    preprocess_dataset,
)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

CONFIGURATION, PLANS = "2d", "nnUNetPlans"
WEIGHTS, PLANS_FILE, DATASET_FILE = "weights.pt", "plans.json", "dataset.json"
LOG_EVERY = 50


class BudgetTrainer(nnUNetTrainer):
    """nnU-Net's trainer, whose polynomial decay ends with a budget of CPU seconds.

    Loss, deep supervision, augmentation, foreground oversampling, SGD and clipping are inherited.
    There is no validation while training: nnU-Net keeps the last weights, and the time is better
    spent on steps.
    """

    reduced = False

    def train_for(self, seconds: float, log: Path) -> Clock:
        """Train until the budget is spent; `weights-K.pt` beside the log after K sixths of it."""
        self.on_train_start()
        self.dataloader_val._finish()
        self.dataloader_val = None
        self.network.train()
        clock, losses, kept = Clock(seconds), [], 0
        while clock.has_time():
            rate = self.initial_lr * poly(clock.share)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            losses.append(float(self.train_step(next(self.dataloader_train))["loss"]))
            if clock.steps % LOG_EVERY == 0:
                record = {"step": clock.steps, "cpu_seconds": clock.spent_s, "learning_rate": rate}
                append_line(log, {**record, "loss": float(np.mean(losses))})
                losses.clear()
            if clock.parts > kept:
                kept += 1
                torch.save(self.network.state_dict(), log.with_name(f"weights-{kept}.pt"))
        clock.stop()
        self.disable_checkpointing = True
        self.on_train_end()
        return clock

    def train_step(self, batch: dict) -> dict:
        """nnU-Net's step; with `reduced`, the network runs in bfloat16 and the loss in float32."""
        if not self.reduced:
            return super().train_step(batch)
        self.optimizer.zero_grad(set_to_none=True)
        with autocast_bfloat16():
            output = self.network(batch["data"])
        loss = self.loss([each.float() for each in output], batch["target"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12)
        self.optimizer.step()
        return {"loss": loss.detach().numpy()}


def plan(options: argparse.Namespace) -> None:
    """Fingerprint, plan and preprocess, as nnUNetv2_plan_and_preprocess does for 2-D."""
    extract_fingerprint_dataset(options.dataset, num_processes=options.threads, clean=True)
    plan_experiment_dataset(options.dataset)
    preprocess_dataset(
        options.dataset, configurations=[CONFIGURATION], num_processes=[options.threads]
    )
    preprocessed = _preprocessed(options.name)
    write_json(preprocessed / "splits_final.json", read_json(options.splits))
    chosen = read_json(preprocessed / f"{PLANS}.json")
    write_json(options.output, {"planned": chosen["configurations"][CONFIGURATION]})


def _preprocessed(name: str) -> Path:
    return Path(os.environ["nnUNet_preprocessed"], name)  # noqa: SIM112


def train(options: argparse.Namespace) -> None:
    """Train one network and write its weights, plans and times."""
    torch.manual_seed(options.seed)
    # The start is seeded; nnU-Net's workers are not, so a run of nnU-Net is not repeatable.
    np.random.seed(options.seed)  # noqa: NPY002
    preprocessed = _preprocessed(options.name)
    plans = read_json(preprocessed / f"{PLANS}.json")
    planned = plans["configurations"][CONFIGURATION]["batch_size"]
    plans["configurations"][CONFIGURATION]["batch_size"] = options.batch
    described = read_json(preprocessed / DATASET_FILE)
    trainer = BudgetTrainer(
        {**plans, "continue_training": False}, CONFIGURATION, 0, described, torch.device("cpu")
    )
    trainer.reduced = options.precision == "bfloat16"
    trainer.initialize()
    folder = options.output.parent
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log.jsonl"
    log.unlink(missing_ok=True)
    started = time.monotonic()
    clock = trainer.train_for(60 * options.minutes, log)
    seconds = time.monotonic() - started
    torch.save(trainer.network.state_dict(), folder / WEIGHTS)
    write_json(folder / PLANS_FILE, plans)
    write_json(folder / DATASET_FILE, described)
    configuration = plans["configurations"][CONFIGURATION]
    facts = {
        "training_cpu_seconds": clock.spent_s,
        "training_seconds": seconds,
        "steps": clock.steps,
        "cpu_seconds_a_step": clock.spent_s / clock.steps,
        "batch_size": options.batch,
        "planned_batch_size": planned,
        "patch": configuration["patch_size"],
        "spacing_mm": configuration["spacing"],
        "precision": options.precision,
        "optimiser": "SGD, Nesterov momentum 0.99, learning rate 0.01, poly 0.9 over the budget",
        "parameters": sum(each.numel() for each in trainer.network.parameters()),
        "torch": torch.__version__,
    }
    write_json(options.output, facts)


def predict(options: argparse.Namespace) -> None:
    """Predict a folder of images in their native grids, and write the seconds."""
    plans = read_json(options.model / PLANS_FILE)
    described = read_json(options.model / DATASET_FILE)
    manager = PlansManager(plans)
    configuration = manager.get_configuration(CONFIGURATION)
    classes = manager.get_label_manager(described).num_segmentation_heads
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        classes,
        allow_init=True,
        deep_supervision=False,
    )
    weights = torch.load(options.model / options.weights, weights_only=True)
    predictor = nnUNetPredictor(
        use_mirroring=options.mirrors, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.manual_initialization(
        network, manager, configuration, [weights], described, "BudgetTrainer", (0, 1)
    )
    images = sorted(options.images.glob("*_0000.nii.gz"))
    folder = options.output.parent / "labels"
    folder.mkdir(parents=True, exist_ok=True)
    targets = [str(folder / image.name.removesuffix("_0000.nii.gz")) for image in images]
    watch, started = Stopwatch(network), time.perf_counter()
    predictor.predict_from_files_sequential([[str(image)] for image in images], targets)
    seconds = time.perf_counter() - started
    facts = {
        "volumes": len(images),
        "seconds_a_volume": seconds / len(images),
        "network_seconds_a_volume": watch.seconds / len(images),
        "mirrors": options.mirrors,
    }
    write_json(options.output, facts)


def main() -> None:
    """One stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=["plan", "train", "predict"])
    parser.add_argument("--output", type=Path, required=True, help="JSON that tells it is done")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dataset", type=int, help="nnU-Net's number of the data set")
    parser.add_argument("--name", help="nnU-Net's name of the data set")
    parser.add_argument("--splits", type=Path, help="splits_final.json")
    parser.add_argument("--minutes", type=float, help="of CPU time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--weights", default=WEIGHTS, help="weights-K.pt: earlier ones")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--mirrors", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    {"plan": plan, "train": train, "predict": predict}[options.stage](options)


if __name__ == "__main__":
    main()
