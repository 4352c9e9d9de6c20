"""The artifact holds what its users need and nothing else, and works for them with the oldest and the newest ansible-core."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.common import supported
from moto.server import ThreadedMotoServer

from tests.collection.conftest import BIN, PROJECT, RUBBISH, interpreter, run, tracked

# The parts of a checkout that are shipped, and what is kept back of them.
SHIPPED = (
    ".dockerignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "apps/",
    "changelogs/",
    "charts/",
    "crossplane/",
    "docs/",
    "engines/",
)
SHIPPED += ("bindep.txt", "blueprints/", "inventories/", "meta/", "playbooks/", "plugins/")
SHIPPED += ("requirements.yml", "requirements/", "roles/", "toolchain/")
KEPT_BACK = re.compile(
    r"apps/[^/]+/tests/|apps/conftest\.py|changelogs/fragments/|charts/([^/]+/)?tests/|crossplane/[^/]+/function/(tests/|conftest\.py)"
)
KEPT_BACK_REQUIREMENTS = re.compile(r"requirements/(test|core-oldest|execution)\.")


def test_it_holds_what_is_needed_and_nothing_else(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        held = {one.name for one in archive.getmembers() if not one.isdir()}
    shipped = {
        name
        for name in tracked()
        if name.startswith(SHIPPED) and not KEPT_BACK.match(name) and not KEPT_BACK_REQUIREMENTS.match(name)
    }
    assert held == shipped | {"MANIFEST.json", "FILES.json"}
    assert held.isdisjoint(RUBBISH)


def test_the_oldest_and_the_newest_ansible_core_are_those_that_are_declared(oldest: Path, newest: Path) -> None:
    declared = yaml.safe_load((PROJECT / "meta/runtime.yml").read_text())["requires_ansible"]
    first, last = (core_version(one) for one in (oldest, newest))
    assert declared == f">={first}"
    assert first.startswith("{}.{}.".format(*supported.ANSIBLE_CORE.oldest))
    assert last.startswith("{}.{}.".format(*supported.ANSIBLE_CORE.newest)) or interpreter("3.13") is None


def core_version(folder: Path) -> str:
    """The version of an environment's ansible-core."""
    found = re.match(r"ansible \[core (\S+)\]", run([folder / "ansible", "--version"], home=Path.home()))
    assert found is not None
    return found[1]


def test_charts_reach_each_other_as_in_the_checkout(installed: Path) -> None:
    charts = installed / "collections/ansible_collections/localcloud/stack/charts"
    for link in (path for path in (PROJECT / "charts").rglob("*") if path.is_symlink()):
        there = charts / link.relative_to(PROJECT / "charts")
        name = "Chart.yaml" if link.is_dir() else ""
        assert (there / name).read_bytes() == (link / name).read_bytes()


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    """The endpoint of moto's server, with a topic and a queue."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    session = boto3.Session("test", "test", region_name="eu-central-1")
    session.client("sns", endpoint_url=endpoint).create_topic(Name="orders")
    session.client("sqs", endpoint_url=endpoint).create_queue(QueueName="billing")
    yield endpoint
    server.stop()


def elsewhere(installed: Path, *command: str | Path, fails: bool = False) -> str:
    """Run a command as somebody who has nothing but the installed collection."""
    collections = str(installed / "collections")
    output = run(
        list(command), cwd=installed, home=installed / "home", fails=fails, ANSIBLE_COLLECTIONS_PATH=collections
    )
    assert str(PROJECT / "plugins") not in output
    return output


def test_a_playbook_elsewhere_uses_it(python: Path, installed: Path, emulator: str) -> None:
    playbook = installed / "use.yml"
    playbook.write_text((PROJECT / "tests/collection/use.yml").read_text())
    output = elsewhere(
        installed, python / "ansible-playbook", playbook, "-e", json.dumps({"endpoint": emulator}), fails=True
    )
    said = " ".join(output.split())
    assert "aws_resources_topics[0].name: 'two words' is refused by AWS" in said
    assert "aws_resources_queues[0].name" in said
    assert "aws_resources_queues[1]" not in said
    assert re.search(r"localhost : ok=5 changed=0 unreachable=0 failed=1", said), said


def test_its_playbooks_are_found_by_name(python: Path, installed: Path) -> None:
    inventory = installed / "collections/ansible_collections/localcloud/stack/inventories/local"
    for name in ("site", "verify", "status", "save", "restore", "teardown", "new_blueprint"):
        elsewhere(installed, python / "ansible-playbook", "-i", inventory, "--syntax-check", f"localcloud.stack.{name}")


def test_a_blueprint_is_made_and_read_without_a_checkout_or_an_inventory(python: Path, installed: Path) -> None:
    orders = installed / "orders"
    elsewhere(
        installed, python / "ansible-playbook", "localcloud.stack.new_blueprint", "-e", f"new_blueprint_dir={orders}"
    )
    settings = (
        "-e",
        f"stack_blueprint={orders}",
        "-e",
        "cluster_mode=existing",
        "-e",
        "cluster_kubeconfig=/nonexistent",
    )
    said = elsewhere(installed, python / "ansible-playbook", "localcloud.stack.site", *settings, fails=True)
    assert "/nonexistent" in said
    assert "ok: [localhost]" in said.partition("Read a blueprint")[2]
    # Its state is in its folder.
    assert (orders / ".localcloud").is_dir()
    (orders / "blueprint.yml").write_text("relases: []")
    said = elsewhere(installed, python / "ansible-playbook", "localcloud.stack.site", *settings, fails=True)
    assert "relases: is unknown; did you mean 'releases'?" in said


def test_everything_is_documented(python: Path, installed: Path) -> None:
    """ansible-doc renders each module, plugin and role; a filter's documentation is of a filter that is there."""
    plugins = PROJECT / "plugins"
    there = {
        "module": {path.stem for path in (plugins / "modules").glob("*.py")},
        "filter": {name for path in (plugins / "filter").glob("*.py") for name in filters(path)},
        "callback": {path.stem for path in (plugins / "callback").glob("*.py")},
        "role": {path.name for path in (PROJECT / "roles").iterdir()},
    }
    assert {path.stem for path in (plugins / "filter").glob("*.yml")} == there["filter"]
    assert {path.stem for path in (plugins / "action").glob("*.py")} <= there["module"]
    for kind, names in there.items():
        wanted = sorted(f"localcloud.stack.{name}" for name in names)
        listed = json.loads(
            elsewhere(installed, python / "ansible-doc", "-t", kind, "--list", "--json", "localcloud.stack")
        )
        assert sorted(listed) == wanted
        rendered = elsewhere(installed, python / "ansible-doc", "-t", kind, *wanted)
        for name in wanted:
            assert re.search(rf"^> {kind.upper()}\S* .*{re.escape(name)}\b", rendered, re.M), rendered
        # ansible-core 2.21 says so of a collection inside of itself, whatever is asked.
        warnings = [line for line in rendered.splitlines() if "WARNING" in line and "_protomatter" not in line]
        assert warnings == []
        assert "ERROR" not in rendered


def filters(path: Path) -> list[str]:
    """The filters of a file, by the names that Ansible knows them by."""
    (_returned,) = re.findall(r"def filters\(self\).*?return (?:[\w.]+\()?\s*\{(.*?)\}", path.read_text(), re.S)
    return re.findall(r'"(\w+)":', _returned)


def test_the_documentation_is_well_formed(checkout: Path, tmp_path: Path) -> None:
    """Markup, links and references of all that ansible-doc shows."""
    run([BIN / "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck", checkout], home=tmp_path)
