"""A search space: which keys of a configuration vary, and over what; one TOML file."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from cardioseg.errors import ConfigError, first_problem
from cardioseg.prepare.plan import FrozenModel
from cardioseg.training.config import TrainConfig
from cardioseg.training.override import Scalar, Value, overridden

Bound = Annotated[float, Field(allow_inf_nan=False)]


class Range(FrozenModel):
    """Numbers from `low` to `high`, both included.

    Parameters
    ----------
    low, high
        The ends. Two whole numbers, without `step` or with a whole one, make whole numbers.
    step
        Distance of neighbours; `high` is a whole number of steps above `low`. Not with `log`.
    log
        Each factor is as likely as another, not each difference; `low` must be above 0.
    """

    low: int | Bound
    high: int | Bound
    step: Annotated[int | float, Field(gt=0)] | None = None
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must lie below high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError("log needs low above 0")
        if self.log and self.step is not None:
            raise ValueError("log and step exclude each other")
        steps = (self.high - self.low) / (self.step or 1)
        if self.step is not None and not math.isclose(steps, round(steps), abs_tol=1e-9):
            raise ValueError(f"high {self.high} is not a whole number of steps above {self.low}")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return all(isinstance(each, int) for each in (self.low, self.high, self.step or 1))

    @property
    def probes(self) -> tuple[Value, ...]:
        """The values that stand for all when the space is checked."""
        return self.low, self.high


class Choices(FrozenModel):
    """One of some values, which have no order.

    Parameters
    ----------
    choices
        At least one; numbers, words, or lists such as widths.
    """

    choices: Annotated[tuple[Value, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _differ(self) -> Choices:
        if len(self.labelled) < len(self.choices):
            raise ValueError("a choice is named twice")
        return self

    @property
    def labelled(self) -> dict[Scalar, Value]:
        """Each choice by what stands for it in a study: itself, or a list as JSON text."""
        return {
            json.dumps(choice) if isinstance(choice, list) else choice: choice
            for choice in self.choices
        }

    @property
    def probes(self) -> tuple[Value, ...]:
        """The values that stand for all when the space is checked."""
        return self.choices


@dataclass(frozen=True)
class Space:
    """What is searched.

    Parameters
    ----------
    parameters
        Dotted path of a configuration's key, such as `plan.network.dropout`, and its values.
    source
        Where the space is from, for messages.
    """

    parameters: Mapping[str, Range | Choices]
    source: str = "search space"

    def check(self, config: TrainConfig) -> None:
        """Try each end and each choice alone on the configuration.

        Raises
        ------
        ConfigError
            If a key is unknown or a value is refused; it names the source and the key.
        """
        for path, parameter in self.parameters.items():
            for value in parameter.probes:
                try:
                    overridden(config, {path: value})
                except ConfigError as error:
                    raise ConfigError(f"{self.source}: {error}") from error

    def to_json(self) -> str:
        """The space as JSON, equal for equal spaces."""
        return json.dumps(
            {path: each.model_dump(mode="json") for path, each in self.parameters.items()},
            sort_keys=True,
        )


def read_space(path: Path | None = None) -> Space:
    """Read a space from a TOML file; without one, the space that comes with the package.

    Raises
    ------
    ConfigError
        If the file cannot be read, or says of a key neither `low` and `high` nor `choices`.

    Examples
    --------
    >>> list(read_space().parameters)
    ['learning_rate', 'batch_size', 'plan.network.dropout']
    """
    source = path or resources.files("cardioseg.training").joinpath("space.toml")
    try:
        leaves = dict(_leaves(tomllib.loads(source.read_text(encoding="utf-8")), ""))
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{source}: not valid TOML: {error}") from error
    parameters: dict[str, Range | Choices] = {}
    for name, table in leaves.items():
        kind = Choices if isinstance(table, dict) and "choices" in table else Range
        try:
            parameters[name] = kind.model_validate(table)
        except ValidationError as error:
            raise ConfigError(f"{source}: {name}: {first_problem(error)}") from error
    if not parameters:
        raise ConfigError(f"{source}: names no key to search")
    return Space(parameters, str(path or "the package's space"))


def _leaves(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    """Dotted path and content of each table that holds no table."""
    for name, inner in table.items():
        path = f"{prefix}{name}"
        if isinstance(inner, dict) and any(isinstance(each, dict) for each in inner.values()):
            yield from _leaves(inner, f"{path}.")
        else:
            yield path, inner
