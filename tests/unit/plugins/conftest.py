# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module's main() as Ansible would, in this process."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.testing import patch_module_args


@pytest.fixture
def run_module(capsys, monkeypatch):
    """Calls main() with arguments and returns what it prints: its result, as -vvv has it."""

    def warn(module, text):
        """In a process of its own a module hands them over in its result; here it would print them."""
        told.append(remove_values(text, module.no_log_values))

    told = []
    monkeypatch.setattr(AnsibleModule, "warn", warn)

    def run(module, check_mode=False, **arguments):
        told.clear()
        settings = {"_ansible_check_mode": check_mode, "_ansible_verbosity": 3}
        with patch_module_args({**settings, **arguments}), pytest.raises(SystemExit) as ended:
            module.main()
        result = json.loads(capsys.readouterr().out)
        assert bool(ended.value.code) is (result.get("failed", False) and "exception" not in result)
        return {**result, "warnings": [*told]} if told else result

    return run
