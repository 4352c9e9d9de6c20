# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a command to its end. Its words are taken as they are: nothing in them is expanded."""

from __future__ import annotations

import os
import subprocess
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError, printable

# The command; its input, changes of the environment, and seconds that it may take. Exit code, output, errors.
RunCommand = t.Callable[..., tuple[int, str, str]]


class CommandError(ModuleError):
    """A command can't be started, or does not end."""


def run_command(
    command: t.Sequence[str],
    data: str | None = None,
    environ_update: t.Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> tuple[int, str, str]:
    """Exit code, output and errors. Without C(data) it has nothing to read. Raises CommandError."""
    given: dict[str, t.Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            command,
            env={**os.environ, **(environ_update or {})},
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=timeout,
            check=False,
            **given,
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"{printable(command[0])} does not end: it was stopped after {timeout:g} s.") from None
    except OSError as error:
        raise CommandError(
            f"{printable(command[0])} can't be started: {error.strerror}. Install it, or correct its path."
        ) from error
    return done.returncode, done.stdout, done.stderr
