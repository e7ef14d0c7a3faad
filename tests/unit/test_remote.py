"""Inputs by URL: what is listed, what is refused, and that nothing of it stays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.in_process import run
from tests.small_cohort import scan

from cardioseg.errors import DatasetError, FormatError
from cardioseg.scale.remote import _reason, fetched, gather
from cardioseg.workflows.inputs import Input

fsspec = pytest.importorskip("fsspec", reason="the extra 'scale' is not installed")


@pytest.fixture
def heap() -> Iterator[object]:
    """An object store in memory."""
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def test_a_folder_by_url_means_what_it_means_on_a_disk(heap) -> None:
    for name in ("b/y.nii", "a/x.nii.gz", "a/x_gt.nii.gz", "b/notes.txt", "b/.z.nii", "p.png"):
        heap.pipe(f"/hearts/{name}", b"1")
    found = gather(["memory://hearts"])
    assert [(each.name, each.url) for each in found] == [
        ("x", "memory://hearts/a/x.nii.gz"), ("y", "memory://hearts/b/y.nii"),
    ]  # fmt: skip
    assert gather(["memory://hearts/"]) == found
    assert [each.name for each in gather(["memory://hearts/p.png"])] == ["p"]


def test_zips_of_dicom_are_named_or_matched(heap) -> None:
    heap.pipe("/studies/1.zip", b"1")
    heap.pipe("/studies/2.zip", b"1")
    found = gather(["memory://studies/*.zip"])
    assert [(each.name, each.is_dicom) for each in found] == [("1", True), ("2", True)]
    with pytest.raises(DatasetError, match=r"no image here.*/\*\.zip"):
        gather(["memory://studies"])


def test_an_archive_by_url_is_read_as_a_folder(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii"):
        scan(tmp_path / name)
    with ZipFile(tmp_path / "h.zip", "w") as archive:
        archive.write(tmp_path / "a.nii.gz", "a.nii.gz")
        archive.write(tmp_path / "b.nii", "deep/b.nii")
    found = gather([f"zip://::file://{tmp_path / 'h.zip'}"])
    assert [each.name for each in found] == ["a", "b"]
    for each in found:
        with fetched(each) as here:
            assert here.path.read_bytes() == (tmp_path / each.path.name).read_bytes()


def test_files_by_file_url_are_local(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.nii.gz")
    assert gather([f"file://{path}", str(scan(tmp_path / "b.nii"))]) == (
        Input("a", path), Input("b", tmp_path / "b.nii"),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["up\\..\\..\\x.nii.gz", "x\ny.nii.gz", "C:\\x.nii"])
def test_a_name_that_leads_elsewhere_is_refused(heap, name: str) -> None:
    heap.pipe(f"/hearts/{name}", b"1")
    with pytest.raises(DatasetError, match="its name cannot be a file's here"):
        gather(["memory://hearts"])


def test_what_is_not_there_or_not_known_is_told(heap, tmp_path: Path) -> None:
    for url, words in (
        ("memory://hearts/x.nii.gz", "there is no such file"),
        ("memory://nowhere", "no image here"),
        ("nonsense://x/y.nii.gz", "nonsense://x/y.nii.gz: cannot be opened"),
    ):
        with pytest.raises(DatasetError, match=words):
            gather([url])
    heap.pipe("/hearts/a/x.nii.gz", b"1")
    with pytest.raises(DatasetError, match="have one name, x"):
        gather(["memory://hearts", str(scan(tmp_path / "x.nii.gz"))])


def test_one_is_fetched_into_a_private_folder_and_removed(heap, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    heap.pipe("/hearts/x.nii.gz", b"abc")
    (each,) = gather(["memory://hearts/x.nii.gz"])
    with fetched(each) as here:
        assert here.path.read_bytes() == b"abc"
        assert here.path.name == "input.nii.gz"
        assert here.path.parent.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []
    heap.rm("/hearts/x.nii.gz")
    with pytest.raises(FormatError, match=r"^memory://hearts/x.nii.gz: cannot be fetched"):
        fetched(each).__enter__()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FormatError, match=r"store it as one file"):
        fetched(Input("x", Path("x.mhd"), url="memory://x.mhd")).__enter__()


def test_predicting_by_url_is_predicting_the_file(heap, tmp_path: Path, capsys) -> None:
    names = ("a.nii.gz", "b.nii.gz")
    for seed, name in enumerate(names):
        heap.pipe(f"/hearts/{name}", scan(tmp_path / "in" / name, seed=seed).read_bytes())
    heap.pipe("/hearts/c.nii.gz", b"no image")
    options = ("--model", "otsu", "--scheme", "acdc", "--write", "nifti,json", "--output")
    assert run("predict", tmp_path / "in", *options, tmp_path / "local") == 0
    assert run("predict", "memory://hearts", *options, tmp_path / "remote") == 3
    told = capsys.readouterr().err
    assert "memory://hearts/c.nii.gz: " in told
    assert tempfile.gettempdir() not in told
    for path in (tmp_path / "local").glob("[ab].*"):
        assert path.read_bytes() == (tmp_path / "remote" / path.name).read_bytes()
    assert "memory" not in (tmp_path / "remote" / "run.json").read_text()


def test_what_opens_a_url_is_not_repeated() -> None:
    url = "https://anna:s3cret@127.0.0.1:1/x.nii.gz?token=s3cret"
    each = Input("x", Path("x.nii.gz"), url=url)
    with pytest.raises((DatasetError, FormatError)) as caught:
        fetched(each).__enter__()
    assert "https://***@127.0.0.1:1/x.nii.gz?***" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        "403, message='Forbidden', url='http://127.0.0.1:1/a.nii.gz?sv=2024&sig=s3cret/b='",
        "http://anna:s3cret@127.0.0.1:1/a.nii.gz?sig=s3cret: refused",
        "Cannot connect to sftp://anna:s3/cret@example.org/a.nii.gz (refused)",
        "zip://a::https://example.org/x.zip?X-Amz-Signature=s3cret&a=~1",
    ],
)
def test_what_opens_a_url_is_not_repeated_as_a_library_spells_it(words: str) -> None:
    each = Input("a", Path("a.nii.gz"), url="http://127.0.0.1:1/a.nii.gz?sv=2024&sig=s3cret%2Fb%3D")
    told = _reason(OSError(words), each)
    assert "s3cret" not in told
    assert "anna" not in told
    assert "cret" not in told
