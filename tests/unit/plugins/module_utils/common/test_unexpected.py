# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common.unexpected import concerning, run, unexpected

PROJECT = Path(__file__).parents[5]


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


def test_a_module_ends_with_a_result_whatever_happens(capsys):
    def main():
        raise KeyError("role")

    with pytest.raises(SystemExit):
        run(main)
    said = json.loads(capsys.readouterr().out)
    assert (said["failed"], said["changed"]) == (True, False)
    assert "KeyError: 'role'" in said["msg"]


@pytest.mark.parametrize("module", sorted((PROJECT / "plugins/modules").glob("*.py")), ids=lambda path: path.stem)
def test_every_module_runs_so(module):
    assert "\n    main()\n" not in module.read_text()
