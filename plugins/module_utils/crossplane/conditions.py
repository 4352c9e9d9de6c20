# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a Kubernetes object with conditions is ready, and if not, why.

Pure predicates over data: no Kubernetes, no Ansible.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import (
    CREATE_FAILED,
    CREATE_PENDING,
    CREATE_SUCCEEDED,
    EXTERNAL_NAME,
    PAUSED,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.dates import moment
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable

Json = dict[str, t.Any]

CREATE_DONE = (CREATE_SUCCEEDED, CREATE_FAILED)
# What crossplane-runtime says of it (pkg/reconciler/managed, errCreateIncomplete).
CREATION_LOST = "cannot determine creation result"


class Verdict(t.NamedTuple):
    """What the predicate says of one object: ready, or the first condition that's missing."""

    ready: bool
    condition: str | None = None
    reason: str | None = None
    message: str | None = None


class Cause(t.NamedTuple):
    """A known cause of not being ready. C(permanent) ones don't go away by waiting."""

    cause: str
    next_step: str
    permanent: bool = False


READY = Verdict(True)


def trim(obj: Json, api_version: str, kind: str) -> Json:
    """The part of an object that is looked at.

    Everything else, data of Secrets above all, is never kept and so never shown.
    """
    metadata = obj.get("metadata") or {}
    status = obj.get("status") or {}
    provided = status.get("atProvider") or {}
    spec = obj.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    kept: Json = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            name: metadata[name]
            for name in (
                "name",
                "namespace",
                "uid",
                "generation",
                "creationTimestamp",
                "deletionTimestamp",
                "finalizers",
            )
            if name in metadata
        },
        "spec": {name: spec[name] for name in ("providerConfigRef",) if name in spec},
        "status": {name: status[name] for name in ("conditions", "observedGeneration") if name in status},
    }
    kept["metadata"]["annotations"] = {
        name: value for name, value in annotations.items() if name.startswith("crossplane.io/")
    }
    if isinstance(provided.get("arn"), str):
        kept["status"]["atProvider"] = {"arn": provided["arn"]}
    return kept


def conditions_of(obj: Json) -> dict[str, Json]:
    return {one["type"]: one for one in (obj.get("status") or {}).get("conditions") or [] if "type" in one}


def evaluate(obj: Json, wanted: t.Sequence[str]) -> Verdict:
    """Ready is: not being deleted, each wanted condition True, and nothing of that about an older generation."""
    metadata = obj["metadata"]
    if metadata.get("deletionTimestamp"):
        finalizers = ", ".join(metadata.get("finalizers") or []) or "none"
        return Verdict(
            False, "deleting", "Deleting", f"since {metadata['deletionTimestamp']}, finalizers: {finalizers}"
        )
    conditions = conditions_of(obj)
    generation = metadata.get("generation", 0)
    for name in wanted:
        condition = conditions.get(name)
        if condition is None:
            return Verdict(False, f"{name}=missing", None, None)
        if condition.get("status") != "True":
            return Verdict(
                False, f"{name}={condition.get('status')}", condition.get("reason"), condition.get("message")
            )
        observed = condition.get("observedGeneration", obj["status"].get("observedGeneration"))
        if observed is not None and observed < generation:
            return Verdict(
                False,
                f"{name}=stale",
                condition.get("reason"),
                f"generation {generation} is not looked at yet, only {observed}",
            )
    return READY


def permanent_cause(obj: Json, wanted: t.Sequence[str]) -> Cause | None:
    """A known cause that waiting will not cure, and that the object itself states as False right now."""
    verdict = evaluate(obj, wanted)
    if verdict.ready or not str(verdict.condition).endswith("=False"):
        return None
    cause = likely_cause(obj, verdict, None)
    return cause if cause and cause.permanent else None


def protected(obj: Json) -> bool:
    """Whether it is being deleted, and AWS refuses that until its protection is taken away."""
    failed = [one for one in conditions_of(obj).values() if one.get("status") == "False"]
    return "deletionTimestamp" in obj["metadata"] and any(PROTECTED.search(str(one.get("message"))) for one in failed)


def ready_seconds(obj: Json, wanted: t.Sequence[str]) -> int | None:
    """Seconds from the object's creation to the last of its conditions turning True, by the cluster's clock."""
    created = moment(obj["metadata"].get("creationTimestamp"))
    turned = [moment(conditions_of(obj).get(name, {}).get("lastTransitionTime")) for name in wanted]
    if created is None or not turned or None in turned:
        return None
    return max(0, round((max(one for one in turned if one) - created).total_seconds()))


def create_pending(obj: Json) -> bool:
    """Whether a creation began and the provider never learnt how it ended."""
    annotations = obj["metadata"].get("annotations") or {}
    began = moment(annotations.get(CREATE_PENDING))
    ended = [moment(annotations.get(name)) for name in CREATE_DONE]
    return began is not None and not any(one is not None and one >= began for one in ended)


def creation_lost(obj: Json) -> bool:
    """Whether the provider says that it doesn't know how the creation ended, and nothing has told it since."""
    message = str((conditions_of(obj).get("Synced") or {}).get("message") or "")
    return CREATION_LOST in message and create_pending(obj)


def creation_refused(obj: Json) -> bool:
    """Whether the provider can't create it, as AWS has something of its name: what a creation made whose answer was lost, or another's."""
    messages = [
        str((conditions_of(obj).get(name) or {}).get("message") or "") for name in ("Synced", "LastAsyncOperation")
    ]
    return any("create failed" in one and TAKEN.search(one) for one in messages)


def under_way(obj: Json) -> bool:
    """Whether the provider is at work on it: an operation goes on, or its creation has begun without an error so far."""
    conditions = conditions_of(obj)
    if (conditions.get("AsyncOperation") or {}).get("reason") == "Ongoing":
        return True
    failed = any((conditions.get(name) or {}).get("status") == "False" for name in ("Synced", "LastAsyncOperation"))
    return (conditions.get("Ready") or {}).get("reason") == "Creating" and not failed


# AWS's words of a table, and Terraform's of what it protects itself.
PROTECTED = re.compile(r"protected against deletion|deletion[ _]protection", re.I)
TAKEN = re.compile(
    r"BucketAlreadyExists|BucketAlreadyOwnedByYou|QueueAlreadyExists|QueueNameExists|QueueDeletedRecently|EntityAlreadyExists|"
    r"ParameterAlreadyExists|ResourceInUseException|ResourceAlreadyExists|ResourceExistsException|TopicAlreadyExists|already exists|"
    r"name .* is (already )?taken",
    re.I,
)
# In this order: what is more precise comes first.
_KNOWN: list[tuple[re.Pattern[str], Cause]] = [
    (
        re.compile(CREATION_LOST, re.I),
        Cause(
            "the provider was stopped in the middle of creating it and does not know how that ended",
            "run aws_resources again, which takes up what AWS knows by its name; of other kinds look whether AWS has it, then "
            f"remove the annotation {CREATE_PENDING}",
            permanent=True,
        ),
    ),
    (
        PROTECTED,
        Cause(
            "AWS protects it against deletion",
            "declare it without the protection (aws_deletion_protection: false) and run again, then remove it",
        ),
    ),
    (
        re.compile(
            r"cannot get (referenced )?ProviderConfig|(cluster)?providerconfigs?\.\S+ \S+ not found|"
            r"ProviderConfig\S* \S+ not found",
            re.I,
        ),
        Cause(
            "the ProviderConfig that it refers to does not exist", "create it, or correct spec.providerConfigRef.name"
        ),
    ),
    (
        re.compile(
            r"InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch|InvalidSignatureException|InvalidAccessKeyId|"
            r"ExpiredToken|AuthFailure|no EC2 IMDS role|failed to refresh cached credentials|security token .* invalid",
            re.I,
        ),
        Cause(
            "AWS refused the credentials; if an emulator was meant, the request went to real AWS",
            "correct the ProviderConfig's Secret, and list the service in its endpoint.services",
            permanent=True,
        ),
    ),
    (
        re.compile(
            r"(cannot (get|extract|load) .*\bsecret\b|secrets? \S+ not found|failed to find .*credentials)",
            re.I,
        ),
        Cause(
            "the Secret with the AWS credentials is missing or lacks the key",
            "create the Secret that the ProviderConfig refers to",
        ),
    ),
    (
        re.compile(r"not a valid AWS account ID|invalid account id", re.I),
        Cause(
            "the emulator refuses the account ID that the provider made up",
            "set skip_credentials_validation: false in the ProviderConfig, so that it asks the emulator's STS",
        ),
    ),
    (
        # LocalStack and moto, and MiniStack.
        re.compile(r"StatusCode: 501\b|not (yet )?(been )?implemented|UnknownOperation|InvalidAction\b", re.I),
        Cause(
            "the emulator does not have this operation",
            "leave out what needs it, or choose an engine that has it (docs/engines.md)",
            permanent=True,
        ),
    ),
    (
        re.compile(r"AccessDenied|UnauthorizedOperation|is not authorized to perform|AuthorizationError", re.I),
        Cause(
            "AWS denies the provider this action",
            "grant it in the policy of the ProviderConfig's identity",
            permanent=True,
        ),
    ),
    (
        re.compile(
            r"refuse to update|cannot change the value of the argument|requires? replac|immutable|cannot be changed|"
            r"field is forbidden to change",
            re.I,
        ),
        Cause(
            "a field was changed that cannot be changed after creation",
            "set the field back, or delete the resource and create it again",
            permanent=True,
        ),
    ),
    (
        # Terraform's own checks, before AWS is asked.
        re.compile(
            r"cannot be specified when|is required when|must be (at least|specified|set)|expected \S+ to be (one of|in the range)|"
            r"[Cc]onflicting configuration|Invalid Attribute (Value|Combination)",
        ),
        Cause(
            "the provider refuses the value of a field",
            "correct the field that the message names",
            permanent=True,
        ),
    ),
    (
        TAKEN,
        Cause(
            "the name is taken already, by something with other settings or in another account",
            f"choose another name, delete what is there, or adopt it with the annotation {EXTERNAL_NAME}",
            permanent=True,
        ),
    ),
    (
        re.compile(r"no such host|server misbehaving|name or service not known", re.I),
        Cause(
            "the AWS endpoint's name does not resolve in the cluster",
            "look whether the emulator's Service exists, and at the ProviderConfig's url",
        ),
    ),
    (
        re.compile(r"connection refused|no route to host|network is unreachable|connection reset|\bEOF\b", re.I),
        Cause("the AWS endpoint refuses connections", "look whether the emulator runs and its Service has endpoints"),
    ),
    (
        re.compile(
            r"i/o timeout|deadline exceeded|request canceled while waiting|Client\.Timeout|StatusCode: 0\b", re.I
        ),
        Cause(
            "the AWS endpoint does not answer in time",
            "look at the emulator's log and load, and at NetworkPolicies between provider and emulator",
        ),
    ),
    (
        re.compile(
            r"cannot resolve references?|referenced field was empty|referenced resource may not yet be ready|"
            r"no resources matched",
            re.I,
        ),
        Cause("a resource that it refers to is missing or not ready", "look at that one first"),
    ),
    (
        re.compile(
            r"(cannot|failed to) (unpack|fetch|pull|init\w*|resolve) .*package|ImagePullBackOff|ErrImagePull|"
            r"manifest unknown",
            re.I,
        ),
        Cause(
            "the package or image cannot be pulled",
            "check spec.package and that the registry can be reached from the cluster",
        ),
    ),
]


UNREACHABLE = "unknown"
NOT_SERVED = "not served"
NOT_FOUND = "not found"
STILL_THERE = "exists"
_UNSEEN = [
    (
        re.compile(r"kubeconfig", re.I),
        Cause("there is no usable kubeconfig", "set kubeconfig or KUBECONFIG, and context"),
    ),
    (
        re.compile(r"forbidden|unauthorized", re.I),
        Cause(
            "the API server refuses the kubeconfig's user",
            "check the kubeconfig's user and its RBAC (get, list and watch)",
        ),
    ),
    (
        re.compile(r"certificate", re.I),
        Cause(
            "the API server's certificate does not fit the kubeconfig",
            "take the kubeconfig of this very cluster, with its CA and server name",
        ),
    ),
    (
        re.compile(r""),
        Cause(
            "the Kubernetes API server does not answer", "look whether the cluster runs, and at kubeconfig and context"
        ),
    ),
]
_WITHOUT_OBJECT = {
    NOT_SERVED: Cause(
        "its CRD is not installed or not established",
        "look at the Provider: is it Installed and Healthy, does its pod run",
    ),
    NOT_FOUND: Cause("it does not exist", "create it, or correct kind, name and namespace"),
    STILL_THERE: Cause("it was not deleted", "delete it"),
}


def likely_cause(obj: Json | None, verdict: Verdict, event: str | None) -> Cause | None:
    """What known cause fits the object's conditions, annotations and last event; None where none does."""
    if verdict.condition == UNREACHABLE:
        return next(cause for pattern, cause in _UNSEEN if pattern.search(verdict.message or ""))
    if verdict.condition in _WITHOUT_OBJECT:
        return _WITHOUT_OBJECT[verdict.condition]
    if obj is None:
        return None
    if verdict.condition == "deleting":
        return _stuck_deletion(obj, event)
    if (obj["metadata"].get("annotations") or {}).get(PAUSED) == "true" or verdict.reason == "ReconcilePaused":
        return Cause("it is paused", f"remove the annotation {PAUSED}")
    conditions = conditions_of(obj)
    # An upjet provider says in LastAsyncOperation what AWS said, and in Ready only "Creating".
    unmet = [str(one.get("message") or "") for one in conditions.values() if one.get("status") != "True"]
    text = "\n".join([verdict.message or "", *unmet, event or ""])
    if known := _known(text):
        return known
    if create_pending(obj) and (conditions.get("Synced") or {}).get("status") != "True":
        # Or the provider creates it right now, once more after it has failed: only its own words are certain.
        lost = _known(CREATION_LOST)
        return lost and lost._replace(permanent=False)
    if not conditions:
        return Cause(
            "no controller has looked at it", "look whether its provider's pod runs and is healthy, and at its log"
        )
    if str(verdict.condition).endswith("=stale"):
        return Cause(
            "its controller has not seen the newest change", "look whether its provider's pod runs, and at its log"
        )
    return None


def _stuck_deletion(obj: Json, event: str | None) -> Cause:
    text = "\n".join([*(str(one.get("message") or "") for one in conditions_of(obj).values()), event or ""])
    known = _known(text)
    if known:
        return Cause(f"its deletion does not finish: {known.cause}", known.next_step)
    if obj["metadata"].get("finalizers"):
        return Cause(
            "its deletion waits for a finalizer, that is for its controller to remove what is in AWS",
            "look whether its provider's pod runs and its ProviderConfig still exists",
        )
    return Cause("it is being deleted", "wait, or create it again")


def _known(text: str) -> Cause | None:
    return next((cause for pattern, cause in _KNOWN if pattern.search(text)), None)


def shorten(text: str | None, limit: int) -> str:
    """One line of at most so many characters, cut in the middle: what AWS said stands at a message's end."""
    line = printable(" ".join((text or "").split()))
    if len(line) <= limit:
        return line
    head = limit // 3
    return f"{line[:head]}…{line[len(line) - (limit - head - 1) :]}"


def table(rows: t.Sequence[t.Sequence[str]]) -> str:
    """Rows as text, columns aligned; the last one ragged."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)), row[-1]]).rstrip()
        for row in rows
    )


def report(unready: t.Sequence[Json], total: int, waited: float, absent: bool = False) -> str:
    """The message of a failed wait: a line per resource, then each likely cause once with those that it applies to."""
    goal = "not gone" if absent else "not ready"
    rows = [("RESOURCE", "CONDITION", "REASON", "MESSAGE", "LAST EVENT")]
    causes: dict[tuple[str, str], list[str]] = {}
    for one in unready:
        label = f"{one['kind']}/{one['name']}"
        rows.append(
            (
                label if not one.get("namespace") else f"{label} ({one['namespace']})",
                one["condition"] or "-",
                one["reason"] or "-",
                shorten(one["message"], 140) or "-",
                shorten(one["last_event"], 100) or "-",
            )
        )
        if one["cause"]:
            causes.setdefault((one["cause"], one["next_step"]), []).append(label)
    lines = [f"{len(unready)} of {total} resources {goal} after {waited:.0f} s:", table(rows)]
    for (cause, next_step), labels in causes.items():
        who = ", ".join(labels[:3]) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")
        lines.append(f"Likely cause ({who}): {printable(cause)}. Next: {printable(next_step)}.")
    if not causes:
        lines.append("No known cause fits. Next: kubectl describe the first one, and look at its provider's log.")
    return "\n".join(lines)
