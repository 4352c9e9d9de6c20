"""Which faults there are. Each is injected by the test that has its mark, and has a row in docs/faults.md."""

from __future__ import annotations

from typing import NamedTuple

import pytest


class Fault(NamedTuple):
    """What is done, and whether only `make faults-load ARGS=--nightly` does it."""

    done: str
    nightly: bool = False


FREEZE_SECONDS = 10
COMPONENTS = {
    "kube-apiserver": "the API server",
    "etcd": "etcd",
    "provider": "the AWS provider",
    "coredns": "both pods of CoreDNS",
    "kubelet": "the kubelet",
}
FAULTS = {
    **{f"{name}-killed": Fault(f"{title}: `kill -9`") for name, title in COMPONENTS.items()},
    **{f"{name}-frozen": Fault(f"{title}: SIGSTOP for {FREEZE_SECONDS} s") for name, title in COMPONENTS.items()},
    "kubelet-hung": Fault("the kubelet: SIGSTOP for good, then `make up`", nightly=True),
    "disk-full-node": Fault("not a byte free for the node for 15 s"),
    "disk-full-cache": Fault("`make up` with a changed application, and not a byte free in the host's cache", nightly=True),
    "disk-full-etcd": Fault("etcd at its quota, so that it refuses every write, then `make up`", nightly=True),
    "memory-short-pod": Fault("a consumer's pod at its limit of memory, until the kernel kills it", nightly=True),
    "memory-short-node": Fault("all pods together at a limit of memory for 15 s, so that the kernel kills some", nightly=True),
    "clock-ahead": Fault("2 h ahead for 20 s, for all programs of the node, and back", nightly=True),
    "clock-behind": Fault("2 h behind for 20 s, for all programs of the node, and back", nightly=True),
    "certificates-expired": Fault("all certificates of the node ended yesterday; API server, etcd and kubelet start again; then `make up`", nightly=True),
    "network-lossy": Fault("of the emulator's packets 10 % lost in each direction for 20 s", nightly=True),
    "network-slow": Fault("the emulator's answers at 256 kbit/s for 20 s", nightly=True),
    "emulator-slow": Fault("the emulator answers each request 2 s later for 20 s", nightly=True),
    "emulator-half-open": Fault("the emulator takes connections and answers nothing for 12 s (SIGSTOP)", nightly=True),
    "emulator-failing": Fault("the emulator answers 30 % of the requests with 500 for 20 s", nightly=True),
    "make-up-killed": Fault("`make up` from nothing, killed by `kill -9` at moments drawn by a seed, some followed by `make down`; then `make up`"),
}  # fmt: skip


def injects(name: str) -> pytest.MarkDecorator:
    """The mark of a test that injects this fault. Raises KeyError if it is not listed."""
    return pytest.mark.fault(name, FAULTS[name])
