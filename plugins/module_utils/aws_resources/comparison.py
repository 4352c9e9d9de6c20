# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a field of a managed resource is compared, and what AWS has once it is no longer declared. Data only.

Each kind says so of its fields: those of spec.forProvider with dots, without the indices of lists. What has no entry is
compared exactly, with types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# text: exactly, also where it holds JSON. unknown: likewise, but AWS may have its JSON in another form. policy, json: what a
# text holds. url: exactly, with or without its scheme. redrive: JSON whose numbers may be texts. ordered: a list whose order
# counts in AWS, too. items: a list of maps that the kind owns, each known by its key. tags: a map to which others may add.
# map: one that the kind owns as a whole.
How = Literal["text", "unknown", "policy", "json", "url", "redrive", "ordered", "items", "tags", "map"]


@dataclass(frozen=True)
class Rule:
    """How a field is compared.

    key: the name by which an item of the list is known. computed: names in an item that AWS or the provider adds by itself.
    cleared: what AWS has where nothing was ever declared, and what is declared in place of a field that we declared before, as the
    provider keeps the old value where a field is merely missing; None where a missing field is enough. A block is a list of one.
    ROOT in a text stands for the account's root.
    """

    how: How = "text"
    key: str = ""
    computed: tuple[str, ...] = ()
    cleared: Any = None


# The ARN of the root of the account that a resource is in.
ROOT = "(root)"
TAGS = Rule("tags")
POLICY = Rule("policy")
NOTHING: Mapping[str, Rule] = {}
