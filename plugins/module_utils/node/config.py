# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The configuration files of the embedded node's programs. Pure: settings in, text out.

Inside the node's own mount namespace everything lies at fixed, short paths (see INSIDE), wherever the checkout is.
"""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import WITHOUT_PROXIES

from ..toolchain.containerd import images_config
from ..toolchain.parts import IMAGE_REPOSITORY
from . import security
from .identity import (
    API_PORT,
    NODE_POD_NETWORK,
    POD_NETWORK,
    REGISTRY_PORT,
    REGISTRY_WRITE_PORT,
    SERVICE_NETWORK,
    Identity,
)

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml

INSIDE = "/run/localcloud"
STATE = f"{INSIDE}/state"
CONTAINERD_SOCKET = f"{INSIDE}/containerd.sock"
SUPERVISOR_SOCKET = f"{INSIDE}/supervisor.sock"
# Where the parts are that have programs, whatever the cache's folder is called.
PARTS = f"{INSIDE}/parts"
PROGRAMS_OF = ("kubernetes", "kube-router", "containerd", "runc")
# What they ask is the node itself; only containerd fetches from elsewhere.
DIRECTLY = shlex.join(WITHOUT_PROXIES)
ADMIN_CONFIG = "/etc/kubernetes/admin.conf"
# In the state, what only the API server reads, and the role of kube-router.
API_SERVER_SETTINGS, KUBE_ROUTER_ROLE = "config/api-server", "config/kube-router.yml"
KUBEADM = "config/kubeadm.yml"
# Folders of the node's state and where its programs expect them.
MOUNTS = {
    "etc-kubernetes": "/etc/kubernetes",
    "kubelet": "/var/lib/kubelet",
    "cni-lib": "/var/lib/cni",
    "log/pods": "/var/log/pods",
    "log/containers": "/var/log/containers",
}
# Folders for local PersistentVolumes, which want them to be there.
VOLUMES = ("volumes/emulator", "volumes/git")
# Started with the node; the rest when kubeadm has prepared it.
FIRST_PROGRAMS = ("containerd", "registry", "registry-write")
CLUSTER_PROGRAMS = ("kubelet", "kube-proxy", "kube-router")


def files(
    identity: Identity, parts: Mapping[str, str], versions: Mapping[str, str], supervisord: Sequence[str], key: str
) -> dict[str, str]:
    """All configuration files by their path in the node's state folder.

    `parts`: folder of each built part on the host; `versions`: version of kubernetes, and tags of the images coredns
    and etcd; `supervisord`: how that program is called; `key`: 32 bytes, base64, by which Secrets are encrypted.
    """
    return {
        "config/init.sh": init_script(identity, parts, supervisord),
        "config/supervisord.conf": supervisord_config(identity),
        "config/containerd.toml": containerd_config(identity),
        f"config/certs.d/{identity.registry}/hosts.toml": registry_hosts(identity),
        "config/cni/10-bridge.conflist": json.dumps(cni_config(), indent=2),
        "config/registry.yml": yaml.safe_dump(registry_config(identity, writable=False)),
        "config/registry-write.yml": yaml.safe_dump(registry_config(identity, writable=True)),
        "config/registry.nft": registry_rules(identity),
        KUBEADM: yaml.safe_dump_all(kubeadm_config(identity, versions)),
        "config/kube-proxy.yml": yaml.safe_dump(kube_proxy_config(identity)),
        f"{API_SERVER_SETTINGS}/audit.yml": yaml.safe_dump(security.audit_policy()),
        f"{API_SERVER_SETTINGS}/authentication.yml": yaml.safe_dump(security.authentication()),
        f"{API_SERVER_SETTINGS}/encryption.yml": yaml.safe_dump(security.encryption(key)),
        KUBE_ROUTER_ROLE: yaml.safe_dump_all(security.kube_router_role()),
        "config/resolv.conf": f"nameserver {identity.host_address}\noptions timeout:1 attempts:1\n",
    }


def init_script(identity: Identity, parts: Mapping[str, str], supervisord: Sequence[str]) -> str:
    """Run as the first process in the node's namespaces: private mounts, network, then the supervisor.

    Its first argument is the state folder, its second a FIFO on which the host says that the cable is plugged in.
    Overlays give the node its own mount points in /etc and /var without making a folder on the host.
    """
    links = "\n".join(f"ln -s {shlex.quote(parts[name])} {PARTS}/{name}" for name in PROGRAMS_OF)
    binds = "\n".join(f"bind {folder} {target}" for folder, target in MOUNTS.items())
    return f"""#!/bin/sh
set -eu
umask 022
state=$1 plugged=$2
mount -t proc proc /proc
read -r _ < "$plugged"

mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir -p /mnt/state && mount --bind "$state" /mnt/state
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p {INSIDE} {STATE} {PARTS} /run/netns /run/lock
{links}
mount --move /mnt/state {STATE}
umount /mnt
for folder in etc var/lib var/log; do
    layer={INSIDE}/overlay/$folder
    mkdir -p "$layer/upper" "$layer/work"
    mount -t overlay -o "lowerdir=/$folder,upperdir=$layer/upper,workdir=$layer/work" overlay "/$folder"
done
bind() {{
    mkdir -p "{STATE}/$1" "$2"
    mount --bind "{STATE}/$1" "$2"
    mount --make-shared "$2"
}}
{binds}
mount --make-shared /run

hostname {identity.name}
echo "{identity.node_address} {identity.name}" >> /etc/hosts
ip link set lo up
ip address add {identity.node_address}/30 dev eth0
ip link set eth0 up
ip route add default via {identity.host_address}
echo 1 > /proc/sys/net/ipv4/ip_forward
nft --file {STATE}/config/registry.nft
cp {STATE}/config/resolv.conf {INSIDE}/resolv.conf
# It tells there what it can't write elsewhere. A disk that is full would end it by that, and the node with it.
exec {shlex.join(supervisord)} --nodaemon --configuration {STATE}/config/supervisord.conf 2> /dev/null
"""


def user_config(name: str) -> str:
    """The kubeconfig of a program of security.USERS, within the node."""
    return f"/etc/kubernetes/{name}.conf"


def supervisord_config(identity: Identity) -> str:
    """Every program of the node that is not a pod. Those of CLUSTER_PROGRAMS wait to be started."""
    kubernetes = f"{DIRECTLY} {PARTS}/kubernetes"
    programs = {
        "containerd": f"{PARTS}/containerd/containerd --config {STATE}/config/containerd.toml",
        "registry": f"docker-registry serve {STATE}/config/registry.yml",
        "registry-write": f"docker-registry serve {STATE}/config/registry-write.yml",
        "kubelet": (
            f"{kubernetes}/kubelet --config=/var/lib/kubelet/config.yaml --kubeconfig=/etc/kubernetes/kubelet.conf "
            f"--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --node-ip={identity.node_address} "
            f"--hostname-override={identity.name} --container-runtime-endpoint=unix://{CONTAINERD_SOCKET}"
        ),
        "kube-proxy": f"{kubernetes}/kube-proxy --config={STATE}/config/kube-proxy.yml",
        "kube-router": (
            f"{DIRECTLY} {PARTS}/kube-router/kube-router --kubeconfig={user_config('kube-router')} --hostname-override={identity.name} "
            "--run-firewall=true --run-router=false --run-service-proxy=false --run-loadbalancer=false "
            f"--service-cluster-ip-range={SERVICE_NETWORK} --metrics-port=0 --health-port=0"
        ),
    }
    sections = [
        f"[supervisord]\nlogfile={STATE}/log/supervisord.log\npidfile={INSIDE}/supervisord.pid\nuser=root\n",
        f"[unix_http_server]\nfile={SUPERVISOR_SOCKET}\nchmod=0700\n",
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
    ]
    for name, command in programs.items():
        sections.append(
            f"[program:{name}]\ncommand={command}\nautostart={str(name in FIRST_PROGRAMS).lower()}\nautorestart=true\n"
            f"startsecs=0\nstartretries=1000000\nredirect_stderr=true\nstdout_logfile={STATE}/log/{name}.log\n"
            "stdout_logfile_maxbytes=20MB\nstdout_logfile_backups=1\nstopasgroup=true\n"
        )
    return "\n".join(sections)


def answering(identity: Identity) -> dict[str, str]:
    """Where programs answer who is alive, whatever the answer is."""
    return {
        "kubelet": f"https://{identity.node_address}:10250/healthz",
        "kube-proxy": f"http://{identity.node_address}:10256/healthz",
    }


def containerd_config(identity: Identity) -> str:
    """containerd's configuration. `restrict_oom_score_adj`: the machine may lack CAP_SYS_RESOURCE.

    The shim and runc are named, as others may lie in PATH. Extensions by NRI would be read from the host's folders. CPU times of containers are collected
    as often as the kubelet asks for them: by default it is each second, and containerd with its shims takes 0.9 of an idle API server's CPU time, not 0.3.
    """
    return f"""version = 4
root = "{STATE}/containerd"
state = "{INSIDE}/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri"]
[plugins."io.containerd.server.v1.grpc"]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.server.v1.ttrpc"]
  address = "{CONTAINERD_SOCKET}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{STATE}/containerd-opt"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{IMAGE_REPOSITORY}/pause:1"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "{STATE}/config/certs.d"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  stats_collect_period = "10s"
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{STATE}/config/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    runtime_path = "{PARTS}/containerd/containerd-shim-runc-v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "{PARTS}/runc/runc"
      SystemdCgroup = false
"""


def images_init_script(root: PurePath, containerd: PurePath) -> str:
    """Run as the first process in namespaces of its own, where images are imported: this containerd without Kubernetes.

    Its socket has the same short path as in a node, wherever `root`, its folder on the host, is.
    """
    return f"""#!/bin/sh
set -eu
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p {INSIDE}
cat > {INSIDE}/containerd.toml << 'END'
{images_config(str(root), f"{INSIDE}/containerd", CONTAINERD_SOCKET)}END
exec {shlex.quote(str(containerd))} --config {INSIDE}/containerd.toml
"""


def registry_hosts(identity: Identity) -> str:
    """Let containerd speak plain http to the node's own registry."""
    url = f"http://{identity.registry}"
    return f'server = "{url}"\n[host."{url}"]\n  capabilities = ["pull", "resolve", "push"]\n'


def registry_config(identity: Identity, *, writable: bool) -> dict[str, Any]:
    """The node's own OCI registry: two programs with one storage, one that only reads and one that writes."""
    port = REGISTRY_WRITE_PORT if writable else REGISTRY_PORT
    return {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": f"{STATE}/registry"},
            "delete": {"enabled": True},
            "maintenance": {"readonly": {"enabled": not writable}},
        },
        "http": {"addr": f"{identity.node_address}:{port}"},
    }


def registry_rules(identity: Identity) -> str:
    """nft's rules within the node: only the host's packets go to the registry that writes.

    Of the host only the users of host.guard_rules() get so far. Pods, and what the host forwards, can but read.
    """
    host, node = identity.host_address, identity.node_address
    return f"""table inet localcloud-registry {{
    chain prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        iifname "eth0" ip saddr {host} ip daddr {node} tcp dport {REGISTRY_PORT} dnat ip to {node}:{REGISTRY_WRITE_PORT}
    }}
    chain input {{
        type filter hook input priority filter; policy accept;
        iifname "eth0" ip saddr {host} tcp dport {REGISTRY_WRITE_PORT} accept
        tcp dport {REGISTRY_WRITE_PORT} reject with tcp reset
    }}
}}
"""


def cni_config() -> dict[str, Any]:
    """One bridge, as there is one node."""
    return {
        "cniVersion": "0.4.0",
        "name": "bridge",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": NODE_POD_NETWORK}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubeadm_config(identity: Identity, versions: Mapping[str, str]) -> list[dict[str, Any]]:
    """kubeadm's documents for a single node without systemd, on cgroup v1 or v2."""
    return [
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "InitConfiguration",
            "nodeRegistration": {
                "name": identity.name,
                "criSocket": f"unix://{CONTAINERD_SOCKET}",
                "taints": [],
                "imagePullPolicy": "IfNotPresent",
            },
            "localAPIEndpoint": {"bindPort": API_PORT, "advertiseAddress": identity.node_address},
        },
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "ClusterConfiguration",
            "clusterName": identity.name,
            "kubernetesVersion": versions["kubernetes"],
            "imageRepository": IMAGE_REPOSITORY,
            # Made for each node; RSA keys take seconds of CPU.
            "encryptionAlgorithm": "ECDSA-P256",
            "networking": {"podSubnet": POD_NETWORK, "serviceSubnet": SERVICE_NETWORK},
            "apiServer": security.api_server(f"{STATE}/{API_SERVER_SETTINGS}", f"{STATE}/log/audit"),
            "controllerManager": security.controller(**{"terminated-pod-gc-threshold": "100"}),
            "scheduler": security.controller(),
            "dns": {"imageTag": versions["coredns"]},
            "proxy": {"disabled": True},
            "etcd": {
                "local": {
                    "imageTag": versions["etcd"],
                    "dataDir": f"{STATE}/etcd",
                    # A local cluster need not outlive a power cut; a killed process loses nothing by it.
                    "extraArgs": [{"name": "unsafe-no-fsync", "value": "true"}],
                }
            },
        },
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{identity.name}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "enforceNodeAllocatable": [],
            "imageGCHighThresholdPercent": 100,
            # A full disk is the machine's: to evict pods frees nothing there, costs an emulator its data, and keeps the node without any for
            # five minutes after there is space again.
            "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
            # What ended because something else was away is tried again after 1 s, 2 s and so on, up to this; by default after up to five minutes.
            "featureGates": {"ReduceDefaultCrashLoopBackOffDecay": True},
            "crashLoopBackOff": {"maxContainerRestartPeriod": "10s"},
            "serializeImagePulls": False,
            "maxPods": 200,
            "resolvConf": f"{INSIDE}/resolv.conf",
            **security.KUBELET,
        },
    ]


def kube_proxy_config(identity: Identity) -> dict[str, Any]:
    """kube-proxy runs beside the kubelet, not as a pod, and uses the host's nft."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": POD_NETWORK,
        "hostnameOverride": identity.name,
        "oomScoreAdj": 0,
        "conntrack": {"maxPerCore": 0, "min": 0},
        "clientConnection": {"kubeconfig": user_config("kube-proxy")},
        "metricsBindAddress": "127.0.0.1:10249",
    }
