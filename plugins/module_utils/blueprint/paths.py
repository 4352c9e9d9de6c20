# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Paths in a blueprint. Pure."""

from __future__ import annotations

from pathlib import Path


def is_folder(reference: str) -> bool:
    """Whether a chart is a folder, rather than something that Helm pulls (oci://…, https://….tgz)."""
    return "://" not in reference


def absolute(path: str, folder: Path) -> Path:
    """A path in a blueprint, which is relative to its folder."""
    return Path(path).expanduser() if Path(path).expanduser().is_absolute() else (folder / path).resolve()
