# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import botocore.exceptions as bc
import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError, explain, is_not_found

EP = "http://localhost:4566"


def answer(code, message="why"):
    return bc.ClientError({"Error": {"Code": code, "Message": message}}, "Op")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (bc.NoCredentialsError(), ["no AWS credentials", "AWS_ACCESS_KEY_ID"]),
        (bc.PartialCredentialsError(provider="env", cred_var="k"), ["incomplete", "both access_key and secret_key"]),
        (bc.ProfileNotFound(profile="p"), ["(p)", "misspelt"]),
        (bc.NoRegionError(), ["no region", "AWS_REGION"]),
        (bc.EndpointConnectionError(endpoint_url=EP), ["cannot be reached", "not running"]),
        (bc.ConnectTimeoutError(endpoint_url=EP), ["no answer to the connection attempt"]),
        (bc.ReadTimeoutError(endpoint_url=EP), ["read timeout", "log"]),
        (bc.SSLError(endpoint_url=EP, error="x"), ["TLS", "http://"]),
        (ValueError("Invalid endpoint: localhost"), ["not a URL"]),
        (answer("404"), ["not as an AWS endpoint"]),
        (answer("InvalidClientTokenId"), ["refused the credentials"]),
        (answer("ExpiredToken"), ["expired"]),
        (answer("AccessDenied"), ["denies reading", "permission"]),
        (answer("Throttling"), ["throttled"]),
        (answer("InternalError"), ["failed by itself", "log"]),
        (
            answer("InternalError", "Installation of kinesis-local 0.5.2 failed."),
            ["image lacks kinesis-local 0.5.2", "MiniStack"],
        ),
        (answer("NotImplemented"), ["cannot do reading", "leave it out"]),
        (answer("Odd", "thing"), ["Odd: thing"]),
        (RuntimeError("boom"), ["RuntimeError: boom", "-vvv"]),
    ],
)
def test_each_failure_says_what_it_is_and_what_to_do(error, says):
    sentence = explain(error, "reading", EP)
    for part in says:
        assert part in sentence
    assert sentence.endswith(".")


def test_a_bucket_of_another_account_is_told_as_that():
    for code, operation in (
        ("403", "HeadBucket"),
        ("AccessDenied", "ListObjectsV2"),
        ("AccessDenied", "GetBucketTagging"),
    ):
        error = bc.ClientError({"Error": {"Code": code, "Message": "Forbidden"}}, operation)
        assert "likely the bucket belongs to another account" in explain(error, "looking for bucket orders", EP)
    for code, operation in (("403", "ListBuckets"), ("404", "HeadBucket")):
        assert "not as an AWS endpoint" in explain(bc.ClientError({"Error": {"Code": code}}, operation), "reading", EP)


def test_without_an_endpoint_real_aws_is_named():
    assert explain(answer("AccessDenied"), "reading", None).startswith("AWS denies")


def test_not_found_is_told_from_failure():
    assert is_not_found(answer("ResourceNotFoundException"))
    assert is_not_found(answer("AWS.SimpleQueueService.NonExistentQueue"))
    assert not is_not_found(answer("AccessDenied"))
    assert not is_not_found(ValueError("x"))


def test_details_are_kept_with_the_error():
    assert AwsError("m", a=1).details == {"a": 1}
