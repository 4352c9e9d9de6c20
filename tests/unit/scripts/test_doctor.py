"""What is said of a machine, of faked ones and of files that tell of one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root

PROJECT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(PROJECT))
from scripts import doctor  # noqa: E402
from scripts.doctor import GIB, Bundle, Machine  # noqa: E402

BARE = Machine(
    "Linux", "amd64", root=True, cpus=2, memory=24 * GIB, cache="/root/.cache/localcloud", free=50 * GIB, python="3.11.2", venv=True,
    go=(1, 26), apt=True, registries={"Go modules": True, "PyPI": True}, commands={"helm": False},
)  # fmt: skip
MAC = replace(BARE, system="Darwin", architecture="arm64", root=False, apt=False)


@pytest.fixture(autouse=True)
def _commands_may_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pip and go answer is tested, not how fast: beside a cluster pip has taken more than the 10 s that a user waits."""
    monkeypatch.setattr(doctor, "COMMAND_SECONDS", 300)


def said_of(machine: Machine) -> tuple[int, str]:
    lines: list[str] = []
    return doctor.main(lambda: machine, lines.append), "\n".join(lines)


def test_a_bare_machine_builds_a_node() -> None:
    code, text = said_of(BARE)
    assert code == 0
    assert "This machine: Linux amd64, 2 CPUs, 24 GiB of memory, 50 GiB free for /root/.cache/localcloud, root." in text
    assert "yes the embedded node, about 25 min and 14 GB: make up" in text
    assert "`make up` takes the embedded node, as there is no Docker that answers" in text


def test_what_is_built_already_takes_two_minutes() -> None:
    machine = replace(BARE, unbuilt=0, go=None, free=8 * GIB, registries={"Go modules": False})
    assert "yes the embedded node, about 2 min and 5 GB: make up\n    All is built." in said_of(machine)[1]


def test_what_is_still_to_be_built_is_counted() -> None:
    assert (
        "    7 parts are built here; 2 Debian packages are installed."
        in said_of(replace(BARE, unbuilt=7, missing_packages=["runc", "ipset"]))[1]
    )


@pytest.mark.parametrize(
    ("machine", "problem"),
    [
        (replace(BARE, go=None), "Go is not installed. Install Go 1.26 or later, or take a bundle."),
        (replace(BARE, go=(1, 19)), "Go 1.19 is too old. Install Go 1.26 or later, or take a bundle."),
        (replace(BARE, free=3 * GIB), "3.0 GiB are free at /root/.cache/localcloud, of 14. Free some space"),
        (replace(BARE, memory=2 * GIB), "2.0 GiB of memory are too little for a node"),
        (replace(BARE, root=False), "The embedded node needs root"),
        (replace(BARE, cgroups=False), "The embedded node needs cgroups of its own"),
        (replace(BARE, venv=False), "Python 3.11.2 has no venv. On Debian install python3-venv"),
        (replace(BARE, python="3.9.1"), "Python 3.9.1 is too old."),
        (replace(BARE, apt=False, missing_packages=["runc"]), "there is no APT to install them: runc. Install them."),
        (
            replace(BARE, registries={"PyPI": False}),
            "PyPI can't be reached. Check network and proxy, or take a bundle.",
        ),
        (MAC, "The embedded node needs Linux; this is Darwin."),
    ],
)
def test_what_is_in_the_way_of_a_node(machine: Machine, problem: str) -> None:
    code, text = said_of(machine)
    assert code == 1
    assert "no  the embedded node" in text
    assert problem in text


def test_a_bundle_needs_neither_go_nor_registries() -> None:
    machine = replace(
        BARE, go=None, registries={"Go modules": False, "PyPI": False}, bundles={"a.tar": Bundle("embedded")}
    )
    code, text = said_of(machine)
    assert code == 0
    assert "yes a bundle, about 3 min and 4 GB: make up BUNDLE=a.tar" in text
    assert "`make up` would take the embedded node" in text
    assert text.endswith("Take instead: make up BUNDLE=a.tar")


def test_a_bundle_for_another_machine_is_none() -> None:
    machine = replace(
        BARE, go=None, bundles={"a.tar": Bundle("embedded", "It is for arm64, and this machine is amd64.")}
    )
    code, text = said_of(machine)
    assert code == 1
    assert "a.tar can't be used: It is for arm64, and this machine is amd64." in text


def test_a_bundle_of_a_kind_cluster_needs_docker_and_no_root() -> None:
    machine = replace(BARE, root=False, go=None, docker="", bundles={"a.tar": Bundle("kind")})
    assert "yes a bundle, about 3 min and 4 GB: make up BUNDLE=a.tar" in said_of(machine)[1]
    machine = replace(machine, docker=None)
    assert "no  a bundle" in said_of(machine)[1]
    assert "a.tar can't be used: Docker is not installed. Install it and start it." in said_of(machine)[1]


def test_a_cluster_that_is_allowed() -> None:
    machine = replace(MAC, contexts=["mine"], context="mine", allowed=["mine"], commands={"helm": True})
    code, text = said_of(machine)
    assert code == 0
    assert "yes a cluster of yours, about 5 min and 1 GB: make up\n    Context mine." in text
    assert "`make up` takes a cluster of yours, as the kubeconfig's context mine is allowed." in text


def test_a_cluster_that_nobody_allowed() -> None:
    code, text = said_of(replace(MAC, contexts=["mine"], context="mine", commands={"helm": True}))
    assert 'make up ARGS=\'-e {"cluster_allowed_contexts":["mine"]}\'\n    Context mine, once you allow it.' in text
    assert "`make up` would end at once: The kubeconfig points to the context 'mine', which is not allowed" in text
    assert code == 0


def test_a_cluster_without_helm() -> None:
    text = said_of(replace(MAC, contexts=["mine"], context="mine", allowed=["mine"]))[1]
    assert "no  a cluster of yours" in text
    assert "Helm is not installed. Install Helm 4, or 3.13 or later." in text


def test_docker_that_can_not_be_used_is_told() -> None:
    text = said_of(replace(BARE, docker="Docker does not answer. Start it, then run again."))[1]
    assert "Docker, which can't be used" in text
    assert "no  a kind cluster in Docker, about 5 min and 6 GB: make up" in text
    assert "    Docker does not answer. Start it, then run again." in text
    assert "`make up` takes the embedded node, as there is no Docker that answers" in text
    assert "Not there: Docker" in said_of(BARE)[1]


def test_podman_in_place_of_docker_is_named() -> None:
    text = said_of(replace(MAC, docker="", engine="Podman"))[1]
    assert "yes a kind cluster in Podman" in text
    assert "`make up` takes a kind cluster in Podman, as Podman answers." in text


def test_docker_gets_a_kind_cluster() -> None:
    code, text = said_of(replace(MAC, docker=""))
    assert code == 0
    assert "yes a kind cluster in Docker" in text
    assert "`make up` takes a kind cluster in Docker, as Docker answers." in text
    assert (
        "takes the embedded node, as this checkout has it already"
        in said_of(replace(BARE, docker="", last="embedded"))[1]
    )


@pytest.mark.parametrize(
    ("code", "text", "problem"),
    [
        (0, '{"ServerVersion": "29.0.1"}', ""),
        (
            1,
            "permission denied while trying to connect to the Docker daemon socket",
            "Docker runs, but this user may not use it",
        ),
        (
            1,
            "Cannot connect to the Docker daemon. Is the docker daemon running?",
            "Docker does not answer: Cannot connect",
        ),
    ],
)
def test_what_docker_says(monkeypatch: pytest.MonkeyPatch, code: int, text: str, problem: str) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/bin/docker" if name == "docker" else None)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(doctor, "outputs", lambda command: (code, "" if code else text, text if code else ""))
    found, engine = doctor.engine_problem()
    assert engine == "Docker"
    assert found == problem if not problem else str(found).startswith(problem)


def test_a_docker_that_is_not_there_or_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert doctor.engine_problem() == (None, "Docker")
    monkeypatch.setattr(doctor, "COMMAND_SECONDS", 0.1)
    assert doctor.outputs(["sleep", "5"]) == (1, "", "no answer within 0.1 s")


def test_the_cluster_that_the_checkout_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCALCLOUD_DIR", raising=False)
    assert doctor.own_cluster(tmp_path) == ""
    (tmp_path / ".localcloud").mkdir()
    for text, kind in (('{"kind": "kind"}', "kind"), ('{"kind": "existing"}', ""), ("[]", ""), ("{", "")):
        (tmp_path / ".localcloud/cluster.json").write_text(text)
        assert doctor.own_cluster(tmp_path) == kind


def test_go_says_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "said", lambda *command: (0, "go version go1.26.3 linux/amd64"))
    assert doctor.go_version() == (1, 26)
    monkeypatch.setattr(doctor, "said", lambda *command: (-1, ""))
    assert doctor.go_version() is None


KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster: {server: https://127.0.0.1:6443}
  name: not-a-context
contexts:
- context:
    cluster: one
    user: one
  name: kind-one
- name: "two"
  context: {cluster: two}
current-context: kind-one
kind: Config
"""


def test_the_contexts_of_a_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/config:/other")
    assert doctor.kubeconfig() == (["kind-one", "two"], "kind-one")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/absent")
    assert doctor.kubeconfig() == ([], None)
    (tmp_path / "config").write_text('current-context: ""\n')
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/config")
    assert doctor.kubeconfig() == ([], None)


def test_the_settings_of_an_inventory(tmp_path: Path) -> None:
    assert doctor.allowed_contexts(tmp_path) == []
    path = tmp_path / "inventories/local/group_vars/all.yml"
    path.parent.mkdir(parents=True)
    path.write_text("# cluster_allowed_contexts: [no]\ncluster_allowed_contexts: [kind-one, 'two']\n")
    assert doctor.allowed_contexts(tmp_path) == ["kind-one", "two"]


def test_the_packages_are_those_of_the_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda command, path: None if command in ("runc", "mvn") else command)
    assert doctor.missing_packages(PROJECT) == ["maven", "runc"]


def test_a_registry_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:1,direct")
    assert doctor.reachable(doctor.module_proxy()) is False
    monkeypatch.setenv("GOPROXY", "off")
    assert doctor.reachable(doctor.module_proxy()) is True


def test_registries_are_those_of_the_tools_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Behind a mirror they stand in files as often as in variables."""
    for name in ("GOPROXY", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:1/simple\n")
    (tmp_path / "go.env").write_text("GOPROXY=http://127.0.0.1:2|direct\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("GOENV", str(tmp_path / "go.env"))
    assert doctor.package_index() == "http://127.0.0.1:1/simple"
    assert doctor.module_proxy() == "http://127.0.0.1:2"
    monkeypatch.setattr(doctor, "said", lambda *command: (-1, ""))
    assert (doctor.package_index(), doctor.module_proxy()) == ("", ""), "neither tool is there"


def test_this_machine_can_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "reachable", lambda *how: True)
    monkeypatch.setattr(doctor, "parts_to_build", lambda project: None)
    machine = doctor.read()
    assert machine.cpus > 0
    assert machine.memory > GIB
    assert machine.free > 0
    assert machine.venv is True


@pytest.mark.parametrize("options", [[], ["-S"]], ids=["with packages", "with Python alone"])
def test_it_runs_as_make_runs_it(options: list[str], tmp_path: Path) -> None:
    # No registry is asked.
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GOPROXY": "off", "PIP_INDEX_URL": "file:///nowhere"}
    command = [sys.executable, *options, str(PROJECT / "scripts/doctor.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("This machine: "), done.stderr
    assert "\n`make up` " in done.stdout
    assert done.stderr == ""


def test_parts_are_counted_of_the_kubernetes_that_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LOCALCLOUD_KUBERNETES", raising=False)
    cache = Cache(default_root())
    for name, digest in Inventory.read(PROJECT).digests.items():
        cache.path(name, digest).mkdir(parents=True)
    assert doctor.count_unbuilt(PROJECT) == 0
    monkeypatch.setenv("LOCALCLOUD_KUBERNETES", "1.36")
    assert doctor.count_unbuilt(PROJECT) > 0
