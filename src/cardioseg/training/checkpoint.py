"""A training run's state as one safetensors file: whole or absent, never half-written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from cardioseg.errors import ConfigError, first_line, version_problem
from cardioseg.io.atomic import write_bytes
from cardioseg.nets.unet import UNet
from cardioseg.training.config import TrainConfig

CHECKPOINT = "checkpoint.safetensors"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Progress:
    """What a run has done so far.

    Parameters
    ----------
    epoch
        Epochs finished.
    best_dice, best_epoch
        Highest validation Dice and the epoch that reached it.
    stale
        Validations since then.
    seconds
        Time spent training and validating, over all sittings.
    history
        One record an epoch, as in log.jsonl.
    """

    epoch: int = 0
    best_dice: float = -1.0
    best_epoch: int = 0
    stale: int = 0
    seconds: float = 0.0
    history: tuple[dict[str, float], ...] = field(default=())


@dataclass(frozen=True, eq=False)
class Learner:
    """The tensors of a run: the network, its moving average, the best weights, the optimiser."""

    network: UNet
    average: nn.Module
    best: nn.Module
    optimiser: torch.optim.Optimizer

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor under a unique name."""
        named = {}
        for part in ("network", "average", "best"):
            for name, value in getattr(self, part).state_dict().items():
                named[f"{part}.{name}"] = value.contiguous()
        for index, state in self.optimiser.state_dict()["state"].items():
            for name, value in state.items():
                named[f"optimiser.{index}.{name}"] = value.contiguous()
        return named

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take over the tensors that :meth:`tensors` gave."""
        for part in ("network", "average", "best"):
            own = {n.removeprefix(f"{part}."): t for n, t in tensors.items() if n.startswith(part)}
            getattr(self, part).load_state_dict(own)
        state = self.optimiser.state_dict()
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        state["state"] = {}
        for name, value in tensors.items():
            if name.startswith("optimiser."):
                _, index, key = name.split(".")
                like = parameters[int(index)]
                kept = torch.empty_like(like).copy_(value) if value.dim() else value.clone()
                state["state"].setdefault(int(index), {})[key] = kept
        self.optimiser.load_state_dict(state)


def save_checkpoint(folder: Path, learner: Learner, progress: Progress, config: str) -> None:
    """Write the state of a run atomically; `config` is kept to refuse another one on resuming."""
    metadata = {
        "format_version": str(FORMAT_VERSION),
        "progress": json.dumps(asdict(progress)),
        "config": config,
    }
    write_bytes(folder / CHECKPOINT, save(learner.tensors(), metadata))


def best_weights(folder: Path) -> dict[str, Tensor]:
    """The best weights of a run, to start another one with.

    Raises
    ------
    ConfigError
        If the folder holds no run, or its checkpoint is damaged.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        raise ConfigError(f"{folder}: no {CHECKPOINT}; name the directory of a training run")
    _, tensors = _read(path)
    return {n.removeprefix("best."): t for n, t in tensors.items() if n.startswith("best.")}


def weights_digest(folder: Path) -> str:
    """SHA-256 of a run's best weights: names, types, shapes and bytes, in the order of the names.

    Raises
    ------
    ConfigError
        As :func:`best_weights`.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(best_weights(folder).items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def load_checkpoint(folder: Path, learner: Learner, config: str) -> Progress:
    """Read the state of a run into `learner`.

    Raises
    ------
    ConfigError
        If the file is damaged or belongs to another configuration.
    """
    path = folder / CHECKPOINT
    metadata, tensors = _read(path)
    if not {"config", "progress"} <= metadata.keys():
        raise ConfigError(f"{path}: not a checkpoint of a run; start anew in another folder")
    if not _is_same(metadata["config"], config):
        raise ConfigError(
            f"{path}: was written with another configuration; resume with the one in "
            f"{folder / 'config.json'} or start anew in another folder"
        )
    try:
        progress = json.loads(metadata["progress"])
        told = Progress(**{**progress, "history": tuple(progress["history"])})
        TypeAdapter(Progress).validate_python(asdict(told))
        learner.load(tensors)
    # What torch and the JSON raise on names, shapes and values that are not this run's.
    except (RuntimeError, ValueError, TypeError, LookupError) as error:
        raise ConfigError(
            f"{path}: does not hold the state of this run ({first_line(error)}); start anew in "
            "another folder"
        ) from error
    return told


def recorded_config(folder: Path) -> TrainConfig | None:
    """The configuration in a run's checkpoint; None where there is none that can be read."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as stored:
            return TrainConfig.model_validate_json((stored.metadata() or {}).get("config", ""))
    except (SafetensorError, ValidationError):
        return None  # load_checkpoint says what is wrong


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as stored:
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            metadata = stored.metadata() or {}
    except SafetensorError as error:
        raise ConfigError(f"{path}: damaged ({error}); start anew in another folder") from error
    # The first checkpoints named no version.
    version = metadata.get("format_version", str(FORMAT_VERSION))
    if version != str(FORMAT_VERSION):
        found = int(version) if version.isdecimal() else version
        raise ConfigError(f"{path}: {version_problem(found, FORMAT_VERSION)}")
    return metadata, tensors


def _is_same(stored: str, config: str) -> bool:
    """Whether two configurations are one; a key that the older lacks has its default there."""
    try:
        first, second = (TrainConfig.model_validate_json(text) for text in (stored, config))
    except ValidationError:
        return False
    return first == second
