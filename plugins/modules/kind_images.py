#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kind_images
short_description: Load images of archives into a kind cluster
version_added: 0.2.0
description:
  - Asks the nodes which images they have, and loads only those that one of them lacks.
options:
  cluster:
    description: Name of the kind cluster.
    type: str
    required: true
  archives:
    description: Paths of archives, as C(docker save) writes them, by the reference that each one's image has.
    type: dict
    required: true
  container_engine:
    description: What the nodes are containers of.
    type: str
    choices: [docker, podman]
    default: docker
    version_added: 0.2.0
  commands:
    description: Paths of the commands C(docker) or C(podman), and C(kind), where they are not those of E(PATH).
    type: dict
    default: {}
extends_documentation_fragment:
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
    details: Asks the nodes what they have, and loads nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: localcloud.stack.docker_images
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Load what was built
  localcloud.stack.kind_images:
    cluster: kind
    archives:
      localhost/localcloud/web:0a5d5b8d3f4d8c4b: /home/me/web.tar
"""

RETURN = r"""
loaded:
  description: The images that a node did not have.
  returned: success
  type: list
  elements: str
  sample: ["localhost/localcloud/web:0a5d5b8d3f4d8c4b"]
"""

import os
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.cluster.docker import redirected
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.docker_images import load_archives, with_commands
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.engine import DOCKER, ENGINES
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError

SPEC = Spec(
    argument_spec={
        "cluster": {"type": "str", "required": True},
        "archives": {"type": "dict", "required": True},
        "container_engine": {"type": "str", "choices": list(ENGINES), "default": DOCKER.name},
        "commands": {"type": "dict", "default": {}},
    },
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    engine = ENGINES[params["container_engine"]]
    if problem := redirected(engine, os.environ):
        raise ModuleError(problem)
    loaded = load_archives(
        params["archives"], params["cluster"], check_mode, with_commands(params["commands"], engine), engine
    )
    return {"changed": bool(loaded), "loaded": loaded}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
