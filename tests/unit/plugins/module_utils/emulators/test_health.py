# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.emulators import health as aws_health
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.health import Answer

NOTHING = Answer(404, {}, None)


def server(pages):
    return lambda url: pages.get(url.removeprefix("http://e"), NOTHING)


def health(headers=None, **more):
    return Answer(
        200, headers or {}, {"services": {"sqs": "running", "sns": "available"}, "version": "1", "edition": "e", **more}
    )


@pytest.mark.parametrize(
    ("pages", "engine"),
    [
        ({"/_localstack/health": health(), "/_localstack/info": Answer(200, {}, {"version": "4.14.0"})}, "localstack"),
        ({"/_localstack/health": health({"x-localstack": "2026.3"})}, "localstack"),
        ({"/_localstack/health": health(ready_scripts={})}, "ministack"),
        ({"/_localstack/health": health(), "/_ministack/health": health()}, "ministack"),
        # Floci, with the mark that its page has since 1.7, and before; it answers LocalStack's page as well.
        ({"/_localstack/health": health(original_edition="floci-always-free")}, "floci"),
        (
            {"/_localstack/health": health(), "/_floci/health": health(), "/_localstack/info": Answer(200, {}, {})},
            "floci",
        ),
        ({"/_localstack/health": health()}, "unknown"),
    ],
)
def test_the_engine_is_found_out(pages, engine):
    found = aws_health.health_facts("http://e/", server(pages))
    assert found["engine"] == engine
    assert found["services"] == {"sns": "available", "sqs": "running"}
    assert found["version"] == "1"


@pytest.mark.parametrize(("said", "version"), [("dev", "dev"), (5, "5"), (1.7, "1.7"), (None, None)])
def test_a_version_is_text_whatever_it_is(said, version):
    assert (
        aws_health.health_facts("http://e", server({"/_localstack/health": health(version=said)}))["version"] == version
    )


def test_an_engine_without_a_health_page_is_known_by_its_own_page():
    found = aws_health.health_facts("http://e", server({"/moto-api/data.json": Answer(200, {}, {})}))
    assert found == {"engine": "moto", "version": None, "edition": None, "services": {}}


@pytest.mark.parametrize("page", [NOTHING, Answer(200, {}, None), Answer(200, {}, {"status": "ok"})])
def test_another_web_server_is_no_known_engine(page):
    found = aws_health.health_facts("http://e", server({"/_localstack/health": page}))
    assert found == {"engine": "unknown", "version": None, "edition": None, "services": {}}


def test_nobody_there_is_one_sentence_with_the_reason():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: refused, and nobody else can take the port
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(
            AwsError, match=f"{url} cannot be reached .connection refused.; likely the emulator is not running"
        ):
            aws_health.health_facts(url)


def test_the_environments_proxy_is_not_used(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/_localstack/health"
        with pytest.raises(AwsError, match="connection refused"):
            aws_health.http_get(url)
