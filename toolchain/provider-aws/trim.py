"""Trim copied sources of the Upbound AWS provider to a few kinds of a few AWS services.

Only generated registration lists are cut; what is kept stays byte for byte upstream's. Both source trees are edited in
place.

    trim.py PROVIDER_SOURCE TERRAFORM_SOURCE SERVICE/KIND [SERVICE/KIND ...]      for example sns/topic
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What is called besides the resources' own services: the account behind the credentials, and the tags of a bucket.
ALWAYS_LINKED = {"sts", "s3control"}
# From version 2, each kind is there twice: cluster-scoped, and namespaced (*.aws.m.upbound.io).
SCOPES = ("cluster", "namespaced")
# Services that Terraform's sources name otherwise than Crossplane's API groups.
TERRAFORM_NAMES = {"cloudwatchevents": "events", "cloudwatchlogs": "logs"}
TERRAFORM_TOOLING = {"acctest", "sweep", "generate", "framework"}


def keep_registered(text: str, import_pattern: str, use_pattern: str, wanted: Callable[[str], bool]) -> str:
    """Keep the imports whose path is `wanted`, and the later lines that use a kept import's alias."""
    aliases: set[str] = set()
    lines = []
    for line in text.splitlines():
        imported = re.match(import_pattern, line)
        used = re.match(use_pattern, line)
        if imported:
            if not wanted(imported.group(2)):
                continue
            aliases.add(imported.group(1))
        elif used and used.group(1) not in aliases:
            continue
        lines.append(line)
    return "\n".join(lines) + "\n"


def keep_services(text: str, services: set[str]) -> str:
    """Keep the imports and entries of these services in Terraform's list of service packages."""
    entry = re.compile(
        r'\s+"github\.com/hashicorp/terraform-provider-aws/internal/service/(\w+)"|\s+(\w+)\.ServicePackage\(ctx\),'
    )
    kept = []
    for line in text.splitlines():
        found = entry.match(line)
        if not found or (found.group(1) or found.group(2)) in services:
            kept.append(line)
    return "\n".join(kept) + "\n"


def keep_clients(text: str, used: set[str]) -> str:
    """Keep the AWS client methods named in `used`, and the SDK imports which those need."""
    method = re.compile(r"func \(c \*AWSClient\) (\w+)\(ctx context\.Context\) \*(\w+)\.\w+ \{\n.*?\n\}\n", re.S)
    kept = [found for found in method.finditer(text) if found.group(1) in used]
    packages = {found.group(2) for found in kept}
    head = []
    for line in text[: text.index("func ")].splitlines():
        imported = re.match(r'\s+(?:(\w+) )?"(github\.com/aws/[^"]+)"', line)
        if not imported or (imported.group(1) or imported.group(2).rsplit("/", 1)[-1]) in packages:
            head.append(line)
    return "\n".join(head) + "\n" + "".join(found.group(0) for found in kept)


def keep_schemas(document: dict[str, Any], resources: set[str]) -> dict[str, Any]:
    """Keep the schemas of these Terraform resources; data sources are not used by the provider."""
    ((address, schema),) = document["provider_schemas"].items()
    kept = {name: value for name, value in schema["resource_schemas"].items() if name in resources}
    trimmed = {name: value for name, value in schema.items() if name != "data_source_schemas"}
    return {**document, "provider_schemas": {address: {**trimmed, "resource_schemas": kept}}}


def scan_terraform(internal: Path, services: set[str]) -> tuple[set[str], set[str]]:
    """Read the kept Terraform code: the client methods it calls, and the resources it defines."""
    clients: set[str] = set()
    resources: set[str] = set()
    for path in internal.rglob("*.go"):
        parts = path.relative_to(internal).parts
        if path.name.endswith("_test.go") or path.name == "awsclient_gen.go" or parts[0] in TERRAFORM_TOOLING:
            continue
        if parts[0] == "service" and parts[1] not in services:
            continue
        text = path.read_text()
        clients |= set(re.findall(r"\.(\w+(?:Client|Conn))\(ctx", text))
        resources |= set(re.findall(r'@(?:SDKResource|FrameworkResource)\("?([a-z0-9_]+)', text))
        resources |= set(re.findall(r'TypeName:\s+"(aws_\w+)"', text))
    return clients, resources


def rewrite(path: Path, edit: Callable[[str], str]) -> None:
    path.write_text(edit(path.read_text()))


def trim_scope(source: Path, scope: str, kinds: set[str]) -> None:
    """Register only the API groups of these kinds, the configuration kinds, and their controllers.

    scope is a folder below those of APIs and controllers, or empty.
    """
    groups = {kind.split("/")[0] for kind in kinds}
    below = f"{scope}/" if scope else ""
    rewrite(
        source / "apis" / scope / "zz_register.go",
        lambda text: keep_registered(
            text,
            rf'\s+(\w+) "github\.com/upbound/provider-aws(?:/v2)?/apis/{below}([^"]+)"',
            r"\s+(\w+)\.SchemeBuilder\.AddToScheme,",
            lambda path: "/" not in path or path.split("/")[0] in groups,
        ),
    )
    controllers = source / "internal/controller" / scope
    rewrite(
        controllers / "zz_monolith_setup.go",
        lambda text: keep_registered(
            text,
            rf'\s+(\w+) "github\.com/upbound/provider-aws(?:/v2)?/internal/controller/{below}([^"]+)"',
            r"\s+(\w+)\.Setup(?:Gated)?,",
            lambda path: path in kinds | {"providerconfig"},
        ),
    )
    for path in controllers.glob("zz_*_setup.go"):
        if path.name != "zz_monolith_setup.go":
            path.unlink()


def trim_terraform(source: Path, services: set[str]) -> set[str]:
    """Link only these services; return the names of the resources that are left."""
    internal = source / "internal"
    clients, resources = scan_terraform(internal, services)
    (packages,) = (internal / "provider").rglob("service_packages_gen.go")
    rewrite(packages, lambda text: keep_services(text, services))
    rewrite(internal / "conns/awsclient_gen.go", lambda text: keep_clients(text, clients))
    return resources


def main() -> None:
    parser = argparse.ArgumentParser(description="Trim copied sources of the Upbound AWS provider.")
    parser.add_argument("provider", type=Path)
    parser.add_argument("terraform", type=Path)
    parser.add_argument("kinds", nargs="+", metavar="SERVICE/KIND")
    arguments = parser.parse_args()
    kinds = set(arguments.kinds)
    scopes = [scope for scope in SCOPES if (arguments.provider / "internal/controller" / scope).is_dir()]
    for scope in scopes or [""]:
        trim_scope(arguments.provider, scope, kinds)
    services = {TERRAFORM_NAMES.get(group, group) for group in (kind.split("/")[0] for kind in kinds)}
    resources = trim_terraform(arguments.terraform, services | ALWAYS_LINKED)
    rewrite(
        arguments.provider / "config/schema.json",
        lambda text: json.dumps(keep_schemas(json.loads(text), resources)),
    )


if __name__ == "__main__":
    main()
