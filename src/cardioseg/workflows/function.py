"""Heart function of files: label maps of frames or of a cine in, tables and figures out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cardioseg.core.case import Case, phase_of
from cardioseg.core.labels import ACDC, LabelScheme
from cardioseg.core.scan import Body
from cardioseg.core.short_axis import pose_is_lost
from cardioseg.core.volume import LabelMap
from cardioseg.datasets import read_dataset
from cardioseg.datasets.acdc import phase_and_group
from cardioseg.errors import (
    CardiosegError,
    ConfigError,
    DatasetError,
    FormatError,
    OutputExistsError,
)
from cardioseg.evaluation.function import FunctionOptions, HeartFunction, heart_function
from cardioseg.evaluation.function_agreement import FunctionPair
from cardioseg.evaluation.measured_errors import MeasuredErrors
from cardioseg.io.header_scheme import require_told, told_scheme
from cardioseg.io.images import read_label_frames
from cardioseg.io.scans import times_of
from cardioseg.workflows.function_output import FUNCTION_JSON, FunctionResults, write_function
from cardioseg.workflows.hearts import Heart, hearts_of, named
from cardioseg.workflows.inputs import gather_labels
from cardioseg.workflows.made import makers_of

Watch = Callable[[int, int, str], None]


@dataclass(frozen=True)
class FunctionInputs:
    """What the files do not say themselves.

    Parameters
    ----------
    scheme
        Numbering of the label maps; None takes the one that their headers tell, and `acdc` where
        they tell none.
    body
        Height, weight, sex and age; for one cine.
    frame_ms
        Time from frame to frame of a cine, in files of frames by the numbers in their names; None
        takes a NIfTI header's of a 4-D file, where it has one.
    heart_rate_bpm
        Beats per minute; None where unknown.
    errors
        Document of measured errors, for intervals.
    reference
        Data set as `KIND:FOLDER`: names the phases, and its labels are compared with.
    orientation_known
        Whether the grids' directions are the patients', as far as the user knows. A reference data
        set may deny it, and a header that lost them does.
    """

    scheme: LabelScheme | None = None
    body: Body = field(default_factory=Body)
    frame_ms: float | None = None
    heart_rate_bpm: float | None = None
    errors: Path | None = None
    reference: str = ""
    orientation_known: bool = True


def function_of_files(
    labels: Path,
    inputs: FunctionInputs,
    output: Path | None = None,
    *,
    force: bool = False,
    watch: Watch = lambda done, total, name: None,
) -> FunctionResults:
    """Measure the function of every heart, and write it if there is an output folder.

    Parameters
    ----------
    labels
        A 4-D label map of a cine, a label map of one frame, or a folder; in a folder, files whose
        names differ in `_frameNN` or `-phaseNN` alone are frames of one heart, as are NAME_ED and
        NAME_ES.
    inputs
        What the files do not say.
    output
        Folder for function.json, function.csv, figures and run.json; groups.md where groups are
        known; with a reference also agreement.md, agreement.json, errors.json. None writes nothing.
    force
        Overwrite results that are there.
    watch
        Called with hearts done, hearts in all, and the name of the next.

    Raises
    ------
    OutputExistsError
        If there are results and `force` is not set.
    DatasetError
        If the reference lacks a case or its labels, or several hearts are of one of its subjects.
    ConfigError
        If a person's body or heart rate is given and there are several persons, or a time from
        frame to frame and files that do not tell their frames.
    LabelError
        If a header names another scheme than is given, or than the others' headers.
    CardiosegError
        If a file cannot be read.
    """
    started = time.monotonic()
    if output is not None and (output / FUNCTION_JSON).exists() and not force:
        raise OutputExistsError(f"{output}: holds results; add --force to overwrite them")
    errors = None if inputs.errors is None else _read_errors(inputs.errors)
    cases = {c.id: c for c in read_dataset(inputs.reference).cases} if inputs.reference else {}
    hearts = hearts_of(gather_labels(labels))
    _require_one_person(labels, hearts, inputs)
    _require_one_heart_a_subject(hearts, cases)
    scheme = _scheme(hearts, inputs.scheme)
    functions: dict[str, HeartFunction] = {}
    groups: dict[str, str] = {}
    pairs: list[FunctionPair] = []
    for done, heart in enumerate(hearts):
        watch(done, len(hearts), heart.name)
        options = FunctionOptions(None, inputs.heart_rate_bpm, errors, inputs.orientation_known)
        try:
            known = _cases_of(heart, cases) if inputs.reference else ()
            groups[heart.name] = known[0].group if known else _group(heart)
            options = _with_frames(options, heart, known)
            own, theirs = _frames(heart, scheme), _references(known, scheme)
            options = _with_orientation(options, known, (*own[:1], *theirs[:1]))
            reference = _reference(theirs, options)
            options = _in_phases_of(reference, options)
            function = functions[heart.name] = _measure(heart, own, inputs, options)
            if reference is not None:
                pairs.append(FunctionPair(known[0].subject, known[0].group, function, reference))
        except CardiosegError as error:
            words = str(error)
            place = str(heart.files[0].path)
            raise type(error)(words if place in words else f"{place}: {words}") from error
    watch(len(hearts), len(hearts), "")
    known_groups = {name: group for name, group in groups.items() if group}
    kind = inputs.reference.partition(":")[0]
    files = [each for heart in hearts for each in heart.files]
    results = FunctionResults(
        scheme, functions, tuple(pairs), known_groups, kind, makers=makers_of(files)
    )
    if output is not None:
        write_function(results, files, output, started, kept=inputs.errors)
    return results


def _require_one_person(labels: Path, hearts: Sequence[Heart], inputs: FunctionInputs) -> None:
    persons = {each.subject for each in hearts}
    if len(persons) > 1 and (inputs.body != Body() or inputs.heart_rate_bpm is not None):
        raise ConfigError(
            f"{labels}: {len(persons)} hearts; height, weight, sex, age and heart rate are one "
            "person's: give that person's label maps alone"
        )


def _require_one_heart_a_subject(hearts: Sequence[Heart], cases: Mapping[str, Case]) -> None:
    """Agreement is over subjects of the reference: one with two cines would count twice."""
    found: dict[str, list[str]] = {}
    for heart in hearts:
        case = cases.get(heart.files[0].name)
        if case is not None:
            found.setdefault(case.subject, []).append(heart.name)
    for subject, names in found.items():
        if len(names) > 1:
            raise DatasetError(
                f"{named(names)} are of one subject of the reference, {subject}, and no frames of "
                "one cine; agreement is over subjects: give the label maps of one view or sequence"
            )


def _read_errors(path: Path) -> MeasuredErrors:
    try:
        return MeasuredErrors.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not a document of measured errors: not text") from error
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def _group(heart: Heart) -> str:
    file = heart.files[0]
    return phase_and_group(file.path.parent, file.name)[1]


def _frames(heart: Heart, scheme: LabelScheme) -> tuple[LabelMap, ...]:
    frames = [read_label_frames(each.path, scheme) for each in heart.files]
    if len(frames) > 1 and any(len(each) > 1 for each in frames):
        raise DatasetError(
            f"{heart.name}: several files, one of them a cine; give one cine or single frames"
        )
    return tuple(frame for each in frames for frame in each)


def _scheme(hearts: Sequence[Heart], given: LabelScheme | None) -> LabelScheme:
    """The scheme that is given or told by the files' headers; all must agree."""
    paths = [each.path for heart in hearts for each in heart.files]
    told = dict.fromkeys(found for path in paths if (found := told_scheme(path)) is not None)
    scheme = given or next(iter(told), ACDC)
    for path in paths:
        require_told(path, scheme)
    return scheme


def _measure(
    heart: Heart, labels: Sequence[LabelMap], inputs: FunctionInputs, options: FunctionOptions
) -> HeartFunction:
    found = heart_function(labels, _times(heart, inputs, len(labels)), inputs.body, options)
    return replace(found, notes=(*found.notes, heart.note)) if heart.note else found


def _times(heart: Heart, inputs: FunctionInputs, count: int) -> tuple[float, ...]:
    """Times of the frames, in ms: as given, by the numbers of several files, else by the header."""
    if inputs.frame_ms is None:
        # Files of frames do not say how far apart they are.
        return times_of(heart.files[0].path)[0] if len(heart.files) == 1 else ()
    if len(heart.files) == 1:
        return tuple(inputs.frame_ms * number for number in range(count))
    numbers = heart.frame_numbers
    if not numbers:
        raise ConfigError(
            f"--frame-ms: the files of {heart.name} do not all tell which frame they are; name "
            f"them {heart.name}_frame01 and so on, or leave it out"
        )
    return tuple(inputs.frame_ms * (number - numbers[0]) for number in numbers)


def _cases_of(heart: Heart, cases: Mapping[str, Case]) -> tuple[Case, ...]:
    missing = [each.name for each in heart.files if each.name not in cases]
    if missing:
        raise DatasetError(f"the reference has no case {missing[0]}; names must be the data set's")
    return tuple(cases[each.name] for each in heart.files)


def _with_frames(options: FunctionOptions, heart: Heart, known: Sequence[Case]) -> FunctionOptions:
    """Phases as the data set or the files' names tell them, and frame numbers."""
    told = [case.phase for case in known]
    phases = told if any(told) else [phase_of(each.name) for each in heart.files]
    both = (phases.index("ED"), phases.index("ES")) if {"ED", "ES"} <= set(phases) else None
    return replace(options, phases=both, frame_numbers=heart.frame_numbers)


def _with_orientation(
    options: FunctionOptions, known: Sequence[Case], labels: Sequence[LabelMap]
) -> FunctionOptions:
    """Directions count where neither the user, nor the data set, nor a plain affine denies them.

    Prediction and reference are read alike, so that their segments are the same.
    """
    is_told = options.orientation_known and all(case.orientation_known for case in known)
    is_lost = any(pose_is_lost(each.geometry) for each in labels)
    return replace(options, orientation_known=is_told and not is_lost)


def _references(known: Sequence[Case], scheme: LabelScheme) -> tuple[LabelMap, ...]:
    """The data set's own labels; empty without any."""
    return tuple(case.labels().read_as(scheme) for case in known)


def _reference(labels: Sequence[LabelMap], options: FunctionOptions) -> HeartFunction | None:
    """Function of the data set's own labels; None without any."""
    if not labels:
        return None
    return heart_function(labels, options=replace(options, heart_rate_bpm=None, errors=None))


def _in_phases_of(reference: HeartFunction | None, options: FunctionOptions) -> FunctionOptions:
    """The frames that the reference was read in, so that the prediction is read in no others."""
    if reference is None or reference.ed is None or reference.es is None:
        return options
    return replace(options, phases=(reference.ed, reference.es))
