"""Heart function of files: label maps of frames or of a cine in, tables and figures out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import ACDC, LabelScheme
from cardioseg.core.scan import Body
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
from cardioseg.io.images import read_label_frames
from cardioseg.io.nifti_scheme import require_told, told_scheme
from cardioseg.io.scans import times_of
from cardioseg.workflows.function_output import FUNCTION_JSON, FunctionResults, write_function
from cardioseg.workflows.inputs import Input, gather_labels

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
        Time from frame to frame of a cine; None takes a NIfTI header's, where it has one.
    heart_rate_bpm
        Beats per minute; None where unknown.
    errors
        Document of measured errors, for intervals.
    reference
        Data set as `KIND:FOLDER`: names the phases, and its labels are compared with.
    orientation_known
        Whether the grids' directions are the patients'; a reference data set says it itself.
    """

    scheme: LabelScheme | None = None
    body: Body = field(default_factory=Body)
    frame_ms: float | None = None
    heart_rate_bpm: float | None = None
    errors: Path | None = None
    reference: str = ""
    orientation_known: bool = True


@dataclass(frozen=True)
class _Subject:
    """One heart: its label files in the order of time."""

    name: str
    files: tuple[Input, ...]


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
        name is the same before `_frame` are frames of one heart.
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
        If the reference lacks a case or its labels.
    ConfigError
        If a person's body or heart rate is given and there are several hearts.
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
    subjects = _subjects(gather_labels(labels))
    if len(subjects) > 1 and (inputs.body != Body() or inputs.heart_rate_bpm is not None):
        raise ConfigError(
            f"{labels}: {len(subjects)} hearts; height, weight, sex, age and heart rate are one "
            "person's: give that person's label maps alone"
        )
    scheme = _scheme(subjects, inputs.scheme)
    functions: dict[str, HeartFunction] = {}
    groups: dict[str, str] = {}
    pairs: list[FunctionPair] = []
    for done, subject in enumerate(subjects):
        watch(done, len(subjects), subject.name)
        options = FunctionOptions(None, inputs.heart_rate_bpm, errors, inputs.orientation_known)
        try:
            known = _cases_of(subject, cases) if inputs.reference else ()
            options = _with_phases(options, known)
            function = _measure(subject, scheme, inputs, options)
            functions[subject.name] = function
            groups[subject.name] = known[0].group if known else _group(subject)
            if known:
                pairs.append(_pair(subject, function, known, scheme))
        except CardiosegError as error:
            words = str(error)
            place = str(subject.files[0].path)
            raise type(error)(words if place in words else f"{place}: {words}") from error
    watch(len(subjects), len(subjects), "")
    named = {name: group for name, group in groups.items() if group}
    kind = inputs.reference.partition(":")[0]
    results = FunctionResults(scheme, functions, tuple(pairs), named, kind)
    if output is not None:
        files = [each for subject in subjects for each in subject.files]
        write_function(results, files, output, started)
    return results


def _read_errors(path: Path) -> MeasuredErrors:
    try:
        return MeasuredErrors.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not a document of measured errors: not text") from error
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error


def _subjects(files: Sequence[Input]) -> tuple[_Subject, ...]:
    ordered = sorted(files, key=_frame_number)
    names = dict.fromkeys(each.subject for each in files)
    return tuple(_Subject(name, tuple(e for e in ordered if e.subject == name)) for name in names)


def _frame_number(file: Input) -> tuple[int, str]:
    """Frame 2 comes before frame 10, however many digits the names have."""
    number = file.name.removeprefix(file.subject).removeprefix("_frame")
    return (int(number) if number.isdigit() else 0, file.name)


def _group(subject: _Subject) -> str:
    file = subject.files[0]
    return phase_and_group(file.path.parent, file.name)[1]


def _frames(subject: _Subject, scheme: LabelScheme) -> tuple[LabelMap, ...]:
    frames = [read_label_frames(each.path, scheme) for each in subject.files]
    if len(frames) > 1 and any(len(each) > 1 for each in frames):
        raise DatasetError(
            f"{subject.name}: several files, one of them a cine; give one cine or single frames"
        )
    return tuple(frame for each in frames for frame in each)


def _scheme(subjects: Sequence[_Subject], given: LabelScheme | None) -> LabelScheme:
    """The scheme that is given or told by the files' headers; all must agree."""
    paths = [each.path for subject in subjects for each in subject.files]
    told = dict.fromkeys(found for path in paths if (found := told_scheme(path)) is not None)
    scheme = given or next(iter(told), ACDC)
    for path in paths:
        require_told(path, scheme)
    return scheme


def _measure(
    subject: _Subject, scheme: LabelScheme, inputs: FunctionInputs, options: FunctionOptions
) -> HeartFunction:
    labels = _frames(subject, scheme)
    times: tuple[float, ...] = ()
    # Frames of several files are phases of a cycle that is not there as a whole.
    if len(subject.files) == 1:
        times = times_of(subject.files[0].path)[0]
        if inputs.frame_ms is not None:
            times = tuple(inputs.frame_ms * number for number in range(len(labels)))
    return heart_function(labels, times, inputs.body, options)


def _cases_of(subject: _Subject, cases: Mapping[str, Case]) -> tuple[Case, ...]:
    missing = [each.name for each in subject.files if each.name not in cases]
    if missing:
        raise DatasetError(f"the reference has no case {missing[0]}; names must be the data set's")
    return tuple(cases[each.name] for each in subject.files)


def _with_phases(options: FunctionOptions, known: Sequence[Case]) -> FunctionOptions:
    """Phases and orientation as the data set names them."""
    if not known:
        return options
    oriented = all(case.orientation_known for case in known)
    phases = [case.phase for case in known]
    both = (phases.index("ED"), phases.index("ES")) if {"ED", "ES"} <= set(phases) else None
    return replace(options, phases=both, orientation_known=oriented)


def _pair(
    subject: _Subject, predicted: HeartFunction, known: Sequence[Case], scheme: LabelScheme
) -> FunctionPair:
    labels = [case.labels().read_as(scheme) for case in known]
    options = _with_phases(FunctionOptions(), known)
    reference = heart_function(labels, options=options)
    return FunctionPair(subject.name, known[0].group, predicted, reference)
