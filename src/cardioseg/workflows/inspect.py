"""What a file or a data set is: grid, orientation in words, intensities, labels, oddities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import MM3_PER_ML, Volume
from cardioseg.datasets import read_dataset
from cardioseg.errors import GeometryError
from cardioseg.io.nifti import read_frames
from cardioseg.io.nifti_file import read_header
from cardioseg.prepare.fingerprint import fingerprint
from cardioseg.prepare.preparation import native_plane
from cardioseg.workflows.provenance import Json

_SIDES = {
    "L": "left",
    "R": "right",
    "A": "front (anterior)",
    "P": "back (posterior)",
    "S": "head (superior)",
    "I": "feet (inferior)",
}
_SLICES = {"L": "sagittal", "R": "sagittal", "A": "coronal", "P": "coronal"}
_LARGEST_LABEL = 20
_FEW_SLICES = 4
_HUGE_SPACING_MM = 20.0
_OBLIQUE_DEGREES = 5.0


@dataclass(frozen=True)
class FileFacts:
    """Facts of one image or label file.

    Parameters
    ----------
    grid
        Shape, spacing and orientation in one line.
    axes
        One line an array axis: where it points, and which plane its slices are.
    native_plane
        The stack's own plane; empty where no spacing is the single largest.
    frames
        Number of frames.
    intensity
        Lowest, 1st percentile, median, 99th percentile, highest, over all frames.
    label_volumes_ml
        Volume of each value of the first frame, where the file looks like a label map.
    notes
        What is suspicious.
    """

    grid: str
    axes: tuple[str, ...]
    native_plane: str
    frames: int
    intensity: tuple[float, ...]
    label_volumes_ml: dict[str, float]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Json]:
        """The facts for a program."""
        return {
            "grid": self.grid,
            "axes": list(self.axes),
            "native_plane": self.native_plane,
            "frames": self.frames,
            "intensity": list(self.intensity),
            "label_volumes_ml": dict(self.label_volumes_ml),
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """The facts for a person."""
        low, first, median, last, high = self.intensity
        lines = [
            f"grid         {self.grid}",
            *(f"axis {n}       {words}" for n, words in enumerate(self.axes)),
            f"native plane {self.native_plane or 'none: name one with --plane'}",
            f"frames       {self.frames}",
            f"intensity    {low:g} to {high:g}; 1 % {first:g}, median {median:g}, 99 % {last:g}",
        ]
        lines += [f"label {v}      {ml:.1f} ml" for v, ml in self.label_volumes_ml.items()]
        lines += [f"suspicious   {note}" for note in self.notes]
        return "\n".join(lines)


@dataclass(frozen=True)
class DatasetFacts:
    """Facts of a data set.

    Parameters
    ----------
    name, license
        Of the reader.
    subjects, cases
        Counts.
    groups, phases
        Cases by pathology group and phase.
    spacing_mm, slices
        Smallest, median, largest.
    voxel_share
        Share of all voxels by structure, background included, 0 to 1.
    notes
        What is suspicious.
    """

    name: str
    license: str
    subjects: int
    cases: int
    groups: dict[str, int]
    phases: dict[str, int]
    spacing_mm: tuple[float, float, float]
    slices: tuple[float, float, float]
    voxel_share: dict[str, float]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Json]:
        """The facts for a program."""
        return {
            "name": self.name,
            "license": self.license,
            "subjects": self.subjects,
            "cases": self.cases,
            "groups": dict(self.groups),
            "phases": dict(self.phases),
            "spacing_mm": list(self.spacing_mm),
            "slices": list(self.slices),
            "voxel_share": dict(self.voxel_share),
            "notes": list(self.notes),
        }

    def to_text(self) -> str:
        """The facts for a person, with the class-frequency table."""
        counted = {
            "groups": ", ".join(f"{k} {v}" for k, v in self.groups.items()),
            "phases": ", ".join(f"{k} {v}" for k, v in self.phases.items()),
        }
        lines = [
            f"data set     {self.name} ({self.license})",
            f"subjects     {self.subjects}",
            f"cases        {self.cases}",
            *(f"{name:<12} {words}" for name, words in counted.items() if words),
            f"spacing      {_range_words(self.spacing_mm)} mm in plane",
            f"slices       {_range_words(self.slices)}",
        ]
        lines += [f"share        {s:<18} {v:8.3%}" for s, v in self.voxel_share.items()]
        lines += [f"suspicious   {note}" for note in self.notes]
        return "\n".join(lines)


def inspect_file(path: Path) -> FileFacts:
    """Read one file and say what it is.

    Raises
    ------
    FormatError, GeometryError
        If it cannot be read.
    """
    header = read_header(path)
    frames = read_frames(path)
    geometry = frames[0].geometry
    try:
        plane = native_plane(geometry)
    except GeometryError:
        plane = ""
    values = np.stack([frame.array for frame in frames])
    points = (values.min(), *np.percentile(values, (1, 50, 99)), values.max())
    return FileFacts(
        grid=geometry.describe(),
        axes=tuple(_axis_words(geometry, axis) for axis in range(3)),
        native_plane=plane,
        frames=len(frames),
        intensity=tuple(round(float(point), 4) for point in points),
        label_volumes_ml=_label_volumes(frames[0]),
        notes=(*header.notes, *_oddities(geometry, frames)),
    )


def inspect_dataset(spec: str) -> DatasetFacts:
    """Read every case of a data set and say what it is.

    Raises
    ------
    DatasetError
        If the folder does not have its layout.
    """
    dataset = read_dataset(spec)
    counts: Counter[str] = Counter()
    notes: list[str] = []
    for case in dataset.cases:
        if case.load_labels is None:
            notes.append(f"{case.id}: no reference labels")
            continue
        labels = case.labels()
        found = np.bincount(labels.array.ravel(), minlength=labels.scheme.class_count)
        names = ("background", *(s.name for s in labels.scheme.structures))
        counts.update(dict(zip(names, found.tolist(), strict=True)))
        absent = [name for name, voxels in zip(names, found, strict=True) if voxels == 0]
        notes += [f"{case.id}: {name} is absent" for name in absent]
    facts = fingerprint(dataset.cases)
    total = sum(counts.values()) or 1
    return DatasetFacts(
        name=dataset.name,
        license=dataset.license,
        subjects=len({case.subject for case in dataset.cases}),
        cases=len(dataset.cases),
        groups=dict(sorted(Counter(c.group for c in dataset.cases if c.group).items())),
        phases=dict(sorted(Counter(c.phase for c in dataset.cases if c.phase).items())),
        spacing_mm=_range(facts.spacing_mm),
        slices=_range(facts.slices),
        voxel_share={name: count / total for name, count in counts.items()},
        notes=tuple(notes),
    )


def _axis_words(geometry: Geometry, axis: int) -> str:
    letter = geometry.orientation[axis]
    cosine = float(np.abs(geometry.directions[:, axis]).max())
    angle = float(np.degrees(np.arccos(min(cosine, 1.0))))
    tilt = f", {angle:.0f} degrees oblique" if angle > _OBLIQUE_DEGREES else ""
    plane = _SLICES.get(letter, "axial")
    return f"to the patient's {_SIDES[letter]}{tilt}; its slices are {plane}"


def _label_volumes(volume: Volume) -> dict[str, float]:
    values = np.unique(volume.array)
    whole = len(values) <= _LARGEST_LABEL and (values == np.rint(values)).all()
    if not whole or values[0] < 0:
        return {}
    ml = volume.geometry.voxel_volume_mm3 / MM3_PER_ML
    return {f"{v:g}": float((volume.array == v).sum() * ml) for v in values if v != 0}


def _oddities(geometry: Geometry, frames: Sequence[Volume]) -> list[str]:
    found = []
    if not geometry.is_orthogonal:
        found.append(f"the axes are sheared (largest cosine {geometry.shear:.3f})")
    if min(geometry.shape) < _FEW_SLICES:
        found.append(f"only {min(geometry.shape)} slices along one axis")
    if max(geometry.spacing) > _HUGE_SPACING_MM:
        found.append(f"a spacing of {max(geometry.spacing):g} mm: are the units right?")
    if any(frame.array.min() == frame.array.max() for frame in frames):
        found.append("a frame is constant")
    directions = np.abs(geometry.directions)
    if np.allclose(directions, np.eye(3)) and geometry.orientation == "RAS":
        found.append("the affine is diagonal: the patient's orientation may be lost")
    return found


def _range(values: Sequence[float]) -> tuple[float, float, float]:
    return float(min(values)), float(np.median(values)), float(max(values))


def _range_words(values: tuple[float, float, float]) -> str:
    low, median, high = values
    return f"{low:.4g} to {high:.4g}, median {median:.4g}"
