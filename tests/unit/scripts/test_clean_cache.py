"""The cache is emptied where nothing uses it, and else says who does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache
from ansible_collections.localcloud.stack.scripts import clean_cache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """A cache with a part, of whose files one lies in a folder that is read-only, as Go's modules do."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "my cache"))
    found = Cache(tmp_path / "my cache/localcloud")
    found.produce("kubernetes", "d1", lambda out: shutil.copy("/bin/sleep", out / "kubelet") and None)
    (found.root / "go/mod").mkdir(parents=True)
    (found.root / "go/mod/file").write_text("x")
    (found.root / "go/mod").chmod(0o500)
    (found.root / "link").symlink_to("/nonexistent")
    return found


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[psutil.Process]]:
    processes: list[psutil.Process] = []
    yield processes
    for process in processes:
        for one in [*process.children(recursive=True), process]:
            one.kill()
        process.wait()


def test_what_nobody_uses_is_deleted(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    assert clean_cache.main() == 0
    assert "are deleted" in capsys.readouterr().out
    assert [path.name for path in cache.root.iterdir()] == ["locks"]
    assert cache.produce("kubernetes", "d1", lambda out: (out / "kubelet").touch())


def test_downloads_alone(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    assert clean_cache.main(["--downloads"]) == 0
    assert "GiB of downloads and compilers' caches in" in capsys.readouterr().out
    assert not (cache.root / "go").exists()
    assert cache.has("kubernetes", "d1")


def test_a_node_that_runs_keeps_it(
    cache: Cache, started: list[psutil.Process], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init = tmp_path / "a checkout/.localcloud/node/state/config/init.sh"
    init.parent.mkdir(parents=True)
    init.write_text(f"'{cache.path('kubernetes', 'd1')}/kubelet' 60; true\n")
    node = psutil.Popen(["sh", str(init)])
    started.append(node)
    program(node)
    assert clean_cache.main() == 1
    assert f"the node of {tmp_path}/a checkout. " in capsys.readouterr().out
    assert cache.has("kubernetes", "d1")


def program(node: psutil.Process) -> None:
    """Wait until the node's program is the part's."""
    for _attempt in range(1000):
        if any(one.name() == "kubelet" for one in node.children()):
            return
        psutil.wait_procs([node], timeout=0.01)
    raise AssertionError(f"It did not start: {node.children()}")


def test_a_run_that_builds_keeps_it(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    with cache.lock("helm-d2"):
        assert clean_cache.main() == 1
    assert "a run builds helm-d2" in capsys.readouterr().out
    assert cache.has("kubernetes", "d1")


def test_a_build_that_begins_meanwhile_keeps_it(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Cache, "building", lambda _self: [])
    with cache.lock("helm-d2"):
        assert clean_cache.main() == 1
    assert "a run has just begun to build" in capsys.readouterr().out
    assert cache.has("kubernetes", "d1")


def test_a_run_that_goes_on_keeps_it(
    cache: Cache, started: list[psutil.Process], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a state"
    (folder / ".localcloud").mkdir(parents=True)
    script = tmp_path / "ansible-playbook"
    script.write_text("import sys; sys.stdout.write('ready'); sys.stdout.flush(); sys.stdin.read()")
    run = psutil.Popen(
        [sys.executable, str(script), "site.yml"],
        env={**os.environ, "LOCALCLOUD_DIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    )
    started.append(run)
    assert run.stdout.read(5) == b"ready"
    # Of somebody else's playbook nothing is known.
    assert clean_cache.users(cache.root, [run]) == []
    (folder / ".localcloud/run.json").write_text(json.dumps({"pid": run.pid}))
    assert clean_cache.main() == 1
    assert f"a run in {tmp_path}" in capsys.readouterr().out
    assert cache.has("kubernetes", "d1")
