# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS is asked about: managed resources, as far as finding them there needs them. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import EXTERNAL_NAME

Json = dict[str, t.Any]
# Not a field, but the external name by which Crossplane takes a resource over that AWS has already, where it isn't declared.
ADOPTED_AS = "(external name)"
# Likewise no field: AWS keeps the name for what was deleted, until this date.
DELETED = "(deleted)"


class ExternalResource(t.NamedTuple):
    """A managed resource as far as finding it in AWS needs it: its kind, external name and forProvider.

    declared: the fields of forProvider that are declared, or were and are still applied by us, as others need not be read;
    None for all.
    """

    kind: str
    external_name: str
    parameters: Json
    declared: frozenset[str] | None = None

    def declares(self, *fields: str) -> bool:
        """Whether one of these is to be read, where that takes a request of its own."""
        return self.declared is None or not self.declared.isdisjoint(fields)

    @classmethod
    def of(cls, declared: Json, live: Json | None) -> ExternalResource:
        """From the declared object and, where there is one, the cluster's: that has references and names resolved."""
        annotations = {**_annotations(declared), **_annotations(live or {})}
        parameters = {**_parameters(declared), **_parameters(live or {})}
        name = annotations.get(EXTERNAL_NAME) or parameters.get("name") or ""
        # What is no longer declared may have to be taken away in AWS.
        owned = ((live or {}).get("owned") or {}).get("f:spec", {}).get("f:forProvider", {})
        fields = {*_parameters(declared), *(one.removeprefix("f:") for one in owned)}
        return cls(kind_of(declared), str(name), parameters, frozenset(fields))


class Observed(t.NamedTuple):
    """What AWS has of each resource, in their order (None: nothing), and the kinds of those that can't be looked for."""

    found: list[Json | None]
    unobserved: list[str]


def kind_of(obj: Json) -> str:
    """Service and kind, for example sns/Topic, whether the kind has namespaces or not."""
    return f"{obj['apiVersion'].split('.')[0]}/{obj['kind']}"


def made_by_crossplane(found: Json, obj: Json) -> bool:
    """Whether AWS's tags say that Crossplane made it for an object of this kind and name, perhaps in an earlier cluster."""
    tags = found.get("tags") or {}
    return bool(
        tags.get("crossplane-name") == obj["metadata"]["name"]
        and str(tags.get("crossplane-kind", "")).split(".", maxsplit=1)[0] == obj["kind"].lower()
    )


def _annotations(obj: Json) -> Json:
    return dict((obj.get("metadata") or {}).get("annotations") or {})


def _parameters(obj: Json) -> Json:
    return dict((obj.get("spec") or {}).get("forProvider") or {})
