# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is to do for declared objects: one LIST per kind, and at will a look into AWS. Changes nothing."""

from __future__ import annotations

import datetime
import re
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import (
    ADOPTED_AS,
    DELETED,
    ExternalResource,
    Observed,
)
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import kind_of as service_kind_of
from ansible_collections.localcloud.stack.plugins.module_utils.aws.ownership import (
    Case,
    Holder,
    Identity,
    Observe,
    adopted_lines,
    holders,
    removal_problems,
)
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.catalog import (
    CLIENTS,
    LOOKED_FOR,
    NAMED_BY_US,
    REPLACED_WHEN_GONE,
    fields_of,
)
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.comparison import ROOT
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.extra import composed_of
from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import (
    ADOPT,
    COMPOSITE,
    CREATE_FAILED,
    CREATE_SUCCEEDED,
    EXTERNAL_NAME,
    OWNER,
    PAUSED,
    PROTECTION,
    RECONCILE,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.ownership import label
from ansible_collections.localcloud.stack.plugins.module_utils.common.unexpected import concerning
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane import conditions
from ansible_collections.localcloud.stack.plugins.module_utils.drift.clear import Setting, tags_to_clear, to_clear
from ansible_collections.localcloud.stack.plugins.module_utils.drift.fields import (
    PARAMETERS,
    Change,
    Rules,
    besides,
    differences,
    parameters_of,
    removed,
    without_repeats,
)
from ansible_collections.localcloud.stack.plugins.module_utils.drift.immutable import immutable_changes
from ansible_collections.localcloud.stack.plugins.module_utils.drift.references import Key as ReferenceKey
from ansible_collections.localcloud.stack.plugins.module_utils.drift.references import unresolved
from ansible_collections.localcloud.stack.plugins.module_utils.drift.secrets import is_replaced, with_secret_versions
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import (
    PARALLEL,
    Api,
    Json,
    Served,
    existing,
    find_kind,
    list_all,
    served_kinds_of,
)
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.events import last_events

HIDDEN = "(hidden)"

REFERENCE = ("api_version", "kind", "name", "namespace")

Kind = tuple[str, str]
# Kind, namespace, name.
Key = tuple[str, str, "str | None", str]


class Settings(t.NamedTuple):
    """Whose objects are ours, by which name we apply them, whether those that AWS has already may be taken over.

    C(cluster) is the UID of its namespace kube-system, which AWS resources of ours are tagged with besides the owner.
    """

    owner: str
    field_manager: str = "localcloud"
    adopt: bool = False
    cluster: str = ""

    @property
    def us(self) -> Identity:
        return Identity(self.owner, self.cluster)


class Found(t.NamedTuple):
    """The cluster's objects by key, and the kinds that it serves with whether they have namespaces."""

    objects: dict[Key, Json]
    served: dict[Kind, Served]


def diff(
    api: Api, declared: t.Sequence[Json], kinds: t.Sequence[Kind], settings: Settings, observe: Observe | None = None
) -> Json:
    """The difference between declared objects and cluster (and AWS), sorted by what it means.

    C(kinds) are looked through for what is no longer declared. Raises ApiError and what C(observe) raises.
    """
    declared = with_secret_versions(api, declared)
    wanted = [kind_of(obj) for obj in declared]
    found = find(api, declared, kinds, settings)
    keys = [key_of(obj, found.served) for obj in declared]
    there = [found.objects.get(key) for key in keys]
    own = [(completed(obj, live), live) for obj, live in zip(declared, there, strict=True)]
    # What a composite is made of is as its composition has it: only AWS can differ.
    composed, lacking = _composed(api, [live for _obj, live in own if live], settings)
    pairs = [*own, *((obj, obj) for obj in composed)]
    in_aws = (
        observe([ExternalResource.of(obj, live) for obj, live in pairs])
        if observe
        else Observed([{} for _pair in pairs], [])
    )
    cases = [
        Case(obj, live, not (live and _create_incomplete(obj, live, aws)))
        for (obj, live), aws in zip(pairs, in_aws.found, strict=True)
    ]
    others = {
        (service_kind_of({"apiVersion": version, "kind": kind}), space, name): one
        for (version, kind, space, name), one in found.objects.items()
    }
    rows = [
        _row(obj, live, aws, holder, settings, others)
        for (obj, live), aws, holder in zip(
            pairs, in_aws.found, holders(cases, in_aws.found, settings.us, observe), strict=True
        )
    ]
    expected = _expected([one for obj, live in own if live is None for one in composed_of(obj)], settings, observe)
    orphaned = _orphaned(found, set(keys), kinds, settings)
    clearing = [
        (obj, live, found_settings)
        for (obj, live), aws, (name, _row, _obj) in zip(pairs, in_aws.found, rows, strict=True)
        if live
        and name in ("modified", "drifted")
        and (found_settings := _to_clear(obj, live, aws, observe is not None))
    ]
    cleared = [one for one in clearing if observe]
    replaced = [
        (obj, live)
        for (obj, live), (name, _row, _obj) in zip(pairs, rows, strict=True)
        if _is_replaced(name, obj, live)
    ]
    open_pairs = [pair for pair, (name, _row, _obj) in zip(pairs, rows, strict=True) if name != "same"]
    return {
        **_sorted([*rows, *expected], {_identity(obj): obj is not live for obj, live in replaced}),
        "unready": [*_unready(api, pairs), *(_not_composed(composite, one) for composite, one in lacking)],
        "under_way": [reference(obj) for obj, live in open_pairs if live and conditions.under_way(live)],
        "to_clear": [one._asdict() for _obj, _live, found_settings in cleared for one in found_settings],
        "to_replace": [{**reference(obj), "uid": live["metadata"]["uid"]} for obj, live in replaced if live],
        "to_unset": [patch for name, row, obj in rows if name == "modified" and (patch := _unset(row, obj))],
        "to_pause": [_paused(obj, "true") for obj, live, _settings in cleared if not _is_paused(live)],
        "to_resume": [_paused(obj, None) for obj, live, _settings in cleared if not _is_paused(live)],
        "not_clearable": [
            {**reference(obj), "field": one.field}
            for obj, _live, found_settings in clearing
            if not observe
            for one in found_settings
        ],
        "orphaned": [{**reference(one), "protected": label_of(one, PROTECTION) == "true"} for one in orphaned],
        "held_by_others": removal_problems([*orphaned, *_composed(api, orphaned, settings)[0]], settings.us, observe),
        "not_served": sorted(
            f"{kind} of {version}" for version, kind in dict.fromkeys(wanted) if (version, kind) not in found.served
        ),
        "unlisted_services": _unlisted(api, declared),
        "unobserved": in_aws.unobserved,
    }


def spaces_of(declared: t.Sequence[Json], kinds: t.Sequence[Kind] = ()) -> dict[Kind, set[str | None]]:
    """Where to look for each kind: in the namespaces of what is declared, or (None) everywhere.

    Everywhere are kinds that are looked through as a whole and objects that name no namespace.
    """
    spaces: dict[Kind, set[str | None]] = {kind: {None} for kind in kinds}
    for obj in declared:
        if kind_of(obj) not in kinds:
            spaces.setdefault(kind_of(obj), set()).add(obj["metadata"].get("namespace"))
    return {kind: {None} if None in asked else asked for kind, asked in spaces.items()}


def find(api: Api, declared: t.Sequence[Json], kinds: t.Sequence[Kind], settings: Settings) -> Found:
    """What there is of these, and of C(kinds) what carries our label; that is all that is read where nothing differs.

    Only of a kind of which something declared is not there, or is declared without our label, all objects are read, as it
    may be another's. Raises ApiError.
    """
    spaces = spaces_of(declared, kinds)
    served = serving(api, spaces)
    unlabelled = {kind_of(obj) for obj in declared if owner_of(obj) != settings.owner}
    labelled = {kind: one for kind, one in served.items() if kind not in unlabelled}
    selection = {"labelSelector": f"{OWNER}={settings.owner}"}
    ours = look(api, labelled, spaces, settings.field_manager, selection)
    lacking = {kind_of(obj) for obj in declared if key_of(obj, served) not in ours}
    others = look(
        api, {kind: one for kind, one in served.items() if kind in lacking}, spaces, settings.field_manager, {}
    )
    return Found({**ours, **others}, served)


def serving(api: Api, kinds: t.Iterable[Kind]) -> dict[Kind, Served]:
    """Where these kinds are served, each group and version asked once; without those that are not. Raises ApiError."""
    asked = list(kinds)
    with ThreadPoolExecutor(PARALLEL) as pool:
        resources = served_kinds_of(api, (version for version, _kind in asked), pool)
    return {(version, kind): resources[version][kind] for version, kind in asked if kind in resources[version]}


def look(
    api: Api,
    served: t.Mapping[Kind, Served],
    spaces: t.Mapping[Kind, t.Collection[str | None]],
    field_manager: str,
    selection: t.Mapping[str, str],
) -> dict[Key, Json]:
    """Every object of these kinds, or those selected, the lists side by side. Raises ApiError."""
    paths = [(kind, one.path(space)) for kind, one in served.items() for space in spaces[kind]]
    with ThreadPoolExecutor(PARALLEL) as pool:
        lists = pool.map(lambda one: list_all(api, one[1], selection, lambda obj: _trim(obj, field_manager))[0], paths)
        return {
            (*kind, obj["metadata"].get("namespace"), obj["metadata"]["name"]): obj
            for (kind, _path), listed in zip(paths, lists, strict=True)
            for obj in listed
        }


def _composed(api: Api, objects: t.Sequence[Json], settings: Settings) -> tuple[list[Json], list[tuple[Json, Json]]]:
    """The objects that composites among these are made of, and those that are not there, as (composite, its reference).

    They may take over what their composites may.
    """
    references = [
        (obj, one)
        for obj in objects
        for one in ((obj.get("spec") or {}).get("crossplane") or {}).get("resourceRefs") or []
        if one.get("name")
    ]
    if not references:
        return [], []
    kinds: dict[Kind, set[str | None]] = {(one["apiVersion"], one["kind"]): {None} for _obj, one in references}
    found = look(api, serving(api, kinds), kinds, settings.field_manager, {})
    composed, lacking = [], []
    for obj, one in references:
        key = (one["apiVersion"], one["kind"], one.get("namespace"), one["name"])
        if key in found:
            adopts = (obj["metadata"].get("annotations") or {}).get(ADOPT) == "true"
            composed.append({**_adopting(found[key], adopts), "apiVersion": key[0], "kind": key[1], "owned": {}})
        else:
            lacking.append((obj, one))
    return composed, lacking


def _adopting(obj: Json, adopts: bool) -> Json:
    if not adopts:
        return obj
    annotations = {**(obj["metadata"].get("annotations") or {}), ADOPT: "true"}
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}


def _trim(obj: Json, field_manager: str) -> Json:
    """An object without what is not compared."""
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "labels", "annotations", "generation", "deletionTimestamp", "finalizers")
    owned = [
        one.get("fieldsV1") or {}
        for one in metadata.get("managedFields") or []
        if one.get("manager") == field_manager and one.get("operation") == "Apply" and not one.get("subresource")
    ]
    return {
        **{name: value for name, value in obj.items() if name != "metadata"},
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "owned": owned[0] if owned else {},
    }


def kind_of(obj: Json) -> Kind:
    return obj["apiVersion"], obj["kind"]


def owner_of(obj: Json) -> str | None:
    """Whose an object is by its label."""
    return label_of(obj, OWNER)


def label_of(obj: Json, name: str) -> str | None:
    return (obj["metadata"].get("labels") or {}).get(name)


def key_of(obj: Json, served: t.Mapping[Kind, Served]) -> Key:
    kind = kind_of(obj)
    namespaced = served[kind].namespaced if kind in served else "namespace" in obj["metadata"]
    namespace = obj["metadata"].get("namespace", "default") if namespaced else None
    return (*kind, namespace, obj["metadata"]["name"])


def reference(obj: Json) -> Json:
    """An object's reference, as crossplane_wait takes it."""
    api_version, kind = kind_of(obj)
    metadata = obj["metadata"]
    space = {"namespace": metadata["namespace"]} if metadata.get("namespace") else {}
    return {"api_version": api_version, "kind": kind, "name": metadata["name"], **space}


def completed(declared: Json, live: Json | None) -> Json:
    """A declared object with what must stand in place of fields that we declared before.

    The provider keeps in AWS, and writes into the object again, what is merely missing. What stands in place of it stays
    ours, so that this goes on until AWS has taken it, and afterwards nothing differs.
    """
    owned = ((live or {}).get("owned") or {}).get("f:spec", {}).get("f:forProvider", {})
    parameters = parameters_of(declared)
    lost = [name for key in owned if (name := key.removeprefix("f:")) not in parameters]
    rules = fields_of(service_kind_of(declared)) if lost else {}
    cleared = {
        field: value
        for name in lost
        # What a reference became stays in the object without it.
        if (field := name.removesuffix("Ref")) in rules
        and field not in parameters
        and f"{field}Ref" not in parameters
        and (value := _cleared(rules[field].cleared, declared, live or {})) is not None
    }
    if not cleared:
        return declared
    return {**declared, "spec": {**declared["spec"], "forProvider": {**parameters, **cleared}}}


def _cleared(value: t.Any, declared: Json, live: Json) -> t.Any:
    """What is declared in place of a field, in this object's scope and account; None where that is not known."""
    if isinstance(value, list):
        # A block that may be there once is a map in the namespaced kinds.
        return value[0] if ".m." in declared["apiVersion"] else value
    if not isinstance(value, str) or ROOT not in value:
        return value
    arn = str(((live.get("status") or {}).get("atProvider") or {}).get("arn") or "").split(":")
    return value.replace(ROOT, f"arn:{arn[1]}:iam::{arn[4]}:root") if len(arn) > 4 else None


def changes_of(
    declared: Json, live: Json, aws: Json | None, others: t.Mapping[ReferenceKey, Json] | None = None
) -> list[tuple[str, Change]]:
    """How a declared object differs from the cluster's, or if it does not, from what is in AWS; each with where that is.

    What AWS does not say counts as the provider saw it last. C(others): the cluster's objects, which it may refer to.
    """
    rules = fields_of(service_kind_of(declared))
    changed = _changes_in_cluster(declared, live, rules)
    if changed:
        hidden = declared["kind"] == "Secret"
        return [("spec", _hidden(one) if hidden else one) for one in changed]
    wanted = {**_resolved(declared, live), **parameters_of(declared)}
    told = dict(aws or {})
    if isinstance(told.get("tags"), dict) and "tags" in wanted:
        # Others may have added some to the object.
        added = (parameters_of(live).get("tags") or {}).keys() - (wanted["tags"] or {}).keys()
        told["tags"] = {name: value for name, value in told["tags"].items() if name not in added}
    untold = {name: value for name, value in wanted.items() if name not in told}
    at_provider = (live.get("status") or {}).get("atProvider") or {}
    return [
        *(("aws", one) for one in differences(wanted, told, observed=True, rules=rules)),
        *(("aws", one) for one in (besides(wanted, told, rules) if _keeps_to_declared(declared) else ())),
        *(
            ("provider", one)
            for one in (differences(untold, at_provider, observed=True, rules=rules) if untold else ())
        ),
        *(("provider", one) for one in unresolved(declared, live, others or {})),
    ]


def _keeps_to_declared(obj: Json) -> bool:
    """Whether the provider takes out of AWS what is not declared, as it may not write that into the object."""
    policies = (obj.get("spec") or {}).get("managementPolicies") or ["*"]
    return "Update" in policies and "LateInitialize" not in policies


def _resolved(declared: Json, live: Json) -> Json:
    """What the references of a declared object became in the cluster: the fields that AWS has."""
    found = parameters_of(live)
    names = (name.removesuffix("Ref") for name in parameters_of(declared) if name.endswith("Ref"))
    return {name: found[name] for name in names if name in found}


def _to_clear(obj: Json, live: Json, aws: Json | None, looked: bool) -> list[Setting]:
    """What is no longer declared and the provider has no way to take away. Where AWS was not asked, by the object itself."""
    owned = (live.get("owned") or {}).get("f:spec", {}).get("f:forProvider", {})
    resource, found = ExternalResource.of(obj, live), aws if looked else parameters_of(live)
    arn = str(((live.get("status") or {}).get("atProvider") or {}).get("arn") or "")
    region = str(resource.parameters.get("region") or "")
    return [
        *to_clear(parameters_of(obj), owned, resource, found),
        *tags_to_clear(parameters_of(obj), owned, resource.kind, arn, region, found),
    ]


def _unset(row: Json, obj: Json) -> Json | None:
    """A patch that takes away what is no longer declared, also where the provider has written the same value next to us.

    Of a field that two have applied, an apply without it takes only the one owner away.
    """
    declared = parameters_of(obj)
    parameters: Json = {}
    for field in row["fields"]:
        path = field["path"].removeprefix(f"{PARAMETERS}.")
        if field["after"] is not None or path == field["path"]:
            continue
        name = re.split(r"[.\[]", path, maxsplit=1)[0]
        sign, below = path[len(name) :][:1], path[len(name) + 1 :]
        if name not in declared:
            parameters[name] = None
        elif sign == "." and all(isinstance(one, str) for one in declared[name].values()):
            # A key of a map, such as a tag's, may have dots.
            parameters.setdefault(name, {})[below] = None
    if not parameters:
        return None
    space = {"namespace": row["namespace"]} if row.get("namespace") else {}
    return {
        "apiVersion": row["api_version"],
        "kind": row["kind"],
        "metadata": {"name": row["name"], **space},
        "spec": {"forProvider": parameters},
    }


def _is_paused(obj: Json) -> bool:
    return (obj["metadata"].get("annotations") or {}).get(PAUSED) == "true"


def _paused(obj: Json, value: str | None) -> Json:
    """A patch that has Crossplane leave the object alone, or no longer."""
    metadata = {name: obj["metadata"][name] for name in ("name", "namespace") if name in obj["metadata"]}
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {**metadata, "annotations": {PAUSED: value}},
    }


def _changes_in_cluster(declared: Json, live: Json, rules: Rules) -> list[Change]:
    mine = {name: value for name, value in declared.items() if name not in ("apiVersion", "kind", "status")}
    changed = []
    if parameters := parameters_of(declared):
        changed = differences(parameters, parameters_of(live), PARAMETERS, rules=rules, exact=True)
        rest = {name: value for name, value in declared["spec"].items() if name != "forProvider"}
        changed += differences({**mine, "spec": rest}, live)
    else:
        changed = differences(mine, live)
    changed += removed(mine, live.get("owned") or {}, live)
    # The provider puts the real external name there when AWS has given it.
    # Whether it may take over what AWS has says how it begins, and no more once it is there.
    left_out = {f"metadata.annotations.{name}" for name in (EXTERNAL_NAME, ADOPT)}
    return [one for one in without_repeats(changed) if one.path not in left_out]


def _hidden(change: Change) -> Change:
    return Change(change.path, HIDDEN, HIDDEN) if change.path.split(".")[0] in ("data", "stringData") else change


def _row(
    obj: Json,
    live: Json | None,
    aws: Json | None,
    holder: Holder | None,
    settings: Settings,
    others: t.Mapping[ReferenceKey, Json],
) -> tuple[str, Json, Json]:
    """The list that an object belongs into, its row there, and the object. C(holder) is who else has it in AWS."""
    with concerning(f"{obj['kind']} {obj['metadata']['name']}"):
        return _compared(obj, live, aws, holder, settings, others)


def _compared(
    obj: Json,
    live: Json | None,
    aws: Json | None,
    holder: Holder | None,
    settings: Settings,
    others: t.Mapping[ReferenceKey, Json] | None = None,
) -> tuple[str, Json, Json]:
    row = reference(obj)
    if aws and DELETED in aws:
        return (
            "deleted",
            {**row, "external_name": ExternalResource.of(obj, live).external_name, "date": aws[DELETED]},
            obj,
        )
    if live is None:
        return _another_s(obj, row, holder, settings) or ("missing", _adopted(row, holder, settings), _named(obj, aws))
    owner = owner_of(live)
    if owner != settings.owner and obj is not live:
        return "foreign", {**row, "owner": owner, **_endpoint(live)}, obj
    if live["metadata"].get("deletionTimestamp"):
        return "terminating", row, obj
    if another_s := _another_s(obj, row, holder, settings):
        return another_s
    row = _adopted(row, holder, settings)
    if _create_incomplete(obj, live, aws):
        named = {"external_name": aws[ADOPTED_AS]} if aws and ADOPTED_AS in aws else {}
        return "create_incomplete", {**row, "in_aws": bool(aws), **named}, obj
    if aws is None and _was_there(live):
        return "gone", row, obj
    changes = changes_of(obj, live, aws, others)
    immutable = immutable_changes(obj, live, changes)
    fields = [
        {
            "path": change.path,
            "where": where,
            "before": change.before,
            "after": change.after,
            "immutable": change.path in immutable,
        }
        for where, change in changes
    ]
    if not fields:
        return "same", row, obj
    row = {**row, "fields": fields}
    if fields[0]["where"] != "spec":
        return "drifted", row, obj
    if is_replaced(obj, live):
        return "modified", row, obj
    # Where we have set it once, an apply without it would take it away.
    return "modified", row, _named(obj, None, _external_name(live))


def _was_there(live: Json) -> bool:
    """Whether AWS had it: the provider made it, or has seen what it took over."""
    made = (live["metadata"].get("annotations") or {}).get(CREATE_SUCCEEDED)
    return bool(made or conditions.evaluate({"status": {}, **live}, ("Ready",)).ready)


def _endpoint(live: Json) -> Json:
    """Where a provider's configuration of others leads, for who uses it by name: it holds no secret."""
    if not live.get("kind", "").endswith("ProviderConfig"):
        return {}
    return {"endpoint": (live.get("spec") or {}).get("endpoint") or {}}


def _create_incomplete(obj: Json, live: Json, aws: Json | None) -> bool:
    """Whether the provider can't go on, as it lost how its creation ended or what it made, and it is safe to have it go on."""
    if service_kind_of(obj) in NAMED_BY_US:
        return conditions.creation_lost(live)
    # AWS names it, so that the provider does not find by itself what it made when it did not get the answer.
    name = (aws or {}).get(ADOPTED_AS)
    return bool(name) and name != _external_name(live) and conditions.creation_refused(live)


def _external_name(obj: Json) -> t.Any:
    return (obj["metadata"].get("annotations") or {}).get(EXTERNAL_NAME)


def _expected(objects: t.Sequence[Json], settings: Settings, observe: Observe | None) -> list[tuple[str, Json, Json]]:
    """Rows for what composites that are not there yet will be made of, as far as AWS has it already."""
    if observe is None or not objects:
        return []
    found = observe([ExternalResource.of(one, None) for one in objects]).found
    cases = [Case(one, None) for one in objects]
    return [
        _another_s(obj, reference(obj), holder, settings)
        or ("composed", _adopted(reference(obj), holder, settings), obj)
        for obj, holder in zip(objects, holders(cases, found, settings.us, None), strict=True)
    ]


def _another_s(obj: Json, row: Json, holder: Holder | None, settings: Settings) -> tuple[str, Json, Json] | None:
    """The row of what another owner has in AWS, unless it is to be taken over."""
    wanted = settings.adopt or (obj["metadata"].get("annotations") or {}).get(ADOPT) == "true"
    return None if holder is None or wanted else ("existing", {**row, **_held(holder, settings)}, obj)


def _adopted(row: Json, holder: Holder | None, settings: Settings) -> Json:
    """A row that tells, where that is so, from whom the resource is taken over."""
    return {**row, "adopted": _held(holder, settings)} if holder else row


def _held(holder: Holder, settings: Settings) -> Json:
    """Who has a resource in AWS: its name there, what its tags say, and that as a sentence."""
    return {
        "external_name": holder.external_name,
        "owner": holder.owner or None,
        "cluster": holder.cluster or None,
        "held_by": holder.described(settings.us),
    }


def _named(obj: Json, aws: Json | None, external_name: str | None = None) -> Json:
    """An object that keeps, or takes over, what has this external name; by default the one that AWS tells."""
    external_name = external_name or (aws or {}).get(ADOPTED_AS)
    annotations = obj["metadata"].get("annotations") or {}
    if not external_name or EXTERNAL_NAME in annotations:
        return obj
    return {**obj, "metadata": {**obj["metadata"], "annotations": {**annotations, EXTERNAL_NAME: external_name}}}


def _is_replaced(name: str, obj: Json, live: Json | None) -> bool:
    """Whether an object in this list is deleted, and declared again: by us, or where a composite has it, by Crossplane."""
    if live is None:
        return False
    if name == "gone":
        return service_kind_of(obj) in REPLACED_WHEN_GONE
    return name == "modified" and obj is not live and is_replaced(obj, live)


def _sorted(rows: t.Sequence[tuple[str, Json, Json]], replaced: t.Mapping[tuple[str, ...], bool]) -> Json:
    """The rows by list; what must be applied, and what Crossplane must look at again, as objects.

    C(replaced): the objects that are deleted, by identity, and whether we declare them again.
    """
    by_name: dict[str, list[Json]] = {
        name: []
        for name in (
            "missing",
            "modified",
            "drifted",
            "gone",
            "create_incomplete",
            "existing",
            "foreign",
            "terminating",
            "deleted",
            "same",
            "composed",
        )
    }
    for name, row, _obj in rows:
        by_name[name].append({field: value for field, value in row.items() if field != "adopted"})
    same = by_name.pop("same")
    del by_name["composed"]
    now = datetime.datetime.now(datetime.UTC).isoformat()
    return {
        **by_name,
        "adopted": [
            {**{one: row[one] for one in REFERENCE if one in row}, **row["adopted"]}
            for name, row, _obj in rows
            if "adopted" in row
        ],
        "same": len(same),
        "to_apply": [
            obj
            for name, _row, obj in rows
            if name in ("missing", "modified", "terminating") or (name == "gone" and replaced.get(_identity(obj)))
        ],
        "to_reconcile": [
            _reconcile(obj, now, row)
            for name, row, obj in rows
            if name in ("drifted", "create_incomplete") or (name == "gone" and _identity(obj) not in replaced)
        ],
    }


def reconciliations(found: t.Mapping[str, t.Any]) -> list[Json]:
    """Patches that make Crossplane reconcile, now, all that differs or is not ready."""
    now = datetime.datetime.now(datetime.UTC).isoformat()
    patches = {_identity(one): one for one in found["to_reconcile"]}
    for name in ("modified", "unready"):
        for one in found[name]:
            space = {"namespace": one["namespace"]} if one.get("namespace") else {}
            stub = {"apiVersion": one["api_version"], "kind": one["kind"], "metadata": {"name": one["name"], **space}}
            patches.setdefault(_identity(stub), _reconcile(stub, now, {}))
    return list(patches.values())


def ask_again(api: t.Any, found: t.Mapping[str, t.Any], due: t.Sequence[Json]) -> list[Json]:
    """Have Crossplane reconcile, now, these of what was found; return their references. C(api) can merge. Raises ApiError."""
    wanted: dict[tuple[str, ...], Json] = {
        (one["api_version"], one["kind"], one.get("namespace") or "", one["name"]): one for one in due
    }
    asked = []
    for patch in reconciliations(found):
        identity = _identity(patch)
        served = find_kind(api, *identity[:2]) if identity in wanted else None
        if served is None:
            continue
        metadata = patch["metadata"]
        path = f"{served.path(metadata.get('namespace'))}/{metadata['name']}"
        api.merge(path, {"metadata": {"annotations": metadata["annotations"]}})
        asked.append({name: one for name, one in wanted[identity].items() if name in REFERENCE})
    return asked


def looked_for(one: t.Mapping[str, t.Any]) -> int:
    """Seconds for which the provider goes on asking AWS for a resource that is not there, by the resource's reference."""
    return LOOKED_FOR.get(service_kind_of({"apiVersion": one["api_version"], "kind": one["kind"]}), 0)


def _identity(obj: Json) -> tuple[str, ...]:
    metadata = obj["metadata"]
    return (obj["apiVersion"], obj["kind"], metadata.get("namespace", ""), metadata["name"])


def _reconcile(obj: Json, now: str, row: Json) -> Json:
    metadata = {name: obj["metadata"][name] for name in ("name", "namespace") if name in obj["metadata"]}
    # How its creation ended, where the provider lost that.
    ended = {CREATE_SUCCEEDED if row["in_aws"] else CREATE_FAILED: now} if "in_aws" in row else {}
    named = {EXTERNAL_NAME: row["external_name"]} if "external_name" in row else {}
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {**metadata, "annotations": {RECONCILE: now, **ended, **named}},
    }


def _orphaned(found: Found, declared: set[Key], kinds: t.Sequence[Kind], settings: Settings) -> list[Json]:
    """Objects of these kinds that carry our label and are no longer declared."""
    looked = set(kinds)
    orphaned = []
    for key, obj in found.objects.items():
        if key in declared or key[:2] not in looked or owner_of(obj) != settings.owner:
            continue
        if obj["metadata"].get("deletionTimestamp") or _made_for_another(obj):
            continue
        orphaned.append({**obj, "apiVersion": key[0], "kind": key[1]})
    return orphaned


def _made_for_another(obj: Json) -> bool:
    """Whether a composition or another controller made it: that one takes it away."""
    return bool(label_of(obj, COMPOSITE))


def _unready(api: Api, pairs: t.Sequence[tuple[Json, Json | None]]) -> list[Json]:
    """Those that are not Synced and Ready, with reason, last event and likely cause."""
    rows = []
    for obj, live in pairs:
        if live is None or not _reconciled(obj, live):
            continue
        verdict = conditions.evaluate({"status": {}, **live}, ("Synced", "Ready"))
        if not verdict.ready:
            rows.append((obj, live, verdict))
    events = last_events(api, {obj["kind"] for obj, _live, _verdict in rows})
    found = []
    for obj, live, verdict in rows:
        metadata = live["metadata"]
        event = events.get((obj["kind"], metadata.get("namespace"), metadata["name"]))
        cause = conditions.likely_cause({"status": {}, **live}, verdict, event)
        found.append(
            {
                **reference(obj),
                **verdict._asdict(),
                "last_event": event,
                "cause": cause.cause if cause else None,
                "next_step": cause.next_step if cause else None,
                "permanent": bool(cause and cause.permanent),
                "under_way": conditions.under_way(live),
            }
        )
    return found


def _not_composed(composite: Json, one: Json) -> Json:
    """A composite's row among the unready: Crossplane has not made this part of it (again) yet."""
    return {
        **reference(composite),
        "ready": False,
        "condition": "Ready",
        "reason": conditions.NOT_FOUND,
        "message": f"{one['kind']}/{one['name']}, which it is made of, is not there",
        "last_event": None,
        "cause": None,
        "next_step": None,
        "permanent": False,
        "under_way": False,
    }


def _reconciled(obj: Json, live: Json) -> bool:
    """Whether Crossplane makes something of it, and says by conditions how far it is."""
    synced = any(one.get("type") == "Synced" for one in (live.get("status") or {}).get("conditions") or [])
    return synced or "forProvider" in (obj.get("spec") or {})


def _unlisted(api: Api, declared: t.Sequence[Json]) -> list[Json]:
    """Services that a ProviderConfig with an endpoint does not send there: these requests would go to real AWS."""
    used: dict[tuple[str, str, str], set[str]] = {}
    for obj in declared:
        config = (obj.get("spec") or {}).get("providerConfigRef")
        group = obj["apiVersion"].split("/")[0]
        service, _dot, provider = group.partition(".")
        if config and provider in ("aws.upbound.io", "aws.m.upbound.io"):
            path = _config_path(provider, config, obj["metadata"].get("namespace", "default"))
            used.setdefault((path, config["name"], provider), set()).add(CLIENTS.get(service, service))
    found = []
    for (path, name, _provider), services in used.items():
        endpoint = ((existing(api, path) or {}).get("spec") or {}).get("endpoint") or {}
        unlisted = services - set(endpoint.get("services") or []) if endpoint else set()
        if unlisted:
            found.append({"provider_config": name, "services": sorted(unlisted)})
    return found


def _config_path(provider: str, config: Json, namespace: str) -> str:
    base = f"/apis/{provider}/v1beta1"
    if provider == "aws.upbound.io":
        return f"{base}/providerconfigs/{config['name']}"
    if config.get("kind", "ClusterProviderConfig") == "ClusterProviderConfig":
        return f"{base}/clusterproviderconfigs/{config['name']}"
    return f"{base}/namespaces/{namespace}/providerconfigs/{config['name']}"


def converged(found: t.Mapping[str, t.Any]) -> bool:
    """Whether nothing of what C(diff) looks for was found: all is there, as declared, Synced and Ready, and no more than that."""
    return not any(found[name] for name in found if name not in ("same", "unobserved", "under_way"))


def report(found: t.Mapping[str, t.Any]) -> list[str]:
    """A line for each difference that C(diff) found."""
    lines = [f"{label(one)} is not there yet" for one in found["missing"]]
    lines += [f"{label(one)} is still being deleted" for one in found["terminating"]]
    lines += [f"{label(one)} is gone from AWS" for one in found["gone"]]
    lines += [
        f"{label(one)} was never finished: the provider does not know how its creation ended"
        for one in found["create_incomplete"]
    ]
    lines += [
        f"{label(one)}: {_WHERE[field['where']]} {Change(field['path'], field['before'], field['after'])}"
        for one in [*found["modified"], *found["drifted"]]
        for field in one["fields"]
    ]
    lines += [
        f"{label(one)} is no longer declared{', but protected' if one['protected'] else ''}"
        for one in found["orphaned"]
    ]
    lines += [
        f"{label(one)} ({one['external_name']}) exists in AWS, and is owned by others: {one['held_by']}"
        for one in found["existing"]
    ]
    lines += [*adopted_lines(found["adopted"]), *found["held_by_others"]]
    lines += [
        f"{label(one)} ({one['external_name']}) was deleted, and AWS keeps it until {one['date']}"
        for one in found["deleted"]
    ]
    lines += [
        f"{label(one)} belongs to {one['owner'] or 'no owner that is known'}, as its label {OWNER} says"
        for one in found["foreign"]
    ]
    return lines


_WHERE = {"spec": "in the cluster", "aws": "in AWS", "provider": "as Crossplane last saw it,"}
