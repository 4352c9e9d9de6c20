"""Settings, links, pool, readiness and the words for outages."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from ipaddress import ip_network
from types import SimpleNamespace

import pytest
import structlog
from botocore.exceptions import ClientError, EndpointConnectionError
from pictures import png_of
from running import BUCKET, TABLE, make_bucket, wait_until
from starlette.requests import Request

from localcloud_events.problems import PROBLEMS
from localcloud_events.settings import BadSettingsError
from localcloud_users_api import store as store_module
from localcloud_users_api import upload as upload_module
from localcloud_users_api.links import Links
from localcloud_users_api.settings import load
from localcloud_users_api.upload import parser_for_this_machine
from localcloud_web import pool as pool_module
from localcloud_web import readiness as readiness_module
from localcloud_web.outages import explain
from localcloud_web.pool import QUEUE, BusyError, Pool
from localcloud_web.readiness import Readiness

LOG = structlog.get_logger()


def test_settings_are_read(monkeypatch):
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8, 192.168.1.1")
    monkeypatch.setenv("PUBLIC_URL", "")
    settings = load()
    assert settings.trusted_networks == (ip_network("10.0.0.0/8"), ip_network("192.168.1.1"))
    assert settings.public_url == "" and settings.table == "my-app-table" and settings.bucket == "my-app-bucket"


def test_all_bad_settings_are_told_together(monkeypatch):
    bad = {
        "AWS_ENDPOINT_URL": "localhost:4566",
        "DYNAMODB_TABLE": "a b",
        "S3_BUCKET": "UPPER",
        "PUBLIC_URL": "ftp://x",
        "TRUSTED_PROXIES": "10.0.0.0/99",
        "MAX_AVATAR_BYTES": "0",
        "PORT": "x",
        "LOG_LEVEL": "loud",
        "AVATAR_URLS": "x",
        "SHUTDOWN_DELAY_SECONDS": "-1",
    }
    for name, value in bad.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadSettingsError) as error:
        load()
    assert "\n" not in str(error.value)
    assert all(name in str(error.value) for name in bad)


def test_table_and_bucket_must_be_given(monkeypatch):
    monkeypatch.delenv("DYNAMODB_TABLE")
    monkeypatch.setenv("S3_BUCKET", "")
    with pytest.raises(BadSettingsError, match=r"DYNAMODB_TABLE.*S3_BUCKET"):
        load()


def request(client="10.1.1.1", **headers):
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "api:8080", **headers}.items()]
    scope = {
        "type": "http",
        "scheme": "http",
        "path": "/",
        "headers": raw,
        "server": ("1.2.3.4", 8080),
        "query_string": b"",
    }
    return Request({**scope, "client": (client, 1) if client else None})


FORWARDED = {
    "x_forwarded_proto": "https",
    "x_forwarded_host": "evil.example, users.example",
    "x_forwarded_prefix": "/v1/",
}


@pytest.mark.parametrize(
    ("public", "trusted", "asked", "base"),
    [
        ("", "", request(), "http://api:8080"),
        ("", "", request(**FORWARDED), "http://api:8080"),
        ("", "10.0.0.0/8", request(**FORWARDED), "https://users.example/v1"),
        ("", "10.0.0.0/8", request(client="11.0.0.1", **FORWARDED), "http://api:8080"),
        ("", "10.0.0.0/8", request(client="socket", **FORWARDED), "http://api:8080"),
        ("", "10.0.0.0/8", request(client=None, **FORWARDED), "http://api:8080"),
        ("", "10.0.0.0/8", request(x_forwarded_host="a b", x_forwarded_proto="gopher", x_forwarded_prefix="//x"), "http://api:8080"),
        ("", "", request(host="<script>"), "http://1.2.3.4:8080"),
        ("https://users.example/api/", "10.0.0.0/8", request(**FORWARDED), "https://users.example/api"),
    ],
)  # fmt: skip
def test_where_callers_reach_the_service(public, trusted, asked, base):
    networks = (ip_network(trusted),) if trusted else ()
    assert Links(public, networks).base(asked) == base


def test_a_full_pool_refuses_at_once_and_recovers():
    async def scenario():
        pool, go = Pool(1), threading.Event()
        waiting = [asyncio.ensure_future(pool.run(go.wait)) for _ in range(QUEUE + 1)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await pool.run(time.sleep, 0)
        # Who gives up waiting still takes up a place, until the call is really over.
        waiting[0].cancel()
        with pytest.raises(BusyError):
            await pool.run(time.sleep, 0)
        go.set()
        assert await asyncio.gather(*waiting[1:]) == [True] * QUEUE
        assert await pool.run(lambda: "again") == "again"
        pool.close()

    asyncio.run(scenario())


def test_what_waits_too_long_is_given_up_and_never_begun(monkeypatch):
    monkeypatch.setattr(pool_module, "PATIENCE", 0.05)

    async def scenario():
        pool, go, begun = Pool(1), threading.Event(), []
        running = asyncio.ensure_future(pool.run(go.wait))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await pool.run(begun.append, "late")
        go.set()
        assert await running, "what runs is never given up"
        await pool.run(begun.append, "next")
        assert begun == ["next"]

    asyncio.run(scenario())


def test_readiness_waits_for_aws_once(monkeypatch):
    monkeypatch.setattr(readiness_module, "INTERVAL", 0)
    monkeypatch.setattr(readiness_module, "PATIENCE", 0.05)
    gone = EndpointConnectionError(endpoint_url="http://aws")
    hang, state = threading.Event(), SimpleNamespace(mode="gone")

    def check():
        modes[state.mode]()

    def refuse():
        raise gone

    modes = {"gone": refuse, "works": lambda: None, "hangs": hang.wait}

    async def scenario():
        readiness = Readiness()
        assert readiness.obstacle == "starting"
        watch = asyncio.create_task(readiness.watch(check, PROBLEMS, lambda error: explain(error, "http://aws"), LOG))

        async def until(condition):
            async with asyncio.timeout(30):
                while not condition():
                    await asyncio.sleep(0.001)

        await until(lambda: "Could not connect" in str(readiness.obstacle))
        state.mode = "hangs"
        await until(lambda: "no answer" in str(readiness.obstacle))
        state.mode = "works"
        hang.set()
        await until(lambda: readiness.obstacle is None)
        await asyncio.wait_for(watch, 30)  # what AWS does from now on is for each request to tell
        readiness.drain()
        assert readiness.obstacle == "stopping"
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)

    asyncio.run(scenario())


def test_outages_are_explained_in_this_services_words():
    unreachable = explain(EndpointConnectionError(endpoint_url="http://aws"), "http://aws")
    assert "AWS_ENDPOINT_URL" in unreachable["next_step"] and "CLOUD_AWS" not in str(unreachable)
    missing = explain(ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadBucket"), "")
    assert "was not made yet" in missing["cause"] and "worker" not in str(missing)


def test_an_outage_is_a_503_with_a_time_to_come_back(serve, store):
    class Down:
        check = staticmethod(lambda: None)

        def get(self, _email):
            raise EndpointConnectionError(endpoint_url="http://secret-host")

    answer = serve(store=Down()).get("/user/ann@example.com")
    assert answer.status_code == 503 and answer.headers["retry-after"] == "2"
    assert answer.headers["content-type"] == "application/problem+json" and "secret-host" not in answer.text


def test_without_a_folder_for_files_avatars_stay_in_memory(monkeypatch, serve, post):
    def nowhere():
        raise FileNotFoundError("no usable temporary directory found")

    monkeypatch.setattr(upload_module.tempfile, "TemporaryFile", nowhere)
    parser = parser_for_this_machine()
    assert parser.spool_max_size > 2**30
    content = png_of(600_000)
    api = serve()
    assert api.get(post(api, avatar=content).json()["avatar_url"]).content == content


def test_a_body_that_does_not_come_is_given_up(monkeypatch):
    monkeypatch.setattr(upload_module, "PATIENCE", 0.01)

    async def scenario():
        async def receive():
            await asyncio.Event().wait()

        headers = [(b"content-type", b"multipart/form-data; boundary=b")]
        asked = Request({"type": "http", "headers": headers, "method": "POST", "path": "/user"}, receive)
        with pytest.raises(upload_module.ProblemError) as error:
            await upload_module.read_upload(asked, 1000, parser_for_this_machine())
        assert error.value.status == 408

    asyncio.run(scenario())


def test_an_endless_body_is_cut_at_the_limit():
    taken = 0

    async def scenario():
        nonlocal taken

        async def receive():
            nonlocal taken
            taken += 65536
            start = (
                b'--b\r\nContent-Disposition: form-data; name="avatar"; filename="a"\r\n\r\n' if taken == 65536 else b""
            )
            return {"type": "http.request", "body": start + b"x" * 65536, "more_body": True}

        headers = [(b"content-type", b"multipart/form-data; boundary=b"), (b"transfer-encoding", b"chunked")]
        asked = Request({"type": "http", "headers": headers, "method": "POST", "path": "/user"}, receive)
        with pytest.raises(upload_module.ProblemError) as error:
            await upload_module.read_upload(asked, 200_000, parser_for_this_machine())
        assert error.value.status == 413

    asyncio.run(scenario())
    assert taken <= 5 * 65536


def test_a_waiting_call_does_not_hold_up_the_others(serve):
    """The event loop answers while every thread waits for AWS."""
    begun, go = threading.Semaphore(0), threading.Event()

    class Slow:
        check = staticmethod(lambda: None)

        def get(self, email):
            begun.release()
            go.wait()
            raise EndpointConnectionError(endpoint_url=email)

    api = serve(store=Slow(), aws_concurrency=2)
    threads = [threading.Thread(target=api.get, args=("/user/ann@example.com",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.acquire(timeout=30) and begun.acquire(timeout=30)
    assert api.get("/healthz").status_code == 200
    assert not begun.acquire(blocking=False), "no more calls at a time than asked for"
    go.set()
    for thread in threads:
        thread.join()


def test_the_sweep_runs_by_itself(monkeypatch, serve, aws, post):
    monkeypatch.setattr(store_module, "GRACE", timedelta(days=-1))
    api = serve(sweep_interval=0.01)
    post(api)
    aws.s3.put_object(Bucket=BUCKET, Key=f"avatars/{TABLE}/orphan.png", Body=b"x")
    wait_until("the orphan is swept", lambda: "avatars_removed_total 1.0" in api.get("/metrics").text)
    assert len(aws.keys()) == 1 and aws.keys()[0].endswith(".png") and "orphan" not in aws.keys()[0]


def test_a_sweep_that_fails_is_tried_again(serve, aws, post):
    aws.s3.delete_bucket(Bucket=BUCKET)
    api = serve(sweep_interval=0.01)
    make_bucket(aws.s3)
    wait_until("a sweep worked", lambda: "avatars_removed_total 0.0" in api.get("/metrics").text)
    assert post(api).status_code == 201
