# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import boto3
import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common import dependencies as packages
from ansible_collections.localcloud.stack.plugins.modules import localstack_info as module
from moto import mock_aws

ARGUMENTS = {"region": "eu-central-1", "access_key": "test", "secret_key": "hush", "services": ["sqs"]}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("check_mode", [False, True])
def test_it_reads_and_never_changes(run_module, check_mode):
    with mock_aws():
        result = run_module(module, check_mode, **ARGUMENTS)
    assert result["changed"] is False
    assert result["queues"] == []
    assert result["account"]["id"] == "123456789012"
    assert "topics" not in result


def test_kms_keys_have_a_name_that_templates_can_use(run_module):
    with mock_aws():
        boto3.client("kms", "eu-central-1").create_key(Description="orders")
        result = run_module(module, **{**ARGUMENTS, "services": ["kms"]})
        assert [one["description"] for one in result["kms_keys"]] == ["orders"]
        assert result["keys"] == result["kms_keys"], "the old name works on"
        assert "kms_keys" not in run_module(module, **ARGUMENTS)


def test_a_failure_is_one_message(run_module):
    result = run_module(module, **{**ARGUMENTS, "endpoint_url": "localhost:4566"})
    assert result["failed"] is True
    assert result["msg"].startswith("endpoint_url is not a URL")
    assert "exception" not in result


def test_errors_become_warnings_if_wished(run_module, monkeypatch):
    found = {"queues": [], "errors": [{"service": "s3", "name": "", "message": "AWS denies reading S3 buckets."}]}

    def gather(clients, query):
        assert query.on_error == "warn"
        return found

    monkeypatch.setattr(module, "gather", gather)
    result = run_module(module, **ARGUMENTS, on_error="warn")
    assert (result["changed"], result["errors"]) == (False, found["errors"])
    assert result["warnings"] == ["AWS denies reading S3 buckets."]


def test_names_of_amazon_aws_are_taken_too(run_module):
    with mock_aws():
        result = run_module(
            module, aws_region="eu-west-1", aws_access_key_id="test", aws_secret_access_key="hush", services=[]
        )
    assert result["region"] == "eu-west-1"


def test_the_endpoint_falls_back_on_the_environment(run_module, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no-url")
    assert "no-url" in run_module(module, **ARGUMENTS)["msg"]


def test_a_missing_library_is_named(run_module, monkeypatch):
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    assert "lacks Python packages: boto3" in run_module(module, **ARGUMENTS)["msg"]


def test_key_and_secret_belong_together(run_module):
    assert "required together" in run_module(module, access_key="test")["msg"]


@pytest.mark.parametrize(
    ("secret_key", "shown"), [("test", "latest-test"), ("hush", "latest-test"), ("late", "********st-test")]
)
def test_the_well_known_key_of_emulators_is_cut_out_of_no_name(run_module, secret_key, shown):
    with mock_aws():
        boto3.client("sqs", region_name="eu-central-1").create_queue(QueueName="latest-test")
        result = run_module(module, **{**ARGUMENTS, "secret_key": secret_key})
    assert [one["name"] for one in result["queues"]] == [shown]
