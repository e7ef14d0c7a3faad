"""The server keeps to its own OpenAPI document, whatever it is asked (schemathesis)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.live_server import Live, live


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    with live(upload_mb=1, unpacked_mb=1) as running:
        yield running


@pytest.fixture(scope="module")
def document(server: Live) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_answers_are_as_documented(document: schemathesis.BaseSchema, data: st.DataObject) -> None:
    operations = [each.ok() for each in document.get_all_operations()]
    operation = data.draw(st.sampled_from(operations))
    case = data.draw(operation.as_strategy())
    # A document cannot say which bytes are a scan, so bytes that fit it may still be refused.
    case.call_and_validate(timeout=60, excluded_checks=[positive_data_acceptance])


def test_the_document_names_every_refusal(server: Live) -> None:
    document = server.client.get("/openapi.json").json()
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert len(operations) == 16
    assert all({"404", "422", "503"} <= each["responses"].keys() for each in operations)
