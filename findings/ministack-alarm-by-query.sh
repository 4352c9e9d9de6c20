#!/usr/bin/env bash
# ministack 1.5.33: what DescribeAlarms tells of an alarm depends on the protocol of the request. By JSON, which boto3 speaks, all that was put comes
# back; by the query protocol (form in, XML out), which Terraform's and Crossplane's AWS providers speak through the Go SDK, ActionsEnabled, Period,
# Statistic, Dimensions, TreatMissingData and the description are left out, as if they were not set. CloudWatch tells the same by both. A controller
# that compares finds a difference each time and puts the alarm again for ever, although its own tests, written with boto3, see it as it should be.
# Seen: Statistic and Period by JSON, neither in the XML.
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
import urllib.parse
import urllib.request

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import EndpointConnectionError

endpoint = os.environ["ENDPOINT"]
session = boto3.Session("test", "test", region_name="eu-central-1")
client = session.client("cloudwatch", endpoint_url=endpoint)
alarm = {
    "AlarmName": "orders-waiting", "Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible", "Statistic": "Maximum",
    "Dimensions": [{"Name": "QueueName", "Value": "orders"}], "Period": 60, "EvaluationPeriods": 1, "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanThreshold",
}
deadline = time.monotonic() + 60
while True:
    try:
        client.put_metric_alarm(**alarm)
        break
    except EndpointConnectionError:
        if time.monotonic() > deadline:
            sys.exit("The server does not answer within 60 s.")
        time.sleep(0.2)
(by_json,) = client.describe_alarms(AlarmNames=["orders-waiting"])["MetricAlarms"]
body = urllib.parse.urlencode({"Action": "DescribeAlarms", "Version": "2010-08-01", "AlarmNames.member.1": "orders-waiting"})
signed = AWSRequest("POST", endpoint + "/", data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
SigV4Auth(session.get_credentials(), "monitoring", "eu-central-1").add_auth(signed)
request = urllib.request.Request(endpoint + "/", body.encode(), dict(signed.headers))
by_query = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).read().decode()
fields = ("MetricName", "Threshold", "Statistic", "Period", "Dimensions", "ActionsEnabled")
told = {name: (name in by_json, f"<{name}>" in by_query) for name in fields}
print("ministack 1.5.33, told by JSON and by query:", told)
assert all(json for json, _query in told.values()) and told["MetricName"][1]
lost = [name for name, (_json, query) in told.items() if not query]
sys.exit(0 if {"Statistic", "Period"} <= {*lost} else "DescribeAlarms tells Statistic and Period by query, too, now.")
PYTHON
