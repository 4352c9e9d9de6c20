"""The shared cache: whole results or none, also with two builders and after an interruption."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root


def fill(out: Path) -> None:
    (out / "result").write_text("built")


def test_a_result_is_built_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.produce("part", "d1", fill) is True
    assert cache.produce("part", "d1", fill) is False
    assert (cache.path("part", "d1") / "result").read_text() == "built"


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def fail(out: Path) -> None:
        fill(out)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.produce("part", "d1", fail)
    assert list(cache.results.iterdir()) == []
    assert cache.produce("part", "d1", fill) is True


def test_what_a_killed_build_left_is_not_taken_for_a_result(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    left = cache.results / ".part-d1"
    left.mkdir(parents=True)
    (left / "rubbish").write_text("half")
    assert not cache.has("part", "d1")
    assert cache.produce("part", "d1", fill) is True
    assert not (cache.path("part", "d1") / "rubbish").exists()


def test_two_builders_build_once(tmp_path: Path) -> None:
    started, go_on, calls = threading.Event(), threading.Event(), []

    def slow(out: Path) -> None:
        calls.append(out)
        started.set()
        assert go_on.wait(10)
        fill(out)

    results: list[bool] = []
    builders = [
        threading.Thread(target=lambda: results.append(Cache(tmp_path).produce("part", "d1", slow)))
        for _number in range(2)
    ]
    builders[0].start()
    assert started.wait(10)
    builders[1].start()
    go_on.set()
    for builder in builders:
        builder.join(10)
    assert sorted(results) == [False, True]
    assert len(calls) == 1


def test_the_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert default_root() == Path("/elsewhere/localcloud")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_root() == Path("/home/somebody/.cache/localcloud")


def test_a_running_build_shows(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.building() == []
    during: list[str] = []
    cache.produce("part", "d1", lambda out: during.extend(cache.building()))
    assert during == ["part-d1"]
    assert cache.building() == []


def test_the_last_used_results_stay(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    digests = [f"{number:016x}" for number in range(4)]
    for name in ("web", "web-base"):
        for age, digest in enumerate(digests):
            cache.produce(name, digest, lambda out: (out / "image").write_text("x"))
            os.utime(cache.path(name, digest), (1000 - age, 1000 - age))
    cache.use("web", digests[3])
    cache.tidy("web", 2)
    assert [digest for digest in digests if cache.has("web", digest)] == [digests[0], digests[3]]
    assert all(cache.has("web-base", digest) for digest in digests)
    assert not list(cache.results.glob(".*"))
