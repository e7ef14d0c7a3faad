"""What a folder of predictions holds of each case: labels, NAME.json, runs' records, pictures."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cardioseg.core.labels import LabelScheme, scheme_named
from cardioseg.core.measurement import Measurement
from cardioseg.core.quality import Quality, Reason, Verdict
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import DatasetError, FormatError, first_problem, version_problem
from cardioseg.io.header_scheme import told_scheme
from cardioseg.io.images import read_frames, read_label_frames
from cardioseg.workflows.inputs import Input
from cardioseg.workflows.made import Made, made_by_runs, made_of
from cardioseg.workflows.outputs import MESH
from cardioseg.workflows.report.case import CaseContent, Frame, Origin

FORMAT_VERSION = 1

_MESH = ("mesh", "meshes", "surface", "surfaces", "heart")
_BULLS_EYE = ("bulls_eye", "bulls-eye", "bullseye")
_OWN = ("curves",)
"""Pictures that the report draws itself, in its own language."""
_MODELS = tuple(ending[1:-4] for ending in MESH.endings if ending.endswith(".png"))
_BESIDE = tuple(dict.fromkeys((*_MODELS, *_MESH, *_BULLS_EYE, *_OWN)))
"""What a picture beside the label map may show, as its name tells after the case's."""


class _Facts(BaseModel):
    """NAME.json and its parts; keys that a later version adds are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())


_Model = TypeVar("_Model", bound=_Facts)


class _Reason(_Facts):
    verdict: Verdict
    rule: str
    words: str


class _Quality(_Facts):
    verdict: Verdict
    predicted_dice: dict[str, float] = {}
    reasons: tuple[_Reason, ...] = ()


class _Measurement(_Facts):
    quantity: str
    structure: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    phase: str = ""
    note: str = ""


class _Function(_Facts):
    times_ms: tuple[float, ...] = ()
    volumes_ml: dict[str, tuple[float, ...]] = {}
    ed: int | None = None
    es: int | None = None
    notes: tuple[str, ...] = ()


class _Origin(_Facts):
    model: str = ""
    model_id: str = ""
    version: str = ""
    input_sha256: str = ""
    scheme: str = ""


class _Case(_Facts):
    format_version: int = FORMAT_VERSION
    frames: tuple[int, ...] = ()
    measurements: tuple[_Measurement, ...] = ()
    quality: _Quality | None = None
    function: _Function | None = None
    notes: tuple[str, ...] = ()
    provenance: _Origin = _Origin()


@dataclass(frozen=True)
class Predictions:
    """What a folder of predictions tells of all its cases.

    Parameters
    ----------
    names
        Names of the cases.
    made
        What made a case, by name, where a run's record tells.
    """

    names: Collection[str]
    made: Mapping[str, Made]


def read_predictions(folder: Path, cases: Sequence[Input]) -> Predictions:
    """Read the records that runs left in a folder of predictions with these cases.

    Raises
    ------
    FormatError
        If one is of another format version.
    """
    return Predictions({each.name for each in cases}, made_by_runs(folder))


def read_case_content(
    each: Input, among: Predictions, image: Path | None, scheme: LabelScheme | None
) -> CaseContent:
    """Everything that a report of one case tells.

    Parameters
    ----------
    each
        The label map.
    among
        The folder of predictions that it is of.
    image
        The image's file; None without one.
    scheme
        Numbering of the labels; None takes what NAME.json, the run's record or the header says.

    Raises
    ------
    FormatError
        If NAME.json is not what it should be.
    DatasetError
        If nobody says which scheme the labels have, or image and labels differ in frames.
    """
    facts = _read(each.path.with_name(f"{each.name}.json"), _Case)
    if facts.format_version != FORMAT_VERSION:
        problem = version_problem(facts.format_version, FORMAT_VERSION)
        raise FormatError(f"{each.name}.json: {problem}")
    made = made_of(each.name, among.made)
    known = scheme or _told_scheme(each, facts.provenance.scheme or made.scheme)
    labels = read_label_frames(each.path, known)
    images = _images(image, len(labels), facts.frames, each)
    pictures = _pictures(each, among.names)
    return CaseContent(
        name=each.name,
        frames=_frames(labels, images, facts),
        measurements=_measurements(facts, labels),
        quality=_quality(facts.quality),
        origin=_origin(facts.provenance, made),
        times_ms=facts.function.times_ms if facts.function else (),
        volumes_ml=facts.function.volumes_ml if facts.function else {},
        mesh=_take(pictures, _MESH),
        bulls_eye=_take(pictures, _BULLS_EYE),
        others={n: p for n, p in pictures.items() if n not in (*_MESH, *_BULLS_EYE, *_OWN)},
        notes=(*facts.notes, *(facts.function.notes if facts.function else ())),
    )


def read_quality(path: Path) -> Quality | None:
    """The quality that a NAME.json holds; None where none was judged.

    Raises
    ------
    FormatError
        If it is not what it should be.
    """
    return _quality(_read(path, _Case).quality)


def _read(path: Path, model: type[_Model]) -> _Model:
    """The file as that model; its defaults where there is no file."""
    if not path.is_file():
        return model()
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise FormatError(f"{path}: {first_problem(error)}") from error


def _told_scheme(each: Input, named: str) -> LabelScheme:
    """The scheme that the files name, else that of the header."""
    found = scheme_named(named) if named else told_scheme(each.path)
    if found is None:
        raise DatasetError(
            f"{each.path}: neither {each.name}.json, a record of its run nor its header names its "
            "scheme; add --scheme"
        )
    return found


def _frames(
    labels: tuple[LabelMap, ...], images: tuple[Volume | None, ...], facts: _Case
) -> tuple[Frame, ...]:
    """ED and ES of a cine where they are known and in the file; else its first frame."""
    numbers = facts.frames or tuple(range(1, len(labels) + 1))
    wanted = {"ED": facts.function.ed, "ES": facts.function.es} if facts.function else {}
    found = {
        name: numbers.index(number)
        for name, number in wanted.items()
        if number in numbers and numbers.index(number) < len(labels)
    }
    if not found:
        number = 0 if len(labels) == 1 else numbers[0]
        return (Frame("", labels[0], images[0], number),)
    return tuple(Frame(name, labels[i], images[i]) for name, i in found.items())


def _images(
    path: Path | None, count: int, numbers: tuple[int, ...], each: Input
) -> tuple[Volume | None, ...]:
    """The image's frames that were segmented, `numbers` counting from 1; None without an image."""
    if path is None:
        return (None,) * count
    frames = read_frames(path)
    if len(frames) == count:
        return frames
    if len(numbers) == count and all(1 <= number <= len(frames) for number in numbers):
        return tuple(frames[number - 1] for number in numbers)
    raise DatasetError(
        f"{path}: {len(frames)} frames, the labels {each.path.name} have {count}; "
        "give the image that was segmented"
    )


def _measurements(facts: _Case, labels: tuple[LabelMap, ...]) -> tuple[Measurement, ...]:
    """Those of NAME.json; without any, the volumes of the first frame."""
    if facts.measurements:
        return tuple(Measurement(**each.model_dump()) for each in facts.measurements)
    first = labels[0]
    return tuple(
        Measurement("volume", s.name, volume, "ml")
        if (volume := first.volume_ml(s.name)) > 0
        else Measurement("volume", s.name, None, "ml", note="not found in the scan")
        for s in first.scheme.structures
    )


def _quality(found: _Quality | None) -> Quality | None:
    if found is None:
        return None
    reasons = tuple(Reason(r.verdict, r.rule, r.words) for r in found.reasons)
    return Quality(found.verdict, found.predicted_dice, reasons)


def _origin(told: _Origin, made: Made) -> Origin:
    return Origin(
        told.model or made.model,
        told.model_id or made.model_id,
        told.version or made.version,
        told.input_sha256 or made.input_sha256,
    )


def _pictures(each: Input, names: Collection[str]) -> dict[str, bytes]:
    """PNGs of this case by what they show: NAME/KIND.png, or of a known kind beside the labels."""
    found = {path.stem: path for path in sorted((each.path.parent / each.name).glob("*.png"))}
    longer = [name for name in names if name.startswith((f"{each.name}-", f"{each.name}_"))]
    of_others = tuple(start for name in longer for start in (f"{name}-", f"{name}_", f"{name}."))
    for kind in _BESIDE:
        for mark in "-_":
            path = each.path.with_name(f"{each.name}{mark}{kind}.png")
            if path.is_file() and not path.name.startswith(of_others):
                found.setdefault(kind, path)
    return {kind: path.read_bytes() for kind, path in found.items()}


def _take(pictures: Mapping[str, bytes], kinds: tuple[str, ...]) -> bytes | None:
    return next((pictures[kind] for kind in kinds if kind in pictures), None)


def is_evaluation(folder: Path) -> bool:
    """Whether a folder holds an evaluation's report.json."""
    path = folder / "report.json"
    try:
        return path.is_file() and "rows" in json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: not JSON: {error}") from error
