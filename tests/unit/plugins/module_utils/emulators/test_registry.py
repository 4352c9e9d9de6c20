"""What is known of engines is in one place, and one more engine is one more file."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.filter import emulators as filters
from ansible_collections.localcloud.stack.plugins.module_utils import aws_health, emulator_settings, stack_state
from ansible_collections.localcloud.stack.plugins.module_utils.emulators import registry
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.engines import localstack, ministack
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import project_parts

from tests.unit.plugins.module_utils.test_emulator_settings import settings
from tests.unit.scripts.test_generate import generate

PROJECT = Path(__file__).resolve().parents[5]
IN_CLUSTER = [name for name in registry.ENGINES if registry.in_cluster(name)]
WANTED = {
    "version": "4.14.0",
    "region": "eu-west-1",
    "services": ["sqs", "sns"],
    "host": "10.0.0.1:30566",
    "persistence": "none",
    "image": "",
}
# An engine as somebody would describe it.
FLOCI = """
from __future__ import annotations

from ..engine import Choice, Container, Ending, Engine, Process, Signs, Token

ENGINE = Engine(
    name="floci",
    title="Floci",
    place="cluster",
    choices=(Choice("`floci`", "Floci, another free one", "kept", "trying it"),),
    container=Container(
        part="",
        image=lambda wanted: "floci/floci:1.0",
        environment=lambda wanted: {"FLOCI_REGION": wanted.region},
        scratch=("/tmp",),
        data="/keep",
        port=4577,
        health="/_floci/health",
        endings={3: Ending("DiskFull", "Floci ended, as its disk is full", "give it more")},
    ),
    process=Process("requirements/floci.txt", "floci.main", lambda local: {"FLOCI_HOST": local.address}),
    signs=Signs(page="/_floci/info", key="floci"),
    token=Token("FLOCI_TOKEN", lambda version: version == "9", "8"),
    free="Floci (localstack_service_engine=floci)",
)
"""


@pytest.fixture
def floci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more file in the folder of engines."""
    name = "ansible_collections.localcloud.stack.plugins.module_utils.emulators.engines.floci"
    path = tmp_path / "floci.py"
    path.write_text(FLOCI)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    monkeypatch.setitem(registry.ENGINES, "floci", module.ENGINE)


def test_the_index_is_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / generate.ENGINES
    folder.mkdir(parents=True)
    for name in ("__init__", "ministack", "floci"):
        (folder / f"{name}.py").write_text((PROJECT / generate.ENGINES_INDEX).read_text() if name == "__init__" else "")
    monkeypatch.setattr(generate, "PROJECT", tmp_path)
    ((_path, text),) = generate.generated([generate.ENGINES_INDEX])
    assert re.findall(r"    (\w+)\.ENGINE,", text) == ["floci", "ministack"]
    assert re.findall(r"^    (\w+),", text, re.MULTILINE) == ["floci", "ministack"]


@pytest.mark.usefixtures("floci")
def test_one_more_engine_is_everywhere() -> None:
    # What is written: choices of the role, and README.
    assert "          - floci" in generate.engine_choices()
    assert "          - floci" in generate.program_choices()
    assert "| `floci` | Floci, another free one | kept | trying it |" in generate.engine_rows()
    assert any("Floci" in line for line in generate.engine_vars())
    # What settings are checked by.
    assert emulator_settings.problems(settings(engine="floci")) == []
    (problem,) = emulator_settings.problems(settings(engine="floci", version="9"))
    assert "Floci 9 runs only with a token: put it into the environment variable FLOCI_TOKEN" in problem
    assert "and Floci (localstack_service_engine=floci)" in problem
    # What roles and playbooks ask.
    assert filters.engine("floci")["in_cluster"]
    pod = filters.engine_container("floci", {**WANTED, "persistence": "claim"})
    assert (pod["image"], pod["port"], pod["health"]) == ("floci/floci:1.0", 4577, "/_floci/health")
    assert (pod["persistent"], pod["scratch"], pod["environment"]) == (True, ["/tmp"], {"FLOCI_REGION": "eu-west-1"})
    process = filters.engine_process("floci", {"region": "eu-west-1", "address": "127.0.0.1", "data": "/d"})
    assert process["module"] == "floci.main"
    # How it is known when it answers, or ends.
    answers = {
        "/_localstack/health": aws_health.Answer(200, {}, {"services": {}}),
        "/_floci/info": aws_health.Answer(200, {}, {}),
    }
    nothing = aws_health.Answer(404, {}, None)
    found = aws_health.health_facts("http://e", lambda url: answers.get(url.removeprefix("http://e"), nothing))
    assert found["engine"] == "floci"
    found_ending = registry.ending("floci/floci:1.0", 3)
    assert found_ending is not None
    assert (found_ending.reason, found_ending.next_step) == ("DiskFull", "give it more")
    assert registry.ending("floci/floci:1.0", 4) is None
    assert registry.ending("busybox", 3) is None
    assert filters.engine_notes({"emulator": "floci", "version": "9"})
    # What goes with the embedded node.
    record = {"cluster": {"kind": "embedded"}, "installed": [{"engine": "floci"}]}
    assert stack_state.is_contained(record)


def test_an_engine_that_is_not_known_is_refused_and_breaks_nothing() -> None:
    assert filters.engine("moto") == {
        "name": "moto", "title": "moto", "in_cluster": False, "outside": False, "emulated": True, "part": "", "part_version": "",
    }  # fmt: skip
    assert filters.engine_container("moto", WANTED) == {}
    assert filters.engine_notes({"emulator": "unknown", "version": "1"}) == []
    assert "There is no engine 'moto'" in emulator_settings.problems(settings(engine="moto"))[0]


@pytest.mark.parametrize(
    ("engine", "given", "expected"),
    [
        ("localstack", {"version": "2026.3.0"}, ("localstack", "2026.3.0")),
        ("localstack", {}, ("localstack", "")),
        # Its versions can't be chosen.
        ("ministack", {"version": "4.14.0"}, ("ministack", "")),
        ("aws", {"version": "4.14.0"}, ("aws", "")),
        ("outside", {"start": True, "last": {"emulator": "moto", "version": "5"}}, ("ministack", "")),
        ("outside", {"start": True, "program": "floci"}, ("floci", "")),
        ("outside", {"last": {"emulator": "moto", "version": "5"}}, ("moto", "5")),
        ("outside", {}, ("", "")),
        ("moto", {}, ("moto", "")),
    ],
)
def test_which_engine_answers_is_known_before_it_does(
    engine: str, given: dict[str, Any], expected: tuple[str, str]
) -> None:
    defaults = {"version": "", "start": False, "program": "", "last": {}}
    emulator, version = expected
    assert filters.presumed_engine(engine, {**defaults, **given}) == {"emulator": emulator, "version": version}


def test_services_that_an_engine_does_not_have() -> None:
    def lacks(emulator: str, version: str) -> list[str]:
        return filters.engine_lacks({"emulator": emulator, "version": version})

    assert lacks("localstack", "") == lacks("localstack", "4.14.0") == ["ecr"]
    assert lacks("localstack", "2026.3.0") == lacks("ministack", "") == lacks("aws", "") == lacks("", "") == []


def test_engines_run_where_they_are_said_to() -> None:
    assert list(registry.ENGINES) == ["localstack", "ministack", "outside", "aws"]
    for name, engine in registry.ENGINES.items():
        assert bool(engine.container) is (engine.place == "cluster"), name
        assert engine.choices, name
    assert [filters.engine(name)["emulated"] for name in registry.ENGINES] == [True, True, True, False]


@pytest.mark.parametrize("name", IN_CLUSTER)
def test_an_image_is_a_part_and_pinned(name: str) -> None:
    facts = filters.engine(name)
    assert "image" in project_parts(PROJECT)[facts["part"]].spec
    image = filters.engine_container(name, WANTED)["image"]
    assert re.search(r":\d[\d.]+(@sha256:[0-9a-f]{64})?$", image), image
    assert filters.engine_container(name, {**WANTED, "image": "localhost/a:1"})["read_only"]
    assert filters.engine_container(name, {**WANTED, "image": "localhost/a:1"})["image"] == "localhost/a:1"


def test_versions_are_those_of_the_pins() -> None:
    pins = (PROJECT / "requirements/ministack.in").read_text().split()
    assert f"ministack=={ministack.VERSION}" in pins
    pins = (PROJECT / "requirements/localstack.in").read_text().split()
    assert f"localstack-core[runtime]=={localstack.LAST_FREE}" in pins


def test_what_a_pod_of_each_gets() -> None:
    localstack = filters.engine_container("localstack", {**WANTED, "persistence": "claim"})
    assert (localstack["persistent"], localstack["scratch"], localstack["read_only"]) == (
        False, ["/tmp", "/var/lib/localstack"], False,
    )  # fmt: skip
    assert localstack["environment"]["LOCALSTACK_HOST"] == "10.0.0.1:30566"
    assert localstack["environment"]["SERVICES"] == "sqs,sns"
    assert localstack["token_variable"] == "LOCALSTACK_AUTH_TOKEN"
    kept = filters.engine_container("ministack", {**WANTED, "persistence": "node"})
    lost = filters.engine_container("ministack", WANTED)
    assert (kept["persistent"], kept["scratch"], kept["read_only"]) == (True, ["/tmp"], True)
    assert (lost["persistent"], lost["scratch"]) == (False, ["/tmp", "/data"])
    assert [one["environment"]["PERSIST_STATE"] for one in (kept, lost)] == ["1", "0"]
    assert kept["environment"]["STATE_DIR"].startswith(kept["data"])


ROOTS = ("roles", "playbooks", "molecule", "blueprints", "charts", "plugins", "scripts")
NAME = rf"""["'](?:{"|".join(registry.ENGINES)})["']"""
# A comparison with an engine's name, or a search in a list of nothing but such names.
COMPARED = re.compile(rf"[=!]=\s*{NAME}|\bin\s*[(\[{{]\s*{NAME}(?:\s*,\s*{NAME})*\s*,?\s*[)\]}}]")


def test_nothing_else_decides_by_the_name_of_an_engine() -> None:
    found: list[Any] = []
    for root in ROOTS:
        for path in (PROJECT / root).rglob("*"):
            own = "module_utils/emulators/engine" in str(path)
            if path.suffix in (".py", ".yml", ".yaml", ".j2", ".tpl") and not own and path.is_file():
                found += [
                    (str(path.relative_to(PROJECT)), line.strip())
                    for line in path.read_text().splitlines()
                    if COMPARED.search(line)
                ]
    assert found == []


def test_the_pattern_finds_comparisons() -> None:
    for line in (
        "when: engine == 'aws'",
        "{{ engine in ['localstack', 'ministack'] }}",
        'if name != "outside":',
        'x in ("aws",)',
    ):
        assert COMPARED.search(line), line


def test_the_roles_options_are_the_engines() -> None:
    specs = yaml.safe_load((PROJECT / "roles/localstack_service/meta/argument_specs.yml").read_text())["argument_specs"]
    options = specs["main"]["options"]
    assert options["localstack_service_engine"]["choices"] == list(registry.ENGINES)
    assert options["localstack_service_outside_program"]["choices"] == registry.programs()
