# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and addresses of one checkout's embedded node, so that several nodes live side by side on one machine.

Pure.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

# Each node takes one /30 of this range: the host's end and the node's end of a cable. Private by RFC 1918, because
# Crossplane speaks plain http only to registries at such addresses.
RANGE = ipaddress.IPv4Network("10.213.0.0/16")
POD_NETWORK = "10.244.0.0/16"
NODE_POD_NETWORK = "10.244.0.0/24"
SERVICE_NETWORK = "10.96.0.0/12"
API_PORT = 6443
ETCD_PEER_PORT = 2380
# Of a container that is to have a node in it.
OWN_CGROUPS = "Start the container with `--privileged --cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw`"
# The registry reads at the one port, and writes at the other, to which only the host's packets for the first one are led.
REGISTRY_PORT, REGISTRY_WRITE_PORT = 5000, 5001


@dataclass(frozen=True)
class Identity:
    """`name` marks everything of the node on the host; `host_address` and `node_address` are the cable's ends."""

    name: str
    interface: str
    host_address: str
    node_address: str

    @property
    def registry(self) -> str:
        """Where the node's OCI registry answers, for the host and for pods."""
        return f"{self.node_address}:{REGISTRY_PORT}"

    @property
    def api_server(self) -> str:
        """Where the node's Kubernetes API answers, as the kubeconfig writes it."""
        return f"https://{self.node_address}:{API_PORT}"

    @property
    def peer_url(self) -> str:
        """Where the node's etcd answers others of its kind, as kubeadm has it; there are none."""
        return f"https://{self.node_address}:{ETCD_PEER_PORT}"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def key(checkout: str) -> str:
    """Eight hexadecimal digits that stand for the checkout's absolute path."""
    return hashlib.sha256(checkout.encode()).hexdigest()[:8]


def candidates(checkout: str) -> Iterator[ipaddress.IPv4Network]:
    """All /30 networks of the range, beginning at a place that depends on the checkout."""
    count = 2 ** (30 - RANGE.prefixlen)
    first = int(key(checkout), 16) % count
    base = int(RANGE.network_address)
    for step in range(count):
        yield ipaddress.IPv4Network((base + 4 * ((first + step) % count), 30))


def choose(checkout: str, taken: Iterable[str]) -> Identity:
    """The identity of a checkout's node; `taken` are networks (CIDR) and addresses which the host already uses.

    A default route takes nothing. Raises LookupError if the whole range is taken.
    """
    used = _used(taken)
    for network in candidates(checkout):
        if not any(network.overlaps(other) for other in used):
            host, node = network.hosts()
            return Identity(f"localcloud-{key(checkout)}", f"lc-{key(checkout)}", str(host), str(node))
    raise LookupError(f"No free /30 network is left in {RANGE}; see `ip route` for what takes it.")


def is_free(identity: Identity, taken: Iterable[str], own: Identity | None) -> bool:
    """Whether a node can have this identity's addresses; `taken`: as for choose(), of which those of `own`, a node that gives way, don't count."""
    wanted = _network(identity)
    given_up = own and _network(own)
    return not any(
        wanted.overlaps(network) and not (given_up and network.subnet_of(given_up)) for network in _used(taken)
    )


def _used(taken: Iterable[str]) -> list[ipaddress.IPv4Network]:
    """The IPv4 networks among these; a default route takes nothing."""
    found = map(ipaddress.ip_network, taken)
    return [network for network in found if isinstance(network, ipaddress.IPv4Network) and network.prefixlen]


def _network(identity: Identity) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(f"{identity.node_address}/30", strict=False)
