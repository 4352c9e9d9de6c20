# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which declared resources rest on what an emulator of AWS does not do, by the outcomes of the contract in compat/.

Pure, but for C(read_known).
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.emulators.registry import ENGINES, facts

Json = dict[str, t.Any]
Test = Callable[[t.Any], bool]

# What is lost where an engine does not do as AWS does.
HURTS = {
    "lost": "Messages and data are lost or stay where AWS removes them",
    "wrong": "Consumers get something else: twice, in another order, or with other content",
    "open": "Access and secrets are not guarded",
    "accepted": "AWS refuses it, the engine takes it",
    "missing": "AWS does it, the engine refuses it",
    "differs": "Read back differently, so that tools never settle",
}
TITLES = {"floci": "Floci", "aws": "AWS"}
CONTRACT = "contract.json"
# Paths that a message names; a gap has all of them.
NAMED_PATHS = 10


class Known(t.NamedTuple):
    """What was measured. C(contract): each behaviour's text, source, consequence and features, by id.

    C(outcomes): by engine and version what each behaviour's check saw, None where the engine does as AWS documents.
    """

    contract: Mapping[str, Json]
    outcomes: Mapping[tuple[str, str], Mapping[str, str | None]]


class Gap(t.NamedTuple):
    """What declared resources rest on and the engine does not do, all of it that has one cause: the behaviours' ids."""

    behaviours: tuple[str, ...]
    paths: tuple[str, ...]
    message: str


class Gaps(t.NamedTuple):
    """All gaps, and what is to be said where this engine or its version was not measured itself.

    C(refused): a sentence for each reason for which declared resources would never be ready on this engine.
    """

    found: list[Gap]
    note: str
    refused: list[str]


class Feature(t.NamedTuple):
    """A field of a list's entries, and which of its values count. The field's path has C([]) where each of a list is meant.

    An empty field is the whole entry.
    """

    entries: str
    field: str
    counts: Test = bool


def _operator(name: str) -> Test:
    """Whether a filter policy or an event pattern uses this operator anywhere."""

    def uses(value: t.Any) -> bool:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                return False
        if isinstance(value, Mapping):
            return name in value or any(uses(one) for one in value.values() if isinstance(one, Mapping | list))
        return isinstance(value, list) and any(uses(one) for one in value if isinstance(one, Mapping | list))

    return uses


def _any_but(name: str) -> Test:
    """Whether anything-but holds this operator instead of values."""

    def uses(value: t.Any) -> bool:
        if isinstance(value, Mapping):
            held = value.get("anything-but")
            return (isinstance(held, Mapping) and name in held) or any(map(uses, value.values()))
        return isinstance(value, list) and any(map(uses, value))

    return uses


def _values_in(kind: type | tuple[type, ...]) -> Test:
    """Whether a filter policy has such a value among those that a key may have."""

    def holds(policy: t.Any) -> bool:
        return isinstance(policy, Mapping) and any(of_key(name, value) for name, value in policy.items())

    def of_key(name: t.Any, value: t.Any) -> bool:
        if not isinstance(value, list):
            return holds(value)
        # Maps in a list are operators, whose numbers are none of a key's values.
        return any(
            holds(one) if name == "$or" else isinstance(one, kind) and not isinstance(one, bool) for one in value
        )

    return holds


def _unfiltered(subscription: t.Any) -> bool:
    return isinstance(subscription, Mapping) and not subscription.get("filter_policy")


def _is_map(value: t.Any) -> bool:
    """Whether a map is given, which may be empty where all of its fields have defaults."""
    return isinstance(value, Mapping)


def _fifo(value: t.Any) -> bool:
    return str(value).endswith(".fifo")


def _is(*wanted: str) -> Test:
    return lambda value: str(value) in wanted


def _begins(*wanted: str) -> Test:
    return lambda value: str(value).startswith(wanted)


# Of filter policies and event patterns alike.
OPERATORS = ("anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard", "$or")
FEATURES: Mapping[str, Feature] = {
    "topics": Feature("topics", "name"),
    "topics.fifo": Feature("topics", "name", _fifo),
    "topics.kms_key": Feature("topics", "kms_key"),
    "subscriptions": Feature("subscriptions", "topic"),
    "subscriptions.unfiltered": Feature("subscriptions", "", _unfiltered),
    "subscriptions.filter_policy": Feature("subscriptions", "filter_policy"),
    "subscriptions.filter_policy.number": Feature("subscriptions", "filter_policy", _values_in((int, float))),
    "subscriptions.filter_policy.null": Feature("subscriptions", "filter_policy", _values_in(type(None))),
    "subscriptions.filter_policy.scope_body": Feature("subscriptions", "filter_policy_scope", _is("MessageBody")),
    **{
        f"subscriptions.filter_policy.{name.replace('-', '_')}": Feature(
            "subscriptions", "filter_policy", _operator(name)
        )
        for name in OPERATORS
    },
    **{
        f"subscriptions.filter_policy.anything_but_{name.replace('-', '_')}": Feature(
            "subscriptions", "filter_policy", _any_but(name)
        )
        for name in ("equals-ignore-case", "prefix", "suffix", "wildcard")
    },
    "subscriptions.raw_message_delivery": Feature("subscriptions", "raw_message_delivery"),
    "subscriptions.dead_letter_queue": Feature("subscriptions", "dead_letter_queue"),
    "queues": Feature("queues", "name"),
    "queues.fifo": Feature("queues", "name", _fifo),
    "queues.deduplication_scope": Feature("queues", "deduplication_scope", _is("messageGroup")),
    "queues.content_based_deduplication": Feature("queues", "content_based_deduplication"),
    "queues.dead_letter": Feature("queues", "dead_letter", _is_map),
    "queues.delay_seconds": Feature("queues", "delay_seconds"),
    "queues.message_retention_seconds": Feature("queues", "message_retention_seconds"),
    "queues.max_message_size": Feature("queues", "max_message_size"),
    "queues.receive_wait_time_seconds": Feature("queues", "receive_wait_time_seconds"),
    "queues.visibility_timeout_seconds": Feature("queues", "visibility_timeout_seconds"),
    "queues.policy": Feature("queues", "policy"),
    "queues.kms_key": Feature("queues", "kms_key"),
    "tables": Feature("tables", "name"),
    "tables.ttl": Feature("tables", "ttl"),
    "tables.stream": Feature("tables", "stream"),
    "tables.global_indexes": Feature("tables", "global_indexes"),
    "tables.local_indexes": Feature("tables", "local_indexes"),
    "tables.point_in_time_recovery": Feature("tables", "point_in_time_recovery"),
    "tables.aws_deletion_protection": Feature("tables", "aws_deletion_protection"),
    "tables.billing_mode_provisioned": Feature("tables", "billing_mode", _is("PROVISIONED")),
    "tables.table_class": Feature("tables", "table_class"),
    "tables.encryption": Feature("tables", "encryption"),
    "buckets": Feature("buckets", "name"),
    "buckets.versioning": Feature("buckets", "versioning"),
    "buckets.encryption": Feature("buckets", "encryption"),
    "buckets.public_access_block": Feature("buckets", "public_access_block"),
    "buckets.lifecycle": Feature("buckets", "lifecycle"),
    "buckets.cors": Feature("buckets", "cors"),
    "buckets.policy": Feature("buckets", "policy"),
    "parameters": Feature("parameters", "name"),
    "parameters.secure": Feature("parameters", "type", _is("SecureString")),
    "parameters.tier": Feature("parameters", "tier"),
    "parameters.allowed_pattern": Feature("parameters", "allowed_pattern"),
    "parameters.kms_key": Feature("parameters", "kms_key"),
    "secrets": Feature("secrets", "name"),
    "secrets.policy": Feature("secrets", "policy"),
    "secrets.kms_key": Feature("secrets", "kms_key"),
    "secrets.recovery_window_days": Feature("secrets", "recovery_window_days"),
    "keys": Feature("keys", "name"),
    "keys.policy": Feature("keys", "policy"),
    "keys.rotation": Feature("keys", "rotation"),
    "keys.rotation_period_days": Feature("keys", "rotation_period_days"),
    "keys.asymmetric": Feature("keys", "key_spec", _begins("RSA", "ECC", "SM2", "ML_DSA")),
    "keys.hmac": Feature("keys", "key_spec", _begins("HMAC")),
    "keys.multi_region": Feature("keys", "multi_region"),
    "policies": Feature("policies", "policy"),
    "roles": Feature("roles", "name"),
    "roles.policies": Feature("roles", "policies"),
    "roles.inline_policies": Feature("roles", "inline_policies"),
    "roles.permissions_boundary": Feature("roles", "permissions_boundary"),
    "roles.max_session_seconds": Feature("roles", "max_session_seconds"),
    "users": Feature("users", "name"),
    "event_buses": Feature("event_buses", "name"),
    "event_rules": Feature("event_rules", "name"),
    "event_rules.schedule": Feature("event_rules", "schedule"),
    "event_rules.event_pattern": Feature("event_rules", "event_pattern"),
    **{
        f"event_rules.event_pattern.{name.replace('-', '_')}": Feature("event_rules", "event_pattern", _operator(name))
        for name in OPERATORS
    },
    "event_rules.targets.input": Feature("event_rules", "targets[].input"),
    "event_rules.targets.input_path": Feature("event_rules", "targets[].input_path"),
    "event_rules.targets.dead_letter_queue": Feature("event_rules", "targets[].dead_letter_queue"),
    "event_rules.targets.message_group_id": Feature("event_rules", "targets[].message_group_id"),
    "alarms": Feature("alarms", "name"),
    "streams": Feature("streams", "name"),
    "streams.shards": Feature("streams", "shards"),
    "streams.retention_hours": Feature("streams", "retention_hours"),
    "streams.kms_key": Feature("streams", "kms_key"),
}
# Where an EventPipeline's spec says what its function makes lists of: of each list one entry, by its fields.
# tests/unit/crossplane/test_event_pipeline.py compares it with what the function makes.
PIPELINE = "EventPipeline"
PIPELINE_FIELDS: Mapping[str, Mapping[str, str]] = {
    "topics": {"name": "topic", "content_based_deduplication": "fifo"},
    "queues": {
        "name": "queue",
        "content_based_deduplication": "fifo",
        "dead_letter": "deadLetter",
        "message_retention_seconds": "messageRetentionSeconds",
        "receive_wait_time_seconds": "receiveWaitTimeSeconds",
        "visibility_timeout_seconds": "visibilityTimeoutSeconds",
    },
    "subscriptions": {
        "topic": "topic",
        "filter_policy": "filterPolicy",
        "filter_policy_scope": "filterPolicyScope",
        "raw_message_delivery": "rawMessageDelivery",
    },
    "tables": {"name": "table"},
}


def read_known(folder: Path) -> Known:
    """What the files of engines/ have. Raises OSError and ValueError."""
    contract = json.loads((folder / CONTRACT).read_text())
    files = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json")) if path.name != CONTRACT]
    return Known(contract, {(one["engine"], one["version"]): one["behaviours"] for one in files})


def gaps(declared: Mapping[str, t.Any], engine: str, version: str, known: Known) -> Gaps:
    """What of the declared resources rests on what this engine does not do. Nothing for real AWS.

    C(declared): the lists of aws_resources by their names, as they are given, of which C(extra_manifests) may have objects of the kind
    EventPipeline; never raises for what is wrong in them.
    """
    if not facts(engine)["emulated"]:
        return Gaps([], "", [])
    refused = never_ready(declared, engine, version)
    measured = nearest(engine, version, known)
    if measured is None:
        said = f"{title(engine)} {version}".strip()
        return Gaps([], f"What {said} does as AWS does has not been measured: {_measured(known)} have been.", refused)
    here = f"{title(engine)} {version or measured}"
    note = f"{here} has not been measured; what {title(engine)} {measured} does is taken for it."
    found: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for name, behaviour in known.contract.items():
        if seen := known.outcomes[engine, measured].get(name):
            paths = dict.fromkeys(path for one in behaviour["features"] for path in places(FEATURES[one], declared))
            if paths:
                found.setdefault((tuple(paths), seen), []).append(name)
    made = [
        Gap(tuple(names), paths, _message(names, paths, seen, here, engine, known))
        for (paths, seen), names in found.items()
    ]
    return Gaps(made, note if made and version not in ("", measured) else "", refused)


def never_ready(declared: Mapping[str, t.Any], engine: str, version: str) -> list[str]:
    """Why declared resources would never be ready on an engine, a sentence for each reason, with their paths."""
    reasons = ENGINES[engine].never_ready if engine in ENGINES else {}
    here = f"{title(engine)} {version}".strip()
    found = [(list(dict.fromkeys(places(FEATURES[name], declared))), why) for name, why in reasons.items()]
    return [f"{_named(paths)}: would never be ready on {here}: {why}." for paths, why in found if paths]


def _message(names: Sequence[str], paths: Sequence[str], seen: str, here: str, engine: str, known: Known) -> str:
    """Where, what happens on this engine, what was seen, and which engine does it."""
    without = known.contract[names[0]]["without"]
    return f"{_named(paths)}: on {here} {without} ({', '.join(names)}: {seen}). {_elsewhere(names, engine, known)}"


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - NAMED_PATHS} more" if len(paths) > NAMED_PATHS else ""
    return f"{', '.join(paths[:NAMED_PATHS])}{more}"


def nearest(engine: str, version: str, known: Known) -> str | None:
    """The version that was measured itself, else the last before it, else the first; None if none of the engine's was.

    Without a version, and for one that is a word (dev, latest, nightly-…), the last one that was measured.
    """
    versions = sorted((one for name, one in known.outcomes if name == engine), key=_ordered)
    if not version[:1].isdecimal():
        return versions[-1] if versions else None
    before = [one for one in versions if _ordered(one) <= _ordered(version)]
    return next(iter(before[-1:] or versions[:1]), None)


def places(feature: Feature, declared: Mapping[str, t.Any]) -> Iterator[str]:
    """Paths of the declared resources that have a feature, in lists and in event pipelines."""
    for entry, where in (*_listed(feature.entries, declared), *_composed(feature.entries, declared)):
        for path, value in _values(entry, feature.field.split(".") if feature.field else []):
            if feature.counts(value):
                # The name stands for the whole entry.
                yield where("" if path == ".name" or feature.field == "topic" else path)


Entry = tuple[t.Any, Callable[[str], str]]


def _listed(entries: str, declared: Mapping[str, t.Any]) -> Iterator[Entry]:
    """The entries of a list, each with what makes a path in it a path in the declaration."""
    for index, entry in enumerate(_list(declared.get(entries))):
        yield entry, f"aws_resources_{entries}[{index}]{{}}".format


def _composed(entries: str, declared: Mapping[str, t.Any]) -> Iterator[Entry]:
    """The same of the entry that an EventPipeline's function makes of its spec for a list."""
    fields = PIPELINE_FIELDS.get(entries)
    for index, one in enumerate(_list(declared.get("extra_manifests"))):
        spec = one.get("spec") if isinstance(one, Mapping) and one.get("kind") == PIPELINE else None
        if fields and isinstance(spec, Mapping):
            entry = {ours: spec[theirs] for ours, theirs in fields.items() if spec.get(theirs) is not None}
            if spec.get("fifo") is True and "name" in entry:
                entry["name"] = f"{entry['name']}.fifo"
            yield entry, partial(_in_spec, f"aws_resources_extra_manifests[{index}].spec", fields)


def _in_spec(spec: str, fields: Mapping[str, str], path: str) -> str:
    """Where in a spec a path in the entry that is made of it stands; the whole entry stands at its name's."""
    name, dot, rest = path.removeprefix(".").partition(".")
    return f"{spec}.{fields[name] if name else next(iter(fields.values()))}{dot}{rest}"


def _list(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []


def title(engine: str) -> str:
    """An engine's name as its makers write it."""
    return TITLES.get(engine) or str(facts(engine)["title"])


def _values(entry: t.Any, parts: Sequence[str]) -> Iterator[tuple[str, t.Any]]:
    """What stands at a field's path, with the path; nothing where it is not set."""
    if not parts:
        yield "", entry
    elif isinstance(entry, Mapping):
        name = parts[0].removesuffix("[]")
        value = entry.get(name)
        if parts[0] == name:
            held = [(f".{name}", value)] if value is not None else []
        else:
            held = [(f".{name}[{index}]", one) for index, one in enumerate(value if isinstance(value, list) else ())]
        for path, one in held:
            yield from ((path + rest, found) for rest, found in _values(one, parts[1:]))


def _elsewhere(names: Sequence[str], engine: str, known: Known) -> str:
    """Which other engines do all of it."""
    does = [
        f"{title(name)} {version}"
        for (name, version), outcomes in known.outcomes.items()
        if name not in (engine, "aws") and all(one in outcomes and outcomes[one] is None for one in names)
    ]
    return (
        f"{' and '.join(does)} {'does' if len(does) == 1 else 'do'} it."
        if does
        else "No engine that was measured does it."
    )


def _measured(known: Known) -> str:
    return ", ".join(f"{title(name)} {version}" for name, version in known.outcomes)


def _ordered(version: str) -> list[tuple[int, int, str]]:
    """A version's parts in order, whether they are numbers or words."""
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in re.split(r"[.-]", version)]
