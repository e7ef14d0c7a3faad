"""`auto`: the precision and kernels that a run trains by on this machine, or did where it began."""

from __future__ import annotations

from typing import Literal

import torch

from cardioseg.training.config import TrainConfig
from cardioseg.training.native import is_taken, kernels_problem

Precision = Literal["float32", "bfloat16"]
Kernels = Literal["torch", "native"]

CPU = "cpu"

_FAST = ("avx512_bf16", "amx_bf16")
"""Features of processors that multiply in bfloat16; others emulate it, far slower than float32."""


def settled(
    config: TrainConfig, recorded: TrainConfig | None = None, kind: str = CPU
) -> TrainConfig:
    """The configuration with each `auto` replaced by what the run has; the rest is left as it is.

    Parameters
    ----------
    config
        As it was asked for.
    recorded
        Configuration of the run that goes on, which decides; None for a new run, of which the
        machine does.
    kind
        Of the device that trains, `cpu` or `cuda`.

    Examples
    --------
    >>> from cardioseg.training.config import read_config
    >>> paper = read_config("paper")
    >>> settled(paper) == paper
    True
    """
    chosen: dict[str, str] = {}
    if config.precision == "auto":
        before = recorded.precision if recorded else "auto"
        chosen["precision"] = machine_precision(kind) if before == "auto" else before
    if config.kernels == "auto":
        known = recorded.kernels if recorded else "auto"
        chosen["kernels"] = machine_kernels(config, kind) if known == "auto" else known
    return config.model_copy(update=chosen) if chosen else config


def machine_precision(kind: str = CPU) -> Precision:
    """`bfloat16` where the device and PyTorch multiply in it, else `float32`.

    PyTorch before 2.10 does not tell what the processor has: there it is `float32`.
    """
    if kind == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    told: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    has_library = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return "bfloat16" if has_library and any(told.get(name) for name in _FAST) else "float32"


def machine_kernels(config: TrainConfig, kind: str = CPU) -> Kernels:
    """`native` where the network's widths and this machine allow compiled kernels, else `torch`."""
    taken = kind == CPU and is_taken(config.plan.network)
    return "native" if taken and not kernels_problem() else "torch"


def why_slower(asked: TrainConfig, config: TrainConfig, kind: str = CPU) -> str:
    """Why `auto` did not get compiled kernels that the network could have; empty if it did."""
    wanted = kind == CPU and asked.kernels == "auto" and config.kernels == "torch"
    return kernels_problem() if wanted and is_taken(config.plan.network) else ""
