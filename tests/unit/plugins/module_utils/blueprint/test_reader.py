"""A blueprint is read as a whole, and all that is wrong with it is said at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.blueprint.reader import Reading, Surroundings, read
from ansible_collections.localcloud.stack.plugins.module_utils.blueprint.templates import TemplateError
from hypothesis import given
from hypothesis import strategies as st

FACTS = {"region": "eu-central-1", "account": "000000000000", "endpoint": "http://emulator:4566"}
TARGET = {"region": "eu-central-1"}
WHOLE = """
variables: {rate: 5}
aws:
  topics: [{name: orders}]
  queues: [{name: orders}]
  tables: [{name: orders, hash_key: {name: Id, type: S}}]
images: {web: {pull: "registry.example.org/web:1"}}
releases:
  - name: orders
    chart: chart
    values: {image: "{{ stack.images.web }}", rate: "{{ rate }}", secret: "{{ release.credentials }}"}
addresses: {orders: {service: orders}}
links: {Page: "{{ stack.urls.orders }}/page"}
proofs:
  - event: {topic: orders, table: orders}
"""


def render(text: str, scope: Mapping[str, Any]) -> Any:
    """As Ansible does, as far as these tests need it."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    inner = text.strip().removeprefix("{{").removesuffix("}}")
    try:
        if text.strip().startswith("{{") and text.strip().endswith("}}") and "{{" not in inner:
            found = environment.compile_expression(inner, undefined_to_none=False)(**scope)
            if isinstance(found, jinja2.Undefined):
                str(found)
            return found
        return environment.from_string(text).render(**scope)
    except jinja2.TemplateError as error:
        raise TemplateError(str(error)) from None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "orders/chart").mkdir(parents=True)
    (tmp_path / "orders/chart/Chart.yaml").write_text("name: orders\n")
    return tmp_path / "orders"


def reading(folder: Path, text: str | Mapping[str, Any], **around: Any) -> Reading:
    raw = yaml.safe_load(text) if isinstance(text, str) else text
    return read(folder, raw, Surroundings(**{"facts": FACTS, "target": TARGET, **around}), render)


def problems(folder: Path, text: str, **around: Any) -> list[str]:
    """What is wrong, without the file's path."""
    found = reading(folder, text, **around)
    assert not found.blueprint
    return [one.removeprefix(f"{folder}/blueprint.yml: ") for one in found.problems]


def test_a_whole_blueprint(folder: Path) -> None:
    found = reading(folder, WHOLE, images={"orders-web": "node/web:2"}, urls={"orders": "http://127.0.0.1:1"})
    assert found.problems == []
    blueprint = found.blueprint
    assert (blueprint["name"], blueprint["namespace"]) == ("orders", "orders")
    (release,) = blueprint["releases"]
    assert release["values"] == {"image": "node/web:2", "rate": 5, "secret": "orders-aws"}
    assert release["chart"] == str(folder / "chart")
    assert blueprint["links"] == {"Page": "http://127.0.0.1:1/page"}
    assert blueprint["proofs"][0]["way"] == "event"


def test_values_that_are_given_take_the_type_of_the_default(folder: Path) -> None:
    found = reading(folder, WHOLE, given={"rate": "7"})
    assert found.blueprint["releases"][0]["values"]["rate"] == 7
    assert found.blueprint["overrides"] == {"rate": 7}
    assert problems(folder, WHOLE, given={"rate": "fast"}) == ["variables.rate: 'fast' is not a whole number"]


def test_secrets_are_not_remembered(folder: Path) -> None:
    text = "variables: {orders_password: null, orders_size: 1}"
    assert problems(folder, text) == [
        "variables.orders_password: has no default, so that a value must be given: -e orders_password=…"
    ]
    found = reading(folder, text, given={"orders_password": "hidden", "orders_size": 2})
    assert found.blueprint["variables"]["orders_password"] == "hidden"
    assert found.blueprint["overrides"] == {"orders_size": 2}


def test_everything_that_is_wrong_is_said_at_once(folder: Path) -> None:
    found = problems(
        folder,
        """
        name: Wrong Name
        aws: {topix: [], queues: [{name: two words}]}
        relases: []
        images: {web: {build: {}, pull: a}}
        releases: [{name: UPPER, chart: chart, values: {a: "{{ nothing }}", b: "{{ stack.images.typo }}"}}]
        """,
    )
    for said in (
        "releases[0].values.a: 'nothing' is undefined",
        "releases[0].values.b: ",
        "name: 'Wrong Name' is not a blueprint's name",
        "relases: is unknown; did you mean 'releases'?",
        "releases[0].name: 'UPPER' is not a name of Kubernetes",
        "aws.topix: is unknown; did you mean 'topics'?",
        "aws.queues[0].name: 'two words' is refused by AWS",
        "images.web: built and pulled at the same time",
    ):
        assert [one for one in found if one.startswith(said)], (said, found)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"releases": [{"name": "a", "chart": "nowhere"}]}, "releases[0].chart: {folder}/nowhere is not a chart's folder: it has no Chart.yaml"),
        ({"releases": [{"name": "a", "chart": "chart"}] * 2}, "releases[1].name: 'a' is declared twice, by releases[0], too"),
        ({"proofs": [{"event": {"topic": "order", "table": "orders"}}]}, "proofs[0].event.topic: 'order' is not declared in aws.topics; did you mean"),
        ({"proofs": [{}]}, "proofs[0]: must have one of event, http, tasks, but has none"),
        ({"proofs": [{"tasks": "proof.yml"}]}, "proofs[0].tasks: there is no file {folder}/proof.yml"),
        ({"proofs": [{"event": {"table": "orders"}}]}, "proofs[0].event: topic is missing, and queue as well"),
        ({"proofs": [{"http": {"steps": [{"name": "a"}]}}]}, "proofs[0].http.steps[0]"),
        ({"checks": [{"that": False, "message": "Not so."}]}, "checks[0]: Not so."),
        ({"addresses": {"a": {"service": "a", "node_port": 80}}}, "addresses.a.node_port: 80 is not a node port"),
        ({"addresses": {name: {"service": "a", "node_port": 30000} for name in "ab"}}, "addresses.b.node_port: 30000 is that of a, too"),
        ({"additions": ["monitorin"]}, "additions[0]: 'monitorin' is none of"),
    ],
)  # fmt: skip
def test_what_contradicts_the_rest(folder: Path, changed: dict[str, Any], says: str) -> None:
    raw = {**yaml.safe_load(WHOLE), "links": {}, **changed}
    found = reading(folder, raw)
    said = f"{folder}/blueprint.yml: {says.format(folder=folder)}"
    assert [one for one in found.problems if one.startswith(said)], found.problems


def test_entries_that_do_not_count(folder: Path) -> None:
    text = """
    aws: {topics: [{name: a, when: "{{ 1 == 2 }}"}, {name: b, when: "{{ 1 == 1 }}"}]}
    releases: [{name: a, chart: chart, when: false}]
    images: {a: {pull: "a:1", when: false}}
    """
    blueprint = reading(folder, text).blueprint
    assert blueprint["aws"] == {"topics": [{"name": "b"}]}
    assert (blueprint["releases"], blueprint["images"]) == ([], {})
    # What is right only while it is left out is a mistake that waits for its day.
    assert problems(folder, "aws: {topics: [{name: two words, when: false}]}")


def test_addresses_are_not_known_where_they_would_change_what_is_installed(folder: Path) -> None:
    found = problems(folder, 'addresses: {a: {service: a}}\naws: {topics: [{name: "{{ stack.urls.a }}"}]}')
    assert "aws.topics[0].name" in found[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["aws", "releases", "images", "addresses", "proofs", "variables", "checks", "composites", "name", "x"]
)


@given(
    st.dictionaries(KEYS, JSON | st.lists(st.dictionaries(st.sampled_from(["name", "chart", "event", "when"]), JSON)))
    | JSON
)
def test_whatever_a_file_holds_is_read_or_refused(raw: Any) -> None:
    found = read(Path("/nowhere"), raw, Surroundings(facts=FACTS, target=TARGET), render)
    assert bool(found.blueprint) is not bool(found.problems)


@pytest.mark.parametrize("path", sorted(Path(__file__).resolve().parents[5].glob("blueprints/*/blueprint.yml")))
def test_the_collections_own_have_a_schema_line(path: Path) -> None:
    assert path.read_text().startswith("# yaml-language-server: $schema=../../docs/blueprint.schema.json\n")


def test_where_aws_resources_are_made_is_the_stacks_unless_it_is_said(folder: Path) -> None:
    assert reading(folder, WHOLE).blueprint["place"] == {"region": "eu-central-1"}
    text = """
    variables: {environment: dev}
    place: {region: eu-west-1, provider_config: "{{ environment }}", prefix: "{{ environment }}-", tags: {environment: "{{ environment }}"}}
    aws:
      policies:
        - name: a
          policy: {Statement: [{Effect: Allow, Action: "s3:*", Resource: "arn:aws:sqs:{{ stack.region }}:1:{{ stack.tags.environment }}"}]}
    """
    facts = {**FACTS, "tags": {"environment": "test", "project": "x"}}
    found = reading(folder, text, facts=facts, target={**TARGET, "tags": facts["tags"]})
    assert found.problems == []
    assert found.blueprint["place"] == {
        "region": "eu-west-1", "provider_config": "dev", "prefix": "dev-", "tags": {"environment": "dev", "project": "x"},
    }  # fmt: skip
    (statement,) = found.blueprint["aws"]["policies"][0]["policy"]["Statement"]
    assert statement["Resource"] == "arn:aws:sqs:eu-west-1:1:dev"


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("{region: Ireland}", "place.region: 'Ireland' is not a region of AWS, such as eu-west-1"),
        ("{provider_config: UPPER}", "place.provider_config: 'UPPER' is not a name of Kubernetes"),
        ("{prefix: _x}", "aws_resources_prefix: '_x' can't begin the name of a Kubernetes object"),
        ("{regoin: eu-west-1}", "place.regoin: is unknown; did you mean 'region'?"),
        ("eu-west-1", "place: must be a map"),
    ],
)
def test_places_that_are_none(folder: Path, place: str, says: str) -> None:
    found = problems(folder, f"place: {place}")
    assert [one for one in found if one.startswith(says)], found


def test_names_of_entries_may_be_templates(folder: Path) -> None:
    text = """
    variables: {environment: dev}
    addresses: {"orders_{{ environment }}": {service: orders}}
    links: {"Page of {{ environment }}": "{{ stack.urls['orders_' ~ environment] }}/page"}
    """
    blueprint = reading(folder, text, urls={"orders_dev": "http://127.0.0.1:1"}).blueprint
    assert list(blueprint["addresses"]) == ["orders_dev"]
    assert blueprint["links"] == {"Page of dev": "http://127.0.0.1:1/page"}
    assert reading(folder, text).blueprint["links"] == {"Page of dev": "http://orders_dev.invalid/page"}
    (found,) = problems(folder, 'links: {"{{ nothing }}": a}')
    assert "'nothing' is undefined" in found


def test_its_folder_is_known(folder: Path) -> None:
    text = 'variables: {file: "{{ stack.folder }}/a"}\nlinks: {"{{ file }}": "{{ stack.folder }}"}'
    assert reading(folder, text).blueprint["links"] == {f"{folder}/a": str(folder)}


def test_an_entry_that_is_left_out_may_refer_to_one_that_is_not(folder: Path) -> None:
    text = """
    aws:
      policies: [{name: a, policy: {Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}]
      users:
        - {name: u, policies: [a], when: false}
        - {name: v, policies: [b], when: false}
    """
    assert problems(folder, text) == ["aws.users[1].policies[0]: 'b' is neither in aws.policies nor an ARN"]
