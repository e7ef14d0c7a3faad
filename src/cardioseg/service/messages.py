"""What the API answers: one model an answer, as the OpenAPI document shows it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cardioseg.core.labels import LabelScheme
from cardioseg.core.measurement import Measurement
from cardioseg.service.corrections import Desk
from cardioseg.service.edit_record import EditRecord
from cardioseg.service.extras import ExtraName, extras_of
from cardioseg.service.jobs import Job
from cardioseg.service.offers import Offer
from cardioseg.service.results import FINDINGS, result_files
from cardioseg.service.store import JobStore
from cardioseg.workflows.report.messages import Language
from cardioseg.workflows.report.prediction_files import read_quality
from cardioseg.workflows.report.reasons import reason_words


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True)


class Refusal(Answer):
    """Why a request was refused.

    Parameters
    ----------
    code
        Short and stable, such as `too_large`.
    message
        What is wrong and what to do.
    details
        What a program needs to go on.
    """

    code: str
    message: str
    details: dict[str, object] = Field(default_factory=dict)


class StructureView(Answer):
    """A structure: name, value in the label map, sRGB hex colour."""

    name: str
    value: int
    color: str


class ModelView(Answer):
    """A model that may be chosen."""

    name: str
    id: str
    scheme: str
    structures: tuple[StructureView, ...]
    licence: str
    validation: str


class FileView(Answer):
    """A file that may be fetched."""

    name: str
    kind: str
    media_type: str
    bytes: int


class ExtraView(Answer):
    """Files that are made when they are asked for; `error` says why they could not be."""

    name: ExtraName
    state: Literal["offered", "waiting", "made", "failed"]
    error: str


class MeasurementView(Answer):
    """A measurement; `value` is null where it is undefined, and `note` says why."""

    quantity: str
    structure: str
    value: float | None
    unit: str
    low: float | None
    high: float | None
    phase: str
    note: str


class ReasonView(Answer):
    """What speaks against a segmentation, in English and in Spanish; `rule` is for programs."""

    verdict: str
    rule: str
    words: str
    spanish: str


class QualityView(Answer):
    """Verdict (`accept`, `review`, `reject`), expected Dice by structure, and reasons."""

    verdict: str
    predicted_dice: dict[str, float]
    reasons: tuple[ReasonView, ...]


class JobView(Answer):
    """A job and what it has to show.

    Parameters
    ----------
    corrected
        Whether its labels are a person's, corrected from the model's.
    position
        Jobs before it in the queue.
    done, total
        Progress in frames.
    seconds_left
        Until the job and all its files are deleted.
    native_axis
        Array axis along which the slices lie, 0 to 2; null where two spacings tie.
    quality
        Verdict, expected Dice and reasons, where they were judged; of the model's labels, also
        where these are corrected.
    files
        What may be fetched, of the model's labels too; a job made of the corrected ones has files
        of those.
    extras
        What may be asked for beside `files`, and what became of what was.
    edit
        The corrections, where there are any.
    measurements
        Of the corrected labels where there are any.
    """

    id: str
    state: Literal["queued", "running", "done", "failed"]
    model: str
    corrected: bool
    position: int
    done: int
    total: int
    error: str
    seconds_left: float
    frames: int = 0
    native_axis: int | None = None
    times_ms: tuple[float, ...] = ()
    structures: tuple[StructureView, ...] = ()
    notes: tuple[str, ...] = ()
    quality: QualityView | None = None
    files: tuple[FileView, ...] = ()
    extras: tuple[ExtraView, ...] = ()
    measurements: tuple[MeasurementView, ...] = ()
    edit: EditRecord | None = None


class Health(Answer):
    """That the server is up, its version, and whether its page has a viewer."""

    version: str
    viewer: bool


def model_view(offer: Offer) -> ModelView:
    """What a client sees of an offer."""
    return ModelView(
        name=offer.name,
        id=offer.id,
        scheme=offer.scheme.name,
        structures=_structures(offer.scheme),
        licence=offer.licence,
        validation=offer.validation,
    )


def job_view(job: Job, store: JobStore) -> JobView:
    """What a client sees of a job."""
    view = JobView(
        id=job.id,
        state=job.state,
        model=job.model,
        corrected=job.labels is not None,
        position=store.position(job),
        done=job.done,
        total=job.total,
        error=job.error,
        seconds_left=round(store.seconds_left(job), 1),
    )
    if job.summary is None:
        return view
    desk = Desk(job, job.summary, store.limits.corrections)
    return view.model_copy(
        update={
            "frames": job.summary.frames,
            "native_axis": job.summary.native_axis,
            "times_ms": job.summary.times_ms,
            "structures": _structures(desk.scheme),
            "notes": job.summary.notes,
            "quality": _quality(job),
            "files": _files(job),
            "extras": _extras(job),
            "measurements": tuple(_measurement(each) for each in desk.measurements()),
            "edit": desk.record(),
        }
    )


def _structures(scheme: LabelScheme) -> tuple[StructureView, ...]:
    return tuple(
        StructureView(name=s.name, value=s.value, color=s.color) for s in scheme.structures
    )


def _files(job: Job) -> tuple[FileView, ...]:
    return tuple(
        FileView(
            name=name,
            kind=each.kind,
            media_type=each.media_type,
            bytes=(job.results / name).stat().st_size,
        )
        for name, each in result_files(job.results).items()
    )


def _quality(job: Job) -> QualityView | None:
    quality = read_quality(job.results / FINDINGS)
    if quality is None:
        return None
    return QualityView(
        verdict=quality.verdict.value,
        predicted_dice=dict(quality.predicted_dice),
        reasons=tuple(
            ReasonView(
                verdict=each.verdict.value,
                rule=each.rule,
                words=each.words,
                spanish=reason_words(each, Language.SPANISH),
            )
            for each in quality.reasons
        ),
    )


def _extras(job: Job) -> tuple[ExtraView, ...]:
    asked = {each.name: each for each in job.extras}
    return tuple(
        ExtraView(name=name, state=asked[name].state, error=asked[name].error)
        if name in asked
        else ExtraView(name=name, state="offered", error="")
        for name in extras_of(job.upload)
    )


def _measurement(each: Measurement) -> MeasurementView:
    return MeasurementView(
        quantity=each.quantity,
        structure=each.structure,
        value=each.value,
        unit=each.unit,
        low=each.low,
        high=each.high,
        phase=each.phase,
        note=each.note,
    )
