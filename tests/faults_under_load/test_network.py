"""The network between pods and emulator: lossy, and slow; and an emulator that is slow, half-open or failing.

Kernels without netem lose packets by nft's random numbers and are slow by tbf; the emulator's faults are those of `localstack_service_faults`,
whose proxy is put into the network of its pod. So all of it lies beyond the cluster's own NetworkPolicies, which see what they always see.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for
from ansible_collections.localcloud.stack.plugins.module_utils.emulators import fault_proxy

from tests.faults_under_load.catalog import injects
from tests.faults_under_load.cloud import EMULATOR

FAULT_SECONDS = 20
HALF_OPEN_SECONDS = 12
PORT, PROXY_PORT = 4566, 4577
SERVICES = ("sns", "sqs", "dynamodb", "s3")
LOSSY = """
table inet faults {
    chain incoming { type filter hook input priority 0; iifname "eth0" numgen random mod 100 < 10 drop; }
    chain outgoing { type filter hook output priority 0; oifname "eth0" numgen random mod 100 < 10 drop; }
}
"""
# What comes anew goes to the proxy; what was connected before has to connect anew.
REDIRECTED = f"""
table inet faults {{
    chain anew {{ type nat hook prerouting priority dstnat; iifname "eth0" tcp dport {PORT} redirect to :{PROXY_PORT}; }}
    chain before {{ type filter hook input priority 0; iifname "eth0" tcp dport {PORT} reject with tcp reset; }}
}}
"""
DIRECT = f"""
delete table inet faults
table inet faults {{
    chain before {{ type filter hook input priority 0; iifname "eth0" tcp dport {PROXY_PORT} reject with tcp reset; }}
}}
"""


@contextmanager
def rules(cloud: Any, process: psutil.Process, text: str) -> Iterator[None]:
    """nft's rules in the network of a process."""
    load(process, text)
    try:
        yield
    finally:
        cloud.inside(process, "nft", "delete", "table", "inet", "faults")


def load(process: psutil.Process, text: str) -> None:
    command = ["nsenter", "--target", str(process.pid), "--net", "--", "nft", "--file", "-"]
    subprocess.run(command, input=text, text=True, check=True)


@injects("network-lossy")
def test_packets_are_lost(cloud: Any, under_load: Any) -> None:
    emulator, _groups = cloud.pod_process(EMULATOR)
    with under_load(), rules(cloud, emulator, LOSSY):
        time.sleep(FAULT_SECONDS)


@injects("network-slow")
def test_the_network_is_slow(cloud: Any, under_load: Any) -> None:
    emulator, _groups = cloud.pod_process(EMULATOR)
    queue = ("root", "tbf", "rate", "256kbit", "burst", "16kb", "latency", "3s")
    with under_load():
        cloud.inside(emulator, "tc", "qdisc", "add", "dev", "eth0", *queue)
        try:
            time.sleep(FAULT_SECONDS)
        finally:
            cloud.inside(emulator, "tc", "qdisc", "del", "dev", "eth0", "root")


@contextmanager
def faults(cloud: Any, seed: int, **fault: Any) -> Iterator[None]:
    """Do this fault to a share of the requests that the emulator gets."""
    emulator, _groups = cloud.pod_process(EMULATOR)
    wanted = json.dumps([{"service": service, **fault} for service in SERVICES])
    enter = ["nsenter", "--target", str(emulator.pid), "--net", "--"]
    command = [
        *(*enter, sys.executable, str(Path(fault_proxy.__file__))),
        *("--address=0.0.0.0", f"--port={PROXY_PORT}", f"--upstream=http://127.0.0.1:{PORT}"),
        *(f"--seed={seed}", f"--faults={wanted}"),
    ]
    ask = (
        sys.executable,
        "-c",
        f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{PROXY_PORT}/_faults').read())",
    )

    def counts() -> str:
        return subprocess.run([*enter, *ask], capture_output=True, text=True, check=True).stdout

    def silent() -> str | None:
        assert proxy.poll() is None, "the proxy has ended"
        try:
            counts()
        except subprocess.CalledProcessError as error:
            return str(error.stderr)[-200:]
        return None

    with subprocess.Popen(command) as proxy:
        try:
            wait_for("the proxy to serve", silent, 20)
            with rules(cloud, emulator, REDIRECTED):
                yield
                assert f"sns.{fault['fault']}" in counts(), "no request went through the proxy"
                load(emulator, DIRECT)
        finally:
            proxy.kill()


@injects("emulator-slow")
def test_the_emulator_is_slow(cloud: Any, under_load: Any, seed: int) -> None:
    with under_load(), faults(cloud, seed, fault="latency", rate=1, milliseconds=2000):
        time.sleep(FAULT_SECONDS)


@injects("emulator-failing")
def test_the_emulator_answers_500(cloud: Any, under_load: Any, seed: int) -> None:
    with under_load(), faults(cloud, seed, fault="error", rate=0.3):
        time.sleep(FAULT_SECONDS)


@injects("emulator-half-open")
def test_the_emulator_takes_connections_and_answers_nothing(cloud: Any, under_load: Any) -> None:
    with under_load():
        emulator, _groups = cloud.pod_process(EMULATOR)
        emulator.send_signal(signal.SIGSTOP)
        try:
            time.sleep(HALF_OPEN_SECONDS)
        finally:
            emulator.send_signal(signal.SIGCONT)
