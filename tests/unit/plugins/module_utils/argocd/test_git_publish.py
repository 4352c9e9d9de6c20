"""Folders are published into a branch that others push to, with Git itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.argocd.git_publish import (
    PUBLISHED,
    GitError,
    Publication,
    Repository,
    environment_of,
    failure,
    publish,
    shown,
    url_problem,
)


class Place:
    """A bare repository, a chart that is published into it, and a clone in which somebody else works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bare = folder / "stack.git"
        self.chart = folder / "chart"
        (self.chart / "templates").mkdir(parents=True)
        self.write("values-dev.yaml", "version: v1\nreplicas: 1\n\n\n\nlogLevel: INFO\n")
        self.write("Chart.yaml", "name: web\n")
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        self.runs = 0

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        who = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
        done = subprocess.run(["git", *who, *arguments], cwd=cwd, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, name: str, text: str) -> None:
        (self.chart / name).write_text(text)

    def publish(self, check: bool = False) -> Publication:
        self.runs += 1
        work = self.folder / f"work-{self.runs}"
        work.mkdir()
        return publish(Repository(f"file://{self.bare}"), {"charts/web": self.chart}, work, check)

    def push(self, name: str, text: str) -> str:
        """Somebody else's commit; gives its hash."""
        clone = self.folder / f"clone-{name.replace('/', '-')}-{self.runs}"
        self.git("clone", "--quiet", str(self.bare), str(clone))
        (clone / name).write_text(text)
        self.git("add", "--all", cwd=clone)
        self.git("commit", "--quiet", "-m", "By hand", cwd=clone)
        self.git("push", "--quiet", "origin", "HEAD:main", cwd=clone)
        return self.git("rev-parse", "HEAD", cwd=clone)

    def shows(self, path: str) -> str:
        return self.git("show", f"main:{path}", cwd=self.bare)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_an_empty_repository_gets_the_folder(place: Place) -> None:
    done = place.publish()
    assert done == Publication(
        True, place.git("rev-parse", "main", cwd=place.bare), ["charts/web/Chart.yaml", "charts/web/values-dev.yaml"]
    )
    assert place.shows("charts/web/Chart.yaml") == "name: web"
    assert place.git("rev-parse", PUBLISHED, cwd=place.bare) == done.revision


def test_what_is_the_same_is_no_change(place: Place) -> None:
    first = place.publish()
    assert place.publish() == Publication(False, first.revision, [])


def test_check_mode_predicts_and_pushes_nothing(place: Place) -> None:
    predicted = place.publish(check=True)
    assert (predicted.changed, predicted.revision) == (True, "")
    assert place.git("branch", cwd=place.bare) == ""
    assert place.publish().files == predicted.files


def test_a_push_of_others_stays(place: Place) -> None:
    place.publish()
    theirs = place.push("charts/web/values-dev.yaml", "version: v2\nreplicas: 1\n\n\n\nlogLevel: INFO\n")
    assert place.publish() == Publication(False, theirs, [])
    place.write("values-dev.yaml", "version: v1\nreplicas: 1\n\n\n\nlogLevel: DEBUG\n")
    done = place.publish()
    assert (done.changed, done.files) == (True, ["charts/web/values-dev.yaml"])
    assert place.shows("charts/web/values-dev.yaml").split() == [
        "version:",
        "v2",
        "replicas:",
        "1",
        "logLevel:",
        "DEBUG",
    ]
    assert place.publish() == Publication(False, done.revision, [])


def test_files_beside_the_folders_stay_and_what_is_deleted_here_goes(place: Place) -> None:
    place.write("old.yaml", "x: 1\n")
    place.publish()
    place.push("README.md", "ours\n")
    (place.chart / "old.yaml").unlink()
    assert place.publish().files == ["charts/web/old.yaml"]
    assert place.git("ls-tree", "-r", "--name-only", "main", cwd=place.bare).splitlines() == [
        "README.md",
        "charts/web/Chart.yaml",
        "charts/web/values-dev.yaml",
    ]


def test_the_same_lines_changed_on_both_sides_are_refused_with_the_file(place: Place) -> None:
    place.publish()
    theirs = place.push("charts/web/values-dev.yaml", "version: v2\n")
    place.write("values-dev.yaml", "version: v3\n")
    with pytest.raises(GitError, match="have both changed charts/web/values-dev.yaml"):
        place.publish()
    assert place.git("rev-parse", "main", cwd=place.bare) == theirs


def test_a_link_out_of_the_folder_becomes_what_it_leads_to(place: Place) -> None:
    (place.folder / "common").mkdir()
    (place.folder / "common/Chart.yaml").write_text("name: common\n")
    (place.chart / "charts").mkdir()
    (place.chart / "charts/common").symlink_to("../../common")
    place.publish()
    assert place.shows("charts/web/charts/common/Chart.yaml") == "name: common"


def test_a_repository_that_is_not_there_is_named_with_a_cause(place: Place) -> None:
    place.bare.rename(place.folder / "elsewhere")
    with pytest.raises(GitError, match="there is no repository at this URL"):
        place.publish()


@pytest.mark.parametrize(
    "url",
    [
        "https://me:ghp_hidden@git.example.com/a/b",
        "https://ghp_hidden@git.example.com/a/b",
        "ssh://git:ghp_hidden@host/a",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_shown(url: str) -> None:
    problem = url_problem(url)
    assert problem is not None
    assert "with credentials in it" in problem
    assert "ghp_hidden" not in problem + shown(url)


@pytest.mark.parametrize(
    "url", ["http://10.75.0.2:30418/stack.git", "https://git.example.com/a/b", "ssh://git@host/a/b"]
)
def test_urls_that_can_be_used(url: str) -> None:
    assert url_problem(url) is None


@pytest.mark.parametrize("url", ["", "charts", "git.example.com/a/b", "https://", "javascript:alert(1)"])
def test_what_is_not_a_url_is_refused(url: str) -> None:
    problem = url_problem(url)
    assert problem is not None
    assert "is not a URL of a Git repository" in problem


def test_the_password_is_in_no_message() -> None:
    repository = Repository("https://git.example.com/a", username="git", password="pa55-hidden")
    said = failure(
        repository, "push", "fatal: https://git:pa55-hidden@git.example.com/a: Authentication failed, pa55-hidden"
    )
    assert "pa55-hidden" not in said
    assert "user name or password are not those of the repository" in said


def test_git_knows_the_credentials_by_its_environment_alone() -> None:
    told = environment_of(Repository("https://git.example.com/a", username="git", password="x"))
    assert any(value == "Authorization: Basic Z2l0Ong=" for value in told.values())
    assert told["GIT_TERMINAL_PROMPT"] == "0"
