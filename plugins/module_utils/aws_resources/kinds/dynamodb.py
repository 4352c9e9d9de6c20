# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""DynamoDB: tables with their indexes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from ansible_collections.localcloud.stack.plugins.module_utils.aws import facts
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing, existing_pages

from ..comparison import TAGS, Rule
from ..entry import Context, Object, Problem, ProtectedEntry, given, protect
from ..fields import ARN, Flag, Model, Whole, named, number, short, text
from ..kind import Kind
from ..models import BeforeValidator, Field
from ..observe import Aws, tag_map

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
TableName = Annotated[str, named(r"[A-Za-z0-9_.-]{3,255}", "3 to 255 letters, digits, '_', '-' or '.'")]
AttributeName = Annotated[str, text(255, 1)]
Capacity = Annotated[Whole, number(1, 40000)]
MOST_GLOBAL_INDEXES = 20
MOST_LOCAL_INDEXES = 5
PROVISIONED = "PROVISIONED"
CAPACITIES = {"read_capacity": "readCapacity", "write_capacity": "writeCapacity"}


class Attribute(Model):
    name: AttributeName
    type: Literal["S", "N", "B"]


class Projection(Model):
    """What an index holds: 'ALL', 'KEYS_ONLY', or the keys and a list of attributes."""

    type: Literal["ALL", "KEYS_ONLY", "INCLUDE"] = "INCLUDE"
    include: list[AttributeName] = Field(default_factory=list)


def _projection(value: object) -> object:
    if value in ("ALL", "KEYS_ONLY"):
        return {"type": value}
    if isinstance(value, dict) and isinstance(value.get("include"), list) and value["include"] and len(value) == 1:
        return value
    raise ValueError("must be ALL, KEYS_ONLY, or a map with a list of attributes: {include: [...]}")


class Index(Model):
    name: TableName
    projection: Annotated[Projection, BeforeValidator(_projection)] = Projection(type="ALL")

    def described(self) -> Object:
        """What all indexes have in common."""
        include = {"nonKeyAttributes": self.projection.include} if self.projection.include else {}
        return {"name": self.name, "projectionType": self.projection.type, **include}


class GlobalIndex(Index):
    hash_key: Attribute
    range_key: Attribute | None = None
    read_capacity: Capacity | None = None
    write_capacity: Capacity | None = None


class LocalIndex(Index):
    range_key: Attribute


class TimeToLive(Model):
    attribute: AttributeName
    enabled: Flag = True


class Encryption(Model):
    """A key of KMS instead of DynamoDB's own; without an ARN that of the account for DynamoDB."""

    kms_key_arn: ARN | None = None


class Table(ProtectedEntry):
    list_name: ClassVar[str] = "tables"
    described: ClassVar[str] = "DynamoDB tables"

    name: TableName
    hash_key: Attribute
    range_key: Attribute | None = None
    global_indexes: list[GlobalIndex] = Field(default_factory=list)
    local_indexes: list[LocalIndex] = Field(default_factory=list)
    ttl: TimeToLive | None = None
    billing_mode: Literal["PAY_PER_REQUEST", "PROVISIONED"] = "PAY_PER_REQUEST"
    read_capacity: Capacity | None = None
    write_capacity: Capacity | None = None
    stream: Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"] | None = None
    point_in_time_recovery: Flag | None = None
    table_class: Literal["STANDARD", "STANDARD_INFREQUENT_ACCESS"] | None = None
    encryption: Encryption | None = None
    aws_deletion_protection: Flag | None = None

    def keys(self) -> list[tuple[str, Attribute]]:
        """Every attribute that is a key of the table or an index, with its place in the entry."""
        found = [("hash_key", self.hash_key), ("range_key", self.range_key)]
        for index, one in enumerate(self.global_indexes):
            place = f"global_indexes[{index}]"
            found += [(f"{place}.hash_key", one.hash_key), (f"{place}.range_key", one.range_key)]
        found += [(f"local_indexes[{index}].range_key", one.range_key) for index, one in enumerate(self.local_indexes)]
        return [(place, key) for place, key in found if key]

    def attributes(self) -> list[Attribute]:
        """Each of these once."""
        return list({key.name: key for _place, key in self.keys()}.values())

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        types: dict[str, str] = {}
        for place, key in self.keys():
            if types.setdefault(key.name, key.type) != key.type:
                yield f"{place}.type", f"{short(key.name)} is of type {types[key.name]} elsewhere, here of {key.type}"
        for name, most in (("global_indexes", MOST_GLOBAL_INDEXES), ("local_indexes", MOST_LOCAL_INDEXES)):
            if (length := len(getattr(self, name))) > most:
                yield name, f"has {length} entries; AWS takes {most}"
        names = Counter(one.name for one in (*self.global_indexes, *self.local_indexes))
        yield from (
            ("global_indexes", f"{short(name)} is the name of {n} indexes") for name, n in names.items() if n > 1
        )
        if self.range_key and self.range_key.name == self.hash_key.name:
            yield "range_key.name", "must be another attribute than hash_key's"
        if self.local_indexes and not self.range_key:
            yield "local_indexes", "need a table with a range_key"
        yield from self._capacity_problems()

    def _capacity_problems(self) -> Iterable[Problem]:
        holders: list[tuple[str, Table | GlobalIndex]] = [("", self)]
        holders += [(f"global_indexes[{index}].", one) for index, one in enumerate(self.global_indexes)]
        for place, holder in holders:
            for name in CAPACITIES:
                value = getattr(holder, name)
                if self.billing_mode == PROVISIONED and value is None:
                    yield f"{place}{name}", "is missing, as billing_mode is PROVISIONED"
                if self.billing_mode != PROVISIONED and value is not None:
                    yield f"{place}{name}", "is for billing_mode PROVISIONED only"

    def objects(self, context: Context) -> list[Object]:
        parameters: Object = {
            "attribute": [{"name": key.name, "type": key.type} for key in self.attributes()],
            "billingMode": self.billing_mode,
            "hashKey": self.hash_key.name,
            **({"rangeKey": self.range_key.name} if self.range_key else {}),
            **given(self, CAPACITIES),
            **given(self, {"table_class": "tableClass", "aws_deletion_protection": "deletionProtectionEnabled"}),
            **self._indexes(context),
            **({"streamEnabled": True, "streamViewType": self.stream} if self.stream else {}),
            "tags": self.all_tags(context),
        }
        blocks: dict[str, Object | None] = {
            "ttl": self._ttl(),
            "pointInTimeRecovery": None if (wanted := self.point_in_time_recovery) is None else {"enabled": wanted},
            "serverSideEncryption": self._encryption(),
        }
        parameters.update({name: context.single(block) for name, block in blocks.items() if block is not None})
        return [protect(self, context.managed(self, "dynamodb", "Table", parameters, external=self.name))]

    def _unlimited(self, context: Context) -> Object:
        """Without limits, as is usual; said where an emulator needs it.

        LocalStack's DynamoDB gives an index that is added later these values, which the provider takes for a change and sends an
        update without any throughput, at each look and without end.
        """
        if self.billing_mode == PROVISIONED or not context.target.emulated:
            return {}
        return {"onDemandThroughput": context.single({"maxReadRequestUnits": -1, "maxWriteRequestUnits": -1})}

    def _ttl(self) -> Object | None:
        """The provider refuses the attribute's name where TTL is off."""
        if self.ttl is None:
            return None
        return {**({"attributeName": self.ttl.attribute} if self.ttl.enabled else {}), "enabled": self.ttl.enabled}

    def _indexes(self, context: Context) -> Object:
        found: dict[str, list[Any]] = {
            "globalSecondaryIndex": [
                {
                    **one.described(),
                    "hashKey": one.hash_key.name,
                    **({"rangeKey": one.range_key.name} if one.range_key else {}),
                    **given(one, CAPACITIES),
                    **self._unlimited(context),
                }
                for one in self.global_indexes
            ],
            "localSecondaryIndex": [{**one.described(), "rangeKey": one.range_key.name} for one in self.local_indexes],
        }
        return {name: indexes for name, indexes in found.items() if indexes}

    def _encryption(self) -> Object | None:
        if self.encryption is None:
            return None
        return {"enabled": True, **given(self.encryption, {"kms_key_arn": "kmsKeyArn"})}


def _table(aws: Aws, resource: ExternalResource) -> Json | None:
    dynamodb, name = aws.get("dynamodb"), resource.external_name
    answer = existing(dynamodb, "describe_table", TableName=name)
    if answer is None:
        return None
    known = answer["Table"]
    stream = known.get("StreamSpecification") or {}
    found = {
        "attribute": [
            {"name": one["AttributeName"], "type": one["AttributeType"]} for one in known["AttributeDefinitions"]
        ],
        "billingMode": facts.billing_mode(known),
        "deletionProtectionEnabled": known.get("DeletionProtectionEnabled", False),
        "globalSecondaryIndex": [_global_index(one) for one in known.get("GlobalSecondaryIndexes") or []],
        "localSecondaryIndex": [_local_index(one) for one in known.get("LocalSecondaryIndexes") or []],
        "serverSideEncryption": [_server_side_encryption(known)],
        "streamEnabled": stream.get("StreamEnabled", False),
        "streamViewType": stream.get("StreamViewType"),
        "tableClass": facts.table_class(known),
        "tags": tag_map(existing_pages(dynamodb, "list_tags_of_resource", "Tags", ResourceArn=known["TableArn"])),
        **_keys(known["KeySchema"]),
        **_capacities(known),
    }
    if resource.declares("ttl"):
        found["ttl"] = _ttl(existing(dynamodb, "describe_time_to_live", TableName=name) or {})
    if resource.declares("pointInTimeRecovery"):
        backups = existing(dynamodb, "describe_continuous_backups", TableName=name)
        found["pointInTimeRecovery"] = [{"enabled": bool(facts.recovery(backups))}]
    return found


def _keys(schema: Iterable[Json]) -> Json:
    by_type = {one["KeyType"]: one["AttributeName"] for one in schema}
    return {"hashKey": by_type.get("HASH"), "rangeKey": by_type.get("RANGE")}


def _capacities(described: Json) -> Json:
    throughput = described.get("ProvisionedThroughput") or {}
    return {"readCapacity": throughput.get("ReadCapacityUnits"), "writeCapacity": throughput.get("WriteCapacityUnits")}


def _global_index(described: Json) -> Json:
    return {**_index(described), **_keys(described["KeySchema"]), **_capacities(described)}


def _local_index(described: Json) -> Json:
    return {**_index(described), "rangeKey": _keys(described["KeySchema"])["rangeKey"]}


def _index(described: Json) -> Json:
    projection = described.get("Projection") or {}
    return {
        "name": described["IndexName"],
        "projectionType": projection.get("ProjectionType"),
        "nonKeyAttributes": projection.get("NonKeyAttributes") or [],
    }


def _server_side_encryption(table: Json) -> Json:
    """By a key of KMS, or by DynamoDB's own, which counts as none."""
    found = facts.encryption_of_table(table)
    return {"enabled": found is not None, "kmsKeyArn": (found or {}).get("kms_key")}


def _ttl(answer: Json) -> list[Json]:
    known = answer.get("TimeToLiveDescription") or {}
    return [{"attributeName": known.get("AttributeName"), "enabled": facts.ttl_facts(answer) is not None}]


KINDS = (
    Kind(
        "dynamodb",
        "Table",
        Table,
        _table,
        immutable=frozenset({"hashKey", "rangeKey", "localSecondaryIndex"}),
        named_by_us=True,
        compare={
            "tags": TAGS,
            "attribute": Rule("items", key="name"),
            "globalSecondaryIndex": Rule(
                "items", key="name", computed=("readCapacity", "writeCapacity", "onDemandThroughput")
            ),
            "localSecondaryIndex": Rule("items", key="name"),
            "ttl": Rule("items"),
            "pointInTimeRecovery": Rule("items", cleared=[{"enabled": False}]),
            "serverSideEncryption": Rule("items", computed=("kmsKeyArn",), cleared=[{"enabled": False}]),
            "deletionProtectionEnabled": Rule(cleared=False),
            "streamEnabled": Rule(cleared=False),
            "tableClass": Rule(cleared="STANDARD"),
        },
    ),
    Kind("dynamodb", "TableItem"),
)
