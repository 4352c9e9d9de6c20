"""What ansible.cfg and the inventory say of where Ansible's own files go."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def test_modules_leave_nothing_beside_the_playbook_nor_at_home(tmp_path: Path) -> None:
    folder, home = tmp_path / "playbooks", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    task = {"ansible.builtin.copy": {"content": "x", "dest": str(tmp_path / "made"), "mode": "0600"}}
    (folder / "copy.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
    done = subprocess.run(
        ["ansible-playbook", folder / "copy.yml"],
        cwd=PROJECT,
        env={**os.environ, "HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "made").exists()
    assert [one.name for one in folder.iterdir()] == ["copy.yml"]
    assert list(home.iterdir()) == []


def test_helm_and_kubectl_leave_nothing_at_home() -> None:
    show = ["make", "--silent", "--eval=show: ; @echo $$KUBECACHEDIR", "show"]
    environment = {name: value for name, value in os.environ.items() if name != "KUBECACHEDIR"}
    done = subprocess.run(show, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == PROJECT / ".localcloud/kube"
