# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs on the controller, where the blueprint's folder and Ansible's templates are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.template import is_trusted_as_template, trust_as_template
from ansible_collections.localcloud.stack.plugins.module_utils.blueprint import installed, reader, variables
from ansible_collections.localcloud.stack.plugins.module_utils.blueprint.templates import TemplateError
from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import run_command
from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable_lines
from ansible_collections.localcloud.stack.plugins.module_utils.helm.values import refused
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import application_images, project_parts
from ansible_collections.localcloud.stack.plugins.plugin_utils import told
from ansible_collections.localcloud.stack.plugins.plugin_utils.main_process import load_for_templates
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain

ARGUMENTS: dict[str, Any] = {
    "blueprint": {"type": "str", "required": True},
    "ours": {"type": "path", "required": True},
    "base": {"type": "path", "required": True},
    "facts": {"type": "dict", "default": {}},
    "target": {"type": "dict", "default": {}},
    "images": {"type": "dict"},
    "urls": {"type": "dict"},
    "overrides": {"type": "dict"},
    "installed": {"type": "dict", "default": {}},
    "check_values": {"type": "bool", "default": False},
}
COLLECTION = Path(__file__).resolve().parents[2]
# Before the JSON of a template's value, so that no version of Ansible takes it for anything else than text.
MARK = "json:"
load_for_templates()


class ActionModule(told.Action):
    """Read a blueprint. See the module's documentation."""

    _supports_check_mode = True

    def act(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        if problem := missing_packages("pydantic"):
            raise AnsibleActionFail(problem)
        arguments = plain(self.validate_argument_spec(argument_spec=ARGUMENTS)[1])
        try:
            folder = installed.folder_of(arguments["blueprint"], Path(arguments["ours"]), Path(arguments["base"]))
        except ValueError as error:
            raise AnsibleActionFail(f"{printable_lines(str(error))} Nothing was touched.") from None
        raw = self._load(folder / reader.FILE)
        around = reader.Surroundings(
            facts=arguments["facts"],
            given=self._given(raw, task_vars, arguments["overrides"]),
            images=arguments["images"],
            urls=arguments["urls"],
            target=arguments["target"],
            parts=application_images(project_parts(COLLECTION)),
        )
        reading = reader.read(folder, raw, around, lambda text, scope: self._render(text, scope, task_vars))
        problems = list(reading.problems)
        entry: dict[str, Any] = {}
        if not problems:
            entry = installed.entry_of(reading.blueprint, arguments["urls"])
            problems = [
                f"{folder / reader.FILE}: {one}"
                for one in [
                    *installed.collisions(reading.blueprint["name"], entry, arguments["installed"]),
                    *(_refused_values(reading.blueprint["releases"]) if arguments["check_values"] else []),
                ]
            ]
        if problems:
            said = "\n".join(f"- {printable_lines(one)}" for one in problems)
            raise AnsibleActionFail(
                f"The blueprint can't be used, and nothing was touched:\n{said}\nCorrect them, then run again."
            )
        found: dict[str, Any] = {"changed": False, "blueprint": plain(reading.blueprint), "entry": plain(entry)}
        if variables.secret_values(reading.blueprint):
            # They may be anywhere in the result, so nothing of it is printed; what is wrong is.
            self._task.no_log = True
        return found

    def _load(self, path: Path) -> Any:
        """The file's content by Ansible's own loader: texts are templates, and a vault's values are read."""
        try:
            return self._loader.load_from_file(str(path), trusted_as_template=True)
        except AnsibleError as error:
            said = printable_lines(f"{_line_of(path)}{error}")
            raise AnsibleActionFail(f"{path} can't be read: {said} Nothing was touched.") from None

    def _given(self, raw: object, task_vars: Mapping[str, Any], overrides: Mapping[str, Any] | None) -> dict[str, Any]:
        """Values for the blueprint's variables: the remembered ones first, else those of inventory and command line."""
        declared = raw.get("variables") if isinstance(raw, Mapping) else None
        names = [str(name) for name in declared] if isinstance(declared, Mapping) else []
        found = {name: plain(self._templar.template(task_vars[name])) for name in names if name in task_vars}
        return {**found, **{name: value for name, value in (overrides or {}).items() if name in names}}

    def _render(self, text: str, scope: Mapping[str, Any], task_vars: Mapping[str, Any]) -> Any:
        """A template's value: of a single expression of its own type, else text. Raises TemplateError."""
        if not is_trusted_as_template(text):
            return text
        expression = expression_of(text)
        source = (
            f"{MARK}{{{{ ({expression}) | to_json }}}}"
            if expression
            else f"{MARK}{{% set found %}}{text}{{% endset %}}{{{{ found | string | to_json }}}}"
        )
        templar = self._templar
        before = templar.available_variables
        templar.available_variables = {**task_vars, **scope}
        try:
            found = templar.template(trust_as_template(source))
        except (AnsibleError, jinja2.TemplateError, TypeError, ValueError) as error:
            raise TemplateError(f"the template fails: {' '.join(str(error).split())}") from None
        finally:
            templar.available_variables = before
        return json.loads(str(found).removeprefix(MARK))


def _refused_values(releases: Sequence[Mapping[str, Any]]) -> list[str]:
    """What charts refuse of the releases' values; nothing where there is no Helm yet."""
    if not releases or not (helm := _helm()):
        return []
    return [
        f"releases[{index}].{problem}"
        for index, release in enumerate(releases)
        for problem in refused(run_command, helm, release["chart"], release["values"])
    ]


def _helm() -> str:
    """The Helm of this machine, or one that was built here; empty where there is none."""
    if found := shutil.which("helm"):
        return found
    inventory = Inventory.read(COLLECTION)
    built = Cache(default_root()).path("helm", inventory.digests["helm"]) / "helm"
    return str(built) if built.is_file() else ""


def _line_of(path: Path) -> str:
    """Where the YAML of a file is wrong, which not every version of Ansible says in its message."""
    try:
        yaml.compose(path.read_text())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    except (OSError, ValueError):
        pass
    return ""


def expression_of(text: str) -> str | None:
    """The expression of a template that is nothing else."""
    try:
        tokens = list(jinja2.Environment().lex(text.strip()))
    except jinja2.TemplateError:
        return None
    kinds = [kind for _line, kind, _value in tokens]
    alone = kinds[:1] == ["variable_begin"] and kinds[-1:] == ["variable_end"] and kinds.count("variable_begin") == 1
    return "".join(value for _line, _kind, value in tokens[1:-1]).strip() if alone else None
