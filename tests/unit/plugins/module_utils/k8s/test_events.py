"""What is said of objects by their events, however many there are."""

from __future__ import annotations

from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.events import last_events


def event(name: str, message: str, when: str) -> dict[str, Any]:
    about = {"kind": "Queue", "name": name}
    return {
        "involvedObject": about,
        "type": "Warning",
        "reason": "R",
        "message": message,
        "lastTimestamp": when,
        "metadata": {},
    }


class Pages:
    """Events in pages of one; the newest comes last."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events = events

    def get(self, path: str, params: Any) -> dict[str, Any]:
        place = int(params.get("continue", "0"))
        more = {"continue": str(place + 1)} if place + 1 < len(self.events) else {}
        return {"items": [self.events[place]], "metadata": more}


def test_events_are_read_to_the_last_page() -> None:
    api = Pages(
        event("q", "old", "2026-01-01T00:00:00Z"),
        event("p", "b", "2026-01-01T00:00:01Z"),
        event("q", "new\x1b[2J\nline", "2026-01-02T00:00:00Z"),
    )
    assert last_events(api, ["Queue"]) == {
        ("Queue", None, "q"): r"Warning R: new\x1b[2J\nline",
        ("Queue", None, "p"): "Warning R: b",
    }


def test_an_api_server_that_does_not_answer_has_none_to_tell() -> None:
    class Silent:
        def get(self, path: str, params: Any) -> dict[str, Any]:
            raise ApiError(0, "connection refused")

    assert last_events(Silent(), ["Queue"]) == {}
