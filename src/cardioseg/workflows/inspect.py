"""What one image or label file is: grid, orientation, intensities, labels, what is suspicious."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import MM3_PER_ML
from cardioseg.errors import ReadWarning
from cardioseg.io.nifti import read_frames
from cardioseg.io.nifti_file import read_header
from cardioseg.workflows.grid_words import axis_words, own_plane_words
from cardioseg.workflows.inspect_dataset import DatasetFacts, dataset_facts, inspect_dataset
from cardioseg.workflows.provenance import Json
from cardioseg.workflows.suspicions import header_suspicions, orientation_lost, value_suspicions

__all__ = ["DatasetFacts", "FileFacts", "dataset_facts", "inspect_dataset", "inspect_file"]

_MOST_LABELS = 20
_PERCENTILES = {"min": 0, "p1": 1, "median": 50, "p99": 99, "max": 100}


@dataclass(frozen=True)
class FileFacts:
    """Facts of one file.

    Parameters
    ----------
    name
        Name of the file.
    format
        Version and stored type.
    shape, spacing_mm
        Voxels along each array axis, and their distance.
    orientation
        Where the array axes point, such as `RAS`; empty where the file does not know.
    axes
        One line an array axis: where it points, which plane the slices across it are.
    native_plane
        The stack's own plane in words, or that it has none.
    frames
        Number of frames.
    intensity
        Lowest, 1st percentile, median, 99th percentile and highest value, over all frames.
    label_volumes_ml
        Volume of each value or structure in the first frame, where the file holds only a few whole
        numbers; else empty.
    notes
        What is suspicious.
    """

    name: str
    format: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    orientation: str
    axes: tuple[str, ...]
    native_plane: str
    frames: int
    intensity: Mapping[str, float]
    label_volumes_ml: Mapping[str, float]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Json]:
        """The facts for a program."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }

    def to_text(self) -> str:
        """The facts for a person."""
        sides = " x ".join(str(n) for n in self.shape)
        spacing = " x ".join(f"{n:.4g}" for n in self.spacing_mm)
        low, first, median, last, high = self.intensity.values()
        rows = [
            ("file", f"{self.name} ({self.format})"),
            ("grid", f"{sides} voxels of {spacing} mm"),
            ("orientation", self.orientation or "unknown"),
            *(("", words) for words in self.axes),
            ("native plane", self.native_plane),
            ("frames", str(self.frames)),
            ("values", f"{low:g} to {high:g}; 1 % {first:g}, median {median:g}, 99 % {last:g}"),
            *((f"label {name}", f"{ml:.1f} ml") for name, ml in self.label_volumes_ml.items()),
            *(("suspicious", note) for note in self.notes),
        ]
        width = max(len(key) for key, _ in rows) + 2
        return "\n".join(f"{key:<{width}}{words}" for key, words in rows)


def inspect_file(path: Path, scheme: LabelScheme | None = None) -> FileFacts:
    """Read one file and say what it is.

    Parameters
    ----------
    path
        NIfTI file: an image, a cine or a label map.
    scheme
        What the numbers of a label map mean; values outside it are told as suspicious.

    Raises
    ------
    FormatError, GeometryError
        If it cannot be read.
    """
    header = read_header(path)
    with warnings.catch_warnings():
        # The header's notes are among the facts.
        warnings.simplefilter("ignore", ReadWarning)
        frames = [frame.array for frame in read_frames(path)]
    values = frames[0] if len(frames) == 1 else np.stack(frames)
    counts = _label_counts(frames[0])
    known, geometry = not orientation_lost(header), header.geometry
    odd = _unknown_labels(counts, scheme) if counts else value_suspicions(values, header)
    return FileFacts(
        name=Path(path).name,
        format=f"NIfTI-{header.version}, {header.dtype.name}",
        shape=geometry.shape,
        spacing_mm=geometry.spacing,
        orientation=geometry.orientation if known else "",
        axes=_axes(geometry, known),
        native_plane=own_plane_words(geometry, known),
        frames=len(frames),
        intensity={
            name: round(float(value), 4)
            for name, value in zip(
                _PERCENTILES, np.percentile(values, list(_PERCENTILES.values())), strict=True
            )
        },
        label_volumes_ml=_volumes_ml(counts, geometry, scheme),
        notes=(*header_suspicions(header), *odd),
    )


def _axes(geometry: Geometry, orientation_known: bool) -> tuple[str, ...]:
    if not orientation_known:
        return tuple(f"axis {n}: direction unknown" for n in (1, 2, 3))
    return tuple(axis_words(geometry, axis) for axis in range(3))


def _label_counts(array: NDArray[np.float32]) -> dict[int, int]:
    """Voxels of each value, where the array looks like a label map; else empty."""
    low, high = float(array.min()), float(array.max())
    if low < 0 or low == high or (array[:, :, 0] != np.rint(array[:, :, 0])).any():
        return {}
    values, counts = np.unique(array, return_counts=True)
    if len(values) > _MOST_LABELS or (values != np.rint(values)).any():
        return {}
    return {int(value): int(count) for value, count in zip(values, counts, strict=True)}


def _unknown_labels(counts: Mapping[int, int], scheme: LabelScheme | None) -> tuple[str, ...]:
    if scheme is None:
        return ()
    unknown = [str(value) for value in counts if value >= scheme.class_count]
    return (f"label values {', '.join(unknown)} are not in scheme {scheme.name}",) * bool(unknown)


def _volumes_ml(
    counts: Mapping[int, int], geometry: Geometry, scheme: LabelScheme | None
) -> dict[str, float]:
    names = {s.value: s.name for s in scheme.structures} if scheme else {}
    ml = geometry.voxel_volume_mm3 / MM3_PER_ML
    return {names.get(v, str(v)): round(n * ml, 3) for v, n in counts.items() if v != 0}
