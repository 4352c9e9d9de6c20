import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from localcloud_events.lifecycle import Stop


@pytest.fixture
def stop() -> Iterator[Stop]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield Stop().install()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_sleep_at_once(stop: Stop, number: signal.Signals) -> None:
    threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
    started = time.monotonic()
    stop.sleep(30)
    assert stop.requested
    assert time.monotonic() - started < 25


def test_a_signal_leaves_work_in_hand_alone(stop: Stop) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.requested


def test_a_result_in_hand_is_kept(stop: Stop) -> None:
    assert stop.while_idle(lambda: "batch", "nothing") == "batch"
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.while_idle(lambda: "batch", "nothing") == "nothing"


def test_a_call_cut_short_gives_the_other_value(stop: Stop) -> None:
    def call() -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        return "never"

    assert stop.while_idle(call, "nothing") == "nothing"


def test_idleness_ends_with_a_failed_call(stop: Stop) -> None:
    with pytest.raises(ZeroDivisionError):
        stop.while_idle(lambda: 1 // 0, 0)
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.requested
