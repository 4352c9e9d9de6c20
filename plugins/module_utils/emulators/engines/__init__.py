# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engines. `make generate` writes this from the files next to it, as Ansible packs only what is imported."""

from __future__ import annotations

from ..engine import Engine

# generated: imports
from . import (
    aws,
    floci,
    localstack,
    ministack,
    moto,
    outside,
)

# end of imports

ALL: tuple[Engine, ...] = (
    # generated: engines
    aws.ENGINE,
    floci.ENGINE,
    localstack.ENGINE,
    ministack.ENGINE,
    moto.ENGINE,
    outside.ENGINE,
    # end of engines
)
