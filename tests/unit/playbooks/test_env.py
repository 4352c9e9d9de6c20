"""The file for a shell says what it is to say, whatever the folders of the stack are called."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import pytest
from ansible.plugins.filter.core import FilterModule

PROJECT = Path(__file__).resolve().parents[3]
SHELL = {"AWS_PROFILE": "none", "NO_PROXY": "example.org", "AWS_SESSION_TOKEN": "other", "PATH": "/bin:/usr/bin"}


def sourced(folder: Path, **facts: Any) -> dict[str, str]:
    """The variables of a shell that sources the file."""
    environment = jinja2.Environment(trim_blocks=True, autoescape=False)
    environment.filters |= {**FilterModule().filters(), "urlsplit": lambda url, part: getattr(urlsplit(url), part)}
    text = environment.from_string((PROJECT / "playbooks/templates/env.j2").read_text()).render(facts)
    (folder / "env").write_text(text)
    show = f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    done = subprocess.run(
        ["sh", "-euc", f". ./env; {show}"], cwd=folder, env=SHELL, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("emulated", [True, False])
def test_all_of_it_arrives(tmp_path: Path, emulated: bool) -> None:
    kubeconfig = "/home/a 'b' \"c\" $(touch executed) `touch executed`;#/kubeconfig"
    shell = sourced(
        tmp_path,
        cluster_facts={
            "kubeconfig": kubeconfig,
            "address": "10.213.57.158",
            **({"prometheus": "http://10.213.57.158:30990"} if emulated else {}),
        },
        localstack_service_facts={"host_endpoint": "http://10.213.57.158:30566" if emulated else ""},
        stack_access_key="test",
        stack_addresses={
            "users_api": {"node_port": 30080, "url": "http://10.213.57.158:30080"},
            "later": {"node_port": 0},
        },
        stack_emulated=emulated,
        stack_region="eu-central-1",
    )
    assert shell["KUBECONFIG"] == kubeconfig
    assert not (tmp_path / "executed").exists()
    assert shell["USERS_API_URL"] == "http://10.213.57.158:30080"
    assert shell.get("PROMETHEUS_URL") == ("http://10.213.57.158:30990" if emulated else None)
    assert shell["NO_PROXY"] == shell["no_proxy"] == "example.org,10.213.57.158"
    # In real AWS it is the user's own.
    assert shell.get("AWS_PROFILE") == (None if emulated else "none")
    assert shell.get("AWS_ENDPOINT_URL") == ("http://10.213.57.158:30566" if emulated else None)
