"""What building leaves beside its results can be given up, licences excepted, and only while nobody builds."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.toolchain import downloads
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache


def used_cache(root: Path) -> Cache:
    """A cache as builds leave it."""
    for name, size in {
        "parts/helm-1/helm": 5,
        "go/build/aa/1": 100,
        "go/mod/cache/download/x@v1.zip": 20,
        "go/mod/example.org/!x@v1.0.0/LICENSE": 7,
        "go/mod/example.org/!x@v1.0.0/x.go": 3,
        "go/mod/example.org/!x@v1.0.0/sub/y@v2/COPYING": 1,
        "maven/a.jar": 30,
        "downloads/a.tar": 40,
        "uv/wheel": 1,
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    return Cache(root)


def test_what_builds_left_goes_and_results_stay(tmp_path: Path) -> None:
    cache = used_cache(tmp_path)
    assert downloads.give_up(cache) == 161
    assert sorted(path.name for path in tmp_path.iterdir()) == ["downloads", "licences", "locks", "parts", "uv"]
    assert (tmp_path / "parts/helm-1/helm").exists()


def test_all_downloads(tmp_path: Path) -> None:
    assert downloads.give_up(used_cache(tmp_path), downloads.ALL) == 201
    assert sorted(path.name for path in tmp_path.iterdir()) == ["licences", "locks", "parts", "uv"]


def test_licences_stay(tmp_path: Path) -> None:
    downloads.give_up(used_cache(tmp_path))
    kept = [path for path in (tmp_path / downloads.LICENCES).rglob("*") if path.is_file()]
    assert kept == [tmp_path / "licences/example.org/!x@v1.0.0/LICENSE"]


def test_nothing_goes_while_somebody_builds(tmp_path: Path) -> None:
    cache = used_cache(tmp_path)
    with cache.lock("part"):
        assert downloads.give_up(cache) is None
    assert (tmp_path / "go/build/aa/1").exists()


def test_read_only_folders_go_too(tmp_path: Path) -> None:
    cache = used_cache(tmp_path)
    (tmp_path / "go/mod/example.org/!x@v1.0.0").chmod(0o500)
    assert downloads.give_up(cache) == 161
    assert not (tmp_path / "go").exists()


def test_a_second_time_nothing_is_gained(tmp_path: Path) -> None:
    cache = used_cache(tmp_path)
    downloads.give_up(cache)
    assert downloads.give_up(cache) == 0
