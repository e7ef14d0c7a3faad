"""Heart function of files: label maps of frames or of a cine in, tables and figures out."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cardioseg.core.case import Case, phase_of
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
from cardioseg.io.header_scheme import require_told, told_scheme
from cardioseg.io.images import read_label_frames
from cardioseg.io.scans import times_of
from cardioseg.workflows.function_output import FUNCTION_JSON, FunctionResults, write_function
from cardioseg.workflows.inputs import Input, gather_labels
from cardioseg.workflows.made import makers_of

_FRAME = re.compile(r"_frame(\d+)")

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
    """One heart: its label files in the order of time, and names of files that are left out."""

    name: str
    files: tuple[Input, ...]
    left_out: tuple[str, ...] = ()

    @property
    def frame_numbers(self) -> tuple[int, ...]:
        """Numbers of the frames by their files' names; empty where a name lacks it."""
        found = [number for each in self.files if (number := _frame_number(each)) is not None]
        is_told = 1 < len(self.files) == len(set(found))
        return tuple(found) if is_told else ()


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
        name is the same before `_frame` are frames of one heart, as are NAME_ED and NAME_ES.
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
        If a person's body or heart rate is given and there are several hearts, or a time from frame
        to frame and files that do not tell their frames.
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
            groups[subject.name] = known[0].group if known else _group(subject)
            options = _with_frames(options, subject, known)
            reference = _reference(known, scheme, options)
            options = _in_phases_of(reference, options)
            function = functions[subject.name] = _measure(subject, scheme, inputs, options)
            if reference is not None:
                pairs.append(FunctionPair(subject.name, groups[subject.name], function, reference))
        except CardiosegError as error:
            words = str(error)
            place = str(subject.files[0].path)
            raise type(error)(words if place in words else f"{place}: {words}") from error
    watch(len(subjects), len(subjects), "")
    named = {name: group for name, group in groups.items() if group}
    kind = inputs.reference.partition(":")[0]
    files = [each for subject in subjects for each in subject.files]
    results = FunctionResults(scheme, functions, tuple(pairs), named, kind, makers=makers_of(files))
    if output is not None:
        write_function(results, files, output, started, kept=inputs.errors)
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
    ordered = sorted(files, key=_in_time)
    names = dict.fromkeys(each.subject for each in files)
    return tuple(_subject(name, [e for e in ordered if e.subject == name]) for name in names)


def _subject(name: str, files: Sequence[Input]) -> _Subject:
    """A heart; beside a file with its plain name, phases are copies of that one's frames."""
    phases = [each for each in files if phase_of(each.name)]
    if any(each.name == name for each in files) and phases:
        rest = tuple(each for each in files if each not in phases)
        return _Subject(name, rest, tuple(each.name for each in phases))
    return _Subject(name, tuple(files))


def _frame_number(file: Input) -> int | None:
    match = _FRAME.search(file.name)
    return int(match[1]) if match else None


def _in_time(file: Input) -> tuple[int, str]:
    """Frame 2 comes before frame 10, however many digits the names have."""
    return (_frame_number(file) or 0, file.name)


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
    found = heart_function(labels, _times(subject, inputs, len(labels)), inputs.body, options)
    if not subject.left_out:
        return found
    beside = f"{' and '.join(subject.left_out)} beside {subject.name} left out"
    return replace(found, notes=(*found.notes, beside))


def _times(subject: _Subject, inputs: FunctionInputs, count: int) -> tuple[float, ...]:
    """Times of the frames, in ms: as given, by the numbers of several files, else by the header."""
    if inputs.frame_ms is None:
        # Files of frames do not say how far apart they are.
        return times_of(subject.files[0].path)[0] if len(subject.files) == 1 else ()
    if len(subject.files) == 1:
        return tuple(inputs.frame_ms * number for number in range(count))
    numbers = subject.frame_numbers
    if not numbers:
        raise ConfigError(
            f"--frame-ms: the files of {subject.name} do not all tell which frame they are; name "
            f"them {subject.name}_frame01 and so on, or leave it out"
        )
    return tuple(inputs.frame_ms * (number - numbers[0]) for number in numbers)


def _cases_of(subject: _Subject, cases: Mapping[str, Case]) -> tuple[Case, ...]:
    missing = [each.name for each in subject.files if each.name not in cases]
    if missing:
        raise DatasetError(f"the reference has no case {missing[0]}; names must be the data set's")
    return tuple(cases[each.name] for each in subject.files)


def _with_frames(
    options: FunctionOptions, subject: _Subject, known: Sequence[Case]
) -> FunctionOptions:
    """Phases as the data set or the files' names tell them, frame numbers, and orientation."""
    told = [case.phase for case in known]
    phases = told if any(told) else [phase_of(each.name) for each in subject.files]
    both = (phases.index("ED"), phases.index("ES")) if {"ED", "ES"} <= set(phases) else None
    oriented = options.orientation_known
    if known:
        oriented = all(case.orientation_known for case in known)
    return replace(
        options,
        phases=both,
        orientation_known=oriented,
        frame_numbers=subject.frame_numbers,
    )


def _reference(
    known: Sequence[Case], scheme: LabelScheme, options: FunctionOptions
) -> HeartFunction | None:
    """Function of the data set's own labels; None without any."""
    if not known:
        return None
    labels = [case.labels().read_as(scheme) for case in known]
    return heart_function(labels, options=replace(options, heart_rate_bpm=None, errors=None))


def _in_phases_of(reference: HeartFunction | None, options: FunctionOptions) -> FunctionOptions:
    """The frames that the reference was read in, so that the prediction is read in no others."""
    if reference is None or reference.ed is None or reference.es is None:
        return options
    return replace(options, phases=(reference.ed, reference.es))
