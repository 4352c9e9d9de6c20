"""Faults under load: one stack for all, on an embedded node whose folder is a small file system of its own.

Each test finds all working, and leaves it so; a test that failed is followed by a run that heals, so that the others are independent
of it. What was seen is written into results.json beside the folder, of which `make faults-table` makes docs/faults.md.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import WaitError

from tests.faults_under_load.catalog import Fault
from tests.faults_under_load.cloud import Cloud

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / ".localcloud/faults-under-load"
RESULTS = PROJECT / ".localcloud/faults-under-load.json"
DISK = PROJECT / ".localcloud/faults-under-load.img"
# Sparse: of the host's disk it takes what is written.
DISK_BYTES = 24 * 2**30
HOST_STATE = [sys.executable, str(PROJECT / "tests/integration/host_state.py")]
# Within that all works again by itself, or with the one command that the fault asks for.
LIMIT_SECONDS = 180.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="also the faults that take longer")
    parser.addoption("--seed", type=int, help="what moments and orders are drawn by; by default drawn itself")
    parser.addoption("--keep", action="store_true", help="leave the stack to the next run, and take what one has left")
    parser.addoption("--shuffle", action="store_true", help="run the faults in an order drawn by the seed")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--seed") is None:
        config.option.seed = random.SystemRandom().randrange(10**6)


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed of the faults: {config.getoption('--seed')} (again with --seed={config.getoption('--seed')})"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Where a run failed, the command that repeats it; `-q` hides the header."""
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        terminalreporter.write_line(
            f"Drawn by the seed {config.getoption('--seed')}: repeat with --seed={config.getoption('--seed')}"
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def wanted(item: pytest.Item) -> bool:
        mark = item.get_closest_marker("fault")
        return mark is None or not mark.args[1].nightly or config.getoption("--nightly")

    left = [item for item in items if not wanted(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if wanted(item)]
    if config.getoption("--shuffle"):
        random.Random(config.getoption("--seed")).shuffle(items)


@dataclass
class Trial:
    """One fault: what was seen of it."""

    over: float = 0.0
    # What a person was told, where a run failed on purpose.
    said: str = ""
    # What was lost by a documented limit of the emulator, and so does not fail the test.
    excused: str = ""
    # The same, if it is nothing but events that still are in a queue.
    delayed: str = ""
    row: dict[str, Any] = field(default_factory=dict)

    def end(self) -> None:
        """From now on everything is to work again."""
        self.over = time.monotonic()


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    given: int = pytestconfig.getoption("--seed")
    return given


@pytest.fixture(scope="session")
def record() -> Callable[[str, dict[str, Any]], None]:
    """Write a row into the results."""

    def write(name: str, row: dict[str, Any]) -> None:
        rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        rows[name] = row
        RESULTS.write_text(json.dumps(rows, indent=2, sort_keys=True) + "\n")

    return write


@pytest.fixture(scope="session")
def empty(pytestconfig: pytest.Config) -> Iterator[Cloud]:
    """A folder on a disk of its own, without a stack yet. In the end the stack goes, and the host is as it was."""
    kept = pytestconfig.getoption("--keep")
    if FOLDER.is_mount() and kept:
        cloud = Cloud(FOLDER)
        cloud.whole = works(cloud)
        yield cloud
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    if FOLDER.is_mount():
        remove(Cloud(FOLDER))
        subprocess.run(["umount", FOLDER], check=True)
    with DISK.open("wb") as disk:
        disk.truncate(DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-m0", "-E", "lazy_itable_init=1,nodiscard", DISK], check=True)
    subprocess.run(["mount", "-o", "loop", DISK, FOLDER], check=True)
    cloud = Cloud(FOLDER)
    subprocess.run([*HOST_STATE, str(FOLDER / "before.json")], check=True)
    yield cloud
    if kept:
        return
    remove(cloud)
    subprocess.run(["umount", FOLDER], check=True)
    DISK.unlink()


def remove(cloud: Cloud) -> None:
    """Take the stack away; nothing may be left on the host."""
    code, output = cloud.run("playbooks/teardown.yml")
    assert code == 0, output[-3000:]
    before = FOLDER / "before.json"
    if before.exists():
        subprocess.run([*HOST_STATE, "--compare", str(before)], check=True)


@pytest.fixture
def cloud(empty: Cloud) -> Cloud:
    """The stack with both blueprints, all of which works."""
    if not empty.whole and not works(empty):
        empty.bring_up()
    return empty


def works(cloud: Cloud) -> bool:
    """Whether all works again after a test that failed."""
    if not (cloud.state / "env").exists():
        return False
    try:
        cloud.make_witness()
        load = cloud.load()
        cloud.until_whole(load, 60)
        load.balance()
    except Exception:  # whatever is wrong, a run heals it
        return False
    return True


@pytest.fixture
def under_load(
    cloud: Cloud, request: pytest.FixtureRequest, record: Callable[[str, dict[str, Any]], None]
) -> Callable[..., AbstractContextManager[Trial]]:
    """Inject a fault under load: within the block it begins and ends; then all works again, nothing is lost, and nothing is there twice."""
    name, fault = request.node.get_closest_marker("fault").args

    @contextmanager
    def suffer(limit: float = LIMIT_SECONDS, *, unnoticed: bool = False) -> Iterator[Trial]:
        load, trial = cloud.load(), Trial()
        cloud.whole = False
        before, waiting = cloud.declared(), cloud.waiting()
        load.start()
        try:
            yield trial
            if not trial.over:
                trial.end()
            cloud.until_whole(load, limit)
            seconds = time.monotonic() - trial.over
        except WaitError as error:
            raise AssertionError(f"{fault.done}: {error}") from None
        finally:
            load.stop()
        balance = load.balance()
        after = cloud.declared()
        asked = [load.events, load.users]
        refused = sum(len(one.refused) for one in asked)
        lost = balance.lost + [
            f"{kind} {one}" for kind, ones in before.items() for one in ones if one not in after[kind]
        ]
        twice = balance.twice + [
            f"{kind} {one}" for kind, ones in after.items() for one in ones if one not in before[kind]
        ]
        if trial.delayed and not twice and 0 < len(lost) == len(balance.missing) <= cloud.waiting() - waiting:
            trial.excused = trial.delayed
        record(name, row(fault, sum(len(one.accepted) for one in asked), refused, lost, twice, seconds, trial))
        cloud.whole = True
        assert not (lost or twice) or trial.excused, f"{fault.done}: lost {lost}, twice {twice}"
        assert not unnoticed or not refused, f"{fault.done}: {refused} requests were refused"

    return suffer


def row(
    fault: Fault, accepted: int, refused: int, lost: list[str], twice: list[str], seconds: float, trial: Trial
) -> dict[str, Any]:
    return {
        "done": fault.done,
        "nightly": fault.nightly,
        "accepted": accepted,
        "refused": refused,
        "lost": trial.excused if lost and trial.excused else len(lost),
        "twice": len(twice),
        "seconds": round(seconds, 1),
        "said": trial.said,
    }
