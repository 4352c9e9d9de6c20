# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import concurrent.futures
import contextlib
import http.server
import json
import threading

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import Clients, Connection, client_config
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import Query, Reading
from ansible_collections.localcloud.stack.plugins.module_utils.aws_info import collect as aws_gather
from ansible_collections.localcloud.stack.plugins.module_utils.aws_info import readers as aws_readers
from moto import mock_aws

CONNECTION = Connection(region="eu-central-1", access_key="test", secret_key="test")
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
GRANT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
ALL = ("sns", "sqs", "dynamodb", "s3", "ssm", "secretsmanager", "kms", "iam")


@pytest.fixture(scope="module")
def made():
    """Made once: making them costs more than all the rest."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.delenv(name, raising=False)
        clients = Clients(CONNECTION)
        for service in ("sts", *ALL):
            clients.get(service)
        return clients


@pytest.fixture
def clients(made):
    with mock_aws():
        yield made


@contextlib.contextmanager
def answering(body):
    """The address of a server that knows who is asking, and answers everything else with the same body."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            identity = b"<a><GetCallerIdentityResult><Account>000000000000</Account></GetCallerIdentityResult></a>"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(identity if b"GetCallerIdentity" in asked else body)

        do_GET = do_HEAD = do_POST  # noqa: N815

        def log_message(self, *_arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def fill(clients, items=3):
    topic = clients.get("sns").create_topic(Name="orders")["TopicArn"]
    sqs = clients.get("sqs")
    sqs.create_queue(QueueName="orders-dlq")
    dead = "arn:aws:sqs:eu-central-1:123456789012:orders-dlq"
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 3})
    url = sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    arn = dead.removesuffix("-dlq")
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": arn}],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    sqs.send_message(QueueUrl=url, MessageBody="x")
    attributes = {"RawMessageDelivery": "true", "FilterPolicy": '{"kind": ["a"]}'}
    clients.get("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    fill_table(clients.get("dynamodb"), items)
    fill_bucket(clients.get("s3"))
    clients.get("ssm").put_parameter(Name="/orders/key", Value="hush-hush", Type="SecureString")
    clients.get("ssm").put_parameter(Name="/orders/size", Value="7", Type="String", Description="how many")
    clients.get("secretsmanager").create_secret(Name="orders/db", SecretString="hush-hush")
    key = clients.get("kms").create_key()["KeyMetadata"]["KeyId"]
    for alias in ("orders", "orders-2"):
        clients.get("kms").create_alias(AliasName=f"alias/{alias}", TargetKeyId=key)
    clients.get("kms").enable_key_rotation(KeyId=key)
    fill_iam(clients.get("iam"))


def fill_table(dynamodb, items):
    dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("Id", "CreatedAt")],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-time",
                "KeySchema": [{"AttributeName": "CreatedAt", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["Number"]},
            }
        ],
    )
    dynamodb.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ExpiresAt"}
    )
    for number in range(items):
        stamp = f"2026-01-0{number + 1}"
        dynamodb.put_item(TableName="orders", Item={"Id": {"S": str(number)}, "CreatedAt": {"S": stamp}})


def fill_bucket(s3):
    s3.create_bucket(Bucket="orders", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.create_bucket(Bucket="plain", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_versioning(Bucket="orders", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_encryption(
        Bucket="orders",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    s3.put_public_access_block(Bucket="orders", PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 7}}
    s3.put_bucket_lifecycle_configuration(Bucket="orders", LifecycleConfiguration={"Rules": [rule]})
    cors = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.org"]}
    s3.put_bucket_cors(Bucket="orders", CORSConfiguration={"CORSRules": [cors]})


def fill_iam(iam):
    iam.create_role(RoleName="orders", AssumeRolePolicyDocument=json.dumps(TRUST), Path="/app/")
    arn = iam.create_policy(PolicyName="orders", PolicyDocument=json.dumps(GRANT))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="orders", PolicyArn=arn)
    iam.put_role_policy(RoleName="orders", PolicyName="own", PolicyDocument=json.dumps(GRANT))


@pytest.fixture
def everything(clients):
    fill(clients)
    return aws_gather.gather(clients, Query(ALL, newest_items=2))


def test_the_caller_is_read(everything):
    assert everything["account"]["id"] == "123456789012"
    assert everything["health"] is None
    assert everything["region"] == "eu-central-1"
    assert everything["errors"] == []


def test_topics_and_queues_are_read(everything):
    (topic,) = everything["topics"]
    assert (topic["name"], topic["fifo"]) == ("orders", False)
    (subscription,) = topic["subscriptions"]
    assert (subscription["protocol"], subscription["raw"]) == ("sqs", True)
    assert subscription["filter_policy"] == {"kind": ["a"]}
    queue, dead = everything["queues"]
    assert queue["depth"] == {"visible": 1, "in_flight": 0, "delayed": 0}
    assert queue["policy"]["Statement"][0]["Effect"] == "Allow"
    assert queue["redrive"]["dead_letter_queue"] == dead["name"] == "orders-dlq"


def test_tables_are_read(everything):
    (table,) = everything["tables"]
    assert (table["status"], table["item_count"], table["billing_mode"]) == ("ACTIVE", 3, "PAY_PER_REQUEST")
    assert table["key_schema"] == [{"name": "Id", "key_type": "HASH", "type": "S"}]
    assert [item["Id"] for item in table["newest_items"]] == ["2", "1"]
    (index,) = table["global_indexes"]
    assert index["key_schema"] == [{"name": "CreatedAt", "key_type": "HASH", "type": "S"}]
    assert (index["name"], index["projection"], index["projected"]) == ("by-time", "INCLUDE", ["Number"])
    assert table["stream"]["view_type"] == "NEW_IMAGE"
    assert table["ttl"] == {"attribute": "ExpiresAt", "status": "ENABLED"}
    assert table["point_in_time_recovery"] is False
    assert (table["encryption"], table["capacity"], table["deletion_protection"]) == (None, None, False)


def test_buckets_are_read(everything):
    bucket, plain = everything["buckets"]
    assert (bucket["name"], bucket["region"], bucket["versioning"]) == ("orders", "eu-central-1", "Enabled")
    assert bucket["encryption"] == {"algorithm": "AES256", "kms_key": None, "bucket_key": False}
    assert bucket["public_access_block"]["block_public_acls"] is True
    assert bucket["public_access_block"]["restrict_public_buckets"] is False
    assert [(rule["ID"], rule["Expiration"]) for rule in bucket["lifecycle"]] == [("old", {"Days": 7})]
    assert bucket["cors"] == [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.org"]}]
    assert (plain["versioning"], plain["public_access_block"], plain["policy"]) == ("Disabled", None, None)
    assert (plain["lifecycle"], plain["cors"]) == ([], [])


def test_parameters_secrets_and_keys_are_read(everything):
    secret, plain = everything["parameters"]
    assert (secret["name"], secret["type"]) == ("/orders/key", "SecureString")
    assert (plain["type"], plain["description"], plain["version"]) == ("String", "how many", 1)
    assert "value" not in plain
    assert [(one["name"], one["rotation"]) for one in everything["secrets"]] == [("orders/db", False)]
    (key,) = [key for key in everything["keys"] if key["name"] == "orders"]
    assert (key["state"], key["arn"].rpartition("/")[2]) == ("Enabled", key["id"])
    assert (key["aliases"], key["rotation"], key["manager"]) == (["orders", "orders-2"], True, "CUSTOMER")


def test_roles_and_policies_are_read(everything):
    (role,) = everything["roles"]
    assert (role["name"], role["path"], role["trust"]) == ("orders", "/app/", TRUST)
    (policy,) = everything["policies"]
    assert role["attached_policies"] == [policy["arn"]]
    assert role["inline_policies"] == {"own": GRANT}
    assert (policy["document"], policy["attachments"]) == (GRANT, 1)


def test_values_are_read_only_if_asked_for_and_of_no_secret(clients):
    fill(clients)
    found = aws_gather.gather(clients, Query(("ssm",), parameter_values=True))
    assert [(one["name"], one["value"]) for one in found["parameters"]] == [
        ("/orders/key", None),
        ("/orders/size", "7"),
    ]
    assert "hush" not in json.dumps(found)


def test_any_alias_names_a_key(clients):
    fill(clients)
    found = aws_gather.gather(clients, Query(("kms",), names=["orders-2"]))
    assert [key["name"] for key in found["keys"]] == ["orders"]


def test_values_of_parameters_are_never_there(clients):
    fill(clients)
    assert "hush" not in json.dumps(aws_gather.gather(clients, Query(ALL, newest_items=9)))


def test_only_what_is_asked_for(clients):
    fill(clients)
    found = aws_gather.gather(clients, Query(("sqs",), names=["*-dlq"]))
    assert [queue["name"] for queue in found["queues"]] == ["orders-dlq"]
    assert "topics" not in found


@pytest.mark.parametrize(("how", "count"), [("exact", 3), ("none", None)])
def test_ways_to_count(clients, how, count):
    fill(clients)
    (table,) = aws_gather.gather(clients, Query(("dynamodb",), count_items=how))["tables"]
    assert table["item_count"] == count
    assert table["newest_items"] == []


def test_objects_are_counted_where_that_is_asked_for(clients):
    fill(clients)
    for key in ("a", "b/c"):
        clients.get("s3").put_object(Bucket="orders", Key=key, Body=b"x")
    counted = aws_gather.gather(clients, Query(("s3",), count_objects=True))["buckets"]
    assert {one["name"]: one["object_count"] for one in counted} == {"orders": 2, "plain": 0}
    assert "object_count" not in aws_gather.gather(clients, Query(("s3",)))["buckets"][0]


def test_pages_are_read_to_the_end(clients):
    for number in range(105):  # SNS lists 100 a page
        clients.get("sns").create_topic(Name=f"topic-{number:03}")
    for number in range(53):  # SSM describes 50 a page at most
        clients.get("ssm").put_parameter(Name=f"/p/{number}", Value="v", Type="String")
    found = aws_gather.gather(clients, Query(("sns", "ssm")))
    assert len(found["topics"]) == 105
    assert len(found["parameters"]) == 53


def test_an_exact_count_adds_up_all_pages():
    class Scan:
        def paginate(self, **arguments):
            assert arguments == {"TableName": "t", "Select": "COUNT", "ConsistentRead": True}
            return [{"Count": 2}, {"Count": 3}]

    class Dynamodb:
        def get_paginator(self, operation):
            assert operation == "scan"
            return Scan()

    assert aws_readers.count_exactly(Dynamodb(), "t") == 5


def refusing(clients, monkeypatch, service, operation, code="AccessDenied", only=None):
    """From now on an operation is refused, C(only) where its arguments have that value."""
    client = clients.get(service)
    works = getattr(client, operation)

    def refuse(**arguments):
        if only is not None and only not in arguments.values():
            return works(**arguments)
        raise client.exceptions.ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

    monkeypatch.setattr(client, operation, refuse)


def test_what_has_gone_meanwhile_is_left_out(clients, monkeypatch):
    fill(clients)
    refusing(clients, monkeypatch, "sqs", "get_queue_attributes", "QueueDoesNotExist")
    found = aws_gather.gather(clients, Query(("sqs",)))
    assert (found["queues"], found["errors"]) == ([], [])


def test_all_that_cannot_be_read_is_one_failure_that_keeps_the_rest(clients, monkeypatch):
    fill(clients)
    refusing(clients, monkeypatch, "s3", "list_buckets")
    refusing(clients, monkeypatch, "dynamodb", "describe_time_to_live", only="orders")
    with pytest.raises(AwsError) as caught:
        aws_gather.gather(clients, Query(("sqs", "dynamodb", "s3")))
    assert "denies reading S3 buckets" in caught.value.message
    assert "denies describe time to live for orders" in caught.value.message
    details = caught.value.details
    assert [(one["service"], one["name"]) for one in details["errors"]] == [("dynamodb", "orders"), ("s3", "")]
    assert [one["name"] for one in details["queues"]] == ["orders", "orders-dlq"]
    assert [(one["name"], one["ttl"]) for one in details["tables"]] == [("orders", None)]
    assert "buckets" not in details


def test_errors_may_be_told_instead(clients, monkeypatch):
    fill(clients)
    refusing(clients, monkeypatch, "s3", "list_buckets")
    found = aws_gather.gather(clients, Query(("sqs", "s3"), on_error="warn"))
    assert [(one["service"], one["name"]) for one in found["errors"]] == [("s3", "")]
    assert len(found["queues"]) == 2
    assert "buckets" not in found


def test_throttling_ends_a_service_at_once(clients, monkeypatch):
    fill(clients)
    refusing(clients, monkeypatch, "sqs", "get_queue_attributes", "ThrottlingException")
    found = aws_gather.gather(clients, Query(("sqs",), on_error="warn"))
    ((service, name, message),) = (one.values() for one in found["errors"])
    assert (service, name) == ("sqs", "")
    assert "throttled" in message
    assert "queues" not in found


def test_only_an_emulator_may_lack_a_request(clients, monkeypatch):
    fill(clients)
    refusing(clients, monkeypatch, "dynamodb", "describe_time_to_live", "UnknownOperationException")
    found = aws_gather.gather(clients, Query(("dynamodb",), on_error="warn"))
    assert len(found["errors"]) == 1
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reading = Reading("dynamodb", clients.get("dynamodb"), Query(()), pool, "http://localhost:4566")
        assert reading.ask("orders", "describe_time_to_live", TableName="orders") is None
        assert reading.problems == []


@pytest.mark.parametrize("service", ["sns", "sqs", "dynamodb", "s3", "ssm", "secretsmanager", "kms", "iam"])
@pytest.mark.parametrize(
    "body",
    [
        b"<html>x</html>",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"QueueUrls": 5, "TableNames": ["a"], "Parameters": [{"Name": "a", "LastModifiedDate": "yesterday"}], "SecretList": [{}], "Keys": [{}]}',
        b"<a><Buckets><Bucket><Name>a</Name><CreationDate>never</CreationDate></Bucket></Buckets>"
        b"<ListTopicsResult><Topics><member/></Topics></ListTopicsResult></a>",
    ],
)
def test_an_answer_that_cannot_be_read_is_told_with_the_service(service, body):
    with answering(body) as endpoint:
        connection = Connection(
            endpoint, "eu-central-1", "test", "test", aws_config={"retries": {"total_max_attempts": 1}}
        )
        found = aws_gather.gather(Clients(connection), Query((service,), on_error="warn"))
    for problem in found["errors"]:
        assert problem["service"] == service
        assert endpoint in problem["message"]


def test_the_rest_is_read_where_one_answer_cannot_be(clients, monkeypatch):
    fill(clients)
    real = clients.get("sqs").get_queue_attributes

    def broken(QueueUrl, **more):  # noqa: N803
        if QueueUrl.endswith("-dlq"):
            raise ValueError('Invalid timestamp "never"')
        return real(QueueUrl=QueueUrl, **more)

    monkeypatch.setattr(clients.get("sqs"), "get_queue_attributes", broken)
    found = aws_gather.gather(clients, Query(["sqs"], on_error="warn"))
    assert [one["name"] for one in found["queues"]] == ["orders"]
    (problem,) = found["errors"]
    assert problem["name"] == "orders-dlq"
    assert "can't be read (ValueError: Invalid timestamp" in problem["message"]


def test_many_problems_make_no_long_message():
    problems = [aws_gather.Problem("sqs", str(number), f"No {number}.") for number in range(8)]
    said = aws_gather.summary_of([*problems, problems[0]])
    assert said == "No 0. No 1. No 2. No 3. No 4. And 3 more problems, all in 'errors'."


def test_many_things_are_described_at_once_and_in_order():
    together = threading.Barrier(4, timeout=30)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        reading = Reading("sqs", None, Query(()), pool)
        assert reading.each(lambda one: (together.wait(), one)[1] or None, [3, 0, 2, 1]) == [3, 2, 1]


def test_one_services_failure_is_one_sentence(clients, monkeypatch):
    sqs = clients.get("sqs")
    error = sqs.exceptions.ClientError({"Error": {"Code": "NotImplemented", "Message": "no"}}, "ListQueues")

    def refuse(operation):
        raise error

    monkeypatch.setattr(sqs, "get_paginator", refuse)
    with pytest.raises(AwsError, match="cannot do reading SQS queues"):
        aws_gather.gather(clients, Query(ALL))


def test_an_answer_without_an_account_is_not_from_aws(clients, monkeypatch):
    monkeypatch.setattr(clients.get("sts"), "get_caller_identity", dict)
    with pytest.raises(AwsError, match="not as an AWS endpoint"):
        aws_gather.account(clients)


def test_an_endpoint_that_is_given_is_reached_without_proxies_and_by_path():
    config = client_config("http://localhost:4566")
    assert config.proxies == {}
    assert config.s3 == {"addressing_style": "path"}
    assert (config.connect_timeout, config.read_timeout, config.retries["mode"]) == (3, 10, "standard")
    assert client_config(None).proxies is None


def test_settings_of_the_user_go_first():
    config = client_config(None, {"connect_timeout": 30, "retries": {"total_max_attempts": 9, "mode": "adaptive"}})
    assert (config.connect_timeout, config.read_timeout) == (30, 10)
    assert config.retries == {"total_max_attempts": 9, "mode": "adaptive"}
    with pytest.raises(AwsError, match="aws_config is not a configuration of botocore"):
        client_config(None, {"connect_timeot": 30})


@pytest.fixture
def profiles(monkeypatch, tmp_path):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config").write_text(
        "[profile own]\nregion = eu-west-1\nendpoint_url = http://of.profile\nservices = some\n"
        "[services some]\ns3 =\n  endpoint_url = http://s3.of.profile\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return monkeypatch


def endpoints(connection=CONNECTION):
    clients = Clients(connection)
    return [clients.endpoint_url, *map(clients.endpoint_of, ("s3", "secretsmanager"))]


def test_endpoints_follow_the_environment_and_the_profile(profiles):
    assert endpoints() == [None, None, None]
    own = Connection(profile="own")
    assert endpoints(own) == ["http://of.profile", "http://s3.of.profile", "http://of.profile"]
    assert Clients(own).region == "eu-west-1"
    profiles.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://secrets")
    assert endpoints() == [None, None, "http://secrets"]
    profiles.setenv("AWS_ENDPOINT_URL", "http://all")
    assert endpoints(own) == ["http://all", "http://all", "http://secrets"]
    given = own._replace(endpoint_url="http://given")
    assert endpoints(given) == ["http://given"] * 3
    profiles.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert endpoints(own) == [None, None, None]


def test_a_clients_endpoint_is_the_one_that_is_told(profiles):
    profiles.setenv("AWS_ENDPOINT_URL_SQS", "http://localhost:1")
    assert Clients(CONNECTION).get("sqs").meta.endpoint_url == "http://localhost:1"
    assert Clients(CONNECTION).get("sns").meta.endpoint_url == "https://sns.eu-central-1.amazonaws.com"


def test_certificates_are_checked_by_the_bundle_that_is_given(profiles, tmp_path):
    bundle = tmp_path / "ca.pem"
    with pytest.raises(AwsError, match="There is no file .*ca.pem"):
        Clients(CONNECTION._replace(aws_ca_bundle=str(bundle)))
    bundle.write_text("")
    assert Clients(CONNECTION._replace(aws_ca_bundle=str(bundle))).connection.verify == str(bundle)
    assert CONNECTION._replace(aws_ca_bundle=str(bundle), validate_certs=False).verify is False
    assert CONNECTION.verify is True


def test_no_region_is_said_for_every_service_alike(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(AwsError, match="There is no region"):
        Clients(CONNECTION._replace(region=None)).get("s3")


def test_an_endpoint_that_is_no_url():
    with pytest.raises(AwsError, match="endpoint_url is not a URL"):
        Clients(CONNECTION._replace(endpoint_url="localhost:4566")).get("sqs")


def test_empty_parameters_count_as_not_given():
    assert Connection.from_params({"region": "", "endpoint_url": None}) == Connection()
