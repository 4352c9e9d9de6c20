"""Dates in values and manifests are the same text for every module; times have a zone."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.common.dates import moment, undated

# Without quotes, as users write them.
VALUES = "{released: 2026-01-01, since: 2026-01-01 10:00:00, codes: [{on: 2026-02-03}], 2026-04-05: key, number: 7, name: on}"


def test_only_dates_are_changed() -> None:
    found = undated(yaml.safe_load(VALUES))
    assert found == {
        "released": "2026-01-01",
        "since": "2026-01-01T10:00:00",
        "codes": [{True: "2026-02-03"}],
        "2026-04-05": "key",
        "number": 7,
        "name": True,
    }


def test_a_module_in_the_tasks_process_takes_them_as_one_in_its_own(tmp_path: Path) -> None:
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart/Chart.yaml").write_text("apiVersion: v2\nname: orders\nversion: 1.0.0\n")
    refused = {"kubeconfig": "/nonexistent", "name": "orders", "namespace": "orders", "chart": f"{tmp_path}/chart"}
    task = {
        "localcloud.stack.helm_diff": {**refused, "values": "{{ given }}"},
        "ignore_errors": True,
        "register": "said",
    }
    show = {"ansible.builtin.copy": {"content": "{{ said.msg }}", "dest": f"{tmp_path}/said"}}
    given = f"    given: {VALUES}\n"
    play = yaml.safe_dump([{"name": "Play", "hosts": "localhost", "gather_facts": False, "tasks": [task, show]}])
    (tmp_path / "play.yml").write_text(play.rstrip("\n") + "\n  vars:\n" + given)
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "play.yml",
            "-e",
            json.dumps({"ansible_python_interpreter": sys.executable}),
        ],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "NO_COLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "said").read_text().startswith("The kubeconfig /nonexistent cannot be used")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T12:00:00Z", datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)),
        ("2026-01-01T12:00:00.5+00:00", datetime.datetime(2026, 1, 1, 12, 0, 0, 500000, tzinfo=datetime.UTC)),
        ("2026-01-01T12:00:00", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_a_moment_has_a_zone(text: object, expected: datetime.datetime | None) -> None:
    assert moment(text) == expected
