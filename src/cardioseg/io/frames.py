"""What the formats share: frames on one grid in one scheme, one frame where one is needed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry, require_same_grid
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import FormatError, LabelError

Frame = TypeVar("Frame", Volume, LabelMap)

_MODEL = re.compile(r"; model ([\w-]+)")


def only(frames: tuple[Frame, ...], path: str | Path) -> Frame:
    """The one frame of a still image.

    Raises
    ------
    FormatError
        If there are several.
    """
    if len(frames) != 1:
        raise FormatError(
            f"{path}: a cine of {len(frames)} frames where one is needed; save the frame as a "
            "file of its own"
        )
    return frames[0]


def common_grid(geometries: Sequence[Geometry], path: str | Path) -> Geometry:
    """The grid of frames that are written as one file.

    Raises
    ------
    FormatError
        If there is no frame.
    GeometryError
        If they lie on different grids.
    """
    if not geometries:
        raise FormatError(f"{path}: no frames to write")
    for index, geometry in enumerate(geometries):
        require_same_grid(geometry, geometries[0], f"{path}: frames {index} and 0")
    return geometries[0]


def common_scheme(frames: Sequence[LabelMap], path: str | Path) -> LabelScheme:
    """The scheme of label maps that are written as one file; one frame at least.

    Raises
    ------
    LabelError
        If they use different schemes.
    """
    names = sorted({frame.scheme.name for frame in frames})
    if len(names) > 1:
        raise LabelError(f"{path}: frames of different schemes: {', '.join(names)}; write one")
    return frames[0].scheme


def stacked(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Frames as one array (I, J, K, T); a single frame stays (I, J, K)."""
    return arrays[0] if len(arrays) == 1 else np.stack(arrays, axis=-1)


def translated(
    values: NDArray[Any], scheme: LabelScheme, source_values: Mapping[int, int] | None
) -> NDArray[Any]:
    """Label values in the scheme's numbers: as they are where the file has no own numbers."""
    if source_values is None:
        return values
    return scheme.from_source(values, source_values, "labels")


def labels_told(scheme: LabelScheme, model_id: str) -> str:
    """What a file's header says of label values."""
    return f"cardioseg labels, {scheme.name}" + model_told(model_id)


def scores_told(scheme: LabelScheme | None, model_id: str) -> str:
    """What a file's header says of class scores; of a scheme nothing where none is known."""
    return "cardioseg scores" + (f", {scheme.name}" if scheme else "") + model_told(model_id)


def model_told(model_id: str) -> str:
    """The id is 16 letters, so a description keeps within NIfTI's 79."""
    return f"; model {model_id}" if model_id else ""


def model_in(told: str) -> str:
    """The id that :func:`model_told` gave such words; empty where there is none.

    Examples
    --------
    >>> model_in("cardioseg labels, acdc" + model_told("0123456789abcdef"))
    '0123456789abcdef'
    """
    match = _MODEL.search(told)
    return match[1] if match and told.startswith("cardioseg") else ""
