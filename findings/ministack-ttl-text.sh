#!/usr/bin/env bash
# ministack 1.5.33: DynamoDB's TTL removes items that AWS keeps. AWS looks at a TTL attribute only if it is a number, and leaves an item alone whose
# time is more than five years ago (so that milliseconds, a year or a date of birth in that attribute do no harm). Here a text of digits counts as a
# time, and so does any number in the past. An application that keeps a serial number or a year in an attribute of that name loses these items
# locally, within a minute and without an error, and nothing of the kind happens in AWS.
# Seen: of four items all but the one with a time in the future are gone.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ministack==1.5.33" "boto3==1.43.36"
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
(cd "$folder" && HOME="$folder" BIND_HOST=127.0.0.1 GATEWAY_PORT=$port exec venv/bin/python -m ministack >"$folder/log" 2>&1) &
server=$!
ENDPOINT="http://127.0.0.1:$port" AWS_EC2_METADATA_DISABLED=true "$folder/venv/bin/python" - <<'PYTHON'
import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

config = Config(proxies={}, retries={"total_max_attempts": 1})
dynamodb = boto3.Session("test", "test", region_name="eu-central-1").client("dynamodb", endpoint_url=os.environ["ENDPOINT"], config=config)
deadline = time.monotonic() + 300
while True:
    try:
        dynamodb.create_table(
            TableName="parts",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        break
    except EndpointConnectionError:
        if time.monotonic() > deadline:
            sys.exit("The server does not answer within 300 s.")
        time.sleep(0.2)
dynamodb.update_time_to_live(TableName="parts", TimeToLiveSpecification={"AttributeName": "until", "Enabled": True})
now = int(time.time())
items = {
    "over": {"N": str(now - 60)},
    "serial number, a text": {"S": "100245"},
    "year, a number": {"N": "2019"},
    "later": {"N": str(now + 86400)},
}
for name, until in items.items():
    dynamodb.put_item(TableName="parts", Item={"id": {"S": name}, "until": until})


def there() -> list[str]:
    return sorted(item["id"]["S"] for item in dynamodb.scan(TableName="parts", ConsistentRead=True)["Items"])


# What is over goes in the same round as all else that is to go.
while "over" in there():
    if time.monotonic() > deadline:
        sys.exit("Nothing is removed within 300 s.")
    time.sleep(1)
left = there()
print("ministack 1.5.33, left by TTL:", left, "AWS leaves:", sorted(set(items) - {"over"}))
sys.exit(0 if left == ["later"] else "An item that AWS keeps is kept now.")
PYTHON
