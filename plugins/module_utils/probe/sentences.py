# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was proved, in a sentence that begins in the middle of one. Pure: from results of event_probe and http_probe to text."""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable

Result = t.Mapping[str, t.Any]


def sentences(proofs: t.Sequence[tuple[str, Result]]) -> list[str]:
    """A sentence for each result of C(event_probe) or C(http_probe), with its name in front where there are several.

    Results of check mode, which prove nothing, have none.
    """
    said = [(name, sentence(result)) for name, result in proofs]
    several = len(said) > 1
    return [f"{printable(name)}: {text}" if several and name else text for name, text in said if text]


def sentence(result: Result) -> str:
    """The sentence for one result; an empty text if it proves nothing."""
    return http_sentence(result) if "steps" in result else event_sentence(result)


def event_sentence(result: Result) -> str:
    """For example C(event probe-1 went topic -> queue -> consumer -> table (publish 2 ms, total 61 ms).)"""
    if not result.get("id"):
        return ""
    sent = (result.get("statistics") or {}).get("sent", 1)
    events = "event" if sent == 1 else f"{sent} events"
    return f"{events} {printable(result['id'])} went {' -> '.join(way(result))}{figures(result['latency_ms'])}."


def way(result: Result) -> list[str]:
    """The stations of an event. With neither table nor bucket nor another queue, the queue is the last one."""
    # Results of before the events could be sent to a queue have no topic_arn where they are made up; then it was a topic.
    first = ["topic"] if result.get("topic_arn", True) else []
    between = ["queue"] if result.get("queue_url") else []
    if result.get("destination_queue_url"):
        return [*first, *between, "consumer", "queue"]
    last = "bucket" if result.get("bucket") else "table" if result.get("table") else ""
    return [*first, *between, "consumer", last] if last else [*first, *between]


def http_sentence(result: Result) -> str:
    """For example C(4 requests answered as expected (create 24 ms, get 4 ms, total 45 ms).)"""
    sent = [one for one in result["steps"] if one["status"] is not None]
    if not sent:
        return ""
    requests = "1 request" if len(sent) == 1 else f"{len(sent)} requests"
    return f"{requests} answered as expected{figures(result['latency_ms'])}."


def figures(latency_ms: t.Mapping[str, float | None]) -> str:
    """Milliseconds by what took them, in parentheses; nothing where none are known."""
    known = [
        f"{printable(name.replace('_', ' '))} {value:.0f} ms" for name, value in latency_ms.items() if value is not None
    ]
    return f" ({', '.join(known)})" if known else ""
