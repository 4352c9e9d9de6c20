"""Images in Docker's store and in kind's nodes, by a docker and a kind that only remember."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.filter.images import image_plan
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.docker_images import (
    DockerImages,
    bring,
    docker_parts,
    load_archives,
    with_commands,
)
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.engine import DOCKER, PODMAN, Engine
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.images_declared import declared_images
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import ImageError

PROJECT = Path(__file__).resolve().parents[5]


class Docker:
    """Docker's store and two nodes of kind. C(fails): words of commands that fail."""

    def __init__(self) -> None:
        self.store: set[str] = set()
        self.nodes: dict[str, set[str]] = {"one": set(), "two": set()}
        self.commands: list[list[str]] = []
        self.variables: dict[str, str] = {}
        self.saved: list[str] = []
        # The reference in each archive that was made elsewhere.
        self.archives: dict[str, str] = {}
        self.fails: tuple[str, ...] = ()

    def run(self, command: list[str], variables: dict[str, str]) -> tuple[int, str, str]:
        self.commands.append(command)
        self.variables |= variables
        if any(word in self.fails for word in command):
            return 1, "", "Error response from daemon: manifest unknown"
        match command[1:]:
            case ["image", "ls", *_]:
                return 0, "\n".join(self.store), ""
            case ["build", "--tag", tag, *_]:
                self.store.add(tag)
            case ["load", "--input", _]:
                return 0, "Loaded image: saved:1", ""
            case ["tag", _, tag]:
                self.store.add(tag)
            case ["image", "save", "--output", _, *names] | [
                "image",
                "save",
                "--multi-image-archive",
                "--output",
                _,
                *names,
            ]:
                self.saved = names
            case ["get", "nodes", *_]:
                return 0, "\n".join(self.nodes), ""
            case ["exec", node, *_]:
                return 0, "\n".join(self.nodes[node]), ""
            case ["load", "image-archive", *archives] if self.archives:
                assert archives[-2:] == ["--name", "kind"]
                for node in self.nodes.values():
                    node.update(self.archives[one] for one in archives[:-2])
            case ["load", "image-archive", *_]:
                for node in self.nodes.values():
                    node.update(self.saved)
        return 0, "", ""

    def bring(
        self, images: dict[str, object], *, kind: str = "", check: bool = False, project: Path = PROJECT
    ) -> DockerImages:
        self.commands.clear()
        return bring(declared_images(images), project, {"PIP_INDEX_URL": "mirror"}, kind, check, self.run)


def test_only_what_is_missing_is_made_and_loaded() -> None:
    docker = Docker()
    images = {"consumer": {"part": "consumer"}, "db": {"pull": "redis:7"}}
    foretold = docker.bring(images, kind="kind", check=True)
    assert {command[1] for command in docker.commands} == {"image", "get", "exec"}
    found = docker.bring(images, kind="kind")
    assert found == foretold
    assert found.made == found.loaded == ["consumer", "db"]
    (build,) = (command for command in docker.commands if command[1] == "build")
    assert build[-1] == str(PROJECT)
    assert "--build-arg=PIP_INDEX_URL=mirror" in build
    assert docker.nodes["two"] == set(found.images.values())
    again = docker.bring(images, kind="kind")
    assert (again.made, again.loaded) == ([], [])
    docker.nodes["two"].remove(found.images["db"])
    assert docker.bring(images, kind="kind").loaded == ["db"]
    assert docker.saved == [found.images["db"]]


def test_archives_are_loaded_once() -> None:
    docker = Docker()
    docker.archives = {"/a.tar": "a:1", "/b.tar": "b:1"}
    archives = {"a:1": "/a.tar", "b:1": "/b.tar"}
    assert load_archives(archives, "kind", True, docker.run) == ["a:1", "b:1"]
    assert docker.nodes["one"] == set()
    assert load_archives(archives, "kind", False, docker.run) == ["a:1", "b:1"]
    assert load_archives(archives, "kind", False, docker.run) == []
    docker.nodes["two"].remove("b:1")
    docker.commands.clear()
    assert load_archives(archives, "kind", False, docker.run) == ["b:1"]
    assert [command for command in docker.commands if "image-archive" in command] == [
        ["kind", "load", "image-archive", "/b.tar", "--name", "kind"]
    ]


def test_a_command_is_run_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("#!/bin/sh\necho mine $1\n")
    (tmp_path / "mine").chmod(0o755)
    run = with_commands({"kind": str(tmp_path / "mine"), "docker": ""})
    assert run(["kind", "get"], {})[:2] == (0, "mine get\n")
    assert run(["echo", "kind"], {})[:2] == (0, "kind\n")


def test_a_secret_of_a_build_is_in_no_command(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM redis:7\nARG NPM_TOKEN PIP_INDEX_URL LEVEL\n")
    arguments = {"NPM_TOKEN": "hush", "PIP_INDEX_URL": "https://me:hush@mirror/simple", "LEVEL": "3"}
    docker = Docker()
    docker.bring({"web": {"build": {"context": str(tmp_path), "arguments": arguments}}})
    assert "hush" not in str(docker.commands)
    assert docker.variables == {name: arguments[name] for name in ("NPM_TOKEN", "PIP_INDEX_URL")}
    (build,) = (command for command in docker.commands if command[1] == "build")
    given = {word for word in build if word.startswith("--build-arg")}
    assert given == {"--build-arg=NPM_TOKEN", "--build-arg=PIP_INDEX_URL", "--build-arg=LEVEL=3"}


def test_a_tag_is_a_digest_of_what_is_built(tmp_path: Path) -> None:
    for name in ("apps", "requirements", "toolchain"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    images = {name: {"part": name} for name in ("producer", "consumer")}
    before = Docker().bring(images, check=True).images
    assert Docker().bring(images, check=True, project=tmp_path).images == before
    (tmp_path / "apps/consumer/src/localcloud_consumer/.coverage").write_text("changes with every run")
    (tmp_path / "apps/producer/Dockerfile").write_text("FROM scratch\n")
    after = Docker().bring(images, check=True, project=tmp_path).images
    assert after["consumer"] == before["consumer"]
    assert after["producer"] != before["producer"]
    (tmp_path / "requirements/apps.txt").write_text("")
    assert Docker().bring(images, check=True, project=tmp_path).images["consumer"] != before["consumer"]


def test_all_that_fails_is_named_before_anything_is_built() -> None:
    docker = Docker()
    docker.fails = ("docker.io/library/a:1", "docker.io/library/b:1")
    images = {"a": {"pull": "a:1"}, "b": {"pull": "b:1"}, "consumer": {"part": "consumer"}}
    with pytest.raises(ImageError) as caught:
        docker.bring(images)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["images.a", "images.b"]
    assert "the registry does not have it" in str(caught.value)
    assert not [command for command in docker.commands if command[1] == "build"]


def test_parts_that_docker_can_build() -> None:
    assert set(docker_parts(PROJECT)) == {
        "producer",
        "consumer",
        "queue-exporter",
        "users-api",
        "main-api",
        "auxiliary-service",
    }


def test_how_images_get_into_a_cluster() -> None:
    images = {
        "a": {"part": "consumer", "published": "r.example/a:1"},
        "b": {"part": "dynamodb-admin"},
        "c": {"pull": "redis:7"},
        "d": {"pull": "redis:7", "published": "r.example/d:1"},
    }
    public = image_plan(images, "public", str(PROJECT))
    assert public["published"] == {"a": "r.example/a:1", "c": "docker.io/library/redis:7", "d": "r.example/d:1"}
    assert public["delivered"] == {}
    (problem,) = public["problems"]
    assert problem.startswith(
        "images.b.part: is made on this machine, but the cluster gets no images from it. Give published,"
    )
    kind = image_plan(images, "kind", str(PROJECT))
    assert list(kind["delivered"]) == ["a", "c", "d"]
    assert "no Dockerfile for Docker" in kind["problems"][0]
    registry = image_plan(images, "registry", str(PROJECT))
    assert (list(registry["delivered"]), registry["published"], registry["problems"]) == (["a", "b", "c", "d"], {}, [])


def test_podman_takes_the_place_of_docker() -> None:
    """Several images in one archive it writes only if it is asked to."""
    docker = Docker()
    images = declared_images({"db": {"pull": "redis:7"}, "web": {"pull": "nginx:1"}})
    found = bring(images, PROJECT, {}, "kind", False, docker.run, PODMAN)
    assert found.loaded == ["db", "web"]
    assert {command[0] for command in docker.commands} == {"podman", "kind"}
    (save,) = (command for command in docker.commands if "save" in command)
    assert save[:4] == ["podman", "image", "save", "--multi-image-archive"]
    assert load_archives({}, "kind", False, docker.run, PODMAN) == []


@pytest.mark.parametrize("engine", [DOCKER, PODMAN])
def test_kind_is_told_what_to_use(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "nerdctl")
    _status, out, _err = with_commands({}, engine)(["sh", "-c", "echo $KIND_EXPERIMENTAL_PROVIDER"], {})
    assert out == f"{engine.name}\n"
