"""What `make up` keeps is what `make report` reads, and no comparison of an emulator's goes to real AWS."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment

PLAYBOOKS = Path(__file__).resolve().parents[3] / "playbooks"


def tasks(path: str) -> list[dict[str, Any]]:
    return yaml.safe_load((PLAYBOOKS / path).read_text())


def test_the_kept_files_are_those_that_are_read() -> None:
    report = (PLAYBOOKS / "report.yml").read_text()
    ((play),) = tasks("site.yml")
    assert f"stack_state_dir ~ '/{play['vars']['timings_kept']}'" in report
    (kept,) = [one for one in tasks("tasks/prove.yml") if "proofs.json" in str(one.get("localcloud.stack.state_file"))]
    assert kept["localcloud.stack.state_file"]["dest"].endswith("/proofs.json")
    # A run that measures other figures changes nothing.
    assert kept["changed_when"] is False
    assert "stack_state_dir ~ '/proofs.json'" in report


def test_they_go_with_the_stack() -> None:
    assert re.search(r"'/proofs\.json'.*'/report\.\*'", (PLAYBOOKS / "tasks/teardown_stack.yml").read_text())


def test_an_emulators_resources_are_compared_at_its_endpoint_alone() -> None:
    (compared,) = [one for one in tasks("tasks/report_look.yml") if "rescue" in one]
    asks = compared["block"][0]["vars"]["aws_resources_look_into_aws"]

    def asked(**known: Any) -> str:
        return Environment(autoescape=False).from_string(asks).render(known)

    answered = {"account": {"id": "000000000000"}}
    assert asked(stack_info=answered, stack_emulated=True, aws_resources_endpoint_url="") == "False"
    assert asked(stack_info=answered, stack_emulated=True, aws_resources_endpoint_url="http://10.0.0.1:30566") == "True"
    assert asked(stack_info=answered, stack_emulated=False, aws_resources_endpoint_url="") == "True"
    assert (
        asked(stack_info={"msg": "x"}, stack_emulated=True, aws_resources_endpoint_url="http://10.0.0.1:30566")
        == "False"
    )
