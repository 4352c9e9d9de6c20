"""Write what follows from the catalog of AWS kinds (plugins/module_utils/aws_resources/kinds/), from the engines
(plugins/module_utils/emulators/engines/) and from the schema of blueprints (plugins/module_utils/blueprint/schema.py) into the files that say
it too.

    generate.py            writes the marked sections
    generate.py --check    only names the files that differ, and then ends with 1

To add a kind or an engine, describe it in its file and run `make generate`.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import statistics
import sys
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import yaml

PROJECT = Path(__file__).resolve().parent.parent
KINDS = Path("plugins/module_utils/aws_resources/kinds")
INDEX = KINDS / "__init__.py"
ENGINES = Path("plugins/module_utils/emulators/engines")
ENGINES_INDEX = ENGINES / "__init__.py"
ROLE = Path("roles/aws_resources")
ENGINE_ROLE = Path("roles/localstack_service")
EVERY_FIELD = PROJECT / "tests/unit/plugins/module_utils/fixtures/aws_resources_every_field.yml"
WIDTH = 160
# Services whose kinds are built and proved cluster-scoped only (version 1 of the provider); others are refused as not served.
CLUSTER_SCOPED = ("cloudwatch", "cloudwatchevents", "cloudwatchlogs", "ecr", "kinesis")
# What every entry has.
COMMON = ("object_name", "adopt", "tags")


class Section(NamedTuple):
    """A part of a file between two lines that name it."""

    path: Path
    name: str
    lines: Callable[[], Iterable[str]]

    def within(self, text: str) -> str:
        """The file's text with this section as it should be. Raises ValueError if the marks are missing."""
        marks = r"(?ms)^([^\n]*\bgenerated: {0}\b[^\n]*\n).*?^([^\n]*\bend of {0}\b)"
        new, count = re.subn(marks.format(self.name), lambda found: found[1] + self._text() + found[2], text)
        if count != 1:
            raise ValueError(f"{self.path} has {count} sections 'generated: {self.name}' … 'end of {self.name}'")
        return new

    def _text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines())


def main() -> int:
    check = "--check" in sys.argv[1:]
    if not check:
        # First, as catalog and registry have only what these import.
        for path, text in generated([INDEX, ENGINES_INDEX]):
            (PROJECT / path).write_text(text)
    found = [*generated(dict.fromkeys(one.path for one in SECTIONS)), *whole_files()]
    differing = [path for path, text in found if not (PROJECT / path).exists() or (PROJECT / path).read_text() != text]
    for path, text in found:
        if path in differing and check:
            print(f"{path} is not as the kinds say. Run `make generate`.")
        elif path in differing:
            (PROJECT / path).write_text(text)
    return int(check and bool(differing))


def generated(paths: Iterable[Path]) -> list[tuple[Path, str]]:
    """Each of these files with its text as it should be."""
    found = []
    for path in paths:
        text = (PROJECT / path).read_text()
        for section in SECTIONS:
            text = section.within(text) if section.path == path else text
        found.append((path, text))
    return found


def whole_files() -> list[tuple[Path, str]]:
    """Each file that is generated as a whole, with its text as it should be."""
    return [(path, text()) for path, text in WHOLE_FILES.items()]


def files_of(package: Path) -> list[str]:
    """The files of a package but for its index."""
    return sorted(path.stem for path in (PROJECT / package).glob("*.py") if path.stem != "__init__")


def services() -> list[str]:
    """The services that have a file."""
    return files_of(KINDS)


def index_imports() -> list[str]:
    return ["from . import (", *(f"    {one}," for one in services()), ")", ""]


def index_kinds() -> list[str]:
    return [f"    *{one}.KINDS," for one in services()]


def engines_imports() -> list[str]:
    return ["from . import (", *(f"    {one}," for one in files_of(ENGINES)), ")", ""]


def engines_index() -> list[str]:
    return [f"    {one}.ENGINE," for one in files_of(ENGINES)]


def registry() -> Any:
    from ansible_collections.localcloud.stack.plugins.module_utils.emulators import registry as found

    return found


def engine_choices() -> list[str]:
    return ["        choices:", *(f"          - {name}" for name in registry().choosable())]


def program_choices() -> list[str]:
    return ["        choices:", *(f"          - {name}" for name in registry().programs())]


def engine_vars() -> list[str]:
    return [
        f"__localstack_service_programs: [{', '.join(registry().programs())}]",
    ]


def engine_rows() -> list[str]:
    rows = [
        f"| {one.how} | {one.what} | {one.after_restart} | {one.purpose} |"
        for engine in registry().ENGINES.values()
        for one in engine.choices
    ]
    return ["", "| engine | what it is | data after a restart | choose it for |", "|---|---|---|---|", *rows, ""]


def support_rows() -> list[str]:
    """What is supported, and which versions the tests run, by the pins that they take them from."""
    from ansible_collections.localcloud.stack.plugins.module_utils.common import supported

    document = yaml.safe_load((PROJECT / "toolchain/parts.yml").read_text())
    parts = document["parts"]
    others = ", ".join(one["version"].removeprefix("v") for one in document["kubernetes_releases"].values())
    oldest, newest = (
        re.findall(r"^ansible-core==([^\s;]+)", (PROJECT / f"requirements/{name}.in").read_text(), re.M)
        for name in ("core-oldest", "runtime")
    )
    (collection,) = yaml.safe_load((PROJECT / "requirements.yml").read_text())["collections"]
    node = parts["kubernetes"]["version"].removeprefix("v")
    rows = [
        ("ansible-core", str(supported.ANSIBLE_CORE), ", ".join([*oldest, *newest])),
        ("Python of the controller", str(supported.PYTHON), "3.11, and the newest that the machine has"),
        (
            "kubernetes.core",
            "6.0 or later; with Helm 4 {}.{} or later".format(*supported.HELM_4_MODULES),
            collection["version"],
        ),
        (
            "Helm",
            supported.HELM_SUPPORTED,
            ", ".join(parts[name]["version"].removeprefix("v") for name in ("helm-3", "helm")),
        ),
        ("Kubernetes", str(supported.KUBERNETES), f"{node}, that of the embedded node; {others} every night"),
        ("kubectl", "at most one minor version older than the cluster", node),
    ]
    return ["", "| | supported | run by the tests |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def catalog() -> Any:
    from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import catalog as found

    return found


def entries() -> dict[str, Any]:
    """The lists' entries by the lists' names, by service."""
    return {kind.entry.list_name: kind.entry for kind in catalog().BY_KEY.values() if kind.entry}


def defaults() -> list[str]:
    return [f"aws_resources_{name}: []" for name in entries()]


def argument_specs() -> list[str]:
    return [
        line
        for name, entry in entries().items()
        for line in (
            f"      aws_resources_{name}:",
            f"        description: '{entry.described.replace(chr(39), chr(39) * 2)}: a list of maps.'",
            "        type: raw",
        )
    ]


def role_vars() -> list[str]:
    return [f'  {name}: "{{{{ aws_resources_{name} }}}}"' for name in entries()]


def hand_over() -> list[str]:
    # By get, as a map without the key would answer stack_handed_over.keys with its method.
    return [f"""aws_resources_{name}: "{{{{ stack_handed_over.get('{name}', []) }}}}\"""" for name in entries()]


def namespaced_kinds() -> list[str]:
    """Those that the trimmed provider of version 2 serves."""
    return provider_kinds(without=CLUSTER_SCOPED)


def provider_kinds(without: Collection[str] = ()) -> list[str]:
    """The kinds that the trimmed provider serves but for these services', in the form of toolchain/parts.yml."""
    by_service: dict[str, list[str]] = {}
    for kind in catalog().BY_KEY.values():
        if kind.service in without:
            continue
        by_service.setdefault(kind.service, []).append(kind.name.lower())
    lines = []
    for service, names in sorted(by_service.items()):
        line = f"      {service}: [{', '.join(sorted(names))}]"
        block = [f"      {service}:", *(f"        - {name}" for name in sorted(names))]
        lines += [line] if len(line) <= WIDTH else block
    return lines


def readme_fields() -> list[str]:
    rows = [f"| `{name}` | {entry.described} | {', '.join(fields_of(entry))} |" for name, entry in entries().items()]
    return ["", "| list | what | fields (required ones first, in bold) |", "|---|---|---|", *rows, ""]


def fields_of(entry: Any) -> list[str]:
    """An entry's fields for a reader, the required ones first, those that it shares with others last."""
    own = {name: field for name, field in entry.model_fields.items() if name not in COMMON}
    shared = {name for one in entry.__mro__[1:] for name in getattr(one, "model_fields", {})}
    ordered = sorted(own, key=lambda name: (not own[name].is_required(), name in shared))
    return [
        " ".join(
            one
            for one in (
                f"**`{name}`**" if own[name].is_required() else f"`{name}`",
                entry.notes.get(name) or parts(own[name]),
            )
            if one
        )
        for name in ordered
    ]


def parts(field: Any) -> str:
    """The fields of a field that is a map with known ones."""
    from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.fields import Model

    either = get_origin(field.annotation) in (Union, UnionType)
    models: list[Any] = [
        one
        for one in (get_args(field.annotation) if either else [field.annotation])
        if isinstance(one, type) and issubclass(one, Model)
    ]
    return "".join(f"`{{{', '.join(one.model_fields)}}}`" for one in models)


def unobserved() -> list[str]:
    rows = [
        f"| `{kind.split('/')[1]}` | `{field}` | {reason} |"
        for kind, fields in catalog().UNOBSERVED.items()
        for field, reason in fields.items()
    ]
    return ["", "| kind | field | why |", "|---|---|---|", *rows, ""]


def changes() -> list[str]:
    """What a change of each field does, by kind and field of spec.forProvider."""
    rows = [
        f"| `{kind.key}` | `{field}` | {_compared(kind, field)} | {_changed(kind, field)} | {_taken_out(kind, field)} |"
        for kind in catalog().BY_KEY.values()
        for field in sorted(declared_fields().get(kind.key, ()))
    ]
    return ["", "| kind | field | compared | changed | no longer declared |", "|---|---|---|---|---|", *rows, ""]


def declared_fields() -> dict[str, set[str]]:
    """By kind (service/Kind), the fields of spec.forProvider that the lists can declare.

    A test holds that the fixture has every field of every entry.
    """
    import yaml
    from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import kind_of
    from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive

    objects, problems = derive(yaml.safe_load(EVERY_FIELD.read_text()), Target("eu-central-1"))
    if problems:
        raise ValueError(f"{EVERY_FIELD}: {'; '.join(problems)}")
    found: dict[str, set[str]] = {}
    for one in objects:
        found.setdefault(kind_of(one), set()).update(one["spec"]["forProvider"])
    return found


COMPARED = {
    "text": "exactly",
    "unknown": "exactly",
    "policy": "as a policy",
    "json": "as JSON, with types",
    "url": "as a URL, with or without `https://`",
    "redrive": "as JSON, numbers also as text",
    "ordered": "as a list, in order",
    "items": "as a whole list",
    "tags": "each declared one",
    "map": "as a whole map",
}


def _compared(kind: Any, field: str) -> str:
    rule = catalog().fields_of(kind.key).get(field)
    how = COMPARED[rule.how if rule else "unknown"]
    if field in kind.unobserved:
        return f"{how}, in the cluster only: {kind.unobserved[field]}"
    return how if kind.observe else f"{how}, as the provider saw it last"


def _is_immutable(kind: Any, field: str) -> bool:
    return field == "region" or field.removesuffix("Ref") in kind.immutable


def _changed(kind: Any, field: str) -> str:
    return "refused before anything is changed" if _is_immutable(kind, field) else "in place"


def _taken_out(kind: Any, field: str) -> str:
    from ansible_collections.localcloud.stack.plugins.module_utils.drift.clear import CLEARED

    rule = catalog().fields_of(kind.key).get(field.removesuffix("Ref"))
    if (kind.key, field) in CLEARED:
        return "taken away in AWS by the role"
    if rule and rule.cleared is not None:
        return _cleared(rule.cleared)
    if _is_immutable(kind, field):
        return "refused, or kept as it is"
    if rule and rule.how == "tags":
        return "taken away, one by one"
    return "always declared, or goes with the resource" if kind.entry.late_initialized else "taken away by the provider"


def _cleared(value: Any) -> str:
    from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.comparison import ROOT

    if isinstance(value, str):
        return (
            "declared as empty"
            if not value
            else "declared as AWS's default"
            if ROOT in value
            else f"declared as `{value}`"
        )
    return f"declared as `{json.dumps(value[0] if isinstance(value, list) else value)}`"


def blueprint_keys() -> list[str]:
    """The keys of a blueprint for a reader: those of a map or a list's entry follow with their path."""
    from ansible_collections.localcloud.stack.plugins.module_utils.blueprint.schema import Blueprint

    def rows(model: Any, path: str) -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            inner, form = inner_model(field.annotation)
            key = f"{path}{field.alias or name}"
            found.append(f"| `{key}{form}` | {field.description or ''} |")
            found += rows(inner, f"{key}{form}.") if inner else []
        return found

    return ["", "| key | what |", "|---|---|", *rows(Blueprint, ""), ""]


# Keys that a template can't have by a dot, so that Ansible documents none of a module's.
METHODS = {name for name in dir(dict) if not name.startswith("_")}


def blueprint_documentation() -> list[str]:
    """The keys of a blueprint in the form of a module's RETURN, which `ansible-doc` shows."""
    from ansible_collections.localcloud.stack.plugins.module_utils.blueprint.schema import Blueprint

    return ["  contains:", *documented_keys(Blueprint, "    ")]


def documented_keys(model: Any, indent: str) -> list[str]:
    """Each key of a model with description, type and, of maps with known keys, what they contain. For editors' own there is none."""
    found = []
    for name, field in model.model_fields.items():
        if field.alias or name in METHODS:
            continue
        kind, elements = documented_type(field.annotation)
        inner, form = inner_model(field.annotation)
        said = re.sub("`([^`]*)`", r"C(\1)", field.description or inner.__doc__ or name.capitalize())
        if form == ".<name>":
            said += " A map of names to maps with these keys."
        for other in METHODS & set(inner.model_fields if inner else ()):
            said += re.sub("`([^`]*)`", r"C(\1)", f" Also `{other}`: {inner.model_fields[other].description}")
        found += [f"{indent}{name}:", f"{indent}  description: >-"]
        found += textwrap.wrap(said, WIDTH, initial_indent=f"{indent}    ", subsequent_indent=f"{indent}    ")
        found += [f"{indent}  type: {kind}"] + ([f"{indent}  elements: {elements}"] if elements else [])
        found += [f"{indent}  contains:", *documented_keys(inner, f"{indent}    ")] if inner else []
    return found


TYPES = {bool: "bool", int: "int", float: "float", str: "str", list: "list", dict: "dict"}


def documented_type(annotation: Any) -> tuple[str, str]:
    """A type as Ansible names it, and that of a list's elements."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return "raw", ""
    if origin is list:
        return "list", documented_type(inner[0])[0]
    if origin in (Union, UnionType):
        return documented_type(next(one for one in inner if one is not NoneType))
    if origin is Literal:
        return documented_type(type(inner[0]))
    if origin is Annotated:
        return documented_type(inner[0])
    if isinstance(origin or annotation, type):
        return TYPES.get(origin or annotation, "dict"), ""
    raise TypeError(f"{annotation} has no type of Ansible's")


def inner_model(annotation: Any) -> tuple[Any, str]:
    """The model in a type, and how its place is written: `[]` for a list's entry, `.<name>` for a map's."""
    from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources.fields import Model

    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation, ""
    origin, inner = get_origin(annotation), get_args(annotation)
    model = next((found for one in inner if (found := inner_model(one)[0])), None)
    return model, ("[]" if origin is list else ".<name>" if origin is dict else "") if model else ""


def blueprint_schema() -> str:
    """The JSON schema of a blueprint for editors. A template may stand wherever something else than text is wanted."""
    from ansible_collections.localcloud.stack.plugins.module_utils.blueprint.schema import Blueprint

    def with_templates(value: Any) -> Any:
        if isinstance(value, dict):
            found = {key: with_templates(one) for key, one in value.items()}
            plain = (
                found.get("type") in ("boolean", "integer", "number", "array", "object") and "properties" not in found
            )
            return {"anyOf": [found, {"type": "string", "pattern": "{{"}]} if plain else found
        return [with_templates(one) for one in value] if isinstance(value, list) else value

    schema = with_templates(Blueprint.model_json_schema(by_alias=True))
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


def report_schema() -> str:
    """The JSON schema of what `make report FORMAT=json` prints."""
    from ansible_collections.localcloud.stack.plugins.module_utils.report import model
    from pydantic import TypeAdapter

    schema = TypeAdapter(model.Report).json_schema()
    classes = {name: one for name, one in vars(model).items() if dataclasses.is_dataclass(one)}
    for name, one in {"Report": schema, **schema["$defs"]}.items():
        one["description"] = inspect.getdoc(classes[name]) or ""
        # All of it is always there.
        one |= {"required": list(one["properties"]), "additionalProperties": False}
        one["description"] = re.sub(r"C\((.*?)\)", r"\1", one["description"])
    schema["properties"]["schema_version"] = {"const": model.SCHEMA_VERSION, "title": "Schema Version"}
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


WHOLE_FILES: dict[Path, Callable[[], str]] = {
    Path("docs/blueprint.schema.json"): blueprint_schema,
    Path("docs/report.schema.json"): report_schema,
}
MEASURED = PROJECT / "docs/first_run.json"
# Who has what, what `make up` does for them, and the ways of docs/first_run.json that say what it takes.
FIRST_RUN = (
    (
        "Docker with 3 GiB of memory, git, make, Python 3.11",
        "makes a kind cluster for this checkout alone, `localcloud-<checkout>`, which answers at 127.0.0.1",
        {"docker": "with images that are built or pulled already"},
    ),
    (
        "bare Linux: Debian 12 or a relative, root, git, make, Python 3.11, Go",
        "builds a Kubernetes from package registries alone (Go modules, Debian, PyPI, npm; no container registry) and runs it in namespaces of its own",
        {"cold": "at first, as all is built", "linux": "once that is done"},
    ),
    (
        "a cluster of yours",
        """uses it if you allow its context: `make up ARGS='-e {"cluster_allowed_contexts":["kind-kind"]}'` ([more](#your-own-cluster))""",
        {"yours": "in one of kind, with images that are built already"},
    ),
    (
        "a bundle: Linux, root or Docker, git, make, Python 3.11",
        "takes all from it, without Go, registries and internet: `make up BUNDLE=<file or URL>` ([docs/bundle.md](docs/bundle.md))",
        {"bundle-embedded": "for the embedded node", "bundle-kind": "for Docker, what Docker keeps not counted"},
    ),
)


def first_run_rows() -> list[str]:
    """README's first table, with what benchmarks/first_run.py has measured."""
    known = json.loads(MEASURED.read_text())
    rows = ["| you have | `make up` | to the verified event, on the disk (MiniStack) |", "|---|---|---|"]
    for have, does, ways in FIRST_RUN:
        figures = [f"{first_run_figures(known[way])} {when}" for way, when in ways.items() if way in known]
        rows.append(f"| {have} | {does} | {'; '.join(figures)} |")
    (machine,) = {one["machine"] for one in known.values()}
    days = sorted({one["measured"] for one in known.values()})
    rows += ["", f"Medians of `make bench-first-run` and `make bench-bundle` on {machine}, {' and '.join(days)}."]
    return rows


def first_run_figures(row: Mapping[str, Any]) -> str:
    seconds = statistics.median(row["seconds"])
    return f"{f'{seconds / 60:.0f} min' if seconds > 300 else f'{seconds:.0f} s'}, {row['gigabytes']:.1f} GB"


SECTIONS = (
    Section(Path("docs/blueprints.md"), "keys", blueprint_keys),
    Section(Path("plugins/modules/blueprint.py"), "keys", blueprint_documentation),
    Section(ENGINES_INDEX, "imports", engines_imports),
    Section(ENGINES_INDEX, "engines", engines_index),
    Section(ENGINE_ROLE / "meta/argument_specs.yml", "engines", engine_choices),
    Section(ENGINE_ROLE / "meta/argument_specs.yml", "programs", program_choices),
    Section(ENGINE_ROLE / "vars/main.yml", "engines", engine_vars),
    Section(Path("README.md"), "first run", first_run_rows),
    Section(Path("README.md"), "engines", engine_rows),
    Section(Path("README.md"), "support", support_rows),
    Section(INDEX, "imports", index_imports),
    Section(INDEX, "kinds", index_kinds),
    Section(ROLE / "defaults/main.yml", "lists", defaults),
    Section(ROLE / "meta/argument_specs.yml", "lists", argument_specs),
    Section(ROLE / "vars/main.yml", "lists", role_vars),
    Section(ROLE / "README.md", "fields", readme_fields),
    Section(ROLE / "README.md", "unobserved", unobserved),
    Section(Path("playbooks/roles/stack/vars/main.yml"), "lists", hand_over),
    Section(Path("toolchain/parts.yml"), "kinds", provider_kinds),
    Section(Path("toolchain/parts.yml"), "namespaced", namespaced_kinds),
    Section(Path("docs/changes.md"), "changes", changes),
)

if __name__ == "__main__":
    sys.exit(main())
