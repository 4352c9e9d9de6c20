"""What is wrong with what is to be probed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.probe.request import Request, problems
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"table": "t"}, "topic is missing, and queue as well"),
        ({"topic": "t"}, "table is missing; without one, probe with until: queue or bucket"),
        ({"topic": "t", "until": "bucket"}, "until: bucket needs a bucket"),
        ({"topic": "t", "until": "queue"}, "until: queue needs a queue"),
        (
            {"queue": "q", "table": "t", "destination_queue": "o"},
            "destination_queue is for until: queue, but until is table",
        ),
        ({"queue": "q", "table": "t", "key": ""}, "key is empty"),
        ({"queue": "q", "table": "t", "body": {"id": "x"}}, "body has no ${id}"),
        ({"queue": "q", "table": "t", "body": "${id} ${nmber}"}, "body asks for ${nmber}; did you mean 'number'?"),
        ({"queue": "q", "table": "t", "body": {"id": "${id}", "x": float("inf")}}, "body is not JSON"),
        ({"queue": "q", "table": "t", "message_attributes": {"trace": "x"}}, "message_attributes has trace"),
        (
            {"queue": "q", "table": "t", "message_attributes": {str(number): "x" for number in range(9)}},
            "message_attributes has 9, but SQS takes at most 8",
        ),
    ],
)
def test_problems(asked: dict[str, Any], says: str) -> None:
    assert any(says in one for one in problems(Request(**asked)))


def test_right_ones() -> None:
    many = {str(number): "x" for number in range(10)}
    for asked in (
        Request("t", "t"),
        Request("t", queue="q", until="queue"),
        Request("t", until="queue", destination_queue="o", message_attributes={**many, "more": 1}),
        Request(queue="q", until="bucket", bucket="b", body={"id": "${id}"}, message_attributes=many),
        Request(queue="q", table="t", body="${id}", message_attributes={"trace": "x"}),
    ):
        assert problems(asked) == []


def test_who_receives() -> None:
    assert Request("t", queue="q", until="queue").direct
    assert Request("t", queue="arn:aws:sqs:eu-central-1:1:q", until="queue", destination_queue="q").direct
    assert not Request("t", queue="q", until="queue", destination_queue="o").direct
    assert not Request("t", until="queue", destination_queue="o").direct
    assert not Request("t", "t", "q").direct


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
    )
)
def test_no_body_is_an_exception(body: Any) -> None:
    assert all(isinstance(one, str) for one in problems(Request("t", "t", body=body)))
