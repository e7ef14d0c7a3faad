"""Sunnybrook: short-axis cine MR as DICOM, the left ventricle's contours as text files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.case import Case
from cardioseg.core.labels import LEFT_VENTRICLE
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.datasets.layout import require_folder, wrong_layout
from cardioseg.datasets.sunnybrook_images import ImageFolders
from cardioseg.errors import DatasetError
from cardioseg.io import dicom

CITATION = "Radau et al., The MIDAS Journal 2009, hdl.handle.net/10380/3070"
LICENSE = "CC0 1.0"

_CONTOUR = re.compile(r"IM-\d+-(\d+)-([io])contour-(manual|auto)\.txt")
_BETWEEN = ("contours", "contours-manual", "contours-auto", "ircci-expert")
"""Folders between a patient's and the contour files."""

_GROUP = re.compile(r"SC-(HF-I|HF-NI|HYP|N)-\d+")
_BOTH = {"i", "o"}


@dataclass(frozen=True)
class _Drawn:
    """Contour files of one patient: by image number, `i` and `o` to the file; by who drew them."""

    manual: dict[int, dict[str, Path]] = field(default_factory=dict)
    auto: dict[int, dict[str, Path]] = field(default_factory=dict)

    def walls(self) -> dict[int, dict[str, Path]]:
        """The images with both contours; automatic ones count where nobody drew any."""
        drawn = self.manual or self.auto
        return {number: kinds for number, kinds in drawn.items() if set(kinds) == _BOTH}


def read_sunnybrook(folder: str | Path) -> tuple[Case, ...]:
    """List the cases of a Sunnybrook folder, one a patient; no image is opened.

    A case is the stack of the images that have both contours: the epicardium is drawn at ED only,
    and an image without it would teach that the wall is background. So ES, and slices where only
    the cavity is drawn, are left out, and the ejection fraction cannot be had from the labels.
    Papillary muscles count as cavity (their own contours, `p1` and so on, are not read).

    The number in a contour's name is the image's within the short-axis series; the number before
    it is that of a series before the files were renamed, and means nothing. A point is column and
    row in pixels; (0, 0) is taken as the middle of the first pixel, which could not be checked.
    Names and folders are those of the public set as programs that read it state them; the reader
    was tried on one animal's scan with contours in this format, not on the set.

    Parameters
    ----------
    folder
        Holds, at any depth, `SC-HF-I-01/contours-manual/IRCCI-expert/IM-0001-0059-icontour-
        manual.txt`, and the images: `SCD0000101/CINESAX_300/IM-0003-0059.dcm` with
        `scd_patientdata.csv` that says whose they are; or in a folder named as the contours';
        or, for a single patient, anywhere.

    Returns
    -------
    tuple of Case
        Sorted by id, such as `SC-HF-I-01`, which is the subject too.

    Raises
    ------
    DatasetError
        If the folder has another layout, or a patient has no image with both contours, or no
        series or several that could be theirs.

    References
    ----------
    Radau et al., The MIDAS Journal 2009, hdl.handle.net/10380/3070
    """
    root = require_folder(folder, "Sunnybrook")
    drawn = _drawn(root)
    if not drawn:
        raise wrong_layout(root, "SC-HF-I-01/contours-manual/.../IM-0001-0059-icontour-manual.txt")
    images = ImageFolders(root)
    return tuple(_case(name, drawn[name], images, len(drawn) == 1) for name in sorted(drawn))


def _drawn(root: Path) -> dict[str, _Drawn]:
    """Contour files by patient."""
    found: dict[str, _Drawn] = {}
    for path in sorted(root.rglob("*contour-*.txt")):
        match = _CONTOUR.fullmatch(path.name)
        if match is None:
            continue
        owner = next(p.name for p in path.resolve().parents if p.name.lower() not in _BETWEEN)
        of = found.setdefault(owner, _Drawn())
        kinds = (of.manual if match[3] == "manual" else of.auto).setdefault(int(match[1]), {})
        if match[2] in kinds:
            raise DatasetError(f"{kinds[match[2]]} and {path}: one contour twice; remove one")
        kinds[match[2]] = path
    return found


def _case(name: str, drawn: _Drawn, images: ImageFolders, alone: bool) -> Case:
    walls = drawn.walls()
    if not walls:
        raise DatasetError(f"{name}: no image has both contours, so none shows the wall's labels")
    files = images.series_of(name, tuple(sorted(walls)), alone=alone)
    group = _GROUP.fullmatch(name)
    return Case(
        id=name,
        subject=name,
        load_image=partial(_image, files),
        load_labels=partial(_labels, files, walls),
        phase="ED" if drawn.manual else "",
        group=group[1] if group else "",
    )


def _image(files: Mapping[int, Path]) -> Volume:
    return dicom.read_stack(list(files.values())).volume


def _labels(files: Mapping[int, Path], walls: Mapping[int, Mapping[str, Path]]) -> LabelMap:
    stack = dicom.read_stack(list(files.values()))
    geometry, numbers = stack.volume.geometry, list(files)
    columns, rows, _ = geometry.shape
    array = np.zeros(geometry.shape, np.uint8)
    for k, position in enumerate(stack.order):
        contours = walls[numbers[position]]
        # The cavity lies inside the epicardium and is filled over it.
        for kind, structure in (("o", "myocardium"), ("i", "LV cavity")):
            inside = _filled(contours[kind], (rows, columns))
            array[:, :, k][inside.T] = LEFT_VENTRICLE.structure(structure).value
    return LabelMap(array, geometry, LEFT_VENTRICLE)


def _filled(path: Path, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels (rows, columns) inside a contour."""
    from skimage.draw import polygon2mask  # slow to import, and only reading labels needs it

    points = np.array(list(_points(path)), dtype=np.float64)
    if len(points) < 3:
        raise DatasetError(f"{path}: {len(points)} points are no contour; restore the file")
    inside: NDArray[np.bool_] = polygon2mask(shape, points[:, ::-1])
    if not inside.any():
        raise DatasetError(f"{path}: the contour lies outside its image of {shape[1]} x {shape[0]}")
    return inside


def _points(path: Path) -> Iterator[tuple[float, float]]:
    """Column and row of each line that is not blank."""
    try:
        for line in path.read_text("utf-8").splitlines():
            if line.strip():
                x, y = line.split()
                yield float(x), float(y)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: not a contour, two numbers a line: {error}") from error
