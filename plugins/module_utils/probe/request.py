# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to probe, and what is wrong with it as far as that can be seen without AWS. Pure."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws.facts import name_of
from ansible_collections.localcloud.stack.plugins.module_utils.common.wording import suggestion
from ansible_collections.localcloud.stack.plugins.module_utils.probe import placeholders
from ansible_collections.localcloud.stack.plugins.module_utils.probe.event import ATTRIBUTES, IN_BODY, KEY

Json = dict[str, t.Any]
MAX_COUNT = 10_000
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
SQS_ATTRIBUTES = 10


@dataclasses.dataclass(frozen=True)
class Request:
    """What to probe. C(rate) is in events per second, None for all at once; C(timeout) in seconds."""

    topic: str | None = None
    table: str | None = None
    queue: str | None = None
    timeout: float = 30
    until: str = "table"
    count: int = 1
    rate: float | None = None
    message_attributes: Json | None = None
    message_group_id: str | None = None
    key: str = KEY
    bucket: str | None = None
    prefix: str = ""
    destination_queue: str | None = None
    body: t.Any = None

    @property
    def arrives_in(self) -> str | None:
        """The queue where events are to arrive, with C(until: queue)."""
        return self.destination_queue or self.queue

    @property
    def direct(self) -> bool:
        """Whether the probe receives from the queue itself that events are sent to, so that there is no consumer."""
        return self.until == "queue" and name_of(self.arrives_in or "") == name_of(self.queue or "")


def problems(request: Request) -> list[str]:
    """All that is wrong with what the user asks for."""
    given = request.message_attributes or {}
    own = sorted(set(given) & set(ATTRIBUTES)) if request.body is None else []
    until, rate = request.until, request.rate
    found = [
        (
            not request.topic and not request.queue,
            "topic is missing, and queue as well: events are sent to one of them.",
        ),
        (until == "table" and not request.table, "table is missing; without one, probe with until: queue or bucket."),
        (until == "table" and not request.key, "key is empty, but must name the table's hash key."),
        (until == "bucket" and not request.bucket, "until: bucket needs a bucket."),
        (until == "queue" and not request.arrives_in, "until: queue needs a queue."),
        (
            until != "queue" and bool(request.destination_queue),
            f"destination_queue is for until: queue, but until is {until}.",
        ),
        (not 1 <= request.count <= MAX_COUNT, f"count is {request.count}, but must be between 1 and {MAX_COUNT}."),
        (rate is not None and rate <= 0, f"rate is {rate}, but must be above 0; leave it out to send all at once."),
        (request.timeout <= 0, f"timeout is {request.timeout}, but must be above 0."),
        (bool(own), f"message_attributes has {', '.join(own)}, which the probe sets itself."),
        (
            not request.topic and len(given) + len(own_attributes(request)) > SQS_ATTRIBUTES,
            f"message_attributes has {len(given)}, but SQS takes at most {SQS_ATTRIBUTES - len(own_attributes(request))}.",
        ),
        *(
            (
                not isinstance(value, (str, int, float, list)) or value in ("", []),
                f"message_attributes.{name} is {json.dumps(value)}, but must be a text, a number or a list.",
            )
            for name, value in given.items()
        ),
    ]
    return [*(problem for wrong, problem in found if wrong), *_body_problems(request.body)]


def own_attributes(request: Request) -> Json:
    """The attributes that the probe sets itself."""
    return ATTRIBUTES if request.body is None else {}


def _body_problems(body: t.Any) -> t.Iterator[str]:
    if body is None:
        return
    try:
        json.dumps(body, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        yield f"body is not JSON ({error}); put dates into quotes."
        return
    names = placeholders.names_in(body)
    if "id" not in names:
        yield "body has no ${id}, by which an event is known where it arrives."
    for name in sorted(names - {*IN_BODY}):
        yield f"body asks for ${{{name}}}{suggestion(name, IN_BODY)}."
