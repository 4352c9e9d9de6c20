"""What a pipeline's status tells of the resources that are there; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud_event_pipeline.spec import InvalidSpecError

# Status field -> resource in the composition, and the field of its status.atProvider.
FIELDS = {
    "topicArn": ("topic", "arn"),
    "queueArn": ("queue", "arn"),
    "queueUrl": ("queue", "url"),
    "deadLetterQueueArn": ("dead-letter-queue", "arn"),
    "deadLetterQueueUrl": ("dead-letter-queue", "url"),
    "subscriptionArn": ("subscription", "arn"),
    "tableArn": ("table", "arn"),
}


def status(observed: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The status for the observed resources, by their names in the composition; a field only once AWS has given it."""
    found = {field: _at_provider(observed, *source) for field, source in FIELDS.items()}
    return {field: value for field, value in found.items() if value}


def check_account(declared: str, observed: Mapping[str, Mapping[str, Any]]) -> None:
    """Compare the declared account with the one that the topic was made in. Raises InvalidSpecError if they differ."""
    arn = _at_provider(observed, "topic", "arn")
    account = arn.split(":")[4] if arn else declared
    if account != declared:
        raise InvalidSpecError(
            f"spec.account: {declared!r} is declared, but the provider made the topic in {account!r}, the account of "
            "its credentials; the queue's policy would name the wrong one. Make the pipeline again with that account"
        )


def _at_provider(observed: Mapping[str, Mapping[str, Any]], name: str, field: str) -> str:
    return str(observed.get(name, {}).get("status", {}).get("atProvider", {}).get(field) or "")
