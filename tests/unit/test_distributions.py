"""The distributions of models: laid out alike, licensed, within their size."""

from __future__ import annotations

import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from cardioseg.model import open_model

ROOT = Path(__file__).resolve().parents[2] / "models"
FOLDERS = sorted(path.parent for path in ROOT.glob("*/pyproject.toml"))
LARGEST_BYTES = 16e6


def names(folder):
    return [f.name for f in folder]


@pytest.fixture(params=FOLDERS, ids=names(FOLDERS))
def project(request):
    return request.param, tomllib.loads((request.param / "pyproject.toml").read_text())["project"]


def model_folders(folder, project):
    """Name and folder of each model, as the entry point's module gives it."""
    for name, target in project["entry-points"]["cardioseg.models"].items():
        module_name, _, attribute = target.partition(":")
        path = folder / "src" / module_name / "__init__.py"
        spec = spec_from_file_location(module_name, path)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        yield name, Path(getattr(module, attribute))


def test_both_distributions_are_there():
    assert {"acdc", "whole-heart"} <= set(names(FOLDERS))


def test_the_licence_is_named_and_its_text_is_there(project):
    folder, facts = project
    licence = (folder / "LICENSE").read_text()
    short = {"CC-BY-NC-SA-4.0": "CC BY-NC-SA 4.0", "Apache-2.0": "Apache License"}
    assert short[facts["license"]] in licence
    assert "Not a medical device" in (folder / "README.md").read_text()


def test_each_model_lies_in_its_module_and_keeps_within_its_size(project):
    folder, facts = project
    for name, path in model_folders(folder, facts):
        assert path.name == name
        assert path.parent.parent == folder / "src"
        if not path.is_dir():
            pytest.skip(f"{name} is not built yet")
        model = open_model(path)
        assert model.size_bytes <= LARGEST_BYTES
        assert model.card_rows["Structures"]
