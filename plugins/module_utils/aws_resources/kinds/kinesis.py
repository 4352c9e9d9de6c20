# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kinesis: streams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing

from ..comparison import TAGS, Rule
from ..entry import Context, Object, Problem, ProtectedEntry, given, protect
from ..fields import Whole, named, number
from ..kind import ON_DELETION, Kind
from ..observe import Aws, tag_map
from .kms import KeyName, key_id, key_problems

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
StreamName = Annotated[str, named(r"[A-Za-z0-9_.-]{1,128}", "1 to 128 letters, digits, '_', '.' and '-'")]


class Stream(ProtectedEntry):
    list_name: ClassVar[str] = "streams"
    late_initialized: ClassVar[bool] = False
    described: ClassVar[str] = "Streams of Kinesis"
    notes: ClassVar[Mapping[str, str]] = {"shards": "(without: on demand)"}

    name: StreamName
    shards: Annotated[Whole, number(1, 10000)] | None = None
    retention_hours: Annotated[Whole, number(24, 8760)] | None = None
    kms_key: KeyName | None = None

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        yield from key_problems("kms_key", self.kms_key, context)

    def objects(self, context: Context) -> list[Object]:
        mode = {"streamMode": "PROVISIONED" if self.shards else "ON_DEMAND"}
        key = {"encryptionType": "KMS", "kmsKeyId": key_id(self.kms_key, context)} if self.kms_key else {}
        parameters = {
            **given(self, {"shards": "shardCount", "retention_hours": "retentionPeriod"}),
            "streamModeDetails": context.single(mode),
            **key,
            # Consumers that others registered would keep the stream from being deleted.
            "enforceConsumerDeletion": context.target.emulated,
            "tags": self.all_tags(context),
        }
        return [protect(self, context.managed(self, "kinesis", "Stream", parameters, external=self.name))]


def _stream(aws: Aws, resource: ExternalResource) -> Json | None:
    kinesis, name = aws.get("kinesis"), resource.external_name
    answer = existing(kinesis, "describe_stream_summary", StreamName=name)
    if answer is None or answer["StreamDescriptionSummary"].get("StreamStatus") == "DELETING":
        return None
    known = answer["StreamDescriptionSummary"]
    mode = (known.get("StreamModeDetails") or {}).get("StreamMode", "PROVISIONED")
    tags = existing(kinesis, "list_tags_for_stream", StreamName=name) or {}
    return {
        "encryptionType": known.get("EncryptionType", "NONE"),
        "kmsKeyId": known.get("KeyId"),
        "retentionPeriod": known.get("RetentionPeriodHours"),
        # On demand, AWS chooses how many.
        **({"shardCount": known.get("OpenShardCount")} if mode == "PROVISIONED" else {}),
        "streamModeDetails": [{"streamMode": mode}],
        "tags": tag_map(tags.get("Tags") or []),
    }


KINDS = (
    Kind(
        "kinesis",
        "Stream",
        Stream,
        _stream,
        named_by_us=True,
        refers_to=("kms/Key",),
        compare={"tags": TAGS, "retentionPeriod": Rule(cleared=24), "encryptionType": Rule(cleared="NONE")},
        unobserved={"enforceConsumerDeletion": ON_DELETION},
    ),
)
