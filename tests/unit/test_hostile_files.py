"""What fuzzing found, each with the smallest input that shows it; and a fixed corpus of damage."""

from __future__ import annotations

import json
import shutil
import signal
import struct
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID
from tests.soak.fuzz import HANG_SECONDS, TookTooLongError, damaged, try_one
from tests.soak.targets import TARGETS, dicom_files, itk_seeds, nifti_seeds, safetensors_seeds

from cardioseg.data.splits import read_split
from cardioseg.errors import ConfigError, DatasetError, FormatError, PlanError
from cardioseg.evaluation.measured_errors import MeasuredErrors
from cardioseg.evaluation.report import Report
from cardioseg.io.dicom import choose_series, find_series, read_series
from cardioseg.io.dicom.complete import _is_packed
from cardioseg.io.images import read_geometry, read_volume
from cardioseg.prepare.plan import Plan
from cardioseg.service.archive import unpack
from cardioseg.service.limits import Limits
from cardioseg.service.problems import ProblemError
from cardioseg.training.checkpoint import CHECKPOINT, load_checkpoint
from cardioseg.training.config import read_config
from cardioseg.training.space import read_space
from cardioseg.workflows.study.config import read_study

CORPUS = 40
DEEP = 200_000


@pytest.mark.parametrize("kind", TARGETS)
def test_whole_inputs_are_read(tmp_path: Path, kind: str) -> None:
    """Else the corpus would be refused for what it was not meant to be."""
    hostile_on_purpose = {"c.zip", "d.gz"}
    for seed in TARGETS[kind].seeds():
        if seed.name not in hostile_on_purpose:
            (tmp_path / seed.name).write_bytes(seed.data)
            assert try_one(TARGETS[kind], tmp_path / seed.name) == ("read", ""), seed.name
            shutil.rmtree(tmp_path)
            tmp_path.mkdir()


@pytest.mark.parametrize("kind", TARGETS)
def test_a_fixed_corpus_raises_only_our_errors(tmp_path: Path, kind: str) -> None:
    def too_long(*_: object) -> None:
        raise TookTooLongError

    former = signal.signal(signal.SIGALRM, too_long)
    outcomes = []
    try:
        for number in range(CORPUS if kind != "model folder" else 5):
            folder = tmp_path / str(number)
            folder.mkdir()
            path = damaged(kind, number, folder)
            signal.alarm(HANG_SECONDS)
            outcomes.append(try_one(TARGETS[kind], path))
            signal.alarm(0)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)
    assert [wrong for _, wrong in outcomes if wrong] == []
    assert any(outcome != "read" for outcome, _ in outcomes)


def test_the_corpus_is_the_same_each_time(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    for kind in TARGETS:
        first, second = (damaged(kind, 3, tmp_path / name) for name in ("one", "two"))
        assert (first.name, first.read_bytes()) == (second.name, second.read_bytes())


@pytest.mark.filterwarnings("ignore::cardioseg.errors.ReadWarning")
def test_an_image_that_ends_within_the_bytes_of_the_header(tmp_path: Path) -> None:
    """A NIfTI-1 header is shorter than what is read for either version."""
    data = bytearray(next(s.data for s in nifti_seeds() if s.name == "a.nii"))
    struct.pack_into("<8h", data, 40, 3, 2, 2, 2, 1, 1, 1, 1)
    path = tmp_path / "small.nii"
    path.write_bytes(data)
    assert read_volume(path).array.shape == (2, 2, 2)


@pytest.mark.parametrize(
    "line",
    [b"u" * 1000 + b": v", b"space" + b"u" * 1000, b"encoding: " + b"x" * 3000,
     b"k" * 1000 + b": v:=w", b"u\x0c" * 500 + b": v", b"k" * 1000 + b":=v",
     b"k:=v\r" + b"u" * 1000],
)  # fmt: skip
def test_a_long_line_never_reaches_itk_which_it_would_crash(tmp_path: Path, line: bytes) -> None:
    header, end, voxels = itk_seeds(".nrrd")[0].data.partition(b"\n\n")
    path = tmp_path / "long.nrrd"
    path.write_bytes(header + b"\n" + line + end + voxels)
    with pytest.raises(FormatError, match="letters"):
        read_geometry(path)


@pytest.mark.parametrize("line", [b"k:=" + b"v" * 9000, b"# " + b"c" * 9000, b"k:=v: w" * 2000])
def test_long_values_and_comments_are_read(tmp_path: Path, line: bytes) -> None:
    header, end, voxels = itk_seeds(".nrrd")[0].data.partition(b"\n\n")
    path = tmp_path / "long.nrrd"
    path.write_bytes(header + b"\n" + line + end + voxels)
    assert read_geometry(path).shape == (7, 6, 5)


def test_a_data_file_with_a_null_in_its_name(tmp_path: Path) -> None:
    data = itk_seeds(".mha")[0].data.replace(b"= LOCAL", b"= a\x00b")
    (tmp_path / "a.mhd").write_bytes(data)
    with pytest.raises(FormatError, match="header points to voxels"):
        read_volume(tmp_path / "a.mhd")


def test_dicom_that_claims_more_than_there_is_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.dcm").write_bytes(dicom_files()["plain"][0])
    series = find_series(tmp_path)

    def claims(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pydicom, "dcmread", claims)
    with pytest.raises(FormatError, match=r"a\.dcm: claims more bytes than there is memory"):
        read_series(choose_series(series))


@pytest.mark.parametrize("uid", [UID("1.2.840.10008.1.1"), "1.2", None])
def test_a_transfer_syntax_that_is_none(uid: UID | str | None) -> None:
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    if uid is not None:
        dataset.file_meta.TransferSyntaxUID = uid
    assert not _is_packed(dataset)


@pytest.mark.parametrize("read", [read_config, read_space, read_study])
def test_toml_that_is_nested_too_deeply(tmp_path: Path, read) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "deep.toml"
    path.write_text(f"a = {'[' * DEEP}")
    with pytest.raises(ConfigError, match=r"deep\.toml: not valid TOML"):
        read(path)


def test_json_that_is_nested_too_deeply(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text("[" * DEEP)
    with pytest.raises(DatasetError, match=r"deep\.json: cannot read a split"):
        read_split(path)
    for read in (Report.from_json, MeasuredErrors.from_json):
        with pytest.raises(FormatError):
            read(path.read_text())


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"network.head.weight", b"network.head.weighs"), (b'\\"epoch\\": 1,', b'\\"epoch\\": [],'),
     (b"optimiser.0.", b"optimiser.x."), (b"optimiser.0.", b"optimiser.9.")],
)  # fmt: skip
def test_a_checkpoint_with_names_or_values_of_no_run(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    from tests.soak.targets import _learner

    data = safetensors_seeds()[0].data
    size = int.from_bytes(data[:8], "little")
    assert old in data[8 : 8 + size]
    header = data[8 : 8 + size].replace(old, new)
    (tmp_path / CHECKPOINT).write_bytes(
        len(header).to_bytes(8, "little") + header + data[8 + size :]
    )
    config, learner = _learner()
    with pytest.raises(ConfigError, match=r"checkpoint\.safetensors"):
        load_checkpoint(tmp_path, learner, config)


def test_a_checkpoint_of_no_run_says_so(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    from tests.soak.targets import _learner  # isort: skip

    config, learner = _learner()
    progress = json.dumps({"epoch": 1, "history": []})
    save_file(
        {"network.a": np.zeros(1)},
        tmp_path / CHECKPOINT,
        {"config": config, "progress": progress},
    )
    with pytest.raises(ConfigError, match="does not hold the state of this run"):
        load_checkpoint(tmp_path, learner, config)


@pytest.mark.parametrize("ending", ["mha", "nrrd"])
def test_a_whole_stream_of_too_few_voxels(tmp_path: Path, ending: str) -> None:
    sizes = {"mha": (b"DimSize = 7 6 5", b"DimSize = 7 6 9"), "nrrd": (b": 7 6 5", b": 7 6 9")}
    data = next(s.data for s in itk_seeds(f".{ending}") if sizes[ending][0] in s.data)
    path = tmp_path / f"few.{ending}"
    path.write_bytes(data.replace(*sizes[ending]))
    with pytest.raises(FormatError, match="truncated"):
        read_volume(path)


def test_a_plan_that_is_nested_too_deeply() -> None:
    with pytest.raises(PlanError, match="not a valid plan"):
        Plan.from_json('{"a":' * 5000 + "1" + "}" * 5000)


def test_tables_within_tables_are_no_space(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(f"[{'.'.join('a' * 1500)}]\nlow = 1\n")
    with pytest.raises(ConfigError, match="TOML"):
        read_space(path)


def test_a_zip_with_an_entry_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "nameless.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", b"scan")
    path.write_bytes(_renamed(path.read_bytes(), b""))
    with pytest.raises(ProblemError, match="damaged"):
        unpack(path, tmp_path / "out", Limits())
    with pytest.raises(FormatError, match="damaged zip"):
        find_series(path)


def test_a_zip_with_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "bytes.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("\u00e9", b"scan")  # of two bytes, marked as UTF-8
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xbd\xbd"))
    with pytest.raises(ProblemError, match="damaged"):
        unpack(path, tmp_path / "out", Limits())
    with pytest.raises(FormatError, match="damaged zip"):
        find_series(path)


def _renamed(packed: bytes, name: bytes) -> bytes:
    """A zip of one entry with a name of one letter, under another name."""
    local, central, end = packed.index(b"PK\3\4"), packed.index(b"PK\1\2"), packed.index(b"PK\5\6")
    size = struct.pack("<H", len(name))
    head = packed[local : local + 26] + size + packed[local + 28 : local + 30] + name
    body = packed[local + 31 : central]
    listed = packed[central : central + 28] + size + packed[central + 30 : central + 46] + name
    shorter = central - 1 + len(name)
    tail = packed[end : end + 12] + struct.pack("<II", len(listed), shorter) + packed[end + 20 :]
    return head + body + listed + tail


def test_a_large_picture_in_colours_takes_little_more_than_itself(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.new("RGB", (700, 600), (7, 7, 7)).save(path, dpi=(25.4, 25.4))
    assert (read_volume(path).array == 7).all()
    Image.new("RGB", (700, 600), (7, 8, 7)).save(path, dpi=(25.4, 25.4))
    with pytest.raises(FormatError, match="colour"):
        read_volume(path)


def test_a_picture_that_memory_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "grey.png"
    Image.new("L", (20, 10), 7).save(path, dpi=(25.4, 25.4))

    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("cardioseg.io.picture._values", full)
    with pytest.raises(FormatError, match="more memory"):
        read_volume(path)
