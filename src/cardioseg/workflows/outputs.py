"""The kinds of output that `predict` writes: each a value with a name, an ending and a writer."""

from __future__ import annotations

import glob
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cardioseg.errors import ConfigError
from cardioseg.evaluation.function_record import frame_number, measurement_record
from cardioseg.io.atomic import write_text
from cardioseg.io.images import write_label_frames, write_labels
from cardioseg.workflows.provenance import FORMAT_VERSION, Json
from cardioseg.workflows.result import Result


@dataclass(frozen=True)
class Kind:
    """A kind of output.

    Parameters
    ----------
    name
        As `--write` takes it.
    endings
        What follows the input's name in each file that may be written; `*` stands for any letters
        where there are several.
    write
        Writes one result into a folder, each file whole or not at all.
    needs_dicom
        Whether only DICOM inputs can have it.
    """

    name: str
    endings: tuple[str, ...]
    write: Callable[[Result, Path], None]
    needs_dicom: bool = False

    def files_there(self, folder: Path, name: str) -> tuple[Path, ...]:
        """Files of this kind that a folder already holds for one name."""
        found = {
            path for ending in self.endings for path in folder.glob(glob.escape(name) + ending)
        }
        return tuple(sorted(found))


def write_nifti(result: Result, folder: Path) -> None:
    """Write NAME.nii.gz: the label map, of several frames as one 4-D file."""
    path, made_by = folder / f"{result.name}.nii.gz", result.provenance.model_id
    if len(result.phases) == 1:
        write_labels(result.chosen[0], path, made_by)
    else:
        write_label_frames(result.chosen, path, made_by, result.frame_ms)


def write_segmentation(result: Result, folder: Path) -> None:
    """Write NAME.seg.nrrd for 3D Slicer; of several frames NAME-phaseNN.seg.nrrd each, from 1."""
    several = len(result.phases) > 1
    for index, labels in zip(result.phases, result.chosen, strict=True):
        name = f"{result.name}-phase{index + 1:02d}" if several else result.name
        write_labels(labels, folder / f"{name}.seg.nrrd", result.provenance.model_id)


def write_facts(result: Result, folder: Path) -> None:
    """Write NAME.json: measurements, quality, volumes over the cycle, notes, provenance."""
    text = json.dumps(facts(result), indent=2, ensure_ascii=False)
    write_text(folder / f"{result.name}.json", text + "\n")


def facts(result: Result) -> dict[str, Json]:
    """What NAME.json holds; frames are counted from 1, and no identifier is in it."""
    made = result.provenance
    return {
        "format_version": FORMAT_VERSION,
        "name": result.name,
        "frames": [index + 1 for index in result.phases],
        "measurements": [measurement_record(each) for each in result.measurements],
        "quality": _quality(result),
        "function": _function(result),
        "notes": list(result.scan.notes),
        "provenance": {
            "model": made.model,
            "model_id": made.model_id,
            "engine": made.engine,
            "scheme": result.scheme.name,
            "version": version("cardioseg"),
            "input_sha256": result.input_sha256,
        },
    }


def write_seg_objects(result: Result, folder: Path) -> None:
    """Write NAME.seg.dcm; the library for it takes a second to import, so only who needs it."""
    from cardioseg.workflows.dicom_outputs import write_seg_of

    write_seg_of(result, folder)


def write_sr_object(result: Result, folder: Path) -> None:
    """Write NAME.sr.dcm."""
    from cardioseg.workflows.dicom_outputs import write_sr_of

    write_sr_of(result, folder)


def write_mesh_files(result: Result, folder: Path) -> None:
    """Write NAME-STRUCTURE.stl, NAME.glb and a picture."""
    from cardioseg.workflows.visual_outputs import write_models

    write_models(result, folder)


def write_report(result: Result, folder: Path) -> None:
    """Write NAME.html."""
    from cardioseg.workflows.visual_outputs import write_page

    write_page(result, folder)


def _quality(result: Result) -> Json:
    quality = result.quality
    if quality is None:
        return None
    return {
        "verdict": quality.verdict.value,
        "predicted_dice": dict(quality.predicted_dice),
        "reasons": [
            {"verdict": each.verdict.value, "rule": each.rule, "words": each.words}
            for each in quality.reasons
        ],
    }


def _function(result: Result) -> Json:
    function = result.function
    if function is None:
        return None
    return {
        "times_ms": list(function.times_ms),
        "volumes_ml": {
            name: [round(volume, 4) for volume in curve]
            for name, curve in function.volumes_ml.items()
        },
        "ed": frame_number(function.ed),
        "es": frame_number(function.es),
        "notes": list(function.notes),
    }


NIFTI = Kind("nifti", (".nii.gz",), write_nifti)
FACTS = Kind("json", (".json",), write_facts)
NRRD = Kind("nrrd", (".seg.nrrd", "-phase*.seg.nrrd"), write_segmentation)
SEG = Kind("seg", (".seg.dcm", "-phase*.seg.dcm"), write_seg_objects, needs_dicom=True)
SR = Kind("sr", (".sr.dcm",), write_sr_object, needs_dicom=True)
MESH = Kind(
    "mesh",
    tuple(
        f"{systole}{ending}"
        for systole in ("", "-es")
        for ending in ("-*.stl", ".glb", "-meshes.json", "-mesh.png")
    ),
    write_mesh_files,
)
REPORT = Kind("report", (".html",), write_report)

# The structured report refers to the SEG: SEG comes first.
KINDS: tuple[Kind, ...] = (NIFTI, FACTS, NRRD, SEG, SR, MESH, REPORT)
"""All kinds, in the order in which they are written; a new kind is one more value here."""


def kinds_named(words: str, kinds: tuple[Kind, ...] = KINDS) -> tuple[Kind, ...]:
    """The kinds that a list such as `nifti,json` names.

    NAME.json comes with every kind beyond the label map: reports and archives' objects tell what it
    holds.

    Raises
    ------
    ConfigError
        If a kind is unknown, or none is named; the message lists them.

    Examples
    --------
    >>> [kind.name for kind in kinds_named("nifti")]
    ['nifti']
    """
    wanted = {each.strip() for each in words.split(",") if each.strip()}
    known = [kind.name for kind in kinds]
    unknown = sorted(wanted - set(known))
    if unknown or not wanted:
        what = f"unknown output {', '.join(unknown)}" if unknown else "no output named"
        raise ConfigError(f"--write: {what}; choose from {', '.join(known)}")
    if wanted != {NIFTI.name}:
        wanted.add(FACTS.name)
    return tuple(kind for kind in kinds if kind.name in wanted)
