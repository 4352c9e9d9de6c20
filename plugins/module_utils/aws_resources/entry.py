# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every declared entry has, and how Crossplane's managed resources are put together from it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypeVar

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import (
    ADOPT,
    EXTERNAL_NAME,
    OWNER,
    PART_OF,
    PROTECTION,
)

from .fields import (
    Flag,
    Model,
    ObjectName,
    SecretKey,
    SecretName,
    Tags,
    case_problems,
    reserved_tag_problems,
    tag_problems,
)
from .models import Field
from .target import Target, object_name

Object = dict[str, Any]
# All that Crossplane does to a resource, but for late initialization.
MANAGED = ["Observe", "Create", "Update", "Delete"]
# Where in the entry, and what is wrong there.
Problem = tuple[str, str]


class Sender(NamedTuple):
    """Who sends to a queue: the service, what of it by ARN, and the statement's id."""

    queue: str
    service: str
    arn: str
    sid: str


class Entry(Model):
    """An entry of a list. object_name replaces the derived name of its Kubernetes objects; adopt takes over what exists.

    list_name: the list's name after aws_resources_; described: what it is a list of; notes: what the README says of a field.
    late_initialized: whether the provider may write into the object what AWS has of fields that are not declared. It then
    keeps in AWS what was taken out of the entry, so that each such field needs an empty value of its own (C(cleared)).
    """

    list_name: ClassVar[str]
    described: ClassVar[str]
    notes: ClassVar[Mapping[str, str]] = {}
    late_initialized: ClassVar[bool] = True

    object_name: ObjectName | None = None
    adopt: Flag = False

    @property
    def title(self) -> str:
        """The AWS name, from which object names are derived."""
        return str(getattr(self, "name", ""))

    @classmethod
    def names_in(cls, raw: Mapping[str, Any]) -> list[str]:
        """The names that an entry takes, even if something else is wrong with it."""
        return [raw["name"]] if isinstance(raw.get("name"), str) else []

    def base_name(self, context: Context) -> str:
        """The name of its Kubernetes objects, without the prefix."""
        return self.object_name or object_name(self.title)

    def objects(self, context: Context) -> list[Object]:
        """Its managed resources, the entry's own one first."""
        raise NotImplementedError

    def problems(self, context: Context) -> Iterable[Problem]:
        """What is wrong with it beside the other entries and the target."""
        return ()

    def sends(self, context: Context) -> Iterable[Sender]:
        """What sends to declared queues because of it, whose policies let exactly that."""
        return ()


class TaggedEntry(Entry):
    """Has tags; case_matters says whether AWS takes keys that differ in case only for different ones."""

    case_matters: ClassVar[bool] = True

    tags: Tags = Field(default_factory=dict)

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        yield from (("tags", one) for one in reserved_tag_problems(self.tags))
        if not tag_problems(self.tags):
            yield from (("tags", f"with aws_resources_tags, {one}") for one in tag_problems(self.all_tags(context)))
        if not self.case_matters:
            yield from (("tags", one) for one in case_problems(self.all_tags(context)))

    def all_tags(self, context: Context) -> dict[str, str]:
        return {**context.target.tags, **self.tags}


class ProtectedEntry(TaggedEntry):
    """Holds data: its resources are kept when the entry goes, until it says otherwise."""

    deletion_protection: Flag = True


AnyEntry = TypeVar("AnyEntry", bound=Entry)


@dataclass(frozen=True)
class Context:
    """All that is declared, and where it goes."""

    target: Target
    entries: Sequence[tuple[str, Entry]]
    names: Mapping[str, frozenset[str]]

    @cached_property
    def _groups(self) -> dict[Any, dict[str, list[Any]]]:
        return {}

    @cached_property
    def _by_title(self) -> dict[tuple[str, str], Entry]:
        return {(one.list_name, one.title): one for _path, one in reversed(self.entries)}

    def grouped(
        self, model: type[AnyEntry], names: Callable[[AnyEntry], Iterable[str | None]]
    ) -> Mapping[str, list[AnyEntry]]:
        """The entries of one kind that could be read, by the names that each is asked for; worked out once."""
        if names not in self._groups:
            groups: dict[str, list[Any]] = {}
            for _path, entry in self.entries:
                for name in dict.fromkeys(names(entry)) if isinstance(entry, model) else ():
                    if name is not None:
                        groups.setdefault(name, []).append(entry)
            self._groups[names] = groups
        return self._groups[names]

    @cached_property
    def senders(self) -> Mapping[str, list[Sender]]:
        """Who sends to each queue, without doubles."""
        found: dict[str, dict[Sender, None]] = {}
        for _path, entry in self.entries:
            for one in entry.sends(self):
                found.setdefault(one.queue, {})[one] = None
        return {queue: list(senders) for queue, senders in found.items()}

    def knows(self, list_name: str, name: str) -> bool:
        """Whether a list declares a name."""
        return name in self.names.get(list_name, ())

    def name_of(self, entry: Entry) -> str:
        """The name of an entry's Kubernetes objects."""
        return self.target.prefix + entry.base_name(self)

    def base_name(self, list_name: str, name: str) -> str:
        """The name of the Kubernetes objects of what a list declares by this name, without the prefix."""
        entry = self._by_title.get((list_name, name))
        return entry.base_name(self) if entry else object_name(name)

    def reference(self, list_name: str, name: str) -> Object:
        """A reference to the managed resource of another entry."""
        return {"name": self.target.prefix + self.base_name(list_name, name)}

    def managed(
        self, entry: Entry, service: str, kind: str, parameters: Object, *, part: str = "", external: str = ""
    ) -> Object:
        """A managed resource. part is what is added to the entry's name for another object than its own."""
        own = self.name_of(entry)
        target = self.target
        labels = {OWNER: target.owner}
        annotations = {EXTERNAL_NAME: external} if external else {}
        if entry.adopt:
            annotations[ADOPT] = "true"
        metadata: Object = {"name": object_name(f"{own}.{part}") if part else own, "labels": labels}
        if annotations:
            metadata["annotations"] = annotations
        config: Object = {"name": target.provider_config}
        if target.namespaced:
            metadata["namespace"] = target.namespace
            config["kind"] = target.provider_config_kind
        return {
            "apiVersion": api_version(service, target.namespaced),
            "kind": kind,
            "metadata": metadata,
            "spec": {
                **({} if entry.late_initialized else {"managementPolicies": MANAGED}),
                "forProvider": {**({} if service == "iam" else {"region": target.region}), **parameters},
                "providerConfigRef": config,
            },
        }

    def single(self, block: Object) -> Any:
        """A block that may be there once: a map, but a list of one in the older, cluster-scoped kinds."""
        return block if self.target.namespaced else [block]

    def secret(self, namespace: str | None, name: str) -> Object:
        """A reference to a Kubernetes Secret."""
        return {"name": name} if self.target.namespaced else {"namespace": namespace or "", "name": name}

    def secret_key(self, key: SecretKey) -> Object:
        """A reference to a key of a Kubernetes Secret."""
        return {**self.secret(key.namespace, key.name), "key": key.key}

    def namespace_problems(self, field: str, secret: SecretName | None) -> Iterable[Problem]:
        """What is wrong with the namespace of such a reference."""
        if secret is None:
            return
        if not self.target.namespaced and not secret.namespace:
            yield f"{field}.namespace", "is missing"
        if self.target.namespaced and secret.namespace not in (None, self.target.namespace):
            yield (
                f"{field}.namespace",
                f"must be aws_resources_namespace ({self.target.namespace!r}), as the kinds are namespaced",
            )


def protect(entry: ProtectedEntry, made: Object) -> Object:
    """Mark a managed resource as one that is kept when its entry goes."""
    if entry.deletion_protection:
        made["metadata"]["labels"][PROTECTION] = "true"
    return made


def part_of(parent: Object, made: Object) -> Object:
    """Mark a managed resource as a setting of another one, which it must not outlive nor go before."""
    annotations = made["metadata"].setdefault("annotations", {})
    annotations[PART_OF] = f"{parent['kind']}/{parent['metadata']['name']}"
    return made


def given(model: Model, fields: Mapping[str, str]) -> Object:
    """Of these fields (ours: Crossplane's) what the user gave."""
    return {theirs: value for ours, theirs in fields.items() if (value := getattr(model, ours)) is not None}


def api_version(service: str, namespaced: bool) -> str:
    return f"{service}.aws{'.m' if namespaced else ''}.upbound.io/v1beta1"
