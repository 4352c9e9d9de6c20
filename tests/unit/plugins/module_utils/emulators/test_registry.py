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
from ansible_collections.localcloud.stack.plugins.module_utils.cluster import stack_state
from ansible_collections.localcloud.stack.plugins.module_utils.emulators import health as aws_health
from ansible_collections.localcloud.stack.plugins.module_utils.emulators import registry
from ansible_collections.localcloud.stack.plugins.module_utils.emulators import settings as emulator_settings
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.behaviours import FEATURES
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.engines import localstack, ministack
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import project_parts

from tests.unit.plugins.module_utils.emulators.test_settings import settings
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
CIRRUS = """
from __future__ import annotations

from ..engine import Choice, Container, Ending, Engine, Process, Signs, Token

ENGINE = Engine(
    name="cirrus",
    title="Cirrus",
    place="cluster",
    choices=(Choice("`cirrus`", "Cirrus, another free one", "kept", "trying it"),),
    container=Container(
        part="",
        image=lambda wanted: "cirrus/cirrus:1.0",
        environment=lambda wanted: {"CIRRUS_REGION": wanted.region},
        scratch=("/tmp",),
        data="/keep",
        port=4577,
        health="/_cirrus/health",
        endings={3: Ending("DiskFull", "Cirrus ended, as its disk is full", "give it more")},
    ),
    process=Process("requirements/cirrus.txt", "cirrus.main", lambda local: {"CIRRUS_HOST": local.address}),
    signs=Signs(page="/_cirrus/info", key="cirrus"),
    token=Token("CIRRUS_TOKEN", lambda version: version == "9", "8"),
    free="Cirrus (localstack_service_engine=cirrus)",
)
"""


@pytest.fixture
def cirrus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more file in the folder of engines."""
    name = "ansible_collections.localcloud.stack.plugins.module_utils.emulators.engines.cirrus"
    path = tmp_path / "cirrus.py"
    path.write_text(CIRRUS)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    monkeypatch.setitem(registry.ENGINES, "cirrus", module.ENGINE)


def test_the_index_is_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / generate.ENGINES
    folder.mkdir(parents=True)
    for name in ("__init__", "ministack", "cirrus"):
        (folder / f"{name}.py").write_text((PROJECT / generate.ENGINES_INDEX).read_text() if name == "__init__" else "")
    monkeypatch.setattr(generate, "PROJECT", tmp_path)
    ((_path, text),) = generate.generated([generate.ENGINES_INDEX])
    assert re.findall(r"    (\w+)\.ENGINE,", text) == ["cirrus", "ministack"]
    assert re.findall(r"^    (\w+),", text, re.MULTILINE) == ["cirrus", "ministack"]


@pytest.mark.usefixtures("cirrus")
def test_one_more_engine_is_everywhere() -> None:
    # What is written: choices of the role, and README.
    assert "          - cirrus" in generate.engine_choices()
    assert "          - cirrus" in generate.program_choices()
    assert "| `cirrus` | Cirrus, another free one | kept | trying it |" in generate.engine_rows()
    assert "__localstack_service_programs: [ministack, cirrus]" in generate.engine_vars()
    # What settings are checked by.
    assert emulator_settings.problems(settings(engine="cirrus")) == []
    (problem,) = emulator_settings.problems(settings(engine="cirrus", version="9"))
    assert "Cirrus 9 runs only with a token: put it into the environment variable CIRRUS_TOKEN" in problem
    assert "and Cirrus (localstack_service_engine=cirrus)" in problem
    # What roles and playbooks ask.
    assert filters.engine("cirrus")["in_cluster"]
    pod = filters.engine_container("cirrus", {**WANTED, "persistence": "claim"})
    assert (pod["image"], pod["port"], pod["health"]) == ("cirrus/cirrus:1.0", 4577, "/_cirrus/health")
    assert (pod["persistent"], pod["scratch"], pod["environment"]) == (True, ["/tmp"], {"CIRRUS_REGION": "eu-west-1"})
    process = filters.engine_process("cirrus", {"region": "eu-west-1", "address": "127.0.0.1", "data": "/d"})
    assert process["module"] == "cirrus.main"
    # How it is known when it answers, or ends.
    answers = {
        "/_localstack/health": aws_health.Answer(200, {}, {"services": {}}),
        "/_cirrus/info": aws_health.Answer(200, {}, {}),
    }
    nothing = aws_health.Answer(404, {}, None)
    found = aws_health.health_facts("http://e", lambda url: answers.get(url.removeprefix("http://e"), nothing))
    assert found["engine"] == "cirrus"
    found_ending = registry.ending("cirrus/cirrus:1.0", 3)
    assert found_ending is not None
    assert (found_ending.reason, found_ending.next_step) == ("DiskFull", "give it more")
    assert registry.ending("cirrus/cirrus:1.0", 4) is None
    assert registry.ending("busybox", 3) is None
    assert filters.engine_notes({"emulator": "cirrus", "version": "9"})
    # What goes with the embedded node.
    record = {"cluster": {"kind": "embedded"}, "installed": [{"engine": "cirrus"}]}
    assert stack_state.is_contained(record)


def test_an_engine_that_is_not_known_is_refused_and_breaks_nothing() -> None:
    assert filters.engine("other") == {
        "name": "other", "title": "other", "in_cluster": False, "outside": False, "emulated": True, "part": "", "part_version": "",
        "kept": "Its data were kept.",
    }  # fmt: skip
    assert filters.engine_container("other", WANTED) == {}
    assert filters.engine_notes({"emulator": "unknown", "version": "1"}) == []
    assert "There is no engine 'other'" in emulator_settings.problems(settings(engine="other"))[0]


def test_an_engine_that_is_only_recognized_is_no_choice_and_says_how_it_is_used() -> None:
    (problem,) = emulator_settings.problems(settings(engine="moto"))
    assert "to one of localstack, ministack, floci, outside, aws." in problem
    assert "moto is used with localstack_service_engine=outside" in problem


@pytest.mark.parametrize("version", ["dev", "latest", "nightly-2026-11-01", "", "v5"])
def test_a_version_that_is_no_number_breaks_nothing_and_claims_no_token(version: str) -> None:
    assert filters.engine_notes({"emulator": "localstack", "version": version}) == []
    assert filters.engine_lacks({"emulator": "localstack", "version": version}) in ([], ["ecr"])


@pytest.mark.parametrize(
    ("engine", "account", "told"),
    [
        ("localstack", "000000000000", []),
        ("moto", "000000000000", []),
        (
            "unknown",
            "000000000000",
            ["is not an emulator of AWS that is known here", "LocalStack, MiniStack, Floci or moto"],
        ),
        ("moto", "123456789012", ["moto at http://e has the account 123456789012", "MOTO_ACCOUNT_ID=000000000000"]),
        ("ministack", "111111111111", ["MiniStack at http://e has the account 111111111111", "Give it that account"]),
    ],
)
def test_what_answers_is_refused_with_the_one_reason(engine: str, account: str, told: list[str]) -> None:
    found = filters.answer_problems({"health": {"engine": engine}, "account": {"id": account}}, "http://e")
    assert len(found) == bool(told)
    for one in told:
        assert one in found[0]


@pytest.mark.parametrize(
    ("engine", "version", "image", "told"),
    [
        ("localstack", "", "", ""),
        ("localstack", "4.14.0", "", ""),
        ("localstack", "2026.3.0", "", "has LocalStack 4.14.0 only, as 2026.3.0"),
        ("localstack", "2026.3.0", "mirror/localstack:2026.3.0", ""),
        ("ministack", "4.14.0", "", ""),
        ("floci", "", "", "does not have Floci"),
        ("floci", "", "mirror/floci:1.7.0", ""),
        ("outside", "", "", ""),
        ("other", "", "", ""),
    ],
)
def test_what_the_embedded_node_can_not_have(engine: str, version: str, image: str, told: str) -> None:
    found = filters.embedded_engine_problems(engine, {"version": version, "image": image})
    assert len(found) == bool(told)
    assert told in "".join(found)


@pytest.mark.parametrize(
    ("engine", "given", "expected"),
    [
        ("localstack", {"version": "2026.3.0"}, ("localstack", "2026.3.0")),
        ("localstack", {}, ("localstack", "")),
        # Its versions can't be chosen.
        ("ministack", {"version": "4.14.0"}, ("ministack", "")),
        ("aws", {"version": "4.14.0"}, ("aws", "")),
        ("outside", {"start": True, "last": {"emulator": "moto", "version": "5"}}, ("ministack", "")),
        ("outside", {"start": True, "program": "cirrus"}, ("cirrus", "")),
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


def test_an_engine_that_writes_only_when_it_stops_says_what_a_kill_costs() -> None:
    kept = filters.engine("ministack")["kept"]
    assert "last orderly stop" in kept
    assert "killed" in kept
    notes = (PROJECT / "playbooks/roles/stack/vars/main.yml").read_text()
    assert "(localstack_service_facts.emulator | localcloud.stack.engine).kept" in notes


def test_engines_run_where_they_are_said_to() -> None:
    assert list(registry.ENGINES) == ["localstack", "ministack", "floci", "outside", "aws", "moto"]
    assert registry.choosable() == ["localstack", "ministack", "floci", "outside", "aws"]
    for name, engine in registry.ENGINES.items():
        assert bool(engine.container) is (engine.place == "cluster"), name
        assert bool(engine.choices) is (name in registry.choosable()), name
    assert [name for name in registry.ENGINES if not filters.engine(name)["emulated"]] == ["aws"]
    for name, engine in registry.ENGINES.items():
        assert set(engine.never_ready) <= set(FEATURES), name


@pytest.mark.parametrize("name", IN_CLUSTER)
def test_an_image_is_a_part_and_pinned(name: str) -> None:
    part = filters.engine(name)["part"]
    assert not part or "image" in project_parts(PROJECT)[part].spec
    image = filters.engine_container(name, WANTED)["image"]
    assert re.search(r":\d[\d.]+(@sha256:[0-9a-f]{64})?$", image), image
    assert filters.engine_container(name, {**WANTED, "image": "localhost/a:1"})["read_only"]
    assert filters.engine_container(name, {**WANTED, "image": "localhost/a:1"})["image"] == "localhost/a:1"


def test_versions_are_those_of_the_pins() -> None:
    pins = (PROJECT / "requirements/ministack.in").read_text().split()
    # For RSA and ECC keys: kms.key.asymmetric of the contract.
    assert any(one.startswith("cryptography==") for one in pins)
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
    kept = filters.engine_container("floci", {**WANTED, "persistence": "claim"})
    lost = filters.engine_container("floci", WANTED)
    assert (kept["persistent"], kept["scratch"], lost["scratch"]) == (True, ["/tmp"], ["/tmp", "/data"])
    assert [one["environment"]["FLOCI_STORAGE_MODE"] for one in (kept, lost)] == ["hybrid", "memory"]
    assert kept["environment"]["FLOCI_BASE_URL"] == "http://10.0.0.1:30566"
    assert (kept["port"], kept["health"], kept["environment"]["FLOCI_STORAGE_PERSISTENT_PATH"]) == (
        4566,
        "/_floci/health",
        kept["data"],
    )


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


def test_the_choice_of_one_outside_names_all_that_are_recognized() -> None:
    (choice,) = registry.ENGINES["outside"].choices
    assert choice.what.endswith(registry.recognized().replace(" or ", ", "))


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
    assert options["localstack_service_engine"]["choices"] == registry.choosable()
    assert options["localstack_service_outside_program"]["choices"] == registry.programs()
