# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.images import push as images_push
from ansible_collections.localcloud.stack.plugins.module_utils.images.push import Wish, choose_tool, push
from ansible_collections.localcloud.stack.plugins.module_utils.images.registry import RegistryError, Tagged
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import Archived, ImageError

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
SAME = Tagged("sha256:m", (DIGEST,))
WISH = Wish("/a.tar", "localhost:5000/orders:1")


class World:
    """A registry that answers in turn, and tools that note how they were called."""

    def __init__(self, monkeypatch, *answers, tools=("skopeo",), fails=None):
        self.answers = list(answers)
        self.tools = tools
        self.fails = fails
        self.commands = []
        monkeypatch.setattr(images_push, "registry_of", lambda reference, insecure: self)
        monkeypatch.setattr(images_push, "read_archive", lambda path: Archived(DIGEST, "localhost/orders:1"))

    def look(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run(self, command):
        self.commands.append(command)
        if self.fails:
            return 1, "", self.fails
        return 0, "Loaded image: localhost/orders:1\n" if command[:2] == ["docker", "load"] else "", ""

    def push(self, wish=WISH, check_mode=False):
        return push(wish, check_mode, self.run, lambda name: name if name in self.tools else None)


def test_what_is_there_is_not_pushed(monkeypatch):
    world = World(monkeypatch, SAME, tools=())
    assert world.push() == {
        "destination": "localhost:5000/orders:1",
        "config_digest": DIGEST,
        "previous_config_digest": DIGEST,
        "manifest_digest": "sha256:m",
        "tool": None,
        "reason": "it is there",
        "changed": False,
    }
    assert world.commands == []


@pytest.mark.parametrize(
    ("before", "previous", "reason"),
    [(None, None, "the tag is not there"), (Tagged("sha256:n", (OTHER,)), OTHER, "the tag is another image")],
)
def test_what_is_missing_or_another_is_pushed(monkeypatch, before, previous, reason):
    world = World(monkeypatch, before, SAME)
    result = world.push()
    assert (result["changed"], result["reason"], result["tool"]) == (True, reason, "skopeo")
    assert (result["previous_config_digest"], result["manifest_digest"]) == (previous, "sha256:m")
    assert world.commands == [
        ["skopeo", "copy", "--quiet", "docker-archive:/a.tar", "docker://localhost:5000/orders:1"]
    ]


def test_check_mode_pushes_nothing(monkeypatch):
    world = World(monkeypatch, None)
    result = world.push(check_mode=True)
    assert (result["changed"], result["tool"], result["reason"]) == (True, "skopeo", "the tag is not there")
    assert world.commands == []


def test_insecure_goes_to_the_tool(monkeypatch):
    world = World(monkeypatch, None, SAME)
    world.push(WISH._replace(insecure=True))
    assert "--dest-tls-verify=false" in world.commands[0]


def test_buildah_has_a_storage_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    world = World(monkeypatch, None, SAME, tools=("buildah", "docker"))
    assert world.push(WISH._replace(insecure=True))["tool"] == "buildah"
    pull, sent = world.commands
    root = pull[pull.index("--root") + 1]
    assert root.startswith(str(tmp_path))
    assert pull[-3:] == ["pull", "--quiet", "docker-archive:/a.tar"]
    assert sent[-5:] == ["push", "--quiet", "--tls-verify=false", "a" * 64, "docker://localhost:5000/orders:1"]
    assert os.listdir(tmp_path) == []


def test_docker_loads_tags_and_pushes(monkeypatch):
    world = World(monkeypatch, None, SAME, tools=("docker",))
    assert world.push()["tool"] == "docker"
    assert world.commands == [
        ["docker", "load", "--input", "/a.tar"],
        ["docker", "tag", "localhost/orders:1", "localhost:5000/orders:1"],
        ["docker", "push", "--quiet", "localhost:5000/orders:1"],
    ]


def test_docker_elsewhere_gets_no_image(monkeypatch):
    monkeypatch.setenv("DOCKER_CONTEXT", "production")
    with pytest.raises(ImageError, match="DOCKER_CONTEXT=production leads it elsewhere"):
        World(monkeypatch, None, SAME, tools=("docker",)).push(WISH)


def test_a_registry_that_does_not_let_us_look_is_pushed_to(monkeypatch):
    world = World(monkeypatch, RegistryError("HTTP 401", denied=True))
    result = world.push()
    assert (result["changed"], result["reason"]) == (True, "the registry does not let us look")
    assert result["manifest_digest"] is None
    assert len(world.commands) == 1


def test_a_registry_that_is_away(monkeypatch):
    world = World(monkeypatch, RegistryError("Connection refused"))
    with pytest.raises(ImageError, match="Start the registry localhost:5000"):
        world.push()
    assert world.commands == []


def test_a_tool_that_fails(monkeypatch):
    world = World(monkeypatch, None, fails="unauthorized: authentication required")
    with pytest.raises(ImageError, match="Log in with `skopeo login localhost:5000`"):
        world.push()


def test_a_push_is_looked_after(monkeypatch):
    world = World(monkeypatch, None, None)
    with pytest.raises(ImageError, match="said that it pushed"):
        world.push()


def test_a_path_with_a_colon(monkeypatch):
    with pytest.raises(ImageError, match="has a colon, which skopeo can't read"):
        World(monkeypatch, None).push(WISH._replace(archive="/a:b.tar"))


def test_the_choice_of_the_tool():
    assert choose_tool("auto", lambda name: name) == "skopeo"
    assert choose_tool("auto", lambda name: name if name == "docker" else None) == "docker"
    assert choose_tool("buildah", lambda name: name) == "buildah"
    with pytest.raises(ImageError, match=r"None of skopeo, buildah and docker is there .* Install skopeo"):
        choose_tool("auto", lambda name: None)
    with pytest.raises(ImageError, match=r"docker is not there .* Install docker, or set tool: auto"):
        choose_tool("docker", lambda name: None)
