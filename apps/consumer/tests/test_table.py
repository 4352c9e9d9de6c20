from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from localcloud_consumer.table import TRIES, Table
from localcloud_events.problems import ResourceMissingError

NAME = "justtrack-dev-devops-consumer-events"


def item(event_id: str, number: str = "1") -> dict[str, Any]:
    return {"Id": {"S": event_id}, "Number": {"N": number}, "CreatedAt": {"S": "2026-01-02T03:04:05Z"}}


def request(*items: dict[str, Any]) -> dict[str, Any]:
    return {"RequestItems": {NAME: [{"PutRequest": {"Item": one}} for one in items]}}


def unprocessed(*items: dict[str, Any]) -> dict[str, Any]:
    return {"UnprocessedItems": request(*items)["RequestItems"] if items else {}}


def stored(stack: SimpleNamespace) -> list[str]:
    return sorted(one["Id"]["S"] for one in stack.dynamodb.scan(TableName=NAME)["Items"])


def test_writes_and_writes_again_to_the_same_item(stack: SimpleNamespace) -> None:
    table = Table(stack.dynamodb, NAME)
    table.find()
    for _ in range(2):
        outcome = table.write([item("a"), item("b", "12345678901234567890123456789012345678")])
        assert (outcome.stored, outcome.refused) == ({"a", "b"}, {})
    assert stack.dynamodb.scan(TableName=NAME)["Count"] == 2
    assert stack.dynamodb.get_item(TableName=NAME, Key={"Id": {"S": "a"}})["Item"] == item("a")


def test_one_bad_item_does_not_hold_the_others(stack: SimpleNamespace) -> None:
    bad = {**item("bad"), "Number": {"N": "x"}}
    outcome = Table(stack.dynamodb, NAME).write([item("a"), bad, item("b")])
    assert outcome.stored == {"a", "b"}
    assert outcome.refused.keys() == {"bad"}
    assert stored(stack) == ["a", "b"]


def test_unprocessed_items_are_tried_again_with_longer_waits(clients: SimpleNamespace) -> None:
    slept: list[float] = []
    a, b, c = item("a"), item("b"), item("c")
    with Stubber(clients.dynamodb) as stub:
        stub.add_response("batch_write_item", unprocessed(b, c), request(a, b, c))
        stub.add_response("batch_write_item", unprocessed(c), request(b, c))
        stub.add_response("batch_write_item", unprocessed(), request(c))
        outcome = Table(clients.dynamodb, NAME, sleep=slept.append).write([a, b, c])
        stub.assert_no_pending_responses()
    assert outcome.stored == {"a", "b", "c"}
    assert len(slept) == 2
    assert 0.05 <= slept[0] <= slept[1] + 0.05


def test_what_stays_unprocessed_counts_as_neither_stored_nor_refused(clients: SimpleNamespace) -> None:
    a, b = item("a"), item("b")
    with Stubber(clients.dynamodb) as stub:
        stub.add_response("batch_write_item", unprocessed(b), request(a, b))
        for _ in range(TRIES - 1):
            stub.add_response("batch_write_item", unprocessed(b), request(b))
        outcome = Table(clients.dynamodb, NAME, sleep=lambda _: None).write([a, b])
        stub.assert_no_pending_responses()
    assert (outcome.stored, outcome.refused) == ({"a"}, {})


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_other_errors_pass_through(code: str, clients: SimpleNamespace) -> None:
    with Stubber(clients.dynamodb) as stub:
        stub.add_client_error("batch_write_item", code)
        with pytest.raises(ClientError, match=code):
            Table(clients.dynamodb, NAME).write([item("a")])
    with Stubber(clients.dynamodb) as stub:
        stub.add_client_error("batch_write_item", "ValidationException")
        stub.add_client_error("put_item", code)
        with pytest.raises(ClientError, match=code):
            Table(clients.dynamodb, NAME).write([item("a")])


def test_a_missing_table_is_told_and_not_made(clients: SimpleNamespace) -> None:
    with pytest.raises(ResourceMissingError, match=f"DynamoDB table '{NAME}' does not exist in eu-central-1"):
        Table(clients.dynamodb, NAME).find()
    assert clients.dynamodb.list_tables()["TableNames"] == []


@pytest.mark.parametrize(("state", "usable"), [("ACTIVE", True), ("UPDATING", True), ("CREATING", False)])
def test_a_table_in_the_making_is_waited_for(state: str, usable: bool, clients: SimpleNamespace) -> None:
    with Stubber(clients.dynamodb) as stub:
        stub.add_response("describe_table", {"Table": {"TableStatus": state}})
        table = Table(clients.dynamodb, NAME)
        if usable:
            table.find()
        else:
            with pytest.raises(ResourceMissingError, match=f"is {state}"):
                table.find()


def test_a_refused_look_is_no_missing_table(clients: SimpleNamespace) -> None:
    with Stubber(clients.dynamodb) as stub:
        stub.add_client_error("describe_table", "AccessDeniedException")
        with pytest.raises(ClientError, match="AccessDenied"):
            Table(clients.dynamodb, NAME).find()
