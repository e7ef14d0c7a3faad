"""The service opens no connection and takes no address: what is not there cannot be misused."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live_server import live

import cardioseg

ROOT = Path(cardioseg.__file__).parent
CLIENTS = ("urllib.request", "http.client", "requests", "httpx", "aiohttp", "ftplib", "smtplib",
           "urllib3", "fsspec", "ray", "xmlrpc", "socketserver")  # fmt: skip
CAN_RUN_CODE = ("pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle")
PARAMETERS = {"job_id", "frame", "name", "model", "series", "seconds", "axis", "reach", "if-match"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def modules(*packages: str) -> list[Path]:
    found = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert len(found) > len(packages)
    return found


@pytest.mark.parametrize("path", modules("service", "inference", "engines", "io"), ids=str)
def test_no_client_of_a_network_is_imported(path: Path) -> None:
    assert [name for name in imported(path) if name.startswith(CLIENTS)] == []


def test_only_scale_follows_urls_and_starts_ray() -> None:
    following = {
        path.relative_to(ROOT).parts[0]
        for path in modules(".")
        if any(name.partition(".")[0] in ("fsspec", "ray") for name in imported(path))
    }
    assert following == {"scale"}
    assert not any(name.startswith("cardioseg.scale") for path in modules("service")
                   for name in imported(path))  # fmt: skip


def test_nothing_reads_what_can_run_code() -> None:
    for path in modules("."):
        assert [name for name in imported(path) if name.split(".")[0] in CAN_RUN_CODE] == []
        source = path.read_text(encoding="utf-8")
        assert "torch.load(" not in source, path
        assert "allow_pickle=True" not in source, path


def test_no_parameter_of_the_api_takes_an_address() -> None:
    with live() as running:
        document = running.client.get("/openapi.json").json()
        operations = [each for path in document["paths"].values() for each in path.values()]
        names = {p["name"] for each in operations for p in each.get("parameters", ())}
        assert names == PARAMETERS
        for path in ("/static/../settings.py", "/static/%2e%2e/settings.py", "/static/..%5cx",
                     "/static//etc/hostname", "/api/../../etc/hostname", "/%2e%2e/"):  # fmt: skip
            answer = running.client.get(path)
            assert answer.status_code in (404, 405), path
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
