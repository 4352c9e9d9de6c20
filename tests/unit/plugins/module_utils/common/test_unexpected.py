# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

from ansible_collections.localcloud.stack.plugins.module_utils.common.unexpected import concerning, unexpected


def caught(work):
    try:
        work()
    except Exception as error:
        return unexpected(error, "The module example")
    return None


def test_it_says_type_place_and_resource():
    def work():
        with concerning("sns/Topic orders"):
            return {}["region"]

    said = caught(work)
    assert said["failed"]
    assert said["msg"].startswith(
        "The module example met an unexpected error about sns/Topic orders: KeyError: 'region' ("
    )
    assert re.search(r"test_unexpected\.py:\d+ in work\)", said["msg"])
    assert "Traceback" in said["exception"]


def test_an_error_without_a_message_says_so():
    def work():
        raise RuntimeError

    assert "RuntimeError: no message (" in caught(work)["msg"]


def test_no_secret_is_said_nor_the_half_of_one_where_the_text_is_cut():
    error = KeyError(f"{'x' * 295} hush-hush")
    said = unexpected(error, "The module example", {"hush-hush"})
    assert "hus" not in str(said)
