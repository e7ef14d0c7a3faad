"""What is refused of an upload, each with its status and code, and what is taken."""

from __future__ import annotations

import asyncio
import gzip
import io
import struct
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import nibabel
import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import Volume
from cardioseg.errors import ConfigError
from cardioseg.io.nifti import write_volume
from cardioseg.service.archive import unpack
from cardioseg.service.limits import Limits
from cardioseg.service.problems import ProblemError
from cardioseg.service.settings import Settings
from cardioseg.service.uploads import UPLOAD, inspect_upload, receive

TIGHT = Limits(upload_mb=1, unpacked_mb=1, files=5, ratio=100)


def nifti(path: Path, shape: tuple[int, int, int] = (8, 8, 4)) -> bytes:
    rng = np.random.default_rng(0)
    array = rng.normal(size=shape).astype(np.float32)
    write_volume(Volume(array, Geometry(shape, np.diag([1.5, 1.5, 8.0, 1.0]))), path)
    return path.read_bytes()


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def claiming(sides: tuple[int, ...]) -> bytes:
    """A header that claims these sides, and hardly any voxel behind it."""
    header = nibabel.nifti1.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape(sides)
    header.set_sform(np.diag([1.0, 1.0, 1.0, 1.0]), 1)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    return header.binaryblock + bytes(4) + bytes(64)


def refusal(data: bytes, folder: Path, limits: Limits = TIGHT) -> tuple[int, str]:
    (folder / UPLOAD).write_bytes(data)
    with pytest.raises(ProblemError) as caught:
        inspect_upload(folder / UPLOAD, limits)
    assert str(folder) not in caught.value.message
    return caught.value.status, caught.value.code


@pytest.mark.parametrize("packed", [True, False])
def test_nifti_is_taken_and_named_by_its_kind(tmp_path: Path, packed: bool) -> None:
    data = nifti(tmp_path / f"a.nii{'.gz' if packed else ''}")
    (tmp_path / UPLOAD).write_bytes(data)
    upload = inspect_upload(tmp_path / UPLOAD, TIGHT)
    assert upload.kind == "nifti"
    assert upload.path.name == ("upload.nii.gz" if packed else "upload.nii")
    assert upload.path.read_bytes() == data


@pytest.mark.parametrize(
    "data",
    [b"%PDF-1.7 not a scan", b"x", gzip.compress(b"text"), bytes(600)],
    ids=["pdf", "short", "packed text", "zeros"],  # gzip writes the time: two workers would differ
)
def test_another_type_is_415(tmp_path: Path, data: bytes) -> None:
    assert refusal(data, tmp_path) == (415, "wrong_type")


def test_header_that_claims_ten_gigabytes_is_413(tmp_path: Path) -> None:
    assert refusal(claiming((1710, 1710, 1710)), tmp_path) == (413, "claims_too_much")


def test_packed_header_that_claims_ten_gigabytes_is_413(tmp_path: Path) -> None:
    claim = gzip.compress(claiming((1710, 1710, 1710)))
    assert refusal(claim, tmp_path) == (413, "claims_too_much")


@pytest.mark.parametrize("cut", [0.5, 0.99])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_truncated_file_is_422(tmp_path: Path, ending: str, cut: float) -> None:
    data = nifti(tmp_path / f"a{ending}")
    assert refusal(data[: int(len(data) * cut)], tmp_path) == (422, "damaged")


def test_damaged_header_is_422(tmp_path: Path) -> None:
    data = bytearray(nifti(tmp_path / "a.nii"))
    data[40:42] = struct.pack("<h", 9)
    assert refusal(bytes(data), tmp_path) == (422, "damaged")


def test_gzip_bomb_is_413(tmp_path: Path) -> None:
    whole = nifti(tmp_path / "a.nii") + bytes(5 << 20)
    assert refusal(gzip.compress(whole), tmp_path) == (413, "unpacks_too_large")


def test_zip_bomb_is_413(tmp_path: Path) -> None:
    assert refusal(zipped({"a.dcm": bytes(900_000)}), tmp_path) == (413, "ratio")


def test_zip_of_too_many_bytes_is_413(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(700_000)
    assert refusal(zipped({"a": noise, "b": noise}), tmp_path) == (413, "unpacks_too_large")


def test_zip_of_too_many_files_is_413(tmp_path: Path) -> None:
    entries = {f"{k}.dcm": b"x" for k in range(6)}
    assert refusal(zipped(entries), tmp_path) == (413, "too_many_files")


@pytest.mark.parametrize(
    "name", ["../out.dcm", "/etc/passwd", "a/../../b", "..\\b.dcm", "C:\\b.dcm", "\\\\host\\b"]
)
def test_name_that_leads_out_of_the_zip_is_400(tmp_path: Path, name: str) -> None:
    assert refusal(zipped({name: b"x"}), tmp_path) == (400, "path_traversal")
    assert not (tmp_path / "dicom").exists()


def test_zip_with_a_password_is_422(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.dcm": b"x"}, zipfile.ZIP_STORED))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    assert refusal(bytes(data), tmp_path) == (422, "encrypted")


def test_zip_without_a_file_is_422(tmp_path: Path) -> None:
    assert refusal(zipped({}), tmp_path) == (422, "empty")


def test_damaged_zip_is_422(tmp_path: Path) -> None:
    data = zipped({"a.dcm": np.random.default_rng(0).bytes(5000)})
    assert refusal(data[:2000], tmp_path) == (422, "damaged")


def test_zip_whose_entry_lies_about_its_bytes_is_422(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.dcm": b"x" * 5000}, zipfile.ZIP_STORED))
    data[100] ^= 1
    assert refusal(bytes(data), tmp_path) == (422, "damaged")


def test_zip_without_dicom_is_422(tmp_path: Path) -> None:
    assert refusal(zipped({"a.txt": b"words"}), tmp_path) == (422, "bad_dicom")


def test_unpacked_files_have_names_of_our_own(tmp_path: Path) -> None:
    entries = {"Doe^Jane/IM1": b"x", "Doe^Jane/IM2.Jane": b"y", "README.TXT": b"", ".keep": b""}
    entries["LOCKFILE"] = b""
    (tmp_path / "a.zip").write_bytes(zipped(entries))
    assert unpack(tmp_path / "a.zip", tmp_path / "out", TIGHT) == 5
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "000001.dcm",
        "000002.dcm",
        "000003.other",
        "000004.other",
        "000005.other",
    ]


def received(data: list[bytes], path: Path, declared: int, limit: int) -> int:
    async def stream() -> AsyncIterator[bytes]:
        for each in data:
            yield each

    return asyncio.run(receive(stream(), path, declared, limit))


def test_body_is_written_as_it_came(tmp_path: Path) -> None:
    assert received([b"ab", b"c"], tmp_path / "a", 0, 3) == 3
    assert (tmp_path / "a").read_bytes() == b"abc"


def test_body_above_the_limit_is_413_whatever_its_length_claims(tmp_path: Path) -> None:
    for declared in (0, 3):
        with pytest.raises(ProblemError) as caught:
            received([b"ab", b"cd"], tmp_path / f"{declared}", declared, 3)
        assert (caught.value.status, caught.value.code) == (413, "too_large")


def test_body_that_claims_too_much_is_413_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(ProblemError):
        received([b"a"], tmp_path / "a", 4, 3)
    assert not (tmp_path / "a").exists()


def test_empty_body_is_422(tmp_path: Path) -> None:
    with pytest.raises(ProblemError) as caught:
        received([], tmp_path / "a", 0, 3)
    assert (caught.value.status, caught.value.code) == (422, "empty")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"models": ()}, "no model"),
        ({"models": ("otsu", "otsu")}, "twice"),
        ({"models": ("otsu",), "host": "0.0.0.0"}, "CARDIOSEG_TOKEN"),
        ({"models": ("otsu",), "host": "example.org"}, "CARDIOSEG_TOKEN"),
        ({"models": ("otsu",), "token": "short"}, "at least 16"),
    ],
)
def test_settings_that_cannot_be(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Settings(**values)


def test_token_is_not_in_the_words_of_its_settings() -> None:
    token = "a-token-of-more-than-sixteen-letters"
    assert token not in repr(Settings(("otsu",), host="0.0.0.0", token=token))
