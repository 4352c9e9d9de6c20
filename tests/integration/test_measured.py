"""What is shown of metrics: by route, on the report and on the dashboards, of a stack as that of test_monitoring.py.

pytest tests/integration/test_measured.py --stack …
"""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import PROMETHEUS_PORT
from tests.integration.test_monitoring import NAMESPACE, QUEUE, RELEASE, SETTINGS
from tests.integration.test_report import Stations, browsed, opened

# Prometheus reads new targets within minutes.
pytestmark = pytest.mark.nightly
BOARDS = Path(__file__).resolve().parents[2] / "charts/monitoring/dashboards"


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_requests_are_counted_by_route_template(stack: Any, playbook: Any, ask: Any, eventually: Any) -> None:
    # Pods that follow the load would want the metrics server, too.
    for blueprint, settings in {"users-api": {"stack_users_autoscaling": False}, "config-api": {}}.items():
        done = playbook("site.yml", **SETTINGS, **settings, stack_blueprint=blueprint)
        assert done.returncode == 0, done.stdout[-3000:]
    env = type(stack)(stack.folder).env
    asked = [f"{env['USERS_API_URL']}/user/{uuid.uuid4()}%40example.org" for _number in range(3)]
    assert [status_of(url) for url in asked] == [404] * 3
    assert status_of(f"{env['CONFIG_API_DEV_URL']}/parameters") == 200

    def counted(app: str, route: str, status: int) -> float:
        query = f'sum(localcloud_{app}_requests_total{{route="{route}", status="{status}"}})'
        return float(ask(query)[0]["value"][1]) if ask(query) else 0.0

    wanted = {("users_api", "/user/{email:path}", 404): 3, ("main_api", "/parameters", 200): 1}
    eventually(
        lambda: all(counted(*one) >= least for one, least in wanted.items()),
        # The kubelet hands a changed Secret, of which Prometheus reads its targets, to the pod within two minutes.
        240,
        lambda: {one: counted(*one) for one in wanted},
    )
    # A template has as many routes as the code, whatever is asked for.
    routes = {one["metric"]["route"] for one in ask("localcloud_users_api_requests_total")}
    assert not [route for route in routes if "example.org" in route]
    (p95,) = ask(
        'histogram_quantile(0.95, sum by (le) (localcloud_users_api_request_seconds_bucket{route="/user/{email:path}"}))'
    )
    assert 0 < float(p95["value"][1]) < 10
    jobs = {"users-api", "main-api", "auxiliary-service"}
    rates = "localcloud:http_requests:rate1m > 0"
    eventually(lambda: jobs <= {one["metric"]["job"] for one in ask(rates)}, 120, lambda: ask(rates))
    ratios = "localcloud:http_errors:ratio_rate5m"
    eventually(lambda: jobs <= {one["metric"]["job"] for one in ask(ratios)}, 120, lambda: ask(ratios))


def test_the_report_shows_what_prometheus_says(
    stack: Any, playbook: Any, ask: Any, eventually: Any, tmp_path: Path
) -> None:
    eventually(lambda: not ask("up == 0"), 90, lambda: ask("up == 0"))
    done = playbook("playbooks/report.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((stack.folder / "report.json").read_text())
    metrics = report["metrics"]
    assert metrics["targets"] == metrics["targets_up"] == len(ask("up")), metrics["down"]
    assert abs(metrics["clock_seconds_ahead"]) < 5
    assert report["unread"] == []

    page = Stations(opened(stack.folder / "report.html", tmp_path))
    (now,) = ask(f'rate(localcloud_producer_published_total{{namespace="{NAMESPACE}"}}[1m])')
    # An event a second, at two looks.
    assert page.rates[f"service:{RELEASE}-producer", "published"] == pytest.approx(float(now["value"][1]), abs=0.5)
    assert page.rates[f"service:{RELEASE}-consumer", "stored"] > 0
    assert page.rates[f"queue:{QUEUE}", "taken"] > 0
    boards = [json.loads(path.read_text()) for path in BOARDS.glob("*.json")]
    titles = {panel["title"] for board in boards for panel in board["panels"] if panel["type"] != "row"}
    assert {chart["title"] for chart in metrics["charts"]} == titles
    assert all(title in page.sections["metrics"] for title in titles)
    drawn = [chart for chart in metrics["charts"] if chart["series"] and not chart["single"]]
    text = (stack.folder / "report.html").read_text()
    assert text.count('<svg class="chart"') == len(drawn) > 5
    assert "Curves are missing" not in text


def test_the_report_says_that_prometheus_is_down_and_shows_the_rest(stack: Any, playbook: Any, tmp_path: Path) -> None:
    address = f"http://{stack.facts['address']}:1"
    done = playbook("playbooks/report.yml", stack_prometheus_url=address)
    assert done.returncode == 0, done.stdout + done.stderr
    page = Stations(opened(stack.folder / "report.html", tmp_path))
    assert f"Prometheus at {address} does not answer" in page.sections["unread"]
    assert "metrics" not in page.sections
    assert page.counts[f"queue:{QUEUE}", "waiting"] >= 0


def test_dashboards_are_shown_next_to_prometheus(stack: Any, tmp_path: Path) -> None:
    address = stack.facts["address"]
    for path in ("/user/", "/user/main.js", "/query"):
        assert status_of(f"http://{address}:{PROMETHEUS_PORT}{path}") == 200
    if shutil.which("chromium") is None:
        return
    url = f"http://{address}:{PROMETHEUS_PORT}/user/#localcloud-cluster"
    shown = browsed(url, tmp_path, "--virtual-time-budget=20000", "--window-size=1400,2400", host=address)
    board = json.loads((BOARDS / "localcloud-cluster.json").read_text())
    assert [panel["title"] for panel in board["panels"] if panel["title"] not in shown] == []
    # The first figure: no target is down.
    assert "No data" not in shown.partition("Alerts</")[0]
    # Of a legend the page has the first rows.
    pods = stack.kubectl("get", "pods", "--all-namespaces", "--output", "jsonpath={.items[*].metadata.name}").split()
    assert any(pod in shown for pod in pods)
