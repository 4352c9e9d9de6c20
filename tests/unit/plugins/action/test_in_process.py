"""Modules that run in the task's own process, asked by Ansible for what only a process of their own can do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml


def test_async_a_delegate_with_another_python_and_the_switch(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nprintf . >> {tmp_path}/used\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    connection = {"ansible_connection": "local"}
    hosts = {
        "localhost": {**connection, "ansible_python_interpreter": sys.executable},
        "other": {**connection, "ansible_python_interpreter": str(python)},
    }
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))

    def write(name: str) -> dict[str, object]:
        return {
            "name": name,
            "localcloud.stack.state_file": {"dest": str(tmp_path / name), "content": name},
            "register": f"made_{name}",
        }

    tasks = [
        {**write("later"), "async": 60, "poll": 1},
        {**write("elsewhere"), "delegate_to": "other"},
        {**write("here")},
        {**write("switched"), "vars": {"localcloud_in_process": False}},
        {
            "name": "Both ways end alike",
            "ansible.builtin.assert": {
                "that": [
                    "made_here | dict2items | map(attribute='key') | sort == ['changed', 'dest', 'failed']",
                    "made_switched is changed",
                    "made_switched.dest == made_here.dest | replace('here', 'switched')",
                ]
            },
        },
    ]
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump([{"name": "Play", "hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    )
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "inventory.yml", "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "NO_COLOR": "1", "ANSIBLE_ASYNC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = ["later", "elsewhere", "here", "switched"]
    assert [(tmp_path / name).read_text() for name in names] == names
    assert (tmp_path / "used").exists()
