# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.probe.destinations import key_problem


@pytest.mark.parametrize(
    ("schema", "fine"),
    [
        ([{"name": "Id", "key_type": "HASH", "type": "S"}], True),
        ([{"name": "Id", "key_type": "HASH", "type": "N"}], False),
        ([{"name": "pk", "key_type": "HASH", "type": "S"}], False),
        (
            [{"name": "Id", "key_type": "HASH", "type": "S"}, {"name": "Number", "key_type": "RANGE", "type": "N"}],
            False,
        ),
        ([], False),
    ],
)
def test_the_tables_key_must_be_id(schema, fine):
    problem = key_problem("orders", schema)
    assert (problem is None) is fine
    assert fine or "text hash key Id alone" in problem


def test_the_key_may_have_another_name():
    schema = [{"name": "pk", "key_type": "HASH", "type": "S"}]
    assert key_problem("orders", schema, "pk") is None
    assert "text hash key id alone" in key_problem("orders", schema, "id")
