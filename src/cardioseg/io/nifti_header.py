"""What a NIfTI header says: shape, type, scaling, and where the voxels lie in the patient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cardioseg.core.geometry import Float64Array, Geometry
from cardioseg.errors import CardiosegError, FormatError, GeometryError
from cardioseg.io.nibabel_headers import NIFTI_1, NIFTI_2, HeaderDataError
from cardioseg.io.picture_depth import PICTURE_NOTE, with_depth

HEADER_BYTES = 540
"""Bytes that hold the header of either version (NIfTI-1: 348, NIfTI-2: 540)."""

FORMS_AGREE_MM = 0.1
"""Two placements of one grid agree if no corner lies farther apart; quaternions are rounded."""

# nibabel's headers have no types.
_RawHeader = Any

_PIXDIM_AGREES = 0.01
_TIME_BITS = 0x38
_MS_PER_UNIT = {8: 1000.0, 16: 1.0, 24: 0.001}
"""Milliseconds of the codes for seconds, milliseconds and microseconds."""

_MM_PER_UNIT = {1: ("metre", 1000.0), 2: ("mm", 1.0), 3: ("micron", 0.001)}


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """A checked header.

    Parameters
    ----------
    version
        1 or 2.
    shape
        All sides as stored, trailing sides of 1 beyond the third left out; a picture of two axes
        has a third side of 1.
    dtype
        Stored type, with its byte order.
    slope, intercept
        Value = slope * stored + intercept; 1 and 0 where the file scales nothing.
    offset
        Byte at which the voxels start, in the unpacked file.
    sform_code, qform_code
        What the two placements claim to be; 0 is 'not set'.
    unit
        `metre`, `mm`, `micron` or `unknown` (then read as mm).
    geometry
        The grid, in mm, from the sform if its code is set, else from the qform, else from the
        spacing alone.
    intent
        Free name of what the values mean.
    notes
        What contradicts itself or is left open; readers tell these.
    frame_ms
        Time from frame to frame, in ms; None for a still image, and where the header gives no
        unit of time.
    """

    version: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    slope: float
    intercept: float
    offset: int
    sform_code: int
    qform_code: int
    unit: str
    geometry: Geometry
    intent: str
    notes: tuple[str, ...]
    frame_ms: float | None = None

    @property
    def frames(self) -> int:
        """Volumes in the file: sides beyond the third, multiplied."""
        return math.prod(self.shape[3:])

    @property
    def is_scaled(self) -> bool:
        """Whether stored numbers are not yet the values."""
        return (self.slope, self.intercept) != (1.0, 0.0)

    @property
    def data_bytes(self) -> int:
        """Bytes of the stored voxels."""
        return math.prod(self.shape) * self.dtype.itemsize


def parse_header(block: bytes, source: str) -> NiftiHeader:
    """Read a header from a file's first 540 bytes (348 suffice for NIfTI-1).

    Parameters
    ----------
    block
        The bytes.
    source
        The file, for error messages.

    Raises
    ------
    FormatError
        If this is no single-file NIfTI, or its shape or type cannot be read.
    GeometryError
        If the voxels cannot be placed: zero spacing, a flat or non-finite affine.

    Examples
    --------
    >>> raw = NIFTI_1()
    >>> raw.set_data_shape((4, 5, 6))
    >>> raw.set_sform(np.diag([1.5, 1.5, 8.0, 1.0]), 1)
    >>> parse_header(raw.binaryblock, "case.nii").geometry.spacing
    (1.5, 1.5, 8.0)
    """
    try:
        return _parse(block)
    except CardiosegError as error:
        raise type(error)(f"{source}: {error}") from error
    except (HeaderDataError, ValueError, OverflowError) as error:
        raise FormatError(f"{source}: damaged NIfTI header: {error}; export it again") from error


def _frame_ms(raw: Any, shape: tuple[int, ...]) -> float | None:
    ms = _MS_PER_UNIT.get(int(raw["xyzt_units"]) & _TIME_BITS)
    step = float(raw["pixdim"][4])
    known = ms is not None and math.isfinite(step) and step > 0 and len(shape) == 4
    return step * ms if known and ms is not None else None


def _parse(block: bytes) -> NiftiHeader:
    raw, version = _raw_header(block)
    _mend_spacing(raw)
    shape = _shape(raw)
    dtype = _dtype(raw)
    slope, intercept = raw.get_slope_inter()
    unit, mm = _MM_PER_UNIT.get(int(raw["xyzt_units"]) % 8, ("unknown", 1.0))
    geometry, notes = _placement(raw, shape, mm)
    return NiftiHeader(
        version=version,
        shape=shape,
        dtype=dtype,
        slope=1.0 if slope is None else float(slope),
        intercept=0.0 if intercept is None else float(intercept),
        offset=max(int(raw["vox_offset"]), 352 if version == 1 else 544),
        sform_code=int(raw["sform_code"]),
        qform_code=int(raw["qform_code"]),
        unit=unit,
        geometry=geometry,
        intent=bytes(raw["intent_name"].item()).decode("latin-1"),
        notes=notes,
        frame_ms=_frame_ms(raw, shape),
    )


def _mend_spacing(raw: _RawHeader) -> None:
    """The standard reads qfac, `pixdim[0]`, as 1 where it is 0, and a spacing has no sign."""
    if raw["pixdim"][0] == 0:
        raw["pixdim"][0] = 1
    raw["pixdim"][1:4] = np.abs(raw["pixdim"][1:4])


def _raw_header(block: bytes) -> tuple[_RawHeader, int]:
    """The header as nibabel parses it, and its version; told by size and magic alone."""
    size = {block[:4], block[:4][::-1]}
    if (348).to_bytes(4, "little") in size and block[344:348] == b"n+1\0" and len(block) >= 348:
        return NIFTI_1(block[:348], check=False), 1
    if (540).to_bytes(4, "little") in size and block[4:8] == b"n+2\0" and len(block) >= 540:
        return NIFTI_2(block[:540], check=False), 2
    if block[344:347] == b"ni1" or block[4:7] == b"ni2":
        raise FormatError("one half of a .hdr/.img pair; save it as a single .nii.gz file")
    if block[128:132] == b"DICM":
        raise FormatError(
            "a DICOM file, not NIfTI: give `predict` or `inspect` the folder of its series"
        )
    raise FormatError("not a NIfTI file; .nii and .nii.gz (NIfTI-1 and NIfTI-2) are read")


def _dtype(raw: _RawHeader) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = raw.get_data_dtype()
    except KeyError as error:
        raise FormatError(f"voxels of an unknown type, code {error}; export it again") from error
    if dtype.kind not in "iuf":
        raise FormatError(
            f"voxels of type {dtype.name}; export a grey-scale image, one number each"
        )
    return dtype


def _shape(raw: _RawHeader) -> tuple[int, ...]:
    axes = int(raw["dim"][0])
    shape = [int(n) for n in raw["dim"][1 : axes + 1]]
    if not 1 <= axes <= 7 or min(shape) < 1:
        raise FormatError(f"sides {shape} of {axes} axes: the header is damaged; export it again")
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) < 2:
        raise FormatError(f"a 1-D image ({shape[0]}): a picture has two axes, a stack three")
    return (*shape, 1) if _is_picture(raw) else tuple(shape)


def _is_picture(raw: _RawHeader) -> bool:
    return int(raw["dim"][0]) == 2


def _placement(
    raw: _RawHeader, shape: tuple[int, ...], mm: float
) -> tuple[Geometry, tuple[str, ...]]:
    """The grid by the rule sform, else qform, else spacing; and what is wrong with it."""
    grid = (shape[0], shape[1], shape[2])
    notes = []
    deep = with_depth if _is_picture(raw) else np.array
    if raw["sform_code"] > 0:
        geometry = Geometry(grid, deep(_in_mm(raw.get_sform(), mm)))
        notes += _disagreements(raw, geometry, mm)
    elif raw["qform_code"] > 0:
        geometry = Geometry(grid, deep(_in_mm(_qform(raw), mm)))
    else:
        i, j, k = (float(n) for n in raw["pixdim"][1:4])
        geometry = Geometry(grid, deep(_in_mm(np.diag([i, j, k, 1.0]), mm)))
        notes.append(
            "no orientation in the header (sform and qform codes are 0): the axes are taken to "
            "point to the patient's right, front and head"
        )
    if _is_picture(raw):
        notes.append(PICTURE_NOTE)
    if not geometry.is_orthogonal:
        angle = math.degrees(math.acos(geometry.shear))
        notes.append(f"a sheared grid: two of its axes meet at {angle:.1f} degrees, not 90")
    return geometry, tuple(notes)


def _qform(raw: _RawHeader) -> Float64Array:
    try:
        affine: Float64Array = raw.get_qform()
    except (HeaderDataError, ValueError) as error:
        raise GeometryError(
            f"the qform cannot be used ({error}); export the image again"
        ) from error
    return affine


def _in_mm(affine: Float64Array, mm: float) -> Float64Array:
    converted: Float64Array = np.diag([mm, mm, mm, 1.0]) @ affine
    return converted


def _disagreements(raw: _RawHeader, geometry: Geometry, mm: float) -> list[str]:
    """Where the rest of the header contradicts the sform."""
    sides = 2 if _is_picture(raw) else 3
    pixdim = raw["pixdim"][1 : 1 + sides].astype(np.float64) * mm
    spacing = np.asarray(geometry.spacing[:sides])
    if not (np.abs(pixdim - spacing) <= _PIXDIM_AGREES * spacing).all():
        told = ", ".join(f"{n:.4g}" for n in pixdim)
        used = ", ".join(f"{n:.4g}" for n in spacing)
        return [f"the header's spacing ({told}) mm is not its sform's ({used}) mm, which is used"]
    if raw["qform_code"] == 0:
        return []
    try:
        affine = _in_mm(_qform(raw), mm)
        other = Geometry(geometry.shape, with_depth(affine) if sides == 2 else affine)
    except GeometryError as error:
        return [f"{error}; the sform is used"]
    apart = geometry.distance_mm(other)
    if apart <= FORMS_AGREE_MM:
        return []
    return [f"sform and qform place a corner {apart:.3g} mm apart; the sform is used"]
