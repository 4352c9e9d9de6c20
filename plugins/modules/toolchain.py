#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: toolchain
short_description: Build the parts of the embedded node
version_added: 0.1.0
description:
  - Builds what is missing of the parts listed in C(toolchain/parts.yml) from package registries alone (Go module proxy, Debian, PyPI, npm),
    and says how far it is.
  - Results lie in a cache that is addressed by a digest of each part's inputs and shared by all checkouts of a user.
author:
  - localcloud.stack contributors (@localcloud)
options:
  project:
    description: The collection's root folder, which has C(toolchain/) and C(apps/).
    type: path
    required: true
  parts:
    description: Names of the parts that are wanted. What they need to be built is built as well.
    type: list
    elements: str
    required: true
  images:
    description:
      - "Images by a name of their own, each with one of: C(build), a folder with a Dockerfile (C(context), C(dockerfile), C(requirements),
        C(sources), C(arguments)); C(archive), the path of an OCI or docker archive; C(pull), a reference in a registry; C(part), a part
        that is an image. C(published) is not used here."
      - Everything that is wrong with them, or that a registry does not have, is named at once before anything is built.
    type: dict
    default: {}
  refresh:
    description: Ask registries again what tags name. Else a tag stays what it was when it was asked for first.
    type: bool
    default: false
  build:
    description: Build what is missing. Otherwise that is refused.
    type: bool
    default: true
  keep_downloads:
    description: Keep module downloads and compilers' caches after something was compiled. Without them a changed part takes longer.
    type: bool
    default: true
  kubernetes:
    description: The minor version of Kubernetes, such as V(1.36), of which those parts are that depend on it. By default the one that
      C(toolchain/parts.yml) pins.
    type: str
    default: ""
  cache:
    description: The cache. By default C($XDG_CACHE_HOME/localcloud) or C(~/.cache/localcloud).
    type: path
extends_documentation_fragment:
  - localcloud.stack.attributes
  - localcloud.stack.attributes.controller
attributes:
  check_mode:
    support: full
    details:
      - Builds nothing; O(parts) that are missing are returned in RV(missing).
      - RV(parts) is empty then, unless only images are missing. Their paths are those that they are going to have.
  diff_mode:
    support: none
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Build what the node is made of
  localcloud.stack.toolchain:
    project: "{{ playbook_dir }}"
    parts: [kubernetes, helm]

- name: Build an image of a folder, and fetch another one
  localcloud.stack.toolchain:
    project: "{{ playbook_dir }}"
    parts: []
    images:
      web: {build: {context: /home/me/orders/web}}
      cache: {pull: "docker.io/library/redis:7.4"}
"""

RETURN = r"""
missing:
  description: The parts that were not in the cache, in the order in which they are built.
  returned: always
  type: list
  elements: str
  sample: [helm]
parts:
  description: For each wanted part its folder, the digest of its inputs and its image reference, if it is an image.
  returned: when nothing is missing any more
  type: dict
  sample: {"helm": {"path": "/home/me/.cache/localcloud/parts/helm-85177a8226592a1b", "digest": "85177a8226592a1b", "image": null}}
images:
  description: The reference of each of O(images), by its name.
  returned: always
  type: dict
  sample: {"web": "localhost/localcloud/web:0a5d5b8d3f4d8c4b"}
image_parts:
  description: Under which name in RV(parts) each of O(images) is.
  returned: always
  type: dict
  sample: {"web": "image-web-6f1ed002"}
versions:
  description: The pinned version of each part that has one.
  returned: always
  type: dict
  sample: {"helm": "v4.3.2"}
"""
