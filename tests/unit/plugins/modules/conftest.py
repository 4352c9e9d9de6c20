# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module's main() as Ansible would, in this process."""

from __future__ import annotations

import json

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.localcloud.stack.plugins.doc_fragments.aws import ModuleDocFragment


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


@pytest.fixture
def documented():
    """A module's documented options, those of its fragments included."""

    def options(module):
        text = yaml.safe_load(module.DOCUMENTATION)
        known = dict(text["options"])
        if "localcloud.stack.aws" in text.get("extends_documentation_fragment", []):
            known |= yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
        return known

    return options


@pytest.fixture
def agrees(monkeypatch, documented):
    """Fails where a module's documentation and its argument_spec say different things."""

    class Captured(Exception):  # noqa: N818 (no error, a way out)
        pass

    def same(options, spec, where=""):
        assert set(options) == set(spec), where
        for name, option in options.items():
            given = spec[name]
            for field, default in (
                ("type", "str"),
                ("default", None),
                ("choices", None),
                ("elements", None),
                ("required", False),
            ):
                assert option.get(field, default) == given.get(field, default), f"{where}{name}: {field}"
            same(option.get("suboptions", {}), given.get("options", {}), f"{where}{name}.")

    def check(module):
        def capture(**arguments):
            raise Captured(arguments)

        monkeypatch.setattr(module, "AnsibleModule", capture)
        with pytest.raises(Captured) as caught:
            module.main()
        (arguments,) = caught.value.args
        assert arguments["supports_check_mode"] is True
        same(documented(module), arguments["argument_spec"])

    return check
