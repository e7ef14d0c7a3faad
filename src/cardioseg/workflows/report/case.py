"""The report of one case: one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cardioseg.core.measurement import Measurement
from cardioseg.core.quality import Quality, Verdict
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.workflows.report.messages import Language, Message, Words
from cardioseg.workflows.report.page import render_page
from cardioseg.workflows.report.pictures import (
    Picture,
    curves_picture,
    data_uri,
    slice_pictures,
)
from cardioseg.workflows.report.reasons import reason_words
from cardioseg.workflows.report.terms import (
    metric_meaning,
    quantity_meaning,
    quantity_name,
    structure_name,
)

_VERDICTS = {
    Verdict.ACCEPT: Message.ACCEPT,
    Verdict.REVIEW: Message.REVIEW,
    Verdict.REJECT: Message.REJECT,
}
_SEGMENT_MARK = "(AHA "


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame whose slices are shown: its name (`ED`, `ES` or empty), labels, and image.

    `number` counts from 1 where a frame of a cine has no name; 0 is a still volume.
    """

    name: str
    labels: LabelMap
    image: Volume | None = None
    number: int = 0


@dataclass(frozen=True)
class Origin:
    """Where a result comes from; what is unknown stays empty and reads 'not stated'."""

    model: str = ""
    model_id: str = ""
    version: str = ""
    input_sha256: str = ""


@dataclass(frozen=True, eq=False)
class CaseContent:
    """What the report of one case tells.

    Parameters
    ----------
    name
        Name of the case, as its files have it; no identifier.
    frames
        The frames whose slices are shown, one or more.
    measurements
        Volumes and function, in the order of the table; an undefined one is told so.
    quality
        Verdict and reasons; None where nothing was assessed, and the page says that.
    origin
        Model, version, digest of the input.
    times_ms, volumes_ml
        Volume of each structure over the cycle; empty for a still volume.
    mesh, bulls_eye
        PNGs of the surfaces and of the wall's segments; None leaves them out.
    others
        Further PNGs by caption.
    notes
        What the reader of the scan noticed, and what to know about the function.
    orientation_known
        Whether the grid's directions can be trusted.
    """

    name: str
    frames: tuple[Frame, ...]
    measurements: tuple[Measurement, ...]
    quality: Quality | None = None
    origin: Origin = field(default_factory=Origin)
    times_ms: tuple[float, ...] = ()
    volumes_ml: Mapping[str, Sequence[float]] = field(default_factory=dict)
    mesh: bytes | None = None
    bulls_eye: bytes | None = None
    others: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    orientation_known: bool = True


@dataclass(frozen=True)
class _Line:
    quantity: str
    structure: str
    phase: str
    known: bool
    value: str
    note: str


def case_report(content: CaseContent, language: Language = Language.ENGLISH) -> str:
    """One case as a self-contained HTML page: no script, nothing loaded from elsewhere.

    Parameters
    ----------
    content
        What to tell.
    language
        English or Spanish. Names that the program lacks a translation for, and notes,
        stay in English and are marked so.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    GeometryError
        If the image of a frame lies on another grid than its labels.

    Examples
    --------
    >>> import numpy as np
    >>> from cardioseg.core.geometry import Geometry
    >>> from cardioseg.core.labels import ACDC
    >>> labels = LabelMap(np.full((4, 4, 2), 3, np.uint8), Geometry((4, 4, 2), np.eye(4)), ACDC)
    >>> value = Measurement("volume", "LV cavity", labels.volume_ml("LV cavity"), "ml")
    >>> page = case_report(CaseContent("case_7", (Frame("", labels),), (value,)))
    >>> "case_7" in page, "not a medical device" in page
    (True, True)
    """
    words = Words(language)
    whole = [m for m in content.measurements if _SEGMENT_MARK not in m.structure]
    segments = [m for m in content.measurements if _SEGMENT_MARK in m.structure]
    quality = content.quality
    values: dict[str, object] = {
        "title": words.say(Message.TITLE, name=content.name),
        "verdict": words.say(_VERDICTS[quality.verdict] if quality else Message.NOT_ASSESSED),
        "verdict_class": quality.verdict.value if quality else "",
        "reasons": _reasons(quality, language) if quality else [],
        "predicted_dice": [
            (structure_name(name, language), words.number(value, 2))
            for name, value in (quality.predicted_dice if quality else {}).items()
        ],
        "measurements": [_line(m, words) for m in whole],
        "segments": [_line(m, words) for m in segments],
        "has_intervals": any(m.low is not None for m in content.measurements),
        "curves": _curves(content, words),
        "has_image": all(frame.image is not None for frame in content.frames),
        "no_slice_axis": content.frames[0].labels.geometry.native_axis is None,
        "legend": _legend(content, language),
        "frames": [_frame(frame, content.orientation_known, words) for frame in content.frames],
        "pictures": _pictures(content, words),
        "notes": content.notes,
        "glossary": _glossary(content, language),
        "provenance": _provenance(content, words),
    }
    return render_page("case.html.j2", values, words)


def _reasons(quality: Quality, language: Language) -> list[tuple[str, bool]]:
    """Each reason's words, and whether they are English on a page that is not."""
    told = [(reason_words(each, language), each.words) for each in quality.reasons]
    return [(words, language is not Language.ENGLISH and words == own) for words, own in told]


def _line(measurement: Measurement, words: Words) -> _Line:
    value = ""
    if measurement.value is not None:
        value = f"{words.number(measurement.value)} {measurement.unit}"
        if measurement.low is not None and measurement.high is not None:
            low, high = (words.number(end) for end in (measurement.low, measurement.high))
            value += f" ({words.say(Message.RANGE, low=low, high=high)})"
    return _Line(
        quantity_name(measurement.quantity, words.language),
        structure_name(measurement.structure, words.language),
        measurement.phase,
        measurement.value is not None,
        value,
        measurement.note,
    )


def _curves(content: CaseContent, words: Words) -> Picture | None:
    curves = {name: list(curve) for name, curve in content.volumes_ml.items() if len(curve) > 1}
    return curves_picture(curves, content.times_ms, words) if curves else None


def _legend(content: CaseContent, language: Language) -> list[tuple[str, str]]:
    structures = content.frames[0].labels.scheme.structures
    return [(structure_name(s.name, language), s.color) for s in structures]


def _frame(frame: Frame, orientation_known: bool, words: Words) -> dict[str, object]:
    plain = words.say(Message.FRAME, number=frame.number) if frame.number else ""
    name = frame.name or plain or words.say(Message.STILL)
    pictures = slice_pictures(frame.image, frame.labels, name, words, orientation_known)
    geometry = frame.labels.geometry
    count = geometry.shape[geometry.shown_axis]
    return {"name": name, "pictures": pictures, "count": count}


def _pictures(content: CaseContent, words: Words) -> list[Picture]:
    known = (
        (content.mesh, Message.MESH, Message.MESH_ALT),
        (content.bulls_eye, Message.BULLS_EYE, Message.BULLS_EYE_ALT),
    )
    found = [
        Picture(data_uri(png), words.say(alt), words.say(title)) for png, title, alt in known if png
    ]
    others = [
        Picture(data_uri(png), words.say(Message.PICTURE_ALT, name=name), name)
        for name, png in content.others.items()
    ]
    return found + others


def _glossary(content: CaseContent, language: Language) -> list[tuple[str, str]]:
    names = dict.fromkeys(m.quantity for m in content.measurements)
    found = [(quantity_name(n, language), quantity_meaning(n, language)) for n in names]
    if content.quality and content.quality.predicted_dice:
        found.append(("Dice", metric_meaning("dice", language)))
    return [(name, meaning) for name, meaning in found if meaning]


def _provenance(content: CaseContent, words: Words) -> list[tuple[str, str]]:
    labels = content.frames[0].labels
    rows = (
        (Message.MODEL, content.origin.model),
        (Message.MODEL_ID, content.origin.model_id),
        (Message.VERSION, content.origin.version),
        (Message.INPUT_DIGEST, content.origin.input_sha256),
        (Message.SCHEME, labels.scheme.name),
        (Message.GRID, labels.geometry.describe()),
    )
    unknown = words.say(Message.NOT_STATED)
    return [(words.say(name), value or unknown) for name, value in rows]
