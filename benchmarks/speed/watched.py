"""The program with a watch on its steps: a process that is timed.

`python -m benchmarks.speed.watched FILE.json predict IMAGE ...` does what `cardioseg predict IMAGE
...` does and writes the seconds of each step, without those of steps within it. Before the watch
starts, nothing is imported that the program would have to import.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

IMPORTS, REST = "imports", "the rest of the program"
STEPS = {
    "opening the model": ["cardioseg.workflows.choice:Choice.opened"],
    "reading": ["cardioseg.workflows.work:open_input"],
    "preparation": ["cardioseg.prepare.preparation:Preparation.slices"],
    "network": ["cardioseg.engines.onnx:OnnxEngine.__call__"],
    "restoring, one heart": [
        "cardioseg.prepare.preparation:Preparation.add_scores",
        "cardioseg.prepare.preparation:Preparation.restore_labels",
        "cardioseg.inference.predictor:most_likely",
        "cardioseg.inference.predictor:keep_one_heart",
    ],
    "quality gate": [
        "cardioseg.workflows.judging:evidence_of",
        "cardioseg.workflows.segment:quality_of",
    ],
    "writing": ["cardioseg.workflows.outputs:Kind.write_anew"],
}
"""What is timed, where it is looked up when it is called: MODULE:NAME or MODULE:CLASS.NAME."""


class Watch:
    """Adds up the seconds of steps; what a step within another takes counts for the inner one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._within = [0.0]

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the seconds of a block."""
        began = time.perf_counter()
        self._within.append(0.0)
        try:
            yield
        finally:
            whole = time.perf_counter() - began
            own = whole - self._within.pop()
            self._within[-1] += whole
            self.seconds[name] = self.seconds.get(name, 0.0) + own

    def put_on(self, step: str, place: str) -> None:
        """Count each call of a function."""
        module, _, path = place.partition(":")
        owner: object = importlib.import_module(module)
        *outer, name = path.split(".")
        for each in outer:
            owner = getattr(owner, each)
        setattr(owner, name, self._counted(step, getattr(owner, name)))

    def _counted(self, step: str, function: Callable) -> Callable:
        @wraps(function)
        def counted(*args: object, **named: object) -> object:
            with self.step(step):
                return function(*args, **named)

        return counted


def main() -> None:
    """Run the program, then the file."""
    target = Path(sys.argv.pop(1))
    watch = Watch()
    with watch.step(IMPORTS):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the program does, before numpy
        from cardioseg.cli.app import main as program
        from cardioseg.cli.leaving import leave

        importlib.import_module("onnxruntime")
        for step, places in STEPS.items():
            for place in places:
                watch.put_on(step, place)
    try:
        with watch.step(REST):
            program()
    except SystemExit as ended:
        target.write_text(json.dumps(watch.seconds))
        leave(ended.code)
        raise


if __name__ == "__main__":
    main()
