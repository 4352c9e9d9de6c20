# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""LocalStack, the last release that needs no account or a newer one with a token."""

from __future__ import annotations

import re

from ..engine import Choice, Container, Ending, Engine, Json, Signs, Token, Wanted

# The last release that needs no account, and the first that does; there is none between them.
LAST_FREE = "4.14.0"
FIRST_WITH_TOKEN = (2026, 3, 0)
TOKEN = "LOCALSTACK_AUTH_TOKEN"
# Of the multi-platform image.
DIGESTS = {LAST_FREE: "@sha256:3ebc37595918b8accb852f8048fef2aff047d465167edd655528065b07bc364a"}
_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def parse_version(text: str) -> tuple[int, int, int] | None:
    """A version as numbers; None if it is not one."""
    found = _VERSION.fullmatch(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def _needs_token(version: str) -> bool:
    numbers, free = parse_version(version), parse_version(LAST_FREE)
    return numbers is None or free is None or numbers > free


def _problems(settings: Json) -> list[str]:
    version = str(settings["version"])
    numbers = parse_version(version)
    if numbers is None:
        return [f"'{version}' is not a version of LocalStack. Give one like {LAST_FREE}, or 2026.3.0 with a token."]
    if (_needs_token(version) and numbers < FIRST_WITH_TOKEN) or numbers[0] == 0:
        return [
            f"There is no LocalStack {version}: after {LAST_FREE} came 2026.3.0. Set localstack_service_version to one that exists."
        ]
    if settings["own_image"] and numbers != parse_version(settings["own_image"]):
        return [
            f"The embedded node has LocalStack {settings['own_image']}, built from packages, and can't have {version}, which exists "
            "as a container image only. Set localstack_service_image to one that the node can pull, or use a cluster of yours."
        ]
    return []


def _environment(wanted: Wanted) -> dict[str, str]:
    return {
        "GATEWAY_LISTEN": "0.0.0.0:4566",
        "LOCALSTACK_HOST": wanted.host,
        # http://host/account/name, the only form that the AWS provider can read.
        "SQS_ENDPOINT_STRATEGY": "off",
        # Messages go when they are too old, as on AWS.
        "SQS_ENABLE_MESSAGE_RETENTION_PERIOD": "1",
        # All at the start, next to everything else that starts then; at the first request each would keep its caller waiting.
        "SERVICES": ",".join(wanted.services),
        "EAGER_SERVICE_LOADING": "1",
        # No connection to the internet: no usage events, no certificate, no DNS server.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
    }


ENGINE = Engine(
    name="localstack",
    title="LocalStack",
    place="cluster",
    choices=(
        Choice(
            "`localstack` (default)",
            f"LocalStack {LAST_FREE}, the last release without an account",
            "lost; `make up` makes the resources again",
            "behaviour close to AWS",
        ),
        Choice(
            "`localstack` with `localstack_service_version=2026.3.0` or later",
            f"the same with an account: put the token into `{TOKEN}`",
            "as LocalStack's plan has it",
            f"what {LAST_FREE} lacks",
        ),
    ),
    container=Container(
        part="localstack",
        part_version=LAST_FREE,
        image=lambda wanted: f"localstack/localstack:{wanted.version}{DIGESTS.get(wanted.version, '')}",
        environment=_environment,
        scratch=("/tmp", "/var/lib/localstack"),
        endings={
            55: Ending(
                "NoLicense",
                "LocalStack ended with exit code 55: it did not accept its token, or had none",
                f"check {TOKEN}, and that the pod may reach the internet",
                token=True,
            )
        },
    ),
    signs=Signs(header="x-localstack", page="/_localstack/info"),
    token=Token(TOKEN, _needs_token, LAST_FREE),
    free=f"LocalStack {LAST_FREE} (localstack_service_version={LAST_FREE})",
    problems=_problems,
    lacks=lambda version: () if _needs_token(version) else ("ecr",),
)
