# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which stations a blueprint has, and what goes from one to another. Pure: from what AWS and Kubernetes tell to nodes and edges.

AWS itself says which topic sends to which queue, and where dead letters go. Which service uses what is seen by the environment of its
containers: a variable that is a resource's name, ARN or URL. Of these variables nothing else is looked at or returned.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .model import Edge, Node, NodeKind, State

Json = Mapping[str, Any]
# The lists of blueprints whose entries are stations, with what localstack_info calls them too.
KINDS: dict[str, NodeKind] = {"topics": "topic", "queues": "queue", "tables": "table", "buckets": "bucket"}
# What a proof's event passes, by the list that it is in.
PROOF_KEYS = {
    "topic": "topics",
    "queue": "queues",
    "destination_queue": "queues",
    "table": "tables",
    "bucket": "buckets",
}
LABEL_LENGTH = 60


class Names(NamedTuple):
    """What a blueprint says that it has: names by list, and queues that its services send to."""

    declared: dict[str, set[str]]
    sent_to: set[str]


def topology(
    blueprint: Json, aws: Json, workloads: Sequence[Json], environments: Json
) -> tuple[list[Node], list[Edge]]:
    """The stations and ways of a blueprint.

    blueprint: as the module C(blueprint) returns it. aws: as localstack_info does, without what could not be read. workloads: as
    workload_wait does. environments: the values of each workload's variables, by its name.
    """
    known = {name: {one["name"]: one for one in aws.get(name) or []} for name in KINDS}
    ways = known if {"topics", "queues"} <= set(aws) else as_declared(blueprint.get("aws") or {})
    names = named(blueprint)
    uses = {one["name"]: used(environments.get(one["name"], ()), known, names.declared) for one in workloads}
    shown = {name: set(names.declared[name]) for name in KINDS}
    for kinds in uses.values():
        for kind, one in kinds:
            shown[kind].add(one)
    deliveries = list(_deliveries(ways, shown))
    for edge in deliveries:
        for kind, _colon, name in (edge.source.partition(":"), edge.target.partition(":")):
            shown[next(title for title, station in KINDS.items() if station == kind)].add(name)
    dead = {edge.target for edge in deliveries if edge.source.startswith("queue:") and edge.target.startswith("queue:")}
    nodes = [*map(service_node, workloads)]
    for title, kind in KINDS.items():
        nodes += [
            resource_node(kind, name, known[title].get(name), title in aws, f"{kind}:{name}" in dead)
            for name in sorted(shown[title])
        ]
    services = {one["name"] for one in workloads}
    edges = [*_uses(uses, names.sent_to, dead), *deliveries, *_calls(environments, services)]
    return nodes, edges


def named(blueprint: Json) -> Names:
    """What a blueprint declares and what its proofs name."""
    lists = blueprint.get("aws") or {}
    found = {name: {one["name"] for one in lists.get(name) or [] if isinstance(one.get("name"), str)} for name in KINDS}
    events = [one.get("event") or {} for one in blueprint.get("proofs") or []]
    for event in events:
        for key, name in PROOF_KEYS.items():
            if event.get(key):
                found[name].add(event[key])
    return Names(found, {event["destination_queue"] for event in events if event.get("destination_queue")})


def as_declared(lists: Json) -> dict[str, dict[str, Any]]:
    """Topics and queues with the ways that a blueprint declares, as AWS would tell them."""
    subscriptions: dict[str, list[Json]] = {}
    for one in lists.get("subscriptions") or []:
        subscription = {"protocol": "sqs", "endpoint": str(one.get("queue")), "filter_policy": one.get("filter_policy")}
        subscriptions.setdefault(str(one.get("topic")), []).append(subscription)
    queues: dict[str, Any] = {one["name"]: {} for one in lists.get("queues") or [] if "name" in one}
    return {"topics": {name: {"subscriptions": ones} for name, ones in subscriptions.items()}, "queues": queues}


def used(values: Iterable[str], known: Json, declared: Mapping[str, set[str]]) -> set[tuple[str, str]]:
    """The resources, as list and name, that these values name."""
    wanted = set(values)
    found = set()
    for title in KINDS:
        for name in {*known[title], *declared[title]}:
            facts = known[title].get(name, {})
            if wanted & {name, facts.get("arn") or name, facts.get("url") or name}:
                found.add((title, name))
    return found


def _deliveries(known: Json, shown: Mapping[str, set[str]]) -> Iterator[Edge]:
    """From topics to queues, and from queues to their dead-letter queues, beginning with what is shown."""
    reached = set(shown["queues"])
    for topic in sorted(known["topics"]):
        for one in known["topics"][topic].get("subscriptions") or []:
            queue = str(one.get("endpoint")).rpartition(":")[2]
            if (
                one.get("protocol") == "sqs"
                and queue in known["queues"]
                and (topic in shown["topics"] or queue in reached)
            ):
                reached.add(queue)
                yield Edge(f"topic:{topic}", f"queue:{queue}", filter_label(one.get("filter_policy")))
    for queue in sorted(reached):
        redrive = known["queues"].get(queue, {}).get("redrive") or {}
        if redrive.get("dead_letter_queue") in known["queues"]:
            count = redrive["max_receive_count"]
            yield Edge(f"queue:{queue}", f"queue:{redrive['dead_letter_queue']}", f"after {count} tries")


def _uses(uses: Mapping[str, set[tuple[str, str]]], sent_to: set[str], dead: set[str]) -> Iterator[Edge]:
    """Between services and resources. A queue's messages go to the service, but for one that a proof says is sent to."""
    for service, found in sorted(uses.items()):
        for title, name in sorted(found):
            resource = f"{KINDS[title]}:{name}"
            receives = title == "queues" and name not in sent_to and resource not in dead
            yield Edge(resource, f"service:{service}") if receives else Edge(f"service:{service}", resource)


def _calls(environments: Json, services: set[str]) -> Iterator[Edge]:
    """From a service to another whose address it has."""
    for service in sorted(services):
        for other in sorted(services - {service}):
            if any(_host(value).split(".")[0] == other for value in environments.get(service, ())):
                yield Edge(f"service:{service}", f"service:{other}", "HTTP")


def _host(value: str) -> str:
    try:
        return (urlsplit(value).hostname or "") if "://" in value else ""
    except ValueError:
        return ""


def filter_label(policy: Any) -> str:
    """A filter policy in short; nothing where there is none."""
    if not policy:
        return ""
    text = json.dumps(policy, ensure_ascii=False)
    return f"filter {text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + '…'}"


def service_node(workload: Json) -> Node:
    idle = workload.get("replicas") == 0
    ready = bool(workload.get("rolled_out")) and not idle
    reason = "" if ready else "scaled to no pod at all" if idle else str(workload.get("state") or "not rolled out")
    counts = {} if workload.get("replicas") is None else {"replicas": int(workload["replicas"])}
    return Node(
        f"service:{workload['name']}", "service", workload["name"], "ok" if ready else "attention", counts, reason
    )


def resource_node(kind: NodeKind, name: str, facts: Json | None, was_read: bool, dead: bool) -> Node:
    """A resource as a station. C(was_read): whether AWS was asked, so that one that is not known is not there."""
    shown: NodeKind = "dead_letter_queue" if dead else kind
    if facts is None:
        state: State = "attention" if was_read else "unknown"
        return Node(
            f"{kind}:{name}", shown, name, state, {}, "AWS does not have it" if was_read else "AWS was not read"
        )
    counts = counts_of(kind, facts)
    state, reason = "ok", ""
    if dead and counts.get("waiting"):
        state, reason = "attention", f"{counts['waiting']} messages could not be handled"
    if kind == "table" and facts.get("status") not in (None, "ACTIVE"):
        state, reason = "attention", f"its status is {facts['status']}"
    return Node(f"{kind}:{name}", shown, name, state, counts, reason)


def counts_of(kind: str, facts: Json) -> dict[str, int]:
    """What is counted of a resource, by what it is."""
    if kind == "topic":
        return {"subscriptions": len(facts.get("subscriptions") or [])}
    if kind == "queue":
        depth = facts["depth"]
        return {"waiting": depth["visible"], "in flight": depth["in_flight"], "delayed": depth["delayed"]}
    if kind == "table" and facts.get("item_count") is not None:
        return {"items": facts["item_count"]}
    if kind == "bucket" and facts.get("object_count") is not None:
        return {"objects": facts["object_count"]}
    return {}
