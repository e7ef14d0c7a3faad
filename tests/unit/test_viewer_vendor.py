"""NiiVue from npm: pinned by its digest, and a build without npm is told, not broken."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from cardioseg.service.page import NIIVUE, has_viewer

pytest.importorskip("hatchling")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The build's module, with an empty vendor folder of its own and no npm."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "VENDOR", tmp_path / "vendor")
    monkeypatch.setenv("PATH", str(tmp_path))
    return module


def test_without_npm_it_says_so(hook: ModuleType) -> None:
    with pytest.raises(hook.ViewerError, match="npm is not installed"):
        hook.vendor_viewer()


def test_a_wheel_without_npm_is_built_with_a_warning(hook: ModuleType) -> None:
    told: list[str] = []
    target = SimpleNamespace(target_name="wheel", app=SimpleNamespace(display_warning=told.append))
    hook.CustomBuildHook.initialize(target, "standard", {})
    assert told == ["the wheel has no viewer: npm is not installed"]
    hook.CustomBuildHook.initialize(target, "editable", {})
    assert len(told) == 1


def test_another_file_than_the_one_that_was_checked_is_refused(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook, "_from_npm", lambda: b"something else")
    with pytest.raises(hook.ViewerError, match="SHA-256"):
        hook.vendor_viewer()
    assert not hook.VENDOR.exists()


def test_the_licence_lies_beside_it() -> None:
    licence = NIIVUE.parent.parent / "NIIVUE-LICENSE.txt"
    assert "BSD 2-Clause" in licence.read_text()
    if has_viewer():
        assert (NIIVUE.parent / "LICENSE.txt").read_text() == licence.read_text()
