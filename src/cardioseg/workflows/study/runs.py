"""One network of a study: trained with a snapshot of each better state, and its states exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load, save

from cardioseg.datasets import Dataset
from cardioseg.evaluation import learning_curves, png_bytes
from cardioseg.io.atomic import make_folder, write_bytes
from cardioseg.model import SUMS
from cardioseg.nets.unet import UNet, count_multiplications, count_parameters
from cardioseg.training.checkpoint import CHECKPOINT, Progress
from cardioseg.training.config import TrainConfig
from cardioseg.training.fit import Watch, fit
from cardioseg.workflows.card import Outcome, model_card
from cardioseg.workflows.export import network_files
from cardioseg.workflows.study.budget import History, read_history
from cardioseg.workflows.study.parts import Parts

if TYPE_CHECKING:
    from torch.nn import Module

CURVES, MODEL = "learning.png", "model"

_SNAPSHOT, _SNAPSHOTS = "best-{:05d}.safetensors", "best-*.safetensors"


@dataclass(frozen=True)
class Cost:
    """What a network costs: numbers that it stores, multiply-accumulates for one prepared slice."""

    parameters: int
    multiplications: int


def cost(config: TrainConfig) -> Cost:
    """The cost of a configuration's network at its slice size."""
    network = UNet(config.plan.network)
    return Cost(count_parameters(network), count_multiplications(network, *config.plan.size))


def train_run(config: TrainConfig, parts: Parts, folder: Path, watch: Watch) -> History:
    """Train, go on training, or read what a finished training left; the record of each epoch.

    Parameters
    ----------
    config
        Seed included.
    parts
        Slices of training and validation.
    folder
        Run folder: log.jsonl, learning.png, and until :func:`tidy` the checkpoint and a snapshot of
        each network that validated better than those before.
    watch
        Told of every step and epoch.
    """
    history: History = read_history(folder)
    if len(history) < config.epochs:
        make_folder(folder)

        def keep(epoch: int, network: Module) -> None:
            tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
            write_bytes(folder / _SNAPSHOT.format(epoch), save(tensors))

        told = replace(watch, improved=keep)
        history = fit(config, parts.training, parts.validation, folder, told)[1].history
    if not (folder / CURVES).is_file():
        curves = learning_curves([dict(record) for record in history])
        write_bytes(folder / CURVES, png_bytes(curves))
    return history


def run_folder(output: Path, arm: str, seed: int) -> Path:
    """Where one network of a study is trained and measured."""
    return output / arm / f"seed-{seed}"


def state_folder(folder: Path, epoch: int) -> Path:
    """Where the model of one epoch and what it was measured to be lie in a run folder."""
    return folder / f"epoch-{epoch:05d}"


def export_state(
    config: TrainConfig, dataset: Dataset, split: str, history: History, folder: Path, epoch: int
) -> Path:
    """The model folder of one epoch's network, made from its snapshot if it isn't there yet."""
    target = state_folder(folder, epoch) / MODEL
    if (target / SUMS).is_file():  # written last: the folder is complete
        return target
    network = UNet(config.plan.network)
    network.load_state_dict(load((folder / _SNAPSHOT.format(epoch)).read_bytes()))
    trained = history[:epoch]
    seconds = sum(record["seconds"] for record in trained)
    progress = Progress(epoch, trained[-1]["dice"], epoch, 0, seconds)
    # Not calibrated: the slides' cross-entropy is that of the network as it was trained.
    card = model_card(config, dataset, split, Outcome(progress, {}, None))
    network_files(network, config.plan, card).write(target)
    return target


def tidy(folders: Sequence[Path]) -> None:
    """Remove checkpoints and snapshots of finished runs; what was exported stays."""
    for folder in folders:
        for path in (folder / CHECKPOINT, *folder.glob(_SNAPSHOTS)):
            path.unlink(missing_ok=True)
