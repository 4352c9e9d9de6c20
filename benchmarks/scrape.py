"""What it costs Prometheus to scrape many pods: CPU and memory, with the chart's limits and rules, of generated targets on loopback.

    scrape.py [--targets 200] [--series 120] [--interval 15] [--seconds 90]

Each target answers with counters, gauges and histograms whose values move. The processes' CPU time and memory are read from /proc, as a share of one
core; what answers is a process of its own, so that it does not count.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import yaml

PROJECT = Path(__file__).resolve().parent.parent
CHART = yaml.safe_load((PROJECT / "charts/monitoring/values.yaml").read_text())["prometheus"]
BUCKETS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf")


def metrics(series: int) -> str:
    """A page of so many series, as the services have them: a histogram and counters by route; {n} is where a moving number goes."""
    lines = ["# TYPE localcloud_users_api_request_seconds histogram"]
    routes = [f"/r{number}" for number in range(series // 20)]
    for route in routes:
        for bucket in BUCKETS:
            lines.append(
                f'localcloud_users_api_request_seconds_bucket{{method="GET",route="{route}",le="{bucket}"}} {{n}}'
            )
    for route in routes:
        for status in ("200", "201", "400", "404", "409", "422", "500", "502", "503", "504"):
            lines.append(f'localcloud_users_api_requests_total{{method="GET",route="{route}",status="{status}"}} {{n}}')
    lines += [f"process_gauge_{number} {{n}}" for number in range(series - (len(lines) - 1))]
    return "\n".join(lines) + "\n"


def serve(series: int, port: Any) -> None:
    template = metrics(series)
    begun = time.monotonic()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = template.replace("{n}", f"{(time.monotonic() - begun) * 7:.1f}").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        port.put(server.server_port)
        server.serve_forever()


def settings(given: argparse.Namespace, port: int) -> dict[str, Any]:
    """Prometheus' configuration: a target for each path, each with a pod's labels."""
    targets = [
        {
            "targets": [f"127.0.0.1:{port}"],
            "labels": {
                "__metrics_path__": f"/{number}",
                "namespace": f"n{number % 10}",
                "pod": f"pod-{number}",
                "instance": f"10.0.0.{number}:8080",
            },
        }
        for number in range(given.targets)
    ]
    scrape = {
        "job_name": "users-api",
        "sample_limit": CHART["sampleLimit"],
        "label_limit": CHART["labelLimit"],
        "static_configs": targets,
    }
    interval = f"{given.interval}s"
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": "10s", "evaluation_interval": interval},
        "rule_files": [str(PROJECT / "charts/monitoring/rules/*.yml")],
        "scrape_configs": [scrape],
    }


def ask(address: str, expression: str) -> float:
    url = f"http://{address}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        found = json.load(answer)["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0


def wait_until_scraped(address: str, targets: int, limit: float) -> None:
    end = time.monotonic() + limit
    up = 0.0
    while up < targets:
        if time.monotonic() > end:
            sys.exit(f"Only {up:.0f} of {targets} targets were scraped within {limit:.0f} s.")
        threading.Event().wait(1)
        try:
            up = ask(address, "sum(up)")
        except OSError:
            continue


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("targets", 200), ("series", 120), ("interval", 15), ("seconds", 90)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    part = subprocess.run(
        [sys.executable, "scripts/part.py", "prometheus", "prometheus"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    ports: Any = multiprocessing.Queue()
    answering = multiprocessing.Process(target=serve, args=(given.series, ports), daemon=True)
    answering.start()
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        Path(folder, "prometheus.yml").write_text(yaml.safe_dump(settings(given, ports.get(timeout=30))))
        arguments = [
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address={address}",
            "--log.level=error",
        ]
        prometheus = subprocess.Popen([part.stdout.strip(), *arguments, "--enable-feature=extra-scrape-metrics"])
        try:
            wait_until_scraped(address, given.targets, 120)
            process = psutil.Process(prometheus.pid)
            before, begun = process.cpu_times(), time.monotonic()
            threading.Event().wait(given.seconds)
            after, took = process.cpu_times(), time.monotonic() - begun
            share = (after.user + after.system - before.user - before.system) / took
            memory = process.memory_info().rss / 2**20
            series, up = ask(address, "prometheus_tsdb_head_series or count({__name__!=''})"), ask(address, "sum(up)")
        finally:
            prometheus.terminate()
            prometheus.wait(30)
            answering.terminate()
    print(
        f"{up:.0f} targets of {given.series} series each ({series:,.0f} in all), scraped every {given.interval} s for {took:.0f} s: "
        f"{share:.1%} of a core, {memory:.0f} MiB resident; load of the machine {psutil.getloadavg()[0]:.1f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
