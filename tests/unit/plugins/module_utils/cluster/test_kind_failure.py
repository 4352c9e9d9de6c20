"""Why a cluster could not be made, by what kind, kubeadm and the node say. The texts are those of real runs, cut short."""

from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.kind_failure import (
    NodeSaid,
    explained,
    failures,
    kubeadm_reasons,
)

CREATE = ["/usr/local/bin/kind", "create", "cluster", "--name", "x"]
KIND = """\
Creating cluster "x" ...
 ✗ Starting control-plane 🕹️
ERROR: failed to create cluster: failed to init node with kubeadm: command "docker exec --privileged x-control-plane kubeadm init \
--config=/kind/kubeadm.conf --skip-token-print --v=6" failed with error: exit status 1

Command Output: I1201 02:36:10.885068   29916 initconfiguration.go:116] skip CRI socket detection
I1201 02:36:10.885377   29916 interface.go:443] "Looking for default routes with IP addresses" IPVersion=4
"""
STACK = """\
k8s.io/kubernetes/cmd/kubeadm/app/util/config/strict.VerifyUnmarshalStrict
\tk8s.io/kubernetes@v1.36.3/cmd/kubeadm/app/util/config/strict/strict.go:45
main.main
\tk8s.io/kubernetes@v1.36.3/cmd/kubeadm/kubeadm.go:25
runtime.main
\truntime/proc.go:290
"""
SUBNET = 'networking.serviceSubnet: Invalid value: "nonsense": couldn\'t parse subnet'


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Cannot connect to the Docker daemon at unix:///x", "Start Docker, then run again"),
        ("write /x: no space left on device", "Free some space"),
        ("strange", "failed: strange. Run again"),
        ("", "it does not say why"),
    ],
)
def test_causes(said: str, told: str) -> None:
    assert told in explained(["/usr/bin/docker", "ps"], said)


def test_kubeadm_s_own_reason() -> None:
    """What the kubelet says besides is of no matter, as it was not started yet."""
    said = f"{KIND}error: {SUBNET}\nno stack trace\n"
    message = explained(CREATE, said, NodeSaid(kubelet="no space left on device"))
    assert message.startswith(
        "`kind create cluster …` failed: kubeadm does not take its configuration. Correct kubeadmConfigPatches"
    )
    assert f"kubeadm: {SUBNET}" in message and "no space" not in message and "\n" not in message


WAITED = 'error: failed while waiting for the kubelet to start: Get "http://127.0.0.1:10248/healthz": dial tcp 127.0.0.1:10248: connect: connection refused'
KUBELET = 'E1201 02:50:32.841678   17765 run.go:72] "command failed" err="failed to '
PODS = """\
2026-12-01T02:50:32.841678000Z stderr F I1201 02:50:32.841678       1 options.go:1] "Starting"
2026-12-01T02:50:33.841678000Z stderr F Error: unknown flag: --no-such-flag
"""


@pytest.mark.parametrize(
    ("node", "told"),
    [
        (
            NodeSaid(
                f"{KUBELET}validate kubelet configuration, error: invalid configuration: imageGCHighThresholdPercent (--image-gc-high-threshold) "
                'must be between 0 and 100, inclusive"'
            ),
            "The kubelet does not take its configuration. Correct what is of KubeletConfiguration in kubeadmConfigPatches",
        ),
        (
            NodeSaid(
                f"{KUBELET}validate kubelet configuration, error: kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is "
                'unsupported and will be removed in a future release"'
            ),
            "The kubelet is set not to run on cgroup v1. Leave failCgroupV1 out",
        ),
        (
            NodeSaid(f"{KUBELET}run Kubelet: quantities must match the regular expression '^([+-]?[0-9.]+)$'\""),
            "The kubelet ends as soon as it starts. Correct what is of KubeletConfiguration",
        ),
        (
            NodeSaid("I1201 02:50:32.841678   17765 server.go:72] started", PODS),
            "A part of Kubernetes does not know an argument that it was given. Correct extraArgs",
        ),
        (NodeSaid("I1201 02:50:32.841678   17765 server.go:72] started"), "waiting for the kubelet to start"),
    ],
)
def test_what_kubeadm_has_waited_for_says_why(node: NodeSaid, told: str) -> None:
    assert told in explained(CREATE, f"{KIND}{WAITED}\n{STACK}", node)


def test_the_kubelet_is_asked_too_where_the_api_server_was_waited_for() -> None:
    waited = (
        "error: error execution phase wait-control-plane: cannot obtain client without bootstrap: could not bootstrap the admin user in file "
        "admin.conf: unable to create ClusterRoleBinding: client rate limiter Wait returned an error: rate: Wait(n=1) would exceed context deadline"
    )
    message = explained(CREATE, f"{KIND}{waited}\n{STACK}", NodeSaid(f'{KUBELET}validate kubelet configuration: x"'))
    assert "The kubelet does not take its configuration." in message


def test_what_a_command_of_kind_s_says() -> None:
    said = (
        'ERROR: failed to create cluster: command "docker run …" failed with error: exit status 125\n\n'
        "Command Output: 0a1b\ndocker: Error response from daemon: … Bind for 127.0.0.1:80 failed: port is already allocated.\n"
    )
    message = explained(CREATE, said)
    assert "A port that the cluster is to serve is taken. End what" in message and "127.0.0.1:80" in message


def test_a_node_whose_systemd_does_not_start() -> None:
    said = (
        'ERROR: failed to create cluster: could not find a log line that matches "Reached target .*Multi-User System.*"'
    )
    message = explained(
        CREATE, said, NodeSaid(container="Failed to create control group inotify object: Too many open files\n")
    )
    assert "limits of inotify are too low for kind. Raise fs.inotify" in message
    assert "The node's systemd does not start" in explained(CREATE, said)


def test_the_root_of_a_chain_of_errors_comes_first() -> None:
    said = f'{KIND}error: unknown field "nosuch"\n{STACK}error execution phase preflight\n{STACK}'
    assert kubeadm_reasons(said) == ['unknown field "nosuch"', "error execution phase preflight"]


def test_what_kind_says_otherwise_has_no_reason_of_kubeadm() -> None:
    assert kubeadm_reasons("ERROR: failed to create cluster: port is already allocated") == []
    assert kubeadm_reasons(KIND) == []


def test_what_comes_from_programs_moves_no_cursor() -> None:
    message = explained(CREATE, f"{KIND}error: \x1b[2J\u202esad: Invalid value\n")
    assert "\\x1b[2J\\u202esad" in message and message.isprintable()


def test_a_long_reason_is_cut() -> None:
    assert len(explained(CREATE, f"{KIND}error: {'long ' * 1000}\n", NodeSaid(kubelet="x" * 10_000))) < 2_000


def test_lines_that_tell_of_failures() -> None:
    log = """\
I1201 02:36:10.885377   29916 server.go:443] "Starting"
E1201 02:36:11.885377   29916 run.go:72] "command failed" err="one"
E1201 02:36:12.885377   29916 run.go:72] "command failed" err="one"
"""
    assert failures(log) == ['"command failed" err="one"']
    assert failures("Error: unknown flag: --x\nE1201 02:36:12.885377   29916 run.go:72] later\n") == [
        "Error: unknown flag: --x"
    ]
    refused = "E1201 02:36:12.885377   29916 kubelet.go:1] dial tcp 10.89.0.3:6443: connect: connection refused"
    assert failures(f"{refused}\nE1201 02:36:12.885377   29916 kubelet.go:1] else\n{refused}") == ["else"]
    assert len(failures(refused)) == 1
    assert failures("something\nelse\n\n") == ["something", "else"]
    assert failures("-- No entries --\n") == []
