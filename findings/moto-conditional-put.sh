#!/usr/bin/env bash
# moto 5.2.5 (server): a conditional PutItem is not atomic. DynamoDB lets exactly one of several writers of a new key win; moto looks whether the item is
# there and writes it in two steps, between which another thread's request may run, so that several writers are told that they were the first. A test
# of idempotence ("stored once, the others get ConditionalCheckFailedException") passes or fails by chance.
# Seen: with the interpreter switching threads often, two and more of eight writers win in some of 300 rounds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "moto[dynamodb,server]==5.2.5" "boto3==1.44.5"
AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=eu-central-1 AWS_EC2_METADATA_DISABLED=true \
  "$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import boto3
import moto
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

WRITERS, ROUNDS = 8, 300
logging.getLogger("werkzeug").disabled = True
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
host, port = server.get_host_and_port()
clients = [boto3.client("dynamodb", endpoint_url=f"http://{host}:{port}") for _ in range(WRITERS)]
clients[0].create_table(
    TableName="events",
    KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
    BillingMode="PAY_PER_REQUEST",
)
sys.setswitchinterval(1e-6)
together = Barrier(WRITERS)


def wins(client, key):
    together.wait()
    try:
        client.put_item(TableName="events", Item={"Id": {"S": key}}, ConditionExpression="attribute_not_exists(Id)")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ConditionalCheckFailedException", error
        return 0
    return 1


with ThreadPoolExecutor(WRITERS) as pool:
    counts = [sum(pool.map(wins, clients, [f"key-{number}"] * WRITERS)) for number in range(ROUNDS)]
server.stop()
several = [count for count in counts if count > 1]
print(f"moto {moto.__version__}: several winners in {len(several)} of {ROUNDS} rounds, up to {max(counts)} of {WRITERS}; DynamoDB: always one")
assert min(counts) >= 1
sys.exit(0 if several else "No round had several winners: a conditional PutItem is atomic now.")
PYTHON
