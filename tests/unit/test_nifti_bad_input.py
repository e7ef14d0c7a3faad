"""Bad NIfTI input: one line that starts with the file and says what to do; nothing is written."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import CardiosegError, FormatError, GeometryError, LabelError
from cardioseg.io.nifti import read_labels, read_volume, write_labels, write_volume

SHAPE = (5, 6, 4)


def good(suffix: str = ".nii") -> bytes:
    """A correct file of float32."""
    image = nib.Nifti1Image(np.ones(SHAPE, np.float32), np.diag([1.5, 1.5, 8.0, 1.0]))
    image.header.set_xyzt_units("mm")
    data = image.to_bytes()
    return gzip.compress(data) if suffix == ".nii.gz" else data


def patched(offset: int, value: object, dtype: str) -> bytes:
    """A correct file with some bytes of its header changed."""
    data = bytearray(good())
    new = np.array(value, dtype).tobytes()
    data[offset : offset + len(new)] = new
    return bytes(data)


def of(array: np.ndarray) -> bytes:
    return nib.Nifti1Image(array, np.eye(4)).to_bytes()


def without_last_half() -> bytes:
    return good()[: 352 + 100]


SROW, PIXDIM, DIM, DATATYPE, MAGIC, SLOPE = 280, 76, 40, 70, 344, 112
NAN_VOLUME = np.full(SHAPE, np.nan, np.float32)

CASES: dict[str, tuple[bytes, type[CardiosegError], str]] = {
    "empty": (b"", FormatError, "the file is empty"),
    "a few bytes": (b"abc", FormatError, "not a NIfTI file"),
    "text": (b"a text that is longer than a header\n" * 40, FormatError, "not a NIfTI file"),
    "a gzipped text": (gzip.compress(b"text" * 999), FormatError, "not a NIfTI file"),
    "DICOM": (bytes(128) + b"DICM" + bytes(999), FormatError, "a DICOM file"),
    "truncated header": (good()[:300], FormatError, "not a NIfTI file"),
    "truncated voxels": (good()[:452], FormatError, "truncated: the header promises 480 bytes"),
    "header alone": (good()[:352], FormatError, "truncated"),
    "truncated gzip": (good(".nii.gz")[:-20], FormatError, "truncated gzip file"),
    "gzip of a truncated file": (gzip.compress(good()[:500]), FormatError, "truncated: the header"),
    "a wrong gzip checksum": (good(".nii.gz")[:-8] + bytes(8), FormatError, "damaged gzip file"),
    "damaged gzip": (good(".nii.gz")[:30] + bytes(60), FormatError, "gzip file"),
    "half of a pair": (patched(MAGIC, b"ni1\0", "S4"), FormatError, r"one half of a \.hdr/\.img"),
    "NaN": (of(NAN_VOLUME), FormatError, "120 voxels are NaN or infinite"),
    "too large for float32": (of(np.full(SHAPE, 1e300)), FormatError, "120 voxels are NaN or inf"),
    "1-D": (of(np.ones(5, np.float32)), FormatError, r"a 1-D image \(5\)"),
    "5-D": (of(np.ones((2, 2, 2, 2, 2), np.float32)), FormatError, "5 axes"),
    "complex": (of(np.ones(SHAPE, np.complex64)), FormatError, "voxels of type complex64"),
    "unknown type": (patched(DATATYPE, 9999, "<i2"), FormatError, "an unknown type, code 9999"),
    "no sides": (patched(DIM, [3, 0, 6, 4], "<i2"), FormatError, "the header is damaged"),
    "a negative side": (patched(DIM, [3, -5, 6, 4], "<i2"), FormatError, "the header is damaged"),
    "a promise of terabytes": (patched(DIM, [3, 32767, 32767, 32767], "<i2"), FormatError, "trunc"),
    "intercept of NaN": (patched(SLOPE, [2, np.nan], "<f4"), FormatError, "damaged NIfTI header"),
    "offset of NaN": (patched(108, np.nan, "<f4"), FormatError, "damaged NIfTI header"),
    "endless offset": (patched(108, np.inf, "<f4"), FormatError, "damaged NIfTI header"),
    "zero spacing": (patched(SROW, np.zeros(4), "<f4"), GeometryError, "has length 0"),
    "affine of NaN": (patched(SROW, np.full(4, np.nan), "<f4"), GeometryError, "finite numbers"),
    "flat": (patched(SROW, [[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]], "<f4"), GeometryError, "fl"),
}


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("name", list(CASES))
def test_bad_file(tmp_path: Path, name: str, suffix: str) -> None:
    data, error, words = CASES[name]
    path = tmp_path / f"case{suffix}"
    path.write_bytes(data)
    with pytest.raises(error, match=words) as told:
        read_volume(path)
    message = str(told.value)
    assert message.startswith(str(path))
    assert "\n" not in message


def test_qform_with_zero_spacing_where_no_sform_is_set(tmp_path: Path) -> None:
    data = bytearray(patched(PIXDIM, [1, 1.5, 0, 8], "<f4"))
    data[252:256] = np.array([1, 0], "<i2").tobytes()
    (tmp_path / "a.nii").write_bytes(data)
    with pytest.raises(GeometryError, match=r"a\.nii: spacing \(1.5, 0, 8\) mm"):
        read_volume(tmp_path / "a.nii")


def test_qform_that_is_no_rotation(tmp_path: Path) -> None:
    data = bytearray(patched(256, [5, 5, 5], "<f4"))
    data[252:256] = np.array([1, 0], "<i2").tobytes()
    (tmp_path / "a.nii").write_bytes(data)
    with pytest.raises(GeometryError, match=r"a\.nii: the qform cannot be used"):
        read_volume(tmp_path / "a.nii")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"absent\.nii: cannot be read: No such file"):
        read_volume(tmp_path / "absent.nii")
    with pytest.raises(FormatError, match=r"cannot be read: Is a directory"):
        read_volume(tmp_path)


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (np.full(SHAPE, 4, np.uint8), LabelError, "label values 4 are not in scheme acdc"),
        (np.full(SHAPE, -1, np.int16), LabelError, "label values -1 are not in scheme"),
        (np.full(SHAPE, 257, np.int16), LabelError, "label values 257 are not in scheme"),
        (np.full(SHAPE, 1.5, np.float32), LabelError, "label value 1.5 is not a whole number"),
        (NAN_VOLUME, FormatError, "labels that are NaN"),
        (np.ones((*SHAPE, 2), np.uint8), FormatError, "a cine of 2 frames where one is needed"),
        (np.ones(5, np.uint8), FormatError, "a 1-D image"),
    ],
)
def test_bad_labels(
    tmp_path: Path, array: np.ndarray, error: type[CardiosegError], words: str
) -> None:
    path = tmp_path / "case_gt.nii"
    path.write_bytes(of(array))
    with pytest.raises(error, match=words) as told:
        read_labels(path, ACDC)
    assert str(told.value).startswith(str(path))


def write_image(path: Path) -> None:
    write_volume(Volume(np.ones(SHAPE, np.float32), Geometry(SHAPE, np.eye(4))), path)


def write_label_map(path: Path) -> None:
    write_labels(LabelMap(np.ones(SHAPE, np.uint8), Geometry(SHAPE, np.eye(4)), ACDC), path)


@pytest.mark.parametrize("write", [write_image, write_label_map])
def test_a_name_without_the_suffix_is_refused(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    with pytest.raises(FormatError, match=r"a\.mha: cannot be written: end the name in \.nii\.gz"):
        write(tmp_path / "a.mha")
    with pytest.raises(FormatError, match=r"absent does not exist"):
        write(tmp_path / "absent" / "a.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_a_grid_too_long_for_nifti_is_refused(tmp_path: Path) -> None:
    shape = (40000, 1, 1)
    with pytest.raises(FormatError, match=r"a\.nii: cannot be written: NIfTI-1 holds no side"):
        write_volume(
            Volume(np.ones(shape, np.float32), Geometry(shape, np.eye(4))), tmp_path / "a.nii"
        )
