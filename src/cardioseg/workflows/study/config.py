"""A study as one TOML file: arms that share everything but what it names, and who is measured."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import Field, JsonValue, PrivateAttr, ValidationError, model_validator

from cardioseg.core.labels import scheme_named
from cardioseg.errors import ConfigError, LabelError, first_problem
from cardioseg.prepare.plan import FrozenModel
from cardioseg.training.config import PRESETS, TrainConfig, read_config

SHIPPED = ("slides-acdc", "slides-acdc-128", "split-inflation", "losses", "hvsmr-paper")
"""Studies that come with the package, as `cardioseg compare NAME` takes them."""

Overrides = dict[str, JsonValue]
"""Keys of `TrainConfig`, nested as in its TOML."""

_SHARES = re.compile(r"(subjects|slices):(\d+)/(\d+)/(\d+)")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Data(FrozenModel):
    """Who trains, who chooses the epoch, and who is measured.

    Parameters
    ----------
    training, validation, test
        Subject ids of each part; left out where `split` is given.
    split
        `subjects:7/2/1` or `slices:1535/389/212` divides subjects or single slices at random in
        that proportion (slices leak: neighbours are in two parts); else a JSON file of subjects,
        relative to the study's.
    among
        The subjects that `split` divides; all without it.
    unseen
        Subjects that are in no part and are measured besides `test`; contrasts between arms are
        then drawn on them.
    seed
        Of the division.
    """

    training: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    split: str = ""
    among: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Data:
        named = (self.training, self.validation, self.test)
        if self.split and any(named):
            raise ValueError("name either a split or the subjects of training, validation and test")
        if not self.split and not all(named):
            raise ValueError("name the subjects of training, validation and test, or a split")
        if self.shares and not all(self.shares[1]):
            raise ValueError(f"split {self.split!r}: no part may be empty")
        if self.among and not self.shares:
            raise ValueError("'among' goes with a split by subjects or slices")
        return self

    @property
    def shares(self) -> tuple[str, tuple[int, int, int]] | None:
        """What is divided, `subjects` or `slices`, and in which proportion; None for other kinds.

        Examples
        --------
        >>> Data(split="subjects:7/2/1").shares
        ('subjects', (7, 2, 1))
        """
        match = _SHARES.fullmatch(self.split)
        return (match[1], (int(match[2]), int(match[3]), int(match[4]))) if match else None

    @property
    def by_slices(self) -> bool:
        """Whether slices of one patient are in several parts."""
        return bool(self.shares) and self.split.startswith("slices")


class Arm(FrozenModel):
    """What sets one arm apart.

    Parameters
    ----------
    title
        As tables print it; without it the arm's name.
    config
        Overrides of the study's configuration.
    data
        Its own data; without it the study's.
    """

    title: str = ""
    config: Annotated[Overrides, Field(default_factory=dict)]
    data: Data | None = None


class Study(FrozenModel):
    """A comparison of networks that are trained and measured in the same way.

    Parameters
    ----------
    name
        Of the study.
    question
        What it asks, one sentence for the report.
    scope
        What its answer holds for, one or two sentences for the report.
    dataset
        Kind of data set that it is meant for, such as `acdc`; empty for any.
    scheme
        Label scheme that networks answer in.
    base
        Preset or TOML file, relative to the study's, that all arms share.
    seeds
        Every arm is trained once for each.
    margin
        Dice by which the candidate may be lower and still match.
    config
        Overrides of `base` for all arms.
    data
        Who trains, chooses and is measured.
    arms
        By name.
    contrasts
        Pairs (candidate, baseline) of arms; without them every later arm against the first.
    """

    name: str
    question: str = ""
    scope: str = ""
    dataset: str = ""
    scheme: str
    base: str
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(min_length=1)]
    margin: Annotated[float, Field(ge=0, le=1)] = 0.01
    config: Annotated[Overrides, Field(default_factory=dict)]
    data: Data
    arms: Annotated[dict[str, Arm], Field(min_length=1)]
    contrasts: tuple[tuple[str, str], ...] = ()
    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _is_consistent(self) -> Study:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("a seed is named twice")
        odd = [name for name in self.arms if not _NAME.fullmatch(name)]
        if odd:
            raise ValueError(
                f"arm {odd[0]!r}: a name has a-z, 0-9, _ and - only: it names a folder"
            )
        for pair in self.contrasts:
            unknown = set(pair) - self.arms.keys()
            if unknown or pair[0] == pair[1]:
                raise ValueError(
                    f"contrast {pair} does not name two arms of {', '.join(self.arms)}"
                )
        return self

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The contrasts, (candidate, baseline)."""
        first, *others = self.arms
        return self.contrasts or tuple((other, first) for other in others)

    def found_in(self, folder: Path) -> Study:
        """The study with its split files looked for in a folder, which its record does not name."""
        found = self.model_copy()
        found._folder = folder
        return found

    def data_of(self, arm: str) -> Data:
        """The data of an arm, its own or the study's; a split file with its folder."""
        data = self.arms[arm].data or self.data
        if data.shares or not data.split:
            return data
        return data.model_copy(update={"split": str(self._folder / data.split)})

    def title_of(self, arm: str) -> str:
        """The arm's title, or its name."""
        return self.arms[arm].title or arm


def read_study(source: str | Path) -> tuple[Study, dict[str, TrainConfig]]:
    """Read a shipped study by name or a TOML file by path, and the configuration of each arm.

    The scheme and its number of classes are the study's; the seed is set for each run.

    Raises
    ------
    ConfigError
        If there is no such study or file, the TOML is broken, a key is unknown or out of range, or
        an arm's configuration cannot be used.

    Examples
    --------
    >>> study, configs = read_study("slides-acdc")
    >>> len(study.data.training), configs["unet_1"].plan.network.convolution
    (20, 'conventional')
    """
    try:
        if str(source) in SHIPPED:
            home = resources.files("cardioseg.workflows.study")
            text = home.joinpath(f"{source}.toml").read_text(encoding="utf-8")
        else:
            text = Path(source).read_text(encoding="utf-8")
        study = Study.model_validate(tomllib.loads(text)).found_in(Path(source).parent)
        return study, {arm: _arm_config(study, arm, source) for arm in study.arms}
    except OSError as error:
        names = ", ".join(SHIPPED)
        raise ConfigError(f"{source}: no such study ({names}) or readable file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{source}: not valid TOML: {error}") from error
    except LabelError as error:
        raise ConfigError(f"{source}: scheme: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{source}: {first_problem(error)}") from error


def _arm_config(study: Study, arm: str, source: str | Path) -> TrainConfig:
    base = study.base if study.base in PRESETS else Path(source).parent / study.base
    shared: Overrides = read_config(base).model_dump(mode="json")
    classes = scheme_named(study.scheme).class_count
    scheme: Overrides = {"plan": {"scheme": study.scheme, "network": {"classes": classes}}}
    for changes in (scheme, study.config, study.arms[arm].config):
        shared = merged(shared, changes)
    try:
        config = TrainConfig.model_validate(shared)
    except ValidationError as error:
        raise ConfigError(f"{source}: arm {arm}: {first_problem(error)}") from error
    if config.patience:
        raise ConfigError(
            f"{source}: arm {arm}: stops early (patience {config.patience}), but a study compares "
            "equal epochs: set config.patience = 0"
        )
    return config


def merged(base: Mapping[str, JsonValue], changes: Mapping[str, JsonValue]) -> Overrides:
    """`base` with `changes`; tables are merged key by key, anything else is replaced.

    Examples
    --------
    >>> merged({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 4}})
    {'a': 1, 'b': {'c': 4, 'd': 3}}
    """
    answer = dict(base)
    for key, value in changes.items():
        old = answer.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        answer[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return answer
