# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Kubernetes says of objects by its events. Talks to the API server through C(Api) alone."""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import Api, ApiError, list_all


def last_events(api: Api, kinds: t.Iterable[str]) -> dict[tuple[str, str | None, str], str]:
    """The latest event of each object of these kinds. An API server that doesn't answer has none to tell."""
    latest: dict[tuple[str, str | None, str], tuple[str, str]] = {}
    for kind in sorted(kinds):
        try:
            found, _version = list_all(api, "/api/v1/events", {"fieldSelector": f"involvedObject.kind={kind}"})
        except ApiError:
            continue
        for event in found:
            about = event.get("involvedObject") or {}
            key = (kind, about.get("namespace"), about.get("name", ""))
            when = str(
                (event.get("series") or {}).get("lastObservedTime")
                or event.get("lastTimestamp")
                or event.get("eventTime")
                or event["metadata"].get("creationTimestamp")
            )
            text = printable(f"{event.get('type')} {event.get('reason')}: {event.get('message')}")
            if key not in latest or when >= latest[key][0]:
                latest[key] = (when, text)
    return {key: text for key, (_when, text) in latest.items()}
