#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: blueprint
short_description: Read a blueprint
version_added: 0.2.0
description:
  - Reads the C(blueprint.yml) of a folder, renders its templates, and checks all of it. Whatever is wrong fails the module, all of it
    together, each with file and path. Nothing is touched.
  - C(docs/blueprints.md) describes the file.
author:
  - localcloud.stack contributors (@localcloud)
options:
  blueprint:
    description: Name of a folder in O(ours), or the path of a folder, relative to O(base).
    type: str
    required: true
  ours:
    description: The folder with the collection's own blueprints.
    type: path
    required: true
  base:
    description: What paths are relative to.
    type: path
    required: true
  facts:
    description: What the blueprint's templates know as C(stack), beside what the blueprint itself says.
    type: dict
    default: {}
  target:
    description: Where AWS resources are made, as M(localcloud.stack.crossplane_diff) takes it.
    type: dict
    default: {}
  images:
    description: References of images that the cluster got, by name. Without, templates see placeholders.
    type: dict
  urls:
    description: Where the blueprint's addresses answer, by name. Without, templates see placeholders.
    type: dict
  overrides:
    description: Values of the blueprint's variables that go before those of inventory and command line.
    type: dict
  installed:
    description: Blueprints that are there, as RV(entry), by name. What one shares with them and must not is a mistake.
    type: dict
    default: {}
extends_documentation_fragment:
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
  - localcloud.stack.attributes.controller
"""

EXAMPLES = r"""
- name: Read a blueprint
  localcloud.stack.blueprint:
    blueprint: ../orders
    ours: /usr/share/blueprints
    base: "{{ playbook_dir }}"
    facts: {region: eu-central-1, account: "000000000000", endpoint: "http://localstack.cloud.svc.cluster.local:4566"}
  register: orders
"""

RETURN = r"""
blueprint:
  description: The blueprint with every key, templates rendered and paths absolute.
  returned: success
  type: dict
  sample: {name: orders, namespace: orders, aws: {topics: [{name: orders}]}, releases: [], proofs: []}
entry:
  description: What is remembered of it once it is brought up, without any secret.
  returned: success
  type: dict
  sample: {folder: /home/me/orders, overrides: {}, suffix: -orders, namespace: orders, releases: [orders]}
"""
