"""A repaired copy of a data set, as an nnU-Net raw folder; the set itself is never changed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.case import Case, subject_of
from cardioseg.core.geometry import require_same_grid
from cardioseg.data.looks import combined_digest
from cardioseg.errors import GeometryError, LabelError, OutputExistsError
from cardioseg.io.atomic import write_text
from cardioseg.io.images import write_labels, write_volume
from cardioseg.workflows.doctor.examine import Examination
from cardioseg.workflows.doctor.look import Seen
from cardioseg.workflows.doctor.repair import Repair
from cardioseg.workflows.provenance import Json, write_run

FINDINGS = "findings.json"

Watch = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Copy:
    """What the copy holds.

    Parameters
    ----------
    cases
        Ids of the cases written.
    repaired
        Of these, the ones that were mended.
    left_out
        Cases that are not in the copy, and why.
    """

    cases: tuple[str, ...]
    repaired: tuple[str, ...]
    left_out: dict[str, str]

    def to_text(self) -> str:
        """What was done, in lines."""
        lines = [f"{len(self.cases)} cases copied, {len(self.repaired)} of them mended"]
        lines += [f"left out {case}: {why}" for case, why in self.left_out.items()]
        return "\n".join(lines)


def write_repaired(
    examination: Examination, output: Path, watch: Watch = lambda done, total, name: None
) -> Copy:
    """Write the set with every repair made; read it as `nnunet:OUTPUT`.

    Cases whose image or labels cannot be read, or whose labels fit no grid, are left out; what
    cannot be mended otherwise is copied as it is. A case's name starts with its subject and
    `_frame`, so that frames of one subject stay together.

    Parameters
    ----------
    examination
        What `examine` found.
    output
        New folder: imagesTr, labelsTr, imagesTs (cases without labels), dataset.json,
        findings.json (what was found, and what became of it) and run.json.
    watch
        Gets cases done, cases in all and a name.

    Raises
    ------
    OutputExistsError
        If `output` is not empty.
    """
    started = time.monotonic()
    if output.is_dir() and any(output.iterdir()):
        raise OutputExistsError(f"{output}: is not empty; name another folder")
    for name in ("imagesTr", "labelsTr"):
        (output / name).mkdir(parents=True, exist_ok=True)
    unread = {
        f.case: f.what for f in examination.findings if f.kind in {"unreadable", "label-values"}
    }
    written, repaired, left_out = [], [], dict(unread)
    for done, each in enumerate(examination.seen):
        watch(done, len(examination.seen), each.case.id)
        if each.case.id in unread:
            continue
        try:
            _write(each, output)
        except (GeometryError, LabelError) as error:
            left_out[each.case.id] = str(error)
            continue
        written.append(each.case.id)
        if each.repair != Repair():
            repaired.append(each.case.id)
    copy = Copy(tuple(written), tuple(repaired), left_out)
    _describe(examination, copy, output)
    run: dict[str, Json] = {
        "data": examination.dataset.name,
        "data_digest": combined_digest(each.digest for each in examination.seen),
        "cases": len(copy.cases),
        "repaired": len(copy.repaired),
        "left_out": len(copy.left_out),
    }
    write_run(output, "inspect", run, started)
    return copy


def _write(each: Seen, output: Path) -> None:
    case, name = each.case, copy_name(each.case)
    if case.load_labels is None:
        (output / "imagesTs").mkdir(exist_ok=True)
        write_volume(case.image(), output / "imagesTs" / f"{name}_0000.nii.gz")
        return
    image, labels = each.repair.apply(case.image(), case.labels())
    require_same_grid(labels.geometry, image.geometry, f"case {case.id}: labels and image")
    write_volume(image, output / "imagesTr" / f"{name}_0000.nii.gz")
    write_labels(labels, output / "labelsTr" / f"{name}.nii.gz")


def copy_name(case: Case) -> str:
    """A case's name in the copy: one from which its subject can be read.

    Examples
    --------
    >>> copy_name(Case("patient002_frame01", "patient002", list))
    'patient002_frame01'
    >>> copy_name(Case("a_b", "a", list))
    'a_frame_a_b'
    """
    same = subject_of(case.id) == case.subject
    return case.id if same else f"{case.subject}_frame_{case.id}"


def _describe(examination: Examination, copy: Copy, output: Path) -> None:
    dataset = examination.dataset
    labels = {"background": 0, **{s.name: s.value for s in dataset.scheme.structures}}
    description = {
        "name": dataset.name,
        "licence": dataset.license,
        "reference": dataset.citation,
        "channel_names": {"0": "MR"},
        "labels": labels,
        "numTraining": len(list((output / "labelsTr").iterdir())),
        "file_ending": ".nii.gz",
    }
    write_text(output / "dataset.json", json.dumps(description, indent=2) + "\n")
    facts: dict[str, Json] = {
        "findings": [finding.to_dict() for finding in examination.findings],
        "repaired": list(copy.repaired),
        "left_out": dict(copy.left_out),
    }
    write_text(output / FINDINGS, json.dumps({"format_version": 1, **facts}, indent=2) + "\n")
