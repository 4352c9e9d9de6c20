# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.filter.settings import text_problems


@pytest.mark.parametrize(
    ("text", "wanted", "given"),
    [
        ("cluster", "list", '["cluster"]'),
        ("sns, sqs", "list", '["sns", "sqs"]'),
        ('["sns"]', "list", '["sns"]'),
        ("", "list", "[]"),
        ('{"a": 1}', "map", '{"a": 1}'),
        ("a=1", "map", '{"<key>": "<value>"}'),
        ('["a"]', "map", '{"<key>": "<value>"}'),
    ],
)
def test_text_is_refused_and_the_way_to_give_it_is_told(text: str, wanted: str, given: str) -> None:
    assert text_problems({"role_names": text, "role_others": [] if wanted == "list" else {}}, wanted) == [
        f"""role_names is a text, but must be a {wanted}. On the command line, give it as -e '{{"role_names": {given}}}'."""
    ]
