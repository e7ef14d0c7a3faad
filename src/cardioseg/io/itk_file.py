"""The bytes of a NRRD or MetaImage file: SimpleITK places the grid, the voxels are checked here.

ITK returns voxels of a damaged compressed file without an error, and allocates what a header
promises before it looks at the file; so they are unpacked and counted by hand.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.geometry import Geometry
from cardioseg.errors import FormatError, GeometryError, WriteError
from cardioseg.io.atomic import atomic_path
from cardioseg.io.itk_header import ItkHeader
from cardioseg.io.metaimage_header import parse_metaimage
from cardioseg.io.nifti_file import naming
from cardioseg.io.nrrd_header import parse_nrrd
from cardioseg.io.patient_space import lps_from_ras, ras_from_lps

# SimpleITK has no types.
_ItkImage = Any

ITK_SUFFIXES = (".nrrd", ".mha", ".mhd", ".nhdr")
"""Names that are read; `.seg.nrrd` is one of them."""

WRITTEN_SUFFIXES = (".nrrd", ".mha")

_LONGEST_HEADER = 1 << 20
"""Bytes searched for the end of a header; 3D Slicer's longest are some ten thousand."""
_LARGEST_RATIO = 1032
"""Deflate cannot pack better: a header that promises more lies (zlib.net/zlib_tech.html)."""
_WINDOW = {"gzip": 31, "zlib": 15}


def is_itk(path: str | Path) -> bool:
    """Whether the name is one of NRRD or MetaImage; any other file is read as NIfTI.

    Examples
    --------
    >>> is_itk("heart.seg.nrrd"), is_itk("heart.nii.gz")
    (True, False)
    """
    return Path(path).name.lower().endswith(ITK_SUFFIXES)


def read_itk_header(path: str | Path) -> tuple[ItkHeader, Geometry]:
    """Read how voxels are stored and where they lie, without unpacking one.

    Raises
    ------
    FormatError
        If the file is missing, empty, or stores its voxels in a way that is not read.
    GeometryError
        If its voxels cannot be placed in the patient.
    """
    with naming(path):
        header = _parse(Path(path), _bytes(Path(path), 0, _LONGEST_HEADER))
        geometry = _geometry(path, header)
        if not geometry.is_orthogonal:
            sheared = f"a sheared grid: {geometry.describe()}"
            header = replace(header, notes=(*header.notes, sheared))
        return header, geometry


def read_itk(path: str | Path) -> tuple[ItkHeader, Geometry, tuple[NDArray[Any], ...]]:
    """Read the header, the grid, and each frame's stored numbers (I, J, K).

    Raises
    ------
    FormatError, GeometryError
        As :func:`read_itk_header`; also if the voxels are truncated or damaged.
    """
    header, geometry = read_itk_header(path)
    with naming(path):
        body = _body(header)
    stored = np.frombuffer(body, header.dtype)
    if header.frames_first:
        array = stored.reshape((header.frames, *header.shape), order="F")
        return header, geometry, tuple(array)
    array = stored.reshape((*header.shape, header.frames), order="F")
    return header, geometry, tuple(array[..., index] for index in range(header.frames))


def write_itk(
    path: str | Path,
    array: NDArray[Any],
    geometry: Geometry,
    fields: Mapping[str, str],
) -> None:
    """Write an array as NRRD or MetaImage, compressed and atomically.

    The same input always gives the same bytes. A cine is written as 3D Slicer's sequences are in
    NRRD (frames as a list, first), and as a 4-D image in MetaImage.

    Parameters
    ----------
    path
        Ends in `.nrrd` or `.mha`.
    array
        Values (I, J, K) or (I, J, K, T).
    geometry
        The grid of the first three axes.
    fields
        Key-value pairs for the header.

    Raises
    ------
    FormatError
        If the name has another suffix, or the file cannot be written.
    """
    name = Path(path).name.lower()
    if not name.endswith(WRITTEN_SUFFIXES):
        raise FormatError(
            f"{path}: cannot be written: end the name in .nrrd or .mha (.mhd and .nhdr are two "
            "files, which cannot be written as one)"
        )
    sitk = _sitk()
    as_list = array.ndim == 4 and name.endswith(".nrrd")
    ordered = _itk_order(array, as_list)
    image = sitk.GetImageFromArray(ordered, isVector=as_list)
    _place(image, geometry)
    for key, value in fields.items():
        image.SetMetaData(key, value)
    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as error:
            told = str(error).strip().splitlines()[-1].replace(str(temporary), "the file")
            raise WriteError(
                f"{path}: cannot be written: {told}; free space, change permissions or name "
                "another folder"
            ) from error
        if name.endswith(".nrrd"):
            _require_whole(temporary, ordered, path)
        if as_list:
            _say_list(temporary)


def _require_whole(written: Path, array: NDArray[Any], path: str | Path) -> None:
    """Compare the checksum at the end: ITK does not notice a disk that fills with the last bytes.

    A gzip stream ends in CRC-32 and length of what was packed (RFC 1952).
    """
    data = array.tobytes()
    end = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    with written.open("rb") as stream:
        stream.seek(-min(len(end), written.stat().st_size), io.SEEK_END)
        if stream.read() == end:
            return
    raise WriteError(
        f"{path}: cannot be written whole: the disk is full; free space or name another folder"
    )


def _itk_order(array: NDArray[Any], as_list: bool) -> NDArray[Any]:
    """ITK's arrays count the slowest axis first, and the numbers of one voxel last.

    It takes this machine's byte order alone.
    """
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.ascontiguousarray(np.moveaxis(array.T, 0, -1) if as_list else array.T)


def _place(image: _ItkImage, geometry: Geometry) -> None:
    size = image.GetDimension()
    directions, origin, spacing = np.eye(size), np.zeros(size), np.ones(size)
    lps = lps_from_ras(geometry.affine)
    directions[:3, :3] = lps[:3, :3] / np.asarray(geometry.spacing)
    origin[:3], spacing[:3] = lps[:3, 3], geometry.spacing
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(origin.tolist())
    image.SetDirection(directions.ravel().tolist())


def _say_list(path: Path) -> None:
    """Frames are a list; SimpleITK can only say that they are a vector at each voxel."""
    header, blank, voxels = path.read_bytes().partition(b"\n\n")
    path.write_bytes(header.replace(b"kinds: vector ", b"kinds: list ") + blank + voxels)


def _parse(path: Path, block: bytes) -> ItkHeader:
    """The header at the start of a file, from its first bytes."""
    if block.startswith(b"NRRD"):
        return parse_nrrd(path, block)
    if b"ElementDataFile" in block:
        return parse_metaimage(path, block)
    if block[128:132] == b"DICM":
        raise FormatError("a DICOM file, not NRRD or MetaImage; name its folder instead")
    raise FormatError("not a NRRD or MetaImage file (or its header is cut off); export it again")


def _geometry(path: str | Path, header: ItkHeader) -> Geometry:
    """The grid as ITK places it, in RAS+ mm."""
    reader = _sitk().ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("NrrdImageIO" if header.format == "NRRD" else "MetaImageIO")
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise GeometryError(
            f"its voxels cannot be placed: {_reason(error)}; export the image again"
        ) from error
    axes = reader.GetDimension()
    if axes < 3:
        raise FormatError(
            f"a volume has three axes in space, this {axes}: a picture in colours or vectors; "
            "export a grey-scale image, one number each"
        )
    directions = np.reshape(reader.GetDirection(), (axes, axes))
    if axes == 4 and (directions[:3, 3].any() or directions[3, :3].any()):
        raise GeometryError("time and space are mixed in the header; export the image again")
    lps = np.eye(4)
    lps[:3, :3] = directions[:3, :3] * np.asarray(reader.GetSpacing()[:3])
    lps[:3, 3] = reader.GetOrigin()[:3]
    return Geometry(header.shape, ras_from_lps(lps))


def _body(header: ItkHeader) -> bytes:
    """The unpacked voxels, all of them."""
    wanted = header.data_bytes
    packed = _bytes(header.data, header.offset)
    if header.packing == "raw" or wanted > len(packed) * _LARGEST_RATIO:
        body = packed[:wanted]
        if len(packed) < wanted:
            raise _truncated(wanted, len(packed))
        return body
    unpacking = zlib.decompressobj(_WINDOW[header.packing])
    try:
        body = unpacking.decompress(packed, wanted)
        # Reading on to the end compares the checksum.
        surplus = unpacking.decompress(unpacking.unconsumed_tail, 1)
    except zlib.error as error:
        raise FormatError(f"damaged compressed voxels ({error}); copy the file again") from error
    if surplus:
        raise FormatError(f"more voxels than the {wanted} bytes of the header; export it again")
    if not unpacking.eof or len(body) < wanted:
        raise _truncated(wanted, len(body))
    return body


def _truncated(wanted: int, there: int) -> FormatError:
    return FormatError(
        f"truncated: the header promises {wanted} bytes of voxels, {there} are there; copy or "
        "export the file again"
    )


def _bytes(path: Path, offset: int, count: int = -1) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            data = stream.read(count)
    except OSError as error:
        raise FormatError(f"cannot be read: {error.strerror or error} ({path.name})") from error
    if not data and not offset:
        raise FormatError("the file is empty; copy or export it again")
    return data


def _reason(error: RuntimeError) -> str:
    """The last line of what ITK says, without its own addresses."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line.rpartition("): ")[2] for line in lines if "ITK ERROR" in line] or lines[-1:]
    return told[0].rstrip(".:")


def _sitk() -> Any:
    """SimpleITK, imported when the first such file is met: it takes half a second."""
    import SimpleITK

    library: Any = SimpleITK
    library.ProcessObject.SetGlobalWarningDisplay(False)
    return library
