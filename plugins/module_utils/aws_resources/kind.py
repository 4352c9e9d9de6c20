# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of one kind of AWS resource. Pure.

Each service's file in kinds/ describes its kinds by these; catalog.py derives from them whatever is said of all kinds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .comparison import Rule
from .entry import Entry
from .observe import Reader

NAME = "(external name)"
# Reasons why a field is not read.
ON_DELETION = "says how the provider deletes it, and is nowhere in AWS before"
SECRET = "a secret's value is never read"


@dataclass(frozen=True)
class Kind:
    """A managed resource's kind.

    entry: the list entry that makes it; None where only a manifest does (extra_manifests).
    observe: reads what AWS has, in the words of spec.forProvider; None where nothing is read.
    found_by: the fields of forProvider by which AWS is asked; NAME is the external name.
    immutable: the fields of forProvider that AWS can't change once the resource is made: "ForceNew" in the schemas of
        terraform-provider-aws 5 and 6 (internal/service/*), as far as the entry declares them.
    replaced_when_gone: once AWS no longer has it, its object is deleted and declared again: AWS may go on answering by its old name, which
        the provider keeps as long as the object is there.
    looked_for: seconds for which the provider goes on asking AWS for one that is not there, or not as it was sent, as
        terraform-provider-aws' functions do.
    named_by_us: AWS knows it by what we give, so that a second creation finds the first and makes no other.
    refers_to: kinds (service/Kind) that are declared before it and removed after it.
    compare: how fields of forProvider are compared where that is not exactly (comparison.py).
    client: AWS's own name of the service, as boto3 and Terraform have it, where Crossplane's API group has another.
    unobserved: fields of forProvider that are declared and not read, each with the reason.
    """

    service: str
    name: str
    entry: type[Entry] | None = None
    observe: Reader | None = None
    found_by: tuple[str, ...] = (NAME,)
    immutable: frozenset[str] = frozenset()
    replaced_when_gone: bool = False
    looked_for: int = 0
    named_by_us: bool = False
    refers_to: tuple[str, ...] = ()
    compare: Mapping[str, Rule] = field(default_factory=dict)
    client: str = ""
    unobserved: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Service and kind, for example sns/Topic."""
        return f"{self.service}/{self.name}"
