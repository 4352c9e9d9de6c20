"""SSM: parameters."""

from __future__ import annotations

from compat.aws import Aws, is_met, refused
from compat.contract import Contract

behaviour = Contract()
GUIDE = "systems-manager/latest/userguide/"
API = "systems-manager/latest/APIReference/"


@behaviour(
    "ssm.parameter.versions",
    "A parameter's versions are kept and can be read by number",
    source=GUIDE + "sysman-paramstore-versions.html",
    hurts="lost",
    without="a parameter's former values are lost",
    features=["parameters"],
)
def versions(aws: Aws) -> str | None:
    name = aws.parameter(value="old")
    version = aws.ssm.put_parameter(Name=name, Value="new", Overwrite=True)["Version"]
    found = [aws.ssm.get_parameter(Name=one)["Parameter"]["Value"] for one in (name, f"{name}:1")]
    return is_met((version, found) == (2, ["new", "old"]), "the versions differ")


@behaviour(
    "ssm.parameter.label",
    "A version can be read by its label",
    source=GUIDE + "sysman-paramstore-labels.html",
    hurts="missing",
    without="a parameter's labels can't be used",
)
def label(aws: Aws) -> str | None:
    name = aws.parameter(value="old")
    aws.ssm.label_parameter_version(Name=name, ParameterVersion=1, Labels=["live"])
    aws.ssm.put_parameter(Name=name, Value="new", Overwrite=True)
    found = aws.ssm.get_parameter(Name=f"{name}:live")["Parameter"]["Value"]
    return is_met(found == "old", "the label has another version")


@behaviour(
    "ssm.parameter.overwrite",
    "PutParameter without Overwrite is refused where the parameter is there",
    source=API + "API_PutParameter.html",
    hurts="lost",
    without="two owners of one name overwrite each other",
)
def overwrite(aws: Aws) -> str | None:
    return refused(aws.ssm.put_parameter, "ParameterAlreadyExists", Name=aws.parameter(), Value="b", Type="String")


@behaviour(
    "ssm.parameter.path",
    "GetParametersByPath gives what is below a path, page by page",
    source=API + "API_GetParametersByPath.html",
    hurts="lost",
    without="parameters below a path are missed",
)
def path(aws: Aws) -> str | None:
    for one in ("a", "b/c", "d"):
        aws.parameter(f"x/{one}")
    top, found = f"/{aws.name('x')}", []
    pages = aws.ssm.get_paginator("get_parameters_by_path").paginate(
        Path=top, Recursive=True, PaginationConfig={"PageSize": 2}
    )
    for page in pages:
        found += [one["Name"].removeprefix(top) for one in page["Parameters"]]
    return is_met(sorted(found) == ["/a", "/b/c", "/d"], f"found are {sorted(found)}")


@behaviour(
    "ssm.parameter.hierarchy",
    "A name in a hierarchy without the slash in front is refused",
    source=API + "API_PutParameter.html",
    hurts="accepted",
    without="a parameter's name that AWS refuses passes",
)
def hierarchy(aws: Aws) -> str | None:
    name = f"{aws.name('p')}/a"
    aws.afterwards(aws.ssm.delete_parameter, Name=name)
    return refused(aws.ssm.put_parameter, "Validation", Name=name, Value="a", Type="String")


@behaviour(
    "ssm.parameter.allowed_pattern",
    "A value that does not match AllowedPattern is refused",
    source=API + "API_PutParameter.html",
    hurts="accepted",
    without="a value that the pattern forbids passes",
    features=["parameters.allowed_pattern"],
)
def allowed_pattern(aws: Aws) -> str | None:
    aws.afterwards(aws.ssm.delete_parameter, Name=aws.name("p"))
    given = {"Name": aws.name("p"), "Value": "b1", "Type": "String", "AllowedPattern": "^[a-z]+$"}
    return refused(aws.ssm.put_parameter, "ParameterPatternMismatch", **given)


@behaviour(
    "ssm.parameter.limit",
    "A Standard parameter above 4 KB is refused",
    source=GUIDE + "parameter-store-advanced-parameters.html",
    hurts="accepted",
    without="a value that needs the tier Advanced passes as Standard",
)
def limit(aws: Aws) -> str | None:
    aws.afterwards(aws.ssm.delete_parameter, Name=aws.name("p"))
    given = {"Name": aws.name("p"), "Value": "x" * 4097, "Type": "String", "Tier": "Standard"}
    return refused(aws.ssm.put_parameter, "Validation", **given)


@behaviour(
    "ssm.parameter.empty",
    "An empty value is refused",
    source=API + "API_PutParameter.html",
    hurts="accepted",
    without="a value that AWS refuses passes",
)
def empty(aws: Aws) -> str | None:
    # boto3 refuses it before it is sent; what is sent is what the service answers to.
    client = aws.clients.unchecked("ssm")
    aws.afterwards(aws.ssm.delete_parameter, Name=aws.name("p"))
    return refused(client.put_parameter, "Validation", Name=aws.name("p"), Value="", Type="String")


@behaviour(
    "ssm.parameter.tier",
    "A parameter's tier and pattern are read back",
    source=API + "API_DescribeParameters.html",
    hurts="differs",
    without="a parameter's tier or pattern is not read back",
    features=["parameters.tier", "parameters.allowed_pattern"],
)
def tier(aws: Aws) -> str | None:
    name = aws.parameter(value="a", Tier="Advanced", AllowedPattern="^a$")
    (told,) = aws.ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": [name]}])["Parameters"]
    found = told.get("Tier"), told.get("AllowedPattern")
    return is_met(found == ("Advanced", "^a$"), f"tier and pattern are {found[0]}, {found[1]}")


@behaviour(
    "ssm.secure.encrypted",
    "A SecureString is given as ciphertext unless decryption is asked for",
    source=GUIDE + "secure-string-parameter-kms-encryption.html",
    hurts="open",
    without="a SecureString is readable without decryption being asked for",
    features=["parameters.secure"],
)
def secure(aws: Aws) -> str | None:
    name = aws.parameter(value="hidden", Type="SecureString")
    if aws.ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] != "hidden":
        return "the value differs"
    found = aws.ssm.get_parameter(Name=name)["Parameter"]["Value"]
    return is_met("hidden" not in found, "the value is told without decryption")


@behaviour(
    "ssm.parameter.tags",
    "A parameter's tags are read back",
    source=API + "API_ListTagsForResource.html",
    hurts="differs",
    without="a parameter's owner can't be read",
)
def tags(aws: Aws) -> str | None:
    name = aws.parameter(Tags=[{"Key": "a", "Value": "1"}])
    found = aws.ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    return is_met(found == [{"Key": "a", "Value": "1"}], f"the tags are {found}")
