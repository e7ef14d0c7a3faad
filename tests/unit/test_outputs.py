"""Kinds of output: what each writes, and that it finds all of it again."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, SCHEMES
from cardioseg.core.scan import Scan
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.evaluation.function import heart_function
from cardioseg.inference.predictor import Provenance
from cardioseg.io.images import read_labels
from cardioseg.workflows import visual_outputs
from cardioseg.workflows.mesh import MeshResult, heart_meshes
from cardioseg.workflows.mesh_files import _in_a_name
from cardioseg.workflows.outputs import MESH, NRRD, REPORT, kinds_named
from cardioseg.workflows.result import Result

GRID = Geometry((3, 4, 2), np.diag([-1.5, 1.5, 8.0, 1.0]))
MADE = Provenance("sax", "0123456789abcdef", "onnx", "native", False, True, 1.0)


def result(*phases: int) -> Result:
    image = Volume(np.zeros(GRID.shape, np.float32), GRID)
    maps = {index: LabelMap(np.full(GRID.shape, index, np.uint8), GRID, ACDC) for index in range(4)}
    return Result("heart", Scan((image,) * 4), maps, phases, MADE, "")


def test_one_frame_is_one_file_and_several_are_numbered_from_1(tmp_path: Path) -> None:
    NRRD.write(result(2), tmp_path)
    assert [path.name for path in NRRD.files_there(tmp_path, "heart")] == ["heart.seg.nrrd"]
    assert (read_labels(tmp_path / "heart.seg.nrrd", ACDC).array == 2).all()
    (tmp_path / "heart.seg.nrrd").unlink()
    NRRD.write(result(1, 3), tmp_path)
    found = NRRD.files_there(tmp_path, "heart")
    assert [path.name for path in found] == ["heart-phase02.seg.nrrd", "heart-phase04.seg.nrrd"]
    assert [int(read_labels(path, ACDC).array.max()) for path in found] == [1, 3]


def test_the_kind_is_named_nrrd() -> None:
    assert [kind.name for kind in kinds_named("nrrd,nifti")] == ["nifti", "json", "nrrd"]


def ball(radius: int) -> LabelMap:
    grid = Geometry((14, 14, 14), np.diag([2.0, 2.0, 2.0, 1.0]))
    from_middle = np.linalg.norm(np.indices(grid.shape) - 6.5, axis=0)
    return LabelMap(np.where(from_middle <= radius, 3, 0).astype(np.uint8), grid, ACDC)


def test_models_of_any_format_are_found_before_they_are_overwritten(tmp_path: Path) -> None:
    frames = (ball(5), ball(3))
    image = Volume(np.zeros(frames[0].array.shape, np.float32), frames[0].geometry)
    function = heart_function(frames)
    beat = Result(
        "heart", Scan((image, image)), dict(enumerate(frames)), (0, 1), MADE, "", function=function
    )
    MESH.write(beat, tmp_path)
    written = sorted(tmp_path.iterdir())
    assert {path.name for path in written} >= {"heart.glb", "heart-LV-cavity.stl", "heart-es.glb"}
    assert MESH.files_there(tmp_path, "heart") == tuple(written)
    for path in tmp_path.glob("*.stl"):
        path.unlink()
    assert tmp_path / "heart.glb" in MESH.files_there(tmp_path, "heart")


def test_the_page_tells_notes_on_scan_and_function(tmp_path: Path) -> None:
    frames = (ball(5), ball(4), ball(3))
    image = Volume(np.zeros(frames[0].array.shape, np.float32), frames[0].geometry)
    function, scan = heart_function(frames), Scan((image,) * 3, notes=("a slice is twice there",))
    maps = dict(enumerate(frames))
    REPORT.write(Result("heart", scan, maps, (0, 1, 2), MADE, "", function=function), tmp_path)
    page = (tmp_path / "heart.html").read_text(encoding="utf-8")
    assert "a slice is twice there" in page
    assert "short cine of 3 frames" in page


def test_models_are_made_once_and_nothing_is_held_after(tmp_path: Path, monkeypatch) -> None:
    made: list[str] = []

    def counted(labels: LabelMap) -> tuple[MeshResult, ...]:
        made.append("models")
        return heart_meshes(labels)

    def drawn(meshes: object) -> Figure:
        made.append("picture")
        return Figure()

    monkeypatch.setattr(visual_outputs, "heart_meshes", counted)
    monkeypatch.setattr(visual_outputs, "mesh_figure", drawn)
    labels = ball(5)
    image = Volume(np.zeros(labels.array.shape, np.float32), labels.geometry)
    one = Result("heart", Scan((image,)), {0: labels}, (0,), MADE, "")
    held = [weakref.ref(each) for each in (one, one.scan, image, labels)]
    for kind in (MESH, REPORT):
        kind.write(one, tmp_path)
    assert made == ["models", "picture"]
    del one, image, labels
    gc.collect()
    assert [each() for each in held] == [None] * 4
    assert not visual_outputs._MADE


def test_files_of_another_name_are_not_taken_for_those_of_a_shorter_one(tmp_path: Path) -> None:
    for name in ("case-2-LV-cavity.stl", "case-es.glb", "case-phase2nd.seg.nrrd"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in MESH.files_there(tmp_path, "case")] == ["case-es.glb"]
    assert NRRD.files_there(tmp_path, "case") == ()


def test_models_of_every_structure_are_found_again() -> None:
    for scheme in SCHEMES:
        for each in scheme.structures:
            assert MESH.may_end(f"-es-{_in_a_name(each.name)}.stl")


def test_what_an_earlier_run_wrote_and_this_one_does_not_is_removed(tmp_path: Path) -> None:
    (tmp_path / "heart-2.seg.nrrd").write_bytes(b"of another input")
    NRRD.write_anew(result(1, 3), tmp_path)
    NRRD.write_anew(result(3), tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "heart-2.seg.nrrd",
        "heart.seg.nrrd",
    ]
