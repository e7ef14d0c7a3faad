"""What a DICOM folder holds: its series, and of one that is chosen its grid, frames and notes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.scan import Scan
from cardioseg.errors import ReadWarning
from cardioseg.io.dicom import Series, choose_series, find_series, read_series
from cardioseg.workflows.grid_words import axis_words, own_plane_words
from cardioseg.workflows.provenance import Json


@dataclass(frozen=True)
class DicomFacts:
    """Facts of a DICOM folder, file or zip, without identifiers.

    Parameters
    ----------
    series
        All series, by number.
    chosen
        The series that was asked for, or the only one of images; None where there are several.
    scan
        What reading it gave; None where none is chosen.
    """

    series: tuple[Series, ...]
    chosen: Series | None = None
    scan: Scan | None = None

    @property
    def rows(self) -> list[dict[str, str]]:
        """The table of series."""
        return [{**each.row, "note": each.unfit} for each in self.series]

    def to_dict(self) -> dict[str, Json]:
        """The facts for a program."""
        listed: list[Json] = [
            {
                "number": each.number,
                "description": each.description,
                "images": each.images,
                "columns": each.columns,
                "rows": each.rows,
                "modality": each.modality,
                "note": each.unfit,
            }
            for each in self.series
        ]
        return {"series": listed, "chosen": self._chosen()}

    def _chosen(self) -> Json:
        if self.chosen is None or self.scan is None:
            return None
        grid = self.scan.frames[0].geometry
        return {
            "number": self.chosen.number,
            "shape": list(grid.shape),
            "spacing_mm": list(grid.spacing),
            "orientation": grid.orientation,
            "frames": len(self.scan.frames),
            "times_ms": list(self.scan.times_ms),
            "notes": list(self.scan.notes),
        }

    def scan_text(self) -> str:
        """Grid, planes, frames and notes of the chosen series, for a person; empty without one."""
        if self.chosen is None or self.scan is None:
            return ""
        scan, grid = self.scan, self.scan.frames[0].geometry
        sides = " x ".join(str(n) for n in grid.shape)
        spacing = " x ".join(f"{n:.4g}" for n in grid.spacing)
        times = f", {scan.times_ms[0]:g} to {scan.times_ms[-1]:g} ms" if scan.times_ms else ""
        rows = [
            ("grid", f"{sides} voxels of {spacing} mm"),
            ("orientation", grid.orientation),
            *(("", axis_words(grid, axis)) for axis in range(3)),
            ("native plane", own_plane_words(grid)),
            ("frames", f"{len(scan.frames)}{times}"),
            *(("suspicious", note) for note in scan.notes),
        ]
        width = max(len(key) for key, _ in rows) + 2
        return "\n".join(f"{key:<{width}}{words}" for key, words in rows)


def inspect_dicom(path: Path, series: str = "") -> DicomFacts:
    """List the series of a folder, a file or a zip; read the one that is meant.

    Parameters
    ----------
    path
        Where the DICOM files are.
    series
        Number, description or UID; empty reads the only series of images, or none of several.

    Raises
    ------
    FormatError, GeometryError
        If nothing can be listed, or the chosen series cannot be read.
    """
    found = find_series(path)
    if not series and sum(not each.unfit for each in found) != 1:
        return DicomFacts(found)
    chosen = choose_series(found, series, path)
    with warnings.catch_warnings():
        # The notes are among the facts.
        warnings.simplefilter("ignore", ReadWarning)
        return DicomFacts(found, chosen, read_series(chosen).scan)
