# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is behind the stack's AWS endpoint: the rules for its settings, and what follows from them. Pure."""

from __future__ import annotations

import ipaddress
import re
import typing as t
import urllib.parse

from ansible_collections.localcloud.stack.plugins.module_utils.settings import text_problem

Json = dict[str, t.Any]

ENGINES = ("localstack", "ministack", "outside", "aws")
IN_CLUSTER = ("localstack", "ministack")
# The account that emulators have; real AWS never gives it to anybody.
EMULATED_ACCOUNT = "000000000000"
# LocalStack's last release that needs no account, and the first that does; there is none between them.
LAST_FREE = (4, 14, 0)
FIRST_WITH_TOKEN = (2026, 3, 0)
# Classes of Ingress whose way of limiting source ranges is known.
SOURCE_RANGE_CLASSES = ("traefik", "nginx")
FREE_CHOICES = (
    "Free are LocalStack 4.14.0 (localstack_service_version=4.14.0) and MiniStack (localstack_service_engine=ministack)"
)
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")


class Endpoint(t.NamedTuple):
    """An emulator's address."""

    host: str
    port: int

    @property
    def is_address(self) -> bool:
        """Whether the host is an IPv4 address rather than a name."""
        return is_ipv4(self.host)


def is_ipv4(host: str) -> bool:
    """Whether a host is an IPv4 address."""
    try:
        return ipaddress.ip_address(host).version == 4
    except ValueError:
        return False


def parse_endpoint(text: str) -> Endpoint:
    """The host and port of http://host:port. Raises ValueError with one sentence on what is wrong."""
    said = f"The endpoint '{text}'"
    try:
        url = urllib.parse.urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError as error:
        raise ValueError(f"{said} is no URL ({error}). Give it as http://host:port.") from None
    if url.scheme == "https":
        raise ValueError(
            f"{said} is https, but pods can't know the emulator's certificate. Give it as http://host:port."
        )
    if url.scheme != "http" or not host:
        raise ValueError(f"{said} is no http URL. Give it as http://host:port.")
    if ":" in host:
        raise ValueError(
            f"{said} has an IPv6 address, which a cluster's IPv4 Service can't lead to. Give an IPv4 address or a name."
        )
    if url.path or url.query or url.fragment or "?" in text or "#" in text:
        extra = "a trailing slash" if url.path == "/" else "a path"
        raise ValueError(
            f"{said} has {extra}, which AWS's clients would add to every request. Give it as http://host:port."
        )
    if url.username or url.password:
        raise ValueError(
            f"{said.partition('//')[0]}//…' has a user, but no emulator asks for one. Give it as http://host:port."
        )
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", host):
        raise ValueError(f"{said} has no valid host name. Give it as http://host:port.")
    return Endpoint(host, port if port is not None else 80)


def parse_version(text: str) -> tuple[int, int, int] | None:
    """A version as numbers; None if it is none."""
    found = _VERSION.fullmatch(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def needs_token(version: str) -> bool:
    """Whether this version of LocalStack runs only with an account."""
    numbers = parse_version(version)
    return numbers is None or numbers > LAST_FREE


def problems(settings: t.Mapping[str, t.Any]) -> list[str]:
    """All that is wrong with the settings of a stack's AWS endpoint, a sentence each.

    C(settings): engine, version, token, endpoint, start, account, role_arn, credentials, ingress_class, source_ranges, own_image (version of an image that was
    built, empty where images are pulled). Empty means not set.
    """
    engine = settings["engine"]
    if engine not in ENGINES:
        return [f"There is no engine '{engine}'. Set localstack_service_engine to one of {', '.join(ENGINES)}."]
    found = _token_problems(engine, settings) if settings["token"] else []
    rules = {"localstack": _localstack, "ministack": _ministack, "outside": _outside, "aws": _aws}
    found += rules[engine](settings)
    if settings["endpoint"] and engine != "outside":
        found.append(
            f"localstack_service_outside_endpoint is set, but the engine is '{engine}', which has none outside. Remove it, "
            "or set localstack_service_engine=outside."
        )
    if settings["account"] and engine != "aws":
        found.append(
            f"localstack_service_account is set, but the engine is '{engine}', which has the account {EMULATED_ACCOUNT}. "
            "Remove it, or set localstack_service_engine=aws."
        )
    return found + _ingress(settings)


def _ingress(settings: t.Mapping[str, t.Any]) -> list[str]:
    """Source ranges that no rule would enforce are worse than none."""
    if problem := text_problem("stack_ingress_source_ranges", settings["source_ranges"], "list"):
        return [problem]
    found = []
    for network in settings["source_ranges"]:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            found.append(f"'{network}' is no network ({error}). Give source ranges like 10.0.0.0/8.")
    if settings["source_ranges"] and settings["ingress_class"] not in SOURCE_RANGE_CLASSES:
        found.append(
            f"How the Ingress class '{settings['ingress_class']}' limits source ranges is not known here. Use one of "
            f"{', '.join(SOURCE_RANGE_CLASSES)}, or leave stack_ingress_source_ranges empty."
        )
    return found


def _token_problems(engine: str, settings: t.Mapping[str, t.Any]) -> list[str]:
    if engine != "localstack":
        return [
            f"A LocalStack token is given, but the engine '{engine}' needs none. Remove it, so that it stays unseen."
        ]
    version = settings["version"]
    if parse_version(version) and not needs_token(version):
        return [
            f"A LocalStack token is given, but LocalStack {version} needs none. Remove it, so that it stays unseen."
        ]
    return []


def _localstack(settings: t.Mapping[str, t.Any]) -> list[str]:
    version = str(settings["version"])
    numbers = parse_version(version)
    if numbers is None:
        return [f"'{version}' is no version of LocalStack. Give one like 4.14.0, or 2026.3.0 with a token."]
    if LAST_FREE < numbers < FIRST_WITH_TOKEN or numbers[0] == 0:
        return [
            f"There is no LocalStack {version}: after 4.14.0 came 2026.3.0. Set localstack_service_version to one that exists."
        ]
    if settings["own_image"] and numbers != parse_version(settings["own_image"]):
        return [
            f"The embedded node has LocalStack {settings['own_image']}, built from packages, and can't have {version}, which exists "
            "as a container image only. Set localstack_service_image to one that the node can pull, or use a cluster of yours."
        ]
    if needs_token(version) and not settings["token"]:
        return [
            f"LocalStack {version} runs only with a token: put it into the environment variable LOCALSTACK_AUTH_TOKEN. "
            f"{FREE_CHOICES}."
        ]
    return []


def _ministack(settings: t.Mapping[str, t.Any]) -> list[str]:
    return []


def _outside(settings: t.Mapping[str, t.Any]) -> list[str]:
    endpoint = settings["endpoint"]
    if not endpoint:
        return []
    if settings["start"]:
        return [
            "localstack_service_outside_endpoint and localstack_service_outside_start are both set. Set the first for an emulator "
            "that runs already, the second to have one started."
        ]
    try:
        parsed = parse_endpoint(endpoint)
    except ValueError as error:
        return [str(error)]
    if not parsed.is_address and parsed.port != 4566:
        return [
            f"The endpoint '{endpoint}' has a name and another port than 4566, and a Service by name can't change ports. Give the "
            "IPv4 address instead of the name, or let the emulator listen on 4566."
        ]
    if parsed.is_address and ipaddress.ip_address(parsed.host).is_loopback:
        return [
            f"The endpoint '{endpoint}' is a loopback address, which is each pod's own. Give the address that the cluster's nodes "
            "reach this machine by."
        ]
    return []


def _aws(settings: t.Mapping[str, t.Any]) -> list[str]:
    found = []
    account = str(settings["account"])
    if not re.fullmatch(r"\d{12}", account):
        found.append(
            "Real AWS is used only with the account that you mean: set localstack_service_account to its twelve digits "
            f"(as a string){f', not {account!r}' if account else ''}."
        )
    elif account == EMULATED_ACCOUNT:
        found.append(
            f"The account {EMULATED_ACCOUNT} is that of emulators, not of real AWS. Set localstack_service_account to yours."
        )
    if settings["credentials"] == "irsa" and not _ROLE.fullmatch(settings["role_arn"]):
        found.append(
            "With credentials by IRSA the provider takes a role: set localstack_service_role_arn to arn:aws:iam::<account>:role/<name>."
        )
    elif settings["role_arn"] and f"::{account}:" not in settings["role_arn"]:
        found.append(f"The role {settings['role_arn']} is of another account than {account}. Correct one of them.")
    return found
