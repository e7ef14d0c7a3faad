"""A configuration with some values exchanged, each named by its dotted path."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from cardioseg.errors import ConfigError, first_problem
from cardioseg.training.config import TrainConfig

Scalar = bool | int | float | str
Value = Scalar | list[Scalar]
"""What a TOML file can say of a key."""


def overridden(config: TrainConfig, values: Mapping[str, Value]) -> TrainConfig:
    """The configuration with other values, checked anew.

    Parameters
    ----------
    config
        The base; it stays as it is.
    values
        Dotted path of each key, such as `plan.network.dropout`, and its new value.

    Raises
    ------
    ConfigError
        If a key is unknown, or a value is out of range or does not go with the others; it names
        the key.

    Examples
    --------
    >>> from cardioseg.training.config import read_config
    >>> changed = overridden(read_config("tiny"), {"plan.network.dropout": 0.2, "batch_size": 4})
    >>> changed.plan.network.dropout, changed.batch_size
    (0.2, 4)
    """
    document: dict[str, object] = config.model_dump()
    for path, value in values.items():
        *parents, key = path.split(".")
        table = document
        for name in parents:
            inner = table.get(name)
            if not isinstance(inner, dict):
                raise ConfigError(f"{path}: a configuration has no such key")
            table = inner
        if key not in table:
            raise ConfigError(
                f"{path}: a configuration has no such key; here are {', '.join(table)}"
            )
        table[key] = value
    try:
        return TrainConfig.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"with {_told(values)}: {first_problem(error)}") from error


def _told(values: Mapping[str, Value]) -> str:
    return ", ".join(f"{path} = {value}" for path, value in values.items())
