"""The id of the model is in every file that is made of its labels, whatever command made it."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from pathlib import Path

import pytest
from tests.dicom_hearts import ring_cine
from tests.dicom_sources import write_scan
from tests.in_process import call

from cardioseg.core.labels import ACDC
from cardioseg.io.header_scheme import told_scheme
from cardioseg.model import installed_models

pytestmark = pytest.mark.filterwarnings("ignore::cardioseg.errors.ReadWarning")

BESIDE = (".csv",)
"""Tables that other programs read by their columns: the run.json beside them tells the id."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every command makes of one model's labels, a folder a command."""
    root = tmp_path_factory.mktemp("made")
    study, hearts = tmp_path_factory.mktemp("dicom") / "study", tmp_path_factory.mktemp("hearts")
    write_scan(ring_cine(), study)
    kinds = "nifti,json,nrrd,seg,sr,mesh,report"
    call("predict", study, "--model", "otsu", "--write", kinds, "--output", root / "cine")
    call("phantom", "--output", hearts / "acdc", "--count", 2)
    labels, data = root / "frames", f"acdc:{hearts / 'acdc'}"
    references = hearts / "acdc" / "training"
    call("predict", hearts / "acdc", "--model", "otsu", "--output", labels)
    call("evaluate", labels, references, "--scheme", "acdc", "--output", root / "evaluation")
    call("function", labels, "--reference", data, "--output", root / "function")
    call("function", next((root / "cine").glob("*.nii.gz")), "--output", root / "beat")
    formats = "stl,ply,obj,glb,3mf"
    one = next(labels.glob("*.nii.gz"))
    call("mesh", one, "--format", formats, "--picture", "--output", root / "models")
    call("report", labels, "--output", root / "pages")
    call("report", root / "evaluation", "--output", root / "pages-evaluation")
    return root


@pytest.fixture(scope="module")
def model_id(made: Path) -> str:
    told = json.loads((made / "cine" / "run.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"[0-9a-f]{16}", told["model_id"])
    return told["model_id"]


def content(path: Path) -> bytes:
    """The bytes of a file, unpacked where they are packed."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".3mf":
        with zipfile.ZipFile(path) as archive:
            return archive.read("3D/3dmodel.model")
    return path.read_bytes()


KINDS = {
    "cine": {".gz", ".json", ".nrrd", ".dcm", ".stl", ".glb", ".png", ".html"},
    "frames": {".gz", ".json"},
    "evaluation": {".json", ".csv", ".md", ".png"},
    "function": {".json", ".csv", ".md", ".png"},
    "beat": {".json", ".csv"},
    "models": {".stl", ".ply", ".obj", ".glb", ".3mf", ".json", ".png"},
    "pages": {".html", ".json"},
    "pages-evaluation": {".html", ".json"},
}
"""Folders, and the kinds of file that each of them holds."""


@pytest.mark.parametrize("folder", KINDS)
def test_every_file_tells_the_model(made: Path, model_id: str, folder: str) -> None:
    files = [path for path in (made / folder).rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == KINDS[folder]
    silent = [path.name for path in files if model_id.encode() not in content(path)]
    assert all(name.endswith(BESIDE) for name in silent), silent
    assert (made / folder / "run.json").is_file()


def test_where_a_file_tells_it(made: Path, model_id: str) -> None:
    models = made / "models"
    for path in models.glob("*.stl"):
        header = path.read_bytes()[:80]
        assert header.startswith(b"cardioseg: ")
        assert header.rstrip(b"\0").endswith(model_id.encode())
    (glb,) = models.glob("*.glb")
    length = int.from_bytes(glb.read_bytes()[12:16], "little")
    assert json.loads(glb.read_bytes()[20 : 20 + length])["asset"]["extras"] == {
        "model_id": model_id
    }
    (facts,) = models.glob("*-meshes.json")
    told = json.loads(facts.read_text(encoding="utf-8"))
    assert (told["model"], told["model_id"]) == ("otsu", model_id)
    cases = sorted(path.name.removesuffix(".nii.gz") for path in (made / "frames").glob("*.gz"))
    for name in ("evaluation/report.json", "evaluation/run.json", "function/function.json"):
        (model,) = json.loads((made / name).read_text(encoding="utf-8"))["models"]
        assert model == {"model": "otsu", "model_id": model_id, "cases": cases}
    words = (made / "evaluation" / "report.md").read_text(encoding="utf-8")
    assert f"Model: otsu, id {model_id}.\n" in words
    assert model_id not in (made / "evaluation" / "report.csv").read_text(encoding="utf-8")


@pytest.mark.skipif("sax" not in installed_models(), reason="the model sax is not installed")
def test_scores_tell_the_model_and_their_scheme(made: Path, tmp_path: Path) -> None:
    image = tmp_path / "phantom"
    call("phantom", "--output", image, "--count", 1)
    scan = next(path for path in sorted(image.rglob("*frame01.nii.gz")))
    call("scores", scan, "--model", "sax", "--output", tmp_path / "scores")
    told = json.loads((tmp_path / "scores" / "run.json").read_text(encoding="utf-8"))["model_id"]
    (scores,) = (tmp_path / "scores").glob("*.nii.gz")
    assert told.encode() in content(scores)
    assert told_scheme(scores) == ACDC
