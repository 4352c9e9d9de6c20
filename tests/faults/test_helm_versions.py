"""Helm 3 and Helm 4 on one release: what the one has made the other reads, upgrades and heals, as helm_diff says before."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import run_command
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from ansible_collections.localcloud.stack.plugins.module_utils.helm.command import Chart, Helm, Where, major_version
from ansible_collections.localcloud.stack.plugins.module_utils.helm.operation import Outcome, Wanted, install, remove
from ansible_collections.localcloud.stack.plugins.module_utils.helm.release import (
    chart_labels,
    chart_of,
    differences,
    read_release,
)
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KubernetesApi

from tests.faults.api_server import Cluster, parts, running

OWNER = "localcloud-test-helm"
NAME = "web"
HELMS = ("helm-3", "helm")
LIMIT_SECONDS = 60
# Seconds: a Helm time-out that an operation which was killed has outlived.
SHORT = 1
CHART = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {note: "{{ .Values.note }}"}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "{{ .Values.image }}"}]
---
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {note: "{{ .Values.note }}"}
{{- if .Values.more }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: more}
{{- end }}
"""
VALUES = {"note": "a", "image": "web:1", "replicas": 2, "more": False}


class Release:
    """The release web in a namespace of its own: by hand with either Helm, and by the modules."""

    def __init__(self, cluster: Cluster, helms: dict[str, Path], namespace: str, chart: Path) -> None:
        self.cluster, self.helms, self.namespace, self.chart = cluster, helms, namespace, chart

    def by_hand(self, helm: str, *arguments: str, **changed: Any) -> subprocess.Popen[str]:
        """Start a Helm as a colleague does; with values if it takes some."""
        where = ["--kubeconfig", str(self.cluster.kubeconfig), "--namespace", self.namespace]
        process = subprocess.Popen(
            [self.helms[helm], *where, *arguments, *(["--values", "-"] if changed else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdin
        process.stdin.write(json.dumps({**VALUES, **changed}))
        process.stdin.close()
        return process

    def api(self) -> KubernetesApi:
        api = KubernetesApi(str(self.cluster.kubeconfig))
        api.connect()
        return api

    def wanted(self, changed: dict[str, Any], timeout: int = 300) -> Wanted:
        return Wanted(self.namespace, NAME, OWNER, Chart(str(self.chart)), {**VALUES, **changed}, False, timeout)

    def helm(self, name: str) -> Helm:
        where = Where(str(self.cluster.kubeconfig), None, self.namespace)
        binary = str(self.helms[name])
        return Helm(run_command, binary, where, NAME, LIMIT_SECONDS, major_version(run_command, binary))

    def differences(self, **changed: Any) -> list[str]:
        """As helm_diff says."""
        chart = str(self.chart)
        release = read_release(self.api(), self.namespace, NAME)
        return differences(release, chart_of(chart, None), {**VALUES, **changed}, OWNER, chart_labels(chart))

    def present(self, helm: str, check_mode: bool = False, timeout: int = 300, **changed: Any) -> Outcome:
        """As helm_release does."""
        return install(self.api(), self.helm(helm), self.wanted(changed, timeout), check_mode)

    def absent(self, helm: str) -> Outcome:
        return remove(self.api(), self.helm(helm), self.wanted({}), False)

    def brought(self, helm: str, actions: list[str], timeout: int = 300, **changed: Any) -> Outcome:
        """Bring it to these values. helm_diff and check mode say before what is done, and after that nothing is left to do."""
        differing = self.differences(**changed)
        foretold = self.present(helm, True, timeout, **changed)
        assert (foretold.actions, foretold.differences) == (actions, differing)
        done = self.present(helm, False, timeout, **changed)
        assert (done.actions, done.differences) == (actions, differing)
        assert self.differences(**changed) == []
        assert self.present(helm, **changed).actions == []
        assert self.statuses()[-1] == "deployed"
        return done

    def records(self) -> list[dict[str, Any]]:
        """What Helm's records say, oldest first."""
        found = self.get("secrets", "--selector", f"owner=helm,name={NAME}")
        contents = [base64.b64decode(base64.b64decode(one["data"]["release"])) for one in found]
        return sorted((json.loads(gzip.decompress(one)) for one in contents), key=lambda one: int(one["version"]))

    def statuses(self) -> list[str]:
        return [one["info"]["status"] for one in self.records()]

    def get(self, *what: str) -> list[dict[str, Any]]:
        return self.cluster.get(*what, "--namespace", self.namespace)

    def kubectl(self, *arguments: str) -> None:
        self.cluster.kubectl("--namespace", self.namespace, *arguments)

    def deployment(self) -> dict[str, Any]:
        (found,) = self.get("deployments")
        return found

    def killed(self, process: subprocess.Popen[str], status: str, **is_there: str) -> None:
        """Kill Helm once its record says so and its change is in the cluster, and wait until it is older than C(SHORT)."""

        def at_work() -> str | None:
            labels = self.deployment()["metadata"]["labels"] if self.get("deployments") else {}
            seen = (self.statuses()[-1:], labels)
            return None if seen[0] == [status] and is_there.items() <= labels.items() else str(seen)

        wait_for(f"a Helm whose record is {status}", at_work, LIMIT_SECONDS)
        process.kill()
        process.wait()
        assert self.statuses()[-1] == status
        began = datetime.fromisoformat(self.records()[-1]["info"]["last_deployed"])

        def age() -> str | None:
            passed = (datetime.now(UTC) - began).total_seconds()
            return None if passed > SHORT else f"{passed:.1f} s"

        wait_for(f"an operation that is older than {SHORT} s", age, LIMIT_SECONDS)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("api-server")) as found:
        yield found


@pytest.fixture(scope="module")
def helms() -> dict[str, Path]:
    return {name: folder / "helm" for name, folder in parts(*HELMS).items()}


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def release(cluster: Cluster, helms: dict[str, Path], numbers: Iterator[int], tmp_path: Path) -> Release:
    namespace = f"test-{next(numbers)}"
    cluster.kubectl("create", "namespace", namespace)
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "web", "version": "1.0.0"}))
    (tmp_path / "templates/all.yaml").write_text(CHART)
    return Release(cluster, helms, namespace, tmp_path)


# That a Helm goes on with its own releases is what each stack shows, and few go back to the older one.
PAIRS = [
    pytest.param(*pair, marks=[] if pair == HELMS else [pytest.mark.nightly])
    for pair in itertools.product(HELMS, HELMS)
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_release_of_the_one_is_upgraded_and_removed_by_the_other(release: Release, first: str, second: str) -> None:
    release.brought(first, ["install"])
    assert release.present(second).actions == []
    release.brought(second, ["upgrade"], note="b", more=True)
    assert release.deployment()["metadata"]["labels"]["note"] == "b"
    release.brought(first, ["upgrade"], note="c")
    assert release.deployment()["metadata"]["labels"]["note"] == "c"
    assert not [one for one in release.get("configmaps") if one["metadata"]["name"] == "more"]
    release.brought(second, ["upgrade"], note="d")
    assert release.statuses() == ["superseded", "superseded", "superseded", "deployed"]
    assert release.absent(second).actions == ["uninstall"]
    assert (release.records(), release.get("deployments")) == ([], [])


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_what_somebody_deleted_is_put_back_and_upgraded_later(release: Release, first: str, second: str) -> None:
    release.brought(first, ["install"])
    release.kubectl("delete", "deployment/web", "secret/key")
    assert sorted(release.differences()) == ["the Deployment web is missing", "the Secret key is missing"]
    release.brought(second, ["upgrade"])
    # What was put back conflicts with no later upgrade.
    release.brought(second, ["upgrade"], note="b", image="web:2")
    assert release.deployment()["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_what_others_have_set_is_neither_a_difference_nor_a_conflict(release: Release, first: str, second: str) -> None:
    release.brought(first, ["install"])
    release.kubectl("label", "--overwrite", "deployment/web", "note=theirs")
    release.kubectl("set", "image", "deployment/web", "web=theirs:1")
    assert release.differences() == []
    release.brought(second, ["upgrade"], note="b", image="web:2")
    there = release.deployment()
    assert there["metadata"]["labels"]["note"] == "b"
    assert there["spec"]["template"]["spec"]["containers"][0]["image"] == "web:2"


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_number_of_replicas_that_others_have_set_is_theirs(release: Release, first: str, second: str) -> None:
    """Until another one is declared than before; an autoscaler sets it by the same subresource as `kubectl scale`."""
    release.brought(first, ["install"])
    release.kubectl("scale", "deployment/web", "--replicas=5")
    assert release.differences() == []
    kept = "the Deployment web keeps its {} replicas, which kubectl has set; 2 are declared"
    assert release.brought(second, ["upgrade"], note="b").scaled == [kept.format(5)]
    assert release.deployment()["spec"]["replicas"] == 5
    release.kubectl("scale", "deployment/web", "--replicas=7")
    assert release.brought(first, ["upgrade"], note="c").scaled == [kept.format(7)]
    assert release.deployment()["spec"]["replicas"] == 7
    release.brought(second, ["upgrade"], note="c", replicas=3)
    assert release.deployment()["spec"]["replicas"] == 3
    assert release.brought(second, ["upgrade"], note="d", replicas=3).scaled == []


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_killed_upgrade_of_the_one_is_healed_by_the_other(release: Release, first: str, second: str) -> None:
    release.brought(first, ["install"])
    release.kubectl("label", "--overwrite", "deployment/web", "note=theirs")
    label = ["--labels", f"localcloud.dev/owner={OWNER}"]
    force = ["--force-conflicts"] if first == "helm" else []
    upgrade = release.by_hand(first, "upgrade", NAME, str(release.chart), "--wait", *label, *force, note="b", more=True)
    release.killed(upgrade, "pending-upgrade", note="b")
    release.brought(second, ["roll back to revision 1", "upgrade"], timeout=SHORT, note="c")
    assert release.deployment()["metadata"]["labels"]["note"] == "c"
    assert not [one for one in release.get("configmaps") if one["metadata"]["name"] == "more"]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_killed_installation_of_the_one_is_healed_by_the_other(release: Release, first: str, second: str) -> None:
    label = ["--labels", f"localcloud.dev/owner={OWNER}"]
    install = release.by_hand(first, "install", NAME, str(release.chart), "--wait", *label, note="b")
    release.killed(install, "pending-install", note="b")
    release.brought(second, ["remove what it had installed", "install"], timeout=SHORT)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_an_upgrade_that_failed_is_tried_again_by_the_other(release: Release, first: str, second: str) -> None:
    """Also one that its own Helm has rolled back, `--atomic` of Helm 3 and `--rollback-on-failure` of Helm 4."""
    release.brought(first, ["install"])
    back = "--rollback-on-failure" if first == "helm" else "--atomic"
    chart, label = str(release.chart), ["--labels", f"localcloud.dev/owner={OWNER}"]
    failing = release.by_hand(first, "upgrade", NAME, chart, *label, "--wait", "--timeout=1s", note="b")
    assert failing.wait() != 0
    assert release.statuses()[-1] == "failed"
    release.brought(second, ["upgrade"], note="c")
    rolled_back = release.by_hand(first, "upgrade", NAME, chart, *label, back, "--timeout=1s", note="d")
    assert rolled_back.wait() != 0
    release.brought(second, ["upgrade"], note="e")
    assert release.deployment()["metadata"]["labels"]["note"] == "e"
