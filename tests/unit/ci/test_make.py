"""What `make test` runs, as make itself tells it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
# Run by the scenarios of Molecule, as they need a stack.
BY_SCENARIOS = {"integration"}
# Run by the workflow nightly.yml, as tests/unit/ci/test_nightly_workflow.py holds.
BY_NIGHT = {"faults_under_load"}
SCENARIOS_BY_NIGHT = {"upgrade"}
# pytest's testpaths.
BY_DEFAULT = {"unit"}


HOSTILE = """it's "a" $HOME $(shell touch made) $$ `touch made` \\ ; touch made # %s {} é"""


def make(*arguments: str, **environment: str) -> str:
    """What make prints, as a user starts it."""
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    kept = {name: value for name, value in os.environ.items() if name not in outer}
    done = subprocess.run(
        ["make", *arguments], cwd=PROJECT, env={**kept, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the logs of a run."""
    folder = tmp_path_factory.mktemp("jobs")
    for name in ("unit.log", "lint.log", "faults.failed"):
        (folder / name).write_text("of the last run")
    return folder


@pytest.fixture(scope="module")
def planned(jobs: Path) -> str:
    """The commands of all jobs of `make test`."""
    return make("--dry-run", "test", f"JOBS={jobs}")


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A PATH in which the programs that recipes run print what they are given, and python is this one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("ansible-playbook", "docker", "pytest"):
        code = "import json, sys; print('given: ' + json.dumps(sys.argv[1:]))"
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"\n')
        (folder / name).chmod(0o755)
    (folder / "python").symlink_to(sys.executable)
    return f"{folder}:{os.environ['PATH']}"


def given(output: str) -> list[str]:
    (line,) = [line for line in output.splitlines() if line.startswith("given: ")]
    found: list[str] = json.loads(line.removeprefix("given: "))
    return found


@pytest.mark.parametrize("value", [HOSTILE, "../orders", "two  words ", "'", '"', "$", "$(", "{{ x }}", "a\nb"])
@pytest.mark.parametrize(
    ("target", "name", "variable"),
    [
        ("up", "BLUEPRINT", "stack_blueprint"),
        ("down", "BLUEPRINT", "stack_blueprint"),
        ("new-blueprint", "DIR", "new_blueprint_dir"),
    ],
)
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_value_comes_as_it_is_given(
    programs: str, tmp_path: Path, target: str, name: str, variable: str, value: str, by: str
) -> None:
    """No part of it is run or expanded, by make or by a shell."""
    # `true` sets nothing up.
    arguments = [target, "PYTHON=true", f"PATH={programs}"]
    output = make(*arguments, f"{name}={value}") if by == "argument" else make(*arguments, **{name: value})
    arguments = given(output)
    assert json.loads(arguments[arguments.index("-e") + 1]) == {variable: value}
    assert not (PROJECT / "made").exists()


def test_an_address_and_an_image_come_as_they_are_given(programs: str) -> None:
    common = ("PYTHON=true", f"PATH={programs}")
    assert given(make("test-api", *common, f"API_URL={HOSTILE}"))[-1] == f"--api-url={HOSTILE}"
    assert HOSTILE in given(make("build-image", *common, f"IMAGE={HOSTILE}"))
    assert not (PROJECT / "made").exists()


@pytest.mark.parametrize("target", ["up", "verify", "status", "down"])
def test_json_in_args_needs_no_quotes_within_quotes(programs: str, target: str) -> None:
    settings = {
        "stack_tags": {"team": HOSTILE},
        "apps_image_registry": "registry.example:5000/stack",
        "list": ["a", "b"],
    }
    arguments = given(make(target, "PYTHON=true", f"PATH={programs}", f"ARGS=--check -e {json.dumps(settings)}"))
    assert arguments[-3:-1] == ["--check", "-e"]
    assert json.loads(arguments[-1]) == settings
    assert not (PROJECT / "made").exists()


def test_without_a_value_none_is_given(programs: str) -> None:
    assert given(make("verify", "PYTHON=true", f"PATH={programs}")) == ["playbooks/verify.yml"]


def test_the_report_as_data_is_all_that_is_printed(programs: str, tmp_path: Path) -> None:
    """What Ansible prints goes elsewhere."""
    (tmp_path / ".localcloud").mkdir()
    (tmp_path / ".localcloud/report.json").write_text('{"state": "ok"}')
    common = ("report", "PYTHON=true", f"PATH={programs}")
    assert make(*common, "FORMAT=json", LOCALCLOUD_DIR=str(tmp_path)) == '{"state": "ok"}'
    assert given(make(*common)) == ["playbooks/report.yml"]


@pytest.mark.parametrize("given_format", ["xml", "json ", HOSTILE])
def test_an_unknown_format_is_refused(programs: str, given_format: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        make("report", "PYTHON=true", f"PATH={programs}", FORMAT=given_format)
    assert "is unknown. Take FORMAT=json" in refused.value.stderr
    assert not refused.value.stdout
    assert not (PROJECT / "made").exists()


def test_a_dry_run_leaves_the_logs_of_the_last_run(planned: str, jobs: Path) -> None:
    assert "molecule test" in planned
    assert {path.name: path.read_text() for path in jobs.iterdir()} == dict.fromkeys(
        ("unit.log", "lint.log", "faults.failed"), "of the last run"
    )


def test_what_failed_is_told_at_the_end(tmp_path: Path) -> None:
    framed = "  \x1b[2m\x1b[31m│\x1b[0m \x1b[0;31m        {}\x1b[0m\n"
    lines = [
        ".F..",
        "E   AssertionError: assert 1 == 2",
        "FAILED test_stack.py::test_event - assert 1 == 2",
        "fatal: [localhost]: FAILED! =>",
        "  msg: non-zero return code",
        "  stdout: 1 process is left",
    ]
    (tmp_path / "molecule-default.failed").write_text("".join(map(framed.format, lines)))
    (tmp_path / "unit.failed").write_text("E   KeyError: 'a'\n" + "passed\n" * 9)
    told = [line.strip() for line in make("what-failed", f"JOBS={tmp_path}").splitlines()]
    assert told[0] == f"--- {tmp_path}/molecule-default.failed"
    assert told[1:6] == [line.strip() for line in lines[1:]]
    assert "E   KeyError: 'a'" in told


@pytest.mark.parametrize(("nightly", "left"), [("", SCENARIOS_BY_NIGHT), ("1", SCENARIOS_BY_NIGHT | {"kind"})])
def test_every_scenario_is_run_once(jobs: Path, nightly: str, left: set[str]) -> None:
    planned = make("--dry-run", "test", f"JOBS={jobs}", f"NIGHTLY={nightly}")
    for path in (PROJECT / "molecule").iterdir():
        times = 0 if path.name in left else 1
        assert planned.count(f" molecule test --scenario-name {path.name}\n") == times, path.name


@pytest.mark.parametrize(("minutes", "nightly", "runs"), [(44, "", True), (46, "", False), (46, "1", True)])
def test_a_scenario_begins_only_where_there_is_room(
    programs: str, tmp_path: Path, minutes: int, nightly: str, runs: bool
) -> None:
    (tmp_path / "bin/molecule").write_text("#!/bin/sh\necho molecule runs\n")
    (tmp_path / "bin/molecule").chmod(0o755)
    arguments = ("PYTHON=true", f"PATH={programs}", f"JOBS={tmp_path}", f"NIGHTLY={nightly}")
    told = make("job-molecule-pipeline", *arguments, TEST_BEGAN=str(int(time.time()) - 60 * minutes))
    assert ("molecule runs" in told) == runs
    assert (f"molecule-pipeline: left out, as `make test` began {minutes} min ago." in told) != runs
    assert (tmp_path / "left-out").exists() != runs


@pytest.mark.parametrize(("nightly", "number"), [("", 7), ("1", 28)])
def test_what_is_marked_nightly_is_run_then_alone(nightly: str, number: int) -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "tests/faults/test_helm_versions.py"]
    done = subprocess.run(
        command, cwd=PROJECT, env={**os.environ, "NIGHTLY": nightly}, capture_output=True, text=True, check=True
    )
    assert f"test_helm_versions.py: {number}\n" in done.stdout


def test_every_folder_of_tests_is_run(planned: str) -> None:
    folders = (
        {path.parent.name for path in (PROJECT / "tests").glob("*/test_*.py")} - BY_SCENARIOS - BY_NIGHT - BY_DEFAULT
    )
    assert folders
    for name in sorted(folders):
        assert f" tests/{name}" in planned, name
    assert 'unit: HELM="$(python scripts/part.py helm helm)" pytest\n' in planned


def test_every_check_is_run(planned: str) -> None:
    for command in ("ruff check .", "yamllint .", "ansible-lint", "antsibull-changelog lint"):
        assert planned.count(f"lint: {command}\n") == 1, command
    for name in ("refusals", "collection", "check-charts", "check-secrets"):
        assert f"\n{name}: pytest " in planned or f"\n{name}: HELM=" in planned or f"\n{name}: python " in planned, name


def test_clusters_wait_for_what_they_are_made_of(planned: str) -> None:
    begins = planned.index("ansible-playbook tests/parts.yml")
    assert planned.count("ansible-playbook tests/parts.yml") == 1
    assert begins < planned.index(" molecule test ")
    assert begins < planned.index(": pytest tests/faults")


def test_an_environment_is_a_folder_of_inventories(programs: str) -> None:
    told = make("up", "PYTHON=true", f"PATH={programs}", "BLUEPRINT=config-api", "ENV=dev prod")
    given = [json.loads(line.removeprefix("given: ")) for line in told.splitlines() if line.startswith("given: ")]
    assert [one[2:] for one in given] == [
        ["-i", "inventories/local", "-i", f"inventories/{environment}", "site.yml"] for environment in ("dev", "prod")
    ]


@pytest.mark.parametrize("name", ["stag", "dev stag", "%", "../inventories/dev", HOSTILE])
def test_an_environment_that_does_not_exist(programs: str, name: str) -> None:
    command = ["make", "up", "PYTHON=true", f"PATH={programs}", f"ENV={name}"]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    }
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"ENV={name} is not in inventories/, which has dev local prod. Copy one" in done.stdout
    assert "given:" not in done.stdout and not (PROJECT / "made").exists()


def test_every_integration_test_is_run_by_a_scenario() -> None:
    written = "".join(path.read_text() for path in (PROJECT / "molecule").rglob("*.yml"))
    lost = {path.name for path in (PROJECT / "tests/integration").glob("test_*.py") if path.name not in written}
    assert lost == set()
