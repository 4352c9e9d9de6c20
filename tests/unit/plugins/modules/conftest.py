# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module's main() as Ansible would, in this process."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args


@pytest.fixture
def run_module(capsys):
    """Calls main() with arguments and returns what it prints: its result."""

    def run(module, check_mode=False, **arguments):
        with patch_module_args({"_ansible_check_mode": check_mode, **arguments}), pytest.raises(SystemExit) as ended:
            module.main()
        result = json.loads(capsys.readouterr().out)
        assert bool(ended.value.code) is result.get("failed", False)
        return result

    return run
