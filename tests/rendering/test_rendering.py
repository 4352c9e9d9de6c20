"""Real AWS, as far as it can be proved without an account: what would be applied has no emulator in it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.emulators import registry

PROJECT = Path(__file__).resolve().parents[2]
ACCOUNT = "123456789012"
PROVIDER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/crossplane"
APPS_ROLE = f"arn:aws:iam::{ACCOUNT}:role/apps"
AWS = {
    "localstack_service_engine": "aws",
    "localstack_service_account": ACCOUNT,
    "localstack_service_role_arn": PROVIDER_ROLE,
    "apps_role_arn": APPS_ROLE,
}
POD_IDENTITY = {
    **AWS,
    "localstack_service_credentials": "pod_identity",
    "localstack_service_role_arn": "",
    "apps_role_arn": "",
}


Render = Callable[[dict[str, Any]], dict[str, str]]


def run(out: Path, settings: dict[str, Any]) -> dict[str, str]:
    """What the stack would apply, as text by file, Helm's output for the applications among it."""
    done = subprocess.run(
        ["ansible-playbook", "tests/rendering/render.yml", "-e", json.dumps({**settings, "out": str(out)})],
        cwd=PROJECT,
        env={**os.environ, "LOCALCLOUD_DIR": str(out)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    helm = [
        os.environ["HELM"],
        "template",
        "justtrack-t1",
        "charts/pipeline",
        "--namespace",
        "devopstest",
        "-f",
        str(out / "values.yml"),
    ]
    applications = subprocess.run(helm, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    return {**{path.name: path.read_text() for path in out.iterdir()}, "applications": applications}


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """What the stack would apply with these settings, rendered once for all tests that ask for the same."""
    known: dict[str, dict[str, str]] = {}

    def once(settings: dict[str, Any]) -> dict[str, str]:
        key = json.dumps(settings, sort_keys=True)
        if key not in known:
            known[key] = run(tmp_path_factory.mktemp("rendered"), settings)
        return known[key]

    return once


@pytest.fixture(scope="module", params=["irsa", "pod_identity", "emulator"])
def rendered(request: pytest.FixtureRequest, render: Render) -> tuple[str, dict[str, str]]:
    settings = {"irsa": AWS, "pod_identity": POD_IDENTITY, "emulator": {}}[request.param]
    return request.param, render(settings)


def objects(text: str, kind: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(text) if one and one["kind"] == kind]


def contents(secret: dict[str, Any]) -> dict[str, str]:
    """What is in a Secret."""
    return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}


def test_endpoints_and_test_keys_are_there_for_an_emulator_only(rendered: tuple[str, dict[str, str]]) -> None:
    engine, files = rendered
    secrets = [
        str(contents(one)) for text in files.values() if "kind: Secret" in text for one in objects(text, "Secret")
    ]
    everything = "\n".join([*files.values(), *secrets])
    for sign in ("4566", "AWS_ACCESS_KEY_ID", "aws_access_key_id", "000000000000", "s3_use_path_style"):
        assert (sign in everything) is (engine == "emulator"), sign


def test_the_provider_has_its_role(rendered: tuple[str, dict[str, str]]) -> None:
    engine, files = rendered
    (config,) = objects(files["provider_config.yml"], "ProviderConfig")
    runtime = objects(files["providers.yml"], "DeploymentRuntimeConfig")[-1]
    template = runtime["spec"].get("serviceAccountTemplate", {}).get("metadata", {})
    expected = {
        "irsa": ("IRSA", {"eks.amazonaws.com/role-arn": PROVIDER_ROLE}),
        "pod_identity": ("PodIdentity", {}),
        "emulator": ("Secret", None),
    }[engine]
    assert (config["spec"]["credentials"]["source"], template.get("annotations")) == expected
    assert bool(objects(files["providers.yml"], "Secret")) is (engine == "emulator")
    assert bool(objects(files["providers.yml"], "NetworkPolicy")) is (engine == "emulator")


def test_the_providers_policy_selects_the_pods_of_each_provider(rendered: tuple[str, dict[str, str]]) -> None:
    """Crossplane gives a provider's pods the labels of the pod template only, not those of the Deployment."""
    _engine, files = rendered
    text = files["providers.yml"]
    runtimes = objects(text, "DeploymentRuntimeConfig")
    assert runtimes
    for policy in objects(text, "NetworkPolicy"):
        for runtime in runtimes:
            pods = runtime["spec"]["deploymentTemplate"]["spec"]["template"]["metadata"]["labels"]
            for one in policy["spec"]["podSelector"]["matchExpressions"]:
                assert pods[one["key"]] in one.get("values", pods.values()), runtime["metadata"]["name"]


def test_the_applications_have_their_role(rendered: tuple[str, dict[str, str]]) -> None:
    engine, files = rendered
    accounts = objects(files["applications"], "ServiceAccount")
    roles = {one["metadata"].get("annotations", {}).get("eks.amazonaws.com/role-arn") for one in accounts}
    assert len(accounts) == 3
    assert roles == ({APPS_ROLE} if engine == "irsa" else {None})
    for deployment in objects(files["applications"], "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert ("envFrom" in container) is (engine == "emulator")


def test_the_queues_policy_names_the_account(rendered: tuple[str, dict[str, str]]) -> None:
    engine, files = rendered
    (queue,) = [one for one in yaml.safe_load(files["resources.yml"]) if one["kind"] == "Queue"]
    account = "000000000000" if engine == "emulator" else ACCOUNT
    assert f":{account}:justtrack-dev-devops-producer-events" in queue["spec"]["forProvider"]["policy"]


def test_the_probe_takes_this_machines_own_credentials(rendered: tuple[str, dict[str, str]]) -> None:
    engine, files = rendered
    assert json.loads(files["probe.json"]) == (
        {"endpoint_url": "http://127.0.0.1:4566", "access_key": "test"}
        if engine == "emulator"
        else {"endpoint_url": "", "access_key": ""}
    )


def outside(endpoint: str) -> dict[str, Any]:
    return {"localstack_service_engine": "outside", "localstack_service_outside_endpoint": endpoint}


def test_an_emulator_at_an_address_has_an_endpoint_slice(render: Render) -> None:
    text = render(outside("http://192.168.65.254:14566"))["service.yml"]
    (service,), (endpoints,) = objects(text, "Service"), objects(text, "EndpointSlice")
    assert service["spec"] == {"type": "ClusterIP", "ports": [{"name": "edge", "port": 4566, "targetPort": 14566}]}
    assert endpoints["metadata"]["labels"]["kubernetes.io/service-name"] == service["metadata"]["name"]
    assert (endpoints["endpoints"][0]["addresses"], endpoints["ports"][0]["port"]) == (["192.168.65.254"], 14566)


def test_an_emulator_with_a_name_has_an_external_name(render: Render) -> None:
    text = render(outside("http://host.docker.internal:4566"))["service.yml"]
    (service,) = objects(text, "Service")
    assert service["spec"]["type"] == "ExternalName"
    assert service["spec"]["externalName"] == "host.docker.internal"
    assert objects(text, "EndpointSlice") == []


def ways_outside(policy: dict[str, Any]) -> set[tuple[str, int]]:
    """Where a policy lets pods go outside the cluster, by address and port; C(anywhere) is any address."""
    return {
        (peer["ipBlock"]["cidr"] if "ipBlock" in peer else "pods", int(port.get("port", 0)))
        for rule in policy["spec"]["egress"]
        for peer in rule.get("to", [{"ipBlock": {"cidr": "anywhere"}}])
        for port in rule.get("ports", [{}])
    } - {("pods", 0)}


@pytest.mark.parametrize("port", [443, 4566, 8443])
def test_policies_let_the_pods_to_an_emulator_outside_and_not_to_aws(render: Render, port: int) -> None:
    """They see the address behind the Service, whose own port stays 4566."""
    files = render(outside(f"http://192.168.65.254:{port}"))
    policies = [*objects(files["providers.yml"], "NetworkPolicy"), *objects(files["applications"], "NetworkPolicy")]
    assert len(policies) == 4
    for policy in policies:
        ways = ways_outside(policy) - {("anywhere", 53), ("10.0.0.1/32", 0)}
        assert ways == {("192.168.65.254/32", port)}, policy["metadata"]["name"]


def test_policies_know_an_emulator_with_a_name_by_its_port(render: Render) -> None:
    files = render(outside("http://host.docker.internal:4566"))
    for policy in [*objects(files["providers.yml"], "NetworkPolicy"), *objects(files["applications"], "NetworkPolicy")]:
        assert ("anywhere", 4566) in ways_outside(policy)


@pytest.mark.parametrize("ingress_class", ["traefik", "nginx"])
def test_names_and_source_ranges_by_class(render: Render, ingress_class: str) -> None:
    settings = {
        "stack_domain": "cloud.test",
        "stack_ingress_class": ingress_class,
        "stack_ingress_source_ranges": ["10.0.0.0/8"],
    }
    files = render(settings)
    (emulator,), (admin,) = objects(files["ingress.yml"], "Ingress"), objects(files["applications"], "Ingress")
    assert emulator["spec"]["rules"][0]["host"] == "localstack.cloud.test"
    assert admin["spec"]["rules"][0]["host"] == "dynamodb.cloud.test"
    assert {one["spec"]["ingressClassName"] for one in (emulator, admin)} == {ingress_class}
    annotations = emulator["metadata"]["annotations"]
    if ingress_class == "nginx":
        assert annotations == {"nginx.ingress.kubernetes.io/whitelist-source-range": "10.0.0.0/8"}
        assert objects(files["ingress.yml"], "Middleware") == []
    else:
        (middleware,) = objects(files["ingress.yml"], "Middleware")
        assert middleware["spec"] == {"ipAllowList": {"sourceRange": ["10.0.0.0/8"]}}
        name = f"devopstest-{middleware['metadata']['name']}@kubernetescrd"
        assert annotations == {"traefik.ingress.kubernetes.io/router.middlewares": name}


def test_no_ingress_unless_asked_for(render: Render) -> None:
    assert objects(render({})["applications"], "Ingress") == []


def test_a_token_is_in_a_secret_and_nowhere_else(render: Render) -> None:
    settings = {"localstack_service_version": "2026.3.0", "localstack_service_token": "ls-t0ken"}
    files = render(settings)
    text = files["emulator.yml"]
    (secret,), (emulator,) = objects(text, "Secret"), objects(text, "StatefulSet")
    assert contents(secret) == {"LOCALSTACK_AUTH_TOKEN": "ls-t0ken"}
    everything = "".join(files.values())
    assert "ls-t0ken" not in everything
    assert everything.count(secret["data"]["LOCALSTACK_AUTH_TOKEN"]) == 1
    (container,) = emulator["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "localstack/localstack:2026.3.0"
    assert container["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]


def test_the_default_image_is_pinned_by_its_digest(render: Render) -> None:
    (emulator,) = objects(render({})["emulator.yml"], "StatefulSet")
    (container,) = emulator["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("localstack/localstack:4.14.0@sha256:")


@pytest.mark.parametrize("engine", ["localstack", "ministack"])
def test_a_pod_is_made_of_what_its_engine_says(render: Render, engine: str) -> None:
    settings = {
        "localstack_service_engine": engine,
        "localstack_service_persistence": "node",
        "localstack_service_environment": {"DEBUG": "1"},
    }
    text = render(settings)["emulator.yml"]
    (emulator,) = objects(text, "StatefulSet")
    pod = emulator["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    stack = yaml.safe_load((PROJECT / "playbooks/roles/stack/defaults/main.yml").read_text())
    says = registry.container_facts(
        engine,
        {
            "version": "4.14.0",
            "region": stack["stack_region"],
            "services": stack["localstack_service_services"],
            "host": "localstack.devopstest.svc.cluster.local:4566",
            "persistence": "node",
            "image": "",
        },
    )
    assert container["image"] == says["image"]
    assert {one["name"]: one["value"] for one in container["env"]} == {**says["environment"], "DEBUG": "1"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is says["read_only"]
    assert container["ports"] == [{"name": "edge", "containerPort": says["port"]}]
    assert container["readinessProbe"]["httpGet"]["path"] == says["health"]
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    assert mounts == {
        **dict.fromkeys(says["scratch"], "scratch"),
        **({says["data"]: "data"} if says["persistent"] else {}),
    }
    assert bool(objects(text, "PersistentVolumeClaim")) is bool(objects(text, "PersistentVolume")) is says["persistent"]


@pytest.mark.parametrize(
    ("scope", "kind", "group"),
    [("cluster", "ProviderConfig", "aws.upbound.io"), ("namespaced", "ClusterProviderConfig", "aws.m.upbound.io")],
)
def test_the_kinds_of_one_scope_are_served_and_configured(render: Render, scope: str, kind: str, group: str) -> None:
    files = render({**AWS, "aws_resources_scope": scope})
    (policy,) = objects(files["providers.yml"], "ManagedResourceActivationPolicy")
    assert policy["spec"]["activate"] == [f"*.{group}"]
    configs = [one for one in yaml.safe_load_all(files["provider_config.yml"]) if one]
    assert [(one["kind"], one["apiVersion"]) for one in configs] == [(kind, f"{group}/v1beta1")]
    resources = yaml.safe_load(files["resources.yml"])
    assert {one["apiVersion"].partition(".")[2] for one in resources} == {f"{group}/v1beta1"}
    assert {one["metadata"].get("namespace") for one in resources} == {"devopstest" if scope == "namespaced" else None}
    assert {one["spec"]["providerConfigRef"].get("kind") for one in resources} == {
        kind if scope == "namespaced" else None
    }
