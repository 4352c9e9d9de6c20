"""Each tool of `make check-charts` finds what is planted for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[2]
CHART = {"apiVersion": "v2", "name": "bad", "version": "0.1.0", "sources": ["nowhere"]}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "check-bad"},
    "spec": {
        "hostNetwork": True,
        "restartPolcy": "Never",
        "containers": [{"name": "a", "image": "a", "securityContext": {"privileged": True}}],
    },
}
SUITE = {"tests": [{"it": "fails", "asserts": [{"equal": {"path": "metadata.name", "value": "good"}}]}]}
RULES = {"groups": [{"name": "g", "rules": [{"record": "a:b", "expr": "sum(a"}]}]}
GOOD = {"groups": [{"name": "g", "rules": [{"record": "a:b", "expr": "vector(1)"}]}]}
EXPECTED = {"expr": "a:b", "eval_time": "1m", "exp_samples": [{"labels": "a:b", "value": 2}]}
RULE_TEST = {"rule_files": ["../../rules/good.yml"], "tests": [{"promql_expr_test": [EXPECTED]}]}


def test_every_tool_finds_what_is_planted_in_a_chart(tmp_path: Path) -> None:
    files = {
        "bad/Chart.yaml": CHART,
        "bad/templates/pod.yaml": POD,
        "bad/tests/pod_test.yaml": SUITE,
        "bad/rules/bad.yml": RULES,
        "bad/rules/good.yml": GOOD,
        "bad/tests/rules/good.yml": RULE_TEST,
        "bad/dashboards/bad.json": {"panels": [{"type": "row"}, {"targets": [{"expr": "rate(a[$__rate_interval]"}]}]},
        "accepted-findings.yml": [{"tool": "t", "check": "c", "where": ["Pod/gone"], "reason": "r"}],
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((json.dumps if name.endswith(".json") else yaml.safe_dump)(content))
    command = [sys.executable, "scripts/check_charts.py", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    for told in (
        "helm lint: bad: ",
        "helm-unittest test: bad: ",
        "promtool check: bad/rules/bad.yml: ",
        "promtool query: bad/dashboards/bad.json: ",
        "promtool test: bad/tests/rules/good.yml: ",
        "kubeconform schema: Pod/check-bad: ",
        "kube-score container-security-context-privileged: Pod/check-bad: ",
        "checkov CKV_K8S_16: Pod/check-bad: ",
        "checkov CKV_DOCKER_2: apps/producer/Dockerfile: ",
        "t c: Pod/gone: accepted, but not found any more",
    ):
        assert told in done.stdout, told
    assert "restartPolcy" in done.stdout
    # The mistake's line.
    assert re.search(r"bad\.yml: 4:\d+: .*unclosed left parenthesis", done.stdout), done.stdout
