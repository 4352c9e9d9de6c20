"""Each component killed, and each frozen: events and users go on meanwhile, and all works again by itself."""

from __future__ import annotations

import signal
import time
from typing import Any

import psutil
import pytest

from tests.faults_under_load.catalog import COMPONENTS, FREEZE_SECONDS, injects

# Of these nothing of the data's way is made; CoreDNS is asked by a client that connects anew.
ASIDE = {"kube-apiserver", "etcd", "provider", "kubelet"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=injects(f"{name}-killed")) for name in COMPONENTS])
def test_a_component_that_is_killed(cloud: Any, under_load: Any, name: str) -> None:
    with under_load(unnoticed=name in ASIDE):
        killed = cloud.processes(name)
        for process in killed:
            process.kill()
        gone, alive = psutil.wait_procs(killed, timeout=10)
        assert gone and not alive


@pytest.mark.parametrize("name", [pytest.param(name, marks=injects(f"{name}-frozen")) for name in COMPONENTS])
def test_a_component_that_is_frozen(cloud: Any, under_load: Any, name: str) -> None:
    with under_load(unnoticed=name in ASIDE):
        frozen = cloud.processes(name)
        try:
            for process in frozen:
                process.send_signal(signal.SIGSTOP)
            time.sleep(FREEZE_SECONDS)
        finally:
            for process in frozen:
                process.send_signal(signal.SIGCONT)


@injects("kubelet-hung")
def test_a_kubelet_that_hangs_is_replaced_by_a_run(cloud: Any, under_load: Any) -> None:
    with under_load(unnoticed=True) as trial:
        (kubelet,) = cloud.processes("kubelet")
        kubelet.send_signal(signal.SIGSTOP)
        trial.end()
        cloud.heal()
        assert not kubelet.is_running()
