"""The config API's environment dev by GitOps on MiniStack, as the scenario gitops brings it up; prod and stage come beside it.

The first user of the repository is a person with Git: what is pushed is rolled out without anybody's help.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import yaml

from tests.integration.conftest import Stack
from tests.integration.playbook_output import changed_tasks

GITOPS = {"stack_blueprint": "config-api", "config_api_gitops": True, "localstack_service_engine": "ministack"}
APPLICATIONS = ("auxiliary-service-dev", "main-api-dev")
VALUES = "charts/main-api/values-dev.yaml"


class Clone:
    """A person's clone of the stack's repository."""

    def __init__(self, stack: Any, folder: Path) -> None:
        self.folder = folder
        self._git("clone", "--quiet", self.url(stack), str(folder))
        assert folder.is_dir(), "the Git server lets nobody clone"
        for key, value in {"user.name": "me", "user.email": "me@localhost"}.items():
            self.git("config", key, value)

    @staticmethod
    def url(stack: Any) -> str:
        password = (stack.folder / "git-password").read_text().strip()
        return f"http://git:{password}@{stack.facts['address']}:30418/stack.git"

    @classmethod
    def serves(cls, stack: Any) -> bool:
        return cls._git("ls-remote", cls.url(stack)).returncode == 0

    def git(self, *arguments: str) -> str:
        done = self._git("-C", str(self.folder), *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @staticmethod
    def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)

    def set(self, path: str, **values: Any) -> None:
        """Change keys of a values file, and commit."""
        file = self.folder / path
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **values}))
        self.git("commit", "--quiet", "--all", "--message", f"Set {', '.join(values)}")

    def push(self) -> str:
        """Push; the commit."""
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def refused(self) -> str:
        """Push what the server refuses; what it says. The commit is taken back."""
        done = self._git("-C", str(self.folder), "push", "origin", "HEAD:main")
        assert done.returncode != 0, done.stdout
        self.git("reset", "--quiet", "--hard", "origin/main")
        return done.stderr

    def revert(self) -> str:
        self.git("revert", "--no-edit", "HEAD")
        return self.push()


@pytest.fixture
def clone(stack: Any, tmp_path: Path) -> Clone:
    return Clone(stack, tmp_path / "clone")


def asked(url: str) -> dict[str, Any]:
    """What is answered. kubectl's port-forward ends with its pod, and is there again a second later."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return dict(json.load(answer))
        except HTTPError as error:
            raise AssertionError(f"{url} answers {error.code}: {error.read().decode()}") from error
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@pytest.fixture
def api(stack: Any) -> Callable[[], dict[str, Any]]:
    """Ask the Main API of dev for its buckets."""
    return lambda: asked(f"{stack.env['CONFIG_API_DEV_URL']}/s3-buckets")


@pytest.fixture
def up(playbook: Any) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`make up` of an environment, with more settings."""

    def run(*arguments: str, env: str = "dev", **settings: Any) -> subprocess.CompletedProcess[str]:
        inventories = ("-i", "inventories/local", "-i", f"inventories/{env}")
        return playbook("site.yml", *inventories, *arguments, **{**GITOPS, **settings})  # type: ignore[no-any-return]

    return run


def version(api: Callable[[], dict[str, Any]]) -> str:
    """The version that answers; none while the service has no pod that is ready."""
    try:
        return str(api()["main_api_version"])
    except (AssertionError, OSError):
        return ""


def status(stack: Any, name: str) -> dict[str, Any]:
    found = json.loads(stack.kubectl("-n", "argocd", "get", "application", name, "-o", "json"))
    return dict(found.get("status", {}))


def is_at(stack: Any, revision: str) -> bool:
    """Whether all Applications are Synced to a commit, and Healthy."""
    return all(
        (found["sync"].get("status"), found["sync"].get("revision"), found.get("health", {}).get("status"))
        == ("Synced", revision, "Healthy")
        for found in (status(stack, name) for name in APPLICATIONS)
    )


def test_a_push_is_rolled_out_and_a_revert_goes_back(stack: Any, clone: Clone, api: Any, eventually: Any) -> None:
    before = version(api)
    new = f"v9.9.{time.time_ns()}"
    clone.set(VALUES, version=new)
    clone.push()
    eventually(lambda: version(api) == new)
    back = clone.revert()
    eventually(lambda: version(api) == before)
    eventually(lambda: is_at(stack, back))


def test_what_is_changed_by_hand_is_put_back(stack: Any, api: Any, eventually: Any) -> None:
    config = ("-n", "dev", "configmap", "main-api")
    before = json.loads(stack.kubectl("get", *config, "-o", "json"))["data"]
    stack.kubectl("patch", *config, "--type=merge", "-p", json.dumps({"data": {"SERVICE_VERSION": "by-hand"}}))
    eventually(lambda: json.loads(stack.kubectl("get", *config, "-o", "json"))["data"] == before)
    stack.kubectl("-n", "dev", "delete", "service", "auxiliary-service")
    eventually(lambda: stack.kubectl("-n", "dev", "get", "service", "auxiliary-service", "--ignore-not-found"))
    eventually(lambda: version(api))


def test_a_second_run_changes_nothing_although_argo_cd_writes(up: Any) -> None:
    up()  # A test before may have restarted something that is noted.
    again = up()
    assert again.returncode == 0, again.stdout[-3000:]
    assert changed_tasks(again.stdout) == []


def test_values_that_break_the_schema_are_refused_when_pushed(clone: Clone, api: Any) -> None:
    before = version(api)
    clone.set(VALUES, replicas="many")
    said = clone.refused()
    assert "values-dev.yaml can't be rendered" in said
    assert "replicas" in said
    assert version(api) == before


def test_a_broken_version_leaves_the_old_one_serving_and_says_why(
    stack: Any, clone: Clone, api: Any, up: Any, eventually: Any, later: Any
) -> None:
    before = version(api)
    file = clone.folder / "charts/main-api/templates/broken.yaml"
    file.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: broken}\nspec: {ports: [{port: 99999}]}\n")
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message", "Break it")
    clone.push()
    later(eventually, lambda: version(api) == before)
    later(clone.revert)
    eventually(lambda: status(stack, "main-api-dev").get("operationState", {}).get("phase") in ("Running", "Failed"))
    assert version(api) == before
    failed = up(gitops_timeout=30)
    said = " ".join(failed.stdout.split())
    assert failed.returncode != 0
    assert "main-api-dev" in said, failed.stdout[-3000:]
    assert "Service broken" in said or 'Service "broken" is invalid' in said
    assert "git revert" in said
    assert version(api) == before


def test_a_git_server_that_is_away_stops_nothing_that_runs(
    stack: Any, api: Any, up: Any, eventually: Any, later: Any
) -> None:
    server = ("-n", "argocd", "scale", "deployment", "git-server")
    # Ready is not reached yet: kube-proxy follows.
    later(eventually, lambda: Clone.serves(stack))
    later(stack.kubectl, *server, "--replicas=1")
    stack.kubectl(*server, "--replicas=0")
    assert version(api)
    stack.kubectl("-n", "dev", "delete", "pod", "-l", "app.kubernetes.io/name=main-api", "--wait=false")
    eventually(lambda: version(api))


@pytest.fixture
def beside(up: Any, playbook: Any) -> Iterator[Callable[..., Callable[[], None]]]:
    """Bring an environment up beside dev; what takes it away, which happens after the test at the latest."""
    there: set[str] = set()

    def remove(name: str) -> None:
        if name in there:
            done = playbook("playbooks/teardown.yml", stack_blueprint=f"config-api-{name}")
            assert done.returncode == 0, done.stdout[-3000:]
            there.discard(name)

    def bring(name: str, **settings: Any) -> Callable[[], None]:
        there.add(name)
        made = up(**settings)
        assert made.returncode == 0, made.stdout[-3000:]
        return lambda: remove(name)

    yield bring
    for name in set(there):
        remove(name)


def applications(stack: Any) -> set[str]:
    names = stack.kubectl("-n", "argocd", "get", "applications", "-o", "name").split()
    return {one.partition("/")[2] for one in names}


def test_prod_beside_dev_has_data_and_versions_of_its_own(
    stack: Any, clone: Clone, api: Any, beside: Any, eventually: Any
) -> None:
    beside("prod", env="prod")
    urls = {name: Stack(stack.folder).env[f"CONFIG_API_{name.upper()}_URL"] for name in ("dev", "prod")}
    for name, url in urls.items():
        assert asked(f"{url}/s3-buckets")["buckets"] == [f"kantox-challenge-{name}-bucket"]
        assert {one.split("/")[2] for one in asked(f"{url}/parameters")["parameters"]} == {name}
        assert asked(f"{url}/parameter/param1")["value"] == f"first value of {name}"
    before = {name: asked(f"{url}/s3-buckets")["main_api_version"] for name, url in urls.items()}
    new = f"v9.9.{time.time_ns()}"
    clone.git("pull", "--quiet", "--ff-only")
    clone.set(VALUES, version=new)
    clone.push()
    eventually(lambda: version(api) == new)
    assert asked(f"{urls['prod']}/s3-buckets")["main_api_version"] == before["prod"]
    clone.revert()
    eventually(lambda: version(api) == before["dev"])


def test_a_third_environment_takes_settings_alone_and_goes_with_all_it_has(stack: Any, beside: Any, api: Any) -> None:
    remove = beside("stage", config_api_environment="stage", config_api_registry=False)
    assert applications(stack) == {*APPLICATIONS, "auxiliary-service-stage", "main-api-stage"}
    remove()
    assert applications(stack) == set(APPLICATIONS)
    assert stack.kubectl("get", "namespace", "stage", "--ignore-not-found") == ""
    assert stack.kubectl("-n", "argocd", "get", "appproject", "stage", "--ignore-not-found") == ""
    assert api()["main_api_version"]


def test_no_password_is_told(stack: Any, up: Any) -> None:
    password = (stack.folder / "git-password").read_text().strip()
    told = up("-vvv", "--check", "--diff")
    assert told.returncode == 0, told.stdout[-3000:]
    assert password not in told.stdout + told.stderr
    secret = "https://me:ghp_hidden@git.example.com/me/config.git"
    refused = up(config_api_gitops_repository=secret)
    assert refused.returncode != 0
    assert "with credentials in it" in " ".join(refused.stdout.split())
    assert "ghp_hidden" not in refused.stdout + refused.stderr
