"""Check all charts and Dockerfiles: helm lint, helm-unittest, kubeconform, kube-score, Checkov.

    check_charts.py [CHARTS]      a folder of charts instead of charts/

Each chart is rendered with its own values, and with those of each file in its folder ci/. Findings are mended, or accepted
one by one, with a reason, in CHARTS/accepted-findings.yml. Needs no network once the tools are built and Checkov is installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, BuildError, Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root
from ansible_collections.localcloud.stack.scripts.findings import Finding, accepted, judge
from ansible_collections.localcloud.stack.scripts.kubernetes_schemas import from_crd, from_swagger

PROJECT = Path(__file__).resolve().parent.parent
CHECKOV = PROJECT / ".venv/checkov"
RELEASE = "check"
CRDS = {
    "gateway-api-schemas": ("httproute.yml",),
    "prometheus-operator-schemas": ("servicemonitor.yml", "podmonitor.yml", "prometheusrule.yml", "prometheus.yml"),
}
COMMANDS = ("helm", "kubeconform", "kube-score", "helm-unittest")


class CheckError(Exception):
    """A tool did not do its work; the message says which and what it said."""


@dataclass(frozen=True)
class Render:
    """What Helm makes of a chart with one set of values, as a file."""

    title: str
    path: Path


def main() -> int:
    charts = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PROJECT / "charts"
    try:
        results = Builder(
            Inventory.read(PROJECT), Cache(default_root()), lambda line: print(line, file=sys.stderr)
        ).require([*COMMANDS, "prometheus", "kubernetes-schemas", *CRDS])
        parts = {name: result.path for name, result in results.items()}
        version = Inventory.read(PROJECT).parts["kubernetes"].spec["version"]
        with tempfile.TemporaryDirectory() as folder:
            findings = check(
                charts,
                {name: parts[name] / name for name in COMMANDS} | {"promtool": parts["prometheus"] / "promtool"},
                parts,
                version,
                Path(folder),
            )
        problems = judge(findings, accepted(yaml.safe_load((charts / "accepted-findings.yml").read_text()) or []))
    except (BuildError, CheckError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    if problems:
        print("\n".join(problems))
        print(
            f"{len(problems)} findings. Mend each, or accept it with a reason in {charts.name}/accepted-findings.yml."
        )
        return 1
    print(f"Charts and Dockerfiles are in order, but for {len(findings)} accepted findings.")
    return 0


def check(
    charts: Path, commands: Mapping[str, Path], parts: Mapping[str, Path], version: str, work: Path
) -> set[Finding]:
    """All findings of all tools. Raises CheckError."""
    applications = sorted(path.parent for path in charts.glob("*/Chart.yaml") if is_application(path))
    if not applications:
        raise CheckError(f"There is no chart in {charts}.")
    with ThreadPoolExecutor() as pool:
        environment = pool.submit(install_checkov)
        linted = [pool.submit(lint, commands["helm"], chart) for chart in applications]
        tested = [pool.submit(unittest, commands["helm-unittest"], chart) for chart in applications]
        ruled = [pool.submit(rules, commands["promtool"], chart) for chart in applications]
        asked = [pool.submit(queries, commands["promtool"], chart, work) for chart in applications]
        schemas = pool.submit(write_schemas, parts, work / "schemas")
        renders = [one for chart in applications for one in render(commands["helm"], chart, work / "renders")]
        dockerfiles = stage_dockerfiles(work / "renders")
        environment.result()
        scanned = pool.submit(checkov, work / "renders", dockerfiles)
        schemas.result()
        fitted = [pool.submit(kubeconform, commands["kubeconform"], one, work / "schemas") for one in renders]
        scored = [pool.submit(kube_score, commands["kube-score"], one, version) for one in renders]
        return {
            finding for job in [*linted, *tested, *ruled, *asked, *fitted, *scored, scanned] for finding in job.result()
        }


def is_application(chart: Path) -> bool:
    return bool(yaml.safe_load(chart.read_text()).get("type", "application") == "application")


def values_of(chart: Path) -> list[Path | None]:
    """The chart's own values, and each file of ci/."""
    return [None, *sorted((chart / "ci").glob("*-values.yaml"))]


def chosen(values: Path | None) -> list[str | Path]:
    return ["--values", values] if values else []


def run(command: Sequence[str | Path], codes: Iterable[int] = (0,), **more: Any) -> str:
    """Output of a command. Raises CheckError if it exits with a code that does not belong to its work."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode not in codes:
        told = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise CheckError(f"`{Path(command[0]).name} {command[1]}` exited with {done.returncode}:\n{told}")
    return done.stdout


def lint(helm: Path, chart: Path) -> list[Finding]:
    found = []
    for values in values_of(chart):
        command = [helm, "lint", "--strict", "--quiet", chart, *chosen(values)]
        told = run(command, codes=(0, 1))
        found += [
            Finding("helm", "lint", chart.name, line)
            for line in told.splitlines()
            if line.startswith(("[ERROR]", "[WARNING]"))
        ]
    return found


def unittest(command: Path, chart: Path) -> list[Finding]:
    """A chart without tests in tests/ has its tests elsewhere."""
    if not list((chart / "tests").glob("*_test.yaml")):
        return []
    done = subprocess.run([command, "--strict", chart], capture_output=True, text=True, check=False)
    if done.returncode == 0 and re.search(r"^Tests: +[1-9]", done.stdout, re.M):
        return []
    return [Finding("helm-unittest", "test", chart.name, done.stdout + done.stderr)]


def rules(promtool: Path, chart: Path) -> list[Finding]:
    """What promtool finds in a chart's rules/ (each with its file and line), and which of tests/rules/ fail."""
    checks = {path: ["check", "rules", "--lint=all", "--lint-fatal"] for path in sorted(chart.glob("rules/*.yml"))}
    checks |= {path: ["test", "rules"] for path in sorted(chart.glob("tests/rules/*.yml"))}
    found = []
    for path, words in checks.items():
        done = subprocess.run([promtool, *words, path], capture_output=True, text=True, check=False)
        if done.returncode:
            where = str(path.relative_to(chart.parent))
            found.append(Finding("promtool", words[0], where, done.stdout + done.stderr))
    return found


def queries(promtool: Path, chart: Path, work: Path) -> list[Finding]:
    """Queries of a chart's dashboards that Prometheus can't read; each is taken for a rule, with a value for Grafana's variables."""
    found = []
    for path in sorted(chart.glob("dashboards/*.json")):
        panels = json.loads(path.read_text())["panels"]
        texts = [target["expr"] for panel in panels for target in panel.get("targets", [])]
        asked = [
            {"record": f"query:{place}", "expr": text.replace("$__rate_interval", "5m")}
            for place, text in enumerate(texts)
        ]
        file = work / f"{chart.name}-{path.stem}-queries.yml"
        file.write_text(yaml.safe_dump({"groups": [{"name": path.stem, "rules": asked}]}))
        done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
        if done.returncode or not texts:
            where = str(path.relative_to(chart.parent))
            found.append(Finding("promtool", "query", where, done.stdout + done.stderr))
    return found


def render(helm: Path, chart: Path, target: Path) -> list[Render]:
    target.mkdir(exist_ok=True)
    made = []
    for values in values_of(chart):
        title = f"{chart.name}-{values.stem}" if values else chart.name
        path = target / f"{title}.yaml"
        command = [
            helm,
            "template",
            RELEASE,
            chart,
            "--namespace",
            "apps",
            *chosen(values),
        ]
        path.write_text(run(command))
        made.append(Render(title, path))
    return made


def write_schemas(parts: Mapping[str, Path], target: Path) -> None:
    target.mkdir()
    schemas = dict(from_swagger(json.loads((parts["kubernetes-schemas"] / "swagger.json").read_text())))
    for part, files in CRDS.items():
        for file in files:
            schemas |= from_crd(yaml.safe_load((parts[part] / file).read_text()))
    for name, schema in schemas.items():
        (target / f"{name}.json").write_text(json.dumps(schema))


def kubeconform(command: Path, rendered: Render, schemas: Path) -> list[Finding]:
    template = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    told = run(
        [command, "-strict", "-summary", "-output", "json", "-schema-location", template, rendered.path], codes=(0, 1)
    )
    document = json.loads(told)
    if not document["summary"]["valid"] and not document["resources"]:
        raise CheckError(f"kubeconform saw nothing in {rendered.title}.")
    return [
        Finding("kubeconform", "schema", f"{one['kind']}/{one['name']}", one["msg"]) for one in document["resources"]
    ]


def kube_score(command: Path, rendered: Render, version: str) -> list[Finding]:
    kubernetes = ".".join(version.split(".")[:2])
    told = run(
        [command, "score", "--output-format", "json", "--kubernetes-version", kubernetes, rendered.path], codes=(0, 1)
    )
    return [
        Finding(
            "kube-score",
            check["check"]["id"],
            f"{one['type_meta']['kind']}/{one['object_meta']['name']}",
            "; ".join(comment["summary"] for comment in check["comments"] or []),
        )
        for one in json.loads(told) or []
        for check in one["checks"]
        if not check["skipped"] and check["grade"] < 10
    ]


def stage_dockerfiles(target: Path) -> dict[str, str]:
    """Copies of all image descriptions under the one name that Checkov knows: path of the copy -> path in the project."""
    staged = {}
    for path in sorted([*PROJECT.glob("apps/*/Dockerfile"), *PROJECT.glob("toolchain/*/Containerfile")]):
        copy = target / path.parent.name / "Dockerfile"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        staged[f"/{copy.relative_to(target)}"] = str(path.relative_to(PROJECT))
    return staged


def checkov(renders: Path, dockerfiles: Mapping[str, str]) -> list[Finding]:
    told = run(
        [
            CHECKOV / "bin/checkov", "--directory", renders, "--framework", "kubernetes", "dockerfile",
            "--output", "json", "--compact", "--quiet", "--skip-download",
        ],
        codes=(0, 1),
    )  # fmt: skip
    reports = {report["check_type"]: report for report in json.loads(told)}
    for kind in ("kubernetes", "dockerfile"):
        summary = reports[kind]["summary"]
        if not summary["passed"] or summary["parsing_errors"]:
            raise CheckError(f"Checkov could not read what it was given: {kind} {summary}")
    return [
        Finding("checkov", one["check_id"], checkov_where(one, dockerfiles), one["check_name"])
        for report in reports.values()
        for one in report["results"]["failed_checks"]
    ]


def checkov_where(failed: Mapping[str, Any], dockerfiles: Mapping[str, str]) -> str:
    """A file of the project, or Kind/name; Checkov has Kind.namespace.name."""
    if failed["file_path"] in dockerfiles:
        return dockerfiles[failed["file_path"]]
    kind, _group, name = failed["resource"].split(".", 2)
    return f"{kind}/{name}"


def install_checkov() -> None:
    """Checkov in an environment of its own, since it pins what others want newer. Does nothing if it is there."""
    requirements = PROJECT / "requirements/checkov.txt"
    stamp, wanted = CHECKOV / "stamp", hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("Installing the Python packages of requirements/checkov.txt", file=sys.stderr)
    venv.create(CHECKOV, clear=True, symlinks=True)
    run(
        [
            PROJECT / ".venv/bin/uv", "pip", "install", "--quiet", "--python", CHECKOV / "bin/python",
            "--require-hashes", "--requirement", requirements,
        ],
        env={"UV_CACHE_DIR": str(default_root() / "uv"), **os.environ},
    )  # fmt: skip
    stamp.write_text(wanted)


if __name__ == "__main__":
    sys.exit(main())
