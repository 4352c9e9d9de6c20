"""What a run prints of a blueprint that it reads."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[4]
SECRET = "n0t-to-be-shown"
BLUEPRINT = """
variables: {db_password: null, stage: dev}
aws:
  topics: [{name: "orders-{{ stage }}"}]
releases: [{name: orders, chart: chart, values: {url: "db://{{ db_password }}@db"}}]
"""
PLAY = [
    {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {
                "localcloud.stack.blueprint": {
                    "blueprint": "./orders",
                    "ours": "/nowhere",
                    "base": "{{ playbook_dir }}",
                    "facts": {"region": "eu-central-1"},
                    "target": {"region": "eu-central-1"},
                },
                "register": "found",
            },
            {"ansible.builtin.assert": {"that": "found.blueprint.releases[0]['values'].url == 'db://' ~ db_password ~ '@db'"}},
        ],
    }
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "orders/chart").mkdir(parents=True)
    (tmp_path / "orders/chart/Chart.yaml").write_text("name: orders\n")
    (tmp_path / "orders/blueprint.yml").write_text(BLUEPRINT)
    (tmp_path / "play.yml").write_text(json.dumps(PLAY))
    return tmp_path


def output(folder: Path, **variables: Any) -> subprocess.CompletedProcess[str]:
    command = [
        "ansible-playbook",
        "-vvvv",
        str(folder / "play.yml"),
        "-i",
        "localhost,",
        "-c",
        "local",
        "-e",
        "@values.json",
    ]
    (folder / "values.json").write_text(json.dumps(variables))
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_secret_reaches_the_releases_values_and_nobody_elses_eyes(folder: Path) -> None:
    done = output(folder, db_password=SECRET)
    assert done.returncode == 0, done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_what_is_wrong_is_said_all_the_same(folder: Path) -> None:
    done = output(folder, db_password=SECRET, stage="two words")
    assert done.returncode != 0
    assert "aws.topics[0].name" in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_values_that_a_chart_refuses_are_told_with_their_path(folder: Path) -> None:
    (folder / "orders/chart/Chart.yaml").write_text("apiVersion: v2\nname: orders\nversion: 1.0.0\n")
    schema = {"properties": {"url": {"type": "string", "pattern": "^https"}}, "required": ["replicas"]}
    (folder / "orders/chart/values.schema.json").write_text(json.dumps(schema))
    play = json.loads((folder / "play.yml").read_text())
    play[0]["tasks"][0]["localcloud.stack.blueprint"]["check_values"] = True
    (folder / "play.yml").write_text(json.dumps(play))
    # The Helm that `make unit` names is the one of the machine.
    (folder / "bin").mkdir()
    (folder / "bin/helm").symlink_to(os.environ["HELM"])
    done = output(folder, db_password=SECRET)
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert (
        "orders/blueprint.yml: releases[0].values.url: does not match pattern '^https' (values.schema.json of the chart orders)"
        in said
    )
    assert "orders/blueprint.yml: releases[0].values: missing property 'replicas'" in said
    assert "Correct them, then run again." in said
    assert SECRET not in done.stdout + done.stderr
