"""A folder in Sunnybrook's layout: the cine as DICOM, contours as text, a table that joins them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tests.dicom_series import noise, oblique, write_series

from cardioseg.core.geometry import Geometry

GRID = oblique(shape=(16, 14, 3))
PHASES, ED, ES = 4, 3, 1
CAVITY = ((5.2, 4.1), (9.8, 4.1), (9.8, 8.9), (5.2, 8.9))
EPICARDIUM = ((3.4, 2.2), (12.1, 2.2), (12.1, 11.3), (3.4, 11.3))


def number(k: int, phase: int, phases: int = PHASES) -> int:
    """An image's number in the series: all phases of a slice, then the next slice."""
    return k * phases + phase + 1


def write_cine(folder: Path, frames: np.ndarray, grid: Geometry, prefix: str = "IM-0003-") -> None:
    """The cine under names that end in the image's number."""
    write_series(folder, frames, grid)
    for path in list(folder.glob("*.dcm")):
        t, k = (int(part) for part in path.stem.split("_")[1:])
        path.rename(folder / f"{prefix}{number(k, t, len(frames)):04d}.dcm")


def write_contour(
    folder: Path, image: int, kind: str, points: object, drawn: str = "manual"
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(f"{x:.2f} {y:.2f}" for x, y in np.asarray(points)) + "\n"
    (folder / f"IM-0001-{image:04d}-{kind}contour-{drawn}.txt").write_text(text)


def contours_of(root: Path, name: str) -> Path:
    return root / "SCD_ManualContours" / name / "contours-manual" / "IRCCI-expert"


def write_sunnybrook(root: Path, patients: Mapping[str, str]) -> None:
    """Patients by the contours' name and the images': endocardium at ED and ES, wall at ED."""
    rows = ["PatientID,OriginalID,Gender,Pathology"]
    for seed, (name, images) in enumerate(patients.items()):
        head, _, last = name.rpartition("-")
        rows.append(f"{images},{head}-{int(last)},Male,Normal")
        frames = noise(GRID, PHASES) + np.uint16(seed)
        base = root / f"SCD_IMAGES_0{seed + 1}" / images
        write_cine(base / "CINESAX_300", frames, GRID)
        write_cine(base / "CINELAX_301", frames[::-1], GRID, "IM-0004-")
        for k in range(GRID.shape[2]):
            for phase, kinds in ((ED, "io"), (ES, "i")):
                for kind in kinds:
                    points = CAVITY if kind == "i" else EPICARDIUM
                    write_contour(contours_of(root, name), number(k, phase), kind, points)
        (contours_of(root, name) / "IM-0001-0004-p1-manual.txt").write_text("6 6\n7 6\n7 7\n")
    (root / "scd_patientdata.csv").write_text("\n".join(rows) + "\n")
