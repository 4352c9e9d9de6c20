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
  - RV(blueprint) lists every key that the file may have; C(docs/blueprints.md) explains it.
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
    description: What the blueprint's templates know as C(stack), in addition to what the blueprint itself says.
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
  check_values:
    description:
      - Have Helm compare the releases' values with the C(values.schema.json) of charts that are folders, which takes a tenth of a second for each.
      - The C(helm) of the machine is used, or the one that was built for the embedded node. Where there is neither, nothing is compared.
    type: bool
    default: false
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
  # generated: keys, by `make generate` from plugins/module_utils/blueprint/schema.py
  contains:
    name:
      description: >-
        By default the folder's name.
      type: str
    description:
      description: >-
        One sentence for people.
      type: str
    variables:
      description: >-
        Variables of this blueprint with their defaults, for its templates. An inventory or C(-e) replaces them; null means that one must.
      type: dict
    checks:
      description: >-
        What must be true before anything is touched.
      type: list
      elements: dict
      contains:
        that:
          description: >-
            What must be true, a template.
          type: bool
        message:
          description: >-
            What is wrong otherwise, and what to do.
          type: str
    namespace:
      description: >-
        Where the releases live; by default the blueprint's name.
      type: str
    place:
      description: >-
        Where the AWS resources are made; what is left out is the stack's.
      type: dict
      contains:
        region:
          description: >-
            The AWS region.
          type: str
        provider_config:
          description: >-
            The ProviderConfig of Crossplane, which is made where it is not there; by default C(default).
          type: str
        prefix:
          description: >-
            What the names of the Kubernetes objects of AWS resources begin with.
          type: str
        tags:
          description: >-
            Tags of all AWS resources, in addition to stack_tags.
          type: dict
    aws:
      description: >-
        AWS resources: the lists tables, repositories, event_buses, policies, roles, oidc_providers, users, keys, log_groups, event_rules, instance_profiles,
        streams, buckets, secrets, topics, queues, parameters, alarms, subscriptions, as the role aws_resources takes them.
      type: dict
    composites:
      description: >-
        Resources by APIs of Crossplane's compositions.
      type: dict
      contains:
        apis:
          description: >-
            Folders with definition.yaml and composition.yaml.
          type: list
          elements: str
        functions:
          description: >-
            Composition functions that these use.
          type: list
          elements: dict
          contains:
            name:
              description: >-
                Name
              type: str
            package:
              description: >-
                Its package: a part of toolchain/parts.yml, or a reference.
              type: str
            image:
              description: >-
                Its image, where its package's own is not pulled.
              type: str
        objects:
          description: >-
            Composite resources, and managed ones of other kinds.
          type: list
          elements: dict
        when:
          description: >-
            The entry counts only where this is true.
          type: bool
    images:
      description: >-
        Images by name: build, archive, pull or part, as the role cluster takes them.
      type: dict
    releases:
      description: >-
        Helm releases. Also C(values): The chart's values. In their templates C(release.name) and C(release.credentials) are this release's.
      type: list
      elements: dict
      contains:
        name:
          description: >-
            Name of the Helm release.
          type: str
        chart:
          description: >-
            The chart: a folder, relative to the blueprint's, or a reference that Helm pulls.
          type: str
        version:
          description: >-
            Version of a chart that Helm pulls.
          type: str
        when:
          description: >-
            The entry counts only where this is true.
          type: bool
    gitops:
      description: >-
        Follow a Git repository by Argo CD, instead of Helm releases by Ansible.
      type: dict
      contains:
        environment:
          description: >-
            Name of this environment: of its project in Argo CD, and of the values files C(values-<environment>.yaml) next to the charts' own.
          type: str
        repository:
          description: >-
            URL of your Git repository, without credentials, which Argo CD has. Empty: the embedded node's own, into which the charts are published.
          type: str
        branch:
          description: >-
            The branch that is followed.
          type: str
        path:
          description: >-
            The folder in it that has the charts' folders.
          type: str
        when:
          description: >-
            The entry counts only where this is true.
          type: bool
    additions:
      description: >-
        What the embedded node gets in addition.
      type: list
      elements: str
    addresses:
      description: >-
        Where it answers this machine. Each is C(stack.urls.<name>) in templates, <NAME>_URL in .localcloud/env, and in the summary. A map of names to maps with
        these keys.
      type: dict
      contains:
        title:
          description: >-
            What the summary calls it; by default its name.
          type: str
        service:
          description: >-
            The Service that it leads to.
          type: str
        port:
          description: >-
            The Service's port.
          type: int
        node_port:
          description: >-
            In the embedded node, the Service's node port; without one, and elsewhere, a port of 127.0.0.1 is forwarded.
          type: int
        host:
          description: >-
            The name of its Ingress, which the summary shows as well.
          type: str
        paths:
          description: >-
            Pages of it that the summary shows: path by title.
          type: dict
        when:
          description: >-
            The entry counts only where this is true.
          type: bool
    notes:
      description: >-
        Sentences that the summary must not leave out.
      type: list
      elements: dict
      contains:
        text:
          description: >-
            Text
          type: str
        when:
          description: >-
            The entry counts only where this is true.
          type: bool
    tables:
      description: >-
        Tables whose newest items the summary shows; by default all of C(aws.tables).
      type: list
      elements: str
    links:
      description: >-
        More addresses that the summary shows, by title.
      type: dict
    proofs:
      description: >-
        How it is proved.
      type: list
      elements: dict
      contains:
        name:
          description: >-
            What it proves, for the summary.
          type: str
        event:
          description: >-
            An event that is sent and expected elsewhere.
          type: dict
          contains:
            topic:
              description: >-
                The topic that the event is published to.
              type: str
            queue:
              description: >-
                The queue that it travels through; without a topic, the one that it is sent to.
              type: str
            until:
              description: >-
                Where it is expected.
              type: str
            table:
              description: >-
                The table that its item is expected in.
              type: str
            key:
              description: >-
                The table's hash key, which has the event's ID.
              type: str
            destination_queue:
              description: >-
                The queue that it is expected in, if not C(queue).
              type: str
            bucket:
              description: >-
                The bucket that its object is expected in.
              type: str
            prefix:
              description: >-
                What the object's key begins with.
              type: str
            body:
              description: >-
                The message, with C(${id}) where the event's ID goes; by default gosoline's.
              type: raw
            message_attributes:
              description: >-
                Attributes that it is sent with.
              type: dict
            message_group_id:
              description: >-
                Its message group, for FIFO.
              type: str
            count:
              description: >-
                How many events are sent.
              type: int
            timeout:
              description: >-
                Seconds within which they arrive.
              type: int
        http:
          description: >-
            Requests with the answers that are expected.
          type: dict
          contains:
            steps:
              description: >-
                Requests and the answers expected, as the module http_probe takes them.
              type: raw
            timeout:
              description: >-
                Seconds for all of them.
              type: int
        tasks:
          description: >-
            A file of Ansible tasks, relative to the blueprint's folder.
          type: str
        when:
          description: >-
            The entry counts only where this is true.
          type: bool
  # end of keys
entry:
  description: What is remembered of it once it is brought up, without any secret.
  returned: success
  type: dict
  sample: {folder: /home/me/orders, overrides: {}, suffix: -orders, namespace: orders, releases: [orders]}
"""
