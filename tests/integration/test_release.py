"""A Helm that is really killed, at each of its operations: what serves goes on serving, and what others do is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
OWNER = "localcloud-test-release"
NAME = "web"
REPLICAS = 2
BAD = "localhost/not-there:1"
# With a hook that hangs where it is told to, as Helm waits for it before it changes anything.
CHART = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {note: "{{ .Values.note }}"}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: {{ .Values.image }}
          imagePullPolicy: Never
          command: [python3, -m, http.server, "8000", --directory, /tmp]
          readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}
{{- if .Values.hangs }}
---
apiVersion: v1
kind: Pod
metadata: {name: hook, annotations: {helm.sh/hook: pre-upgrade, helm.sh/hook-delete-policy: before-hook-creation}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers: [{name: hook, image: {{ .Values.image }}, imagePullPolicy: Never, command: [sleep, "600"]}]
{{- end }}
{{- if .Values.more }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: more, finalizers: {{ .Values.finalizers | toJson }}}
{{- end }}
"""


class Release:
    """The release web in a namespace of its own: Helm by hand, as a colleague uses it, and the module."""

    def __init__(self, stack: Any, namespace: str, chart: Path, eventually: Callable[..., Any]) -> None:
        self.stack, self.namespace, self.chart, self.eventually = stack, namespace, chart, eventually
        self.image = stack.facts["images"]["producer"]
        cluster = ["--kubeconfig", stack.facts["kubeconfig"]]
        self.by_hand = [stack.facts["helm"], *cluster, "--namespace", namespace]

    def values(self, **changed: Any) -> dict[str, Any]:
        return {"image": self.image, "note": "a", "hangs": False, "more": False, "finalizers": [], **changed}

    def helm(self, *arguments: str, **changed: Any) -> subprocess.Popen[str]:
        """Start Helm by hand; with values if it takes some."""
        process = subprocess.Popen(
            [*self.by_hand, *arguments, *(["--values", "-"] if changed else [])], stdin=subprocess.PIPE, text=True
        )
        assert process.stdin
        process.stdin.write(json.dumps(self.values(**changed)))
        process.stdin.close()
        return process

    def killed(self, process: subprocess.Popen[str], status: str) -> None:
        """Kill Helm once its record says so and its changes are in the cluster."""
        self.eventually(lambda: self.statuses()[-1:] == [status])
        process.kill()
        process.wait()
        assert self.statuses()[-1] == status

    def module(self, *options: str, **arguments: Any) -> dict[str, Any]:
        """The result of helm_release, by a process of its own."""
        given = {
            "name": NAME,
            "namespace": self.namespace,
            "owner": OWNER,
            "kubeconfig": self.stack.facts["kubeconfig"],
            "binary_path": self.stack.facts["helm"],
            **arguments,
        }
        done = subprocess.run(
            [
                *(Path(sys.executable).with_name("ansible"), "localhost", "--connection", "local"),
                *("-e", f"ansible_python_interpreter={sys.executable}", *options),
                *("--module-name", "localcloud.stack.helm_release", "--args", json.dumps(given)),
            ],
            cwd=PROJECT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
                "ANSIBLE_FORCE_COLOR": "0",
                "NO_COLOR": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said, _arrow, shown = done.stdout.partition(" => ")
        assert said, done.stderr
        result: dict[str, Any] = json.JSONDecoder().raw_decode(shown)[0]
        return result

    def present(self, *options: str, timeout: int = 300, **changed: Any) -> dict[str, Any]:
        return self.module(*options, chart=str(self.chart), values=self.values(**changed), timeout=timeout)

    def records(self) -> list[dict[str, Any]]:
        found = self.get("secrets", "--selector", f"owner=helm,name={NAME}")
        return sorted(found, key=lambda one: int(one["metadata"]["labels"]["version"]))

    def statuses(self) -> list[str]:
        return [one["metadata"]["labels"]["status"] for one in self.records()]

    def get(self, *what: str) -> list[dict[str, Any]]:
        text = self.stack.kubectl("--namespace", self.namespace, "get", *what, "--output", "json")
        return list(json.loads(text)["items"])

    def pods(self) -> set[str]:
        """The pods that are ready."""
        return {
            one["metadata"]["uid"]
            for one in self.get("pods", "--selector", "app=web")
            if any((c["type"], c["status"]) == ("Ready", "True") for c in one["status"].get("conditions", []))
        }

    def serving(self) -> set[str]:
        """The pods, as soon as as many are ready as there should be."""
        found: set[str] = self.eventually(lambda: pods if len(pods := self.pods()) == REPLICAS else None)
        return found

    def images(self) -> set[str]:
        (found,) = self.get("deployments")
        return {one["image"] for one in found["spec"]["template"]["spec"]["containers"]}


class Counter:
    """How many pods of the Deployment are available, in every state that the API server knew it in."""

    def __init__(self, release: Release) -> None:
        command = [release.stack.facts["kubectl"], "--kubeconfig", release.stack.facts["kubeconfig"]]
        path = 'jsonpath={.status.availableReplicas}{"\\n"}'
        self._watch = subprocess.Popen(
            [*command, "-n", release.namespace, "get", "deployment", "web", "--watch", "--output", path],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.seen: list[int] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        release.eventually(lambda: self.seen)

    def _read(self) -> None:
        assert self._watch.stdout
        self.seen += (int(line or 0) for line in self._watch.stdout)

    def end(self) -> set[int]:
        self._watch.terminate()
        self._watch.wait()
        self._thread.join()
        return set(self.seen)


@pytest.fixture
def release(stack: Any, namespace: str, tmp_path: Path, eventually: Any) -> Release:
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "web", "version": "1.0.0"}))
    (tmp_path / "templates/all.yaml").write_text(CHART)
    return Release(stack, namespace, tmp_path, eventually)


@pytest.fixture
def counter(release: Release) -> Iterator[Callable[[], Counter]]:
    counters: list[Counter] = []

    def start() -> Counter:
        counters.append(Counter(release))
        return counters[-1]

    yield start
    for one in counters:
        one.end()


def test_a_killed_upgrade_goes_back_without_an_interruption(release: Release, counter: Any) -> None:
    assert release.present()["actions"] == ["install"]
    served = release.serving()
    upgrade = release.helm("upgrade", NAME, str(release.chart), "--wait", image=BAD)
    release.eventually(lambda: release.images() == {BAD})
    release.killed(upgrade, "pending-upgrade")
    count = counter()

    # Nobody knows that it was killed: it might be a colleague's that works.
    refused = release.present()
    assert "revision 2 is pending-upgrade since" in refused["msg"]
    assert "'Preparing upgrade'" in refused["msg"]
    assert (release.statuses(), release.images()) == (["deployed", "pending-upgrade"], {BAD})

    foretold = release.present("--check", "--diff", timeout=1)
    assert foretold["actions"] == ["roll back to revision 1"]
    assert release.statuses() == ["deployed", "pending-upgrade"]
    assert release.present(timeout=1)["actions"] == foretold["actions"]
    assert release.statuses() == ["superseded", "pending-upgrade", "deployed"]
    assert release.images() == {release.image}
    assert release.present()["changed"] is False
    assert release.serving() == served
    assert count.end() == {REPLICAS}


@pytest.mark.nightly
def test_then_the_wanted_upgrade_goes_on(release: Release, counter: Any) -> None:
    release.present()
    served = release.serving()
    release.killed(release.helm("upgrade", NAME, str(release.chart), "--wait", image=BAD), "pending-upgrade")
    count = counter()
    assert release.present("--check", timeout=1, note="b")["actions"] == ["roll back to revision 1", "upgrade"]
    assert release.present(timeout=1, note="b")["actions"] == ["roll back to revision 1", "upgrade"]
    (deployment,) = release.get("deployments")
    assert deployment["metadata"]["labels"]["note"] == "b"
    assert release.serving() == served, "the pods did not differ"
    assert count.end() == {REPLICAS}
    labels = release.records()[-1]["metadata"]["labels"]
    assert (labels["status"], labels["localcloud.dev/owner"]) == ("deployed", OWNER)


def test_a_run_of_ours_that_was_killed_is_known_at_once(release: Release, counter: Any) -> None:
    """By its process, however young its record is; and as long as it lives it is left alone."""
    release.present()
    served = release.serving()
    background = threading.Thread(target=lambda: release.present(hangs=True))
    background.start()
    release.eventually(lambda: release.statuses()[-1] == "pending-upgrade")
    count = counter()
    assert "another run of this stack" in release.present(timeout=1)["msg"]
    (helm,) = (
        one
        for one in psutil.process_iter(["cmdline"])
        if (one.info["cmdline"] or [""])[0] == release.stack.facts["helm"] and release.namespace in one.info["cmdline"]
    )
    helm.kill()
    background.join()
    assert release.present()["actions"] == ["roll back to revision 1"]
    assert release.present()["changed"] is False
    assert release.serving() == served
    assert count.end() == {REPLICAS}


@pytest.mark.nightly
def test_a_killed_rollback_goes_back_to_what_is_deployed(release: Release, counter: Any) -> None:
    release.helm("install", NAME, str(release.chart), "--labels", f"localcloud.dev/owner={OWNER}", image=BAD).wait()
    release.present()
    served = release.serving()
    release.killed(release.helm("rollback", NAME, "1", "--wait"), "pending-rollback")
    release.eventually(lambda: release.images() == {BAD})
    count = counter()
    assert release.present(timeout=1)["actions"] == ["roll back to revision 2"]
    assert release.statuses() == ["superseded", "superseded", "pending-rollback", "deployed"]
    assert release.images() == {release.image}
    assert release.serving() == served
    assert count.end() == {REPLICAS}


@pytest.mark.nightly
def test_without_a_deployed_revision_the_failed_one_is_not_removed(release: Release) -> None:
    label = ["--labels", f"localcloud.dev/owner={OWNER}"]
    assert release.helm("install", NAME, str(release.chart), *label, "--wait", "--timeout=2s", image=BAD).wait() != 0
    (before,) = release.get("deployments")
    release.killed(
        release.helm("upgrade", NAME, str(release.chart), "--wait", image=BAD, note="b", more=True), "pending-upgrade"
    )
    release.eventually(lambda: any(one["metadata"]["name"] == "more" for one in release.get("configmaps")))
    assert release.statuses() == ["failed", "pending-upgrade"]
    assert release.present(timeout=1)["actions"] == ["roll back to revision 1", "upgrade"]
    release.serving()
    (after,) = release.get("deployments")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert not any(one["metadata"]["name"] == "more" for one in release.get("configmaps"))
    assert release.present()["changed"] is False


@pytest.mark.nightly
def test_what_a_killed_installation_made_is_removed(release: Release) -> None:
    label = ["--labels", f"localcloud.dev/owner={OWNER}"]
    install = release.helm("install", NAME, str(release.chart), *label, "--wait", image=BAD, more=True)
    release.eventually(lambda: release.get("deployments"))
    release.killed(install, "pending-install")
    assert "is pending-install since" in release.present()["msg"]
    assert release.present(timeout=1)["actions"] == ["remove what it had installed", "install"]
    assert release.statuses() == ["deployed"]
    assert not any(one["metadata"]["name"] == "more" for one in release.get("configmaps"))
    release.serving()


@pytest.mark.nightly
def test_a_killed_removal_is_completed(release: Release) -> None:
    release.present(more=True, finalizers=["localcloud.dev/test"])
    release.killed(release.helm("uninstall", NAME, "--wait"), "uninstalling")
    assert "is uninstalling since" in release.present()["msg"]
    let_go = '{"metadata":{"finalizers":null}}'
    release.stack.kubectl("-n", release.namespace, "patch", "configmap", "more", "--type=merge", "--patch", let_go)
    assert release.module("--check", state="absent")["actions"] == ["uninstall"]
    assert release.module(state="absent")["actions"] == ["uninstall"]
    assert (release.statuses(), release.get("deployments")) == ([], [])
    assert release.module(state="absent")["changed"] is False


@pytest.mark.parametrize("label", [[], ["--labels", "localcloud.dev/owner=somebody"]], ids=["unlabelled", "labelled"])
def test_a_release_of_others_stays_as_it_is(release: Release, label: list[str]) -> None:
    release.helm("install", NAME, str(release.chart), *label, note="theirs").wait()
    before = [release.records(), release.get("deployments", "--show-managed-fields")[0]["spec"]]
    for options in (["--check"], []):
        refused = release.present(*options)
        assert f"Helm release/web ({release.namespace}), {'owner somebody' if label else 'no label'}" in refused["msg"]
        removed = release.module(*options, state="absent")
        assert (removed["changed"], [one["name"] for one in removed["kept"]]) == (False, [NAME])
    assert before == [release.records(), release.get("deployments", "--show-managed-fields")[0]["spec"]]
    # Handed over, it is ours.
    record = before[0][-1]["metadata"]["name"]
    release.stack.kubectl(
        "-n", release.namespace, "label", "--overwrite", "secret", record, f"localcloud.dev/owner={OWNER}"
    )
    assert release.present()["actions"] == ["upgrade"]
    assert release.module(state="absent")["actions"] == ["uninstall"]
