# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python packages that a machine may lack: who imports one lets a failure pass, and says what is missing before its work."""

from __future__ import annotations

import sys
from importlib.util import find_spec

# Packages that are not installed by the name they are imported by.
INSTALLED_AS = {"yaml": "PyYAML"}


def missing_packages(*imported: str) -> str | None:
    """What to tell a user whose Python lacks some of these top packages, or None if it has all."""
    missing = " ".join(INSTALLED_AS.get(name, name) for name in imported if find_spec(name) is None)
    if not missing:
        return None
    return (
        f"{sys.executable} lacks Python packages: {missing}. Install them with "
        f"`{sys.executable} -m pip install {missing}`, or let ansible_python_interpreter name a Python that has them."
    )
