"""What edit.json says beside a corrected label map."""

from __future__ import annotations

from typing import Literal

from cardioseg.prepare.plan import FrozenModel

Action = Literal["brush", "propagate", "revert"]


class Correction(FrozenModel):
    """One saved correction.

    Parameters
    ----------
    frame
        Frame of the cine, from 0.
    action
        `brush` by hand, `propagate` by the server, `revert` to the model's labels.
    seconds
        Time that the person worked on it; 0 for the other actions.
    voxels_changed
        Voxels whose label is another than before this correction.
    """

    frame: int
    action: Action
    seconds: float
    voxels_changed: int


class EditRecord(FrozenModel):
    """What edit.json says beside a corrected label map.

    Parameters
    ----------
    edited
        Always true: a person changed these labels.
    parent_sha256
        SHA-256 of the model's label map, the parent.
    sha256
        SHA-256 of the corrected label map.
    model, model_id, scheme
        What made the parent, and what its numbers mean.
    frames
        Frames that differ from the parent.
    voxels_changed
        Voxels that differ from the parent.
    seconds
        Time of all corrections by hand.
    corrections
        Each of them, in order.
    """

    format_version: Literal[1] = 1
    edited: Literal[True] = True
    parent_sha256: str
    sha256: str
    model: str
    model_id: str
    scheme: str
    frames: tuple[int, ...]
    voxels_changed: int
    seconds: float
    corrections: tuple[Correction, ...]
