"""Seconds of a training step of the peers' networks, by batch and precision: why run.py's defaults.

Runs in the peers' .venv, after the stage that plans:
`benchmarks/peers/.venv/bin/python -m benchmarks.peers.speed --plan OUTPUT/data/plan.json`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import torch
from benchmarks.peers.arm_monai import CLASSES, SIDE
from benchmarks.peers.arm_monai import network as basic_unet
from benchmarks.peers.files import read_json
from benchmarks.peers.timing import autocast_bfloat16
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from torch import Tensor, nn

STEPS = 5


def seconds_a_step(network: nn.Module, shape: Sequence[int], reduced: bool) -> float:
    """Median seconds of forward, cross-entropy of all outputs, backward and update."""
    optimiser = torch.optim.SGD(network.parameters(), 0.01, momentum=0.99, nesterov=True)
    images = torch.randn(*shape)
    found = []
    for _ in range(STEPS + 1):
        started = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        with autocast_bfloat16() if reduced else nullcontext():
            answer = network(images)
        outputs: Sequence[Tensor] = [answer] if isinstance(answer, Tensor) else answer
        loss = sum(
            nn.functional.cross_entropy(
                each.float(), torch.zeros(each.shape[0], *each.shape[2:], dtype=torch.long)
            )
            for each in outputs
        )
        loss.backward()
        optimiser.step()
        found.append(time.perf_counter() - started)
    return median(found[1:])


def main() -> None:
    """One line of JSON for each network, batch and precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="OUTPUT/data/plan.json")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[2, 4, 8, 16])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    planned = read_json(options.plan)["planned"]
    kind = planned["architecture"]

    def nnunet() -> nn.Module:
        return get_network_from_plans(
            kind["network_class_name"],
            kind["arch_kwargs"],
            kind["_kw_requires_import"],
            1,
            CLASSES,
            allow_init=True,
            deep_supervision=True,
        )

    makers: dict[str, tuple[Callable[[], nn.Module], Sequence[int]]] = {
        "nnU-Net 2-D": (nnunet, planned["patch_size"]),
        "MONAI BasicUNet": (basic_unet, (SIDE, SIDE)),
    }
    for name, (make, patch) in makers.items():
        for batch in options.batches:
            for reduced in (False, True):
                seconds = seconds_a_step(make(), (batch, 1, *patch), reduced)
                record = {"network": name, "batch": batch, "patch": list(patch)}
                record |= {"precision": "bfloat16" if reduced else "float32"}
                record |= {"threads": options.threads, "seconds_a_step": round(seconds, 3)}
                print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
