"""Mesh files: each format read back by another library, names, colours, units; what is refused."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import trimesh

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD
from cardioseg.core.mesh import Mesh
from cardioseg.core.volume import LabelMap
from cardioseg.errors import FormatError, GeometryError, LabelError, OutputExistsError
from cardioseg.evaluation.rendering import View, mesh_figure, render
from cardioseg.io.mesh import FORMATS, SEVERAL, SINGLE, write_mesh_file
from cardioseg.ops.mesh_check import check
from cardioseg.ops.mesh_field import field_of
from cardioseg.ops.mesh_shell import shell_of
from cardioseg.ops.mesh_surface import surface_of
from cardioseg.workflows.mesh import MeshOptions, heart_meshes
from cardioseg.workflows.mesh_cuts import Cut, read_cut
from cardioseg.workflows.mesh_files import write_meshes


@pytest.fixture(scope="module")
def heart():
    """A short-axis heart: base at the first slice, RV beside the wall."""
    grid = Geometry((40, 40, 8), np.diag([-1.5, 1.5, 8.0, 1.0]))
    x, y, k = np.indices(grid.shape)
    radius = np.hypot(x - 16, y - 20) * 1.5
    size = np.array([0, 22, 22, 21, 19, 16, 11, 0])[k]
    array = np.zeros(grid.shape, np.uint8)
    array[(np.hypot(x - 27, y - 20) * 1.5 < size * 0.6) & (k < 6)] = 1
    array[radius < size] = 2
    array[(radius < size - 8) & (k < 6)] = 3
    return LabelMap(array, grid, ACDC)


@pytest.fixture(scope="module")
def models(heart):
    return heart_meshes(heart)


def test_a_heart_is_sound_and_keeps_its_volumes(heart, models):
    assert [each.mesh.name for each in models] == ["RV cavity", "myocardium", "LV cavity"]
    for each in models:
        assert each.problems == ()
        assert each.check.volume_ml == pytest.approx(heart.volume_ml(each.mesh.name), rel=0.01)
        assert each.displacement.largest_voxels <= 1


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_back(models, kind, tmp_path):
    meshes = [each.mesh for each in models]
    held = meshes if kind in SEVERAL else meshes[2:]
    path = tmp_path / f"heart.{kind}"
    write_mesh_file(held, path)
    scene = trimesh.load_scene(path)
    found = scene.dump()
    assert len(found) == len(held)
    # glTF measures in metres.
    scale = 1000 if kind == "glb" else 1
    by_volume = sorted(held, key=lambda mesh: check(mesh.vertices, mesh.faces).volume_ml)
    for mesh, back in zip(by_volume, sorted(found, key=lambda m: m.volume), strict=True):
        back.merge_vertices(merge_norm=True, merge_tex=True)
        assert back.is_watertight
        assert back.is_winding_consistent
        expected = check(mesh.vertices, mesh.faces).volume_ml
        assert back.volume * scale**3 / 1000 == pytest.approx(expected, rel=1e-4)
    if kind != "glb":
        low, high = scene.bounds
        vertices = np.concatenate([mesh.vertices for mesh in held])
        assert low == pytest.approx(vertices.min(axis=0), abs=1e-3)
        assert high == pytest.approx(vertices.max(axis=0), abs=1e-3)


def test_gltf_stands_upright_in_metres(models, tmp_path):
    path = tmp_path / "heart.glb"
    write_mesh_file([models[1].mesh], path)
    low, high = trimesh.load_scene(path).bounds
    x, y, z = models[1].mesh.vertices.T / 1000
    assert (low, high) == (
        pytest.approx([x.min(), z.min(), -y.max()], abs=1e-6),
        pytest.approx([x.max(), z.max(), -y.min()], abs=1e-6),
    )


def test_names_and_colours_are_kept(models, tmp_path):
    meshes = [each.mesh for each in models]
    names = {mesh.name for mesh in meshes}
    for kind in SEVERAL:
        write_mesh_file(meshes, tmp_path / f"all.{kind}")
        assert set(trimesh.load_scene(tmp_path / f"all.{kind}").geometry) == names
    scene = trimesh.load_scene(tmp_path / "all.glb")
    color = scene.geometry["RV cavity"].visual.material.baseColorFactor
    assert tuple(color[:3]) == (0x56, 0xB4, 0xE9)
    with zipfile.ZipFile(tmp_path / "all.3mf") as archive:
        model = archive.read("3D/3dmodel.model").decode()
    assert 'unit="millimeter"' in model
    assert '<base name="RV cavity" displaycolor="#56B4E9" />' in model
    assert 'pid="4" pindex="2"' in model
    for kind in SINGLE:
        write_mesh_file(meshes[:1], tmp_path / f"one.{kind}")
        assert b"RV cavity, unit mm" in (tmp_path / f"one.{kind}").read_bytes()[:400]
    ply = trimesh.load_mesh(tmp_path / "one.ply")
    assert tuple(ply.visual.vertex_colors[0][:3]) == (0x56, 0xB4, 0xE9)


def test_what_cannot_be_written_is_told(models, tmp_path):
    meshes = [each.mesh for each in models]
    with pytest.raises(FormatError, match="no mesh format"):
        write_mesh_file(meshes, tmp_path / "heart.vtk")
    with pytest.raises(FormatError, match="holds one structure, not 3"):
        write_mesh_file(meshes, tmp_path / "heart.stl")
    with pytest.raises(FormatError, match="no mesh to write"):
        write_mesh_file([], tmp_path / "heart.glb")
    with pytest.raises(FormatError, match="unknown mesh format: vtk"):
        write_meshes(models, tmp_path, "heart", ["vtk"])


def test_files_of_a_case(models, tmp_path):
    written = write_meshes(models, tmp_path / "out", "case", ["stl", "glb"])
    assert [path.name for path in written] == [
        "case-RV-cavity.stl",
        "case-myocardium.stl",
        "case-LV-cavity.stl",
        "case.glb",
        "case-meshes.json",
    ]
    told = json.loads(written[-1].read_text())["meshes"]
    assert [each["watertight"] for each in told] == [True, True, True]
    assert told[2]["labels_ml"] == pytest.approx(told[2]["mesh_ml"], rel=0.01)
    with pytest.raises(OutputExistsError, match="--force"):
        write_meshes(models, tmp_path / "out", "case", ["stl"])
    write_meshes(models, tmp_path / "out", "case", ["stl"], force=True)


def test_structures_are_chosen_by_name(heart):
    (only,) = heart_meshes(heart, MeshOptions(structures=("LV cavity",)))
    assert only.mesh.name == "LV cavity"
    with pytest.raises(LabelError, match="has no structure 'aorta'"):
        heart_meshes(heart, MeshOptions(structures=("aorta",)))
    array = np.where(heart.array == 1, 0, heart.array).astype(np.uint8)
    without = LabelMap(array, heart.geometry, ACDC)
    with pytest.raises(LabelError, match="no voxel of RV cavity"):
        heart_meshes(without, MeshOptions(structures=("RV cavity",)))
    assert len(heart_meshes(without)) == 2
    empty = LabelMap(np.zeros_like(array), heart.geometry, ACDC)
    with pytest.raises(LabelError, match="empty"):
        heart_meshes(empty)
    array = np.where(heart.array == 2, 2, 0).astype(np.uint8)
    muscle = LabelMap(array, heart.geometry, ACDC)
    with pytest.raises(LabelError, match="no blood"):
        heart_meshes(muscle, MeshOptions(shell_mm=4.0))


def test_blood_as_one_solid_with_a_shell(heart):
    options = MeshOptions(structures=("blood pool",), blood_pool=True, shell_mm=2.0)
    solid, shell = heart_meshes(heart, options)
    blood = heart.read_as(MYOCARDIUM_BLOOD)
    assert solid.check.volume_ml == pytest.approx(blood.volume_ml("blood pool"), rel=0.01)
    assert shell.mesh.name == "blood pool shell"
    assert shell.problems == ()
    assert shell.check.cavities == solid.check.bodies
    with pytest.raises(GeometryError, match="thicker --shell"):
        heart_meshes(heart, MeshOptions(shell_mm=0.5))


def test_the_base_is_cut_off_where_the_ventricle_is_wide(heart):
    options = MeshOptions(structures=("myocardium",), cuts=(read_cut("base@20", "high"),))
    (apex,) = heart_meshes(heart, options)
    assert apex.problems == ()
    # The first labelled slice is 1: its outer face lies at 4 mm, the cut 20 mm farther.
    assert apex.mesh.vertices[:, 2].min() == pytest.approx(24.0, abs=1e-3)
    assert apex.mesh.name == "myocardium"
    low, high = heart_meshes(heart, MeshOptions(("LV cavity",), cuts=(read_cut("z@30"),)))
    assert (low.mesh.name, high.mesh.name) == ("LV cavity low", "LV cavity high")
    assert low.problems == high.problems == ()
    with pytest.raises(GeometryError, match="leave nothing"):
        heart_meshes(heart, MeshOptions(("LV cavity",), cuts=(read_cut("z@500", "high"),)))


def test_cuts_that_cannot_be_read():
    assert read_cut("0,1,1@25") == Cut((0.0, 1.0, 1.0), 25.0)
    for text in ("z", "q@3", "z@north", "0,1@3", "z@nan", "0,0,0@3"):
        with pytest.raises(GeometryError):
            read_cut(text)
    with pytest.raises(GeometryError, match="choose both, low, high"):
        read_cut("z@3", "left")


def test_the_base_needs_a_ventricle_in_a_stack(heart):
    cut = MeshOptions(cuts=(read_cut("base@10"),))
    blood = heart.read_as(MYOCARDIUM_BLOOD)
    with pytest.raises(GeometryError, match="no left ventricle's cavity"):
        heart_meshes(blood, cut)
    cube = LabelMap(
        np.pad(np.full((4, 4, 4), 3, np.uint8), 2), Geometry((8, 8, 8), np.eye(4)), ACDC
    )
    with pytest.raises(GeometryError, match="short-axis stack"):
        heart_meshes(cube, cut)


def test_small_pieces_and_hollows_are_left_out_and_told():
    array = np.zeros((30, 30, 30), np.uint8)
    array[5:20, 5:20, 5:20] = 2
    array[11:13, 11:13, 11:13] = 0
    array[25:27, 25:27, 25:27] = 2
    labels = LabelMap(array, Geometry((30, 30, 30), np.eye(4)), MYOCARDIUM_BLOOD)
    (model,) = heart_meshes(labels)
    assert (model.crumbs.pieces, model.crumbs.hollows) == (1, 1)
    assert (model.check.bodies, model.check.cavities) == (1, 0)
    (whole,) = heart_meshes(labels, MeshOptions(smallest_ml=0))
    assert (whole.check.bodies, whole.check.cavities) == (2, 1)


def test_options_and_fields_that_cannot_be():
    for options in ({"resolution_mm": 0.0}, {"shell_mm": -1.0}, {"resolution_mm": float("nan")}):
        with pytest.raises(GeometryError, match="above 0"):
            MeshOptions(**options)
    grid = Geometry((40, 40, 40), np.eye(4))
    with pytest.raises(GeometryError, match="no surface"):
        field_of(np.zeros(grid.shape, bool), grid)
    with pytest.raises(GeometryError, match="coarser --resolution"):
        field_of(np.ones(grid.shape, bool), grid, resolution_mm=0.05)
    field = field_of(np.ones(grid.shape, bool), grid)
    with pytest.raises(GeometryError, match="finer --resolution"):
        shell_of(field, surface_of(field), 0.4)


def test_what_is_wrong_with_a_mesh_is_named():
    corners = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]], float)
    sides = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    assert check(corners, sides).problems == ()
    assert check(corners, sides[:, ::-1]).problems == ("inside out",)
    turned = np.concatenate([sides[:3], sides[3:, ::-1]])
    assert "3 edges between faces of opposite winding" in check(corners, turned).problems
    doubled = np.concatenate([sides, sides[:1]])
    assert "3 edges of three faces or more" in check(corners, doubled).problems
    # Two tetrahedra that share one corner.
    points = np.concatenate([corners, -corners[1:]])
    other = np.array([[0, 4, 5], [0, 6, 4], [0, 5, 6], [4, 6, 5]])
    assert check(points, np.concatenate([sides, other])).pinched_vertices == 1
    flat = corners * [1, 1, 0]
    assert check(flat, sides).degenerate_faces == 2
    assert check(corners, sides[:0]).problems == ("no faces",)


def test_the_picture_shows_the_near_thing(tmp_path):
    """A red cube before a blue one, seen from the front: red; from behind: blue."""
    box = trimesh.creation.box((10, 10, 10))
    red = Mesh(box.vertices + np.array([0, 20, 0]), box.faces, "red", "#FF0000")
    blue = Mesh(box.vertices, box.faces, "blue", "#0000FF")
    views = (View("front", 0.0, 0.0), View("behind", 180.0, 0.0))
    figure = mesh_figure([red, blue], views)
    front, behind = (np.asarray(panel.images[0].get_array()) for panel in figure.axes[:2])
    middle = front.shape[0] // 2
    assert front[middle, middle].argmax() == 0
    assert behind[middle, middle].argmax() == 2
    assert front[2, 2].tolist() == [1, 1, 1]
    render([red], tmp_path / "red.png", views)
    assert (tmp_path / "red.png").read_bytes()[1:4] == b"PNG"
    with pytest.raises(GeometryError, match="no mesh to draw"):
        render([], tmp_path / "none.png")


def test_a_picture_is_not_mirrored():
    """Seen from the front, the patient's left is on the right of the picture; head up."""
    box = trimesh.creation.box((10, 10, 10))
    left = Mesh(box.vertices + np.array([-30, 0, 0]), box.faces, "left", "#FF0000")
    head = Mesh(box.vertices + np.array([0, 0, 30]), box.faces, "head", "#0000FF")
    figure = mesh_figure([left, head], (View("front", 0.0, 0.0),))
    picture = np.asarray(figure.axes[0].images[0].get_array())
    red = np.argwhere((picture[..., 0] > 0.3) & (picture[..., 2] < 0.25)).mean(axis=0)
    blue = np.argwhere((picture[..., 2] > 0.3) & (picture[..., 0] < 0.25)).mean(axis=0)
    middle = picture.shape[0] / 2
    assert red[1] > middle
    assert blue[0] < middle
