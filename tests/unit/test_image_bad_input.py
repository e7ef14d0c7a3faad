"""Bad NRRD and MetaImage input: one line that starts with the file; nothing is written."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import CardiosegError, FormatError, GeometryError, LabelError, ReadWarning
from cardioseg.io.images import (
    read_frames,
    read_labels,
    read_volume,
    write_label_frames,
    write_labels,
    write_volume,
)
from cardioseg.io.scans import read_scan

SIDES = (5, 6, 4)
VOXELS = np.arange(120, dtype="<f4").tobytes()
NRRD = {
    "type": "float",
    "dimension": "3",
    "space": "left-posterior-superior",
    "sizes": "5 6 4",
    "space directions": "(1.5,0,0) (0,1.5,0) (0,0,8)",
    "kinds": "domain domain domain",
    "endian": "little",
    "encoding": "raw",
    "space origin": "(0,0,0)",
}
META = {
    "ObjectType": "Image",
    "NDims": "3",
    "BinaryData": "True",
    "BinaryDataByteOrderMSB": "False",
    "CompressedData": "False",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "0 0 0",
    "ElementSpacing": "1.5 1.5 8",
    "DimSize": "5 6 4",
    "ElementType": "MET_FLOAT",
    "ElementDataFile": "LOCAL",
}
HUGE = "30000 30000 30000"
DAMAGED = bytearray(gzip.compress(VOXELS))
DAMAGED[60] ^= 0xFF


def nrrd(voxels: bytes = VOXELS, **changes: str) -> bytes:
    fields = {**NRRD, **{key.replace("_", " "): value for key, value in changes.items()}}
    lines = [f"{key}: {value}" for key, value in fields.items() if value]
    return ("NRRD0004\n" + "\n".join(lines) + "\n\n").encode() + voxels


def meta(voxels: bytes = VOXELS, **changes: str) -> bytes:
    fields = {**META, **changes}
    data = {"ElementDataFile": fields.pop("ElementDataFile")}
    lines = [f"{key} = {value}" for key, value in {**fields, **data}.items() if value]
    return ("\n".join(lines) + "\n").encode() + voxels


def of_four(kinds: str, directions: str, sizes: str = "5 6 4 1") -> bytes:
    return nrrd(dimension="4", sizes=sizes, kinds=kinds, space_directions=directions)


NAN = np.full(120, np.nan, "<f4").tobytes()
LAST_VECTOR = "(1,0,0) (0,1,0) (0,0,1) none"
NO_SPACE = {"space": "", "space_directions": "", "space_origin": ""}

CASES: dict[str, tuple[str, bytes, type[CardiosegError], str]] = {
    "empty": (".nrrd", b"", FormatError, "the file is empty"),
    "text": (".nrrd", b"words " * 99, FormatError, "not a NRRD or MetaImage file"),
    "a gzipped file": (".mha", gzip.compress(meta()), FormatError, "not a NRRD or MetaImage"),
    "DICOM": (".nrrd", bytes(128) + b"DICM" + bytes(99), FormatError, "a DICOM file"),
    "header cut off": (".nrrd", nrrd()[:90], FormatError, "the NRRD header has no end"),
    "meta header cut off": (".mha", meta()[:90], FormatError, "not a NRRD or MetaImage"),
    "truncated": (".nrrd", nrrd(VOXELS[:-1]), FormatError, "promises 480 bytes of voxels, 479"),
    "meta truncated": (".mha", meta(VOXELS[:99]), FormatError, "promises 480 bytes of voxels, 99"),
    "header alone": (".mha", meta(b""), FormatError, "truncated"),
    "truncated gzip": (
        ".nrrd",
        nrrd(gzip.compress(VOXELS)[:-20], encoding="gzip"),
        FormatError,
        "truncated",
    ),
    "gzip without its checksum": (
        ".nrrd",
        nrrd(gzip.compress(VOXELS)[:-8], encoding="gzip"),
        FormatError,
        "truncated",
    ),
    "damaged gzip": (
        ".nrrd",
        nrrd(bytes(DAMAGED), encoding="gzip"),
        FormatError,
        "damaged compressed voxels",
    ),
    "wrong checksum": (
        ".mha",
        meta(zlib.compress(VOXELS)[:-4] + bytes(4), CompressedData="True"),
        FormatError,
        "damaged compressed voxels",
    ),
    "more than promised": (
        ".mha",
        meta(zlib.compress(VOXELS + VOXELS), CompressedData="True"),
        FormatError,
        "more voxels than the 480 bytes",
    ),
    "a promise of terabytes": (".nrrd", nrrd(sizes=HUGE), FormatError, "truncated: the header"),
    "a packed promise": (
        ".mha",
        meta(zlib.compress(VOXELS), DimSize=HUGE, CompressedData="True"),
        FormatError,
        "truncated: the header",
    ),
    "NaN": (".nrrd", nrrd(NAN), FormatError, "120 voxels are NaN or infinite"),
    "a wrong type": (".nrrd", nrrd(type="block"), FormatError, "voxels of type 'block'"),
    "another wrong type": (
        ".mha",
        meta(ElementType="MET_STRING"),
        FormatError,
        "voxels of type 'MET_STRING'",
    ),
    "vectors": (".mha", meta(ElementNumberOfChannels="3"), FormatError, "several numbers a voxel"),
    "colours": (
        ".nrrd",
        of_four("RGB-color domain domain domain", "none (1,0,0) (0,1,0) (0,0,1)", "3 5 2 4"),
        FormatError,
        "rgb-color, domain.*vectors or colours",
    ),
    "vectors at the end": (
        ".nrrd",
        of_four("domain domain domain vector", LAST_VECTOR),
        FormatError,
        "vectors or colours",
    ),
    "a picture in colours": (
        ".nrrd",
        nrrd(sizes="3 10 4", kinds="RGB-color domain domain", **NO_SPACE),
        FormatError,
        "three axes in space, this 2: a picture in colours",
    ),
    "a picture of vectors": (
        ".nrrd",
        nrrd(sizes="10 4 3", kinds="domain domain vector", **NO_SPACE),
        FormatError,
        "three axes in space, this 2: a picture in colours",
    ),
    "text encoding": (".nrrd", nrrd(encoding="ascii"), FormatError, "encoded as ascii"),
    "text voxels": (".mha", meta(BinaryData="False"), FormatError, "voxels written as text"),
    "metres": (".nrrd", nrrd(space_units='"m" "m" "m"'), FormatError, "lengths in m; export"),
    "2-D": (".mha", meta(NDims="2", DimSize="5 24"), FormatError, r"a 2-D image \(5 x 24\)"),
    "axes and sides differ": (".mha", meta(NDims="4"), FormatError, "3 sides of 4 axes"),
    "5-D": (".nrrd", nrrd(sizes="1 1 5 6 4"), FormatError, "a 5-D image"),
    "a negative side": (".nrrd", nrrd(sizes="-5 6 4"), FormatError, "the header is damaged"),
    "skipped bytes": (".nrrd", nrrd(byte_skip="9"), FormatError, "skips part of its data"),
    "wrong byte order": (".nrrd", nrrd(endian="middle"), FormatError, "byte order 'middle'"),
    "zero spacing": (".mha", meta(ElementSpacing="1 0 1"), GeometryError, "length 0|placed"),
    "flat": (
        ".nrrd",
        nrrd(space_directions="(1,0,0) (1,0,0) (0,0,1)"),
        GeometryError,
        "flat|placed",
    ),
    "no numbers": (
        ".nrrd",
        nrrd(space_directions="(nan,0,0) (0,1,0) (0,0,1)"),
        GeometryError,
        "cannot be placed",
    ),
    "another file on the disk": (
        ".mhd",
        meta(b"", ElementDataFile="../../secret.raw"),
        FormatError,
        "only one data file in the header's own folder",
    ),
    "an absolute path": (
        ".nrrd",
        nrrd(data_file="/etc/hostname"),
        FormatError,
        "only one data file in the header's own folder",
    ),
    "a list of files": (".mhd", meta(b"", ElementDataFile="LIST"), FormatError, "only one data"),
    "a data file that is not there": (
        ".mhd",
        meta(b"", ElementDataFile="gone.raw"),
        FormatError,
        r"cannot be read: No such file.*gone\.raw",
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_bad_file(tmp_path: Path, name: str) -> None:
    suffix, data, error, words = CASES[name]
    path = tmp_path / f"case{suffix}"
    path.write_bytes(data)
    with pytest.raises(error, match=words) as told:
        read_volume(path)
    message = str(told.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert "0x" not in message


@pytest.mark.parametrize(("suffix", "data"), [(".nrrd", nrrd()), (".mha", meta())])
def test_the_good_file_that_the_bad_ones_are_made_from(
    tmp_path: Path, suffix: str, data: bytes
) -> None:
    path = tmp_path / f"case{suffix}"
    path.write_bytes(data)
    image = read_volume(path)
    np.testing.assert_array_equal(image.array.ravel(order="F"), np.arange(120))
    assert (image.geometry.shape, image.geometry.orientation) == (SIDES, "LPS")


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("packed", [False, True])
def test_stored_types_and_byte_orders(tmp_path: Path, order: str, packed: bool) -> None:
    voxels = np.arange(120, dtype="<i2" if order == "little" else ">i2").tobytes()
    (tmp_path / "a.nrrd").write_bytes(
        nrrd(
            gzip.compress(voxels) if packed else voxels,
            type="short",
            endian=order,
            encoding="gzip" if packed else "raw",
        )
    )
    (tmp_path / "a.mha").write_bytes(
        meta(
            zlib.compress(voxels) if packed else voxels,
            ElementType="MET_SHORT",
            BinaryDataByteOrderMSB=str(order == "big"),
            CompressedData=str(packed),
        )
    )
    for name in ("a.nrrd", "a.mha"):
        image = read_volume(tmp_path / name)
        np.testing.assert_array_equal(image.array.ravel(order="F"), np.arange(120))


def test_a_detached_data_file_in_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "a.mhd").write_bytes(meta(b"", ElementDataFile="a.raw"))
    (tmp_path / "b.nhdr").write_bytes(nrrd(b"", data_file="a.raw"))
    (tmp_path / "a.raw").write_bytes(VOXELS)
    for name in ("a.mhd", "b.nhdr"):
        image = read_volume(tmp_path / name)
        np.testing.assert_array_equal(image.array.ravel(order="F"), np.arange(120))


@pytest.mark.parametrize(
    ("name", "data"), [("a.nrrd", nrrd(space="", space_origin="")), ("a.mha", "none")]
)
def test_a_header_without_a_patient_space_is_told(
    tmp_path: Path, name: str, data: bytes | str
) -> None:
    if isinstance(data, str):
        data = meta(TransformMatrix="")
    else:
        data = data.replace(b"space directions: (1.5,0,0) (0,1.5,0) (0,0,8)", b"spacings: 1 2 3")
    (tmp_path / name).write_bytes(data)
    with pytest.warns(ReadWarning, match=r"a\.(nrrd|mha): no (patient space|orientation)") as told:
        scan = read_scan(tmp_path / name)
    assert scan.frames[0].geometry.orientation == "LPS"
    assert [str(each.message) for each in told] == [f"{tmp_path / name}: {n}" for n in scan.notes]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.nrrd", nrrd(space_directions="(1.5,0,0) (0.4,1.5,0) (0,0,8)")),
        ("a.mha", meta(TransformMatrix="1 0 0 0.28 0.96 0 0 0 1")),
    ],
)
@pytest.mark.filterwarnings("ignore::cardioseg.errors.ReadWarning")
def test_a_sheared_grid_is_among_the_notes_of_a_scan(
    tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    (note,) = read_scan(tmp_path / name).notes
    assert note.startswith("a sheared grid: 5 x 6 x 4 voxels")


@pytest.mark.parametrize(
    ("kinds", "directions", "sizes", "first"),
    [
        ("list domain domain domain", "none (1,0,0) (0,1,0) (0,0,1)", "2 5 6 2", True),
        ("domain domain domain list", "(1,0,0) (0,1,0) (0,0,1) none", "5 6 2 2", False),
        ("list space domain space", "none (1,0,0) (0,1,0) (0,0,1)", "2 5 6 2", True),
        ("space space space list", "(1,0,0) (0,1,0) (0,0,1) none", "5 6 2 2", False),
    ],
)
def test_frames_of_a_sequence_first_or_last(
    tmp_path: Path, kinds: str, directions: str, sizes: str, first: bool
) -> None:
    (tmp_path / "a.nrrd").write_bytes(of_four(kinds, directions, sizes))
    frames = read_frames(tmp_path / "a.nrrd")
    assert [frame.array.shape for frame in frames] == [(5, 6, 2)] * 2
    assert frames[1].array[0, 0, 0] == (1 if first else 60)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"absent\.nrrd: cannot be read: No such file"):
        read_volume(tmp_path / "absent.nrrd")
    (tmp_path / "a.mha").mkdir()
    with pytest.raises(FormatError, match="cannot be read: Is a directory"):
        read_volume(tmp_path / "a.mha")


def test_labels_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.nrrd").write_bytes(nrrd((np.arange(120, dtype="<f4") / 8).tobytes()))
    with pytest.raises(LabelError, match=r"a\.nrrd: label value .* is not a whole number"):
        read_labels(tmp_path / "a.nrrd", ACDC)
    (tmp_path / "b.mha").write_bytes(meta())
    with pytest.raises(LabelError, match=r"b\.mha: label values 4, 5"):
        read_labels(tmp_path / "b.mha", ACDC)


def test_names_that_cannot_be_written_leave_nothing(tmp_path: Path) -> None:
    grid = Geometry(SIDES, np.eye(4))
    image = Volume(np.ones(SIDES, np.float32), grid)
    labels = LabelMap(np.ones(SIDES, np.uint8), grid, ACDC)
    for name in ("a.mhd", "a.nhdr"):
        with pytest.raises(FormatError, match=r"end the name in \.nrrd or \.mha"):
            write_volume(image, tmp_path / name)
    with pytest.raises(FormatError, match="an image cannot be written as a segmentation"):
        write_volume(image, tmp_path / "a.seg.nrrd")
    with pytest.raises(FormatError, match="holds one frame, not 2"):
        write_label_frames([labels, labels], tmp_path / "a.seg.nrrd")
    with pytest.raises(FormatError, match="no frames to write"):
        write_label_frames([], tmp_path / "a.mha")
    with pytest.raises(FormatError, match="absent does not exist"):
        write_labels(labels, tmp_path / "absent" / "a.nrrd")
    assert list(tmp_path.iterdir()) == []
