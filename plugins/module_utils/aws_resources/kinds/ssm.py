# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SSM: parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing, pages

from ..comparison import TAGS, Rule
from ..entry import Context, Object, Problem, TaggedEntry, given
from ..fields import SecretKey, named, short, text
from ..kind import SECRET, Kind
from ..models import AfterValidator
from ..observe import Aws, tag_map
from .kms import KeyName, key_id, key_problems

MOST_LEVELS = 15
LONGEST_VALUES = {"Standard": 4096, "Advanced": 8192, "Intelligent-Tiering": 8192}


def _name_problem(name: str) -> str | None:
    if re.match(r"/?(aws|ssm)", name, re.IGNORECASE):
        return "names must not begin with 'aws' or 'ssm'"
    if "/" in name and not name.startswith("/"):
        return "a path must begin with '/'"
    if name.endswith("/") or "//" in name:
        return "a path must have no empty part"
    if name.count("/") > MOST_LEVELS:
        return f"a path has at most {MOST_LEVELS} levels"
    return None


# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
ParameterName = Annotated[
    str, named(r"[A-Za-z0-9_./-]{1,1011}", "1 to 1011 letters, digits, '_', '-', '.' and '/'", refuse=_name_problem)
]


def _check_value(value: object) -> object:
    if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        raise ValueError("must be text, or a list of texts for type StringList")
    return value


def fits(pattern: str | None, value: str) -> bool:
    """Whether a value may match a pattern; one that Python reads otherwise than AWS, or not at all, is left to AWS."""
    try:
        return pattern is None or re.search(pattern, value) is not None
    except re.error:
        return True


class Parameter(TaggedEntry):
    """A value, plain or from a key of a Kubernetes Secret, from which alone a SecureString may come."""

    list_name: ClassVar[str] = "parameters"
    described: ClassVar[str] = "Parameters of SSM"
    notes: ClassVar[Mapping[str, str]] = {"value": "or `value_from_secret` (one is required)"}

    name: ParameterName
    type: Literal["String", "StringList", "SecureString"] = "String"
    value: Annotated[Any, AfterValidator(_check_value)] = None
    value_from_secret: SecretKey | None = None
    description: Annotated[str, text(1024)] | None = None
    tier: Literal["Standard", "Advanced", "Intelligent-Tiering"] | None = None
    allowed_pattern: Annotated[str, text(1024)] | None = None
    data_type: Literal["text", "aws:ec2:image", "aws:ssm:integration"] | None = None
    kms_key: KeyName | None = None

    @property
    def plain(self) -> str | None:
        """The value as AWS takes it: the members of a list with commas between."""
        return ",".join(self.value) if isinstance(self.value, list) else self.value

    def problems(self, context: Context) -> Iterable[Problem]:
        yield from super().problems(context)
        yield from context.namespace_problems("value_from_secret", self.value_from_secret)
        yield from key_problems("kms_key", self.kms_key, context)
        yield from self._value_problems()
        if self.kms_key and self.type != "SecureString":
            yield "kms_key", "is for type SecureString only"

    def _value_problems(self) -> Iterable[Problem]:
        if self.type == "SecureString" and self.value is not None:
            yield (
                "value",
                "must not stand in plain text, as type is SecureString; put it into a Kubernetes Secret and name that in value_from_secret",
            )
        elif self.value is not None and self.value_from_secret:
            yield "value", "and value_from_secret are both there"
        elif self.value is None and not self.value_from_secret:
            missing = "value_from_secret" if self.type == "SecureString" else "value"
            yield missing, "is missing"
        if isinstance(self.value, list) and self.type != "StringList":
            yield "value", f"must be text, as type is {self.type}"
        if isinstance(self.value, list) and any("," in one for one in self.value):
            yield "value", "has a comma in one of its members, which would make two of it"
        if self.plain is not None:
            longest = LONGEST_VALUES[self.tier or "Standard"]
            if not 1 <= (length := len(self.plain.encode())) <= longest:
                yield "value", f"has {length} bytes; AWS takes 1 to {longest} in tier {self.tier or 'Standard'}"
            # How AWS takes it for a list is not documented.
            if isinstance(self.value, str) and not fits(self.allowed_pattern, self.value):
                yield "value", f"does not match allowed_pattern {short(self.allowed_pattern)}"

    def objects(self, context: Context) -> list[Object]:
        parameters = {
            "type": self.type,
            **({"insecureValue": self.plain} if self.plain is not None else {}),
            **({"valueSecretRef": context.secret_key(self.value_from_secret)} if self.value_from_secret else {}),
            **given(
                self,
                {
                    "description": "description",
                    "tier": "tier",
                    "allowed_pattern": "allowedPattern",
                    "data_type": "dataType",
                },
            ),
            **({"keyId": key_id(self.kms_key, context)} if self.kms_key else {}),
            "tags": self.all_tags(context),
        }
        return [context.managed(self, "ssm", "Parameter", parameters, external=self.name)]


def _parameter(aws: Aws, resource: ExternalResource) -> Json | None:
    ssm, name = aws.get("ssm"), resource.external_name
    answer = existing(ssm, "get_parameter", Name=name)
    if answer is None:
        return None
    known = answer["Parameter"]
    tags = existing(ssm, "list_tags_for_resource", ResourceType="Parameter", ResourceId=name) or {}
    found = {
        "dataType": known.get("DataType"),
        "type": known.get("Type"),
        "tags": tag_map(tags.get("TagList") or []),
        **(_described(ssm, name) if resource.declares(*DESCRIBED) else {}),
    }
    # AWS chooses one of the other two itself.
    if resource.parameters.get("tier") == "Intelligent-Tiering" and found.get("tier"):
        found["tier"] = "Intelligent-Tiering"
    if known.get("Type") == "SecureString":
        return found
    # What is not encrypted has no key.
    key = {"keyId": DEFAULT_KEY} if resource.parameters.get("keyId") == DEFAULT_KEY else {}
    return {**found, **key, "insecureValue": known.get("Value")}


DEFAULT_KEY = "alias/aws/ssm"
# What is told of a parameter without its value only.
DESCRIBED = {"allowedPattern": "AllowedPattern", "description": "Description", "keyId": "KeyId", "tier": "Tier"}


def _described(ssm: Any, name: str) -> Json:
    wanted = [{"Key": "Name", "Option": "Equals", "Values": [name]}]
    listed = pages(ssm, "describe_parameters", "Parameters", ParameterFilters=wanted)
    return {field: one.get(theirs) for one in listed[:1] for field, theirs in DESCRIBED.items()}


KINDS = (
    Kind(
        "ssm",
        "Parameter",
        Parameter,
        _parameter,
        named_by_us=True,
        refers_to=("kms/Key",),
        unobserved={"valueSecretRef": SECRET},
        compare={
            "tags": TAGS,
            "description": Rule(cleared=""),
            "allowedPattern": Rule(cleared=""),
            "keyId": Rule(cleared=DEFAULT_KEY),
            # Its order and spaces count: only who reads it knows what it means.
            "insecureValue": Rule(),
            "value": Rule(),
        },
    ),
)
