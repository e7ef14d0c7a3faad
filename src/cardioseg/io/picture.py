"""PNG pictures: a grey image or a mask as one slice, rows downwards as on the screen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import FormatError, ReadWarning
from cardioseg.io.frames import translated
from cardioseg.io.nifti_file import naming
from cardioseg.io.patient_space import ras_from_lps
from cardioseg.io.picture_depth import PICTURE_NOTE, with_depth
from cardioseg.io.values import intensities

PICTURE_SUFFIXES = (".png",)

NO_PIXEL_SIZE = "no pixel size in the file: a pixel counts as 1 mm"

LARGEST_PIXELS = 2**26
"""8192 x 8192: a header may promise any size from a few packed bytes."""

_BAND_ROWS = 256
"""Rows of a picture in colours that are converted at a time: four bytes a pixel are much memory."""

_MM_PER_INCH = 25.4
_WHITE = 255
_GREY_MODES = ("1", "L", "I", "I;16", "I;16B")
_PALETTE = "P"
_DEEP = ";16B"
"""End of Pillow's name for samples of 16 bits; but in grey it keeps the high 8 of them."""


def read_geometry(path: str | Path) -> Geometry:
    """Read the grid alone; errors as :func:`read_frames`."""
    return _geometry(*_opened(path, labels=False)[1:])


def read_frames(path: str | Path) -> tuple[Volume]:
    """Read a grey picture.

    Parameters
    ----------
    path
        PNG file: grey in 1, 8 or 16 bits, or in three colours of 8 bits that are equal everywhere.

    Returns
    -------
    tuple of Volume
        One, of shape (columns, rows, 1): columns point to the patient's left, rows to the back, so
        that a slice of it is the picture as the screen shows it.

    Warns
    -----
    ReadWarning
        If the file does not say how large a pixel is.

    Raises
    ------
    FormatError
        If the file is missing, empty, damaged, no PNG, in colour, or has 16 bits a colour or
        beside transparency.
    """
    array, shape, spacing = _opened(path, labels=False)
    if spacing is None:
        warnings.warn(f"{path}: {NO_PIXEL_SIZE}", ReadWarning, stacklevel=3)
    with naming(path):
        return (Volume(intensities(array[..., None]), _geometry(shape, spacing)),)


def read_label_frames(
    path: str | Path, scheme: LabelScheme, source_values: Mapping[int, int] | None = None
) -> tuple[LabelMap]:
    """Read a mask.

    Parameters
    ----------
    path
        PNG file: grey, or coloured by a palette whose indices are the labels.
    scheme
        What the numbers mean. In a scheme of one structure white (255) means it too.
    source_values
        File value to scheme value, where the file has its own numbers.

    Raises
    ------
    LabelError
        If a value is not in the scheme or not in `source_values`.
    FormatError
        As :func:`read_frames`.
    """
    array, shape, spacing = _opened(path, labels=True)
    if source_values is None and len(scheme.structures) == 1 and array.max() == _WHITE:
        source_values = {_WHITE: 1}
    with naming(path):
        values = translated(array[..., None], scheme, source_values)
        return (LabelMap(values, _geometry(shape, spacing), scheme),)


def read_exact(path: str | Path) -> tuple[Geometry, tuple[NDArray[Any], ...]]:
    """Read the stored numbers, a palette's indices included; errors as :func:`read_frames`."""
    array, shape, spacing = _opened(path, labels=True)
    return _geometry(shape, spacing), (array[..., None],)


def notes_of(path: str | Path) -> tuple[str, ...]:
    """What the file leaves open."""
    spacing = _opened(path, labels=False)[2]
    return (PICTURE_NOTE,) if spacing else (PICTURE_NOTE, NO_PIXEL_SIZE)


_Spacing = tuple[float, float] | None


def _geometry(shape: tuple[int, int], spacing: _Spacing) -> Geometry:
    across, down = spacing or (1.0, 1.0)
    lps = np.diag([across, down, 0.0, 1.0])
    return Geometry((*shape, 1), with_depth(ras_from_lps(lps)))


def _opened(path: str | Path, *, labels: bool) -> tuple[NDArray[Any], tuple[int, int], _Spacing]:
    """Values (columns, rows), their shape, and mm from pixel to pixel along each."""
    from PIL import Image, UnidentifiedImageError  # slow to import, and few read pictures

    source = Path(path)
    try:
        if source.stat().st_size == 0:
            raise FormatError(f"{path}: the file is empty; copy or export it again")
        with Image.open(source, formats=("PNG",)) as picture:
            if picture.width * picture.height > LARGEST_PIXELS:
                raise FormatError(
                    f"{path}: {picture.width} x {picture.height} pixels: its header is damaged, "
                    "or it is no medical picture"
                )
            dpi = picture.info.get("dpi")
            array = _values(picture, path, labels=labels)
    except UnidentifiedImageError as error:
        raise FormatError(f"{path}: not a PNG picture; save it as PNG") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise FormatError(f"{path}: its header promises too many pixels: {error}") from error
    except MemoryError as error:
        raise FormatError(
            f"{path}: takes more memory than there is: its header is damaged (copy it again), or "
            "it is too large for this machine"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        raise FormatError(f"{path}: cannot be read: {words}; copy or save it again") from error
    return array.T, (array.shape[1], array.shape[0]), _pixel_mm(dpi)


def _pixel_mm(dpi: tuple[float, float] | None) -> _Spacing:
    """Pillow turns the file's pixels a metre into pixels an inch; where it says none, None."""
    if dpi is None or min(dpi) <= 0:
        return None
    across, down = (_MM_PER_INCH / each for each in dpi)
    return across, down


def _values(picture: Any, path: str | Path, *, labels: bool) -> NDArray[Any]:
    """Grey values or label numbers (rows, columns)."""
    if picture.mode in _GREY_MODES or (labels and picture.mode == _PALETTE):
        array = np.asarray(picture)
        return array.astype(np.uint8) if array.dtype == bool else array
    if any(tile[3].endswith(_DEEP) for tile in picture.tile):
        raise FormatError(
            f"{path}: 16 bits a colour, of which 8 would be lost; save the image in grey, and a "
            "mask as numbers (grey or with a palette)"
        )
    grey = np.empty((picture.height, picture.width), np.uint8)
    for top in range(0, picture.height, _BAND_ROWS):
        bottom = min(top + _BAND_ROWS, picture.height)
        band = np.asarray(picture.crop((0, top, picture.width, bottom)).convert("RGBA"))
        grey[top:bottom] = band[..., 0]
        if (band[..., 1:3] != band[..., :1]).any() or (band[..., 3] != _WHITE).any():
            raise FormatError(
                f"{path}: in colour or transparent; save the image in grey, and a mask as numbers "
                "(grey or with a palette)"
            )
    return grey
