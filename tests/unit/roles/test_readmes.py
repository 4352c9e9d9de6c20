"""A role's README, its defaults and its argument specs tell the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROLES = sorted((Path(__file__).resolve().parents[3] / "roles").iterdir())


def variables(role: Path) -> tuple[set[str], set[str]]:
    """What has a default, and what must be given."""
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    options = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    return set(defaults), {name for name, option in options.items() if option.get("required")}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_and_argument_specs_name_the_same_variables(role: Path) -> None:
    defaults, required = variables(role)
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())
    assert not defaults & required
    assert defaults | required == set(specs["argument_specs"]["main"]["options"])


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_what_is_checked_ahead_has_the_same_specs(role: Path) -> None:
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    ahead = specs.get("validate", {"options": {}})["options"]
    assert (role / "tasks/validate.yml").is_file() is bool(ahead)
    assert ahead.items() <= specs["main"]["options"].items()


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_readme_names_only_what_there_is(role: Path) -> None:
    text = (role / "README.md").read_text()
    named = set(re.findall(rf"`({role.name}_[a-z_]+)`", text)) - {f"{role.name}_facts", f"{role.name}_foreign"}
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.S)
    ((play,),) = [yaml.safe_load(example)]
    defaults, required = variables(role)
    assert set(play["roles"][0]["vars"]) | named <= defaults | required
    for task in re.findall(r"`tasks_from: (\w+)`", text):
        assert (role / f"tasks/{task}.yml").is_file()
