"""A cohort on Ray Data: workers that hold the model, each with one input at a time."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cardioseg.core.quality import Quality, Reason, Verdict
from cardioseg.errors import ClusterError, ModelError, PlaneWarning, ReadWarning, first_line
from cardioseg.inference.segmenter import Segmenter
from cardioseg.scale.cluster import Connected, Pool, connected
from cardioseg.scale.remote import fetched
from cardioseg.workflows.inputs import Input
from cardioseg.workflows.outcome import Outcome
from cardioseg.workflows.predict import prediction
from cardioseg.workflows.segment import Wanted
from cardioseg.workflows.work import Run, Task, Told, outcome_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRIES = 3
"""An input that ended its worker so many times is reported, and not tried again."""

_TOLD = {kind.__name__: kind for kind in (ReadWarning, PlaneWarning)}

Batch = Mapping[str, "NDArray[Any]"]


class Openable(Protocol):
    """What opens a model where it is needed; see :class:`cardioseg.workflows.choice.Choice`."""

    def opened(self, threads: int | None = None) -> Segmenter:
        """Open it, with so many threads."""
        ...


@dataclass(frozen=True)
class Answer:
    """What a worker sends back of one input; warnings by the name of their class."""

    outcome: Outcome
    warnings: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> str:
        """As text, to be sent."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Answer:
        """What :meth:`to_json` wrote."""
        told = json.loads(text)
        made, judged = told["outcome"], told["outcome"]["quality"]
        if judged:
            reasons = tuple(
                Reason(Verdict(each["verdict"]), each["rule"], each["words"])
                for each in judged["reasons"]
            )
            judged = Quality(Verdict(judged["verdict"]), judged["predicted_dice"], reasons)
        outcome = Outcome(**{**made, "quality": judged, "notes": tuple(made["notes"])})
        return cls(outcome, tuple((kind, line) for kind, line in told["warnings"]))


@dataclass(frozen=True)
class Order:
    """What a worker has to know.

    Parameters
    ----------
    inputs
        All of them: what is sent later is a number.
    choice
        Opens the model.
    wanted
        What is asked of each input.
    output
        Folder for the results.
    place
        Folder that the command was given in: relative paths mean the same there.
    tries
        Folder for a mark of each input that is begun.
    threads
        How many a worker may use.
    """

    inputs: tuple[Input, ...]
    choice: Openable
    wanted: Wanted
    output: Path
    place: Path
    tries: Path
    threads: int


class Worker:
    """A process that has opened the model and is given one input after another."""

    def __init__(self, order: Order) -> None:
        try:
            os.chdir(order.place)
        except OSError as error:
            raise ModelError(
                f"{order.place}: not on this worker's machine; a cluster needs a shared folder"
            ) from error
        self._inputs, self._tries = order.inputs, order.tries
        opened = order.choice.opened(order.threads)
        self._task = prediction(opened, order.output, order.wanted, fetched)

    def __call__(self, batch: Batch) -> dict[str, list[str]]:
        """Segment and write the one input of a batch: its number in, its answer as JSON out."""
        number = int(batch["number"][0])
        each, mark = self._inputs[number], self._tries / str(number)
        if _begun(mark) > TRIES:
            answer = Answer(Outcome(each.name, 0.0, error=_ended(each)))
        else:
            answer = self._answer(each)
        mark.unlink(missing_ok=True)
        return {"answer": [answer.to_json()]}

    def _answer(self, each: Input) -> Answer:
        with warnings.catch_warnings(record=True) as caught:
            for kind in _TOLD.values():
                warnings.simplefilter("always", kind)
            try:
                outcome = outcome_of(each, self._task)
            except Exception as error:  # a fault of the program, told of one input
                words = f"{each.where}: {type(error).__name__}: {first_line(error)}"
                advice = "predict it alone to see more, and report it"
                outcome = Outcome(each.name, 0.0, error=f"{words}; {advice}")
        told = [(each.category.__name__, str(each.message)) for each in caught]
        return Answer(outcome, tuple(each for each in told if each[0] in _TOLD))


def on_ray(choice: Openable, wanted: Wanted, output: Path, pool: Pool) -> Run:
    """Work a prediction off on Ray; give it to :func:`cardioseg.workflows.work.run_task`.

    Workers take an input when they are free, so no more are fetched and held than there are
    workers. One that is killed is started again and repeats its input; no other is touched.

    Parameters
    ----------
    choice
        Opens the model, in each worker.
    wanted
        What is asked of each input.
    output
        Folder for the results; workers on other machines must see it by the same path.
    pool
        How many workers, and where.

    Raises
    ------
    MissingExtraError, ClusterError, ConfigError
        While it runs, as :func:`cardioseg.scale.cluster.connected`, or if Ray fails on the way.
    """

    def run(task: Task, inputs: Sequence[Input], told: Told) -> Iterator[Outcome]:
        if not inputs:
            return
        told("starting Ray")
        with connected(pool) as ray, _tries(ray, output) as tries:
            told(f"{ray.workers} workers")
            order = Order(tuple(inputs), choice, wanted, output, Path.cwd(), tries, ray.threads)
            yield from _answered(order, ray, told)

    return run


def _answered(order: Order, ray: Connected, told: Told) -> Iterator[Outcome]:
    from ray.data import ActorPoolStrategy, DataContext, from_items
    from ray.exceptions import RayError

    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    rows = [{"number": number} for number in range(len(order.inputs))]
    with DataContext.current(context):
        # One input a block: what a killed worker repeats is that one.
        data = from_items(rows, override_num_blocks=len(rows)).map_batches(
            Worker,
            batch_size=1,
            batch_format="numpy",
            compute=ActorPoolStrategy(size=ray.workers, max_tasks_in_flight_per_actor=1),
            fn_constructor_args=(order,),
            num_cpus=ray.threads,
        )
        try:
            for batch in data.iter_batches(batch_size=None, batch_format="numpy"):
                for words in np.atleast_1d(batch["answer"]):
                    answer = Answer.from_json(str(words))
                    for kind, line in answer.warnings:
                        warnings.warn(line, _TOLD[kind], stacklevel=2)
                    yield answer.outcome
                    told(answer.outcome.name)
        except RayError as error:
            raise ClusterError(
                f"Ray: {_cause(error)}; what was finished is whole: go on with --resume"
            ) from error


def _cause(error: BaseException) -> str:
    """What a worker said, without the traceback that Ray puts around it."""
    cause = getattr(error, "cause", None) or error.__cause__
    return first_line(cause if isinstance(cause, BaseException) else error)


def _ended(each: Input) -> str:
    return (
        f"{each.where}: its worker ended {TRIES} times at it (out of memory, or a library that "
        "crashed); take fewer --workers, or predict it alone to see more"
    )


def _begun(mark: Path) -> int:
    """Mark that an input is begun; how many times it was."""
    with mark.open("ab") as stream:
        stream.write(b".")
    return mark.stat().st_size


@contextmanager
def _tries(ray: Connected, output: Path) -> Iterator[Path]:
    """A folder that every worker sees: on a cluster beside the results."""
    where = None if ray.is_local else output.absolute()
    folder = Path(tempfile.mkdtemp(prefix=".cardioseg-tries-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
