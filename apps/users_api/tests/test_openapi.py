"""What the API's description says holds for whatever is sent: schemathesis over all of it, against a process."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
import running
import schemathesis
import structlog
from running import BUCKET, TABLE, Running, service
from schemathesis.specs.openapi.checks import positive_data_acceptance

from localcloud_users_api.clients import build_store
from localcloud_users_api.settings import Settings
from localcloud_users_api.web import build_app
from localcloud_web.readiness import Readiness

LOG = structlog.get_logger()
SETTINGS = Settings(DYNAMODB_TABLE=TABLE, S3_BUCKET=BUCKET, AWS_ENDPOINT_URL="http://127.0.0.1:1")
schema = schemathesis.openapi.from_dict(build_app(SETTINGS, build_store(SETTINGS, LOG), Readiness(), LOG).openapi())


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running.aws() as endpoint, service(endpoint) as one:
        yield one


@schema.parametrize()
@hypothesis.settings(max_examples=30, deadline=None, derandomize=True)
def test_the_service_does_as_its_description_says(server: Running, case: schemathesis.Case) -> None:
    # What an address or a cursor is, a schema can't say: of data that fit to it, some are refused.
    case.call_and_validate(base_url=server.url, excluded_checks=[positive_data_acceptance])
