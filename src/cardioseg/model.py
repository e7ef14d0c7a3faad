"""A model folder: plan, network with its weights, card, checksums; verified when it is opened."""

from __future__ import annotations

import hashlib
from collections.abc import Set
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

from cardioseg.engines.engine import Engine
from cardioseg.errors import ModelError
from cardioseg.io.atomic import make_folder, write_bytes, write_text
from cardioseg.prepare.plan import Plan

PLAN, NETWORK, CARD, SUMS = "plan.json", "model.onnx", "card.md", "SHA256SUMS"
QUALITY = "quality.json"
"""Optional: how the quality gate's numbers become an expected Dice; no part of the id."""

LICENCE_ROW, VALIDATION_ROW = "Licence of the weights", "Validation"
"""Rows of a card's first table that a list of models shows."""

ENTRY_POINTS = "cardioseg.models"
LIBRARIES = {"onnx": "onnxruntime", "openvino": "openvino", "torch": "torch"}
"""The library that each engine is in."""

ENGINES = ("auto", *LIBRARIES)

SHARED = ("onnx",)
"""Engines that several threads may call at a time."""

AUTO = ("onnx",)
"""Engines of which `auto` takes the first that is installed; ("openvino", "onnx") prefers OpenVINO
where it is. docs/performance.md says why it is not so."""

_PROTOCOLS = (b"\2", b"\3", b"\4", b"\5")
_ELSEWHERE = b"\x0a\x08location\x12"
"""A key `location` of ONNX's `external_data`, as protobuf writes it."""
_PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")
_ID_LENGTH = 16


@dataclass(frozen=True)
class Model:
    """A verified model folder.

    Parameters
    ----------
    name
        Name that the user gave, or the folder's.
    folder
        Where it lies.
    plan
        Its plan.
    id
        Hash of plan and network: two models with one id give the same answer.
    """

    name: str
    folder: Path
    plan: Plan
    id: str

    @property
    def card(self) -> str:
        """The model card, Markdown; empty where there is none."""
        path = self.folder / CARD
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @property
    def card_rows(self) -> dict[str, str]:
        """The rows of the card's first table, by what stands in the first column."""
        lines = self.card.splitlines()
        start = next((i for i, line in enumerate(lines) if line.startswith("|---")), len(lines))
        rows = takewhile(lambda line: line.startswith("|"), lines[start + 1 :])
        cells = [[cell.strip() for cell in line.strip("|").split("|", 1)] for line in rows]
        return {row[0]: row[1] for row in cells if len(row) == 2}

    @property
    def size_bytes(self) -> int:
        """Bytes of all files of the folder."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())


def installed_models() -> dict[str, Path]:
    """Folders of the models that installed distributions offer, by name."""
    found = entry_points(group=ENTRY_POINTS)
    return {point.name: Path(point.load()) for point in sorted(found, key=lambda p: p.name)}


def is_installed(source: str | Path) -> bool:
    """Whether a model is named as an installed one is, and not as a folder.

    Examples
    --------
    >>> is_installed("./sax"), is_installed(Path("sax"))
    (False, False)
    """
    is_name = isinstance(source, str) and Path(source).name == source
    return is_name and source in installed_models()


def open_model(source: str | Path) -> Model:
    """Open a model by the name of an installed one, or by its folder.

    Parameters
    ----------
    source
        A string without a separator that names an installed model means that one, whatever folders
        there are; `./NAME` or a `Path` means the folder.

    Raises
    ------
    ModelError
        If there is no such model, a file is missing, damaged, or a pickle.
    PlanError
        If the plan is not valid.
    """
    folder = Path(source)
    if is_installed(source) or not folder.is_dir():
        installed = installed_models()
        if str(source) not in installed:
            names = (
                ", ".join(installed) or "none is installed; pip install ./models/acdc in a clone"
            )
            raise ModelError(f"{source}: no such model folder or installed model ({names})")
        folder = installed[str(source)]
    verify_folder(folder, (PLAN, NETWORK, SUMS), (PLAN, NETWORK, QUALITY))
    plan = Plan.from_json((folder / PLAN).read_bytes(), folder / PLAN)
    network = (folder / NETWORK).read_bytes()
    _require_own_weights(network, folder / NETWORK)
    identity = content_id((folder / PLAN).read_bytes() + network)
    return Model(str(source) if folder != Path(source) else folder.name, folder, plan, identity)


def write_model(folder: Path, plan: Plan, files: dict[str, bytes]) -> Model:
    """Write a model folder; what a former model listed and this one lacks is removed.

    Parameters
    ----------
    folder
        Created if needed.
    plan
        The plan.
    files
        Contents by name; `model.onnx` at least.
    """
    write_folder(folder, {**files, PLAN: plan.to_json().encode()})
    return open_model(folder)


def write_folder(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files by name and their SHA-256 sums into a folder, created if needed.

    The card has none: whoever knows more of the model writes it there.
    """
    make_folder(folder)
    _clear(folder, contents.keys())
    for name, data in contents.items():
        write_bytes(folder / name, data)
    sums = "".join(
        f"{hashlib.sha256(contents[name]).hexdigest()}  {name}\n"
        for name in sorted(contents.keys() - {CARD})
    )
    write_text(folder / SUMS, sums)


def engine_named(engine: str) -> str:
    """The engine that a name means here: `auto` is the first installed of :data:`AUTO`.

    Raises
    ------
    ModelError
        If there is no such engine.
    """
    if engine not in ENGINES:
        raise ModelError(f"unknown engine {engine!r}; choose one of {', '.join(ENGINES)}")
    if engine == "auto":
        return next(name for name in AUTO if find_spec(LIBRARIES[name]))
    return engine


def open_engine(model: Model, engine: str = "auto", threads: int | None = None) -> Engine:
    """An engine that runs a model.

    Parameters
    ----------
    model
        The model.
    engine
        `auto`, `onnx`, `openvino` or `torch`.
    threads
        How many threads it may use; None takes all usable cores.

    Raises
    ------
    ModelError
        If the engine is unknown, or cannot load the network.
    MissingExtraError
        If the engine's library is not installed.
    """
    engine = engine_named(engine)
    if engine == "torch":
        from cardioseg.engines.torch import TorchEngine

        return TorchEngine(model.plan.network, model.folder / NETWORK, threads)
    if engine == "openvino":
        from cardioseg.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(model.folder / NETWORK, threads)
    from cardioseg.engines.onnx import OnnxEngine

    return OnnxEngine(model.folder / NETWORK, threads)


def _clear(folder: Path, kept: Set[str]) -> None:
    """Remove the files of a former model, as its checksums list them."""
    former = _read_sums(folder / SUMS).keys() | {CARD} if (folder / SUMS).is_file() else set()
    for name in former - kept:
        if Path(name).name == name:
            (folder / name).unlink(missing_ok=True)


def verify_folder(folder: Path, needed: tuple[str, ...], covered: tuple[str, ...]) -> None:
    """Refuse a folder with a missing or changed file, or with one that can run code.

    Parameters
    ----------
    folder
        The folder.
    needed
        Files that must be there.
    covered
        Files that, where they are there, must have a checksum.

    Raises
    ------
    ModelError
        Naming the file and what is wrong with it.
    """
    for name in needed:
        if not (folder / name).is_file():
            raise ModelError(f"{folder}: not a model folder: {name} is missing")
    pickles = [str(path.relative_to(folder)) for path in folder.rglob("*") if _can_run_code(path)]
    if pickles:
        raise ModelError(
            f"{folder}: holds {pickles[0]}, a format that can run code; "
            f"remove it: a model folder keeps its weights in {NETWORK}"
        )
    sums = _read_sums(folder / SUMS)
    for name in covered:
        if name not in sums and (folder / name).is_file():
            raise ModelError(f"{folder / SUMS}: does not list {name}; install the model again")
    for name, expected in sums.items():
        if name == CARD:  # older folders list it
            continue
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise ModelError(f"{folder / SUMS}: lists {name!r}, which is not there")
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise ModelError(f"{path}: changed since the model was written; install it again")


def _can_run_code(path: Path) -> bool:
    """Whether a file is a pickle, or a zip that may hold one, by its name or its first bytes."""
    if path.suffix.lower() in _PICKLES:
        return True
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        head = stream.read(3)
    # The third byte tells a pickle from a safetensors file whose header has 640 to 1408 bytes.
    is_pickle = head[:1] == b"\x80" and head[1:2] in _PROTOCOLS and head[2:] != b"\0"
    return is_pickle or head[:2] == b"PK"


def _require_own_weights(network: bytes, path: Path) -> None:
    """Refuse a network that takes weights from another file, which no checksum would cover."""
    if _ELSEWHERE in network:
        raise ModelError(
            f"{path}: takes its weights from another file, wherever that lies; "
            "store them inside (onnx.save with save_as_external_data=False)"
        )


def _read_sums(path: Path) -> dict[str, str]:
    """SHA-256 of each file by name, as `sha256sum` writes them."""
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = (line.partition("  ") for line in text.splitlines())
    return {name: digest for digest, _, name in lines}


def content_id(data: bytes) -> str:
    """A model's id: the first digits of the SHA-256 of what decides its answer."""
    return hashlib.sha256(data).hexdigest()[:_ID_LENGTH]
