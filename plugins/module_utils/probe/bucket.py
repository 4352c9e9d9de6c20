# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bucket where the probe's events arrive: objects whose key or body holds an event's identifier."""

from __future__ import annotations

import json
import shlex
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.aws import requests as reading
from ansible_collections.localcloud.stack.plugins.module_utils.aws.client import aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.module_utils.probe.destinations import Arrivals, where
from ansible_collections.localcloud.stack.plugins.module_utils.probe.event import Event, ids_in

Json = dict[str, t.Any]
# Objects that a bucket may have under the prefix before the probe, as they are listed at each look.
MOST_OBJECTS = 5000
# Of objects that come meanwhile, others' among them, no more are listed.
MOST_LISTED = 2 * MOST_OBJECTS
# So much of an object is read, in bytes.
READ = 1024 * 1024
SHOWN = 5


class BucketDestination:
    """Lists the bucket under the prefix, and reads each object that was not there before, once. Removes those of its events.

    What was there before, and what holds others' data as well, is left.
    """

    gives_portions = False

    def __init__(self, s3: t.Any, bucket: str, prefix: str, endpoint_url: str | None) -> None:
        self.name = f"bucket {bucket}" + (f" (prefix {prefix})" if prefix else "")
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix
        self._endpoint_url = endpoint_url
        with aws_errors(f"listing {self.name}", endpoint_url):
            self._before = self._listed(MOST_OBJECTS + 1)
        if len(self._before) > MOST_OBJECTS:
            raise AwsError(
                f"{self.name} has more than {MOST_OBJECTS} objects, which would be listed at each look. Nothing was published. "
                "Give the prefix that the consumer writes under, or a narrower one."
            )
        self._read = dict(self._before)
        self._ids: dict[str, set[str]] = {}  # of our events, by object
        self._mixed: set[str] = set()
        self._own: set[str] = set()

    def _listed(self, most: int = MOST_LISTED) -> dict[str, str]:
        """What tells an object's content from another one's, by the object's key."""
        found = reading.pages(
            self._s3,
            "list_objects_v2",
            "Contents",
            Bucket=self._bucket,
            Prefix=self._prefix,
            PaginationConfig={"MaxItems": most},
        )
        return {one["Key"]: f"{one.get('ETag')} {one.get('LastModified')} {one.get('Size')}" for one in found}

    def arrived(self, pending: t.Collection[Event], patient: bool) -> Arrivals:
        self._own |= {event.id for event in pending}
        with aws_errors(f"reading {self.name}", self._endpoint_url):
            for key, content in self._listed().items():
                if self._read.get(key) != content:
                    self._look_at(key)
                    self._read[key] = content
        seen = set().union(*self._ids.values()) if self._ids else set()
        return {event.id: {} for event in pending if event.id in seen}

    def _look_at(self, key: str) -> None:
        if by_key := ids_in(key) & self._own:
            self._ids.setdefault(key, set()).update(by_key)
            return
        body = self._beginning(key)
        text = body.decode("utf-8", errors="replace")
        if by_body := ids_in(text) & self._own:
            self._ids.setdefault(key, set()).update(by_body)
            if len(body) == READ or holds_others(text, self._own):
                self._mixed.add(key)

    def _beginning(self, key: str) -> bytes:
        """The beginning of an object's body; one that is gone has none."""
        answer = reading.existing(self._s3, "get_object", Bucket=self._bucket, Key=key)
        return t.cast("bytes", answer["Body"].read(READ)) if answer else b""

    def repeated(self, events: t.Collection[Event]) -> int | None:
        """Looks once more. An event is a duplicate if more than one object holds it."""
        if events:
            self.arrived(events, patient=False)
        return sum(sum(event.id in ids for ids in self._ids.values()) > 1 for event in events)

    def out_of_order(self, events: t.Collection[Event]) -> int | None:
        return None

    def clean_up(self, arrived: t.Collection[Event], missing: t.Collection[Event]) -> Json:
        what = "Its object was" if len(self._ids) == 1 else "Its objects were"
        try:
            if missing:
                self.arrived(missing, patient=False)
            kept = sorted(key for key in self._ids if key in self._before or key in self._mixed)
            with aws_errors(f"removing the probe's objects from {self.name}", self._endpoint_url):
                for key in self._ids.keys() - set(kept):
                    self._delete(key)
        except AwsError as error:
            by_hand = "; ".join(self._by_hand(key) for key in sorted(self._ids)[:SHOWN]) or self._search()
            note = f"its objects could not be removed ({error.message}) Remove with: {by_hand}"
            return {"deleted": False, "late_arrival_possible": bool(missing), "note": note, "kept": []}
        seen = set().union(*self._ids.values()) if self._ids else set()
        still_missing = [event for event in missing if event.id not in seen]
        notes = [f"{what} removed."] if len(kept) < len(self._ids) else []
        if kept:
            shown = ", ".join(map(printable, kept[:SHOWN])) + (", …" if len(kept) > SHOWN else "")
            notes.append(f"Left were {shown}, which were there before or hold others' data as well.")
        if still_missing:
            notes.append(
                f"{len(still_missing)} of its events may still arrive later; then look for them with: {self._search()}"
            )
        return {
            "deleted": bool(self._ids or not missing) and not kept,
            "late_arrival_possible": bool(still_missing),
            "note": " ".join(notes),
            "kept": list(map(printable, kept)),
        }

    def _delete(self, key: str) -> None:
        """Deletes the object, and, where the bucket keeps versions, the version itself, so that none is left."""
        answer = reading.existing(self._s3, "head_object", Bucket=self._bucket, Key=key)
        if answer is None:
            return
        version = answer.get("VersionId")
        exactly = {"VersionId": version} if version and version != "null" else {}
        self._s3.delete_object(Bucket=self._bucket, Key=key, **exactly)

    def _by_hand(self, key: str) -> str:
        name = shlex.quote(printable(key))
        return f"aws s3api delete-object --bucket {self._bucket} --key {name}{where(self._s3, self._endpoint_url)}"

    def _search(self) -> str:
        place = shlex.quote(f"s3://{self._bucket}/{self._prefix}")
        return f"aws s3 ls --recursive {place}{where(self._s3, self._endpoint_url)}"


def holds_others(text: str, own: set[str]) -> bool:
    """Whether an object with our events holds something else as well: another document, or another probe's event.

    Documents are the elements of a list of JSON, else the lines of a text that is not one JSON document.
    """
    if ids_in(text) - own:
        return True
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        parts = [line for line in text.splitlines() if line.strip()]
    else:
        parts = [json.dumps(one) for one in document] if isinstance(document, list) else []
    return any(not ids_in(part) for part in parts)
