"""Mesh files: STL, PLY, OBJ, glTF binary and 3MF, with names and colours where the format can.

Vertices are written as they are, RAS+ mm. glTF measures in metres with y up, so its nodes carry the
transform from millimetres; the numbers in its buffers stay millimetres. No file holds anything but
the mesh, the structure's name, its colour, and the id of the model that made its labels.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.mesh import Mesh
from cardioseg.errors import FormatError
from cardioseg.io.atomic import write_bytes
from cardioseg.io.frames import model_told

if TYPE_CHECKING:
    from trimesh import Scene, Trimesh

SINGLE = ("stl", "ply", "obj")
"""Formats that hold one structure a file."""

SEVERAL = ("glb", "3mf")
"""Formats that hold several structures, each with its name and colour."""

FORMATS = (*SINGLE, *SEVERAL)

_STL_HEADER_BYTES = 80
_METRES_Y_UP = np.array(
    [[0.001, 0, 0, 0], [0, 0, 0.001, 0], [0, -0.001, 0, 0], [0, 0, 0, 1]], np.float64
)
_MODEL = "3D/3dmodel.model"


def write_mesh_file(meshes: Sequence[Mesh], path: str | Path, model_id: str = "") -> None:
    """Write meshes into one file, atomically, in the format that its suffix names.

    Parameters
    ----------
    meshes
        One for `.stl`, `.ply`, `.obj`; one or more for `.glb`, `.3mf`.
    path
        The file.
    model_id
        Id of the model that made the labels; empty where none did.

    Raises
    ------
    FormatError
        If the suffix names no format, the format holds one mesh and there are more, there is no
        mesh, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> corners = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]])
    >>> sides = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "corner.stl"
    ...     write_mesh_file([Mesh(corners, sides, "corner")], path)
    ...     path.stat().st_size
    284
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise FormatError(f"{path}: no mesh format; end the name in .{', .'.join(FORMATS)}")
    if not meshes:
        raise FormatError(f"{path}: no mesh to write")
    if kind in SINGLE and len(meshes) > 1:
        raise FormatError(
            f"{path}: .{kind} holds one structure, not {len(meshes)}; write a file for each, or "
            f"one .{' or .'.join(SEVERAL)}"
        )
    write_bytes(path, _content(meshes, kind, model_id))


def _content(meshes: Sequence[Mesh], kind: str, model_id: str) -> bytes:
    if kind == "stl":
        return _stl(meshes[0], model_id)
    if kind == "ply":
        return _ply(meshes[0], model_id)
    if kind == "obj":
        return _obj(meshes[0], model_id)
    return _glb(meshes, model_id) if kind == "glb" else _threemf(meshes, model_id)


def _told(mesh: Mesh, model_id: str, room: int | None = None) -> str:
    """What a file of one structure says of itself; a name too long for the room is cut."""
    start, end = "cardioseg: ", f", unit mm, RAS{model_told(model_id)}"
    rest = None if room is None else room - len(start) - len(end)
    return start + mesh.name[:rest] + end


def _rgb(mesh: Mesh) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(mesh.color.removeprefix("#"))
    return red, green, blue


def _plain(mesh: Mesh) -> Trimesh:
    import trimesh

    # Not processed: merging or dropping anything here could open a closed mesh.
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def _coloured(mesh: Mesh) -> Trimesh:
    from trimesh.visual import ColorVisuals

    plain = _plain(mesh)
    colors = np.tile(np.array([*_rgb(mesh), 255], np.uint8), (len(mesh.vertices), 1))
    plain.visual = ColorVisuals(plain, vertex_colors=colors)
    return plain


def _stl(mesh: Mesh, model_id: str) -> bytes:
    """Binary STL; its 80 spare bytes name structure, unit and model."""
    from trimesh.exchange.stl import export_stl

    # Whatever the name, the header does not start with 'solid', as the text form does.
    told = _told(mesh, model_id, _STL_HEADER_BYTES).encode("ascii", "replace")
    header = told.ljust(_STL_HEADER_BYTES, b"\0")
    data: bytes = export_stl(_plain(mesh))
    return header + data[_STL_HEADER_BYTES:]


def _ply(mesh: Mesh, model_id: str) -> bytes:
    from trimesh.exchange.ply import export_ply

    data: bytes = export_ply(_coloured(mesh), encoding="binary_little_endian")
    told = f"comment {_told(mesh, model_id)}\n".encode("ascii", "replace")
    return re.sub(rb"comment [^\n]*\n", lambda _: told, data, count=1)


def _obj(mesh: Mesh, model_id: str) -> bytes:
    from trimesh.exchange.obj import export_obj

    text: str = export_obj(_coloured(mesh), header=None, include_normals=False)
    name = mesh.name.replace(" ", "_")
    return f"# {_told(mesh, model_id)}\no {name}\n{text}\n".encode()


def _scene(meshes: Sequence[Mesh], transform: NDArray[np.float64]) -> Scene:
    import trimesh
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    scene = trimesh.Scene()
    for mesh in meshes:
        plain = _plain(mesh)
        material = PBRMaterial(
            name=mesh.name,
            baseColorFactor=[*_rgb(mesh), 255],
            metallicFactor=0.0,
            roughnessFactor=0.6,
        )
        plain.visual = TextureVisuals(material=material)
        scene.add_geometry(plain, node_name=mesh.name, geom_name=mesh.name, transform=transform)
    return scene


def _glb(meshes: Sequence[Mesh], model_id: str) -> bytes:
    from trimesh.exchange.gltf import export_glb

    def say_model(tree: dict[str, dict[str, object]]) -> None:
        if model_id:
            tree["asset"]["extras"] = {"model_id": model_id}

    data: bytes = export_glb(
        _scene(meshes, _METRES_Y_UP), include_normals=True, tree_postprocessor=say_model
    )
    return data


def _threemf(meshes: Sequence[Mesh], model_id: str) -> bytes:
    """3MF in millimetres; the colours are added, which trimesh does not write."""
    from trimesh.exchange.threemf import export_3MF

    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(export_3MF(_scene(meshes, np.eye(4))))) as plain,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as coloured,
    ):
        for name in plain.namelist():
            data = plain.read(name)
            coloured.writestr(name, _told_more(data, meshes, model_id) if name == _MODEL else data)
    return stream.getvalue()


def _told_more(model: bytes, meshes: Sequence[Mesh], model_id: str) -> bytes:
    """The document with a description and a list of materials to which its objects point."""
    from xml.sax.saxutils import quoteattr

    told = f'<metadata name="Description">cardioseg{model_told(model_id)}</metadata>'
    number = len(meshes) + 1
    bases = "".join(
        f'<base name={quoteattr(mesh.name)} displaycolor="{mesh.color.upper()}" />'
        for mesh in meshes
    )
    materials = f'{told}<resources><basematerials id="{number}">{bases}</basematerials>'
    model = model.replace(b"<resources>", materials.encode(), 1)
    for index in range(len(meshes)):
        model = model.replace(
            f'<object id="{index + 1}" '.encode(),
            f'<object id="{index + 1}" pid="{number}" pindex="{index}" '.encode(),
            1,
        )
    return model
