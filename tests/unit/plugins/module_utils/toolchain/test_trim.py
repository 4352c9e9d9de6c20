"""Trimming keeps exactly the registrations that are asked for."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import BY_KEY

PROJECT = Path(__file__).resolve().parents[5]
SPEC = importlib.util.spec_from_file_location("trim", PROJECT / "toolchain/provider-aws/trim.py")
assert SPEC is not None
assert SPEC.loader is not None
trim = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(trim)

SETUP = """package controller

import (
    "github.com/crossplane/upjet/v2/pkg/controller"

    topic "github.com/upbound/provider-aws/v2/internal/controller/cluster/sns/topic"
    smspreferences "github.com/upbound/provider-aws/v2/internal/controller/cluster/sns/smspreferences"
    providerconfig "github.com/upbound/provider-aws/v2/internal/controller/cluster/providerconfig"
    vpc "github.com/upbound/provider-aws/v2/internal/controller/cluster/ec2/vpc"
)

        topic.Setup,
        smspreferences.Setup,
        providerconfig.Setup,
        vpc.Setup,
"""
PACKAGES = """import (
    "context"

    "github.com/hashicorp/terraform-provider-aws/internal/service/ec2"
    "github.com/hashicorp/terraform-provider-aws/internal/service/sns"
)
        ec2.ServicePackage(ctx),
        sns.ServicePackage(ctx),
"""
CLIENTS = """package conns

import (
    "context"
    "github.com/aws/aws-sdk-go-v2/service/ec2"
    snssdk "github.com/aws/aws-sdk-go-v2/service/sns"
)

func (c *AWSClient) EC2Client(ctx context.Context) *ec2.Client {
    return nil
}
func (c *AWSClient) SNSClient(ctx context.Context) *snssdk.Client {
    return nil
}
"""


def test_controllers_of_the_wanted_kinds_are_left() -> None:
    text = trim.keep_registered(
        SETUP,
        r'\s+(\w+) "github\.com/upbound/provider-aws/v2/internal/controller/cluster/([^"]+)"',
        r"\s+(\w+)\.Setup,",
        lambda path: path in {"sns/topic", "providerconfig"},
    )
    assert "topic.Setup," in text
    assert "providerconfig.Setup," in text
    assert "upjet/v2/pkg/controller" in text
    assert "smspreferences" not in text
    assert "vpc" not in text


def test_service_packages_of_the_wanted_services_are_left() -> None:
    text = trim.keep_services(PACKAGES, {"sns"})
    assert "sns.ServicePackage(ctx)," in text
    assert '"context"' in text
    assert "ec2" not in text


def test_used_clients_and_their_imports_are_left() -> None:
    text = trim.keep_clients(CLIENTS, {"SNSClient"})
    assert "SNSClient" in text
    assert "snssdk" in text
    assert "ec2" not in text.lower()


def test_schemas_of_kept_resources_are_left_and_no_data_sources() -> None:
    document = {
        "format_version": "1.0",
        "provider_schemas": {
            "aws": {"resource_schemas": {"aws_sns_topic": 1, "aws_vpc": 2}, "data_source_schemas": {}}
        },
    }
    trimmed = trim.keep_schemas(document, {"aws_sns_topic"})
    assert trimmed == {"format_version": "1.0", "provider_schemas": {"aws": {"resource_schemas": {"aws_sns_topic": 1}}}}


def test_the_kept_terraform_code_tells_its_clients_and_resources(tmp_path: Path) -> None:
    for path, text in {
        "service/sns/topic.go": '// @SDKResource("aws_sns_topic")\nconn := meta.SNSClient(ctx)',
        "service/sns/topic_test.go": "EC2Client(ctx)",
        "service/ec2/vpc.go": '// @SDKResource("aws_vpc")\nmeta.EC2Client(ctx)',
        "sweep/x.go": "meta.KMSClient(ctx)",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert trim.scan_terraform(tmp_path, {"sns"}) == ({"SNSClient"}, {"aws_sns_topic"})


def test_terraforms_names_of_services_are_those_of_the_catalog() -> None:
    named = {kind.service: kind.client for kind in BY_KEY.values() if kind.client}
    assert named == trim.TERRAFORM_NAMES
