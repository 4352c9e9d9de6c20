# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that comes from data, as it may be printed: what acts on a terminal, or reorders a line, is shown by its escape. Pure.

Ansible prints a failure's message as it is. An event, a log line, a tag or an answer of AWS may come from any source: without this, one
could move the cursor, colour the line, or add a line of its own such as C(Verified: …).
"""

from __future__ import annotations

import typing as t


def printable(value: object) -> str:
    """The value as text of one line.

    Escaped is what Python's repr escapes, too: control characters (newlines and ESC among them), marks of direction and of zero
    width, separators other than the space, lone surrogates.
    """
    text = str(value)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def printable_lines(value: object) -> str:
    """The value as text of several lines. Of what comes from outside, only the parts of a message may be so, never a field."""
    return "\n".join(printable(line) for line in str(value).split("\n"))


def printable_data(value: t.Any) -> t.Any:
    """The value with each text in it, keys among them, by C(printable_lines)."""
    if isinstance(value, str):
        return printable_lines(value)
    if isinstance(value, dict):
        return {printable_data(name): printable_data(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable_data(one) for one in value]
    return value


class PrintableError(Exception):
    """An error whose text Ansible may print."""

    def __init__(self, message: object = "") -> None:
        super().__init__(printable_lines(message))


class ModuleError(PrintableError):
    """A module's failure. C(message) says what failed and what to do; C(details) become further keys of the result."""

    def __init__(self, message: object = "", **details: t.Any) -> None:
        super().__init__(message)
        self.message = str(self)
        self.details = printable_data(details)
