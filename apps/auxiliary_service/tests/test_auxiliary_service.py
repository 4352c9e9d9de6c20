"""The auxiliary service before an AWS in memory, and before what is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from moto import mock_aws
from starlette.testclient import TestClient

from localcloud_auxiliary_service import cloud as cloud_module
from localcloud_auxiliary_service.cloud import Cloud, GarbageError, build_cloud
from localcloud_auxiliary_service.settings import Settings, load
from localcloud_auxiliary_service.web import build_app
from localcloud_events.settings import BadSettingsError
from localcloud_web.readiness import Readiness

LOG = structlog.get_logger()
REGION = "eu-west-1"
VALUES = {"/kantox-challenge/dev/param1": "one", "/kantox-challenge/dev/deep/er": "two"}
FOREIGN = {"/kantox-challenge/prod/param1": "three", "/kantox-challenge/development/x": "four"}
SECRET, SECRET_VALUE = "/kantox-challenge/dev/password", "hunter2"


def settings(**others: Any) -> Settings:
    given = {
        "SERVICE_VERSION": "v1.2.3",
        "BUCKET_PREFIX": "kantox-challenge-dev-",
        "PARAMETER_PATH": "/kantox-challenge/dev",
        **others,
    }
    return Settings(**given)


@pytest.fixture
def aws(regional: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """An AWS in memory with two environments."""
    with mock_aws():
        ssm, s3 = regional.ssm, regional.s3
        for name, value in {**VALUES, **FOREIGN}.items():
            ssm.put_parameter(Name=name, Value=value, Type="String")
        ssm.put_parameter(Name=SECRET, Value=SECRET_VALUE, Type="SecureString")
        for name in ("kantox-challenge-dev-bucket", "kantox-challenge-prod-bucket"):
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield regional


def cloud_of(aws: SimpleNamespace, **others: Any) -> Cloud:
    return Cloud(aws.s3, aws.ssm, settings(**others))


def serve(cloud: Any, **others: Any) -> TestClient:
    return TestClient(build_app(settings(**others), cloud, Readiness(), LOG), raise_server_exceptions=False)


@pytest.fixture
def api(aws: SimpleNamespace) -> Iterator[TestClient]:
    with serve(cloud_of(aws)) as client:
        yield client


def test_buckets_of_the_environment_alone(api: TestClient) -> None:
    assert api.get("/s3-buckets").json() == {
        "buckets": ["kantox-challenge-dev-bucket"],
        "auxiliary_service_version": "v1.2.3",
    }


def test_parameters_of_the_environment_alone(api: TestClient) -> None:
    answer = api.get("/parameters").json()
    assert sorted(answer["parameters"]) == sorted([*VALUES, SECRET])
    assert answer["auxiliary_service_version"] == "v1.2.3"
    assert "next" not in answer


@pytest.mark.parametrize(
    "asked",
    ["/kantox-challenge/dev/param1", "kantox-challenge/dev/param1", "%2Fkantox-challenge%2Fdev%2Fparam1", "param1"],
)
def test_a_value_by_the_parameters_name(api: TestClient, asked: str) -> None:
    answer = api.get(f"/parameter/{asked}")
    assert answer.json() == {"value": "one", "auxiliary_service_version": "v1.2.3"}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "asked",
    ["nothing", "/kantox-challenge/prod/param1", "/kantox-challenge/development/x", "", "/", "/kantox-challenge/dev"],
)
def test_what_is_not_there_and_what_is_not_ours_look_alike(api: TestClient, asked: str) -> None:
    answer = api.get(f"/parameter/{asked}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "There is no parameter of this name in this environment."
    assert answer.json()["auxiliary_service_version"] == "v1.2.3"


@pytest.mark.parametrize(
    ("allowed", "asked"), [("false", ""), ("false", "?decrypt=true"), ("true", ""), ("true", "?decrypt=0")]
)
def test_a_secret_is_told_only_if_asked_for_and_allowed(aws: SimpleNamespace, allowed: str, asked: str) -> None:
    with serve(cloud_of(aws, ALLOW_SECURE_STRINGS=allowed), ALLOW_SECURE_STRINGS=allowed) as api:
        answer = api.get(f"/parameter{SECRET}{asked}")
    assert answer.status_code == 403
    assert SECRET_VALUE not in answer.text and "kms" not in answer.text


def test_a_secret_that_is_asked_for_and_allowed(aws: SimpleNamespace) -> None:
    with serve(cloud_of(aws, ALLOW_SECURE_STRINGS="true")) as api:
        assert api.get(f"/parameter{SECRET}?decrypt=true").json()["value"] == SECRET_VALUE


class Many:
    """An SSM with 10,000 parameters, which gives 10 at a time as AWS does, and knows how many it was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def get_parameters_by_path(self, *, MaxResults: int, NextToken: str = "0", **_others: Any) -> dict[str, Any]:  # noqa: N803
        assert 1 <= MaxResults <= 10
        self.asked.append(MaxResults)
        begin = int(NextToken)
        names = [{"Name": f"/kantox-challenge/dev/p{one}"} for one in range(begin, min(begin + MaxResults, 10_000))]
        more = {"NextToken": str(begin + MaxResults)} if begin + MaxResults < 10_000 else {}
        return {"Parameters": names, **more}


def test_ten_thousand_parameters_come_page_by_page() -> None:
    ssm = Many()
    with serve(Cloud(None, ssm, settings())) as api:
        found: list[str] = []
        following: dict[str, str] = {}
        calls_before = len(ssm.asked)
        for page in range(10_000 // 995 + 1):
            answer = api.get("/parameters", params={"limit": 995, **following}).json()
            found += answer["parameters"]
            assert len(answer["parameters"]) == (995 if page < 10 else 50)
            following = {"next": answer["next"]} if "next" in answer else {}
        assert not following
        # The readiness look is one more.
        assert len(ssm.asked) - calls_before <= 10 * 100 + 5 + 1
        usual = api.get("/parameters").json()
    assert found == [f"/kantox-challenge/dev/p{one}" for one in range(10_000)]
    assert len(usual["parameters"]) == 100


def test_a_page_that_takes_long_ends_early_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_module, "GATHERING", -1.0)
    cloud = Cloud(None, Many(), settings())
    first = cloud.parameters(100, None)
    assert len(first.names) == 10
    assert cloud.parameters(100, first.token).names[0] == "/kantox-challenge/dev/p10"


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", f"next={'x' * 5000}"])
def test_bad_pages_are_refused(api: TestClient, query: str) -> None:
    answer = api.get(f"/parameters?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("token", ["%25", "a", "_w"])
def test_a_token_that_is_none_is_refused(api: TestClient, token: str) -> None:
    assert api.get(f"/parameters?next={token}").status_code == 400


def test_a_token_that_aws_refuses() -> None:
    class Refusing:
        def get_parameters_by_path(self, **_arguments: Any) -> None:
            raise _error("InvalidNextToken")

    with serve(Cloud(None, Refusing(), settings())) as api:
        assert api.get("/parameters?next=YQ").status_code == 400


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said"}}, "GetParameter")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (EndpointConnectionError(endpoint_url="http://aws"), 503),
        (NoCredentialsError(), 503),
        (ReadTimeoutError(endpoint_url="http://aws"), 504),
        (ResponseParserError("<html>"), 502),
        (GarbageError("Parameter"), 502),
        (_error("AccessDeniedException"), 502),
        (_error("ExpiredTokenException"), 502),
        (_error("ThrottlingException"), 503),
        (_error("InternalServerError"), 503),
    ],
)
def test_what_aws_does_is_told(error: Exception, status: int) -> None:
    class Failing:
        def get_parameter(self, **_arguments: Any) -> None:
            raise error

    with serve(Cloud(None, Failing(), settings())) as api:
        answer = api.get("/parameter/param1")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["auxiliary_service_version"] == "v1.2.3"
    assert ("retry-after" in answer.headers) == (status in (503, 504))
    assert "html" not in answer.text


@pytest.mark.parametrize("answer", [{}, {"Parameter": "x"}, {"Parameter": {"Type": "String"}}])
def test_an_answer_without_its_fields_is_garbage(answer: dict[str, Any]) -> None:
    class Odd:
        def get_parameter(self, **_arguments: Any) -> dict[str, Any]:
            return answer

    with pytest.raises(GarbageError):
        Cloud(None, Odd(), settings()).parameter("param1", decrypt=False)


def test_probes_metrics_and_documentation(api: TestClient) -> None:
    assert api.get("/healthz").json() == {"status": "live"}
    api.get("/parameter/param1")
    metrics = api.get("/metrics").text
    assert (
        'localcloud_auxiliary_service_requests_total{method="GET",route="/parameter/{name:path}",status="200"} 1.0'
        in metrics
    )
    assert "<title>Auxiliary service</title>" in api.get("/swagger/").text
    described = api.get("/openapi.json").json()["paths"]
    assert {"/s3-buckets", "/parameters", "/parameter/{name}"} <= described.keys()


def test_it_is_ready_when_aws_has_answered_once(aws: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localcloud_web.readiness.INTERVAL", 0.01)
    cloud = cloud_of(aws)
    fails = iter([True, True])

    def check() -> None:
        if next(fails, False):
            raise EndpointConnectionError(endpoint_url="http://aws")

    monkeypatch.setattr(cloud, "check", check)
    readiness = Readiness()
    with TestClient(build_app(settings(), cloud, readiness, LOG)) as api:
        statuses = [api.get("/readyz").status_code]
        while statuses[-1] != 200 and len(statuses) < 2000:
            statuses.append(api.get("/readyz").status_code)
    assert statuses[-1] == 200, readiness.obstacle


def test_the_request_id_of_the_caller_is_kept_and_logged(aws: SimpleNamespace) -> None:
    with structlog.testing.capture_logs() as logs, serve(cloud_of(aws)) as api:
        answer = api.get("/parameters", headers={"X-Request-ID": "abc.1"})
    assert answer.headers["x-request-id"] == "abc.1"
    assert [one["request_id"] for one in logs if one["event"] == "request"] == ["abc.1"]


def test_all_bad_settings_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {
        "SERVICE_VERSION": "a b",
        "AWS_ENDPOINT_URL": "aws:4566/x",
        "BUCKET_PREFIX": "UPPER",
        "PARAMETER_PATH": "dev",
        "PORT": "x",
    }
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadSettingsError) as found:
        load()
    assert all(f"{name}: " in str(found.value) for name in bad)


def test_what_has_no_default_must_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVICE_VERSION", "BUCKET_PREFIX", "PARAMETER_PATH"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadSettingsError) as found:
        load()
    assert all(name in str(found.value) for name in ("SERVICE_VERSION", "BUCKET_PREFIX", "PARAMETER_PATH"))


def test_the_description_is_json(api: TestClient) -> None:
    assert json.loads(api.get("/openapi.json").content)["info"]["title"] == "Auxiliary service"


def test_its_own_clients_find_what_is_there(aws: SimpleNamespace) -> None:
    assert build_cloud(settings()).parameter("param1", decrypt=False) == "one"
