"""A target with 100,000 series is refused as a whole and named by an alert, by the real Prometheus and the rules that the cluster has."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
VALUES = yaml.safe_load((PROJECT / "charts/monitoring/values.yaml").read_text())["prometheus"]
TEXT = "".join(f'big{{user="{number}"}} 1\n' for number in range(100_000)).encode()


class Target(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(TEXT)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def target() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Target) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def prometheus(target: str, tmp_path: Path) -> Iterator[str]:
    """The address of a Prometheus that scrapes the target each second, with the chart's limit."""
    found = subprocess.run(
        [sys.executable, "scripts/part.py", "prometheus", "prometheus"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    scrape = {
        "job_name": "large",
        "sample_limit": VALUES["sampleLimit"],
        "static_configs": [{"targets": [target]}],
    }
    settings = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(PROJECT / "charts/monitoring/rules/cluster.yml")],
        "scrape_configs": [scrape],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(settings))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [
                found.stdout.strip(),
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address={address}",
                # As the chart has it.
                "--enable-feature=extra-scrape-metrics",
            ],
            stdout=log,
            stderr=log,
        )
        yield address
        process.terminate()
        process.wait(30)


def ask(address: str, expression: str) -> list[dict[str, Any]]:
    parameters = urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(f"http://{address}/api/v1/query?{parameters}", timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    except OSError:
        return []
    return found


def test_a_target_with_too_many_series_is_refused_and_named(prometheus: str, target: str) -> None:
    end = time.monotonic() + 60
    while not (alerts := ask(prometheus, 'ALERTS{alertname="TargetTooLarge"}')):
        assert time.monotonic() < end, f"no alert within 60 s; up is {ask(prometheus, 'up')}"
        threading.Event().wait(0.5)
    assert (alerts[0]["metric"]["job"], alerts[0]["metric"]["instance"]) == ("large", target)
    assert ask(prometheus, "count(big)") == []
