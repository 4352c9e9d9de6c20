"""The report's page, opened in a browser, has the figures that AWS tells, and what is wrong in red."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.integration.test_stack import NAME, TOPIC

PROJECT = Path(__file__).resolve().parents[2]
USERS, BUCKET = "my-app-table", "my-app-bucket"
ITEMS = 2


class Stations(HTMLParser):
    """The page's figures, by station and what is counted, and the texts of its sections by their id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.counts: dict[tuple[str, str], int] = {}
        self.rates: dict[tuple[str, str], float] = {}
        self.sections: dict[str, str] = {}
        self.title = ""
        self._station = self._counted = self._rate = self._section = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._station = given.get("data-station") or self._station
        self._counted = given.get("data-count") or ""
        self._rate = given.get("data-rate") or ""
        if tag == "section":
            self._section = given.get("id") or ""

    def handle_data(self, data: str) -> None:
        if self._counted:
            self.counts[self._station, self._counted] = int(data)
            self._counted = ""
        if self._rate:
            self.rates[self._station, self._rate] = float(data.replace(",", ""))
            self._rate = ""
        self.sections[self._section] = self.sections.get(self._section, "") + data


def opened(page: Path, profile: Path) -> str:
    """What the page has become in a browser that reaches no host; where there is no Chromium, the page as it is written."""
    return page.read_text() if shutil.which("chromium") is None else browsed(page.as_uri(), profile)


def browsed(url: str, profile: Path, *arguments: str, host: str = "~NOTFOUND") -> str:
    """What is at this address in headless Chromium, which reaches no host but this one."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", "--disable-sync", "--no-proxy-server", f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {host}",
               f"--user-data-dir={profile}", *arguments, "--dump-dom", url]  # fmt: skip
    return subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    ).stdout


def items_of(stack: Any, table: str) -> int:
    pages = (
        stack.client("dynamodb").get_paginator("scan").paginate(TableName=table, Select="COUNT", ConsistentRead=True)
    )
    return sum(page["Count"] for page in pages)


@pytest.fixture
def changed(stack: Any) -> Iterator[None]:
    """Users whom nobody else counts, and a bucket that lost its declared rules; both as before when the test ends."""
    s3, dynamodb = stack.client("s3"), stack.client("dynamodb")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    keys = [{"email": {"S": f"test-{uuid.uuid4()}@example.org"}} for _item in range(ITEMS)]
    for key in keys:
        dynamodb.put_item(TableName=USERS, Item=key)
    s3.delete_bucket_lifecycle(Bucket=BUCKET)
    yield
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
    for key in keys:
        dynamodb.delete_item(TableName=USERS, Key=key)


@pytest.mark.usefixtures("changed")
def test_the_page_has_the_figures_of_aws_and_what_is_wrong_in_red(
    stack: Any, playbook: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    before = items_of(stack, NAME)
    done = playbook("playbooks/report.yml")
    after = items_of(stack, NAME)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout

    found = Stations(opened(stack.folder / "report.html", tmp_path))
    # Events come in all the time.
    assert before <= found.counts[f"table:{NAME}", "items"] <= after
    assert found.counts[f"table:{USERS}", "items"] == items_of(stack, USERS) >= ITEMS
    assert found.counts[f"bucket:{BUCKET}", "objects"] == stack.client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"]
    topics = stack.client("sns").list_subscriptions()["Subscriptions"]
    assert found.counts[f"topic:{TOPIC}", "subscriptions"] == len(
        [one for one in topics if one["TopicArn"].endswith(f":{TOPIC}")]
    )
    assert {name for station, name in found.counts if station == f"queue:{NAME}"} == {"waiting", "in flight", "delayed"}
    assert "BucketLifecycleConfiguration" in found.sections["findings"]
    assert "unread" not in found.sections, found.sections["unread"]
    assert "critical path" in found.sections["timeline"]

    report = json.loads((stack.folder / "report.json").read_text())
    jsonschema.Draft202012Validator(json.loads((PROJECT / "docs/report.schema.json").read_text())).validate(report)
    assert {(one["kind"], one["blueprint"]) for one in report["findings"]} == {
        ("BucketLifecycleConfiguration", "users_api")
    }
    nodes = {node["id"]: node["counts"] for blueprint in report["blueprints"] for node in blueprint["nodes"]}
    assert {(station, name): nodes[station][name] for station, name in found.counts} == found.counts
    ways = {(edge["source"], edge["target"]) for blueprint in report["blueprints"] for edge in blueprint["edges"]}
    assert (f"topic:{TOPIC}", f"queue:{NAME}") in ways
    assert {
        (f"queue:{NAME}", "service:justtrack-t1-consumer"),
        ("service:justtrack-t1-consumer", f"table:{NAME}"),
    } <= ways
    assert [proof["hops"] for blueprint in report["blueprints"] for proof in blueprint["proofs"]]
