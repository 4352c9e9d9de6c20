import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, EndpointConnectionError, ProfileNotFound

from localcloud_events import logs
from localcloud_events.health import Health
from localcloud_events.lifecycle import Stop
from localcloud_events.settings import WorkerSettings
from localcloud_events.worker import Supervisor, run

UNREACHABLE = EndpointConnectionError(endpoint_url="http://localstack:4566")


class Script:
    """A worker that follows a script: an error is raised, anything else is a step that works; its end stops it."""

    def __init__(self, stop: Stop, health: Health, *script: Exception | str, connects: tuple[Any, ...] = ()) -> None:
        self.stop, self.health = stop, health
        self.script, self.connects = list(script), list(connects)
        self.connected = 0
        self.seen: list[tuple[bool, str]] = []

    def connect(self) -> None:
        self.connected += 1
        if self.connects and (error := self.connects.pop(0)):
            raise error

    def step(self, *, patient: bool) -> None:
        self.seen.append((patient, self.health.obstacle))
        act = self.script.pop(0)
        self.stop.requested = not self.script
        if isinstance(act, Exception):
            raise act


@pytest.fixture
def parts() -> tuple[Stop, Health]:
    logs.configure("INFO")
    return Stop(), Health(limit=10)


def supervise(worker: Script) -> None:
    Supervisor(worker, worker.stop, worker.health, logs.logger("test"), "http://localstack:4566", longest=0.001).run()


def test_is_patient_only_after_a_step_has_worked(parts: tuple[Stop, Health]) -> None:
    worker = Script(*parts, "ok", "ok", UNREACHABLE, "ok", "ok")
    supervise(worker)
    lost = str(UNREACHABLE)
    assert worker.seen == [(False, "starting"), (True, ""), (True, ""), (False, lost), (True, "")]
    assert worker.connected == 2
    assert worker.health.ready


def test_waits_until_its_resources_are_there(parts: tuple[Stop, Health], capsys: pytest.CaptureFixture[str]) -> None:
    worker = Script(*parts, "ok", connects=(UNREACHABLE, UNREACHABLE, None))
    supervise(worker)
    assert worker.connected == 3
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["waiting", "waiting", "ready"]
    assert [line.get("attempt") for line in lines] == [1, 2, None]
    assert {"what", "cause", "next_step", "retry_in_seconds", "level", "timestamp", "app"} <= lines[0].keys()
    assert lines[0]["what"] == str(UNREACHABLE)


def test_a_bug_is_not_waited_out(parts: tuple[Stop, Health]) -> None:
    with pytest.raises(KeyError):
        supervise(Script(*parts, "ok", KeyError("bug"), "never"))


def test_a_stop_ends_the_waiting(parts: tuple[Stop, Health]) -> None:
    worker = Script(*parts, UNREACHABLE)
    supervise(worker)
    assert not worker.health.ready


class Once:
    """A worker that stops in its first step, by the given act."""

    def __init__(self, stop: Stop, act: Callable[[], None]) -> None:
        self.stop, self.act = stop, act

    def connect(self) -> None:
        pass

    def step(self, *, patient: bool) -> None:
        self.stop.requested = True
        self.act()


@pytest.fixture
def free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PORT", "0")


@pytest.mark.usefixtures("free_port")
def test_run_ends_with_zero_when_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    stop = Stop()
    assert run("app", WorkerSettings, lambda *_: Once(stop, lambda: None), stop) == 0
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events == ["started", "ready", "stopped"]


@pytest.mark.usefixtures("free_port")
def test_run_ends_with_one_on_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    def bug() -> None:
        raise KeyError("bug")

    stop = Stop()
    assert run("app", WorkerSettings, lambda *_: Once(stop, bug), stop) == 1
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "KeyError" in line["exception"]


def test_run_refuses_bad_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("HTTP_PORT", "x")
    stop = Stop()
    assert run("app", WorkerSettings, lambda *_: Once(stop, lambda: None), stop) == 2
    assert capsys.readouterr().err.startswith("app: HTTP_PORT: input should be a valid integer")


def test_run_refuses_a_taken_port(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("", 0)) as taken:
        monkeypatch.setenv("HTTP_PORT", str(taken.getsockname()[1]))
        stop = Stop()
        assert run("app", WorkerSettings, lambda *_: Once(stop, lambda: None), stop) == 2
    assert "HTTP_PORT: cannot listen" in capsys.readouterr().err


@pytest.mark.usefixtures("free_port")
def test_run_refuses_bad_settings_of_the_sdk(capsys: pytest.CaptureFixture[str]) -> None:
    def build(*_: object) -> Once:
        raise ProfileNotFound(profile="nobody")

    assert issubclass(ProfileNotFound, BotoCoreError)
    assert run("app", WorkerSettings, build, Stop()) == 2
    assert "nobody" in capsys.readouterr().err
