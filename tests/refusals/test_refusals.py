"""Bad input and bad surroundings: one clear message, exit code not 0, nothing touched."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import key

PROJECT = Path(__file__).resolve().parents[2]
Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run site.yml for a checkout at tmp_path; it must fail. Returns what it prints, in one line."""

    def refuse(kubeconfig: Path | str = "/nonexistent", **settings: object) -> str:
        done = subprocess.run(
            ["ansible-playbook", "site.yml", "-e", json.dumps(settings)],
            cwd=PROJECT,
            env={**os.environ, "LOCALCLOUD_DIR": str(tmp_path), "KUBECONFIG": str(kubeconfig), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        output = " ".join((done.stdout + done.stderr).split())
        assert done.returncode != 0, output
        return output

    return refuse


def kubeconfig(folder: Path, context: str, server: str) -> Path:
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "expired"}}],
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
        "current-context": context,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_table_name_with_a_space(run: Run, tmp_path: Path) -> None:
    output = run(stack_table="two words")
    assert "aws_resources_tables[0].name: 'two words' is refused by AWS" in output
    assert "Correct them, then run again" in output
    assert list(tmp_path.iterdir()) == []


def test_a_context_that_nobody_allowed(run: Run, tmp_path: Path) -> None:
    output = run(kubeconfig(tmp_path, "production", "https://127.0.0.1:1"))
    assert "points to the context 'production', which nobody allowed, so it is not touched" in output
    assert "cluster_mode=embedded" in output


def test_a_cluster_that_does_not_answer(run: Run, tmp_path: Path) -> None:
    output = run(kubeconfig(tmp_path, "kind-kind", "https://127.0.0.1:1"), cluster_allowed_contexts=["kind-kind"])
    assert "The cluster of context 'kind-kind' can't be used: It does not answer. Start it, then run again." in output


def test_a_kubeconfig_that_is_not_there(run: Run) -> None:
    assert "The kubeconfig /no/such/file is not there." in run(cluster_kubeconfig="/no/such/file")


def test_a_broken_kubeconfig(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("{not yaml")
    assert f"The kubeconfig {path} can't be read" in run(path)


def test_a_second_run_at_once(run: Run, tmp_path: Path) -> None:
    own = psutil.Process()
    (tmp_path / ".localcloud").mkdir()
    (tmp_path / ".localcloud/run.json").write_text(json.dumps({"pid": own.pid, "created": own.create_time()}))
    output = run()
    assert f"Another run works on {tmp_path}/.localcloud: process {own.pid}" in output
    assert "Wait for its end" in output


def test_a_wrong_setting(run: Run) -> None:
    output = run(cluster_mode="magic")
    assert "value of cluster_mode must be one of: auto, existing, embedded, got: magic" in output


@pytest.fixture
def taken_interface(tmp_path: Path) -> Iterator[str]:
    name = f"lc-{key(str(tmp_path))}"
    subprocess.run(["ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p"], check=True)
    yield name
    subprocess.run(["ip", "link", "delete", name], check=True)


def test_an_interface_that_is_taken(run: Run, taken_interface: str) -> None:
    output = run(cluster_mode="embedded")
    assert f"There is an interface {taken_interface} that this checkout's state knows nothing of" in output
    assert f"ip link delete {taken_interface}" in output
