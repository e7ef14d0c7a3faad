"""The server keeps to its own OpenAPI document, whatever it is asked (schemathesis)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from cardioseg.service.app import create_app
from tests.live_server import Live, live


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    with live(upload_mb=1, unpacked_mb=1) as running:
        yield running


@pytest.fixture(scope="module")
def document(server: Live) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_documented(case: schemathesis.Case) -> None:
    case.call_and_validate(timeout=60)


def test_the_document_names_every_refusal(server: Live) -> None:
    document = server.client.get("/openapi.json").json()
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert len(operations) == 13
    assert all({"404", "422", "503"} <= each["responses"].keys() for each in operations)
    assert callable(create_app)
