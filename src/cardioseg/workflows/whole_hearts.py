"""Synthetic whole-heart scans as files, in nnU-Net's layout with a split beside them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap
from cardioseg.data.leakage import require_no_leak
from cardioseg.data.looks import Look, Looks, look_at
from cardioseg.data.splits import Split, subjects_of
from cardioseg.errors import ConfigError, DatasetError, OutputExistsError
from cardioseg.io.atomic import is_empty, make_folder, write_text
from cardioseg.io.nifti import read_labels, write_labels, write_volume
from cardioseg.phantom import HARDER, congenital_case, heart_box, implanted_case
from cardioseg.workflows.inputs import gather_labels
from cardioseg.workflows.processes import in_processes
from cardioseg.workflows.provenance import Json, write_run

SPLIT = "split.json"

_OWN_TERMS = "free: synthetic, no patient's data in it"
_BOUND_TERMS = "that of the label maps it is made from"

Watch = Callable[[int, int, str], None]


@dataclass(frozen=True)
class WholeHearts:
    """What to write.

    Parameters
    ----------
    count
        Scans for training.
    validation
        Scans for validation: phantoms of a setting beyond training's.
    seed
        The same seed gives the same scans.
    labels
        Folder of label maps (1 myocardium, 2 blood pool) whose hearts are put into phantom
        thoraxes; None draws phantom hearts.
    leave_out
        Label maps with one of these words in their name are not used.

    Raises
    ------
    ConfigError
        If something is to be left out of no label maps.
    """

    count: int
    validation: int = 0
    seed: int = 0
    labels: Path | None = None
    leave_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.leave_out and self.labels is None:
            raise ConfigError("`leave_out` names label maps, and `labels` is None: give a folder")

    def training(self) -> tuple[Case, ...]:
        """The scans for training; made when asked for.

        Raises
        ------
        DatasetError
            If there is no label map, or all are left out.
        """
        if self.labels is None:
            return tuple(congenital_case(self.seed, n) for n in range(self.count))
        sources = heart_boxes(self.labels, self.leave_out)
        return tuple(implanted_case(sources, self.seed, n) for n in range(self.count))

    def held_out(self) -> tuple[Case, ...]:
        """The scans for validation; of other patients than any for training."""
        return tuple(congenital_case(self.seed, n, HARDER) for n in range(self.validation))


def heart_boxes(folder: Path, leave_out: Sequence[str] = ()) -> tuple[tuple[str, LabelMap], ...]:
    """Names and hearts of the label maps of a folder.

    Raises
    ------
    DatasetError
        If there is none, or all are left out.
    """
    found = gather_labels(folder)
    kept = [each for each in found if not any(word in each.name for word in leave_out)]
    if not kept:
        raise DatasetError(f"{folder}: all {len(found)} label maps are left out; leave out fewer")
    return tuple((each.name, heart_box(read_labels(each.path, MYOCARDIUM_BLOOD))) for each in kept)


def write_whole_hearts(
    output: Path,
    wanted: WholeHearts,
    watch: Watch = lambda done, total, name: None,
    processes: int = 1,
) -> int:
    """Write scans and labels as imagesTr and labelsTr, dataset.json and split.json.

    Parameters
    ----------
    output
        Folder that is empty or not there.
    wanted
        The scans; the same ones are the same bytes, however many processes make them.
    watch
        Told how many scans are done, of how many, and the name of the next.
    processes
        See :func:`cardioseg.workflows.processes.in_processes`.

    Returns
    -------
    int
        Scans written.

    Raises
    ------
    OutputExistsError
        If `output` is not empty.
    DatasetError
        If there is no label map to use.
    LeakageError
        If a heart for validation is one for training; no split and no dataset.json is written then.
    ProcessError
        If one of several processes ends early.
    """
    started = time.monotonic()
    if not is_empty(output):
        raise OutputExistsError(f"{output}: is not empty; name another folder")
    training, validation = wanted.training(), wanted.held_out()
    for folder in ("imagesTr", "labelsTr"):
        make_folder(output / folder)
    cases, looks = (*training, *validation), Looks()
    watch(0, len(cases), cases[0].id if cases else "")
    made = in_processes(partial(_write, output), cases, processes)
    for done, (case, look) in enumerate(zip(cases, made, strict=True), 1):
        looks.keep(case, look)
        watch(done, len(cases), cases[done].id if done < len(cases) else "")
    require_no_leak({"training": training, "validation": validation}, looks)
    if validation:
        split = Split(subjects_of(training), subjects_of(validation))
        write_text(output / SPLIT, split.to_json())
    write_text(output / "dataset.json", _description(wanted, len(cases)))
    facts: dict[str, Json] = {
        "seed": wanted.seed,
        "scans": len(cases),
        "validation": wanted.validation,
        "from_labels": wanted.labels is not None,
    }
    write_run(output, "phantom", facts, started)
    return len(cases)


def _write(output: Path, case: Case) -> Look:
    image, labels = case.pair()
    write_volume(image, output / "imagesTr" / f"{case.id}_0000.nii.gz")
    write_labels(labels, output / "labelsTr" / f"{case.id}.nii.gz")
    return look_at(image, labels)


def _description(wanted: WholeHearts, count: int) -> str:
    structures = {s.name: s.value for s in MYOCARDIUM_BLOOD.structures}
    facts = {
        "name": "whole-heart phantoms" if wanted.labels is None else "implanted label maps",
        "channel_names": {"0": "synthetic MR"},
        "labels": {"background": 0, **structures},
        "numTraining": count,
        "file_ending": ".nii.gz",
        "licence": _OWN_TERMS if wanted.labels is None else _BOUND_TERMS,
        "seed": wanted.seed,
    }
    return json.dumps(facts, indent=1) + "\n"
