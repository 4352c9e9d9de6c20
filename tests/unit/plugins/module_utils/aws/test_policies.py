# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws.policies import canonical, same_policy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ACCOUNT = "123456789012"


def policy(**statement):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


# What compare_policies of amazon.aws takes for the same (tests/unit/module_utils/policy), and what AWS answers.
@pytest.mark.parametrize(
    ("left", "right"),
    [
        (policy(Action="s3:Get"), policy(Action=["s3:Get"])),
        (policy(Action=["a:A", "a:B"]), policy(Action=["a:B", "a:A"])),
        (policy(Action=["a:A", "a:A"]), policy(Action="a:A")),
        (policy(Action="SQS:SendMessage"), policy(Action="sqs:sendmessage")),
        (policy(NotAction="SQS:*"), policy(NotAction=["sqs:*"])),
        (policy(Principal="*"), policy(Principal={"AWS": "*"})),
        (policy(Principal={"AWS": "*"}), policy(Principal={"AWS": ["*"]})),
        (policy(Principal={"AWS": ACCOUNT}), policy(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})),
        (policy(Principal={"AWS": int(ACCOUNT)}), policy(Principal={"AWS": [ACCOUNT]})),
        (policy(NotPrincipal={"AWS": ACCOUNT}), policy(NotPrincipal={"AWS": [f"arn:aws-cn:iam::{ACCOUNT}:root"]})),
        (policy(Condition={"Bool": {"aws:SecureTransport": False}}), policy(Condition={"Bool": {"aws:SecureTransport": "false"}})),
        (policy(Condition={"NumericLessThan": {"s3:max-keys": 10}}), policy(Condition={"NumericLessThan": {"s3:max-keys": ["10"]}})),
        (policy(Condition={"ArnEquals": {"AWS:SourceArn": "x"}}), policy(Condition={"ArnEquals": {"aws:SourceArn": ["x"]}})),
        (policy(Sid=""), policy()),
        ({"Statement": []}, {"Version": "2008-10-17", "Statement": []}),
        ({"Statement": {"Effect": "Deny"}}, {"Statement": [{"Effect": "Deny"}]}),
        ({"Statement": [{"Sid": "a"}, {"Sid": "b"}]}, {"Statement": [{"Sid": "b"}, {"Sid": "a"}]}),
    ],
)  # fmt: skip
def test_what_means_the_same_to_aws(left, right):
    assert same_policy(left, right) is True
    assert same_policy(right, left) is True


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (policy(Action="s3:Get"), policy(Action="s3:Put")),
        (policy(Action="a:A"), policy(NotAction="a:A")),
        (policy(Resource="a"), policy(Resource="A")),
        (policy(Resource=["a"]), policy(Resource=["a", "b"])),
        (policy(Principal="*"), policy(NotPrincipal="*")),
        (policy(Principal={"AWS": "*"}), policy(Principal={"Service": "*"})),
        (policy(Principal={"AWS": ACCOUNT}), policy(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/root"})),
        (policy(Condition={"Bool": {"aws:SecureTransport": False}}), policy(Condition={"Bool": {"aws:SecureTransport": True}})),
        (policy(Condition={"StringEquals": {"a": "B"}}), policy(Condition={"StringEquals": {"a": "b"}})),
        (policy(Condition={"StringEquals": {"a": "b"}}), policy(Condition={"StringLike": {"a": "b"}})),
        (policy(Condition={"Bool": {"a": True}}), policy()),
        (policy(Sid="a"), policy(Sid="b")),
        ({"Statement": []}, {"Version": "2012-10-17", "Statement": []}),
        ({"Id": "a", "Statement": []}, {"Statement": []}),
    ],
)  # fmt: skip
def test_what_does_not(left, right):
    assert same_policy(left, right) is False
    assert same_policy(right, left) is False


@pytest.mark.parametrize("document", [None, [], "x", 5, {}, {"Statement": "x"}, {"Statement": [5]}, {"kind": ["a"]}])
def test_what_is_no_policy_is_not_compared_as_one(document):
    assert same_policy(document, policy()) is None


# A busy machine is no fault.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
ELEMENTS = ["Sid", "Effect", "Action", "NotAction", "Resource", "Principal", "NotPrincipal", "Condition"]
TEXTS = st.sampled_from(["a", "b", "*", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "true"]) | st.booleans()
VALUES = TEXTS | st.lists(TEXTS, min_size=1, max_size=3)
STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": VALUES, "Resource": VALUES},
    optional={
        "Principal": st.just("*") | st.dictionaries(st.sampled_from(["AWS", "Service"]), VALUES, min_size=1),
        "Condition": st.dictionaries(
            st.sampled_from(["Bool", "ArnEquals"]), st.dictionaries(st.sampled_from(["aws:A", "aws:b"]), VALUES)
        ),
    },
)
POLICIES = st.builds(
    lambda statements: {"Version": "2012-10-17", "Statement": statements}, st.lists(STATEMENTS, min_size=1, max_size=3)
)


@patient
@given(
    st.dictionaries(
        st.sampled_from(["Version", "Id", "Statement"]), JSON | st.dictionaries(st.sampled_from(ELEMENTS), JSON)
    )
)
def test_no_document_is_too_strange(document):  # fmt: skip
    canonical(document)


def rewritten(value, name=""):
    """As AWS gives documents back: one value as text, texts for booleans, ARNs for accounts, actions in lower case."""
    if isinstance(value, dict):
        return {key: rewritten(one, key if key[:1].isupper() else name) for key, one in value.items()}
    if isinstance(value, list):
        made = [rewritten(one, name) for one in reversed(value)]
        return made[0] if len(made) == 1 else made
    if isinstance(value, bool):
        return str(value).lower()
    if value == ACCOUNT and name in ("Principal", "AWS"):
        return f"arn:aws:iam::{ACCOUNT}:root"
    return value.lower() if name == "Action" else value


@patient
@given(POLICIES)
def test_a_policy_is_the_same_as_what_aws_makes_of_it(document):
    assert same_policy(document, copy.deepcopy(document)) is True
    assert same_policy(document, rewritten(document)) is True
    assert same_policy(rewritten(document), document) is True
