"""A Crossplane that several use: what others have of it is the same, whatever our role does for an owner of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

OWNER = "localcloud-test-b"
CONFIG = "localcloud-test-b"
SPACE = "crossplane-system"
ENDPOINT = "http://emulator.localcloud-test-b.svc.cluster.local:4566"
OF_CROSSPLANE = (
    "providers.pkg.crossplane.io,functions.pkg.crossplane.io,deploymentruntimeconfigs.pkg.crossplane.io,"
    "managedresourceactivationpolicies.apiextensions.crossplane.io,compositeresourcedefinitions.apiextensions.crossplane.io,"
    "compositions.apiextensions.crossplane.io,customresourcedefinitions,deployments.apps,secrets,networkpolicies,namespaces"
)
GROUP = "test.localcloud.dev"
DEFINITION = f"""
apiVersion: apiextensions.crossplane.io/v2
kind: CompositeResourceDefinition
metadata: {{name: things.{GROUP}}}
spec:
  group: {GROUP}
  scope: Cluster
  names: {{kind: Thing, plural: things}}
  versions:
    - name: v1
      served: true
      referenceable: true
      schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object}}}}}}}}
"""
COMPOSITION = f"""
apiVersion: apiextensions.crossplane.io/v1
kind: Composition
metadata: {{name: localcloud-test-thing}}
spec:
  compositeTypeRef: {{apiVersion: {GROUP}/v1, kind: Thing}}
  mode: Pipeline
  pipeline:
    - step: make
      functionRef: {{name: localcloud-test-none}}
"""
# Strangers': an object that is being deleted and held by a finalizer of theirs, a usage of another provider's group, a package and
# what belongs to it.
STRANGERS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: providerconfigusages.helm.crossplane.io}
spec:
  group: helm.crossplane.io
  scope: Cluster
  names: {kind: ProviderConfigUsage, plural: providerconfigusages}
  versions:
    - name: v1beta1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: pkg.crossplane.io/v1beta1
kind: DeploymentRuntimeConfig
metadata: {name: localcloud-test-theirs}
spec: {deploymentTemplate: {metadata: {labels: {team: theirs}}}}
---
apiVersion: pkg.crossplane.io/v1
kind: Provider
metadata: {name: localcloud-test-theirs, finalizers: [theirs.example.org/held]}
spec:
  package: xpkg.example.invalid/theirs:v1
  packagePullPolicy: Never
  runtimeConfigRef: {name: localcloud-test-theirs}
"""
USAGE = """
apiVersion: helm.crossplane.io/v1beta1
kind: ProviderConfigUsage
metadata: {name: localcloud-test-theirs}
providerConfigRef: {name: theirs}
"""

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def kinds(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Which kinds the stack serves, and their configuration's kind."""
    if request.config.getoption("--scope") == "namespaced":
        return {"group": "aws.m.upbound.io", "config": "ClusterProviderConfig", "scopes": ["namespaced"]}
    return {"group": "aws.upbound.io", "config": "ProviderConfig", "scopes": ["cluster"]}


@pytest.fixture(scope="module")
def role(stack: Any, playbook: Any, kinds: dict[str, Any]) -> Iterator[Run]:
    """Run an entry of the role for an owner of its own; what that owner has goes with the tests."""

    def run(entry: str = "main", *arguments: str, **settings: Any) -> Any:
        given = {
            "owner": OWNER,
            "provider_config": CONFIG,
            "endpoint": ENDPOINT,
            "scopes": kinds["scopes"],
            "kinds": [f"topics.sns.{kinds['group']}", f"queues.sqs.{kinds['group']}"],
            **settings,
        }
        return playbook(
            "tests/integration/role.yml",
            *arguments,
            role="crossplane",
            entry=entry,
            cluster_facts=stack.facts,
            **{f"crossplane_{key}": value for key, value in given.items()},
        )

    yield run
    assert run("absent").returncode == 0


@pytest.fixture
def theirs(stack: Any, kinds: dict[str, Any]) -> Callable[[], dict[str, str]]:
    """Everything of Crossplane that is not the test owner's, as it is written, by kind, namespace and name."""
    configs = f"{kinds['config'].lower()}s.{kinds['group']}"

    def look() -> dict[str, str]:
        listed = json.loads(stack.kubectl("get", f"{OF_CROSSPLANE},{configs}", "-A", "-o", "json"))["items"]
        return {
            f"{one['kind']}/{one['metadata'].get('namespace', '')}/{one['metadata']['name']}": written(one)
            for one in listed
            if one["metadata"].get("namespace", SPACE) == SPACE
            and (one["kind"] != "Namespace" or one["metadata"]["name"] == SPACE)
            and (one["metadata"].get("labels") or {}).get("localcloud.dev/owner") != OWNER
            and f".{GROUP}" not in one["metadata"]["name"]
        }

    return look


def written(obj: dict[str, Any]) -> str:
    """An object without what its controllers write all the time."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in ("resourceVersion", "managedFields")}
    return json.dumps({**obj, "metadata": metadata, "status": None}, sort_keys=True)


@pytest.fixture
def strangers(stack: Any) -> Iterator[None]:
    """What strangers have of Crossplane beside us."""
    stack.kubectl("apply", "-f", "-", stdin=STRANGERS)
    stack.kubectl("wait", "--for=condition=Established", "crd/providerconfigusages.helm.crossplane.io", "--timeout=30s")
    stack.kubectl("apply", "-f", "-", stdin=USAGE)
    yield
    stack.kubectl("delete", "crd", "providerconfigusages.helm.crossplane.io", "--timeout=30s")
    patch = '{"metadata": {"finalizers": null}}'
    stack.kubectl("patch", "provider.pkg.crossplane.io", "localcloud-test-theirs", "--type=merge", "-p", patch)
    stack.kubectl(
        "delete", "provider.pkg.crossplane.io", "localcloud-test-theirs", "--ignore-not-found", "--timeout=60s"
    )
    stack.kubectl("delete", "deploymentruntimeconfig", "localcloud-test-theirs", "--timeout=30s")


def said(done: Any) -> str:
    return " ".join((done.stdout + done.stderr).split())


def test_a_second_stack_comes_and_goes_unnoticed(
    stack: Any, role: Run, theirs: Any, strangers: None, kinds: dict[str, Any]
) -> None:
    before = theirs()
    predicted = role("main", "--check")
    assert predicted.returncode == 0, predicted.stdout
    assert theirs() == before
    made = role()
    assert made.returncode == 0, made.stdout
    assert theirs() == before
    config = f"{kinds['config'].lower()}.{kinds['group']}/{CONFIG}"
    assert ENDPOINT in stack.kubectl("get", config, "-o", "json")
    assert f"secret/aws-credentials-{CONFIG}" in stack.kubectl("-n", SPACE, "get", "secrets", "-o", "name").split()
    for again in (role(), role("main", "--check")):
        assert again.returncode == 0, again.stdout
        assert "changed=0" in again.stdout
    expected = (
        f"Crossplane/crossplane ({SPACE}) stays: installed by others (owner {stack.facts['stack']}), who remove it"
    )
    for arguments in (("--check",), ()):
        removed = role("absent", *arguments)
        assert removed.returncode == 0, removed.stdout
        assert expected in said(removed)
        assert theirs() == before
    assert stack.kubectl("get", config, "--ignore-not-found") == ""
    assert f"aws-credentials-{CONFIG}" not in stack.kubectl("-n", SPACE, "get", "secrets", "-o", "name")
    assert "changed=0" in role("absent").stdout


@pytest.mark.parametrize("arguments", [(), ("--check",)], ids=["run", "check"])
def test_names_of_others_are_refused_at_once(
    stack: Any, role: Run, theirs: Any, kinds: dict[str, Any], arguments: tuple[str, ...]
) -> None:
    before = theirs()
    refused = role("main", *arguments, provider_config="default")
    assert refused.returncode != 0
    assert "changed=0" in refused.stdout
    owner = f"owner {stack.facts['stack']}"
    assert f"{kinds['config']}/default, {owner}" in said(refused)
    assert f"Secret/aws-credentials ({SPACE}), {owner}" in said(refused)
    assert "crossplane_credentials_secret" in said(refused)
    assert "crossplane_use_existing_provider_config: true" in said(refused)
    assert theirs() == before


def test_a_configuration_of_others_is_used_where_it_leads_to_the_endpoint(
    stack: Any, role: Run, theirs: Any, kinds: dict[str, Any]
) -> None:
    before = theirs()
    config = json.loads(stack.kubectl("get", f"{kinds['config'].lower()}.{kinds['group']}/default", "-o", "json"))
    existing = {"provider_config": "default", "use_existing_provider_config": True}
    there = config["spec"]["endpoint"]["url"]["static"]
    refused = role(**existing)
    assert refused.returncode != 0
    assert f"leads to {there}, but {ENDPOINT} is wanted" in said(refused)
    assert "changed=0" in refused.stdout
    used = role(**existing, endpoint=there)
    assert used.returncode == 0, used.stdout
    assert "changed=0" in role(**existing, endpoint=there).stdout
    assert role("absent", **existing, endpoint=there).returncode == 0
    assert theirs() == before


def test_only_composites_with_our_label_go_and_others_keep_their_kind(
    stack: Any, role: Run, theirs: Any, eventually: Any, tmp_path: Path
) -> None:
    before = theirs()
    (tmp_path / "definition.yaml").write_text(DEFINITION)
    (tmp_path / "composition.yaml").write_text(COMPOSITION)
    made = role(apis=[str(tmp_path)])
    assert made.returncode == 0, made.stdout
    for name, labels in (("mine", {"localcloud.dev/owner": OWNER}), ("theirs", {})):
        metadata = {"name": name, "labels": labels}
        thing = {"apiVersion": f"{GROUP}/v1", "kind": "Thing", "metadata": metadata, "spec": {}}
        stack.kubectl("create", "-f", "-", stdin=json.dumps(thing))

    def composed() -> dict[str, Any] | None:
        """Theirs, once Crossplane has written into it which composition it has."""
        found: dict[str, Any] = json.loads(stack.kubectl("get", f"things.{GROUP}", "theirs", "-o", "json"))
        chosen = found["spec"].get("crossplane", {}).get("compositionRevisionRef")
        return found if chosen and found["metadata"].get("labels") else None

    try:
        thing = written(eventually(composed))
        for arguments in (("--check",), ()):
            removed = role("absent", *arguments)
            assert removed.returncode == 0, removed.stdout
            reason = "used by Thing/theirs [no label localcloud.dev/owner]"
            assert f"CompositeResourceDefinition/things.{GROUP} stays: {reason}" in said(removed)
            assert f"Composition/localcloud-test-thing stays: {reason}" in said(removed)
        left = stack.kubectl("get", f"things.{GROUP}", "-o", "name").split()
        assert left == [f"thing.{GROUP}/theirs"]
        assert written(json.loads(stack.kubectl("get", f"things.{GROUP}", "theirs", "-o", "json"))) == thing
    finally:
        stack.kubectl("delete", f"things.{GROUP}", "theirs", "--timeout=60s")
    gone = role("absent")
    assert gone.returncode == 0, gone.stdout
    assert stack.kubectl("get", "crd", f"things.{GROUP}", "--ignore-not-found") == ""
    assert theirs() == before


def test_the_installer_can_not_take_away_what_others_use(stack: Any, role: Run, theirs: Any, strangers: None) -> None:
    """The first stack's own resources are there as well: its removal at the role's level leaves all as it is."""
    assert role().returncode == 0
    before = theirs()
    removed = role("absent", owner=stack.facts["stack"], provider_config="default")
    assert removed.returncode == 0, removed.stdout
    assert "Crossplane/crossplane" in said(removed)
    for user in ("Provider/localcloud-test-theirs", "ProviderConfigUsage/localcloud-test-theirs"):
        assert user in said(removed)
    after = theirs()
    assert {name: after.get(name) for name in before if "theirs" in name} == {
        name: one for name, one in before.items() if "theirs" in name
    }
    assert [one for one in before if one.startswith(("Provider/", "Deployment/")) and one not in after] == []
