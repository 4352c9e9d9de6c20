# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys of a blueprint. Pure.

Descriptions are what docs/blueprints.md and the editor's schema show.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from ansible_collections.localcloud.stack.plugins.module_utils.argocd.git_publish import url_problem
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import ENTRIES
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.fields import Flag, Model, Whole, short
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.models import AfterValidator, Field

ADDITIONS = ("ingress", "metrics-server", "monitoring", "argocd")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
DNS_LABEL = re.compile(r"(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?")
# https://helm.sh/docs/chart_template_guide/builtin_objects/: at most 53, as charts append to it.
LONGEST_RELEASE = 53
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


def _name(value: str) -> str:
    if not re.fullmatch(r"(?=.{1,40}$)[a-z][a-z0-9_-]*", value):
        raise ValueError(
            f"{short(value)} is not a blueprint's name: 1 to 40 lower-case letters, digits, '-' and '_', a letter first"
        )
    return value


def _label(value: str) -> str:
    if not DNS_LABEL.fullmatch(value):
        raise ValueError(f"{short(value)} is not a name of Kubernetes: 1 to 63 lower-case letters, digits and '-'")
    return value


def _release(value: str) -> str:
    if len(_label(value)) > LONGEST_RELEASE:
        raise ValueError(f"{short(value)} has {len(value)} characters; Helm takes {LONGEST_RELEASE}")
    return value


def _port(value: int) -> int:
    if not 1 <= value <= 65535:
        raise ValueError(f"{value} is not a port, 1 to 65535")
    return value


def _node_port(value: int) -> int:
    # https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport
    if value and not 30000 <= value <= 32767:
        raise ValueError(f"{value} is not a node port, 30000 to 32767")
    return value


def _region(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", value):
        raise ValueError(f"{short(value)} is not a region of AWS, such as eu-west-1")
    return value


def _repository(value: str) -> str:
    if value and (problem := url_problem(value)):
        raise ValueError(problem)
    return value


Label = Annotated[str, AfterValidator(_label)]
Port = Annotated[Whole, AfterValidator(_port)]
When = Annotated[Flag, Field(description="The entry counts only where this is true.")]


class Place(Model):
    """Where the AWS resources are made; what is left out is the stack's."""

    region: Annotated[str, AfterValidator(_region)] | None = Field(None, description="The AWS region.")
    provider_config: Label | None = Field(
        None, description="The ProviderConfig of Crossplane, which is made where it is not there; by default `default`."
    )
    prefix: str | None = Field(
        None, description="What the names of the Kubernetes objects of AWS resources begin with."
    )
    tags: dict[str, str] = Field(
        default_factory=dict, description="Tags of all AWS resources, in addition to stack_tags."
    )


class Check(Model):
    that: Flag = Field(description="What must be true, a template.")
    message: str = Field(min_length=1, description="What is wrong otherwise, and what to do.")


class Release(Model):
    name: Annotated[str, AfterValidator(_release)] = Field(description="Name of the Helm release.")
    chart: str = Field(
        min_length=1, description="The chart: a folder, relative to the blueprint's, or a reference that Helm pulls."
    )
    version: str | None = Field(None, description="Version of a chart that Helm pulls.")
    values: dict[str, Any] = Field(
        default_factory=dict,
        description="The chart's values. In their templates `release.name` and `release.credentials` are this release's.",
    )
    when: When = True


class Address(Model):
    title: str | None = Field(None, description="What the summary calls it; by default its name.")
    service: Label = Field(description="The Service that it leads to.")
    port: Port = Field(80, description="The Service's port.")
    node_port: Annotated[Whole, AfterValidator(_node_port)] = Field(
        0,
        description="In the embedded node, the Service's node port; without one, and elsewhere, a port of 127.0.0.1 is forwarded.",
    )
    host: str = Field("", description="The name of its Ingress, which the summary shows as well.")
    paths: dict[str, str] = Field(
        default_factory=dict, description="Pages of it that the summary shows: path by title."
    )
    when: When = True


class EventProof(Model):
    topic: str | None = Field(None, description="The topic that the event is published to.")
    queue: str | None = Field(
        None, description="The queue that it travels through; without a topic, the one that it is sent to."
    )
    until: Literal["table", "queue", "bucket"] = Field("table", description="Where it is expected.")
    table: str | None = Field(None, description="The table that its item is expected in.")
    key: str = Field("Id", description="The table's hash key, which has the event's ID.")
    destination_queue: str | None = Field(None, description="The queue that it is expected in, if not `queue`.")
    bucket: str | None = Field(None, description="The bucket that its object is expected in.")
    prefix: str = Field("", description="What the object's key begins with.")
    body: Any = Field(None, description="The message, with `${id}` where the event's ID goes; by default gosoline's.")
    message_attributes: dict[str, Any] | None = Field(None, description="Attributes that it is sent with.")
    message_group_id: str | None = Field(None, description="Its message group, for FIFO.")
    count: Whole = Field(1, description="How many events are sent.")
    timeout: Whole = Field(60, description="Seconds within which they arrive.")


class HttpProof(Model):
    steps: Any = Field(description="Requests and the answers expected, as the module http_probe takes them.")
    timeout: Whole = Field(60, description="Seconds for all of them.")


class Proof(Model):
    name: str | None = Field(None, description="What it proves, for the summary.")
    event: EventProof | None = Field(None, description="An event that is sent and expected elsewhere.")
    http: HttpProof | None = Field(None, description="Requests with the answers that are expected.")
    tasks: str | None = Field(None, description="A file of Ansible tasks, relative to the blueprint's folder.")
    when: When = True


class GitOps(Model):
    """Argo CD rolls the releases out, as a Git repository says, and Ansible does not."""

    environment: Label = Field(
        description="Name of this environment: of its project in Argo CD, and of the values files `values-<environment>.yaml` next to the charts' own."
    )
    repository: Annotated[str, AfterValidator(_repository)] = Field(
        "",
        description="URL of your Git repository, without credentials, which Argo CD has. Empty: the embedded node's own, into which the charts are published.",
    )
    branch: str = Field("main", min_length=1, description="The branch that is followed.")
    path: str = Field("charts", description="The folder in it that has the charts' folders.")
    when: When = True


class Function(Model):
    name: Label
    package: str = Field(description="Its package: a part of toolchain/parts.yml, or a reference.")
    image: str = Field("", description="Its image, where its package's own is not pulled.")


class Note(Model):
    text: str = Field(min_length=1)
    when: When = True


class Composites(Model):
    apis: list[str] = Field(default_factory=list, description="Folders with definition.yaml and composition.yaml.")
    functions: list[Function] = Field(default_factory=list, description="Composition functions that these use.")
    objects: list[dict[str, Any]] = Field(
        default_factory=list, description="Composite resources, and managed ones of other kinds."
    )
    when: When = True


class Blueprint(Model):
    """What runs together: AWS resources, Helm releases, and how it is proved."""

    schema_line: str | None = Field(None, alias="$schema", description="For editors; nothing reads it here.")
    name: Annotated[str, AfterValidator(_name)] | None = Field(None, description="By default the folder's name.")
    description: str = Field("", description="One sentence for people.")
    variables: dict[str, Any] = Field(
        default_factory=dict,
        description="Variables of this blueprint with their defaults, for its templates. An inventory or `-e` replaces them; null means that one must.",
    )
    checks: list[Check] = Field(default_factory=list, description="What must be true before anything is touched.")
    namespace: Label | None = Field(None, description="Where the releases live; by default the blueprint's name.")
    place: Place = Field(
        default_factory=Place, description="Where the AWS resources are made; what is left out is the stack's."
    )
    aws: dict[str, Any] = Field(
        default_factory=dict,
        description=f"AWS resources: the lists {', '.join(ENTRIES)}, as the role aws_resources takes them.",
    )
    composites: Composites = Field(
        default_factory=Composites, description="Resources by APIs of Crossplane's compositions."
    )
    images: dict[str, Any] = Field(
        default_factory=dict,
        description="Images by name: build, archive, pull or part, as the role cluster takes them.",
    )
    releases: list[Release] = Field(default_factory=list, description="Helm releases.")
    gitops: GitOps | None = Field(
        None, description="Follow a Git repository by Argo CD, instead of Helm releases by Ansible."
    )
    additions: list[Literal["ingress", "metrics-server", "monitoring", "argocd"]] = Field(
        default_factory=list, description="What the embedded node gets in addition."
    )
    addresses: dict[str, Address] = Field(
        default_factory=dict,
        description="Where it answers this machine. Each is `stack.urls.<name>` in templates, <NAME>_URL in .localcloud/env, and in the summary.",
    )
    notes: list[Note] = Field(default_factory=list, description="Sentences that the summary must not leave out.")
    tables: list[str] = Field(
        default_factory=list, description="Tables whose newest items the summary shows; by default all of `aws.tables`."
    )
    links: dict[str, str] = Field(default_factory=dict, description="More addresses that the summary shows, by title.")
    proofs: list[Proof] = Field(default_factory=list, description="How it is proved.")
