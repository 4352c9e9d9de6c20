"""A consumer as a user would write it with boto3 alone: receives ten, writes them, deletes them."""

import json
import os
from typing import Any

import boto3


def item(message: dict[str, Any]) -> dict[str, Any]:
    event = json.loads(json.loads(json.loads(message["Body"])["Message"])["body"])
    return {"Id": {"S": event["Id"]}, "Number": {"N": str(event["Number"])}, "CreatedAt": {"S": event["CreatedAt"]}}


def main() -> None:
    where: dict[str, Any] = {
        "endpoint_url": os.environ["CLOUD_AWS_DEFAULTS_ENDPOINT"],
        "region_name": os.environ["AWS_REGION"],
    }
    sqs: Any = boto3.client("sqs", **where)
    dynamodb: Any = boto3.client("dynamodb", **where)
    url, table = sqs.get_queue_url(QueueName=os.environ["QUEUE_NAME"])["QueueUrl"], os.environ["TABLE_NAME"]
    print(json.dumps({"event": "ready"}), flush=True)
    while True:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        if not messages:
            continue
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item(one)}} for one in messages]})
        entries = [{"Id": str(place), "ReceiptHandle": one["ReceiptHandle"]} for place, one in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)


main()
