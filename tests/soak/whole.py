"""Whether every file below a folder is whole, each read to its end by what reads its format."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cardioseg.io.atomic import is_leftover
from cardioseg.io.images import read_exact
from cardioseg.io.itk_file import read_itk


def half_written(folder: Path) -> list[str]:
    """Files that are not whole, with what is wrong; temporary ones are not counted."""
    wrong = []
    for path in files_below(folder):
        try:
            _READERS[_kind(path)](path)
        except Exception as error:
            wrong.append(f"{path.relative_to(folder)}: {type(error).__name__}: {str(error)[:80]}")
    return wrong


def files_below(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not is_leftover(p))


def leftovers(folder: Path) -> list[Path]:
    """What killed processes left half-written, under names that nothing reads."""
    return [path for path in folder.rglob(".*") if is_leftover(path)]


def _kind(path: Path) -> str:
    name = path.name
    if name.endswith(".nii.gz"):
        return "image"
    return {"lock": "any", "SHA256SUMS": "text", "job.json": ".json"}.get(name, path.suffix)


def _text(path: Path) -> None:
    if not path.read_text(encoding="utf-8").endswith("\n"):
        raise ValueError("does not end in a line end")


def _lines(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        json.loads(line)


def _tensors(path: Path) -> None:
    from safetensors import safe_open

    with safe_open(path, framework="np") as stored:
        for name in stored.keys():  # noqa: SIM118
            stored.get_tensor(name)


def _network(path: Path) -> None:
    import onnx

    onnx.checker.check_model(onnx.load(path))


def _model(path: Path) -> None:
    import trimesh

    trimesh.load(path)


def _page(path: Path) -> None:
    if not path.read_text(encoding="utf-8").rstrip().endswith("</html>"):
        raise ValueError("does not end as a page does")


def _picture(path: Path) -> None:
    from PIL import Image

    Image.open(path).load()


def _database(path: Path) -> None:
    # Opening it also rolls back what a killed process began.
    with sqlite3.connect(path, timeout=30) as opened:
        if opened.execute("pragma integrity_check").fetchone() != ("ok",):
            raise ValueError("not whole")
    opened.close()


_READERS: dict[str, Callable[[Path], object]] = {
    "image": read_exact,
    ".nrrd": read_itk,
    ".stl": _model,
    ".glb": _model,
    ".html": _page,
    "any": lambda path: None,
    "text": _text,
    ".json": lambda path: json.loads(path.read_text(encoding="utf-8")),
    ".jsonl": _lines,
    ".toml": lambda path: tomllib.loads(path.read_text(encoding="utf-8")),
    ".md": _text,
    ".csv": _text,
    ".npy": lambda path: np.load(path, allow_pickle=False),
    ".safetensors": _tensors,
    ".onnx": _network,
    ".png": _picture,
    ".db": _database,
    ".db-journal": lambda path: None,  # what SQLite rolls back when it opens the file beside it
}
