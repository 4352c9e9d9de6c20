"""Metrics of calls to AWS, taken where the SDK sends them, so that each try counts and no caller has to tell of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from localcloud_events.problems import CODES, THROTTLED

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest
    from botocore.client import BaseClient

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
BEGIN = "localcloud_begin"
FIRST_ERROR, FIRST_FAULT = 400, 500


class Calls:
    """Time and outcome of each try, by service and operation: names of the SDK, as many as the code calls.

    Outcomes are ok, throttled, refused (by the caller's fault), failed (by the service's) and unanswered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("service", "operation")
        self.seconds = Histogram(
            "localcloud_aws_call_seconds",
            "Time of one try of a call to AWS.",
            labels,
            buckets=BUCKETS,
            registry=registry,
        )
        self.tries = Counter(
            "localcloud_aws_calls", "Tries of calls to AWS, by outcome.", (*labels, "outcome"), registry=registry
        )

    def watch(self, client: BaseClient) -> None:
        """Take the metrics of this client's calls."""
        service = client.meta.service_model.service_id.hyphenize()

        def begun(request: AWSRequest, **_more: Any) -> None:
            request.context[BEGIN] = time.monotonic()

        def ended(
            event_name: str,
            context: dict[str, Any],
            response_dict: dict[str, Any] | None,
            parsed_response: dict[str, Any] | None,
            **_more: Any,
        ) -> None:
            labels = (service, event_name.rpartition(".")[2])
            self.tries.labels(*labels, _outcome(response_dict, parsed_response)).inc()
            self.seconds.labels(*labels).observe(time.monotonic() - context[BEGIN])

        client.meta.events.register(f"request-created.{service}", begun)
        client.meta.events.register(f"response-received.{service}", ended)


def _outcome(response: dict[str, Any] | None, parsed: dict[str, Any] | None) -> str:
    if response is None or parsed is None:
        return "unanswered"
    status = response["status_code"]
    if status < FIRST_ERROR:
        return "ok"
    if CODES.get(parsed.get("Error", {}).get("Code", "")) == THROTTLED:
        return "throttled"
    return "refused" if status < FIRST_FAULT else "failed"
