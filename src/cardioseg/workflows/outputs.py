"""The kinds of output that `predict` writes: each a value with a name, an ending and a writer."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cardioseg.core.labels import SCHEMES
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
        What follows the input's name in each file that may be written; `*` stands for the number
        of a frame.
    write
        Writes one result into a folder, each file whole or not at all; returns the files.
    needs_dicom
        Whether only DICOM inputs can have it.
    """

    name: str
    endings: tuple[str, ...]
    write: Callable[[Result, Path], tuple[Path, ...]]
    needs_dicom: bool = False

    def files_there(self, folder: Path, name: str) -> tuple[Path, ...]:
        """Files of this kind that a folder already holds for one name."""
        found = {
            path
            for ending in self.endings
            for path in folder.glob(glob.escape(name) + ending)
            if self.may_end(path.name.removeprefix(name))
        }
        return tuple(sorted(found))

    def may_end(self, rest: str) -> bool:
        """Whether what follows a name is one of the endings.

        Examples
        --------
        >>> [NRRD.may_end(each) for each in (".seg.nrrd", "-phase07.seg.nrrd", "-2.seg.nrrd")]
        [True, True, False]
        """
        patterns = (re.escape(ending).replace(r"\*", r"\d+") for ending in self.endings)
        return any(re.fullmatch(pattern, rest) for pattern in patterns)

    def write_anew(self, result: Result, folder: Path) -> None:
        """Write, then remove former files of this name that belong to no file written now."""
        former = self.files_there(folder, result.name)
        written = self.write(result, folder)
        for path in set(former) - set(written):
            path.unlink(missing_ok=True)


def write_nifti(result: Result, folder: Path) -> tuple[Path, ...]:
    """Write NAME.nii.gz: the label map, of several frames as one 4-D file."""
    path, made_by = folder / f"{result.name}.nii.gz", result.provenance.model_id
    if len(result.phases) == 1:
        write_labels(result.chosen[0], path, made_by)
    else:
        write_label_frames(result.chosen, path, made_by, result.frame_ms)
    return (path,)


def write_segmentation(result: Result, folder: Path) -> tuple[Path, ...]:
    """Write NAME.seg.nrrd for 3D Slicer; of several frames NAME-phaseNN.seg.nrrd each, from 1."""
    several = len(result.phases) > 1
    written = []
    for index, labels in zip(result.phases, result.chosen, strict=True):
        name = f"{result.name}-phase{index + 1:02d}" if several else result.name
        path = folder / f"{name}.seg.nrrd"
        write_labels(labels, path, result.provenance.model_id)
        written.append(path)
    return tuple(written)


def write_facts(result: Result, folder: Path) -> tuple[Path, ...]:
    """Write NAME.json: measurements, quality, volumes over the cycle, notes, provenance."""
    text = json.dumps(facts(result), indent=2, ensure_ascii=False)
    path = folder / f"{result.name}.json"
    write_text(path, text + "\n")
    return (path,)


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


def write_seg_objects(result: Result, folder: Path) -> tuple[Path, ...]:
    """Write NAME.seg.dcm; the library for it takes a second to import, so only who needs it."""
    from cardioseg.workflows.dicom_outputs import write_seg_of

    return write_seg_of(result, folder)


def write_sr_object(result: Result, folder: Path) -> tuple[Path, ...]:
    """Write NAME.sr.dcm."""
    from cardioseg.workflows.dicom_outputs import write_sr_of

    return write_sr_of(result, folder)


def write_mesh_files(result: Result, folder: Path) -> tuple[Path, ...]:
    """Write NAME-STRUCTURE.stl, NAME.glb and a picture."""
    from cardioseg.workflows.visual_outputs import write_models

    return write_models(result, folder)


def write_report(result: Result, folder: Path) -> tuple[Path, ...]:
    """Write NAME.html."""
    from cardioseg.workflows.visual_outputs import write_page

    return write_page(result, folder)


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


_STRUCTURES = sorted({each.name for scheme in SCHEMES for each in scheme.structures})

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
        for ending in (
            *(f"-{name.replace(' ', '-')}.stl" for name in _STRUCTURES),
            ".glb",
            "-meshes.json",
            "-mesh.png",
        )
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
