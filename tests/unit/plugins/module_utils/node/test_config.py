"""The node's configuration files agree with each other."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.node import config, host, security
from ansible_collections.localcloud.stack.plugins.module_utils.node.identity import choose
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import project_parts

PROJECT = Path(__file__).resolve().parents[5]

IDENTITY = choose("/home/me/stack", [])
FILES = config.files(
    IDENTITY,
    {name: f"/cache/{name}" for name in config.PROGRAMS_OF},
    {"kubernetes": "v1.34.2", "coredns": "v1", "etcd": "v3"},
    ["/venv/bin/python", "-m", "supervisor.supervisord"],
    "c2VjcmV0",
)


def kubeadm(kind: str) -> dict:
    (found,) = [one for one in yaml.safe_load_all(FILES["config/kubeadm.yml"]) if one["kind"] == kind]
    return found


def test_the_supervisor_knows_every_program_and_starts_only_the_first_ones() -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(FILES["config/supervisord.conf"])
    programs = {
        name.removeprefix("program:"): parser[name] for name in parser.sections() if name.startswith("program:")
    }
    assert set(programs) == {*config.FIRST_PROGRAMS, *config.CLUSTER_PROGRAMS}
    for name, program in programs.items():
        assert program["autostart"] == str(name in config.FIRST_PROGRAMS).lower()
        assert program["autorestart"] == "true"


def test_a_full_disk_does_not_end_the_supervisor() -> None:
    """It tells on standard error what it can't write elsewhere, and ends where that fails, too."""
    last = FILES["config/init.sh"].splitlines()[-1]
    assert last.startswith("exec ") and last.endswith(" 2> /dev/null")


def test_a_full_disk_evicts_nothing() -> None:
    hard = kubeadm("KubeletConfiguration")["evictionHard"]
    assert set(hard.values()) == {"0%"}
    assert {"nodefs.available", "imagefs.available", "memory.available"} == set(hard)


def test_the_registry_is_written_by_the_host_alone() -> None:
    reads, writes = (yaml.safe_load(FILES[f"config/registry{name}.yml"]) for name in ("", "-write"))
    assert reads["http"]["addr"] == IDENTITY.registry == f"{IDENTITY.node_address}:5000"
    assert writes["http"]["addr"] == f"{IDENTITY.node_address}:5001"
    assert reads["storage"]["filesystem"] == writes["storage"]["filesystem"]
    assert reads["storage"]["maintenance"] == {"readonly": {"enabled": True}}
    assert writes["storage"]["maintenance"] == {"readonly": {"enabled": False}}
    rules = FILES["config/registry.nft"]
    here = f'iifname "eth0" ip saddr {IDENTITY.host_address}'
    assert f"{here} ip daddr {IDENTITY.node_address} tcp dport 5000 dnat ip to {IDENTITY.node_address}:5001" in rules
    assert rules.index(f"{here} tcp dport 5001 accept") < rules.index("tcp dport 5001 reject")
    init = FILES["config/init.sh"]
    assert init.index("registry.nft") < init.index("--nodaemon")


@pytest.mark.parametrize(
    ("access", "users", "forwarded"), [("user", True, True), ("host", False, True), ("network", False, False)]
)
def test_who_reaches_the_node(access: str, users: bool, forwarded: bool) -> None:
    rules = host.guard_rules(IDENTITY, access, {1000, 0})
    assert rules.startswith(f"table inet {IDENTITY.name}\ndelete table inet {IDENTITY.name}\n"), (
        "it replaces what is there"
    )
    new = f'oifname "{IDENTITY.interface}" ct state new'
    assert (f"{new} meta skuid != {{ 0, 1000 }} reject" in rules) is users
    assert (f'{new} iifname != "{IDENTITY.interface}" reject' in rules) is forwarded


def test_whoever_became_root_by_sudo_stays_a_caller() -> None:
    assert host.callers({}, 0) == {0}
    assert host.callers({"SUDO_UID": "1000"}, 0) == {0, 1000}
    assert host.callers({"SUDO_UID": ""}, 5) == {0, 5}


def test_containerd_listens_where_the_kubelet_calls() -> None:
    containerd = tomllib.loads(FILES["config/containerd.toml"])
    socket = containerd["plugins"]["io.containerd.server.v1.grpc"]["address"]
    assert kubeadm("InitConfiguration")["nodeRegistration"]["criSocket"] == f"unix://{socket}"
    assert f"--container-runtime-endpoint=unix://{socket}" in FILES["config/supervisord.conf"]


def test_a_node_runs_its_own_containers_whatever_else_is_installed() -> None:
    runtime = tomllib.loads(FILES["config/containerd.toml"])["plugins"]["io.containerd.cri.v1.runtime"]["containerd"]
    runc = runtime["runtimes"]["runc"]
    assert runc["runtime_path"] == f"{config.PARTS}/containerd/containerd-shim-runc-v2"
    assert runc["options"]["BinaryName"] == f"{config.PARTS}/runc/runc"


def test_the_times_of_containers_are_not_collected_more_often_than_they_are_read() -> None:
    runtime = tomllib.loads(FILES["config/containerd.toml"])["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["stats_collect_period"] == "10s"


def test_images_are_imported_whatever_the_folders_are_called(tmp_path: Path) -> None:
    """The script writes its configuration and runs this containerd."""
    hostile = tmp_path / "a 'cache' \"of\" $(touch executed) `x`; 5% #"
    hostile.mkdir()
    program = hostile / "containerd"
    program.write_text('#!/bin/sh\ncat "$2"\n')
    program.chmod(0o755)
    script = config.images_init_script(hostile / "root", program).replace(config.INSIDE, str(tmp_path))
    lines = [line for line in script.splitlines() if not line.startswith("mount ")]
    done = subprocess.run(["sh", "-euc", "\n".join(lines)], check=True, capture_output=True, text=True, cwd=tmp_path)
    found = tomllib.loads(done.stdout)
    assert found["root"] == str(hostile / "root")
    assert found["plugins"]["io.containerd.server.v1.grpc"]["address"] == f"{tmp_path}/containerd.sock"
    assert "io.containerd.grpc.v1.cri" in found["disabled_plugins"]
    assert not (tmp_path / "executed").exists()


def test_the_sandbox_image_is_the_one_that_is_built() -> None:
    image = tomllib.loads(FILES["config/containerd.toml"])["plugins"]["io.containerd.cri.v1.images"]["pinned_images"][
        "sandbox"
    ]
    assert image == project_parts(PROJECT)["pause"].image("")


def test_addresses_stand_in_every_file_that_needs_them() -> None:
    assert kubeadm("InitConfiguration")["localAPIEndpoint"]["advertiseAddress"] == IDENTITY.node_address
    assert f"--node-ip={IDENTITY.node_address}" in FILES["config/supervisord.conf"]
    assert f"{IDENTITY.node_address}/30" in FILES["config/init.sh"]
    assert f"config/certs.d/{IDENTITY.registry}/hosts.toml" in FILES


def test_the_api_server_has_each_file_that_its_arguments_name() -> None:
    described = kubeadm("ClusterConfiguration")["apiServer"]
    there = {one["mountPath"]: one["hostPath"] for one in described["extraVolumes"]}
    named = [one["value"] for one in described["extraArgs"] if one["value"].startswith("/")]
    assert len(named) == 5
    for path in map(Path, named):
        folder = there.get(str(path)) or there[str(path.parent)]
        if folder.startswith(f"{config.STATE}/config"):
            assert f"{folder.removeprefix(f'{config.STATE}/')}/{path.name}" in FILES


def test_the_key_of_secrets_is_in_one_file_alone() -> None:
    assert [name for name, text in FILES.items() if "c2VjcmV0" in text] == ["config/api-server/encryption.yml"]


def test_no_program_beside_the_kubelet_is_an_administrator() -> None:
    assert set(security.USERS) == {"kube-proxy", "kube-router"}
    kubeconfigs = [FILES["config/supervisord.conf"], FILES["config/kube-proxy.yml"]]
    assert not any(config.ADMIN_CONFIG in one for one in kubeconfigs)
    for name in security.USERS:
        assert any(config.user_config(name) in one for one in kubeconfigs)


def test_pods_live_in_the_nodes_own_cgroup() -> None:
    assert kubeadm("KubeletConfiguration")["cgroupRoot"] == f"/{IDENTITY.name}"


def test_the_pod_network_holds_the_nodes_part() -> None:
    (subnet,) = json.loads(FILES["config/cni/10-bridge.conflist"])["plugins"][0]["ipam"]["ranges"][0]
    assert subnet["subnet"].startswith("10.244.0.")
    assert kubeadm("ClusterConfiguration")["networking"]["podSubnet"] == config.POD_NETWORK


@pytest.mark.parametrize("name", ["config/kubeadm.yml", "config/kube-proxy.yml", "config/registry.yml"])
def test_no_file_speaks_of_a_checkout(name: str) -> None:
    assert "/home/me" not in FILES[name]


def test_folders_with_any_name_come_into_the_node(tmp_path: Path) -> None:
    """The lines of the script that name the host's folders do what they are to, run by a shell."""
    hostile = f"{tmp_path}/a 'cache' \"of\" $(touch {tmp_path}/executed) `x`; 5% #"
    parts = {name: f"{hostile}/{name}" for name in config.PROGRAMS_OF}
    python = f"{hostile}/python"
    Path(hostile).mkdir(parents=True)
    Path(python).write_text('#!/bin/sh\necho "ran $*"\n')
    Path(python).chmod(0o755)
    script = config.init_script(IDENTITY, parts, [python, "-m", "supervisor.supervisord"])
    lines = [line for line in script.splitlines() if line.startswith(("ln -s", "exec"))]
    assert len(lines) == 1 + len(parts)
    (tmp_path / "parts").mkdir()
    local = "\n".join(lines).replace(config.PARTS, str(tmp_path / "parts"))
    done = subprocess.run(["sh", "-euc", local], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("ran -m supervisor.supervisord --nodaemon")
    assert os.readlink(tmp_path / "parts/kubernetes") == parts["kubernetes"]
    assert not (tmp_path / "executed").exists()
    assert hostile not in FILES["config/supervisord.conf"]


def test_only_containerd_uses_a_proxy() -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(FILES["config/supervisord.conf"])
    for name in config.CLUSTER_PROGRAMS:
        assert parser[f"program:{name}"]["command"].startswith("env -u ALL_PROXY -u HTTPS_PROXY")
    assert parser["program:containerd"]["command"].startswith(f"{config.PARTS}/containerd/containerd ")
