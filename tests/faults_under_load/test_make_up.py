"""`make up` is killed at moments drawn by a seed, and `make up` heals; `make down` after some of them leaves nothing."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from typing import Any, NamedTuple

from tests.faults_under_load.catalog import FAULTS, injects
from tests.faults_under_load.cloud import SETTINGS, Cloud
from tests.faults_under_load.conftest import remove

# By default and in a nightly run. What is not killed by then has got far beyond what the next run does again.
FEW, ALL = 4, 20
LATEST_SECONDS = 25.0


class Kill(NamedTuple):
    """When a run is killed, whether only its first process is, and whether the stack is removed after that."""

    seconds: float
    first_only: bool
    removed: bool


def draw(seed: int, number: int) -> list[Kill]:
    """Moments over the whole range, in any order; every fourth is followed by removal."""
    drawn = random.Random(seed)
    moments = [(index + drawn.random()) * LATEST_SECONDS / number for index in range(number)]
    drawn.shuffle(moments)
    removed = set(drawn.sample(range(number), number // 4))
    return [Kill(moment, drawn.random() < 0.5, index in removed) for index, moment in enumerate(moments)]


def kill(cloud: Cloud, wanted: Kill) -> bool:
    """Start a run and kill it at its moment; False if it had ended well by then."""
    running = cloud.start("site.yml", stack_blueprint="pipeline", **SETTINGS)
    try:
        output = running.communicate(timeout=wanted.seconds)[0]
    except subprocess.TimeoutExpired:
        if wanted.first_only:
            running.kill()
        else:
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        return True
    assert running.returncode == 0, output[-3000:]
    return False


@injects("make-up-killed")
def test_a_run_that_is_killed(empty: Cloud, seed: int, record: Any, pytestconfig: Any) -> None:
    kills = draw(seed, ALL if pytestconfig.getoption("--nightly") else FEW)
    print(f"seed {seed}: {kills}")
    empty.whole = False
    remove(empty)
    for wanted in kills:
        if not kill(empty, wanted) or wanted.removed:
            remove(empty)
    begin = time.monotonic()
    empty.bring_up()
    seconds = time.monotonic() - begin
    load = empty.load()
    load.start()
    with contextlib.ExitStack() as stack:
        stack.callback(load.stop)
        empty.until_whole(load, 60)
    balance = load.balance()
    assert (balance.lost, balance.twice) == ([], [])
    assert not twice(empty), "made twice"
    empty.whole = True
    fault = FAULTS["make-up-killed"]
    record(
        "make-up-killed",
        {
            "done": f"{fault.done} ({len(kills)} kills, seed {seed})",
            "nightly": fault.nightly,
            "accepted": len(load.events.accepted) + len(load.users.accepted),
            "refused": 0,
            "lost": 0,
            "twice": 0,
            "seconds": round(seconds, 1),
            "said": "",
        },
    )


def twice(cloud: Cloud) -> list[str]:
    """What AWS has more than one of: subscriptions of one queue, as a topic's name can't be there twice."""
    pairs = [(one["TopicArn"], one["Endpoint"]) for one in cloud.client("sns").list_subscriptions()["Subscriptions"]]
    return [str(pair) for pair in set(pairs) if pairs.count(pair) > 1]
