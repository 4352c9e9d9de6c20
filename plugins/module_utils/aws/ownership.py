# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose an AWS resource is: the rule by which one is taken over, changed or removed. Pure, but for the C(observe) it is given.

An AWS resource is ours if its tags C(localcloud.dev/owner) and C(localcloud.dev/cluster) are ours, next to those that Crossplane
sets. One without tags belongs to the resource that it is a part of. One that a managed object of ours made before these tags
existed has only Crossplane's, and stays ours as long as no tag names another owner.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import (
    ExternalResource,
    Json,
    Observed,
    made_by_crossplane,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import CLUSTER, OWNER
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import label
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable

Observe = t.Callable[[t.Sequence[ExternalResource]], Observed]
Tags = t.Mapping[str, t.Any]

AWS_GROUP = re.compile(r"[a-z0-9-]+\.aws(?:\.m)?\.upbound\.io")
# Composites of our own kinds hand the labels on as tags.
OWN_GROUP = "localcloud.dev"
CROSSPLANE_NAME, CROSSPLANE_KIND = "crossplane-name", "crossplane-kind"


class Identity(t.NamedTuple):
    """Who we are in AWS: our owner, and the cluster by the UID of its namespace kube-system."""

    owner: str
    cluster: str

    @property
    def tags(self) -> dict[str, str]:
        return {OWNER: self.owner, CLUSTER: self.cluster}

    def has(self, tags: Tags) -> bool:
        """Whether both tags are ours."""
        return bool(self.owner) and all(str(tags.get(name, "")) == value for name, value in self.tags.items())


class Holder(t.NamedTuple):
    """Who has an AWS resource, as far as its tags tell (empty: nothing). C(part_of) is the resource that has the tags instead."""

    external_name: str
    owner: str = ""
    cluster: str = ""
    crossplane: str = ""
    part_of: str = ""

    @classmethod
    def of(cls, tags: Tags, external_name: str, part_of: str = "") -> Holder:
        made_for = [str(tags[one]) for one in (CROSSPLANE_KIND, CROSSPLANE_NAME) if tags.get(one)]
        owner, cluster = (str(tags.get(one) or "") for one in (OWNER, CLUSTER))
        return cls(external_name, owner, cluster, "/".join(made_for), part_of)

    def described(self, us: Identity) -> str:
        """The holder in a message."""
        where = f"{self.part_of}, of which it is a part, has" if self.part_of else "it has"
        crossplane = f" (Crossplane made it for {self.crossplane})" if self.crossplane else ""
        if self.owner == us.owner and self.cluster:
            return (
                f"{where} our owner {self.owner}, but cluster {self.cluster}, while this one is {us.cluster}{crossplane}: "
                "another cluster manages it, or managed it until that cluster was removed or made again"
            )
        if self.owner or self.cluster:
            cluster = "of this cluster" if self.cluster == us.cluster else f"of cluster {self.cluster or 'unknown'}"
            return f"{where} owner {self.owner or 'unknown'} {cluster}{crossplane}"
        if self.crossplane:
            return f"{where} no tag {OWNER}; another Crossplane, or an older version of this collection, made it for {self.crossplane}"
        return f"{where} neither a tag {OWNER} nor tags of Crossplane: made by hand or by another tool"


def is_ours(tags: Tags, obj: Json, us: Identity) -> bool:
    """Whether AWS's tags say that this cluster's Crossplane made it for this object of ours."""
    return us.has(tags) and made_by_crossplane({"tags": tags}, obj)


def names_another(tags: Tags, obj: Json, us: Identity) -> bool:
    """Whether AWS's tags name another owner, or another object, although a managed object of ours stands for it."""
    if tags.get(OWNER) or tags.get(CLUSTER):
        return not us.has(tags)
    return bool(tags.get(CROSSPLANE_NAME)) and not made_by_crossplane({"tags": tags}, obj)


class Case(t.NamedTuple):
    """What is asked about one declared object: the cluster's object (None: there is none), and whether its creation has an end."""

    declared: Json
    live: Json | None
    finished: bool = True


def holders(
    cases: t.Sequence[Case], answers: t.Sequence[Json | None], us: Identity, observe: Observe | None
) -> list[Holder | None]:
    """Who else has what AWS answered of each object; None where no other owner has it. Raises what C(observe) raises.

    C(answers) are what AWS has of each (None: nothing). AWS is asked again only about what parts that exist already are parts of,
    where that is not declared itself.
    """
    resources = [ExternalResource.of(one.declared, one.live) for one in cases]
    found = [
        _holder(case, resource, answer, us) for case, resource, answer in zip(cases, resources, answers, strict=True)
    ]
    declared = {_identity(one) for one in resources}
    parts: dict[int, ExternalResource] = {}
    for index, (case, resource, answer) in enumerate(zip(cases, resources, answers, strict=True)):
        whole = parent_of(resource, answer) if case.live is None and answer is not None else None
        if whole and _identity(whole) not in declared:
            parts[index] = whole
    for index, holder in _holders_of_parts(parts, resources, us, observe).items():
        found[index] = holder
    return found


def _holder(case: Case, resource: ExternalResource, answer: Json | None, us: Identity) -> Holder | None:
    tags = (answer or {}).get("tags")
    if tags is None:
        return None
    made_here = case.live is not None and case.finished
    another_s = names_another(tags, case.declared, us) if made_here else not is_ours(tags, case.declared, us)
    return Holder.of(tags, _name_of(resource)) if another_s else None


def _holders_of_parts(
    parts: t.Mapping[int, ExternalResource],
    resources: t.Sequence[ExternalResource],
    us: Identity,
    observe: Observe | None,
) -> dict[int, Holder]:
    wholes = {_identity(one): one for one in parts.values()}
    if not wholes or observe is None:
        return {}
    answers = dict(zip(wholes, observe(list(wholes.values())).found, strict=True))
    found = {}
    for index, whole in parts.items():
        tags = (answers[_identity(whole)] or {}).get("tags")
        if tags is not None and not us.has(tags):
            found[index] = Holder.of(tags, _name_of(resources[index]), f"{whole.kind} {_name_of(whole)}")
    return found


def parent_of(resource: ExternalResource, answer: Json | None) -> ExternalResource | None:
    """The resource with tags that one without belongs to; None where it has tags itself, or does not say."""
    given = resource.parameters
    # Objects of Kubernetes itself have a version before their kind, as in apps/v1/Deployment.
    service, _slash, kind = resource.kind.rpartition("/")
    place = {"region": given["region"]} if given.get("region") else {}
    if service == "s3" and kind.startswith("Bucket") and kind != "Bucket":
        parent, name, more = "s3/Bucket", given.get("bucket"), {}
    elif service == "sqs" and kind != "Queue":
        name = str(given.get("queueUrl") or "").rsplit("/", 1)[-1]
        parent, more = "sqs/Queue", {"name": name}
    elif resource.kind in ("secretsmanager/SecretVersion", "secretsmanager/SecretPolicy"):
        parent, name, more = "secretsmanager/Secret", given.get("secretId") or given.get("secretArn"), {}
    elif resource.kind == "kms/Alias":
        parent, name, more = "kms/Key", (answer or {}).get("targetKeyId"), {}
    elif resource.kind in ("iam/RolePolicy", "iam/UserPolicy"):
        holder = kind.removesuffix("Policy")
        parent, name, more = f"iam/{holder}", given.get(holder.lower()), {}
    else:
        return None
    return ExternalResource(parent, str(name), {**place, **more}) if name else None


def _name_of(resource: ExternalResource) -> str:
    """The name by which AWS and its users know a resource."""
    return resource.external_name or str(
        resource.parameters.get("name") or resource.parameters.get("bucket") or resource.kind
    )


def _identity(resource: ExternalResource) -> tuple[str, str]:
    """The same for two descriptions of one resource: a queue goes by its URL or its name."""
    return resource.kind, _name_of(resource).rsplit("/", 1)[-1] if resource.kind == "sqs/Queue" else _name_of(resource)


def removal_problems(objects: t.Sequence[Json], us: Identity, observe: Observe | None) -> list[str]:
    """Why managed objects of ours must not be deleted: AWS's tags give what they stand for to another owner.

    AWS is asked by C(observe); without it, and of kinds that it has no reader for, the tags count that Crossplane saw last.
    Raises what C(observe) raises.
    """
    bound = [one for one in objects if deletes_in_aws(one)]
    resources = [ExternalResource.of(one, one) for one in bound]
    answers = _answers(resources, observe)
    wholes = [parent_of(resource, answer) for resource, answer in zip(resources, answers, strict=True)]
    known = {_identity(resource): answer for resource, answer in zip(resources, answers, strict=True)}
    unknown = {_identity(one): one for one in wholes if one and _identity(one) not in known}
    known.update(zip(unknown, _answers(list(unknown.values()), observe), strict=True))
    found = []
    for obj, resource, answer, whole in zip(bound, resources, answers, wholes, strict=True):
        if whole:
            tags = (known[_identity(whole)] or {}).get("tags") or {}
            another = bool(tags.get(OWNER) or tags.get(CLUSTER)) and not us.has(tags)
        else:
            tags = _tags_of(obj, answer)
            another = names_another(tags, obj, us)
        if another:
            part_of = f"{whole.kind} {_name_of(whole)}" if whole else ""
            holder = Holder.of(tags, _name_of(resource), part_of)
            found.append(printable(f"{label(row_of(obj))}: AWS has {holder.external_name}, and {holder.described(us)}"))
    return found


def adopted_lines(rows: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """A line for each resource that is taken over, with from whom. C(rows): C(adopted) of crossplane_diff."""
    return [
        printable(f"{label(one)}: {one['external_name']} is taken over; until now {one['held_by']}") for one in rows
    ]


def row_of(obj: Json) -> Json:
    """Kind, name and namespace, as messages take them."""
    metadata = obj["metadata"]
    return {"kind": obj["kind"], **{one: metadata[one] for one in ("name", "namespace") if metadata.get(one)}}


def _answers(resources: t.Sequence[ExternalResource], observe: Observe | None) -> list[Json | None]:
    return observe(resources).found if observe and resources else [{} for _resource in resources]


def _tags_of(obj: Json, answer: Json | None) -> Tags:
    """AWS's tags of a managed object's resource: as it answers now, else as Crossplane saw them last."""
    if answer is None:
        return {}
    if "tags" in answer:
        return answer["tags"] or {}
    return ((obj.get("status") or {}).get("atProvider") or {}).get("tags") or {}


def deletes_in_aws(obj: Json) -> bool:
    """Whether deleting this managed object deletes what it stands for.

    Crossplane does not look at deletionPolicy where managementPolicies are not the default.
    """
    if not AWS_GROUP.fullmatch(obj["apiVersion"].split("/")[0]):
        return False
    spec = obj.get("spec") or {}
    policies = set(spec.get("managementPolicies") or ["*"])
    return spec.get("deletionPolicy") != "Orphan" if policies == {"*"} else bool({"*", "Delete"} & policies)


def marked(objects: t.Sequence[Json], us: Identity, has_tags: t.Callable[[Json], bool]) -> list[Json]:
    """Declared objects with our tags: those that have tags, or whose kind has some, as C(has_tags) tells.

    Composites of our own kinds carry the cluster as a label, and hand both on as tags.
    """
    return [_marked(one, us, has_tags) for one in objects]


def _marked(obj: Json, us: Identity, has_tags: t.Callable[[Json], bool]) -> Json:
    group = obj["apiVersion"].split("/")[0]
    if group == OWN_GROUP:
        labels = {**(obj["metadata"].get("labels") or {}), CLUSTER: us.cluster}
        return {**obj, "metadata": {**obj["metadata"], "labels": labels}}
    spec = obj.get("spec") or {}
    parameters = spec.get("forProvider")
    if not AWS_GROUP.fullmatch(group) or not isinstance(parameters, dict):
        return obj
    if "tags" not in parameters and not has_tags(obj):
        return obj
    tags = {**(parameters.get("tags") or {}), **us.tags}
    return {**obj, "spec": {**spec, "forProvider": {**parameters, "tags": tags}}}
