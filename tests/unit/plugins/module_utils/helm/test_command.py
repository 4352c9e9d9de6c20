"""Helm's command lines, and which Helm is alive."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.helm import command as helm_command
from ansible_collections.localcloud.stack.plugins.module_utils.helm.command import (
    RUN_VARIABLE,
    Chart,
    Helm,
    Where,
    is_alive,
    major_version,
    new_run,
)
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import KubernetesError

WHERE = Where("/nowhere/config", "kind", "shops")
CLUSTER = ["/bin/helm", "--kubeconfig", "/nowhere/config", "--kube-context", "kind", "--namespace", "shops"]


class Recorded:
    """Takes the place of run_command."""

    def __init__(self, code: int = 0, output: str = "", errors: str = "") -> None:
        self.answer = (code, output, errors)
        self.command: list[str] = []
        self.options: dict[str, Any] = {}

    def __call__(self, command: list[str], **options: Any) -> tuple[int, str, str]:
        self.command, self.options = command, options
        return self.answer


def test_an_upgrade_names_owner_and_run_from_the_first_moment_and_hides_values() -> None:
    recorded = Recorded()
    chart = Chart("shop", "https://charts.example.org", "1.2.0")
    Helm(recorded, "/bin/helm", WHERE, "shop", 300).upgrade(
        chart, {"key": "hush-hush"}, {"owner": "me", "run": "r"}, True, None
    )
    assert recorded.command == [
        *CLUSTER,
        *("upgrade", "--install", "shop", "shop", "--reset-values", "--values", "-", "--labels", "owner=me,run=r"),
        *("--repo", "https://charts.example.org", "--version", "1.2.0", "--create-namespace", "--timeout", "300s"),
    ]
    assert recorded.options["data"] == '{"key": "hush-hush"}'


def test_the_way_back_and_out() -> None:
    recorded = Recorded()
    helm = Helm(recorded, "/bin/helm", WHERE, "shop", 60)
    helm.rollback(3, None)
    assert recorded.command == [*CLUSTER, "rollback", "shop", "3", "--timeout", "60s"]
    helm.uninstall()
    assert recorded.command == [*CLUSTER, "uninstall", "shop", "--wait", "--timeout", "60s"]
    assert recorded.options["data"] is None


@pytest.mark.parametrize(
    ("major", "method", "forced"),
    [(4, None, True), (4, "ssa", True), (4, "csa", False), (3, None, False), (3, "ssa", False), (3, "csa", False)],
)
def test_fields_that_others_have_set_are_no_conflict(major: int, method: str | None, forced: bool) -> None:
    """Helm 4 has conflicts where it applies on the server, and refuses the option where it does not; Helm 3 knows neither."""
    recorded = Recorded()
    helm = Helm(recorded, "/bin/helm", WHERE, "shop", 60, major)
    helm.upgrade(Chart("shop"), {}, {}, False, method)
    assert ("--force-conflicts" in recorded.command) is forced
    helm.rollback(3, method)
    assert ("--force-conflicts" in recorded.command) is forced


@pytest.mark.parametrize(("said", "major"), [("v3.13.0+g825e86f\n", 3), ("v3.22.0\n", 3), ("v4.3.2\n", 4)])
def test_which_helm_it_is(said: str, major: int) -> None:
    recorded = Recorded(0, said)
    assert major_version(recorded, "/bin/helm") == major
    assert recorded.command == ["/bin/helm", "version", "--short"]
    assert recorded.options["environ_update"] == {"KUBECONFIG": os.devnull}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((1, "Client: v2.17.0+ga690bad\n", "Error: could not find tiller\n"), "Helm 2.17 is not supported"),
        ((0, "v3.12.3\n", ""), "Helm 3.12 is not supported"),
        ((0, "v5.0.0\n", ""), "Helm 5.0 is not supported"),
        (
            (127, "", "no such\nfile\n"),
            "does not say which Helm it is. Install .*, then run again. It says: no such file.",
        ),
        ((3, "", ""), "It says: exit code 3."),
    ],
)
def test_another_helm_is_refused(answer: tuple[int, str, str], message: str) -> None:
    with pytest.raises(
        KubernetesError, match="/bin/helm can't be used: .*Install Helm 3.13 or later, or Helm 4"
    ) as caught:
        major_version(Recorded(*answer), "/bin/helm")
    assert re.search(message, caught.value.message), caught.value.message


def test_variables_that_lead_helm_elsewhere_are_empty_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HELM_KUBEAPISERVER", "HELM_KUBETOKEN", "HELM_DRIVER", "HELM_NAMESPACE", "HELM_KUBECONTEXT"):
        monkeypatch.setenv(name, "elsewhere")
    recorded = Recorded()
    Helm(recorded, "/bin/helm", WHERE, "shop", 300).rollback(1, None)
    changed = recorded.options["environ_update"]
    assert {changed[name] for name in os.environ if name.startswith("HELM_K") or name == "HELM_DRIVER"} == {""}
    assert changed["HELM_NAMESPACE"] == ""


def test_what_helm_says_is_told() -> None:
    helm = Helm(Recorded(1, "", "a\nb\n\nError: UPGRADE FAILED: no\n"), "/bin/helm", WHERE, "shop", 300)
    with pytest.raises(KubernetesError) as caught:
        helm.rollback(1, None)
    assert "did not roll back the release shop: a b Error: UPGRADE FAILED: no." in caught.value.message
    silent = Helm(Recorded(3), "/bin/helm", WHERE, "shop", 300)
    with pytest.raises(KubernetesError) as caught:
        silent.uninstall()
    assert "did not uninstall the release shop: exit code 3." in caught.value.message


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows another process's environment")
def test_a_run_is_alive_as_long_as_a_process_of_it() -> None:
    run = new_run()
    assert is_alive(run) is False
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={RUN_VARIABLE: run})
    try:
        assert is_alive(run) is True
        assert is_alive(new_run()) is False
    finally:
        process.communicate(b"\n")
    assert is_alive(run) is False


def test_a_run_of_another_machine_is_not_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert is_alive("a1b2c3d4e5f6.000000000000") is None
    monkeypatch.setattr(helm_command, "BOOT", tmp_path / "none")
    run = new_run()
    assert len(run) <= 63
    assert is_alive(run) is None
