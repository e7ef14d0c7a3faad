"""Repeat a training run from what its folder tells, and say whether the weights are the same."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import ValidationError

from cardioseg.core.labels import scheme_named
from cardioseg.data.looks import Looks, data_digest, labels_digest
from cardioseg.data.splits import read_split
from cardioseg.datasets import Dataset, read_dataset
from cardioseg.errors import ConfigError, DatasetError, first_problem
from cardioseg.training.checkpoint import CHECKPOINT, weights_digest
from cardioseg.training.config import TrainConfig
from cardioseg.training.repeat import largest_difference, machine, use_threads
from cardioseg.workflows.origin import SOURCE, SPLIT
from cardioseg.workflows.provenance import RUN, Json, file_digest, read_run, versions, write_run
from cardioseg.workflows.train import CONFIG, Listener, Start, train

_OWN = ("cardioseg", "python", "numpy", "scipy", "torch")
"""Versions that decide the last bits of the weights."""


@dataclass(frozen=True)
class Reproduction:
    """Whether a run gives the same weights again.

    Parameters
    ----------
    identical
        Whether the best weights are the same, bit for bit.
    same_model
        Whether the model folders have one id: weights, calibration and plan.
    largest_difference
        Largest absolute difference of two weights; infinite where a shape or a name differs.
    weights_sha256, repeated_sha256
        Digests of the run's best weights and of the repeated ones.
    differences
        What differs between then and now, which may be why; one line each.
    duration_s
        Of the repetition.
    """

    identical: bool
    same_model: bool
    largest_difference: float
    weights_sha256: str
    repeated_sha256: str
    differences: tuple[str, ...]
    duration_s: float

    def to_dict(self) -> dict[str, Json]:
        """The result for a program."""
        return {**asdict(self), "differences": list(self.differences)}

    def to_text(self) -> str:
        """The result for a person."""
        if self.identical:
            lines = [f"identical: the same weights, bit for bit (SHA-256 {self.weights_sha256})"]
            lines += ["the model folder differs all the same"] * (not self.same_model)
        else:
            lines = [f"not identical: weights differ by up to {self.largest_difference:.3g}"]
        lines += [f"differs from the run: {words}" for words in self.differences]
        return "\n".join([*lines, f"repeated in {self.duration_s:.0f} s"])


@dataclass(frozen=True)
class Recorded:
    """What a run's folder tells: its record, configuration, split and data."""

    record: dict[str, Json]
    config: TrainConfig
    split: str
    dataset: Dataset


def reproduce(
    run: Path,
    output: Path,
    data: str = "",
    start_from: Path | None = None,
    listener: Listener | None = None,
) -> Reproduction:
    """Train again with a run's configuration, split and data, and compare the weights.

    Parameters
    ----------
    run
        Run directory of a finished `cardioseg train`.
    output
        Folder for the repeated run; new or empty.
    data
        Where the data lies now, `KIND:FOLDER`; empty takes where it lay then.
    start_from
        Where the run began with another run's weights: that run's directory.
    listener
        Who is told how it goes.

    Raises
    ------
    FormatError
        If run.json is missing, damaged or of another format version.
    ConfigError
        If the folder is not a finished training run, or began with weights that are not given.
    DatasetError
        If the data is not there, or not the run's data.
    OutputExistsError
        If `output` is not empty.
    """
    started, listener = time.monotonic(), listener or Listener()
    recorded = read_recorded(run, data)
    start = _start(recorded.record, start_from)
    listener.tell("checking that the data is the run's data")
    _require_same_data(recorded)
    threads = recorded.record.get("threads")
    if isinstance(threads, int):
        use_threads(threads)
    repeated = train(
        recorded.config, recorded.dataset, recorded.split, output, start=start, listener=listener
    )
    digests = weights_digest(run), weights_digest(output)
    result = Reproduction(
        identical=digests[0] == digests[1],
        same_model=recorded.record.get("model_id") == repeated.model.id,
        largest_difference=0.0 if digests[0] == digests[1] else largest_difference(run, output),
        weights_sha256=digests[0],
        repeated_sha256=digests[1],
        differences=_differences(recorded.record),
        duration_s=round(time.monotonic() - started, 3),
    )
    write_run(output, "reproduce", result.to_dict(), started)
    return result


def read_recorded(run: Path, data: str = "") -> Recorded:
    """Read what a run's folder tells; nothing is trained.

    Raises
    ------
    FormatError, ConfigError, DatasetError
        As :func:`reproduce`.
    """
    record = read_run(run / RUN)
    if record.get("command") != "train" or not (run / CHECKPOINT).is_file():
        raise ConfigError(
            f"{run}: not a finished training run: it needs the {RUN} of `train` and {CHECKPOINT}"
        )
    try:
        config = TrainConfig.model_validate_json((run / CONFIG).read_bytes())
    except OSError as error:
        raise ConfigError(f"{run / CONFIG}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"{run / CONFIG}: {first_problem(error)}") from error
    noted, scheme = _source(run)
    if not (data or noted):
        raise DatasetError(
            f"{run / SOURCE}: does not say where the data lies; add --data KIND:FOLDER"
        )
    dataset = read_dataset(data or noted, scheme_named(scheme) if scheme else None)
    return Recorded(record, config, _split(run / SPLIT), dataset)


def _source(run: Path) -> tuple[str, str]:
    """Where the data lay and the scheme it was read in, as `train` noted; empty where it didn't."""
    try:
        noted = json.loads((run / SOURCE).read_text(encoding="utf-8"))
        return str(noted["data"]), str(noted["scheme"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""


def _split(path: Path) -> str:
    """`slices`, or the split file's path, which must hold subjects."""
    try:
        if json.loads(path.read_text(encoding="utf-8")).get("split") == "slices":
            return "slices"
    except (OSError, ValueError, AttributeError):
        pass  # read_split says what is wrong
    read_split(path)
    return str(path)


def _start(record: dict[str, Json], start_from: Path | None) -> Start:
    wanted = record.get("started_from")
    if wanted is None:
        if start_from is not None:
            raise ConfigError(f"{start_from}: the run began with new weights; leave it out")
        return Start()
    if start_from is None:
        raise ConfigError("the run began with another run's weights; name it with --start-from")
    path = start_from / CHECKPOINT
    if not path.is_file() or file_digest(path) != wanted:
        raise ConfigError(f"{start_from}: not the run whose weights this one began with")
    return Start(weights_of=start_from)


def _require_same_data(recorded: Recorded) -> None:
    cases, record, looks = recorded.dataset.labelled_cases, recorded.record, Looks()
    for key, digest, what in (
        ("data_digest", data_digest(looks, cases), "images"),
        # Runs of earlier programs name the images only.
        ("labels_digest", labels_digest(looks, cases), "labels, order or grids"),
    ):
        if key in record and record[key] != digest:
            raise DatasetError(
                f"{recorded.dataset.source}: other {what} than the run was trained on "
                f"({key} in {RUN}); name the same data with --data"
            )


def _differences(record: dict[str, Json]) -> tuple[str, ...]:
    then, now = record.get("versions"), versions()
    told = []
    if isinstance(then, dict):
        told += [
            f"{name} {then[name]} then, {now.get(name, 'none')} now"
            for name in _OWN
            if name in then and then[name] != now.get(name)
        ]
    told += [
        f"{key}: {record[key]} then, {value} now"
        for key, value in machine().items()
        if key in record and record[key] != value
    ]
    if "threads" not in record:
        told.append("the run does not say how many threads it used")
    return tuple(told)
