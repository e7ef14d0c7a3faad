"""Several observers' folders of label maps: compared, and joined to a consensus."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap
from cardioseg.errors import DatasetError, OutputExistsError
from cardioseg.evaluation.figures import png_bytes
from cardioseg.evaluation.observers import ObserverStudy, study_observers
from cardioseg.evaluation.observers_charts import (
    agreement_chart,
    least_agreement,
    outlines_figure,
    volume_chart,
)
from cardioseg.evaluation.observers_document import Told, observers_document, verdict_sentences
from cardioseg.evaluation.readings import (
    Reading,
    against_consensus,
    heart_box,
    read_case,
    readings_csv,
    staple_readings,
)
from cardioseg.evaluation.staple import majority, staple
from cardioseg.evaluation.volumetry import ONE_SLICE
from cardioseg.io.atomic import make_folder, write_bytes, write_text
from cardioseg.io.images import read_volume, write_labels
from cardioseg.workflows.inputs import gather_images
from cardioseg.workflows.observer_files import (
    ObservedCase,
    ObserverFolders,
    Raters,
    gather_raters,
    matched_cases,
    numbered_scheme,
    on_one_grid,
    read_rated,
)
from cardioseg.workflows.provenance import Json, file_digest, write_run

OBSERVERS_JSON, OBSERVERS_CSV, OBSERVERS_MD = "observers.json", "observers.csv", "observers.md"
FORMAT_VERSION = 1
BOOTSTRAP_SEED = 0

Watch = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Observed:
    """A finished study, and what must be told about its files."""

    study: ObserverStudy
    told: Told

    @property
    def document(self) -> str:
        """The study as Markdown."""
        return observers_document(self.study, self.told)

    def to_json(self) -> str:
        """The study as JSON: verdicts, notes, and every figure."""
        study = self.study
        content = {
            "format_version": FORMAT_VERSION,
            "observers": study.observers,
            "model": study.model,
            "cases": self.told.cases,
            "patients": self.told.patients,
            "verdicts": verdict_sentences(study),
            "notes": self.told.notes,
            "pairs": [asdict(each) for each in study.pairs],
            "biases": [asdict(each) for each in study.biases],
            "reliability": [asdict(each) for each in study.reliability],
            "standings": [{**asdict(each), "place": each.place} for each in study.standings],
            "readings": [asdict(each) for each in study.readings],
        }
        return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def compare_observers(
    folders: ObserverFolders,
    output: Path | None = None,
    *,
    write_consensus: bool = False,
    force: bool = False,
    watch: Watch = lambda done, total, name: None,
) -> Observed:
    """Compare observers' label maps, and place a model in their spread.

    Parameters
    ----------
    folders
        Whose label maps, and how to read them.
    output
        Folder for observers.md, observers.json, observers.csv, three pictures and run.json; None
        writes nothing.
    write_consensus
        Also write consensus/staple/NAME.nii.gz and consensus/majority/NAME.nii.gz.
    force
        Overwrite a study that is there.
    watch
        Called with cases done, cases in all, and the name of the next.

    Raises
    ------
    DatasetError
        With fewer than two observers, two of one name, or no case that all of them have on one
        grid; also if a consensus is to be written, or images are given, without `output`.
    OutputExistsError
        If `output` holds a study and `force` is not set.
    LabelError
        If a header tells a scheme that cannot be read as that of `folders`, or, where that has
        none, headers tell different ones.
    CardiosegError
        If a file cannot be read.
    """
    started = time.monotonic()
    if write_consensus and output is None:
        raise DatasetError("a consensus needs a folder to be written to: add --output")
    if folders.images and output is None:
        raise DatasetError("a picture on an image needs a folder to be written to: add --output")
    if output and (output / OBSERVERS_JSON).exists() and not force:
        raise OutputExistsError(f"{output}: holds a study; add --force to overwrite it")
    raters = gather_raters(folders)
    cases, notes = matched_cases(raters, folders.model is not None)
    scheme = folders.scheme or numbered_scheme(cases)
    consensus = output / "consensus" if output and write_consensus else None
    readings, measured, found = _measure_all(cases, scheme, (raters.observers, consensus), watch)
    notes += found
    if len(raters.observers) == 2:
        notes.append(
            "Of two observers STAPLE cannot tell who is right: its consensus and rates rest on how "
            "common each structure is."
        )
    model = _model_name(raters, readings)
    study = study_observers(
        readings, raters.observers, model, np.random.default_rng(BOOTSTRAP_SEED)
    )
    if not study.structures:
        raise DatasetError(
            "no case that all observers have on one grid holds a label; " + " ".join(notes)
        )
    told = Told(len(measured), len({case.subject for case in measured}), tuple(notes))
    observed = Observed(study, told)
    if output:
        _write(observed, output, measured, folders, scheme)
        write_run(output, "observers", _facts(observed, measured, scheme), started)
    return observed


def _measure_all(
    cases: Sequence[ObservedCase],
    scheme: LabelScheme,
    whose_and_where: tuple[Sequence[str], Path | None],
    watch: Watch,
) -> tuple[list[Reading], list[ObservedCase], list[str]]:
    """Readings of the cases that lie on one grid, those cases, and notes."""
    observers, consensus = whose_and_where
    readings: list[Reading] = []
    measured: list[ObservedCase] = []
    notes: list[str] = []
    ties = 0
    for done, case in enumerate(cases):
        watch(done, len(cases), case.name)
        labels = {name: read_rated(path, scheme) for name, path in case.files.items()}
        kept, found = on_one_grid(case.name, labels, observers)
        notes += found
        if kept:
            measured.append(case)
            rows, tied, found = _measure(case, kept, observers, consensus)
            readings += rows
            notes += found
            ties += tied
    watch(len(cases), len(cases), "")
    if ties:
        notes.append(
            f"The vote is tied at {ties} voxels; the majority takes the lowest label there, "
            "background first."
        )
    if flat := {r.case for r in readings if r.note == ONE_SLICE}:
        notes.append(f"Volumes of {len(flat)} cases are undefined: {ONE_SLICE}.")
    return readings, measured, notes


def _measure(
    case: ObservedCase,
    labels: Mapping[str, LabelMap],
    observers: Sequence[str],
    consensus: Path | None,
) -> tuple[list[Reading], int, list[str]]:
    """All readings of one case, tied voxels, notes; the consensus goes to its folder."""
    ours = [labels[name] for name in observers]
    box = heart_box(ours)
    parts = [each.array[box] for each in ours]
    voted, estimated = majority(parts), staple(parts, ours[0].scheme.class_count)
    joined = {
        "majority": _filled(voted.labels, ours[0], box),
        "staple": _filled(estimated.consensus.labels, ours[0], box),
    }
    rows = [
        *read_case(labels, case.name, case.subject),
        *staple_readings(estimated, observers, ours[0], case.name, case.subject),
        *against_consensus(labels, joined["staple"], case.name, case.subject),
    ]
    notes = []
    if not estimated.converged:
        notes.append(f"{case.name}: STAPLE stopped before it converged; read it with care.")
    if consensus:
        for name, label_map in joined.items():
            make_folder(consensus / name)
            write_labels(label_map, consensus / name / f"{case.name}.nii.gz", f"{name} consensus")
    return rows, voted.tied, notes


def _filled(
    part: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    like: LabelMap,
    box: tuple[slice, slice, slice],
) -> LabelMap:
    """Labels of a box on the whole grid, background around it."""
    array = np.zeros(like.array.shape, np.uint8)
    array[box] = part
    return LabelMap(array, like.geometry, like.scheme)


def _model_name(raters: Raters, readings: Sequence[Reading]) -> str:
    """The model's name, if any case has its label map beside the observers'."""
    if raters.model and all(r.first != raters.model for r in readings):
        raise DatasetError(
            f"the model's folder {raters.model} has no label map of a case that the observers "
            "have, on their grid"
        )
    return raters.model


def _write(
    observed: Observed,
    output: Path,
    cases: Sequence[ObservedCase],
    folders: ObserverFolders,
    scheme: LabelScheme,
) -> None:
    make_folder(output)
    study = observed.study
    shown = least_agreement(study)
    files = next(case.files for case in cases if case.name == shown)
    labels = {name: read_rated(path, scheme) for name, path in files.items()}
    image = None
    if folders.images:
        found = {each.name: each.path for each in gather_images([folders.images])}
        image = read_volume(found[shown]) if shown in found else None
    grid = labels[study.observers[0]].geometry
    labels = {name: each for name, each in labels.items() if each.geometry.is_same(grid)}
    pictures = {
        "agreement.png": agreement_chart(study),
        "volumes.png": volume_chart(study),
        "outlines.png": outlines_figure(labels, image),
    }
    for name, figure in pictures.items():
        write_bytes(output / name, png_bytes(figure))
    write_text(output / OBSERVERS_MD, observed.document)
    write_text(output / OBSERVERS_CSV, readings_csv(study.readings))
    write_text(output / OBSERVERS_JSON, observed.to_json())


def _facts(
    observed: Observed, cases: Sequence[ObservedCase], scheme: LabelScheme
) -> dict[str, Json]:
    """What decides the study, for run.json."""
    records: list[Json] = [
        {"name": case.name, "rater": rater, "sha256": file_digest(path)}
        for case in cases
        for rater, path in case.files.items()
    ]
    return {
        "scheme": scheme.name,
        "bootstrap_seed": BOOTSTRAP_SEED,
        "shown_case": least_agreement(observed.study),
        "files": records,
    }
