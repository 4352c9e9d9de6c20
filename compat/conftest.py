"""The engines that the contract is run against: `--engine`, `--endpoint`, `--account`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from compat import checking, emulators, outcomes
from compat.contract import ContractError, load

try:
    CONTRACT = load()
except ContractError as error:
    raise pytest.UsageError(str(error)) from error
ENGINES = ("localstack", "ministack")
CHECK_SECONDS = 240


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", action="append", choices=ENGINES, help="an engine to start; by default all")
    parser.addoption("--endpoint", default="", help="http://host:port of an engine that runs; `aws` for real AWS")
    parser.addoption(
        "--account", default="", help="the account that the contract may use where no emulator is recognised"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse an endpoint before anything is sent there but reads."""
    if given := config.getoption("--endpoint"):
        endpoint = None if given == "aws" else given
        try:
            config.stash[TARGET] = checking.target(endpoint, config.getoption("--account") or None, emulators.REGION)
        except checking.RefusedError as error:
            raise pytest.UsageError(f"Nothing was changed: {error}") from error


TARGET = pytest.StashKey[checking.Target]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    given = metafunc.config.stash.get(TARGET, None)
    engines = [given.engine] if given else metafunc.config.getoption("--engine") or list(ENGINES)
    metafunc.parametrize("engine", engines, scope="session")
    metafunc.parametrize("behaviour", list(CONTRACT))


class Run:
    """The contract against one engine."""

    def __init__(self, engine: str, wanted: list[str], given: checking.Target | None) -> None:
        self._stack = contextlib.ExitStack()
        self.target = given or self._start(engine)
        self.started = checking.start([CONTRACT[name] for name in wanted], self.target, emulators.REGION)
        self.file = outcomes.path(self.target.engine, self.target.version)
        self.committed = outcomes.read(self.file)

    def _start(self, engine: str) -> checking.Target:
        told = self._stack.enter_context(emulators.running(engine))
        return checking.target(told.endpoint, None, emulators.REGION)

    def end(self) -> None:
        """Write what came out, and stop the engine."""
        seen = {name: future.result(CHECK_SECONDS).seen for name, future in self.started.items()}
        outcomes.write(self.file, self.target.engine, self.target.version, seen, CONTRACT)
        self._stack.close()


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Run]]]:
    """All engines, at once; what was selected of the contract is started at once, too."""
    wanted: dict[str, list[str]] = {}
    for item in request.session.items:
        values: dict[str, Any] = item.callspec.params  # type: ignore[attr-defined]
        wanted.setdefault(values["engine"], []).append(values["behaviour"])
    given = request.config.stash.get(TARGET, None)
    with ThreadPoolExecutor(len(wanted)) as pool:
        begun = {engine: pool.submit(Run, engine, names, given) for engine, names in wanted.items()}
        yield begun
        with contextlib.ExitStack() as ends:
            for future in begun.values():
                if not future.exception():
                    ends.callback(future.result().end)
        outcomes.render()
