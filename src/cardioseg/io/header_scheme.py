"""Which scheme label maps and scores that cardioseg wrote are in, as their headers tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from cardioseg.core.labels import SCHEMES, LabelScheme
from cardioseg.errors import CardiosegError, LabelError
from cardioseg.io.itk_file import is_itk, read_itk_header
from cardioseg.io.segments import has_segments

_TOLD = re.compile(r"cardioseg (?:labels|scores), (\w+)")


def require_told(path: str | Path, scheme: LabelScheme) -> None:
    """Refuse to read a label map otherwise than its header says.

    A segmentation of 3D Slicer is read by its segments' names, so in any scheme that has them.

    Raises
    ------
    LabelError
        If the header names another scheme.
    """
    told = told_scheme(path)
    if told not in (None, scheme) and not has_segments(_itk_fields(path)):
        raise LabelError(
            f"{path}: the header says that its labels are those of {told.name}, not of "
            f"{scheme.name}; read it as what it is"
        )


def told_scheme(path: str | Path) -> LabelScheme | None:
    """The scheme that a file's header names; None where it names none.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from cardioseg.core.geometry import Geometry
    >>> from cardioseg.core.labels import ACDC
    >>> from cardioseg.core.volume import LabelMap
    >>> from cardioseg.io.nifti import write_labels
    >>> grid = Geometry((2, 2, 2), np.eye(4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "case.nii.gz"
    ...     write_labels(LabelMap(np.zeros((2, 2, 2), np.uint8), grid, ACDC), path)
    ...     told_scheme(path).name
    'acdc'
    """
    match = _TOLD.match(described(path))
    named = match[1] if match else ""
    return next((scheme for scheme in SCHEMES if scheme.name == named), None)


def described(path: str | Path) -> str:
    """What cardioseg wrote in a header about the voxels; empty where there is no such header."""
    import nibabel

    if is_itk(path):
        return _itk_fields(path).get("cardioseg", "")
    try:
        image = nibabel.load(path)
    except (OSError, ValueError, nibabel.filebasedimages.ImageFileError):
        # Whoever reads the voxels says what is wrong with the file.
        return ""
    if not isinstance(image, nibabel.Nifti1Pair):
        return ""
    return bytes(image.header["descrip"].item()).decode("ascii", "replace")


def _itk_fields(path: str | Path) -> Mapping[str, str]:
    """Key-value pairs of a NRRD or MetaImage header; none of a file that cannot be read."""
    try:
        return read_itk_header(path)[0].fields if is_itk(path) else {}
    except CardiosegError:
        return {}
