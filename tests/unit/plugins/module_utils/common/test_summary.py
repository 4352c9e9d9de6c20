"""What a user reads at the end of a run."""

from __future__ import annotations

from ansible_collections.localcloud.stack.plugins.module_utils.common.summary import summary

FACTS = {
    "cloud": {"Engine": "ministack 1.5.33"},
    "notes": ["the emulator was restarted"],
    "pods": [{"name": "producer-1", "phase": "Running", "ready": True, "restarts": 0}],
    "resources": [{"kind": "Topic", "name": "events", "ready": False}],
    "tables": [
        {
            "name": "items",
            "item_count": 7,
            "newest_items": [{"Id": "a", "Number": 3, "CreatedAt": "2026-01-01", "Trace": {"StoredAt": 1}}],
        }
    ],
    "seconds": {"cluster": 12.34},
    "links": {"DynamoDB Admin": "http://10.0.0.1:30801"},
    "commands": {"Verify again": "make verify"},
    "proofs": ["event probe-1 went topic -> queue (total 120 ms)."],
}


def test_everything_is_said() -> None:
    text = summary(FACTS)
    for part in (
        "producer-1",
        "Running",
        "events",
        "Newest items of items (7 in all)",
        "12.3",
        "http://10.0.0.1:30801",
        "make verify",
    ):
        assert part in text


def test_what_is_not_ready_says_no() -> None:
    (line,) = [line for line in summary(FACTS).splitlines() if "Topic" in line]
    assert line.split() == ["Topic", "events", "no"]


def test_every_proof_has_a_line_at_the_end() -> None:
    proofs = ["orders: event probe-2 went topic -> queue.", "users-api: 4 requests answered as expected."]
    text = summary({**FACTS, "proofs": proofs})
    assert text.splitlines()[-2:] == [f"Verified: {one}" for one in proofs]
    assert text.count("Verified") == 2


def test_without_a_proof_nothing_is_called_verified() -> None:
    text = summary({**FACTS, "proofs": []})
    assert "Verified" not in text
    assert text.splitlines()[-1].startswith("Looked at, not proved")


def test_an_empty_table_says_so_and_a_trace_is_not_shown() -> None:
    assert "Trace" not in summary(FACTS)
    empty = {**FACTS, "tables": [{"name": "items", "item_count": 0, "newest_items": []}]}
    assert "none yet" in summary(empty)
