"""Which settings of the AWS endpoint are refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.filter.emulators import services_of
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.endpoint import Endpoint, parse_endpoint
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.settings import problems

ROLE = "arn:aws:iam::123456789012:role/provider"


def settings(**changed: Any) -> dict[str, Any]:
    default = {
        "engine": "localstack",
        "version": "4.14.0",
        "token": "",
        "endpoint": "",
        "start": False,
        "account": "",
        "role_arn": "",
        "credentials": "irsa",
        "faults": [],
        "ingress_class": "traefik",
        "source_ranges": [],
        "own_image": "",
    }
    return {**default, **changed}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"own_image": "4.14.0"},
        {"version": "4.13.1"},
        {"version": "2026.3.0", "token": "t"},
        {"engine": "ministack"},
        {"source_ranges": ["10.0.0.0/8", "192.168.1.7/32"]},
        {"ingress_class": "haproxy"},
        {"engine": "outside"},
        {"engine": "outside", "start": True},
        {"engine": "outside", "start": True, "faults": [{"service": "sqs", "fault": "throttle", "rate": 0.1}]},
        {"engine": "outside", "endpoint": "http://host.docker.internal:4566"},
        {"engine": "outside", "endpoint": "http://192.168.1.5:14566"},
        {"engine": "aws", "account": "123456789012", "role_arn": ROLE},
        {"engine": "aws", "account": "123456789012", "credentials": "pod_identity"},
    ],
)
def test_good_settings(changed: dict[str, Any]) -> None:
    assert problems(settings(**changed)) == []


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"engine": "other"},
            "There is no engine 'other'. Set localstack_service_engine to one of localstack, ministack",
        ),
        ({"version": "latest"}, "'latest' is not a version of LocalStack"),
        ({"version": "4.15.0", "token": "t"}, "There is no LocalStack 4.15.0: after 4.14.0 came 2026.3.0"),
        ({"version": "2026.3.0"}, "runs only with a token: put it into the environment variable LOCALSTACK_AUTH_TOKEN"),
        ({"version": "2026.3.0"}, "Free are LocalStack 4.14.0"),
        ({"token": "t"}, "LocalStack 4.14.0 needs none"),
        ({"engine": "ministack", "token": "t"}, "the engine 'ministack' needs none"),
        ({"version": "4.13.0", "own_image": "4.14.0"}, "The embedded node has LocalStack 4.14.0"),
        ({"endpoint": "http://1.2.3.4:4566"}, "but the engine is 'localstack', which has none outside"),
        ({"account": "123456789012"}, "localstack_service_account is set, but the engine is 'localstack'"),
        ({"engine": "aws"}, "only with the account that you mean"),
        ({"engine": "aws", "account": "12345"}, "twelve digits (as a string), not '12345'"),
        ({"engine": "aws", "account": "000000000000"}, "is that of emulators"),
        ({"engine": "aws", "account": "123456789012"}, "set localstack_service_role_arn"),
        ({"engine": "aws", "account": "210987654321", "role_arn": ROLE}, "is of another account than 210987654321"),
        ({"engine": "outside", "endpoint": "http://1.2.3.4:4566", "start": True}, "are both set"),
        ({"engine": "outside", "endpoint": "https://1.2.3.4:4566"}, "is https"),
        (
            {"engine": "outside", "start": True, "faults": [{"service": "sqs", "fault": "throttle", "rate": 2}]},
            "localstack_service_faults[0].rate: must be",
        ),
        (
            {
                "engine": "outside",
                "endpoint": "http://1.2.3.4:4566",
                "faults": [{"service": "s3", "fault": "error", "rate": 1}],
            },
            "only before an emulator that is started on this machine",
        ),
        (
            {"faults": [{"service": "s3", "fault": "error", "rate": 1}]},
            "only before an emulator that is started on this machine",
        ),
        ({"engine": "outside", "endpoint": "http://1.2.3.4:4566/"}, "has a trailing slash"),
        ({"engine": "outside", "endpoint": "http://1.2.3.4:4566/aws"}, "has a path"),
        ({"engine": "outside", "endpoint": "http://1.2.3.4:4566?x"}, "has a path"),
        ({"engine": "outside", "endpoint": "http://[::1]:4566"}, "has an IPv6 address"),
        ({"engine": "outside", "endpoint": "http://[::1:4566"}, "is not a URL"),
        ({"engine": "outside", "endpoint": "http://1.2.3.4:99999"}, "is not a URL"),
        ({"engine": "outside", "endpoint": "1.2.3.4:4566"}, "is not an http URL"),
        ({"engine": "outside", "endpoint": "http://me:secret@1.2.3.4:4566"}, "has a user"),
        ({"engine": "outside", "endpoint": "http://127.0.0.1:4566"}, "is a loopback address"),
        ({"engine": "outside", "endpoint": "http://my host:4566"}, "no valid host name"),
        ({"source_ranges": ["10.0.0.1/8"]}, "'10.0.0.1/8' is not a network"),
        ({"source_ranges": "10.0.0.0/8"}, """-e '{"stack_ingress_source_ranges": ["10.0.0.0/8"]}'."""),
        (
            {"source_ranges": ["10.0.0.0/8"], "ingress_class": "haproxy"},
            "How the Ingress class 'haproxy' limits source",
        ),
        ({"engine": "outside", "endpoint": "http://aws.example:14566"}, "a Service by name can't change ports"),
    ],
)
def test_bad_settings(changed: dict[str, Any], message: str) -> None:
    found = problems(settings(**changed))
    assert message in " ".join(found)


def test_a_secret_is_not_repeated() -> None:
    said = " ".join(
        problems(settings(token="t0ken"))
        + problems(settings(engine="ministack", token="t0ken"))
        + problems(settings(engine="outside", endpoint="http://me:t0ken@1.2.3.4:4566"))
    )
    assert "t0ken" not in said


def test_an_endpoint_without_a_port_has_that_of_http() -> None:
    assert parse_endpoint("http://emulator") == Endpoint("emulator", 80)


def test_services_of_kinds() -> None:
    kinds = ["topics.sns.aws.upbound.io", "sqs.aws.upbound.io/v1beta1", "s3.aws.m.upbound.io/v1beta1", "apps/v1"]
    assert services_of(kinds) == ["s3", "sns", "sqs"]
    # Where AWS names a service otherwise, that name is what a ProviderConfig lists.
    assert services_of(["rules.cloudwatchevents.aws.upbound.io"]) == ["events"]
