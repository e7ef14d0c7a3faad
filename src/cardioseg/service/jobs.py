"""Jobs: one upload and what becomes of it, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cardioseg.core.scan import Body
from cardioseg.inference.predictor import Provenance
from cardioseg.service.uploads import Upload

State = Literal["queued", "running", "done", "failed"]
ExtraState = Literal["waiting", "made", "failed"]
ID_PATTERN = "^[0-9a-f]{32}$"


@dataclass(frozen=True)
class Summary:
    """What a finished job says of itself.

    Parameters
    ----------
    frames
        Frames of the scan; 1 for a still volume.
    scheme
        Name of the label scheme.
    provenance
        What made the labels.
    seconds
        Time of segmenting.
    notes
        What the reader and the model found worth telling.
    native_axis
        Array axis along which the stack was acquired, 0 to 2; None where two spacings tie.
    times_ms, body
        Of the scan, to measure corrected labels with.
    """

    frames: int
    scheme: str
    provenance: Provenance
    seconds: float
    notes: tuple[str, ...] = ()
    native_axis: int | None = None
    times_ms: tuple[float, ...] = ()
    body: Body = field(default_factory=Body)


@dataclass(frozen=True)
class Extra:
    """Files beside the label map that somebody asked for.

    Parameters
    ----------
    name
        Which: one of the names in `cardioseg.service.extras`.
    state
        `waiting`, also while they are made; `made` or `failed`.
    error
        Why it failed, in plain words.
    """

    name: str
    state: ExtraState
    error: str = ""


@dataclass(frozen=True)
class Job:
    """One upload and what becomes of it; a new value at every change.

    Parameters
    ----------
    id
        Random; whoever knows it may see the job.
    folder
        Its files.
    upload
        What is segmented.
    model
        Name of one of the offered models.
    labels
        A person's corrected label map, where outputs are to be made from that; None segments.
    state
        `queued`, `running`, `done` or `failed`.
    done, total
        Progress in frames.
    error
        Why it failed, in plain words.
    summary
        Of a job that is done.
    touched
        Monotonic time of the last upload, result or correction, in seconds.
    size
        Bytes of the upload.
    version
        Grows with every change.
    starts
        How often it was begun; more than once where the server ended on the way.
    extras
        Files that were asked for once it was done.
    """

    id: str
    folder: Path
    upload: Upload
    model: str
    labels: Path | None = None
    state: State = "queued"
    done: int = 0
    total: int = 1
    error: str = ""
    summary: Summary | None = None
    touched: float = 0.0
    size: int = 0
    version: int = 0
    starts: int = 0
    extras: tuple[Extra, ...] = ()

    @property
    def is_at_work(self) -> bool:
        """Whether the server has still something to do for it."""
        waits = any(each.state == "waiting" for each in self.extras)
        return waits or self.state in ("queued", "running")

    @property
    def results(self) -> Path:
        """Folder of the results."""
        return self.folder / "results"

    @property
    def edits(self) -> Path:
        """Folder of the corrections."""
        return self.folder / "edits"
