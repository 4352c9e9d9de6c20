# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of all kinds of AWS resources, derived from the services' files in kinds/. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from .comparison import NOTHING, Rule
from .entry import Entry
from .kind import Kind
from .kinds import KINDS
from .observe import Reader

BY_KEY: dict[str, Kind] = {kind.key: kind for kind in KINDS}


def _rank(kind: Kind) -> int:
    """How many kinds must be there one after the other before this one."""
    return max((1 + _rank(BY_KEY[other]) for other in kind.refers_to), default=0)


# In the order in which they are declared to Crossplane: what others refer to goes first.
_DECLARED = sorted((kind for kind in KINDS if kind.entry), key=_rank)
# The entry's own kind is the first that names it.
ENTRIES: dict[str, type[Entry]] = {kind.entry.list_name: kind.entry for kind in _DECLARED if kind.entry}
# In the order in which they are removed: what refers to others goes first.
REMOVAL: tuple[tuple[str, str], ...] = tuple((kind.service, kind.name) for kind in reversed(_DECLARED))
READERS: dict[str, Reader] = {kind.key: kind.observe for kind in KINDS if kind.observe}
IMMUTABLE: dict[str, frozenset[str]] = {kind.key: kind.immutable for kind in KINDS if kind.immutable}
REPLACED_WHEN_GONE: frozenset[str] = frozenset(kind.key for kind in KINDS if kind.replaced_when_gone)
LOOKED_FOR: dict[str, int] = {kind.key: kind.looked_for for kind in KINDS if kind.looked_for}
# A creation of unknown end may be begun again.
NAMED_BY_US: frozenset[str] = frozenset(kind.key for kind in KINDS if kind.named_by_us)
UNOBSERVED: dict[str, dict[str, str]] = {kind.key: dict(kind.unobserved) for kind in KINDS if kind.unobserved}
COMPARISON: dict[str, Mapping[str, Rule]] = {kind.key: kind.compare for kind in KINDS if kind.compare}
# AWS's own names of services by the first part of Crossplane's API groups.
CLIENTS: dict[str, str] = {kind.service: kind.client or kind.service for kind in KINDS}
SERVICES: tuple[str, ...] = tuple(sorted({kind.service for kind in KINDS}))


def fields_of(kind: str) -> Mapping[str, Rule]:
    """How the fields of a kind (service/Kind) are compared."""
    return COMPARISON.get(kind, NOTHING)
