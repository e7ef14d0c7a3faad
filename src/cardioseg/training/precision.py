"""`precision = "auto"`: what a run trains in on this machine, or did where it began."""

from __future__ import annotations

from typing import Literal

import torch

from cardioseg.training.config import TrainConfig

Precision = Literal["float32", "bfloat16"]

CPU = "cpu"

_FAST = ("avx512_bf16", "amx_bf16")
"""Features of processors that multiply in bfloat16; others emulate it, far slower than float32."""


def settled(
    config: TrainConfig, recorded: TrainConfig | None = None, kind: str = CPU
) -> TrainConfig:
    """The configuration with `auto` replaced by what is trained in; any other is left as it is.

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
    >>> tiny = read_config("tiny")
    >>> settled(tiny) == tiny
    True
    """
    if config.precision != "auto":
        return config
    before = recorded.precision if recorded else "auto"
    chosen = machine_precision(kind) if before == "auto" else before
    return config.model_copy(update={"precision": chosen})


def machine_precision(kind: str = CPU) -> Precision:
    """`bfloat16` where the device and PyTorch multiply in it, else `float32`.

    PyTorch before 2.10 does not tell what the processor has: there it is `float32`.
    """
    if kind == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    told: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    has_library = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return "bfloat16" if has_library and any(told.get(name) for name in _FAST) else "float32"
