"""What Helm makes of the charts. Takes the helm of $HELM, or the one in $PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CHARTS = Path(__file__).parents[1]
APPS = ("producer", "consumer", "dynamodb-admin")
EMULATOR = "http://localstack.devopstest.svc.cluster.local:4566"
LOCAL = ("global.aws.endpoint=" + EMULATOR, "global.aws.existingSecret=aws")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [os.environ.get("HELM", "helm"), *arguments], capture_output=True, text=True, check=False, cwd=CHARTS
    )


def settings(pairs: tuple[str, ...]) -> list[str]:
    # A number with a fraction is a text for --set.
    return [argument for pair in pairs for argument in ("--set-json" if ".5" in pair else "--set", pair)]


@cache
def render(chart: str, *pairs: str) -> dict[tuple[str, str], Any]:
    """Give the rendered objects by kind and name."""
    done = helm("template", "justtrack-t1", chart, "--namespace", "devopstest", *settings(pairs))
    assert done.returncode == 0, done.stderr
    documents = [document for document in yaml.safe_load_all(done.stdout) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def deployment(app: str, *pairs: str, chart: str = "pipeline") -> Any:
    return render(chart, *pairs)[("Deployment", f"justtrack-t1-{app}")]


def container(app: str, *pairs: str) -> Any:
    [only] = deployment(app, *pairs)["spec"]["template"]["spec"]["containers"]
    return only


def environment(app: str, *pairs: str) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(app, *pairs)["env"]}


def egress(*pairs: str) -> list[Any]:
    policy = render("pipeline", *pairs)[("NetworkPolicy", "justtrack-t1-consumer")]
    return list(policy["spec"]["egress"])


@pytest.mark.parametrize("chart", [*APPS, "common", "pipeline", "users-api"])
def test_lint(chart: str) -> None:
    done = helm("lint", "--strict", chart)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("app", APPS)
def test_a_chart_alone_makes_the_same_as_within_the_pipeline(app: str) -> None:
    alone = render(app, *LOCAL)
    assert alone
    assert alone.items() <= render("pipeline", *LOCAL).items()


def test_objects_of_the_release() -> None:
    kinds = {(kind, name.removeprefix("justtrack-t1-")) for kind, name in render("pipeline")}
    each = {(kind, app) for app in APPS for kind in ("Deployment", "NetworkPolicy", "ServiceAccount")}
    assert kinds == each | {("Service", "dynamodb-admin"), ("ConfigMap", "dynamodb-admin")}


@pytest.mark.parametrize("app", APPS)
def test_labels(app: str) -> None:
    made = deployment(app)
    selector = {"app.kubernetes.io/name": app, "app.kubernetes.io/instance": "justtrack-t1"}
    assert made["spec"]["selector"]["matchLabels"] == selector
    assert made["spec"]["template"]["metadata"]["labels"] == {**selector, "app.kubernetes.io/part-of": "pipeline"}
    assert made["metadata"]["namespace"] == "devopstest"


@pytest.mark.parametrize("app", APPS)
def test_pods_are_restricted(app: str) -> None:
    pod = deployment(app)["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container(app)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container(app)["resources"]["requests"] == {"cpu": "25m", "memory": "64Mi"}


def test_security_can_be_loosened_for_an_image() -> None:
    loose = ("consumer.security.runAsNonRoot=false", "consumer.security.readOnlyRootFilesystem=false")
    context = deployment("consumer", *loose)["spec"]["template"]["spec"]["securityContext"]
    assert context["runAsNonRoot"] is False
    assert "runAsUser" not in context
    assert container("consumer", *loose)["securityContext"]["readOnlyRootFilesystem"] is False
    assert container("producer", *loose)["securityContext"]["readOnlyRootFilesystem"] is True


def test_environment_against_an_emulator() -> None:
    aws = {"CLOUD_AWS_DEFAULTS_ENDPOINT": EMULATOR, "AWS_REGION": "eu-central-1"}
    topic, name = "justtrack-dev-devops-producer-events", "justtrack-dev-devops-consumer-events"
    rate = ("producer.rate=0.5", "producer.count=2000000")
    assert environment("producer", *LOCAL, *rate) == {
        **aws,
        "TOPIC_NAME": topic,
        "PRODUCER_RATE": "0.5",
        "PRODUCER_COUNT": "2000000",
    }
    assert environment("consumer", *LOCAL) == {**aws, "QUEUE_NAME": name, "TABLE_NAME": name}
    assert environment("dynamodb-admin", *LOCAL) == {
        "DYNAMO_ENDPOINT": EMULATOR,
        "AWS_REGION": "eu-central-1",
        "NODE_OPTIONS": "--require /guard/guard.js",
        "DYNAMODB_ADMIN_WRITABLE": "false",
    }
    for app in APPS:
        assert container(app, *LOCAL)["envFrom"] == [{"secretRef": {"name": "aws"}}]
        assert "args" not in container(app, *LOCAL)


def test_environment_against_aws_names_no_key_and_no_emulator() -> None:
    assert environment("producer")["CLOUD_AWS_DEFAULTS_ENDPOINT"] == ""
    assert environment("consumer")["CLOUD_AWS_DEFAULTS_ENDPOINT"] == ""
    assert environment("dynamodb-admin")["DYNAMO_ENDPOINT"] == "https://dynamodb.eu-central-1.amazonaws.com"
    assert container("dynamodb-admin")["args"][-1] == "--skip-default-credentials"
    for app in APPS:
        assert "envFrom" not in container(app)
    text = str(render("pipeline"))
    assert "ACCESS_KEY" not in text
    assert "4566" not in text


def test_extra_environment() -> None:
    extra = ("consumer.extraEnv[0].name=LOG_LEVEL", "consumer.extraEnv[0].value=DEBUG")
    assert environment("consumer", *extra)["LOG_LEVEL"] == "DEBUG"


def test_role_of_aws() -> None:
    role = r"consumer.serviceAccount.annotations.eks\.amazonaws\.com/role-arn=arn:aws:iam::1:role/r"
    account = render("pipeline", role)[("ServiceAccount", "justtrack-t1-consumer")]
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/r"}


def test_the_page_loads_its_guard_whatever_the_image() -> None:
    pod = deployment("dynamodb-admin")["spec"]["template"]["spec"]
    (volume,), (mount,) = pod["volumes"], pod["containers"][0]["volumeMounts"]
    content = render("pipeline")[("ConfigMap", volume["configMap"]["name"])]["data"]
    source = CHARTS / "dynamodb-admin/files/guard.js"
    assert content == {"guard.js": source.read_text()}
    assert environment("dynamodb-admin")["NODE_OPTIONS"] == f"--require {mount['mountPath']}/guard.js"
    assert environment("dynamodb-admin", "dynamodb-admin.writable=true")["DYNAMODB_ADMIN_WRITABLE"] == "true"


@pytest.mark.parametrize("app", ["producer", "consumer"])
def test_probes_are_for_images_that_have_them(app: str) -> None:
    assert not {"startupProbe", "readinessProbe", "livenessProbe"} & container(app).keys()
    probed = container(app, f"{app}.probes.enabled=true")
    assert probed["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert probed["startupProbe"]["periodSeconds"] == 1
    assert probed["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert probed["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert probed["ports"] == [{"name": "http", "containerPort": 8080}]


def test_the_page_is_ready_by_its_content_and_live_by_its_port() -> None:
    probed = container("dynamodb-admin")
    assert probed["readinessProbe"]["httpGet"] == {"path": "/", "port": "http"}
    assert probed["livenessProbe"]["tcpSocket"] == probed["startupProbe"]["tcpSocket"] == {"port": "http"}


def test_disruption_budget_only_for_several_pods() -> None:
    budget = render("pipeline", "consumer.replicas=2")[("PodDisruptionBudget", "justtrack-t1-consumer")]
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"] == deployment("consumer")["spec"]["selector"]


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("", 443), (EMULATOR, 4566), ("http://localstack", 80), ("http://10.1.2.3:8080", 8080), ("http://[::1]", 80)],
)
def test_egress_goes_to_dns_neighbours_and_the_endpoint(endpoint: str, port: int) -> None:
    dns, neighbours, way = egress(f"global.aws.endpoint={endpoint}")
    assert {(one["port"], one["protocol"]) for one in dns["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert neighbours == {"to": [{"podSelector": {}}], "ports": [{"protocol": "TCP"}]}
    assert way == {"ports": [{"port": port, "protocol": "TCP"}]}


def test_egress_goes_to_what_is_behind_the_endpoint_alone() -> None:
    behind = ("global.aws.endpointAddresses[0].address=192.168.65.254", "global.aws.endpointAddresses[0].port=8443")
    *_others, way = egress("global.aws.endpoint=http://localstack:4566", *behind)
    cidr = {"ipBlock": {"cidr": "192.168.65.254/32"}}
    assert way == {"to": [cidr], "ports": [{"port": 8443, "protocol": "TCP"}]}


@pytest.mark.parametrize(("app", "port"), [("producer", 8080), ("consumer", 8080), ("dynamodb-admin", 8001)])
def test_ingress_goes_to_the_own_port_only(app: str, port: int) -> None:
    policy = render("pipeline")[("NetworkPolicy", f"justtrack-t1-{app}")]["spec"]
    assert policy["ingress"] == [{"ports": [{"port": port, "protocol": "TCP"}]}]
    assert policy["podSelector"] == deployment(app)["spec"]["selector"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]


def test_network_policy_can_be_replaced_or_left_out() -> None:
    rule = "consumer.networkPolicy.egress[0].to[0].ipBlock.cidr=10.0.0.0/8"
    assert egress(rule) == [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]
    assert ("NetworkPolicy", "justtrack-t1-consumer") not in render("pipeline", "consumer.networkPolicy.enabled=false")


@pytest.mark.parametrize(
    ("pairs", "service"),
    [
        ((), ("ClusterIP", None)),
        (("dynamodb-admin.service.type=NodePort",), ("NodePort", None)),
        (("dynamodb-admin.service.type=NodePort", "dynamodb-admin.service.nodePort=30801"), ("NodePort", 30801)),
        (("dynamodb-admin.service.nodePort=30801",), ("ClusterIP", None)),
    ],
)
def test_service(pairs: tuple[str, ...], service: tuple[str, int | None]) -> None:
    made = render("pipeline", *pairs)[("Service", "justtrack-t1-dynamodb-admin")]["spec"]
    [port] = made["ports"]
    assert (made["type"], port.get("nodePort")) == service
    assert (port["port"], port["targetPort"]) == (8001, "http")


def test_names_can_be_overridden_and_parts_left_out() -> None:
    made = render("pipeline", "producer.fullnameOverride=teller", "dynamodb-admin.enabled=false")
    assert ("Deployment", "teller") in made
    assert not [name for _, name in made if "dynamodb-admin" in name]


@pytest.mark.parametrize(
    ("pair", "field"),
    [
        ("producer.rate=-1", "rate"),
        ("producer.rate=0", "rate"),
        ("producer.count=-1", "count"),
        ("producer.count=1.5", "count"),
        ("producer.image=", "image"),
        ("consumer.image=", "image"),
        ("dynamodb-admin.image=", "image"),
        ("consumer.replicas=-1", "replicas"),
        ("consumer.replica=2", "replica"),
        ("consumer.imagePullPolicy=Sometimes", "imagePullPolicy"),
        ("dynamodb-admin.service.type=Ingress", "type"),
        ("global.aws.endpoint=https://localstack:4566", "endpoint"),
        ("global.aws.endpoint=http://localstack:4566/", "endpoint"),
        ("global.aws.endpoint=http://localstack:4566/path", "endpoint"),
        ("global.aws.endpoint=http://localstack:99999", "endpoint"),
        ("global.aws.endpoint=localstack:4566", "endpoint"),
        ("global.aws.endpont=http://localstack", "endpont"),
        ("global.aws.region=", "region"),
        ("global.aws.topic=a topic", "topic"),
        ("global.aws.table=x", "table"),
        ("produzer.rate=1", "produzer"),
    ],
)
def test_bad_values_fail_with_their_name(pair: str, field: str) -> None:
    done = helm("template", "justtrack-t1", "pipeline", "--set", pair)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr
    assert field in done.stderr


@pytest.fixture
def notes(tmp_path: Path) -> Callable[..., str]:
    """Render NOTES.txt, which `helm template` leaves out, as the text of a ConfigMap in a copy of the chart."""
    copy = tmp_path / "pipeline"
    shutil.copytree(CHARTS / "pipeline", copy)
    (copy / "templates" / "NOTES.txt").rename(copy / "notes.txt")
    template = {"kind": "ConfigMap", "metadata": {"name": "notes"}, "data": {"text": "TEXT"}}
    text = yaml.safe_dump(template).replace("TEXT", '{{ tpl (.Files.Get "notes.txt") . | quote }}')
    (copy / "templates" / "notes.yaml").write_text(text)
    return lambda *pairs: str(render(str(copy), *pairs)[("ConfigMap", "notes")]["data"]["text"])


def test_notes_tell_the_next_commands(notes: Callable[..., str]) -> None:
    told = notes(*LOCAL)
    assert f"in namespace devopstest, against {EMULATOR}." in told
    assert "kubectl -n devopstest get pods -l app.kubernetes.io/instance=justtrack-t1" in told
    assert "port-forward service/justtrack-t1-dynamodb-admin 8001:8001" in told
    assert f"aws --endpoint-url {EMULATOR} --region eu-central-1 dynamodb scan" in told


def test_notes_tell_only_what_is_there(notes: Callable[..., str]) -> None:
    told = notes("dynamodb-admin.enabled=false")
    assert "against AWS (eu-central-1)." in told
    assert "port-forward" not in told
    assert "--endpoint-url" not in told


def named(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every name of an object, and every label, with where it is."""
    if isinstance(value, list):
        for place, one in enumerate(value):
            yield from named(one, f"{path}[{place}]")
    elif isinstance(value, dict):
        for key, one in value.items():
            if not isinstance(one, dict | list) and (key.lower().endswith(("name", "namespace")) or "abels" in path):
                yield f"{path}.{key}", one
            yield from named(one, f"{path}.{key}")


@pytest.mark.parametrize("name", ["0123", "on", "1e3", "no", "null", "2026-01-01", "0x1f", "1-2"])
def test_names_that_yaml_takes_for_something_else_stay_names(name: str) -> None:
    texts = {
        "fullnameOverride": name,
        "global.aws.existingSecret": name,
        "ingress.className": name,
        "ingress.host": name,
        "extraEnv[0].name": name,
        "extraEnv[0].value": name,
        "serviceAccount.annotations.a": name,
    }
    for chart in ("dynamodb-admin", "users-api"):
        pairs = [argument for pair in texts.items() for argument in ("--set-string", "=".join(pair))]
        on = ["--set", "ingress.enabled=true", "--set", "replicas=2"]
        done = helm("template", name, chart, "--namespace", name, *pairs, *on)
        assert done.returncode == 0, done.stderr
        documents = [document for document in yaml.safe_load_all(done.stdout) if document]
        found = [one for document in documents for one in named(document, document["kind"])]
        assert len(found) > 30 and not [one for one in found if not isinstance(one[1], str)]
        assert {document["metadata"]["name"] for document in documents} <= {name, f"{name}-aws"}
