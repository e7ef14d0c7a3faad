"""A process that holds one contender and runs it once for each line that it is sent.

`python -m benchmarks.speed.worker FAMILY CONTENDER TASK NETWORK BATCH SIDE`: it answers `ready`,
then a line of seconds a run. FAMILY says whose environment it is: ours, keras, peers.
"""

from __future__ import annotations

import importlib
import sys
import time

MODULES = {
    "ours": "benchmarks.speed.networks",
    "keras": "benchmarks.speed.keras_networks",
    "peers": "benchmarks.speed.peer_networks",
}


def main() -> None:
    family, contender, task, network, batch, side = sys.argv[1:]
    module = importlib.import_module(MODULES[family])
    work = getattr(module, task)(contender, network, int(batch), int(side))
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        work()
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
