# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs Helm for one release, and tells whether the Helm of a run is alive."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
import sys
import tempfile
import typing as t
import uuid
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import RunCommand
from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import (
    cluster_variables,
    own_networks,
    proxy_exception,
    server_of,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.module_utils.common.supported import helm_problem, parsed
from ansible_collections.localcloud.stack.plugins.module_utils.helm import renderer as helm_renderer
from ansible_collections.localcloud.stack.plugins.module_utils.helm.renderer import Scaled
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import KubernetesError

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml

Json = dict[str, t.Any]
# Seconds in which a Helm says which one it is.
VERSION_SECONDS = 20

# By this variable a run of ours is found among the processes.
RUN_VARIABLE = "LOCALCLOUD_HELM_RUN"
# Lines of Helm's own report that a message quotes.
QUOTED = 3
QUOTED_WORDS = 30
# Since Helm 4 objects are applied on the server, with their fields' managers, where the record of the last revision says so or there is none.
SERVER_SIDE_SINCE = 4
SERVER_SIDE = "ssa"
RENDERER = "localcloud-replicas"
PLUGIN = {"apiVersion": "v1", "name": RENDERER, "version": "1.0.0", "type": "postrenderer/v1", "runtime": "subprocess"}
BOOT = Path("/proc/sys/kernel/random/boot_id")
PROCESSES = Path("/proc")


class Chart(t.NamedTuple):
    """Where a chart is: a folder or reference, and of a repository its URL and the version."""

    reference: str
    repository: str | None = None
    version: str | None = None


class Where(t.NamedTuple):
    """A cluster by kubeconfig and context, each None for what Helm takes then, and a namespace."""

    kubeconfig: str | None
    context: str | None
    namespace: str

    @property
    def arguments(self) -> list[str]:
        return [
            *(["--kubeconfig", self.kubeconfig] if self.kubeconfig else []),
            *(["--kube-context", self.context] if self.context else []),
            *("--namespace", self.namespace),
        ]

    @property
    def environment(self) -> dict[str, str]:
        """Changes of the environment, so that nothing in it leads Helm elsewhere; an empty variable counts as none for Helm."""
        server = server_of(_content(self.kubeconfig), self.context)
        return {
            **dict.fromkeys(cluster_variables(os.environ), ""),
            **proxy_exception(server, os.environ, own_networks()),
        }


class Helm:
    """Helm for one release. C(major): its major version, as major_version() finds it."""

    def __init__(
        self, run_command: RunCommand, binary: str, where: Where, name: str, timeout: int, major: int = 3
    ) -> None:
        self._run_command, self._name, self._major = run_command, name, major
        self._command, self._namespace = [binary, *where.arguments], where.namespace
        self._timeout = ["--timeout", f"{timeout}s"]
        self.run = new_run()
        self._environment = {**where.environment, RUN_VARIABLE: self.run}

    def upgrade(
        self,
        chart: Chart,
        values: Json,
        labels: t.Mapping[str, str],
        create_namespace: bool,
        method: str | None,
        scaled: t.Sequence[Scaled] = (),
    ) -> None:
        """Install or upgrade it. The labels are in Helm's record from its first moment. Raises KubernetesError.

        C(method): how the newest revision's objects were applied; None where the release is not installed. C(scaled): workloads
        that keep the number of replicas that others have set.
        """
        with tempfile.TemporaryDirectory(prefix="localcloud-helm-") as folder:
            renderer, environment = self._renderer(Path(folder), scaled) if scaled else ([], {})
            self._upgrade(chart, values, labels, create_namespace, [*self._conflicts(method), *renderer], environment)

    def _upgrade(
        self,
        chart: Chart,
        values: Json,
        labels: t.Mapping[str, str],
        create_namespace: bool,
        more: t.Sequence[str],
        environment: t.Mapping[str, str],
    ) -> None:
        self._do(
            "install or upgrade",
            ["upgrade", "--install", self._name, chart.reference, "--reset-values", "--values", "-"],
            ["--labels", ",".join(f"{key}={value}" for key, value in labels.items())],
            ["--repo", chart.repository] if chart.repository else [],
            ["--version", chart.version] if chart.version else [],
            ["--create-namespace"] if create_namespace else [],
            more,
            values=values,
            environment=environment,
        )

    def _renderer(self, folder: Path, scaled: t.Sequence[Scaled]) -> tuple[list[str], dict[str, str]]:
        """The post-renderer's options and variables, with its program in a folder. For Helm 3 it is a command, for Helm 4 a plugin."""
        program = folder / "renderer.py"
        program.write_text(inspect.getsource(helm_renderer))
        command = [sys.executable, str(program), helm_renderer.argument(scaled, self._namespace)]
        if self._major < SERVER_SIDE_SINCE:
            given = [f"--post-renderer-args={one}" for one in command[1:]]
            return [f"--post-renderer={command[0]}", *given], {}
        plugin = folder / "plugins" / RENDERER
        plugin.mkdir(parents=True)
        described = {"command": command[0], "args": command[1:2]}
        (plugin / "plugin.yaml").write_text(json.dumps({**PLUGIN, "runtimeConfig": {"platformCommand": [described]}}))
        # Those that Helm has may fetch charts.
        _code, others, _errors = self._run_command([self._command[0], "env", "HELM_PLUGINS"])
        plugins = os.pathsep.join([str(plugin.parent), *others.split("\n")[:1]])
        return [f"--post-renderer={RENDERER}", f"--post-renderer-args={command[2]}"], {"HELM_PLUGINS": plugins}

    def rollback(self, revision: int, method: str | None) -> None:
        """Go back to a revision whose objects were applied by this method. Raises KubernetesError."""
        self._do("roll back", ["rollback", self._name, str(revision)], self._conflicts(method))

    def _conflicts(self, method: str | None) -> list[str]:
        """What lets fields that others have set be set as the chart declares them, as Helm 3 always does.

        Helm 4 applies a new release on the server, and any other one as its last revision was; on the client it refuses this option.
        """
        return ["--force-conflicts"] if self._major >= SERVER_SIDE_SINCE and method in (None, SERVER_SIDE) else []

    def uninstall(self) -> None:
        """Remove it, and wait until its objects are deleted. Raises KubernetesError."""
        self._do("uninstall", ["uninstall", self._name, "--wait"])

    def _do(
        self,
        what: str,
        *arguments: t.Sequence[str],
        values: Json | None = None,
        environment: t.Mapping[str, str] | None = None,
    ) -> None:
        code, output, errors = self._run_command(
            [*self._command, *(one for some in arguments for one in some), *self._timeout],
            # Not by an argument or a file: values may be secrets.
            data=None if values is None else json.dumps(values),
            environ_update={**self._environment, **(environment or {})},
        )
        if code:
            said = [line.strip() for line in (errors.strip() or output.strip()).splitlines() if line.strip()]
            raise KubernetesError(
                f"Helm did not {what} the release {self._name}: {printable(' '.join(said[-QUOTED:])) or f'exit code {code}'}. "
                "Correct the cause that Helm names, then run again."
            )


def version_said(run_command: RunCommand, binary: str) -> tuple[int, str, str]:
    """What a Helm says of its version: exit code, output, errors. Raises CommandError where it can't be started or does not end."""
    # Without a cluster, as Helm 2 would also ask its server there.
    nowhere = {"KUBECONFIG": os.devnull}
    return run_command([binary, "version", "--short"], environ_update=nowhere, timeout=VERSION_SECONDS)


def major_version(run_command: RunCommand, binary: str) -> int:
    """The major version of a Helm that is supported. Raises KubernetesError for any other program, CommandError for none."""
    code, output, errors = version_said(run_command, binary)
    version, problem = parsed(output), helm_problem(output)
    if version is None or problem:
        said = (
            ""
            if output.strip()
            else f" It says: {printable(' '.join(errors.split()[-QUOTED_WORDS:])) or f'exit code {code}'}."
        )
        raise KubernetesError(f"{binary} can't be used: {problem}{said}")
    return version[0]


def _content(kubeconfig: str | None) -> Json:
    """What a kubeconfig says; nothing where it can't be read, which Helm tells."""
    try:
        found = yaml.safe_load(Path(kubeconfig).expanduser().read_text()) if kubeconfig else None
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def new_run() -> str:
    """A name for a run, valid as a label's value; it begins with where the run's processes can be seen."""
    return f"{place()}.{uuid.uuid4().hex[:12]}"


def place() -> str:
    """The machine since its start, and what of its processes is visible from here; empty where that can't be known."""
    try:
        seen = f"{BOOT.read_text()} {os.readlink(PROCESSES / 'self/ns/pid')}"
    except OSError:
        return "elsewhere"
    return hashlib.sha256(seen.encode()).hexdigest()[:12]


def is_alive(run: str) -> bool | None:
    """Whether a Helm of this run is among the processes; None where it may run but can't be seen from here."""
    if run.partition(".")[0] != place() or place() == "elsewhere":
        return None
    wanted = f"{RUN_VARIABLE}={run}".encode()
    for process in PROCESSES.glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if wanted in process.read_bytes().split(b"\0"):
                return True
    return False
