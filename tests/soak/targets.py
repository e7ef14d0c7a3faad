"""What is fuzzed: whole inputs of every format, how they are damaged, and who reads them."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

import nibabel
import numpy as np
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless
from tests.dicom_series import noise, oblique, write_enhanced, write_series
from tests.soak.mutate import Mutation, bomb, in_bytes, in_head, in_text, inside_gzip, inside_png

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.datasets.acdc import read_acdc
from cardioseg.datasets.nnunet import read_nnunet
from cardioseg.errors import CardiosegError
from cardioseg.evaluation.measured_errors import MeasuredErrors
from cardioseg.evaluation.report import Report
from cardioseg.inference.quality.calibration import read_calibration
from cardioseg.io.dicom import choose_series, find_series, read_series
from cardioseg.io.images import (
    read_frames,
    read_geometry,
    read_label_frames,
    write_frames,
    write_labels,
    write_volume,
)
from cardioseg.io.scans import read_scan
from cardioseg.model import PLAN, SUMS, installed_models, open_model
from cardioseg.prepare.plan import NetworkPlan, Plan
from cardioseg.service.limits import Limits
from cardioseg.service.uploads import inspect_upload
from cardioseg.training.config import PRESETS, read_config
from cardioseg.training.space import read_space
from cardioseg.workflows.study.config import read_study

GRID = Geometry(
    (7, 6, 5), np.array([[-1.2, 0.1, 0, 4], [0, 1.4, 0.3, 5], [0.1, 0, 8, 6], [0, 0, 0, 1]])
)
LIMITS = Limits(upload_mb=2, unpacked_mb=4, files=50)

Read = Callable[[Path], object]


@dataclass(frozen=True)
class Seed:
    """A whole input: the name of its file, its bytes, and how to damage them."""

    name: str
    data: bytes
    damage: Mutation


@dataclass(frozen=True)
class Target:
    """One format.

    Parameters
    ----------
    seeds
        Makes whole inputs; each is read without an error.
    read
        Reads a damaged one, by every way in.
    share
        Of all inputs, in the soak run.
    """

    seeds: Callable[[], tuple[Seed, ...]]
    read: Read
    share: float


def _image(dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(0).normal(200, 60, GRID.shape).astype(dtype)


def _written(name: str, write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def _cine() -> tuple[Volume, ...]:
    return tuple(Volume(_image() + t, GRID) for t in range(3))


def _labels() -> LabelMap:
    values = np.random.default_rng(1).integers(0, 4, GRID.shape).astype(np.uint8)
    return LabelMap(values, GRID, ACDC)


@cache
def nifti_seeds() -> tuple[Seed, ...]:
    head = in_head(352)
    scaled = nibabel.Nifti1Image(_image(np.int16), GRID.affine)
    scaled.header.set_slope_inter(2.5, -3)
    second = nibabel.Nifti2Image(_image(np.int16), GRID.affine)
    big = nibabel.Nifti1Image(_image(np.float32), GRID.affine, nibabel.Nifti1Header(endianness=">"))
    packed = _written("a.nii.gz", lambda path: write_labels(_labels(), path))
    return (
        Seed("a.nii", _written("a.nii", lambda path: nibabel.save(scaled, path)), head),
        Seed("b.nii", _written("b.nii", lambda path: nibabel.save(second, path)), in_head(540)),
        Seed("c.nii", _written("c.nii", lambda path: nibabel.save(big, path)), head),
        Seed("d.nii.gz", packed, inside_gzip(head)),
        Seed("e.nii", _written("e.nii", lambda path: write_frames(_cine(), path)), head),
    )


def read_image(path: Path) -> None:
    """Every way in for an image or a label file."""
    _each(
        lambda: read_geometry(path),
        lambda: read_scan(path),
        lambda: read_frames(path),
        lambda: read_label_frames(path, ACDC),
    )


@cache
def itk_seeds(*suffixes: str) -> tuple[Seed, ...]:
    seeds = []
    for index, suffix in enumerate(suffixes):
        data = _written(f"a{suffix}", lambda path: write_volume(Volume(_image(), GRID), path))
        seeds.append(Seed(f"a{index}{suffix}", data, _in_header(suffix)))
        data = _written(f"b{suffix}", lambda path: write_frames(_cine(), path))
        seeds.append(Seed(f"b{index}{suffix}", data, _in_header(suffix)))
    if ".nrrd" in suffixes:
        data = _written("c.seg.nrrd", lambda path: write_labels(_labels(), path))
        seeds.append(Seed("c.seg.nrrd", data, _in_header(".nrrd")))
    return tuple(seeds)


def _in_header(suffix: str) -> Mutation:
    """Words of the header, which is text; the voxels behind it are packed bytes."""
    end = b"\n\n" if suffix == ".nrrd" else b"ElementDataFile = LOCAL\n"

    def change(data: bytes, rng):  # type: ignore[no-untyped-def]
        if rng.random() < 0.2:
            return in_bytes(data, rng)
        header, stop, voxels = data.partition(end)
        whole = in_text(header + (b"" if suffix == ".nrrd" else stop), rng)
        return whole + (stop if suffix == ".nrrd" else b"") + voxels

    return change


@cache
def dicom_files() -> dict[str, tuple[bytes, ...]]:
    """Whole series by how they are stored, each as the bytes of its files."""
    grid = oblique((20, 18, 2))
    found = {}
    numbers = itertools.count(1)
    uids = patch("tests.dicom_series.generate_uid", lambda: f"2.25.{10**30 + next(numbers)}")
    with tempfile.TemporaryDirectory() as name, uids:
        folder = Path(name)
        write_enhanced(folder / "enhanced" / "a.dcm", noise(grid, 2), grid)
        write_series(folder / "plain", noise(grid), grid, syntax=ExplicitVRLittleEndian)
        write_series(folder / "small", noise(grid), grid, syntax=DeflatedExplicitVRLittleEndian)
        write_series(
            folder / "packed",
            noise(grid),
            grid,
            lambda dataset, t, k: dataset.compress(RLELossless, generate_instance_uid=False),
        )
        for kind in ("enhanced", "plain", "small", "packed"):
            files = sorted((folder / kind).iterdir())
            found[kind] = tuple(path.read_bytes() for path in files)
    return found


def dicom_seeds() -> tuple[Seed, ...]:
    return tuple(Seed(f"{k}.dcm", f[0], in_head(1800)) for k, f in dicom_files().items())


def read_dicom(path: Path) -> None:
    series = find_series(path)
    read_series(choose_series(series, None, path))


@cache
def png_seeds() -> tuple[Seed, ...]:
    values = np.random.default_rng(2).integers(0, 256, (24, 20)).astype(np.uint8)
    palette = Image.fromarray(values % 4, "P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    pictures = {
        "grey.png": Image.fromarray(values),
        "deep.png": Image.fromarray(values.astype(np.uint16) * 200),
        "palette.png": palette,
        "colour.png": Image.fromarray(np.stack([values] * 3, axis=-1)),
        "two.png": Image.fromarray(values > 99),
    }
    seeds = []
    for name, picture in pictures.items():
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", dpi=(96, 96))
        seeds.append(Seed(name, buffer.getvalue(), inside_png))
    return tuple(seeds)


@cache
def toml_seeds() -> tuple[Seed, ...]:
    import cardioseg.training
    import cardioseg.workflows.study

    training = Path(cardioseg.training.__path__[0])
    study = Path(cardioseg.workflows.study.__path__[0])
    seeds = [
        Seed(f"config-{name}.toml", (training / f"{name}.toml").read_bytes(), in_text)
        for name in PRESETS
    ]
    seeds.append(Seed("space.toml", (training / "space.toml").read_bytes(), in_text))
    return (*seeds, Seed("study.toml", (study / "losses.toml").read_bytes(), in_text))


def read_toml(path: Path) -> None:
    _each(lambda: read_config(path), lambda: read_space(path), lambda: read_study(path))


@cache
def json_seeds() -> tuple[Seed, ...]:
    network = NetworkPlan(widths=(4, 8), classes=4)
    plan = Plan(spacing_mm=1.5, size=(128, 128), network=network, scheme="acdc").to_json()
    sax = installed_models()["sax"]
    dataset = {
        "name": "hearts",
        "labels": {"background": 0, "RV cavity": 1, "myocardium": 2, "LV cavity": 3},
        "channel_names": {"0": "MR"},
        "licence": "CC0",
    }
    split = {"training": ["a", "b"], "validation": ["c"], "test": []}
    report = Report.from_json('{"format_version": 1, "rows": [], "slices": []}').to_json()
    import cardioseg.workflows

    errors = Path(cardioseg.workflows.__path__[0]) / "measured" / "sax.json"
    return (
        Seed("plan.json", plan.encode(), in_text),
        Seed("sax-plan.json", (sax / PLAN).read_bytes(), in_text),
        Seed("quality.json", (sax / "quality.json").read_bytes(), in_text),
        Seed("dataset.json", json.dumps(dataset, indent=1).encode(), in_text),
        Seed("split.json", json.dumps(split).encode(), in_text),
        Seed("report.json", report.encode(), in_text),
        Seed("errors.json", errors.read_bytes(), in_text),
        Seed("Info.cfg", b"ED: 1\nES: 12\nGroup: DCM\nHeight: 184.0\nNbFrame: 30\n", in_text),
    )


def read_json(path: Path) -> None:
    from cardioseg.data.splits import read_split

    data = path.read_bytes()
    if path.name == "dataset.json":
        (path.parent / "imagesTr").mkdir(exist_ok=True)
        (path.parent / "imagesTr" / "a_0000.nii.gz").touch()
        read_nnunet(path.parent, ACDC)
        return
    if path.name == "Info.cfg":
        patient = path.parent / "training" / "patient001"
        patient.mkdir(parents=True, exist_ok=True)
        (patient / "Info.cfg").write_bytes(data)
        for name in ("patient001_frame01.nii.gz", "patient001_frame01_gt.nii.gz"):
            (patient / name).touch()
        read_acdc(path.parent)
        return
    text = data.decode(errors="replace")
    _each(
        lambda: Plan.from_json(data, path),
        lambda: read_calibration(data, path),
        lambda: read_split(path),
        lambda: Report.from_json(text),
        lambda: MeasuredErrors.from_json(text),
    )


@cache
def safetensors_seeds() -> tuple[Seed, ...]:
    from cardioseg.training.checkpoint import CHECKPOINT, Progress, save_checkpoint

    config, learner = _learner()
    with tempfile.TemporaryDirectory() as folder:
        progress = Progress(epoch=1, history=({"loss": 1.0},))
        save_checkpoint(Path(folder), learner, progress, config)
        data = (Path(folder) / CHECKPOINT).read_bytes()
    return (Seed(CHECKPOINT, data, _in_safetensors),)


@cache
def _learner():  # type: ignore[no-untyped-def]
    import torch

    from cardioseg.training.config import TrainConfig
    from cardioseg.training.fit import Setup, _new_learner

    network = NetworkPlan(widths=(2, 4), classes=4)
    plan = Plan(spacing_mm=4.0, size=(32, 32), network=network, scheme="acdc")
    config = TrainConfig(plan=plan, epochs=2)
    learner = _new_learner(config, Setup())
    learner.network(torch.zeros(1, 1, 32, 32)).sum().backward()
    learner.optimiser.step()  # a state of the optimiser is in the file too
    return config.model_dump_json(), learner


def _in_safetensors(data: bytes, rng):  # type: ignore[no-untyped-def]
    """Words of the header, with its length told truly or not; or any byte."""
    size = int.from_bytes(data[:8], "little")
    kind = rng.random()
    if kind < 0.2:
        return in_bytes(data, rng)
    if kind < 0.3:
        return in_head(8)(data, rng)
    header = in_text(data[8 : 8 + size], rng)
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def read_checkpoint(path: Path) -> None:
    from cardioseg.training.checkpoint import best_weights, load_checkpoint

    config, learner = _learner()
    _each(lambda: best_weights(path.parent), lambda: load_checkpoint(path.parent, learner, config))


@cache
def model_seeds() -> tuple[Seed, ...]:
    folder = installed_models()["sax"]
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    sums = (folder / SUMS).read_bytes()
    return (
        Seed(SUMS, sums, in_text),
        *(Seed(name, (folder / name).read_bytes(), in_bytes) for name in names if name != SUMS),
    )


def read_model(path: Path) -> None:
    """A model folder with one damaged file: its checksum must tell."""
    folder = path.parent / "model"
    folder.mkdir(exist_ok=True)
    for seed in model_seeds():
        target = folder / seed.name
        if target.exists():
            target.unlink()
        if seed.name != path.name:
            target.symlink_to(installed_models()["sax"] / seed.name)
    target = folder / path.name
    target.write_bytes(path.read_bytes())
    model = open_model(folder)
    whole = {seed.name: seed.data for seed in model_seeds()}
    if model.id != open_model(installed_models()["sax"]).id or any(
        hashlib.sha256((folder / name).read_bytes()).digest()
        != hashlib.sha256(whole[name]).digest()
        for name in (PLAN, "model.onnx", "quality.json")
    ):
        raise AssertionError("a changed model was opened")


def _member(name: str) -> zipfile.ZipInfo:
    """Without the time of packing, so that the same seeds are the same bytes."""
    return zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))


@cache
def zip_seeds() -> tuple[Seed, ...]:
    def packed(method: int, names: tuple[str, ...]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for index, name in enumerate(names):
                archive.writestr(_member(name), dicom_files()["plain"][index % 2], method)
        return buffer.getvalue()

    stored = packed(zipfile.ZIP_STORED, ("a/1.dcm", "a/2.dcm"))
    deflated = packed(zipfile.ZIP_DEFLATED, ("1", "2", "DICOMDIR"))
    bombs = io.BytesIO()
    with zipfile.ZipFile(bombs, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_member("0.dcm"), bytes(1 << 20), zipfile.ZIP_DEFLATED)
    directory = in_bytes

    def at_the_end(data: bytes, rng):  # type: ignore[no-untyped-def]
        """The central directory lies at the end, and is what a reader believes."""
        if rng.random() < 0.3:
            return directory(data, rng)
        cut = max(len(data) - 300, 0)
        return data[:cut] + in_head(300)(data[cut:], rng)

    return (
        Seed("a.zip", stored, at_the_end),
        Seed("b.zip", deflated, at_the_end),
        Seed("c.zip", bombs.getvalue(), at_the_end),
        Seed("d.gz", bomb(1 << 22), in_bytes),
        *(Seed(f"u{i}", seed.data, seed.damage) for i, seed in enumerate(nifti_seeds())),
        *(Seed(f"v{i}", seed.data, seed.damage) for i, seed in enumerate(dicom_seeds())),
    )


def read_upload(path: Path) -> None:
    """As the service takes it: checked within the limits, then read as a job would."""
    from cardioseg.workflows.inputs import Input, open_input

    taken = path.rename(path.with_name("upload"))
    upload = inspect_upload(taken, LIMITS)
    open_input(Input("result", upload.path, upload.kind == "dicom", upload.series))


def _each(*reads: Callable[[], object]) -> None:
    """Every reader gets its turn; where none takes the input, the first one's error is raised."""
    refused: list[CardiosegError] = []
    for read in reads:
        try:
            read()
        except CardiosegError as error:
            refused.append(error)
    if len(refused) == len(reads):
        raise refused[0]


TARGETS: dict[str, Target] = {
    "nifti": Target(nifti_seeds, read_image, 0.18),
    "png": Target(png_seeds, read_image, 0.10),
    "dicom": Target(dicom_seeds, read_dicom, 0.11),
    "nrrd": Target(lambda: itk_seeds(".nrrd"), read_image, 0.12),
    "metaimage": Target(lambda: itk_seeds(".mha"), read_image, 0.08),
    "toml": Target(toml_seeds, read_toml, 0.12),
    "json": Target(json_seeds, read_json, 0.10),
    "safetensors": Target(safetensors_seeds, read_checkpoint, 0.08),
    "model folder": Target(model_seeds, read_model, 0.01),
    "upload": Target(zip_seeds, read_upload, 0.10),
}
