# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where resources are made, and the names and ARNs that follow from it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

EMULATOR_ACCOUNT = "000000000000"
# Kubernetes' limit for the name of an object.
LONGEST_NAME = 253


@dataclass(frozen=True)
class Target:
    """AWS region and account, the ProviderConfig, and what marks objects as ours.

    scope is 'cluster' or 'namespaced' (provider 2 and later; then namespace is where the objects live, and
    provider_config_kind says of which kind the configuration is). prefix goes before the names of Kubernetes objects only.
    """

    region: str = ""
    account: str = EMULATOR_ACCOUNT
    provider_config: str = "default"
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    scope: str = "cluster"
    namespace: str = ""
    prefix: str = ""
    provider_config_kind: str = "ClusterProviderConfig"

    @property
    def namespaced(self) -> bool:
        return self.scope == "namespaced"

    @property
    def emulated(self) -> bool:
        """Whether an emulator is meant, which holds nothing that must outlive its stack."""
        return self.account == EMULATOR_ACCOUNT

    @property
    def partition(self) -> str:
        """AWS's own division: the first part of every ARN."""
        special = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
        return next((name for start, name in special.items() if self.region.startswith(f"{start}-")), "aws")

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource; IAM's have no region."""
        region = "" if service == "iam" else self.region
        return f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"


def object_name(name: str) -> str:
    """A Kubernetes object name for an AWS name, empty if it has neither letter nor digit.

    Different names may give the same one, which is reported; a long name ends with its digest instead of being cut short.
    """
    found = re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")
    found = re.sub(r"-*\.[.-]*", ".", found)
    if len(found) <= LONGEST_NAME:
        return found
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{found[: LONGEST_NAME - 11].rstrip('-.')}-{digest}"
