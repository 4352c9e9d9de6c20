"""The action that warns of what an emulator does not do: what it says, when it fails, and when it reads nothing."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.localcloud.stack.plugins.action import engine_gaps
from ansible_collections.localcloud.stack.plugins.modules.engine_gaps import DOCUMENTATION

SUBSCRIPTIONS = {"subscriptions": [{"topic": "a", "queue": "b", "dead_letter_queue": "c"}]}


def run(**arguments: Any) -> dict[str, Any]:
    task = MagicMock(args=arguments, check_mode=False, async_val=0)
    loader: Any = MagicMock()
    return engine_gaps.ActionModule(task, MagicMock(), MagicMock(), loader, MagicMock(), None).run(None, {})


def test_a_gap_is_a_warning() -> None:
    result = run(declared=SUBSCRIPTIONS, engine="ministack")
    assert result["changed"] is False
    (warning, *_more) = result["warnings"]
    assert warning.startswith("aws_resources_subscriptions[0].dead_letter_queue: ")
    assert result["gaps"][0]["paths"] == ("aws_resources_subscriptions[0].dead_letter_queue",)


def test_a_gap_may_only_be_counted() -> None:
    result = run(declared=SUBSCRIPTIONS, engine="ministack", warn=False)
    assert "warnings" not in result
    assert result["gaps"]


def test_a_strict_run_fails_with_all_gaps() -> None:
    declared = {**SUBSCRIPTIONS, "tables": [{"name": "t", "point_in_time_recovery": True}]}
    with pytest.raises(AnsibleActionFail) as error:
        run(declared=declared, engine="ministack", strict=True)
    assert "No resource was declared or changed: " in str(error.value)
    assert "aws_resources_tables[0].point_in_time_recovery: " in str(error.value)
    assert "Also: aws_resources_subscriptions[0].dead_letter_queue: " in str(error.value)


@pytest.mark.parametrize(
    ("declared", "engine"),
    [(SUBSCRIPTIONS, "aws"), (SUBSCRIPTIONS, ""), ({"queues": [], "tables": []}, "ministack")],
)
def test_nothing_is_read_where_nothing_can_be_lost(
    declared: dict[str, Any], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_gaps, "ENGINES", None)
    assert run(declared=declared, engine=engine, strict=True) == {
        "changed": False,
        "gaps": [],
        "note": "",
        "refused": [],
    }


def test_another_version_is_said_with_its_gaps() -> None:
    warnings = run(declared=SUBSCRIPTIONS, engine="ministack", version="99.0")["warnings"]
    assert warnings[0].startswith("MiniStack 99.0 has not been measured; what MiniStack ")


@pytest.mark.parametrize("strict", [False, True])
def test_what_would_never_be_ready_is_refused(strict: bool) -> None:
    with pytest.raises(
        AnsibleActionFail, match=r"aws_resources_subscriptions\[0\]: would never be ready on Floci 1.7.0"
    ):
        run(declared=SUBSCRIPTIONS, engine="floci", version="1.7.0", strict=strict)
    only_told = run(declared=SUBSCRIPTIONS, engine="floci", version="1.7.0", warn=False)
    assert len(only_told["refused"]) == 1


def test_missing_measurements_are_an_error(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_gaps, "ENGINES", tmp_path)
    with pytest.raises(AnsibleActionFail, match="Install the collection again"):
        run(declared=SUBSCRIPTIONS, engine="ministack")


def test_what_is_documented_is_what_it_takes() -> None:
    options = yaml.safe_load(DOCUMENTATION)["options"]
    documented = {
        name: {key: value for key, value in one.items() if key != "description"} for name, one in options.items()
    }
    assert documented == engine_gaps.ARGUMENTS
