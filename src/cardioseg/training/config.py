"""Everything that decides a training run, as one TOML file; presets come with the package."""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from cardioseg.data.augment import Augmentation
from cardioseg.errors import ConfigError, first_problem
from cardioseg.nets.loss import Loss
from cardioseg.prepare.plan import FrozenModel, Plan, Side
from cardioseg.training.native import is_taken

PRESETS = ("paper", "fast", "sax", "tiny", "whole-heart")


class TrainConfig(FrozenModel):
    """One training run.

    Parameters
    ----------
    plan
        Preparation and network.
    patch
        Rows and columns of a training image; none trains on whole prepared slices. A network
        trained on patches predicts whole slices, or parts of them that are no smaller than a patch:
        the exported plan's `smallest_window`.
    patch_jitter
        How far a patch's middle may lie from the heart's, as a share of the patch's side.
    patch_anywhere
        Share of the patches whose middle lies anywhere in the slice, so that the network also
        learns what is not a heart.
    slice_step
        Train on every n-th prepared slice of each plane: neighbours in a near-isotropic volume are
        much alike. Validation takes all, but with a split by slices, which thins both parts.
    augmentation
        Ranges of the augmentation.
    loss
        Terms of the loss and their weights.
    optimiser
        `adam` or `adamw`.
    learning_rate
        Peak learning rate.
    weight_decay
        Decoupled decay; only with `adamw`.
    schedule
        `constant`; `cosine`: down to zero over all epochs; `one_cycle`: a linear rise over the
        first tenth, then cosine.
    batch_size
        Images a step, of all processes together.
    accumulate
        Micro-batches that a step's images are cut into, one after another, to save memory. The step
        takes the mean of their gradients, each weighed by its images. Not the same as a step
        without it: batch norm and the terms of the loss that are no mean over pixels, such as Dice,
        are those of a micro-batch. The same, however many processes share each micro-batch.
    epochs
        Passes over the training slices.
    average_decay
        Decay of the exponential moving average of the weights that is validated and kept; 0 keeps
        the last weights.
    patience
        Stop after so many validations without a better Dice; 0 never stops early.
    validate_every
        Epochs from one validation to the next; the last epoch is always validated.
    precision
        `float32`, or `bfloat16` for the convolutions of a training step: faster on GPUs and on
        processors that have it (avx512_bf16, amx_bf16), far slower on others. `auto` takes it where
        it is faster, and the run records which. Weights stay float32.
    kernels
        `torch`, or `native` for a CPU's training step: batch norm, ReLU, dropout, pooling and
        depthwise convolution by kernels that a C++ compiler makes once on this machine, for
        networks whose widths are multiples of 8; equal to PyTorch's to rounding. `auto` takes them
        where they can be had, and the run records which. GPUs and several processes train by
        PyTorch's.
    seed
        Seed of initialisation, order, augmentation and dropout.
    """

    plan: Plan
    patch: tuple[Side, Side] | None = None
    patch_jitter: Annotated[float, Field(ge=0, le=1)] = 0.25
    patch_anywhere: Annotated[float, Field(ge=0, le=1)] = 0.0
    slice_step: Annotated[int, Field(ge=1, le=1000)] = 1
    augmentation: Augmentation = Augmentation()
    loss: Loss = Loss()
    optimiser: Literal["adam", "adamw"] = "adam"
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 8
    accumulate: Annotated[int, Field(ge=1, le=4096)] = 1
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 50
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    patience: Annotated[int, Field(ge=0)] = 0
    validate_every: Annotated[int, Field(ge=1)] = 1
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    kernels: Literal["auto", "torch", "native"] = "torch"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _is_consistent(self) -> TrainConfig:
        stride = self.plan.network.stride
        if self.patch and any(side % stride for side in self.patch):
            raise ValueError(f"patch {self.patch} must be multiples of {stride} for this network")
        if set(self.patch or self.plan.size) == {stride}:
            # The deepest level would have one pixel, and batch norm no variance in a last batch of
            # one slice.
            raise ValueError(f"slices of {stride} x {stride} are too small for this network")
        if self.plan.network.input_channels != 1:
            raise ValueError("plan.network.input_channels must be 1: prepared slices have one")
        if self.plan.smallest_window is not None:
            raise ValueError("plan.smallest_window follows from patch; leave it out")
        if self.weight_decay and self.optimiser != "adamw":
            raise ValueError("weight_decay needs optimiser = 'adamw'")
        if self.accumulate > self.batch_size:
            raise ValueError(
                f"accumulate {self.accumulate} is more than batch_size {self.batch_size}: "
                "a micro-batch needs an image"
            )
        if self.kernels == "native" and not is_taken(self.plan.network):
            raise ValueError("kernels = 'native' needs plan.network.widths in multiples of 8")
        weights, classes = self.loss.class_weights, self.plan.network.classes
        if weights is not None and len(weights) != classes:
            raise ValueError(
                f"loss.class_weights has {len(weights)} weights, the network {classes} classes"
            )
        return self


def read_config(source: str | Path) -> TrainConfig:
    """Read a preset by name, a TOML file by path, or the config.json of a run.

    Raises
    ------
    ConfigError
        If there is no such preset or file, it is broken, or a key is unknown or out of range.

    Examples
    --------
    >>> read_config("paper").plan.size
    (256, 256)
    """
    try:
        if str(source) in PRESETS:
            text = resources.files("cardioseg.training").joinpath(f"{source}.toml").read_text()
        else:
            text = Path(source).read_text(encoding="utf-8")
        if Path(source).suffix == ".json":
            return TrainConfig.model_validate_json(text)
        return TrainConfig.model_validate(tomllib.loads(text))
    except OSError as error:
        presets = ", ".join(PRESETS)
        raise ConfigError(f"{source}: no such preset ({presets}) or readable file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{source}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{source}: {first_problem(error)}") from error


def recorded_in(path: Path) -> TrainConfig | None:
    """The configuration of a run or of folds in their JSON file; None where it can't be read."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return TrainConfig.model_validate(told.get("config", told))
    except (OSError, ValueError, AttributeError):
        return None
