"""An exported file tells how to run it, and the script beside it does so without cardioseg."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import nibabel as nib
import numpy as np
import onnx
import pytest
import typer
from tests.grids import STORAGE_ORDERS, rotated_grid
from tests.networks import SMALL, exported_network

from cardioseg.cli.making import export as export_command
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, SCHEMES
from cardioseg.core.volume import Volume
from cardioseg.errors import OutputExistsError
from cardioseg.inference.predictor import load_model
from cardioseg.io.images import read_labels, read_volume, write_volume
from cardioseg.model import CARD, NETWORK, Model, write_model
from cardioseg.ops.pieces import connected_pieces
from cardioseg.phantom.cohort import phantom_case
from cardioseg.prepare.plan import Plan
from cardioseg.workflows.export import SCRIPT, SCRIPT_SOURCE, export_onnx, write_script

LICENCE = "CC BY-NC-SA 4.0 (the data's): non-commercial, share-alike"
PLANS = {
    "native": Plan(
        spacing_mm=2.5,
        size=(32, 24),
        whole_slices=True,
        network=SMALL,
        scheme="acdc",
        largest_component=True,
    ),
    "orthogonal": Plan(
        plane="orthogonal", spacing_mm=3.0, size=(24, 32), network=SMALL, scheme="acdc"
    ),
    "axial": Plan(
        plane="axial",
        spacing_mm=1.4,
        size=(20, 26),
        intensity="zscore",
        network=SMALL,
        scheme="acdc",
        largest_component=True,
        temperature=1.5,
    ),
    # Of a short axis read as blood pool both ventricles stay.
    "two ventricles": Plan(
        spacing_mm=2.5,
        size=(32, 24),
        whole_slices=True,
        network=SMALL.model_copy(update={"classes": 3}),
        scheme="myocardium_blood",
        largest_component=True,
    ),
}
# This random network's blood pool has several pieces in the one heart.
SEEDS = {"myocardium_blood": 8}
# Nothing of ours can be imported there, nor what we need and the script does not.
WITHOUT_US = """
import runpy, sys
for name in ("cardioseg", "torch", "onnx", "SimpleITK", "pydantic"):
    sys.modules[name] = None
script, model, *pairs = sys.argv[1:]
run = runpy.run_path(script)["main"]
for source, target in zip(pairs[::2], pairs[1::2]):
    run(model, source, target)
"""


def export(folder: Path, plan: Plan) -> tuple[Model, Path]:
    card = f"# test\n\n| what | value |\n|---|---|\n| Licence of the weights | {LICENCE} |\n"
    files = {
        NETWORK: exported_network(plan.network, SEEDS.get(plan.scheme, 0)),
        CARD: card.encode(),
    }
    model = write_model(folder / "random", plan, files)
    path = folder / "random.onnx"
    export_onnx(model, path)
    write_script(folder / SCRIPT)
    return model, path


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A phantom on its own oblique grid, stored in other orders, turned, and as scaled integers."""
    folder = tmp_path_factory.mktemp("images")
    phantom = phantom_case(0, 0, size=48).image()
    found = []
    for index in (0, 9, 22, 31, 47):
        order = STORAGE_ORDERS[index]
        array = np.ascontiguousarray(order.apply(phantom.array))
        write_volume(Volume(array, order.geometry(phantom.geometry)), folder / f"{index}.nii.gz")
        found.append(folder / f"{index}.nii.gz")
    for angle in (45, 90, 133):
        grid = rotated_grid(phantom.geometry.shape, (-1.5, 1.4, 8.0), angle, "x")
        write_volume(Volume(phantom.array, grid), folder / f"turned{angle}.nii.gz")
        found.append(folder / f"turned{angle}.nii.gz")
    middle = phantom.array.shape[2] // 2
    picture = np.ascontiguousarray(phantom.array[:, :, middle : middle + 1])
    # A picture whose depth is its smallest spacing is cut in its own plane all the same.
    flat = Geometry(picture.shape, np.diag([-1.6, -1.5, 1.0, 1.0]))
    write_volume(Volume(picture, flat), folder / "picture.nii.gz")
    found.append(folder / "picture.nii.gz")
    sheared = np.array(phantom.geometry.affine)
    sheared[:, 0] += 0.1 * sheared[:, 1]
    scaled = nib.Nifti1Image(np.rint(phantom.array).astype(np.int16), sheared)
    scaled.header.set_xyzt_units("mm")
    data = bytearray(scaled.to_bytes())
    data[112:120] = np.array([0.0371, -3], "<f4").tobytes()
    (folder / "scaled.nii").write_bytes(data)
    return [*found, folder / "scaled.nii"]


@pytest.mark.filterwarnings("ignore::cardioseg.errors.ReadWarning")
@pytest.mark.filterwarnings("ignore::cardioseg.errors.PlaneWarning")
@pytest.mark.parametrize("name", list(PLANS))
def test_the_script_gives_the_same_labels_without_cardioseg(
    name: str, images: list[Path], tmp_path: Path
) -> None:
    model, path = export(tmp_path, PLANS[name])
    # A picture's edge is 1 mm long, less than a pixel: it has no slices across its own plane.
    read = [image for image in images if name != "orthogonal" or image.name != "picture.nii.gz"]
    pairs = [(image, tmp_path / f"{image.name}.out.nii.gz") for image in read]
    command = [sys.executable, "-c", WITHOUT_US, tmp_path / SCRIPT, path]
    command += [each for pair in pairs for each in pair]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    predictor = replace(load_model(model.folder, "onnx"), locate=False)
    pieces: list[int] = []
    for image, output in pairs:
        expected = predictor.predict(read_volume(image)).labels
        answer = read_labels(output, predictor.scheme)
        assert answer.geometry.is_same(expected.geometry)
        assert (answer.array != expected.array).sum() == 0, image.name
        assert len(np.unique(expected.array)) >= 3
        apart = (connected_pieces(expected.mask(each)) for each in predictor.scheme.apart)
        pieces += [len(found.sizes) for found in apart]
    assert not pieces or max(pieces) > 1


def test_the_script_knows_which_structures_lie_apart():
    source = files("cardioseg.workflows").joinpath(SCRIPT_SOURCE).read_text(encoding="utf-8")
    (told,) = (
        ast.literal_eval(each.value)
        for each in ast.parse(source).body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "APART"
    )
    known = {
        f"native {each.name}": {each.structure(name).value for name in each.apart}
        for each in SCHEMES
        if each.apart
    }
    assert told == known


def test_a_picture_that_is_to_be_cut_across_is_told_in_words(
    images: list[Path], tmp_path: Path
) -> None:
    _, path = export(tmp_path, PLANS["orthogonal"])
    (picture,) = (image for image in images if image.name == "picture.nii.gz")
    command = [sys.executable, tmp_path / SCRIPT, path, picture, tmp_path / "labels.nii.gz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "narrower than a pixel of 3 mm" in done.stderr
    assert "Traceback" not in done.stderr


def test_cardioseg_is_blocked_where_the_script_runs() -> None:
    code = WITHOUT_US.partition("script, model")[0] + "import cardioseg"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "import of cardioseg halted" in done.stderr


def test_the_script_is_short_and_says_how_it_is_used(tmp_path: Path) -> None:
    write_script(tmp_path / SCRIPT)
    assert len((tmp_path / SCRIPT).read_text().splitlines()) <= 150
    done = subprocess.run(
        [sys.executable, tmp_path / SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "python run_exported.py MODEL.onnx IMAGE.nii.gz LABELS.nii.gz" in done.stderr


def test_the_script_overwrites_nothing_and_names_what_is_missing(tmp_path: Path) -> None:
    _, path = export(tmp_path, PLANS["native"])
    grid = Geometry((8, 8, 3), np.diag([2.0, 2.0, 8.0, 1.0]))
    write_volume(Volume(np.ones(grid.shape, np.float32), grid), tmp_path / "scan.nii")
    before = (tmp_path / "scan.nii").read_bytes()
    for source, target, words in (
        ("scan.nii", "scan.nii", "scan.nii: is already there"),
        ("nothing.nii", "out.nii", "nothing.nii: no such file"),
    ):
        command = [sys.executable, tmp_path / SCRIPT, path, tmp_path / source, tmp_path / target]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert (tmp_path / "scan.nii").read_bytes() == before


def test_what_the_script_cannot_do_is_told(tmp_path: Path) -> None:
    _, path = export(tmp_path, PLANS["native"])
    grid = Geometry((8, 8, 8), np.eye(4))
    write_volume(Volume(np.ones(grid.shape, np.float32), grid), tmp_path / "a.nii")
    cine = nib.Nifti1Image(np.ones((8, 8, 4, 2), np.float32), np.diag([1, 1, 8, 1]))
    nib.save(cine, tmp_path / "b.nii")
    for name, words in (("a.nii", "no single largest spacing"), ("b.nii", "give one frame")):
        command = [sys.executable, tmp_path / SCRIPT, path, tmp_path / name, tmp_path / "out.nii"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert words in done.stderr


def test_the_metadata_is_complete(tmp_path: Path) -> None:
    model, path = export(tmp_path, PLANS["native"])
    facts = {each.key: each.value for each in onnx.load_model(path).metadata_props}
    assert Plan.from_json(facts["cardioseg.plan"]) == model.plan
    assert facts["cardioseg.model_id"] == model.id
    assert facts["cardioseg.version"] == version("cardioseg")
    assert facts["cardioseg.license"] == LICENCE
    assert "not a medical device" in facts["cardioseg.intended_use"]
    labels, colors, codes = (
        json.loads(facts[f"cardioseg.{name}"]) for name in ("labels", "colors", "codes")
    )
    assert labels["0"] == "background"
    for structure in ACDC.structures:
        key = str(structure.value)
        assert (labels[key], colors[key], tuple(codes[key])) == (
            structure.name,
            structure.color,
            structure.code,
        )
    for words in ("percentile", "zscore", "whole_slices", "largest_component", "temperature"):
        assert words in facts["cardioseg.preparation"]
    for scheme in SCHEMES:
        if scheme.apart:
            told = f"{', '.join(scheme.apart)} of scheme {scheme.name}"
            assert told in facts["cardioseg.preparation"]


def test_the_command_overwrites_neither_file_and_needs_a_target(tmp_path: Path) -> None:
    model, _ = export(tmp_path, PLANS["native"])
    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / "model.onnx"
    export_command(str(model.folder), target, script=True)
    assert {each.name for each in target.parent.iterdir()} == {
        "model.onnx",
        "model.onnx.run.json",
        SCRIPT,
    }
    target.unlink()
    with pytest.raises(OutputExistsError, match=rf"{SCRIPT}: is already there; add --force"):
        export_command(str(model.folder), target, script=True)
    assert not target.exists()
    with pytest.raises(typer.BadParameter, match="--output, or a folder with --bundle"):
        export_command(str(model.folder))
