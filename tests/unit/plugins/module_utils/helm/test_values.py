"""What a chart's schema refuses is said with its path, before Helm would say it in the middle of a run."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.helm.values import problems, refused

PROJECT = Path(__file__).resolve().parents[5]
# What Helm 3.22 writes.
SAID = """coalesce.go:237: warning: skipped value for shop.web.image: Not a table.
Error: values don't meet the specifications of the schema(s) in the following chart(s):
shop:
- at '': additional properties 'nonsense' not allowed
- at '/db/password': 'hush' does not match pattern '^[a-z]{8}$'
- at '/url': 'db://hush@db' does not match pattern '^http'
web:
- at '/ports/1': got string, want integer
- at '/annotations/a~1b': oneOf failed, none matched
  - at '/annotations/a~1b': got null, want string
"""


def helm(command: list[str], data: str) -> tuple[int, str, str]:
    done = subprocess.run(command, input=data, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_each_refusal_has_its_path_and_not_the_value() -> None:
    assert problems(SAID, "shop") == [
        "values: additional properties 'nonsense' not allowed (values.schema.json of the chart shop)",
        "values.db.password: does not match pattern '^[a-z]{8}$' (values.schema.json of the chart shop)",
        "values.url: does not match pattern '^http' (values.schema.json of the chart shop)",
        "values.web.ports[1]: got string, want integer (values.schema.json of the chart shop)",
        "values.web.annotations.a/b: oneOf failed, none matched (values.schema.json of the chart shop)",
    ]
    assert problems("Error: template: shop/templates/a.yaml:1: nil pointer", "shop") == []


@pytest.mark.parametrize(
    ("chart", "values", "says"),
    [
        ("pipeline", {}, []),
        ("pipeline", {"producer": {"rate": "x"}, "consumer": {"replicas": -1}}, ["values.producer.rate: ", "values.consumer.replicas: "]),
        ("users-api", {"nonsense": 1}, ["values: additional properties 'nonsense' not allowed"]),
    ],
)  # fmt: skip
def test_helm_says_so_of_our_charts(chart: str, values: dict[str, Any], says: list[str]) -> None:
    found = refused(helm, os.environ["HELM"], str(PROJECT / "charts" / chart), values)
    assert len(found) == len(says)
    assert all(one.startswith(start) for one, start in zip(found, says, strict=True)), found


def test_nothing_is_pulled_for_it() -> None:
    def never(command: list[str], data: str) -> tuple[int, str, str]:
        raise AssertionError(command)

    assert refused(never, "helm", "oci://charts.example/shop", {"a": 1}) == []


def test_what_fails_for_another_reason_is_left_to_the_installation(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (tmp_path / "values.schema.json").write_text(json.dumps({"required": ["a"]}))
    (tmp_path / "templates/a.yaml").write_text('{{ fail "needs a cluster" }}')
    assert refused(helm, os.environ["HELM"], str(tmp_path), {"a": 1}) == []
    (found,) = refused(helm, os.environ["HELM"], str(tmp_path), {})
    assert found.startswith("values: missing property 'a'")
