"""What Helm makes of the chart users-api. Takes the helm of $HELM, or the one in $PATH."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CHARTS = Path(__file__).parents[1]
EMULATOR = "http://localstack.devopstest.svc.cluster.local:4566"
LOCAL = ("global.aws.endpoint=" + EMULATOR, "global.aws.existingSecret=aws")
# As the seed's README has it for a cluster of its own.
SEED = (
    "serviceAccount.enabled=False",
    "env.AWS_REGION=eu-north-1",
    "env.AWS_ACCESS_KEY_ID=test",
    "env.AWS_SECRET_ACCESS_KEY=test",
    "env.AWS_ENDPOINT_URL=http://192.168.1.10:4566",
    "env.DYNAMODB_TABLE=users",
    "env.S3_BUCKET=avatars",
)


def template(*pairs: str) -> subprocess.CompletedProcess[str]:
    settings = [argument for pair in pairs for argument in ("--set", pair)]
    command = [os.environ.get("HELM", "helm"), "template", "t1", "users-api", "--namespace", "users", *settings]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHARTS)


@cache
def render(*pairs: str) -> dict[str, Any]:
    """Give the rendered objects by kind, as there is one of each."""
    done = template(*pairs)
    assert done.returncode == 0, done.stderr
    documents = [document for document in yaml.safe_load_all(done.stdout) if document]
    made = {document["kind"]: document for document in documents}
    assert len(made) == len(documents)
    return made


def pod(*pairs: str) -> Any:
    return render(*pairs)["Deployment"]["spec"]["template"]["spec"]


def container(*pairs: str) -> Any:
    [only] = pod(*pairs)["containers"]
    return only


def environment(*pairs: str) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(*pairs)["env"]}


def egress(*pairs: str) -> list[Any]:
    return list(render(*pairs)["NetworkPolicy"]["spec"]["egress"])


def test_objects_of_the_release() -> None:
    always = {
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    }
    assert set(render()) == always
    optional = (
        "ingress.enabled=true",
        "ingress.host=a.test",
        "httpRoute.enabled=true",
        "httpRoute.parentRefs[0].name=g",
    )
    assert set(render(*optional, "serviceMonitor.enabled=true")) == always | {"Ingress", "HTTPRoute", "ServiceMonitor"}
    for made in render(*LOCAL).values():
        assert made["metadata"]["name"] == "t1-users-api"
        assert made["metadata"]["namespace"] == "users"
        assert made["metadata"]["labels"]["app.kubernetes.io/part-of"] == "users-api"


def test_an_update_takes_no_pod_away_before_another_is_ready() -> None:
    assert render()["Deployment"]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert render()["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_either_the_autoscaler_or_the_deployment_says_how_many() -> None:
    scaled = render()
    assert "replicas" not in scaled["Deployment"]["spec"]
    scaler = scaled["HorizontalPodAutoscaler"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 10)
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "t1-users-api"}
    [metric] = scaler["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    assert scaler["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 300}}
    fixed = render("autoscaling.enabled=false")
    assert fixed["Deployment"]["spec"]["replicas"] == 3
    assert "HorizontalPodAutoscaler" not in fixed


@pytest.mark.parametrize(
    "pairs", [("autoscaling.minReplicas=1",), ("autoscaling.enabled=false", "replicas=1")], ids=["scaled", "fixed"]
)
def test_a_single_pod_has_no_disruption_budget(pairs: tuple[str, ...]) -> None:
    assert "PodDisruptionBudget" not in render(*pairs)


def test_the_pods_are_restricted_and_write_to_a_limited_folder_only() -> None:
    assert pod()["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod()["automountServiceAccountToken"] is False
    assert container()["volumeMounts"] == [{"name": "spool", "mountPath": "/tmp"}]
    assert pod()["volumes"] == [{"name": "spool", "emptyDir": {"sizeLimit": "64Mi"}}]
    memory = ("spool.medium=Memory", "spool.sizeLimit=32Mi")
    assert pod(*memory)["volumes"][0]["emptyDir"] == {"medium": "Memory", "sizeLimit": "32Mi"}


def test_probes_and_resources() -> None:
    made = container()
    assert made["startupProbe"]["httpGet"]["path"] == made["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert made["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert made["resources"]["requests"]["cpu"] == "100m"
    assert set(made["resources"]["limits"]) == {"memory", "ephemeral-storage"}


def test_pods_are_spread_over_nodes_and_zones() -> None:
    constraints = pod()["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in constraints] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    for one in constraints:
        assert one["labelSelector"] == render()["Deployment"]["spec"]["selector"]
        assert one["whenUnsatisfiable"] == "ScheduleAnyway"
    assert "topologySpreadConstraints" not in pod("spreadOver=null")


@pytest.mark.parametrize(
    ("pairs", "delay", "grace"),
    [
        ((), "5", 25),
        (("shutdown.delaySeconds=12", "shutdown.drainSeconds=30"), "12", 42),
        (("env.SHUTDOWN_DELAY_SECONDS=7",), "7", 27),
    ],
)
def test_a_pod_has_the_time_that_it_takes_to_end(pairs: tuple[str, ...], delay: str, grace: int) -> None:
    assert environment(*pairs)["SHUTDOWN_DELAY_SECONDS"] == delay
    assert pod(*pairs)["terminationGracePeriodSeconds"] == grace


def test_environment_against_an_emulator() -> None:
    assert environment(*LOCAL) == {
        "AWS_ENDPOINT_URL": EMULATOR,
        "AWS_REGION": "eu-central-1",
        "DYNAMODB_TABLE": "my-app-table",
        "S3_BUCKET": "my-app-bucket",
        "MAX_AVATAR_BYTES": "2097152",
        "LOG_LEVEL": "INFO",
        "PORT": "8080",
        "SHUTDOWN_DELAY_SECONDS": "5",
    }
    assert container(*LOCAL)["envFrom"] == [{"secretRef": {"name": "aws"}}]
    assert environment("publicUrl=https://users.example.com")["PUBLIC_URL"] == "https://users.example.com"


def test_aws_itself_has_no_endpoint_and_no_key() -> None:
    assert "AWS_ENDPOINT_URL" not in environment()
    assert "envFrom" not in container()
    assert "4566" not in str(render())
    assert "ACCESS_KEY" not in str(render())


def test_the_seeds_command_line_works_and_its_keys_go_into_a_secret() -> None:
    made = render(*SEED)
    assert {
        name: value
        for name, value in environment(*SEED).items()
        if name[0] in "ADS" and name != "SHUTDOWN_DELAY_SECONDS"
    } == {
        "AWS_REGION": "eu-north-1",
        "AWS_ENDPOINT_URL": "http://192.168.1.10:4566",
        "DYNAMODB_TABLE": "users",
        "S3_BUCKET": "avatars",
    }
    assert made["Secret"]["stringData"] == {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    assert container(*SEED)["envFrom"] == [{"secretRef": {"name": made["Secret"]["metadata"]["name"]}}]
    assert "ServiceAccount" not in made
    assert pod(*SEED)["serviceAccountName"] == "default"
    assert egress(*SEED)[-1] == {"ports": [{"port": 4566, "protocol": "TCP"}]}


def test_other_keys_restart_the_pods() -> None:
    def annotations(*pairs: str) -> Any:
        return render(*pairs)["Deployment"]["spec"]["template"]["metadata"].get("annotations")

    assert annotations() is None
    assert annotations(*SEED) != annotations(*SEED, "env.AWS_SECRET_ACCESS_KEY=other")


def test_a_large_number_stays_as_it_is_written() -> None:
    assert environment("env.MAX_AVATAR_BYTES=70000000")["MAX_AVATAR_BYTES"] == "70000000"


def test_another_port_is_the_same_everywhere() -> None:
    made = render("env.PORT=5000")
    assert environment("env.PORT=5000")["PORT"] == "5000"
    assert container("env.PORT=5000")["ports"] == [{"name": "http", "containerPort": 5000}]
    assert made["NetworkPolicy"]["spec"]["ingress"] == [{"ports": [{"port": 5000, "protocol": "TCP"}]}]
    assert made["Service"]["spec"]["ports"][0]["targetPort"] == "http"


@pytest.mark.parametrize(
    ("pairs", "port"),
    [
        (("global.aws.endpoint=" + EMULATOR,), 4566),
        (("env.AWS_ENDPOINT_URL=https://emulator.example.com",), 443),
        (("env.AWS_ENDPOINT_URL=http://emulator",), 80),
    ],
)
def test_the_way_out_is_dns_and_the_endpoint(pairs: tuple[str, ...], port: int) -> None:
    dns, way = egress(*pairs)
    assert {(one["port"], one["protocol"]) for one in dns["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert way == {"ports": [{"port": port, "protocol": "TCP"}]}


def test_the_way_out_is_what_is_behind_the_endpoint_alone() -> None:
    behind = ("global.aws.endpointAddresses[0].address=fd00::5", "global.aws.endpointAddresses[0].port=443")
    _dns, way = egress("global.aws.endpoint=" + EMULATOR, *behind)
    assert way == {"to": [{"ipBlock": {"cidr": "fd00::5/128"}}], "ports": [{"port": 443, "protocol": "TCP"}]}
    # An endpoint of its own is another one.
    _dns, way = egress("global.aws.endpoint=" + EMULATOR, "env.AWS_ENDPOINT_URL=http://emulator:8000", *behind)
    assert way == {"ports": [{"port": 8000, "protocol": "TCP"}]}


def test_the_way_to_aws_is_https_and_the_agent_of_pod_identity() -> None:
    _, https, agent = egress()
    assert https == {"ports": [{"port": 443, "protocol": "TCP"}]}
    assert agent["ports"] == [{"port": 80, "protocol": "TCP"}]
    assert [peer["ipBlock"]["cidr"] for peer in agent["to"]] == ["169.254.170.23/32", "fd00:ec2::23/128"]


def test_who_may_ask_can_be_limited() -> None:
    (rule,) = render("networkPolicy.from[0].podSelector.matchLabels.app=web")["NetworkPolicy"]["spec"]["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": {"app": "web"}}}]
    assert rule["ports"] == [{"port": 8080, "protocol": "TCP"}]


@pytest.mark.parametrize(
    ("pairs", "service"),
    [
        ((), ("ClusterIP", None)),
        (("service.type=NodePort",), ("NodePort", 30080)),
        (("service.type=NodePort", "service.nodePort=null"), ("NodePort", None)),
        (("service.type=NodePort", "service.nodePort=31000"), ("NodePort", 31000)),
    ],
)
def test_service(pairs: tuple[str, ...], service: tuple[str, int | None]) -> None:
    made = render(*pairs)["Service"]["spec"]
    [port] = made["ports"]
    assert (made["type"], port.get("nodePort")) == service
    assert (port["port"], port["targetPort"]) == (80, "http")


def test_role_of_aws() -> None:
    role = r"serviceAccount.annotations.eks\.amazonaws\.com/role-arn=arn:aws:iam::1:role/r"
    assert render(role)["ServiceAccount"]["metadata"]["annotations"] == {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/r"
    }
    assert pod(role)["serviceAccountName"] == "t1-users-api"


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        ("replicas=-1", "replicas"),
        ("image=", "image"),
        ("autoscaling.minReplicas=0", "minReplicas"),
        ("autoscaling.minReplicas=11", "autoscaling.minReplicas (11) is more than autoscaling.maxReplicas (10)"),
        ("resources.requests.cpu=null", "autoscaling.enabled needs resources.requests.cpu"),
        ("autoscaling.max=5", "max"),
        ("service.nodePort=99999", "nodePort"),
        ("env.PORT=80", "PORT"),
        ("env.1X=a", "1X"),
        ("env.AWS_ENDPOINT_URL=localstack:4566", "AWS_ENDPOINT_URL"),
        ("logLevel=verbose", "logLevel"),
        ("maxAvatarBytes=0", "maxAvatarBytes"),
        ("shutdown.delaySeconds=301", "delaySeconds"),
        ("publicUrl=users.example.com", "publicUrl"),
        ("spool.sizeLimit=much", "sizeLimit"),
        ("spool.medium=Disk", "medium"),
        ("global.aws.bucket=Capitals", "bucket"),
        ("global.aws.topic=t", "topic"),
        ("ingress.enabled=true", "ingress.host is needed"),
        ("httpRoute.enabled=true", "httpRoute.parentRefs are needed"),
        ("serviceAccount.enabled=maybe", "enabled"),
    ],
)
def test_bad_values_fail_with_their_name(pair: str, told: str) -> None:
    done = template(pair)
    assert done.returncode != 0
    assert told in done.stderr
