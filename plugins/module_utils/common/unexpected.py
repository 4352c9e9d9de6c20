# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of an error that no code expects: its type, its place, and the resource that was at hand.

Without it Ansible says "Unknown error." or one word such as C('region').
"""

from __future__ import annotations

import contextlib
import json
import sys
import traceback
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable, printable_lines

# By which ansible-test ends a module whose arguments it reads (import's importer.py and validate-modules' module_args.py).
LOOKING = ("ImporterAnsibleModuleException", "AnsibleModuleCallError")
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


def unexpected(error: BaseException, doing: str) -> dict[str, t.Any]:
    """A failed module's result for it, without the secrets among the module's arguments."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {
        "failed": True,
        "changed": False,
        "msg": sentence(error, doing),
        "exception": printable_lines(remove_values(trace, secrets_at(error))),
    }


def secrets_at(error: BaseException) -> set[str]:
    """What the modules that were at work when it was raised hold for secret."""
    modules = (one for frame, _line in traceback.walk_tb(error.__traceback__) for one in frame.f_locals.values())
    return {secret for one in modules if isinstance(one, AnsibleModule) for secret in one.no_log_values}


def sentence(error: BaseException, doing: str) -> str:
    """What was being done, the error's type, message and place, and what to do."""
    notes = [str(one) for one in getattr(error, "__notes__", [])]
    # Before it is cut, as half of a secret is not recognized.
    text = " ".join(str(remove_values(str(error), secrets_at(error))).split())[:SHOWN] or "no message"
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


def run(main: t.Callable[[], None]) -> None:
    """Run a module; what it does not expect becomes a failed result."""
    try:
        main()
    except Exception as error:
        if type(error).__name__ in LOOKING:
            raise
        name = sys.modules[main.__module__].__dict__.get("__file__") or main.__module__
        result = unexpected(error, f"The module {name.replace('.py', '').rpartition('/')[2]}")
        sys.stdout.write(f"{json.dumps(result)}\n")
        raise SystemExit(1) from error
