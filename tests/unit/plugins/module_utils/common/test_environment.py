"""Which cluster and which proxy are meant, by arguments and environment."""

from __future__ import annotations

import json
from ipaddress import ip_network
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import (
    CLUSTER_VARIABLES,
    Cluster,
    UndecidedClusterError,
    api_server,
    chosen_cluster,
    client_proxy,
    docker_problem,
    for_machine,
    is_direct,
    network,
    own_networks,
    proxy_exception,
    proxy_for,
    server_of,
    without_cluster_variables,
    without_redirection,
)

NETWORKS = [ip_network("10.213.176.36/30"), ip_network("fd00:1::/64")]
EVERYTHING = dict.fromkeys(CLUSTER_VARIABLES, "elsewhere")


def test_what_is_given_decides() -> None:
    environ = {**EVERYTHING, "KUBECONFIG": "/other", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert chosen_cluster("/given", "ours", environ) == Cluster("/given", "ours")
    # The context of another kubeconfig is none of this one's.
    assert chosen_cluster("/given", None, environ) == Cluster("/given", None)
    assert chosen_cluster("/given", "", environ) == Cluster("/given", None)


def test_what_stands_in_for_a_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    own = {"K8S_AUTH_KUBECONFIG": "/core", "K8S_AUTH_CONTEXT": "c", "K8S_AUTH_HOST": "https://elsewhere"}
    assert chosen_cluster(None, None, {**own, "KUBECONFIG": "/shell"}) == Cluster("/core", "c")
    assert chosen_cluster(None, "given", own) == Cluster("/core", "given")
    assert chosen_cluster(None, None, {"KUBECONFIG": "/shell", **pod}) == Cluster("/shell", None)
    assert chosen_cluster("", "", pod) == Cluster(None, None)
    assert chosen_cluster(None, None, {}) == Cluster(str(tmp_path / ".kube/config"), None)
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").touch()
    assert chosen_cluster(None, None, pod) == Cluster(str(tmp_path / ".kube/config"), None)


@pytest.mark.parametrize("name", ["K8S_AUTH_HOST", "HELM_KUBEAPISERVER"])
def test_a_cluster_without_a_kubeconfig_is_refused_by_name(name: str) -> None:
    with pytest.raises(UndecidedClusterError, match=rf"by {name}, which is not used.* unset the variable"):
        chosen_cluster(None, "ours", {name: "https://elsewhere", "KUBECONFIG": "/shell"})


def test_the_environment_of_kubectl_and_helm() -> None:
    kept = {
        "PATH": "/bin",
        "HELM_CACHE_HOME": "/c",
        "HELM_REGISTRY_CONFIG": "/r",
        "AWS_PROFILE": "eks",
        "HELM": "/helm",
    }
    later = {"K8S_AUTH_OF_TOMORROW": "x", "HELM_KUBE_OF_TOMORROW": "x"}
    assert without_cluster_variables({**EVERYTHING, **later, **kept}) == kept


@pytest.mark.parametrize(
    ("host", "direct"),
    [
        ("localhost", True),
        ("api.localhost", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("169.254.10.1", True),
        ("10.213.176.38", True),
        ("fd00:1::2", True),
        ("10.213.176.40", False),
        ("fd00:2::2", False),
        ("api.example.org", False),
        ("localhost.example.org", False),
    ],
)
def test_what_is_reached_directly(host: str, direct: bool) -> None:
    assert is_direct(host, NETWORKS) is direct


def test_networks_of_this_machine() -> None:
    assert is_direct("127.0.0.1", own_networks())
    assert network("fe80::1%eth0", "ffff:ffff:ffff:ffff::") == ip_network("fe80::/64")
    assert network("10.1.2.3", "255.255.255.252") == ip_network("10.1.2.0/30")


def test_a_proxy_is_for_what_goes_out() -> None:
    proxies = {"https_proxy": "http://lower", "HTTPS_PROXY": "http://upper", "ALL_PROXY": "http://all"}
    assert proxy_for("https://api.example.org:6443", proxies, NETWORKS) == "http://lower"
    assert proxy_for("http://api.example.org", proxies, NETWORKS) == "http://all"
    assert proxy_for("https://10.213.176.38:6443", proxies, NETWORKS) is None
    assert proxy_for("https://api.example.org", {}, NETWORKS) is None


def test_what_is_near_is_excepted_beside_what_was() -> None:
    near = proxy_exception("https://10.213.176.38:6443", {"NO_PROXY": "example.org"}, NETWORKS)
    assert near == {"NO_PROXY": "example.org,10.213.176.38", "no_proxy": "example.org,10.213.176.38"}
    assert proxy_exception("https://[fd00:1::2]:6443", {}, NETWORKS)["NO_PROXY"] == "fd00:1::2"
    assert proxy_exception("https://api.example.org", {}, NETWORKS) == {}
    assert proxy_exception(None, {}, NETWORKS) == {}


def test_the_server_of_a_kubeconfig() -> None:
    content = {
        "clusters": [
            {"name": "near", "cluster": {"server": "https://127.0.0.1:6443"}},
            {"name": "far", "cluster": {"server": "https://127.0.0.1:1", "proxy-url": "socks5://localhost:1080"}},
        ],
        "contexts": [{"name": name, "context": {"cluster": name}} for name in ("near", "far")],
        "current-context": "near",
    }
    assert server_of(content, None) == "https://127.0.0.1:6443"
    # It is reached by the kubeconfig's own proxy.
    assert server_of(content, "far") is None
    assert server_of(content, "missing") is None
    for broken in ({}, {"contexts": [{}], "clusters": []}, {"current-context": "near", "contexts": "x"}):
        assert server_of(broken, None) is None


def test_the_server_of_kubeconfig_files(tmp_path: Path) -> None:
    def cluster(name: str, server: str) -> str:
        content = {
            "clusters": [{"name": name, "cluster": {"server": server}}],
            "contexts": [{"name": name, "context": {"cluster": name}}],
            "current-context": name,
        }
        (tmp_path / name).write_text(json.dumps(content))
        return str(tmp_path / name)

    both = f"{cluster('one', 'https://one')}:/nonexistent:{cluster('two', 'https://two')}"
    assert api_server(both, None) == "https://one"
    assert api_server(both, "two") == "https://two"
    assert api_server(both, "three") is None
    assert api_server(None, None) is None


def test_a_program_keeps_what_leads_it_nowhere_else() -> None:
    aws = (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_CA_BUNDLE",
        "AWS_CONFIG_FILE",
    )
    kept = {"PATH": "/bin", "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "HTTPS_PROXY": "http://proxy"}
    assert without_redirection({**EVERYTHING, **dict.fromkeys(aws, "elsewhere"), **kept}) == kept


def test_a_machine_of_our_own_has_no_settings_of_the_shell() -> None:
    kept = {"PATH": "/bin", "LC_ALL": "C", "LOCALCLOUD_DIR": "/d"}
    proxy = {"https_proxy": "http://proxy", "NO_PROXY": "example.org"}
    shell = {**EVERYTHING, **kept, **proxy, "REGISTRY_AUTH_FILE": "/auth.json", "KUBECONFIG": "/k", "GOFLAGS": "-x"}
    assert for_machine(shell) == {**kept, "NO_PROXY": "example.org"}
    near = for_machine(shell, near=["10.0.0.1", ".svc"])
    assert near["https_proxy"] == "http://proxy"
    assert near["NO_PROXY"] == near["no_proxy"] == "example.org,localhost,127.0.0.0/8,10.0.0.1,.svc"
    assert for_machine(kept, near=["10.0.0.1"]) == kept


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({}, None),
        ({"DOCKER_HOST": "", "DOCKER_CONTEXT": "default"}, None),
        ({"DOCKER_HOST": "unix:///run/user/1000/docker.sock", "DOCKER_CONTEXT": "other"}, None),
        ({"DOCKER_HOST": "ssh://build.example.org"}, "DOCKER_HOST=ssh://build.example.org"),
        ({"DOCKER_CONTEXT": "production"}, "DOCKER_CONTEXT=production"),
    ],
)
def test_which_docker_is_meant(variables: dict[str, str], named: str | None) -> None:
    problem = docker_problem(variables)
    assert (problem is None) if named is None else (named in (problem or ""))


def test_a_client_that_reads_no_variables_gets_a_proxy_for_what_is_not_private() -> None:
    environ = {"http_proxy": "http://proxy:3128", "no_proxy": "example.com,other.test:8080"}
    addresses = {"api.example.org": ["192.0.2.1", "8.8.8.8"], "users.corp": ["10.1.2.3", "fd00::1"]}

    def proxy(url: str) -> str | None:
        return client_proxy(
            url, environ, NETWORKS, lambda host: addresses.get(host, [host] if host[0].isdigit() else [])
        )

    assert (
        proxy("http://api.example.org/x")
        == proxy("http://unknown.test/")
        == proxy("http://8.8.8.8/")
        == "http://proxy:3128"
    )
    assert proxy("http://users.corp/") is proxy("http://10.1.2.3:80/") is proxy("http://127.0.0.1:30080/") is None
    assert proxy("http://www.example.com/") is proxy("http://other.test:8080/") is None
    assert proxy("http://other.test/") == "http://proxy:3128"
    assert proxy("https://api.example.org/") is None
