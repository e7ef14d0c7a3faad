"""No space, no permission, no memory: an error that names the file and what to do, nothing half."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save
from tests.soak.whole import files_below, half_written, leftovers

from cardioseg.cli import app
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.mesh import Mesh
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.data.slices import store_slices
from cardioseg.errors import WriteError, is_out_of_memory
from cardioseg.io import atomic
from cardioseg.io.atomic import atomic_path, growing_npy, make_folder, write_bytes
from cardioseg.io.images import write_frames, write_labels, write_volume
from cardioseg.io.mesh import write_mesh_file
from cardioseg.model import write_folder
from cardioseg.training.fit import Watch
from cardioseg.workflows.inputs import Input
from cardioseg.workflows.predict import predict_files

GRID = Geometry((40, 40, 20), np.diag([1.5, 1.5, 8.0, 1.0]))
SMALL_BYTES = 4096


def noise() -> Volume:
    return Volume(np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32), GRID)


def labels() -> LabelMap:
    values = np.random.default_rng(0).integers(0, 4, GRID.shape).astype(np.uint8)
    return LabelMap(values, GRID, ACDC)


def mesh() -> Mesh:
    vertices = np.random.default_rng(0).normal(size=(3000, 3))
    return Mesh(vertices, np.arange(3000).reshape(-1, 3), "myocardium", "#112233")


def write_array(path: Path, array: np.ndarray) -> None:
    with growing_npy(path, array.dtype, ()) as stream:
        stream.write(array.data)


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """The system refuses to write on, as it does on a full disk; no privilege is needed."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, handler)


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.nii.gz": lambda path: write_volume(noise(), path),
    "b.nii": lambda path: write_labels(labels(), path),
    "c.nrrd": lambda path: write_volume(noise(), path),
    "d.mha": lambda path: write_frames([noise(), noise()], path),
    "e.seg.nrrd": lambda path: write_labels(labels(), path),
    "f.npy": lambda path: write_array(path, np.random.default_rng(0).normal(size=9999)),
    "g.safetensors": lambda path: write_bytes(path, save({"a": np.zeros(9999)})),
    "h.stl": lambda path: write_mesh_file([mesh()], path),
    "i.glb": lambda path: write_mesh_file([mesh()], path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_fills_with_the_last_bytes(tmp_path: Path, name: str) -> None:
    """ITK's writer of NRRD does not notice it, and left a file cut off."""
    WRITERS[name](tmp_path / name)
    size = (tmp_path / name).stat().st_size
    for missing in (1, 10, 1000):
        with no_file_longer_than(size - missing), pytest.raises(WriteError):
            WRITERS[name](tmp_path / name)
    assert (tmp_path / name).stat().st_size == size
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"former")
    with no_file_longer_than(SMALL_BYTES), pytest.raises(WriteError) as refused:
        WRITERS[name](path)
    assert str(path) in str(refused.value)
    assert "free space" in str(refused.value)
    assert path.read_bytes() == b"former"
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("only root can mount a small disk")
    try:
        with pytest.raises(OSError, match="No space"):
            (disk / "filler").write_bytes(bytes(1 << 20))
        for name, write in WRITERS.items():
            with pytest.raises(WriteError, match="free space") as refused:
                write(disk / name)
            assert str(disk / name) in str(refused.value)
            assert [path.name for path in disk.iterdir()] == ["filler"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_training_on_a_full_disk_can_be_resumed(tmp_path: Path) -> None:
    from tests.soak.kills import differing_tensors
    from tests.unit.test_training import CONFIG, TRAINING, VALIDATION

    from cardioseg.training.fit import fit

    config = CONFIG.model_copy(update={"epochs": 2})
    for name in ("full", "never-full"):
        (tmp_path / name).mkdir()
    fit(config, TRAINING, VALIDATION, tmp_path / "never-full")

    def full(*_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_BYTES, resource.RLIM_INFINITY))

    # The first epoch is stored, the second is not.
    with no_file_longer_than(1 << 20), pytest.raises(WriteError, match=r"checkpoint\.safetensors"):
        fit(config, TRAINING, VALIDATION, tmp_path / "full", Watch(epoch=full))
    assert half_written(tmp_path / "full") == []
    assert leftovers(tmp_path / "full") == []
    fit(config, TRAINING, VALIDATION, tmp_path / "full")
    assert differing_tensors(tmp_path / "full", tmp_path / "never-full") == []


def test_prepared_slices_that_were_cut_off_are_prepared_again(tmp_path: Path) -> None:
    from tests.unit.test_slices import PLAN, case

    whole = store_slices([case("a")], PLAN, tmp_path / "whole")
    with no_file_longer_than(SMALL_BYTES // 8), pytest.raises(WriteError, match=r"images\.npy"):
        store_slices([case("a")], PLAN, tmp_path / "cut")
    assert leftovers(tmp_path / "cut") == []
    for damage in ("images.npy", "labels.npy", "index.json"):
        store_slices([case("a")], PLAN, tmp_path / "cut")
        path = next((tmp_path / "cut").rglob(damage))
        path.write_bytes(path.read_bytes()[:-1])
        healed = store_slices([case("a")], PLAN, tmp_path / "cut")
        np.testing.assert_array_equal(healed.images, whole.images)
        np.testing.assert_array_equal(healed.labels, whole.labels)
        assert healed.entries == whole.entries


def test_a_model_folder_on_a_full_disk_is_refused_or_whole(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with no_file_longer_than(SMALL_BYTES), pytest.raises(WriteError):
        write_folder(folder, {"plan.json": b"{}\n", "model.onnx": bytes(9999)})
    assert [path.name for path in files_below(folder)] == ["plan.json"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(WriteError, match=r"closed.*change permissions"):
        make_folder(tmp_path / "closed" / "out")
    with pytest.raises(WriteError, match=r"closed.*change permissions"):
        write_bytes(tmp_path / "closed" / "a.bin", b"a")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(WriteError, match="cannot be made: a file is in the way; name another"):
            make_folder(path)


def test_a_read_only_file_system_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(WriteError, match=r"out: cannot be made: Read-only file system; free"):
        make_folder(tmp_path / "out")


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_an_image_too_large_for_the_memory_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from cardioseg.baselines.folder import open_baseline
    from cardioseg.workflows import work

    write_volume(noise(), tmp_path / "small.nii.gz")
    inputs = [Input("large", tmp_path / "large.nii.gz"), Input("small", tmp_path / "small.nii.gz")]
    whole = work.open_input

    def opened(each: Input) -> object:
        if each.name == "large":
            raise error
        return whole(each)

    monkeypatch.setattr(work, "open_input", opened)
    done = predict_files(open_baseline("otsu"), inputs, tmp_path / "out")
    assert "large.nii.gz: out of memory; crop the image" in done[0].error
    assert done[1].error == ""
    assert [path.name for path in files_below(tmp_path / "out")] == ["run.json", "small.nii.gz"]
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["files"][0] == {"name": "large", "seconds": record["files"][0]["seconds"],
                                  "failed": True}  # fmt: skip


LIMITED = """
import resource, sys
from pathlib import Path
import cardioseg.workflows.predict, cardioseg.baselines.folder, nibabel, scipy.ndimage
from cardioseg.__main__ import main
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (200 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.argv = ["cardioseg", *sys.argv[1:]]
main()
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_the_program_without_memory_names_the_file(tmp_path: Path) -> None:
    import nibabel

    large = nibabel.Nifti1Image(np.zeros((400, 400, 400), np.uint8), np.eye(4))
    nibabel.save(large, tmp_path / "large.nii.gz")
    command = [sys.executable, "-c", LIMITED, "predict", str(tmp_path / "large.nii.gz"),
               "--model", "otsu", "--output", str(tmp_path / "out")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert "large.nii.gz" in done.stderr
    assert "memory" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in files_below(tmp_path / "out")] == ["run.json"]


@pytest.mark.parametrize(
    ("error", "words"),
    [(PermissionError(13, "Permission denied", "/x/y"), "/x/y: Permission denied; change"),
     (MemoryError(), "out of memory; close other programs"),
     (RuntimeError("std::bad_alloc"), "out of memory; close other programs")],
)  # fmt: skip
def test_the_program_ends_with_a_line_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    words: str,
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(app, "asked_for", lambda first: fails)
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 1
    assert words in capsys.readouterr().err


def test_other_errors_are_not_taken_for_the_end_of_memory() -> None:
    assert not is_out_of_memory(ValueError("memory of a voxel"))


def left_by_a_killed_process(folder: Path) -> Path:
    """A temporary file that nobody holds, as signal 9 leaves it."""
    script = (
        "import os, signal, sys\nfrom cardioseg.io.atomic import atomic_path\n"
        "with atomic_path(sys.argv[1]) as path:\n"
        "    path.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", script, str(folder / "a.json")]
    subprocess.run(command, check=False, timeout=60)
    return next(iter(leftovers(folder)))


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    left = left_by_a_killed_process(tmp_path)
    assert atomic.is_empty(tmp_path)
    with atomic_path(tmp_path / "b.json") as held:
        held.write_text("{}")
        assert not left.exists()
        # A file that is being written is held, and stays.
        atomic._remove_if_left(held)
        assert held.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]
