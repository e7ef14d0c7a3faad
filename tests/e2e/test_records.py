"""Every output has its run.json: command, versions, duration, digests; no path, nothing lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.in_process import call


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder with the output of every command that writes one (training has its own tests)."""
    root = tmp_path_factory.mktemp("made")
    hearts, out = root / "hearts", root / "out"
    call("phantom", "--output", hearts, "--count", 1)
    references = hearts / "training"
    call("predict", hearts, "--model", "otsu", "--output", out)
    call("evaluate", out, references, "--scheme", "acdc", "--output", root / "evaluation")
    shutil.copytree(out, root / "other")
    call("compare", out, root / "other", references, "--scheme", "acdc", "--output", root / "two")
    call("function", out, "--output", root / "function")
    one = next(out.glob("*.nii.gz"))
    call("mesh", one, "--structures", "LV cavity", "--output", root / "models")
    call("mesh", one, "--structures", "LV cavity", "--output", out)
    call("report", out)
    call("report", root / "evaluation")
    call("observers", out, root / "other", "--scheme", "acdc", "--output", root / "observers")
    call("baseline", "otsu", "--data", f"acdc:{hearts}", "--output", root / "b")
    return root


RECORDS = {
    "hearts/run.json": ("phantom", "seed"),
    "out/run.json": ("predict", "model_id"),
    "out/run-mesh.json": ("mesh", "options"),
    "out/run-report.json": ("report", "language"),
    "evaluation/run.json": ("evaluate", "missing_are_counted"),
    "evaluation/run-report.json": ("report", "files"),
    "two/run.json": ("compare", "bootstrap_seed"),
    "function/run.json": ("function", "scheme"),
    "models/run.json": ("mesh", "files"),
    "observers/run.json": ("observers", "bootstrap_seed"),
    "b/run.json": ("baseline", "data_digest"),
}
"""Where each record lies, who wrote it, and a key of its own."""


@pytest.mark.parametrize("place", RECORDS)
def test_an_output_has_its_record(made: Path, place: str) -> None:
    command, key = RECORDS[place]
    text = (made / place).read_text(encoding="utf-8")
    record = json.loads(text)
    assert record["format_version"] == 1
    assert record["command"] == command
    assert {"python", "cardioseg", "numpy"} <= record["versions"].keys()
    assert record["duration_s"] > 0
    assert key in record
    assert str(made) not in text, "a record names no path"
    for file in record.get("files", []):
        digests = [value for name, value in file.items() if name.endswith("sha256")]
        assert digests
        assert all(len(digest) == 64 for digest in digests)


def test_an_exported_model_has_its_record(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    call("export", "sax", "--output", tmp_path / "sax.onnx", "--bundle", tmp_path / "bundle")
    for path in (tmp_path / "sax.onnx.run.json", tmp_path / "bundle" / "run.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        assert (record["command"], record["model"]) == ("export", "sax")
        assert len(record["plan_sha256"]) == 64
