"""Lists and maps of settings are refused where -e gives them as text, before templates stumble over that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
NOT_CHECKED = {
    # A module takes text for a list.
    "cluster_allowed_contexts",
    # Checked with all that it is part of.
    "localstack_service_ingress_source_ranges",
    # What packages and images hold, which may not be built yet when settings are checked; nobody types it.
    "crossplane_providers",
    "crossplane_functions",
    "crossplane_apis",
    "crossplane_crd_folders",
    "apps_images",
}
COLLECTIONS = {
    name: (path.parts[-3], option["type"])
    for path in sorted(PROJECT.glob("roles/*/meta/argument_specs.yml"))
    for name, option in yaml.safe_load(path.read_text())["argument_specs"]["main"].get("options", {}).items()
    if option.get("type") in ("list", "dict") and name not in NOT_CHECKED
}


def test_there_are_such_settings() -> None:
    assert COLLECTIONS["crossplane_scopes"] == ("crossplane", "list")
    assert COLLECTIONS["apps_values"] == ("apps", "dict")


@pytest.mark.parametrize("name", COLLECTIONS)
def test_text_is_refused_for_it(name: str) -> None:
    role, wanted = COLLECTIONS[name]
    files = [PROJECT / "roles" / role / "vars/main.yml", PROJECT / "roles" / role / "tasks/validate.yml"]
    text = " ".join(path.read_text() for path in files if path.exists())
    checked = re.findall(r"\{([^{}]*)\}\s*\|\s*localcloud\.stack\.text_problems(\('map'\))?", text)
    assert any(f"'{name}': {name}" in names and bool(is_map) == (wanted == "dict") for names, is_map in checked)
