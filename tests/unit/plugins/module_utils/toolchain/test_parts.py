"""The plan of what is built: order, digests, contradictions, and the pins against the go.mod files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Inventory, input_files
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import (
    Part,
    PartsError,
    digests,
    parse,
    release_problem,
    releases,
    with_needs,
)
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.recipes import (
    RECIPE_VERSIONS,
    RECIPES,
    copy_sources,
)

PROJECT = Path(__file__).resolve().parents[5]
LISTED = yaml.safe_load((PROJECT / "toolchain/parts.yml").read_text())
PINNED = {name: part.spec for name, part in parse(LISTED).items()}
DOCUMENT = {
    "parts": {
        "tool": {"recipe": "go", "version": "v1"},
        "base": {"recipe": "debian"},
        "image": {"recipe": "image", "needs": ["tool", "base"], "image": {}},
        "other": {"recipe": "go"},
    }
}
VERSIONS = {"go": 1, "debian": 1, "image": 1}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_a_part_comes_after_what_it_needs() -> None:
    order = with_needs(parse(DOCUMENT), ["image"])
    assert set(order) == {"tool", "base", "image"}
    assert order[-1] == "image"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"parts": {"a": {}}}, "'a' has no recipe"),
        ({"parts": {"a": {"recipe": "go", "needs": ["b"]}}}, "'a' needs 'b', which is not a part"),
        ({"parts": {"a": {"recipe": "go", "needs": ["b"]}, "b": {"recipe": "go", "needs": ["a"]}}}, "circle"),
    ],
)
def test_contradictions_are_named(document: dict, message: str) -> None:
    with pytest.raises(PartsError, match=message):
        parse(document)


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(PartsError, match="'nonsense' is not a part"):
        with_needs(parse(DOCUMENT), ["nonsense"])


def test_a_changed_pin_touches_the_part_and_what_is_made_of_it_only() -> None:
    before = digests(parse(DOCUMENT), {}, VERSIONS)
    raised = {"parts": {**DOCUMENT["parts"], "tool": {"recipe": "go", "version": "v2"}}}
    assert changed(before, digests(parse(raised), {}, VERSIONS)) == {"tool", "image"}


def test_a_changed_file_touches_its_part_only() -> None:
    parts = parse(DOCUMENT)
    before = digests(parts, {"other": {"go.mod": b"a"}}, VERSIONS)
    assert changed(before, digests(parts, {"other": {"go.mod": b"b"}}, VERSIONS)) == {"other"}
    assert changed(before, digests(parts, {"other": {"go.sum": b"a"}}, VERSIONS)) == {"other"}


def test_a_changed_recipe_touches_its_parts() -> None:
    parts = parse(DOCUMENT)
    before = digests(parts, {}, VERSIONS)
    assert changed(before, digests(parts, {}, {**VERSIONS, "go": 2})) == {"tool", "image", "other"}


def test_an_image_is_tagged_with_its_digest_unless_a_tag_is_dictated() -> None:
    parts = parse({"parts": {"a": {"recipe": "image", "image": {}}, "b": {"recipe": "image", "image": {"tag": "v1"}}}})
    assert parts["a"].image("abc") == "localhost/localcloud/a:abc"
    assert parts["b"].image("abc") == "localhost/localcloud/b:v1"


@pytest.mark.parametrize("name", [name for name, spec in PINNED.items() if "module" in spec])
def test_pins_agree_with_the_go_mod_files(name: str) -> None:
    spec = PINNED[name]
    # What is built of a folder of a module is of the same version as the module's commands.
    owner = name if "source" not in spec else spec["module"].rpartition("/")[2]
    go_mod = (PROJECT / "toolchain" / owner / "go.mod").read_text()
    pinned = set(re.findall(rf"{re.escape(spec['module'])} (v\S+)", go_mod))
    assert pinned == {spec["version"]}


def test_every_stamped_version_is_the_pinned_one() -> None:
    for name, spec in PINNED.items():
        for symbol, value in spec.get("stamp", {}).items():
            if symbol.lower().endswith((".version", ".gitversion")):
                assert value in (spec["version"], spec.get("release")), name


@pytest.mark.parametrize("release", list(releases(LISTED)))
def test_all_that_is_of_kubernetes_is_of_the_release_that_is_asked_for(release: str) -> None:
    specs = {name: part.spec for name, part in parse(LISTED, release).items()}
    version = releases(LISTED)[release]["version"]
    assert version.startswith(f"v{release}.")
    tags = {spec["image"].get("tag") for spec in specs.values() if spec.get("folder") == "kubernetes-image"}
    assert (
        tags
        == {specs["kubernetes"]["version"], specs["kubernetes-schemas"]["version"], specs["kind-node"]["kubernetes"]}
        == {version}
    )
    stamp = {name.rpartition(".")[2]: value for name, value in specs["kubernetes"]["stamp"].items()}
    major, minor = release.split(".")
    assert (stamp["gitVersion"], stamp["gitMajor"], stamp["gitMinor"]) == (version, major, minor)
    others = {name for name, spec in specs.items() if spec != PINNED[name]}
    assert others <= {
        "kubernetes",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubernetes-schemas",
        "kind-node",
    }


@pytest.mark.parametrize("release", list(releases(LISTED)))
def test_the_go_mod_of_a_release_is_of_its_version(release: str) -> None:
    spec = parse(LISTED, release)["kubernetes"].spec
    go_mod = (PROJECT / "toolchain" / spec.get("folder", "kubernetes") / "go.mod").read_text()
    assert re.findall(r"k8s.io/kubernetes (v\S+)", go_mod) == [spec["version"]]
    assert set(re.findall(r"=> k8s.io/\S+ (\S+)", go_mod)) == {spec["version"].replace("v1.", "v0.")}


def test_an_unknown_release_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(PartsError, match="'1.3', but an embedded node can have Kubernetes 1.37, "):
        parse(LISTED, "1.3")


def test_a_release_that_yaml_took_for_a_number_is_to_be_quoted() -> None:
    said = release_problem("1.4", ["1.40", "1.39"])
    assert said and said.endswith("Write '1.40' with its quotes, which YAML else takes for a number.")
    assert "quotes" not in str(release_problem("1.4", ["1.39"]))


def test_the_default_can_be_asked_for_by_its_name() -> None:
    assert {name: part.spec for name, part in parse(LISTED, next(iter(releases(LISTED)))).items()} == PINNED


def test_a_reference_is_to_a_version() -> None:
    parts = {"a": {"recipe": "go", "version": "v1.2.3"}, "b": {"recipe": "image", "image": {"tag": "{a}-{a.minor}"}}}
    assert parse({"parts": parts})["b"].spec["image"]["tag"] == "v1.2.3-2"
    for wrong in ("{c}", "{b}"):
        with pytest.raises(PartsError, match="'b' refers to the version of '[bc]', which has none of its own"):
            parse({"parts": {**parts, "b": {"recipe": "go", "version": wrong}}})


def test_tags_of_images_follow_their_programs() -> None:
    for program in ("etcd", "coredns"):
        assert PINNED[f"{program}-image"]["image"]["tag"] == PINNED[program]["version"]


def test_every_recipe_exists_and_has_a_version() -> None:
    assert {spec["recipe"] for spec in PINNED.values()} <= set(RECIPES)
    assert set(RECIPES) == set(RECIPE_VERSIONS)


def test_the_applications_sources_are_inputs() -> None:
    inventory = Inventory.read(PROJECT)
    assert inventory.digests["producer"] != inventory.digests["consumer"]
    assert len(set(inventory.digests.values())) == len(inventory.parts)


def test_what_tools_keep_in_a_source_folder_is_no_input(tmp_path: Path) -> None:
    part = Part("web", "python-image", spec={"sources": ["apps/web"]})
    source = tmp_path / "apps/web/src/web.py"
    source.parent.mkdir(parents=True)
    source.write_text("")
    for name in (".coverage", ".hypothesis/seeds", "src/__pycache__/web.pyc", "tests/test_web.py"):
        left_out = tmp_path / "apps/web" / name
        left_out.parent.mkdir(parents=True, exist_ok=True)
        left_out.write_text("changes with every run")
    assert set(input_files(tmp_path, part)) == {"apps/web/src/web.py"}
    copy_sources(tmp_path, part.spec["sources"], tmp_path / "context")
    assert [one for one in (tmp_path / "context").rglob("*") if one.is_file()] == [
        tmp_path / "context/apps/web/src/web.py"
    ]


@pytest.mark.parametrize("program", ["prometheus", "prometheus-config-reloader"])
def test_what_the_operator_starts_is_where_it_says(program: str) -> None:
    # pkg/operator/config_reloader.go gives the reloader's path as the container's command; Prometheus' is the image's own.
    containerfile = (PROJECT / "toolchain" / f"{program}-image/Containerfile").read_text()
    assert f" /bin/{program}\n" in containerfile
    assert f'ENTRYPOINT ["/bin/{program}"]' in containerfile
