"""Two inputs at a time: one is read, prepared, judged or written while a network runs."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import islice
from threading import Event, Lock

from cardioseg.engines.engine import half_of_cores
from cardioseg.workflows.choice import Choice
from cardioseg.workflows.inputs import Input
from cardioseg.workflows.outcome import Outcome
from cardioseg.workflows.work import Task, Told, steps_of

PLACES = 2
"""So many are worked on at a time: memory grows with it."""

_Made = tuple[Outcome | None, Generator[Outcome | None]]


def threads_for_two(choice: Choice, inputs: Sequence[Input]) -> int | None:
    """Threads for each of two inputs at a time; None if they are better taken one by one.

    So are DICOM inputs. While one is read, warnings are kept back in the whole process; and a
    series is mostly a cine, whose frames are taken two at a time.

    Raises
    ------
    ModelError
        If the choice names no engine.
    """
    if not choice.is_shared or len(inputs) < PLACES or any(each.is_dicom for each in inputs):
        return None
    return half_of_cores()


def two_at_a_time(task: Task, inputs: Sequence[Input], told: Told) -> Iterator[Outcome]:
    """Work a task off in this process, as :func:`cardioseg.workflows.work.one_by_one` does.

    Threads read and make; who asks for the outcomes writes, so that nothing is written of which
    nobody knows. Of large volumes one is worked on at a time.
    """
    large, telling, stopped = Lock(), Lock(), Event()

    def work(each: Input) -> _Made:
        def tell(words: str) -> None:
            if stopped.is_set():
                raise _StoppedError
            with telling:
                told(each.name + words)

        tell("")
        steps = steps_of(each, task, tell, large)
        return next(steps), steps

    pool, todo = ThreadPoolExecutor(PLACES), iter(inputs)
    under_way = {pool.submit(work, each) for each in islice(todo, PLACES)}
    try:
        while under_way:
            done = next(iter(wait(under_way, return_when=FIRST_COMPLETED).done))
            under_way.remove(done)
            under_way |= {pool.submit(work, each) for each in islice(todo, 1)}
            outcome, steps = done.result()
            yield outcome or next(each for each in steps if each)
    finally:
        # After Ctrl-C: what is under way ends with its frame.
        stopped.set()
        pool.shutdown(cancel_futures=True)
        for left in under_way:
            if not left.cancelled() and left.exception() is None:
                left.result()[1].close()


class _StoppedError(Exception):
    """Ends what is under way; nobody is told."""
