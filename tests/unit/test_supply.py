"""What is installed: pinned with hashes, listed as parts, and an audit that cannot pass unasked."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def tool(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script of tools/, as if it was run there."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_everything_that_cardioseg_runs_on_is_pinned_with_hashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sbom = tool("sbom", monkeypatch)
    text = (ROOT / "requirements.lock").read_text()
    locked = {each.name: each.version for each in sbom.read_lock(text)}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if not line.startswith("#"))
    for name, version in tested.items():
        assert locked.get(sbom.normal(name), version) == version, f"{name}: make lock"
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for each in wanted:
        name = sbom.normal(re.match(r"[A-Za-z0-9._-]+", each)[0])  # type: ignore[index]
        assert name in locked, f"{name}: make lock"
    assert "torch" not in locked
    assert "://" not in text


# What other libraries load by themselves: decoders of pydicom, parts of trimesh.
LOADED_BY_OTHERS = {
    *("python-gdcm", "pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg"),
    *("manifold3d", "lxml", "networkx"),
}
IMPORTED_AS = {"scikit-image": "skimage", "pillow": "PIL"}


def test_nothing_is_required_that_is_not_used() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.match(r"[A-Za-z0-9._-]+", each)[0] for each in wanted}  # type: ignore[index]
    code = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    unused = {
        name
        for name in names - LOADED_BY_OTHERS
        if not re.search(rf"(import|from) {IMPORTED_AS.get(name, name.lower())}\b", code, re.I)
    }
    assert unused == set()


def test_the_parts_are_listed_with_version_licence_and_hashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sbom = tool("sbom", monkeypatch)
    text = (ROOT / "requirements.lock").read_text()
    document = sbom.sbom(sbom.read_lock(text), "cardioseg")
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    parts = {each["name"]: each for each in document["components"]}
    numpy = parts["numpy"]
    assert numpy["purl"] == f"pkg:pypi/numpy@{numpy['version']}"
    assert all(re.fullmatch("[0-9a-f]{64}", each["content"]) for each in numpy["hashes"])
    assert numpy["licenses"]
    references = [each["bom-ref"] for each in document["components"]]
    assert document["dependencies"][0]["dependsOn"] == references
    assert len(set(references)) == len(references)
    assert json.dumps(document) == json.dumps(sbom.sbom(sbom.read_lock(text), "cardioseg"))


def test_a_lock_without_hashes_or_of_another_version_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sbom = tool("sbom", monkeypatch)
    with pytest.raises(ValueError, match="numpy: no hash"):
        sbom.read_lock("numpy==2.4.6\n")
    with pytest.raises(ValueError, match="no distribution"):
        sbom.read_lock("# nothing\n")
    other = sbom.read_lock(f"numpy==0.0.1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ValueError, match=r"numpy: .* is installed, the lock file has 0\.0\.1"):
        sbom.sbom(other, "cardioseg")


@pytest.mark.parametrize(
    "told",
    ["", "{}", '{"dependencies": []}', '{"dependencies": [{"name": "a", "skip_reason": "no"}]}',
     '{"dependencies": [{"name": "a"}]}'],
)  # fmt: skip
def test_an_audit_that_was_not_answered_does_not_pass(
    monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    audit = tool("audit", monkeypatch)
    with pytest.raises(audit.CouldNotLookError):
        audit.answers(told, 1)


def test_an_audit_that_does_not_know_the_known_does_not_pass(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    audit = tool("audit", monkeypatch)
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"numpy==2.4.6 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(sys, "argv", ["audit.py", str(lock)])
    monkeypatch.setattr(audit, "ask", lambda requirements: {})
    with pytest.raises(SystemExit, match=r"could not look: jinja2==2\.10 is known"):
        audit.main()
    known = {audit.KNOWN: {"jinja2": ["PYSEC-2019-217"]}, "numpy==2.4.6": {}}
    monkeypatch.setattr(audit, "ask", lambda requirements: known[requirements.strip()])
    with pytest.raises(SystemExit) as ended:
        audit.main()
    assert ended.value.code in (0, False)


def test_vulnerabilities_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    audit = tool("audit", monkeypatch)
    told = {"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]},
                             {"name": "b", "version": "1", "vulns": []}]}  # fmt: skip
    assert audit.answers(json.dumps(told), 2) == {"a": ["PYSEC-1"]}
