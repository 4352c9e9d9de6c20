"""Bad input and bad surroundings: one clear message, exit code not 0, nothing touched."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.node.config import PROGRAMS_OF
from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import key
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import project_releases
from moto.server import ThreadedMotoServer

PROJECT = Path(__file__).resolve().parents[2]
Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run site.yml for a checkout at tmp_path; it must fail. Returns what it prints, in one line."""

    def refuse(kubeconfig: Path | str = "/nonexistent", **settings: object) -> str:
        done = subprocess.run(
            ["ansible-playbook", "site.yml", "-e", json.dumps(settings)],
            cwd=PROJECT,
            env={
                **os.environ,
                "LOCALCLOUD_DIR": str(tmp_path),
                "KUBECONFIG": str(kubeconfig),
                "DOCKER_HOST": "unix:///nonexistent",
                "NO_COLOR": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        output = " ".join((done.stdout + done.stderr).split())
        assert done.returncode != 0, output
        return output

    return refuse


def kubeconfig(folder: Path, context: str, server: str) -> Path:
    path = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "expired"}}],
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
        "current-context": context,
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_table_name_with_a_space(run: Run, tmp_path: Path) -> None:
    output = run(stack_table="two words")
    assert "blueprints/pipeline/blueprint.yml: aws.tables[0].name: 'two words' is refused by AWS" in output
    assert "Correct them, then run again" in output
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_way_to_declare_the_pipeline(run: Run, tmp_path: Path) -> None:
    assert "stack_pipeline is 'onject', but must be lists or object" in run(stack_pipeline="onject")
    assert list(tmp_path.iterdir()) == []


def test_a_bad_name_where_the_pipeline_is_one_object(run: Run, tmp_path: Path) -> None:
    assert "'two words' is refused by AWS" in run(stack_pipeline="object", stack_table="two words")
    assert list(tmp_path.iterdir()) == []


RESTING = """
description: a topic with a queue for what can't be delivered, and a table whose items expire
namespace: shop
aws:
  topics: [{name: orders}]
  queues: [{name: orders}, {name: dead}]
  tables: [{name: orders, hash_key: {name: Id, type: S}, ttl: {attribute: Until}}]
  subscriptions: [{topic: orders, queue: orders, dead_letter_queue: dead}]
"""


@pytest.mark.parametrize(
    ("engine", "says"),
    [
        (
            "localstack",
            "aws_resources_tables[0].ttl: on LocalStack 4.14.0 expired items stay for ever",
        ),
        (
            "ministack",
            "aws_resources_subscriptions[0].dead_letter_queue: on MiniStack 1.5.33 a message to a queue that is gone is lost",
        ),
    ],
)
def test_what_the_engine_does_not_do_is_refused_where_that_is_wanted(
    run: Run, tmp_path: Path, engine: str, says: str
) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    (folder / "blueprint.yml").write_text(RESTING)
    output = run(stack_blueprint=str(folder), localstack_service_engine=engine, aws_resources_strict_engine=True)
    assert "No resource was declared or changed: " in output
    assert says in output
    assert [path.name for path in tmp_path.iterdir()] == ["orders"]


def test_a_strict_engine_that_is_no_boolean(run: Run, tmp_path: Path) -> None:
    assert "argument 'aws_resources_strict_engine' is of type str" in run(aws_resources_strict_engine="maybe")
    assert list(tmp_path.iterdir()) == []


def test_a_context_that_nobody_allowed(run: Run, tmp_path: Path) -> None:
    output = run(kubeconfig(tmp_path, "production", "https://127.0.0.1:1"))
    assert "points to the context 'production', which is not allowed, so it is not touched" in output
    assert "cluster_mode=embedded" in output


def test_a_cluster_that_does_not_answer(run: Run, tmp_path: Path) -> None:
    output = run(kubeconfig(tmp_path, "kind-kind", "https://127.0.0.1:1"), cluster_allowed_contexts=["kind-kind"])
    assert "The cluster of context 'kind-kind' can't be used: It does not answer. Start it, then run again." in output


def test_a_kubeconfig_that_is_not_there(run: Run) -> None:
    assert "The kubeconfig /no/such/file is not there." in run(cluster_kubeconfig="/no/such/file")


def test_a_broken_kubeconfig(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("{not yaml")
    assert f"The kubeconfig {path} can't be read" in run(path)


def test_a_second_run_at_once(run: Run, tmp_path: Path) -> None:
    own = psutil.Process()
    (tmp_path / ".localcloud").mkdir()
    (tmp_path / ".localcloud/run.json").write_text(json.dumps({"pid": own.pid, "created": own.create_time()}))
    output = run()
    assert f"Another run works on {tmp_path}/.localcloud: process {own.pid}" in output
    assert "Wait for its end" in output


def by_night(*cases: tuple[object, ...]) -> list[Any]:
    """Cases that show a variant of what another shows: a run of site.yml takes 7 s of CPU time, which `make test` has not for each."""
    return [pytest.param(*case, marks=pytest.mark.nightly) for case in cases]


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        (
            "cluster_mode",
            "magic",
            "value of cluster_mode must be one of: auto, kind, embedded, kubeconfig, existing, got: magic",
        ),
        ("aws_resources_prune", "maybe", "argument 'aws_resources_prune' is of type str and we were unable to convert"),
        ("aws_resources_tags", ["a"], "aws_resources_tags: must be a map, not a list"),
        ("crossplane_scopes", "cluster", """give it as -e '{"crossplane_scopes": ["cluster"]}'"""),
        (
            "cluster_images",
            {"web": {"build": {}, "pull": "a"}},
            "images.web: built and pulled at the same time. Keep one",
        ),
        *by_night(
            ("crossplane_timeout", "5m", "argument 'crossplane_timeout' is of type str and we were unable to convert"),
            ("apps_values", '{"a": 1}', """give it as -e '{"apps_values": {"a": 1}}'"""),
            ("localstack_service_services", "sns", "localstack_service_services is a text, but must be a list"),
            ("cluster_extra_parts", "ministack", """give it as -e '{"cluster_extra_parts": ["ministack"]}'"""),
            ("apps_producer_rate", "fast", "variables.apps_producer_rate: 'fast' is not a number"),
            ("apps_producer_count", "-1", "apps_producer_count is -1, but"),
        ),
    ],
)
def test_a_wrong_setting(run: Run, tmp_path: Path, setting: str, value: object, says: str) -> None:
    assert says in run(**{setting: value})
    assert not (tmp_path / ".localcloud/cluster.json").exists()


def test_images_that_can_not_be_had(run: Run, tmp_path: Path) -> None:
    output = run(
        cluster_mode="embedded", cluster_images={name: {"pull": f"127.0.0.1:9/{name}:1"} for name in ("a", "b")}
    )
    for name in ("a", "b"):
        assert f"images.{name}.pull: 127.0.0.1:9/{name}:1 can't be pulled: the registry can't be reached." in output
    assert not (tmp_path / ".localcloud/node").exists()


def test_a_node_that_would_skip_a_release_or_go_back(run: Run, tmp_path: Path) -> None:
    """Before anything is built: a release that was not built yet takes minutes."""
    node = tmp_path / ".localcloud/node"
    (node / "state/config").mkdir(parents=True)
    (node / "node.json").write_text(json.dumps({"initialized": True, "parts": dict.fromkeys(PROGRAMS_OF, "")}))
    for running, wanted, says in (
        ("v1.35.4", "1.37", "is upgraded by one minor version at a time"),
        ("v1.37.2", "1.36", "does not go back to an older minor version"),
    ):
        cluster = {
            "kind": "ClusterConfiguration",
            "kubernetesVersion": running,
            "etcd": {"local": {"imageTag": "v3.6.5"}},
        }
        (node / "state/config/kubeadm.yml").write_text(json.dumps(cluster))
        output = run(cluster_mode="embedded", cluster_kubernetes=wanted)
        assert f"The node runs Kubernetes {running}" in output
        assert says in output
        assert "Nothing was touched." in output


def test_a_node_from_before_its_own_containerd(run: Run, tmp_path: Path) -> None:
    node = tmp_path / ".localcloud/node"
    node.mkdir(parents=True)
    (node / "node.json").write_text(json.dumps({"initialized": True, "parts": {"kubernetes": "", "kube-router": ""}}))
    output = run(cluster_mode="embedded")
    assert "whose nodes had no containerd and no runc of their own, and can't be upgraded in place" in output
    assert "Nothing was touched. Run `make down`, then `make up`." in output


def test_a_kubernetes_that_the_embedded_node_can_not_have(run: Run, tmp_path: Path) -> None:
    output = run(cluster_mode="embedded", cluster_kubernetes="1.30")
    known = ", ".join(project_releases(PROJECT))
    assert f"cluster_kubernetes is '1.30', but an embedded node can have Kubernetes {known}" in output
    assert not (tmp_path / ".localcloud/node").exists()


@pytest.fixture
def taken_interface(tmp_path: Path) -> Iterator[str]:
    name = f"lc-{key(str(tmp_path))}"
    subprocess.run(["ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p"], check=True)
    yield name
    subprocess.run(["ip", "link", "delete", name], check=True)


def test_an_interface_that_is_taken(run: Run, taken_interface: str) -> None:
    output = run(cluster_mode="embedded")
    assert f"There is an interface {taken_interface} that this checkout's state knows nothing of" in output
    assert f"ip link delete {taken_interface}" in output


EMULATOR = {"localstack_service_engine": "outside"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"localstack_service_engine": "moto"}, "There is no engine 'moto'. Set localstack_service_engine to one of"),
        ({"localstack_service_version": "2026.3.0"}, "runs only with a token: put it into the environment variable"),
        ({"localstack_service_token": "t0ken"}, "LocalStack 4.14.0 needs none. Remove it"),
        ({**EMULATOR, "localstack_service_outside_endpoint": "https://10.0.0.1:4566"}, "is https"),
        ({"localstack_service_engine": "aws"}, "Real AWS is used only with the account that you mean"),
        ({"localstack_service_services": ["sqs", "sts", "dynamodb"]}, "does not list sns: the provider would send"),
        *by_night(
            ({"localstack_service_version": "4.15.0"}, "There is no LocalStack 4.15.0: after 4.14.0 came 2026.3.0"),
            ({"localstack_service_engine": "ministack", "localstack_service_token": "t0ken"}, "'ministack' needs none"),
            ({**EMULATOR, "localstack_service_outside_endpoint": "http://10.0.0.1:4566/"}, "has a trailing slash"),
            ({**EMULATOR, "localstack_service_outside_endpoint": "http://10.0.0.1:4566/aws"}, "has a path"),
            ({**EMULATOR, "localstack_service_outside_endpoint": "http://[fe80::1]:4566"}, "has an IPv6 address"),
        ),
    ],
)
def test_an_aws_endpoint_that_cannot_work(run: Run, tmp_path: Path, settings: dict[str, object], message: str) -> None:
    output = run(**settings)
    assert message in output
    assert "t0ken" not in output
    assert list(tmp_path.iterdir()) == []


def test_a_localstack_that_the_embedded_node_cannot_have(run: Run, tmp_path: Path) -> None:
    settings = {"localstack_service_version": "2026.3.0", "localstack_service_token": "t0ken"}
    output = run(cluster_mode="embedded", **settings)
    assert "The embedded node has LocalStack 4.14.0 only, as 2026.3.0 comes as a container image only" in output
    assert "t0ken" not in output
    assert not (tmp_path / ".localcloud/node").exists()


@pytest.fixture
def web_server() -> Iterator[int]:
    """The port of a web server that is not an emulator."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_web_server_that_is_no_emulator(run: Run, tmp_path: Path, web_server: int) -> None:
    here = f"http://127.0.0.1:{web_server}"
    endpoint = {
        "localstack_service_outside_endpoint": "http://10.0.0.1:4566",
        "localstack_service_outside_host_endpoint": here,
    }
    output = run(**EMULATOR, **endpoint)
    assert here in output
    assert "is not an emulator" in output
    assert list(tmp_path.iterdir()) == []


def test_an_endpoint_where_nobody_answers(run: Run, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        here = f"http://127.0.0.1:{unused.getsockname()[1]}"
        endpoint = {
            "localstack_service_outside_endpoint": "http://10.0.0.1:4566",
            "localstack_service_outside_host_endpoint": here,
        }
        output = run(**EMULATOR, **endpoint)
    assert f"{here} cannot be reached (connection refused)" in output
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        output = run(localstack_service_host_port=port)
    assert f"Port {port} of 127.0.0.1 is taken by process {os.getpid()}" in output
    assert list(tmp_path.iterdir()) == []


def test_credentials_of_another_aws_account(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STS is played by moto's server, whose account is 123456789012."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
        output = run(
            localstack_service_engine="aws",
            localstack_service_account="210987654321",
            localstack_service_credentials="pod_identity",
        )
    finally:
        server.stop()
    assert "are of the account 123456789012, but localstack_service_account allows only 210987654321" in output
    assert list(tmp_path.iterdir()) == []


def record(folder: Path, name: str, server: str, engine: str = "outside") -> Path:
    """What a stack at this folder remembers of a cluster whose kubeconfig has this name."""
    facts = {
        "kind": "existing",
        "stack": "localcloud-0",
        "context": name,
        "kubeconfig": str(folder / name),
        "server": server,
        "parts": {},
        "helm": "helm",
        "kubectl": "kubectl",
    }
    installed = {
        "blueprint": "pipeline",
        "namespace": "n",
        "release": "r",
        "suffix": "",
        "engine": engine,
        "endpoint": "",
    }
    path = folder / f".localcloud/installed-{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cluster": facts, "installed": [installed]}))
    return path


def test_removal_names_every_cluster_that_it_cannot_reach(tmp_path: Path) -> None:
    gone, silent = record(tmp_path, "gone", "https://127.0.0.1:1"), record(tmp_path, "silent", "https://127.0.0.1:2")
    kubeconfig(tmp_path, "silent", "https://127.0.0.1:2").rename(tmp_path / "silent")
    done = subprocess.run(
        ["ansible-playbook", "playbooks/teardown.yml"],
        cwd=PROJECT,
        env={**os.environ, "LOCALCLOUD_DIR": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert f"context gone of {tmp_path}/gone (outside): its kubeconfig is not there any more" in output
    assert f"context silent of {tmp_path}/silent (outside): " in output
    assert "Bring these clusters within reach, then run `make down` again" in output
    assert gone.exists()
    assert silent.exists()


def test_removal_refuses_a_record_that_it_cannot_read(tmp_path: Path) -> None:
    path = record(tmp_path, "half", "https://127.0.0.1:1")
    path.write_text(path.read_text()[:40])
    done = subprocess.run(
        ["ansible-playbook", "playbooks/teardown.yml"],
        cwd=PROJECT,
        env={**os.environ, "LOCALCLOUD_DIR": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "installed-half.json says which cluster has to be emptied, but can't be read" in " ".join(
        done.stderr.split() + done.stdout.split()
    )
