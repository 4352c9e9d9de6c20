"""Building for real with a tiny toolchain of its own: progress, failures with their causes, a full disk."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain import builder as builder_module
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import (
    Builder,
    BuildError,
    Inventory,
    explain,
)
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import Part
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.recipes import RECIPES, Workshop, make_image

PARTS = "parts:\n  one: {recipe: go}\n  two: {recipe: image, needs: [one]}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project/toolchain/one").mkdir(parents=True)
    (tmp_path / "project/toolchain/parts.yml").write_text(PARTS)
    return tmp_path / "project"


def make(project: Path, tmp_path: Path, lines: list[str]) -> Builder:
    return Builder(Inventory.read(project), Cache(tmp_path / "cache"), lines.append)


def write(shop: Workshop, out: Path) -> None:
    (out / "result").write_text(shop.part.name)


def test_missing_parts_are_built_in_order_and_then_known(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES, "go", write)
    monkeypatch.setitem(RECIPES, "image", write)
    lines: list[str] = []
    results = make(project, tmp_path, lines).require(["two"])
    assert results["two"].built
    assert (results["two"].path / "result").read_text() == "two"
    assert "Building 2 parts: one, two" in lines[0]
    assert lines[-1].startswith("2 of 2 built")
    again: list[str] = []
    assert not make(project, tmp_path, again).require(["two"])["two"].built
    assert again == []


def test_temporary_files_go_with_the_build(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def litter(shop: Workshop, out: Path) -> None:
        shop.run("sh", "-c", f'echo "$GOTMPDIR" > {out}/result; touch "$GOTMPDIR/go-build1"')

    monkeypatch.setitem(RECIPES, "go", litter)
    built = make(project, tmp_path, []).require(["one"])["one"].path
    assert [path.name for path in built.iterdir()] == ["result"]
    assert (built / "result").read_text().startswith(str(tmp_path / "cache"))


def command_of(
    monkeypatch: pytest.MonkeyPatch, project: Path, tmp_path: Path, recipe: str, **spec: Any
) -> tuple[str, ...]:
    """How Go is called for a part; its source has one file."""
    called: list[tuple[str, ...]] = []
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    (source / "main.go").write_text("package main")

    def go(shop: Workshop, *arguments: str | Path, cwd: Path) -> None:
        called.append((*map(str, arguments), *sorted(str(one.relative_to(cwd)) for one in cwd.rglob("*.html"))))

    monkeypatch.setattr(Workshop, "go", go)
    monkeypatch.setattr(Workshop, "module_source", lambda shop, module: source)
    entry = {"recipe": recipe, "module": "m", "version": "v1", **spec}
    (project / "toolchain/parts.yml").write_text(yaml.safe_dump({"parts": {"one": entry}}))
    make(project, tmp_path, []).require(["one"])
    (only,) = called
    return only


def test_a_part_is_built_with_its_tags(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = command_of(monkeypatch, project, tmp_path, "go")
    tagged = command_of(monkeypatch, project, tmp_path, "go", tags=["netgo", "remove_all_sd"])
    assert "-tags=netgo,remove_all_sd" in tagged
    assert not [word for word in plain if word.startswith("-tags")]


def test_c_is_linked_statically(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "-extldflags -static" in " ".join(command_of(monkeypatch, project, tmp_path, "go", cgo=["libc6-dev"]))
    assert "extldflags" not in " ".join(command_of(monkeypatch, project, tmp_path, "go"))


def test_what_a_module_lacks_is_put_there_before_it_is_built(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {"package": "./cmd", "placeholders": {"ui/dist/index.html": "no page"}}
    assert command_of(monkeypatch, project, tmp_path, "module", **spec)[-1] == "ui/dist/index.html"


def test_a_failing_command_names_part_cause_and_log(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(shop: Workshop, out: Path) -> None:
        shop.run("sh", "-c", "echo 'dial tcp 10.0.0.1:443: connection refused'; exit 3")

    monkeypatch.setitem(RECIPES, "go", fail)
    with pytest.raises(BuildError) as caught:
        make(project, tmp_path, []).require(["one"])
    assert "Building 'one' failed (`sh -c …` exited with 3): A package registry could not be reached." in str(
        caught.value
    )
    assert "GOPROXY" in str(caught.value)


def test_a_full_disk_is_named(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(shop: Workshop, out: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(RECIPES, "go", full)
    with pytest.raises(BuildError, match="disk at .* is full"):
        make(project, tmp_path, []).require(["one"])


def test_too_little_space_is_found_before_anything_is_built(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECIPES, "go", write)
    monkeypatch.setattr(builder_module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1024})())
    with pytest.raises(BuildError, match="GiB are free"):
        make(project, tmp_path, []).require(["one"])
    assert not (tmp_path / "cache/parts").exists()


def test_a_missing_command_is_named(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "go", lambda shop, out: shop.run("no-such-command"))
    with pytest.raises(BuildError, match="no-such-command is not there. Install it"):
        make(project, tmp_path, []).require(["one"])


def test_what_was_built_before_a_failure_stays(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "go", write)
    monkeypatch.setitem(RECIPES, "image", lambda shop, out: shop.run("false"))
    with pytest.raises(BuildError):
        make(project, tmp_path, []).require(["two"])
    assert make(project, tmp_path, []).missing(["two"]) == ["two"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("write /x: no space left on device", "disk is full"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("lookup proxy.example: no such host", "could not be resolved"),
        ("verifying m@v1: checksum mismatch", "pinned checksum"),
        ("go: go.mod requires go >= 1.99", "newer Go"),
        ("main.go:3: undefined: x", "The whole log is"),
    ],
)
def test_likely_causes_are_recognised(tmp_path: Path, text: str, hint: str) -> None:
    log = tmp_path / "part.log"
    log.write_text(f"$ go build\n{text}\n")
    message = explain("part", "`go build …` exited with 1", log)
    assert hint in message
    assert text in message


def test_arguments_and_passwords_are_not_in_the_log(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(shop: Workshop, out: Path) -> None:
        shop.run("false", "--build-arg=PIP_INDEX_URL=https://me:secret@mirror", "https://me:secret@mirror/x")

    monkeypatch.setitem(RECIPES, "go", fail)
    with pytest.raises(BuildError) as caught:
        make(project, tmp_path, []).require(["one"])
    assert "secret" not in str(caught.value)
    assert "--build-arg=PIP_INDEX_URL=" in (tmp_path / "cache/logs/one.log").read_text()
    assert "secret" not in (tmp_path / "cache/logs/one.log").read_text()


def test_a_secret_of_a_build_is_in_no_command(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[tuple[object, ...], dict[str, str]]] = []
    shop = Workshop(Part("web", "build"), "localhost/web:1", project, Cache(tmp_path / "cache"), {}, sys.stdout)
    monkeypatch.setattr(Workshop, "run", lambda _self, *words, **variables: ran.append((words, variables)))
    make_image(shop, tmp_path, tmp_path, tmp_path / "Dockerfile", NPM_TOKEN="hush", LEVEL="3")
    ((words, variables), _push) = ran
    assert "hush" not in str(words)
    assert {"--build-arg=NPM_TOKEN", "--build-arg=LEVEL=3"} <= set(words)
    assert {name: one for name, one in variables.items() if one} == {"NPM_TOKEN": "hush"}


def test_an_image_that_can_not_be_fetched_is_named(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "toolchain/parts.yml").write_text(
        "parts:\n  one: {recipe: pull, image: {}, reference: r.example/web:1}\n"
    )
    monkeypatch.setitem(
        RECIPES, "pull", lambda shop, out: shop.run("sh", "-c", "echo 'connection reset by peer'; exit 1")
    )
    with pytest.raises(
        BuildError,
        match=r"r.example/web:1 can't be pulled: the registry can't be reached. Start the registry r.example",
    ):
        make(project, tmp_path, []).require(["one"])
