# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The types of fields that several services share, with AWS's own limits. Pure."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import CLUSTER, OWNER

from .models import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

LONGEST_SHOWN = 60
# Ansible's own words (ansible.module_utils.parsing.convert_bool), which the image of the kind EventPipeline has not.
BOOLEANS = {
    **dict.fromkeys(("y", "yes", "on", "1", "true", "t"), True),
    **dict.fromkeys(("n", "no", "off", "0", "false", "f"), False),
}


class Model(BaseModel):
    """A map of known fields whose values are what they are: 5 is not text. Text may be a number or a boolean, see below."""

    # Deferred: a playbook pays only for the kinds that it declares.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


def short(value: object) -> str:
    """A value for a message: never more than a line of it."""
    text = repr(value)
    length = len(value) if isinstance(value, str) else len(text)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}… ({length} characters)"


def _number_in(value: object) -> object:
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value) else value


def _fraction_in(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", value):
        return float(value)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _boolean_in(value: object) -> object:
    return BOOLEANS.get(value.lower(), value) if isinstance(value, str) else value


# Templates of older Ansible and values of -e are always text; as an option of a module would, these take it for what it says.
Whole = Annotated[int, BeforeValidator(_number_in)]
Number = Annotated[float, BeforeValidator(_fraction_in)]
Flag = Annotated[bool, BeforeValidator(_boolean_in)]


def named(pattern: str, rule: str, *, refuse: Callable[[str], str | None] = lambda name: None) -> AfterValidator:
    """A name: what it must match entirely, that in words, and what else may be wrong with it."""
    compiled = re.compile(pattern)

    def check(name: str) -> str:
        if not compiled.fullmatch(name):
            raise ValueError(f"{short(name)} is refused by AWS; allowed are {rule}")
        if reason := refuse(name):
            raise ValueError(f"{short(name)} is refused by AWS: {reason}")
        return name

    return AfterValidator(check)


def number(least: int, most: int) -> AfterValidator:
    """A whole number within AWS's range."""

    def check(value: int) -> int:
        if not least <= value <= most:
            raise ValueError(f"{value} is out of AWS's range, {least} to {most}")
        return value

    return AfterValidator(check)


def text(longest: int, least: int = 0) -> AfterValidator:
    """A text, limited in characters."""

    def check(value: str) -> str:
        if not least <= len(value) <= longest:
            raise ValueError(f"has {len(value)} characters; AWS takes {least} to {longest}")
        return value

    return AfterValidator(check)


# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
# AWS's 50 without the three that Crossplane adds (crossplane-kind, crossplane-name and crossplane-providerconfig) and our two.
MOST_TAGS = 45
# IAM's tags don't differ in case.
RESERVED_TAGS = frozenset({OWNER, CLUSTER})
TAG_CHARACTERS = re.compile(r"[\w\s.:/=+@-]*")


def tag_problems(tags: Mapping[str, str]) -> list[str]:
    """What AWS would refuse of tags."""
    found = (
        [f"has {len(tags)} tags; AWS takes 50, three of which are Crossplane's and two ours"]
        if len(tags) > MOST_TAGS
        else []
    )
    for key, value in tags.items():
        if not 1 <= len(key) <= 128:
            found.append(f"the key {short(key)} must have 1 to 128 characters")
        if key.lower().startswith("aws:"):
            found.append(f"the key {short(key)} begins with 'aws:', which AWS keeps for itself")
        if len(value) > 256:
            found.append(f"the value of {short(key)} has {len(value)} characters; AWS takes 256")
        if not TAG_CHARACTERS.fullmatch(key) or not TAG_CHARACTERS.fullmatch(value):
            found.append(f"{short(key)}: allowed are letters, digits, spaces and _ . : / = + - @")
    return found


def case_problems(tags: Mapping[str, str]) -> list[str]:
    """Keys that IAM takes for the same: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules_creating."""
    alike: dict[str, list[str]] = {}
    for key in tags:
        alike.setdefault(key.lower(), []).append(key)
    return [
        f"the keys {' and '.join(map(short, keys))} differ in case only, and IAM takes them for one; with aws_resources_tags, leave one out"
        for keys in alike.values()
        if len(keys) > 1
    ]


def reserved_tag_problems(tags: Iterable[object]) -> list[str]:
    """Tags that are not the user's, as ownership is told by them."""
    return [
        f"the key {short(key)} is set by the role, which tells by it whose a resource is"
        for key in tags
        if isinstance(key, str) and key.lower() in RESERVED_TAGS
    ]


def _check_tags(tags: dict[str, str]) -> dict[str, str]:
    if found := tag_problems(tags):
        raise ValueError("; ".join(found))
    return tags


Tags = Annotated[dict[str, str], AfterValidator(_check_tags)]


def as_json(value: object) -> str:
    """The text that is given to AWS for a document: the same one each time, and in the provider's own form.

    Another form of a queue's redrive policy would be a difference for the provider, which then sets it at each look.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


def as_iam_json(value: object) -> str:
    """The text of a policy of IAM, which AWS answers with URL-encoded, and some emulators as it is.

    The provider decodes it all the same, and boto3 does: a '+' or '%' would be another character or none then. Written as JSON's own
    escapes, the document means the same, and both ways end in the same text.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html
    """
    escaped = _TEXT.sub(lambda one: one[0].replace("%", "\\u0025").replace("+", "\\u002b"), as_json(value))
    # What is left is of a number's exponent.
    return escaped.replace("+", "")


def json_problems(value: object, path: str = "") -> list[str]:
    """What of a document JSON can't hold, each with its place: YAML makes a date of 2012-10-17 without quotes."""
    if isinstance(value, Mapping):
        found = [f"{_at(path)}the key {short(key)} must be text" for key in value if not isinstance(key, str)]
        for key, one in value.items():
            found += json_problems(one, f"{path}.{key}" if path else str(key))
        return found
    if isinstance(value, list | tuple):
        return [text for index, one in enumerate(value) for text in json_problems(one, f"{path}[{index}]")]
    if isinstance(value, datetime.date | datetime.time):
        return [f"{_at(path)}is a date, not text; put it into quotes: '{value.isoformat()}'"]
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{_at(path)}is {value}, which JSON does not have"]
    if value is None or isinstance(value, str | bool | int | float):
        return []
    return [f"{_at(path)}is {type(value).__name__}, which JSON does not have; write it as text"]


def _at(path: str) -> str:
    return f"{path} " if path else ""


def policy_document(longest: int, *, principal: bool) -> BeforeValidator:
    """A policy: a map or its JSON, at most so long without spaces; principal says whether it names one.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """

    def check(value: object) -> dict[str, Any]:
        document = _parsed(value)
        if found := json_problems(document) or _policy_problems(document, principal):
            raise ValueError("is not a policy document: " + "; ".join(found))
        whole = {"Version": "2012-10-17", **document}
        if (length := len(json.dumps(whole, separators=(",", ":")))) > longest:
            raise ValueError(f"has {length} characters without spaces; AWS takes {longest}")
        return whole

    return BeforeValidator(check)


def _parsed(value: object) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(value, Mapping):
        raise ValueError("must be a map, or its JSON")
    return value


def _policy_problems(document: Mapping[str, Any], principal: bool) -> list[str]:
    unknown = [short(one) for one in document if one not in ("Version", "Id", "Statement")]
    found = [f"{', '.join(unknown)} is unknown beside Version, Id and Statement"] if unknown else []
    if str(document.get("Version", "2012-10-17")) not in ("2012-10-17", "2008-10-17"):
        found.append(f"Version is {short(document['Version'])} instead of '2012-10-17'")
    statements = document.get("Statement")
    if isinstance(statements, Mapping):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        return [*found, "Statement must be a list of maps"]
    for index, one in enumerate(statements):
        found.extend(f"Statement[{index}] {problem}" for problem in _statement_problems(one, principal))
    return found


def _statement_problems(statement: object, principal: bool) -> list[str]:
    if not isinstance(statement, Mapping):
        return ["must be a map"]
    found = []
    if statement.get("Effect") not in ("Allow", "Deny"):
        found.append("must have the Effect Allow or Deny")
    wanted = ["Action", "Principal" if principal else "Resource"]
    found.extend(f"has no {one}" for one in wanted if not {one, f"Not{one}"} & set(statement))
    if not principal and {"Principal", "NotPrincipal"} & set(statement):
        found.append("must not have a Principal here")
    return found


ARN = Annotated[
    str,
    named(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(?:\d{12}|aws)?:.+", "ARNs (arn:aws:service:region:account:resource)"),
]
ObjectName = Annotated[
    str,
    named(
        r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*",
        "names of Kubernetes objects: lower-case letters, digits, '-' and '.', at most 253",
    ),
]
KubernetesName = Annotated[str, Field(min_length=1, max_length=253)]


class SecretName(Model):
    """A Kubernetes Secret. The namespace is the objects' own where these are namespaced."""

    namespace: KubernetesName | None = None
    name: KubernetesName


class SecretKey(SecretName):
    """A key of one."""

    key: KubernetesName
