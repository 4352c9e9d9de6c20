#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: port_forward
short_description: Keep a port of this machine forwarded to a Service
version_added: 0.1.0
description:
  - Runs C(kubectl port-forward) under supervisord, so that it outlives the playbook and the pods behind the Service.
  - If the pod that it leads to no longer exists, it is led to another one, which is not a change. Pods of the Service that are ending are waited
    for, as C(kubectl) would take the oldest of them.
  - The port is derived from the folder and checked to be free, so that several stacks share a machine.
author:
  - localcloud.stack contributors (@localcloud)
options:
  state:
    description: Whether the port is to be forwarded.
    type: str
    choices: [present, absent]
    default: present
  folder:
    description: Folder of the forward's state. It belongs to this forward alone.
    type: path
    required: true
  kubectl:
    description: The command C(kubectl).
    type: path
    default: kubectl
  kubeconfig:
    description: The kubeconfig.
    type: path
  context:
    description: Its context.
    type: str
  namespace:
    description: Namespace of the Service.
    type: str
  service:
    description: Name of the Service.
    type: str
  service_port:
    description: Port of the Service.
    type: int
  local_port:
    description: The port of this machine. By default one that is found.
    type: int
  timeout:
    description: How many seconds to wait until the port answers.
    type: int
    default: 30
extends_documentation_fragment:
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
    details: Says whether the forward would be started or ended.
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Reach the emulator from this machine
  localcloud.stack.port_forward:
    folder: "{{ playbook_dir }}/.localcloud/forward"
    kubeconfig: ~/.kube/config
    context: kind-kind
    namespace: devopstest
    service: localstack
    service_port: 4566
"""

RETURN = r"""
port:
  description: The port on 127.0.0.1.
  returned: when O(state=present); in check mode if it is forwarded already
  type: int
  sample: 23817
"""

import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import (
    WITHOUT_PROXIES,
    api_server,
    is_direct,
    own_networks,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.common.supervised import (
    PORT,
    Program,
    Supervised,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import Api, ApiError, existing
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.client import KubernetesApi

# Seconds in which kubectl notices that a pod no longer exists.
PATIENCE = 0.5
# Pods have 30 s to end if they don't say otherwise.
ENDING_SECONDS = 90
ROUTE = ("kubectl", "kubeconfig", "context", "namespace", "service", "service_port")
SPEC = Spec(
    argument_spec={
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "folder": {"type": "path", "required": True},
        "kubectl": {"type": "path", "default": "kubectl"},
        "kubeconfig": {"type": "path"},
        "context": {"type": "str"},
        "namespace": {"type": "str"},
        "service": {"type": "str"},
        "service_port": {"type": "int"},
        "local_port": {"type": "int"},
        "timeout": {"type": "int", "default": 30},
    },
    required_if=[("state", "present", ROUTE)],
)


def result(arguments: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do what is asked. Raises SupervisedError."""
    forward = Supervised(Path(arguments["folder"]))
    if arguments["state"] == "absent":
        return {"changed": forward.folder.exists() if check_mode else forward.stop()}
    program = program_of(arguments)
    changed = not forward.fits(program)
    if check_mode:
        forward.check(program)
        return {"changed": changed} if changed else {"changed": False, "port": forward.record["port"]}
    wait_for_ending_pods(arguments)
    port = forward.start(program, arguments["timeout"])
    if not leads_somewhere(port):
        # Started again it finds the pods that are there now; nothing that was asked for has changed.
        forward.stop()
        port = forward.start(program, arguments["timeout"])
    return {"changed": changed, "port": port}


def wait_for_ending_pods(arguments: dict[str, Any]) -> None:
    """Wait until none of the Service's pods is ending. Raises WaitError, KubernetesError and ApiError.

    Of several pods kubectl takes the one that has been ready for longest, also while that one ends.
    """
    api = KubernetesApi(arguments["kubeconfig"], arguments["context"])
    api.connect()
    service = f"{arguments['namespace']}/{arguments['service']}"
    wait_for(f"pods of the Service {service} that are ending", lambda: ending_pods(api, arguments), ENDING_SECONDS)


def ending_pods(api: Api, arguments: dict[str, Any]) -> str | None:
    """The names of the Service's pods that are ending, or None. Raises ApiError."""
    base = f"/api/v1/namespaces/{arguments['namespace']}"
    selector = ((existing(api, f"{base}/services/{arguments['service']}") or {}).get("spec") or {}).get("selector")
    if not selector:
        return None
    labels = ",".join(f"{name}={value}" for name, value in selector.items())
    pods = api.get(f"{base}/pods", {"labelSelector": labels})["items"]
    return ", ".join(one["metadata"]["name"] for one in pods if one["metadata"].get("deletionTimestamp")) or None


def leads_somewhere(port: int) -> bool:
    """Whether a connection stays open; kubectl accepts it and closes it at once if the pod that it leads to no longer exists."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            return bool(connection.recv(1))
    except TimeoutError:
        return True
    except OSError:
        return False


def program_of(arguments: dict[str, Any]) -> Program:
    """kubectl with the route that is asked for; it ends when a pod goes, and is started again."""
    service = f"service/{arguments['service']}"
    kubeconfig = arguments["kubeconfig"]
    server = urlsplit(api_server(kubeconfig, arguments["context"]) or "").hostname
    return Program(
        argv=[
            *(WITHOUT_PROXIES if server and is_direct(server, own_networks()) else ()),
            arguments["kubectl"], "--kubeconfig", kubeconfig, "--context", arguments["context"],
            "--namespace", arguments["namespace"], "port-forward", "--address", "127.0.0.1", service,
            f"{PORT}:{arguments['service_port']}",
        ],
        port=arguments["local_port"],
        hint=f"Is the Service {arguments['namespace']}/{arguments['service']} there with ready pods?",
    )  # fmt: skip


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    if problem := missing_packages("kubernetes", "psutil", "supervisor", "yaml"):
        raise ModuleError(problem)
    try:
        return result(params, check_mode)
    except OSError as error:
        raise ModuleError(str(error)) from error
    except ApiError as error:
        raise ModuleError(
            f"The pods of the Service can't be looked at: {error.message}. Look at kubeconfig and context."
        ) from error


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
