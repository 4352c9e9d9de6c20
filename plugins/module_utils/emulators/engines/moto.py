# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""moto's server, which the user runs at an endpoint. It has no health page and says no version."""

from __future__ import annotations

from ..engine import Engine, Signs

ENGINE = Engine(
    name="moto",
    title="moto",
    place="found",
    choices=(),
    signs=Signs(page="/moto-api/data.json", has_health=False),
    account_setting="the environment variable MOTO_ACCOUNT_ID=000000000000",
    # tests/unit/plugins/module_utils/emulators/test_moto.py asks the version that is pinned for tests.
    never_ready={"queues.dead_letter": "it does not store RedriveAllowPolicy, which every dead-letter queue has"},
)
