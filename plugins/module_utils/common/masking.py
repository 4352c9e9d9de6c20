# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What looks like a secret is not shown. Pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable

MASK = "***"
_NAME = r"(?:secret|token|passw(?:or)?d|credential|access_?key|api[_-]?key|signature)"
_SECRETS = [
    # NAME_WITH_SECRET=value, "password": "value", token: value
    re.compile(
        rf"""(?P<kept>[\w-]*{_NAME}[\w-]*["']?\s*[:=]\s*)(?:"[^"]*"|'[^']*'|[^\s,;}}]+)""",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<kept>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE),
    re.compile(r"(?P<kept>://[^\s:/@]*:)[^\s/@]+(?=@)"),
    re.compile(r"(?P<kept>)\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
]
_SECRET_NAME = re.compile(rf"{_NAME}|authori[sz]ation|cookie|x-auth", re.IGNORECASE)


def masked(text: str, known: t.Iterable[str] = ()) -> str:
    """A text as one line without what looks like a secret, nor any of the known ones: a pod's last words are often its settings."""
    for secret in sorted(filter(None, known), key=len, reverse=True):
        text = text.replace(secret, MASK)
    for pattern in _SECRETS:
        text = pattern.sub(lambda found: found["kept"] + MASK, text)
    return printable(text)


def names_secret(name: str) -> bool:
    """Whether a field or header of this name holds a secret."""
    return bool(_SECRET_NAME.search(name))


def holds_secret(name: str, value: str) -> bool:
    """Whether a value looks like a secret, by its name or by itself, as a URL with a password does."""
    return names_secret(name) or masked(value) != printable(value)
