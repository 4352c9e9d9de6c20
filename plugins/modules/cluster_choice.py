#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_choice
short_description: Decide which Kubernetes cluster a run uses
version_added: 0.1.0
description:
  - Decides between the kubeconfig's cluster and one of the checkout's own, which is a kind cluster in Docker or Podman, or the embedded node. Touches no
    cluster that was not allowed.
  - An existing cluster is asked for its version, so that one that does not answer is found at once.
author:
  - localcloud.stack contributors (@localcloud)
options:
  mode:
    description:
      - V(auto) takes the kubeconfig's cluster if its context is allowed, or named by O(context) or O(kubeconfig); else the checkout's own cluster
        if there is one (O(last)); else a kind cluster where Docker answers, or Podman where it does not; else the embedded node, on Linux as root.
      - V(kubeconfig), which V(existing) is an older name of, V(kind) and V(embedded) take that one.
    type: str
    choices: [auto, kind, embedded, kubeconfig, existing]
    default: auto
  last:
    description: Which cluster of its own the checkout has already; empty for none.
    type: str
    choices: ["", kind, embedded]
    default: ""
    version_added: 0.2.0
  kind_folder:
    description: The folder in which is remembered what was made of the checkout's kind cluster. It stays in Docker or Podman, as it was made.
    type: path
    version_added: 0.2.0
  kubeconfig:
    description: The kubeconfig. By default the first file of E(KUBECONFIG), else C(~/.kube/config).
    type: path
  context:
    description: The context to use. By default the kubeconfig's current one.
    type: str
  allowed_contexts:
    description: Contexts that may be used.
    type: list
    elements: str
    default: []
  checkout:
    description: The folder whose embedded node is meant.
    type: path
    required: true
  node:
    description: The folder of the embedded node. One that was restored from a snapshot of another checkout has that one's name.
    type: path
    version_added: 0.2.0
  commands:
    description: Commands that the embedded node needs, by the Debian package that has them.
    type: dict
    default: {}
  image_delivery:
    description:
      - How images that we build get into an existing cluster.
      - V(auto) takes O(image_registry) if there is one, kind's loading or Docker's own store if the context is named so, else no way of
        our own but V(public) images.
    type: str
    choices: [auto, registry, kind, parts, docker, public]
    default: auto
  image_registry:
    description: A registry that the existing cluster pulls from.
    type: str
    default: ""
extends_documentation_fragment:
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
"""

EXAMPLES = r"""
- name: Choose the cluster
  localcloud.stack.cluster_choice:
    checkout: "{{ playbook_dir }}"
    allowed_contexts: [docker-desktop, kind-kind]
  register: choice
"""

RETURN = r"""
kind:
  description: V(existing), V(kind) or V(embedded).
  returned: success
  type: str
  sample: embedded
context:
  description: The context of the chosen cluster.
  returned: success
  type: str
  sample: localcloud-f2af6c09
stack:
  description: A name for this checkout's stack, which is also the context of its embedded node.
  returned: success
  type: str
  sample: localcloud-f2af6c09
kubeconfig:
  description: The kubeconfig file of an existing cluster.
  returned: when RV(kind) is V(existing)
  type: str
  sample: /root/.kube/config
server:
  description: Address of an existing cluster's API server.
  returned: when RV(kind) is V(existing)
  type: str
  sample: https://127.0.0.1:6443
server_version:
  description: Version of an existing cluster.
  returned: when RV(kind) is V(existing)
  type: str
  sample: v1.37.2
image_delivery:
  description: The way of images into an existing cluster or one of kind, and the kind cluster that they are loaded into.
  returned: when RV(kind) is V(existing) or V(kind)
  type: dict
  sample: {way: kind, kind_cluster: kind}
container_engine:
  description: V(docker) or V(podman), which kind and images use there.
  returned: when RV(kind) is V(existing) or V(kind)
  type: str
  sample: docker
missing_packages:
  description: Debian packages that the embedded node needs and whose commands are not there.
  returned: success
  type: list
  elements: str
  sample: [conntrack]
"""

import functools
import json
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.localcloud.stack.plugins.module_utils.cluster import docker
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.choice import (
    MODES,
    ChoiceError,
    Host,
    Kubeconfig,
    choose,
    explain_unreachable,
)
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.engine import DOCKER, Engine
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.image_delivery import (
    KIND_PREFIX,
    WAYS,
    Delivery,
    choose_delivery,
)
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.kind import remembered_engine
from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import run_command
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.common.supported import (
    cluster_problem,
    helm_problem,
    kubectl_problem,
)
from ansible_collections.localcloud.stack.plugins.module_utils.helm.command import version_said
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError, KubernetesError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KubernetesApi
from ansible_collections.localcloud.stack.plugins.module_utils.node import host
from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import key

try:
    import kubernetes
    import yaml

    IMPORT_ERROR = None
except ImportError as error:
    IMPORT_ERROR = error


SPEC = Spec(
    argument_spec={
        "mode": {"type": "str", "choices": list(MODES), "default": "auto"},
        "last": {"type": "str", "choices": ["", "kind", "embedded"], "default": ""},
        "kind_folder": {"type": "path"},
        "kubeconfig": {"type": "path"},
        "context": {"type": "str"},
        "allowed_contexts": {"type": "list", "elements": "str", "default": []},
        "checkout": {"type": "path", "required": True},
        "node": {"type": "path"},
        "commands": {"type": "dict", "default": {}},
        "image_delivery": {"type": "str", "choices": ["auto", *WAYS], "default": "auto"},
        "image_registry": {"type": "str", "default": ""},
    },
)


def kubeconfig_path(given: str | None) -> str:
    """The given kubeconfig, or the one that kubectl would take first."""
    first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return given or first or str(Path.home() / ".kube/config")


def read_contexts(path: str) -> tuple[list[str], str | None]:
    """Names of the contexts and of the current one. Raises ChoiceError for a broken file."""
    if not os.path.exists(path):
        return [], None
    try:
        contexts, current = kubernetes.config.list_kube_config_contexts(path)
    except (yaml.YAMLError, AttributeError, TypeError, UnicodeDecodeError) as error:
        raise ChoiceError(
            f"The kubeconfig {path} can't be read: {' '.join(str(error).split())}. Mend or remove it, then run again."
        ) from None
    except kubernetes.config.ConfigException as error:
        if "No configuration found" in str(error) or "current-context" in str(error):
            return [], None
        raise ChoiceError(f"The kubeconfig {path} can't be read: {error}") from None
    return [context["name"] for context in contexts], current["name"]


def server_of(path: str, context: str) -> tuple[str, str]:
    """The cluster's address, and its version as it answers. Raises ChoiceError."""
    api = KubernetesApi(path, context)
    try:
        api.connect()
        answer = api.get("/version", {})
    except KubernetesError as error:
        raise ChoiceError(error.message) from None
    except ApiError as error:
        status = f"{error.status} " if error.status else ""
        raise ChoiceError(explain_unreachable(context, status + error.message)) from None
    if "gitVersion" not in answer:
        raise ChoiceError(explain_unreachable(context, "it tells no version: is this a Kubernetes API server?"))
    return api.server(), str(answer["gitVersion"])


def run(arguments: dict[str, Any], _check_mode: bool) -> dict[str, Any]:
    if IMPORT_ERROR is not None:
        raise ModuleError(missing_required_lib("kubernetes"))
    path = kubeconfig_path(arguments["kubeconfig"])
    if arguments["kubeconfig"] and not os.path.exists(path):
        raise ChoiceError(f"The kubeconfig {path} is not there.")
    contexts, current = read_contexts(path)
    own = f"localcloud-{key(arguments['checkout'])}"
    node = node_name(arguments["node"]) or own
    machine = Host(platform.system(), os.geteuid() == 0, host.has_cgroups())
    known = Kubeconfig(contexts, arguments["context"] or current, bool(arguments["context"] or arguments["kubeconfig"]))
    last_engine = remembered_engine(Path(arguments["kind_folder"])) if arguments["kind_folder"] else ""
    state = functools.cache(lambda: docker.find(shutil.which, ask, os.environ, last_engine))
    kind, context = choose(
        arguments["mode"], known, arguments["allowed_contexts"], own, machine, state, arguments["last"], node
    )
    stack = node if kind == "embedded" else own
    result: dict[str, Any] = {"kind": kind, "context": context, "stack": stack, "missing_packages": []}
    if kind == "embedded":
        missing = [name for name, command in arguments["commands"].items() if not there(command)]
        return {**result, "missing_packages": missing}
    delivery, engine = delivered(arguments, context, state().engine if kind == "kind" else None)
    result |= {"image_delivery": delivery._asdict(), "container_engine": engine.name}
    return result if kind == "kind" else {**result, **existing(path, context, delivery, engine)}


def delivered(arguments: dict[str, Any], context: str, own: Engine | None) -> tuple[Delivery, Engine]:
    """The way of images into the context's cluster, and what that uses. C(own): what a cluster of our own is in."""
    here = docker.installed(shutil.which, ask)
    # The command kind is got where a cluster of our own is made.
    tools = {*here, *(["kind"] if own or shutil.which("kind") else [])}
    delivery = choose_delivery(arguments["image_delivery"], context, arguments["image_registry"], tools)
    # Docker Desktop's own cluster has Docker's images.
    return delivery, DOCKER if delivery.way == "docker" else own or docker.used(here, os.environ)


def node_name(folder: str | None) -> str:
    """The name of the embedded node in this folder; empty where there is none."""
    try:
        return str(json.loads((Path(folder) / "node.json").read_text())["identity"]["name"]) if folder else ""
    except (OSError, ValueError, LookupError, TypeError):
        return ""  # there is none, or it is made again


def existing(path: str, context: str, delivery: Delivery, engine: Engine) -> dict[str, Any]:
    """What is known of a cluster that is there. Raises ChoiceError: it can't be used."""
    needed = delivery.way in ("kind", "parts", "docker") or context.startswith(KIND_PREFIX)
    if needed and (problem := docker.redirected(engine, os.environ)):
        raise ChoiceError(problem)
    server, version = server_of(path, context)
    if problems := version_problems(version):
        raise ChoiceError(" ".join(problems))
    return {"kubeconfig": path, "server": server, "server_version": version}


def ask(command: list[str]) -> tuple[int, str, str]:
    return run_command(command, timeout=docker.ANSWER_SECONDS)


def version_problems(cluster: str) -> list[str]:
    """What is wrong with the cluster's version and with the Helm and kubectl that are installed, which may be none."""
    problems = [cluster_problem(cluster)]
    if shutil.which("helm"):
        _code, said, _errors = version_said(run_command, "helm")
        helm = helm_problem(said)
        problems.append(helm and f"{shutil.which('helm')} can't be used: {helm}")
    if shutil.which("kubectl") and problems[0] is None:
        _code, said, _errors = run_command(
            ["kubectl", "version", "--client", "--output=json"], environ_update={"KUBECONFIG": os.devnull}
        )
        problems.append(kubectl_problem(said, cluster))
    return [one for one in problems if one]


def there(command: str) -> bool:
    """Whether a command is found, also in the folders for administrators, or a file of this path is there."""
    return shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is not None or os.path.exists(
        command
    )


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
