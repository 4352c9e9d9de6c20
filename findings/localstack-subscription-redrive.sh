#!/usr/bin/env bash
# LocalStack 4.14.0 (the last release without an account): a subscription's redrive policy can be set, but never taken away. SNS takes an empty
# RedrivePolicy for "no more", as the AWS provider of Terraform and Crossplane sends it; LocalStack answers
# 400 InvalidParameter (500 InternalError where the value is left out), and the policy stays.
# Whoever takes a dead-letter queue out of a subscription by Terraform, Crossplane or CloudFormation waits for a resource that never becomes ready,
# and undelivered messages go on to a queue that was to go. Needs Python 3.13, as LocalStack does.
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/tools"
"$folder/tools/bin/pip" install --quiet --disable-pip-version-check uv==0.11.17
for python in python3.13 python3 "$(pyenv root 2>/dev/null || true)"/versions/3.13*/bin/python3; do
  "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null && break
done
"$python" -m venv "$folder/venv"
# With the dependencies of its day; later ones break it.
"$folder/tools/bin/uv" pip install --quiet --no-config --cache-dir "$folder/cache" --python "$folder/venv/bin/python" --exclude-newer 2026-02-27 \
  "localstack-core[runtime]==4.14.0"
port=$("$folder/venv/bin/python" -c 'import socket; one = socket.create_server(("127.0.0.1", 0)); print(one.getsockname()[1])')
env -i PATH="$PATH" HOME="$folder" SERVICES=sns,sqs EAGER_SERVICE_LOADING=0 DISABLE_EVENTS=1 SKIP_SSL_CERT_DOWNLOAD=1 LOCALSTACK_VOLUME_DIR="$folder/volume" \
  GATEWAY_LISTEN="127.0.0.1:$port" "$folder/venv/bin/python" -m localstack.runtime.main > "$folder/log" 2>&1 &
server=$!
env -i PATH="$PATH" AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=eu-central-1 PORT="$port" "$folder/venv/bin/python" - <<'PYTHON'
import json
import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

once = Config(retries={"total_max_attempts": 1})
sns, sqs = (boto3.client(name, endpoint_url=f"http://127.0.0.1:{os.environ['PORT']}", config=once) for name in ("sns", "sqs"))
deadline = time.monotonic() + 120
while True:
    try:
        topic = sns.create_topic(Name="events")["TopicArn"]
        break
    except BotoCoreError:  # It does not listen yet.
        if time.monotonic() > deadline:
            raise
        time.sleep(0.5)


def queue(name):
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": queue("dead")})}
one = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue("orders"), Attributes=policy, ReturnSubscriptionArn=True)["SubscriptionArn"]
found = []
for value in ({"AttributeValue": ""}, {}):
    try:
        sns.set_subscription_attributes(SubscriptionArn=one, AttributeName="RedrivePolicy", **value)
        sys.exit("A redrive policy can be taken away now, as by SNS.")
    except ClientError as error:
        found.append((error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]))
stays = "RedrivePolicy" in sns.get_subscription_attributes(SubscriptionArn=one)["Attributes"]
print(f"LocalStack 4.14.0: a RedrivePolicy that is empty or left out is answered by {found}, and it {'stays' if stays else 'is gone'}; SNS takes it away")
sys.exit(0 if found == [(400, "InvalidParameter"), (500, "InternalError")] and stays else "LocalStack answers otherwise now.")
PYTHON
