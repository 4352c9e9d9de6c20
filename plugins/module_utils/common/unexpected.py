# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of an error that no code expects: its type, its place, and the resource that was at hand.

Without it Ansible says "Unknown error." or one word such as C('region').
"""

from __future__ import annotations

import contextlib
import traceback
import typing as t

from ansible.module_utils.common.parameters import remove_values
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable, printable_lines

# Longest text of an error, in characters.
SHOWN = 300


@contextlib.contextmanager
def concerning(what: str) -> t.Iterator[None]:
    """Note on whatever is raised within which resource it concerns."""
    try:
        yield
    except Exception as error:
        # Of before Python 3.11 the place has to do.
        getattr(error, "add_note", lambda note: None)(what)
        raise


def unexpected(error: BaseException, doing: str, secrets: t.Collection[str] = ()) -> dict[str, t.Any]:
    """A failed module's result for it, without the secrets."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {
        "failed": True,
        "changed": False,
        "msg": sentence(error, doing, secrets),
        "exception": printable_lines(remove_values(trace, secrets)),
    }


def sentence(error: BaseException, doing: str, secrets: t.Collection[str] = ()) -> str:
    """What was being done, the error's type, message and place, and what to do."""
    notes = [str(one) for one in getattr(error, "__notes__", [])]
    # Before it is cut, as half of a secret is not recognized.
    text = " ".join(str(remove_values(str(error), secrets)).split())[:SHOWN] or "no message"
    about = f" about {', '.join(notes)}" if notes else ""
    return printable(
        f"{doing} met an unexpected error{about}: {type(error).__name__}: {text} ({place(error)}). "
        "This is a fault in localcloud.stack: run again with -vvv, and report it with what that says."
    )


def place(error: BaseException) -> str:
    """Where it was raised: the last file of this collection, else the last of all, with line and function."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "no place known"
    ours = [one for one in frames if "/plugins/" in one.filename.replace("\\", "/")]
    frame = (ours or list(frames))[-1]
    _before, _folder, name = frame.filename.replace("\\", "/").rpartition("/plugins/")
    return f"{name}:{frame.lineno} in {frame.name}"
