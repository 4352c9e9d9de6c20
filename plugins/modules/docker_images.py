#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_images
short_description: Make sure that images are in Docker's or Podman's store and in a kind cluster
version_added: 0.1.0
description:
  - Builds, loads or pulls what Docker or Podman does not have, and loads into the nodes of a kind cluster what these do not have.
  - The tag of an image that is built is a digest of its Dockerfile, its context and its arguments, so that what is there is known by its name.
options:
  images:
    description:
      - Images by a name of their own, each with one of C(build), C(archive), C(pull) and C(part), as the variable C(cluster_images) of the role
        P(localcloud.stack.cluster#role) has them.
    type: dict
    required: true
  project:
    description: The collection's root folder, which has C(toolchain/) and C(apps/).
    type: path
    required: true
  build_arguments:
    description: Arguments of every build that does not say otherwise, for example a mirror.
    type: dict
    default: {}
  kind_cluster:
    description: Name of the kind cluster to load the images into. Without one they are brought into that store alone.
    type: str
    default: ""
  container_engine:
    description: The store that the images are made in, and what the kind cluster's nodes are containers of.
    type: str
    choices: [docker, podman]
    default: docker
    version_added: 0.2.0
  commands:
    description: Paths of the commands C(docker) or C(podman), and C(kind), where they are not those of E(PATH).
    type: dict
    default: {}
    version_added: 0.2.0
extends_documentation_fragment:
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
    details: Asks Docker or Podman and the nodes what they have, and builds, pulls and loads nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: A tag in a registry that was pulled once is not pulled again.
seealso:
  - module: localcloud.stack.toolchain
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Bring an application's image into a kind cluster
  localcloud.stack.docker_images:
    project: "{{ playbook_dir }}"
    images:
      web: {build: {context: /home/me/orders/web}}
    kind_cluster: kind
"""

RETURN = r"""
images:
  description: The reference of each image, by its name.
  returned: success
  type: dict
  sample: {"web": "localcloud.local/web:0a5d5b8d3f4d8c4b"}
made:
  description: Names of the images that Docker did not have.
  returned: success
  type: list
  elements: str
  sample: [web]
loaded:
  description: Names of the images that a node of the kind cluster did not have.
  returned: success
  type: list
  elements: str
  sample: [web]
"""

import os
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.cluster.docker import redirected
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.docker_images import bring, with_commands
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.engine import DOCKER, ENGINES
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.images_declared import (
    declared_images,
    image_problems,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import application_images, project_parts

SPEC = Spec(
    argument_spec={
        "images": {"type": "dict", "required": True},
        "project": {"type": "path", "required": True},
        "build_arguments": {"type": "dict", "default": {}},
        "kind_cluster": {"type": "str", "default": ""},
        "container_engine": {"type": "str", "choices": list(ENGINES), "default": DOCKER.name},
        "commands": {"type": "dict", "default": {}},
    },
)


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    engine = ENGINES[params["container_engine"]]
    if problem := missing_packages("yaml") or redirected(engine, os.environ):
        raise ModuleError(problem)
    project = Path(params["project"])
    if problems := image_problems(params["images"], "images", application_images(project_parts(project))):
        raise ModuleError("\n".join(problems))
    arguments = {name: str(value) for name, value in params["build_arguments"].items()}
    images = declared_images(params["images"])
    run_with = with_commands(params["commands"], engine)
    try:
        found = bring(images, project, arguments, params["kind_cluster"], check_mode, run_with, engine)
    except OSError as error:
        raise ModuleError(str(error)) from error
    return {"changed": bool(found.made or found.loaded), **found._asdict()}


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
