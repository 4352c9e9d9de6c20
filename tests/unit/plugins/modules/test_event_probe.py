# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.modules import event_probe as module
from moto import mock_aws

ARGUMENTS = {"region": "eu-central-1", "access_key": "test", "secret_key": "hush", "topic": "orders", "table": "orders"}


class Prober:
    """What the module is given instead of the real one."""

    errors: tuple[Exception, ...] = ()

    def __init__(self, services, request, endpoint_url):
        assert (request.topic, request.table, request.queue, request.timeout) == ("orders", "orders", None, 30)

    def check(self):
        return {"topic_arn": "arn", "table": "orders", "queue_url": None}

    def run(self):
        for error in self.errors:
            raise error
        return {**self.check(), "published": True, "id": "probe-1"}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def prober(monkeypatch):
    monkeypatch.setattr(module, "Prober", Prober)
    return Prober


def test_a_probe_changes_nothing(run_module, prober):
    result = run_module(module, **ARGUMENTS)
    assert (result["changed"], result["published"], result["id"]) == (False, True, "probe-1")


def test_check_mode_does_not_publish(run_module, prober):
    result = run_module(module, True, **ARGUMENTS)
    assert (result["changed"], result["published"], result["topic_arn"]) == (False, False, "arn")
    assert "id" not in result


def test_a_failure_keeps_its_details(run_module, prober, monkeypatch):
    monkeypatch.setattr(prober, "errors", (AwsError("lost", published=True, lost_at="subscription"),))
    result = run_module(module, **ARGUMENTS)
    assert (result["failed"], result["msg"], result["published"], result["lost_at"]) == (
        True,
        "lost",
        True,
        "subscription",
    )


def test_a_topic_that_does_not_exist(run_module):
    with mock_aws():
        result = run_module(module, True, **ARGUMENTS)
    assert "Topic orders does not exist (there is none at all)" in result["msg"]
    assert result["published"] is False


def test_all_that_is_wrong_is_said_at_once(run_module):
    result = run_module(module, **{**ARGUMENTS, "table": "", "count": 10_001, "rate": -1})
    for words in ("table is missing", "count is 10001", "rate is -1"):
        assert words in result["msg"]
    assert result["published"] is False
