"""Which models made label maps: what headers and records tell, and silence where none did."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, LEFT_VENTRICLE, SCHEMES
from cardioseg.core.mesh import Mesh
from cardioseg.core.volume import LabelMap
from cardioseg.errors import LabelError
from cardioseg.io.header_scheme import require_told, told_scheme
from cardioseg.io.images import read_model_id, write_labels
from cardioseg.io.mesh import write_mesh_file
from cardioseg.workflows.convert import convert_file
from cardioseg.workflows.evaluate import EvaluationOptions, evaluate_files
from cardioseg.workflows.function import FunctionInputs, function_of_files
from cardioseg.workflows.inputs import gather_labels
from cardioseg.workflows.made import Maker, makers_of, words_of_makers
from cardioseg.workflows.mesh import heart_meshes
from cardioseg.workflows.mesh_files import meshes_json

FIRST, SECOND = "0123456789abcdef", "fedcba9876543210-corrected"


def heart() -> LabelMap:
    grid = Geometry((24, 24, 6), np.diag([-1.5, 1.5, 8.0, 1.0]))
    x, y, k = np.indices(grid.shape)
    radius = np.hypot(x - 11.5, y - 11.5)
    array = np.zeros(grid.shape, np.uint8)
    array[(radius < 9) & (k > 0) & (k < 5)] = 2
    array[(radius < 5) & (k > 0) & (k < 5)] = 3
    return LabelMap(array, grid, ACDC)


def left_ventricle() -> LabelMap:
    return heart().read_as(LEFT_VENTRICLE)


def predictions(folder: Path, made: dict[str, str]) -> Path:
    folder.mkdir()
    for name, model_id in made.items():
        write_labels(heart(), folder / name, model_id)
    return folder


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".seg.nrrd", ".mha"])
def test_a_header_tells_the_model(tmp_path: Path, ending: str) -> None:
    for model_id in (FIRST, SECOND, ""):
        write_labels(heart(), tmp_path / f"case{ending}", model_id)
        assert read_model_id(tmp_path / f"case{ending}") == model_id
    assert read_model_id(tmp_path / "mask.png") == ""


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".seg.nrrd", ".mha"])
def test_a_header_tells_the_scheme(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"case{ending}"
    for scheme in SCHEMES:
        empty = LabelMap(np.zeros_like(heart().array), heart().geometry, scheme)
        for model_id in (FIRST, ""):
            write_labels(empty, path, model_id)
            assert told_scheme(path) == scheme
    path.write_bytes(path.read_bytes()[:99])
    assert told_scheme(path) is None


@pytest.mark.parametrize("ending", [".nrrd", ".seg.nrrd", ".mha"])
def test_a_converted_left_ventricle_is_measured_as_one(tmp_path: Path, ending: str) -> None:
    source, target = tmp_path / "lv.nii.gz", tmp_path / f"lv{ending}"
    write_labels(left_ventricle(), source)
    convert_file(source, target, LEFT_VENTRICLE)
    first, second = (
        function_of_files(path, FunctionInputs()).to_record() for path in (source, target)
    )
    assert first == second


def test_only_a_segmentation_is_read_in_any_scheme_that_has_its_names(tmp_path: Path) -> None:
    for ending in (".nii.gz", ".nrrd", ".mha"):
        write_labels(left_ventricle(), tmp_path / f"lv{ending}")
        with pytest.raises(LabelError, match=r"lv\..*those of left_ventricle, not of acdc"):
            require_told(tmp_path / f"lv{ending}", ACDC)
    write_labels(left_ventricle(), tmp_path / "lv.seg.nrrd")
    require_told(tmp_path / "lv.seg.nrrd", ACDC)


def test_several_models_are_listed_with_their_cases(tmp_path: Path) -> None:
    made = {"a.nii.gz": FIRST, "b.nii.gz": SECOND, "c.nii.gz": FIRST, "d.nii.gz": ""}
    folder = predictions(tmp_path / "p", made)
    case = {"name": "a", "frames": 1, "written": ["a.nii.gz"]}
    head = {"format_version": 1, "command": "predict", "model": "sax", "model_id": FIRST}
    (folder / "run.json").write_text(json.dumps({**head, "files": [case]}), encoding="utf-8")
    found = makers_of(gather_labels(folder))
    assert found == (Maker(FIRST, "sax", ("a", "c")), Maker(SECOND, "", ("b",)))
    assert words_of_makers(found, 4) == f"Models: sax, id {FIRST} (a, c); id {SECOND} (b)."
    later = {**head, "format_version": 2, "files": [case]}
    (folder / "run.json").write_text(json.dumps(later), encoding="utf-8")
    assert [each.model for each in makers_of(gather_labels(folder))] == ["", ""]


def test_labels_drawn_by_hand_say_nothing_of_a_model(tmp_path: Path) -> None:
    folder = predictions(tmp_path / "p", {"a_ED.nii.gz": "", "a_ES.nii.gz": ""})
    evaluate_files(folder, folder, EvaluationOptions(ACDC), tmp_path / "evaluation")
    function_of_files(folder, FunctionInputs(), tmp_path / "function")
    for path in (*(tmp_path / "evaluation").iterdir(), *(tmp_path / "function").iterdir()):
        assert b"model" not in path.read_bytes().lower(), path.name
    assert "model" not in json.loads(meshes_json(heart_meshes(heart())))


def test_function_tells_which_model_made_which_files(tmp_path: Path) -> None:
    names = [f"{subject}_frame{number:02d}" for subject in "ab" for number in (1, 2, 3)]
    ids = (FIRST, FIRST, FIRST, SECOND, SECOND, "")
    made = {f"{name}.nii.gz": model_id for name, model_id in zip(names, ids, strict=True)}
    folder = predictions(tmp_path / "p", made)
    done = function_of_files(folder, FunctionInputs(), tmp_path / "function")
    told = [
        {"model_id": FIRST, "cases": names[:3]},
        {"model_id": SECOND, "cases": names[3:5]},
    ]
    assert done.to_record()["models"] == told
    for name in ("function.json", "run.json"):
        record = json.loads((tmp_path / "function" / name).read_text(encoding="utf-8"))
        assert record["models"] == told
    first, second = (
        (tmp_path / "function" / f"{subject}_curves.png").read_bytes() for subject in "ab"
    )
    assert FIRST.encode() in first
    assert SECOND.encode() not in first
    assert SECOND.encode() in second


def test_an_stl_never_looks_like_text_and_keeps_the_id(tmp_path: Path) -> None:
    corners = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]])
    sides = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    for name in ("solid tumour", "a structure whose name takes more letters than the header has"):
        write_mesh_file([Mesh(corners, sides, name)], tmp_path / "a.stl", SECOND)
        header = (tmp_path / "a.stl").read_bytes()[:80]
        assert not header.startswith(b"solid")
        assert header.rstrip(b"\0").endswith(f"; model {SECOND}".encode())
        assert name[:8].encode() in header
