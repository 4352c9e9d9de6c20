# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publishes folders into a branch of a Git repository, and keeps what others push there.

What was published last is a branch of its own (a vendor branch), which is merged into the branch that others push to. So only what
has changed here since then changes there, and an unchanged folder never undoes a push of others.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import typing as t
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import own_networks, proxy_for
from ansible_collections.localcloud.stack.plugins.module_utils.common.masking import masked
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError

# The branch of what was published last.
PUBLISHED = "localcloud/published"
AUTHOR = {"NAME": "localcloud.stack", "EMAIL": "localcloud@localhost"}
SECONDS = 60
SCHEMES = ("http", "https", "ssh", "git", "file")
# What Git says, in order of precedence, with the likely cause and what to do.
CAUSES = (
    ("Authentication failed", "user name or password are not those of the repository. Correct them"),
    ("could not read Username", "the repository wants a user name and a password. Give them"),
    ("could not resolve host", "the URL's host has no address here. Correct the URL"),
    ("Couldn't connect", "the Git server does not run, or can't be reached from here. Start it, or correct the URL"),
    ("Failed to connect", "the Git server does not run, or can't be reached from here. Start it, or correct the URL"),
    ("not found", "there is no repository at this URL. Correct it, or make the repository"),
    (
        "does not appear to be a git repository",
        "there is no repository at this URL. Correct it, or make the repository",
    ),
    ("pre-receive hook declined", "the Git server refuses what it can't render. Correct the charts or values it names"),
    ("atomic push failed", "another push came first. Keep what is there"),
    ("fetch first", "another push came first. Keep what is there"),
)


class GitError(ModuleError):
    """Git refuses something; the message says what, the likely cause and what to do."""


class Repository(t.NamedTuple):
    """url: without credentials. username and password: empty where the repository wants none."""

    url: str
    branch: str = "main"
    username: str = ""
    password: str = ""


class Publication(t.NamedTuple):
    """revision: the branch's commit, now or, in check mode, before. files: what differs from it, by path."""

    changed: bool
    revision: str
    files: list[str]


def url_problem(url: str) -> str | None:
    """What is wrong with a repository's URL, without what must not be shown; None if it can be used."""
    parts = urlsplit(url)
    if parts.password or (parts.username and parts.scheme in ("http", "https")):
        return (
            f"{shown(url)} was given with credentials in it, which would be seen wherever the URL is. Give the URL without them, "
            "and the credentials apart"
        )
    if parts.scheme not in SCHEMES or not (parts.netloc or parts.scheme == "file"):
        return f"{shown(url)} is not a URL of a Git repository, such as https://git.example.com/owner/name.git"
    return None


def shown(url: str) -> str:
    """A URL without user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def publish(repository: Repository, folders: t.Mapping[str, Path], work: Path, check: bool = False) -> Publication:
    """Make the branch have these folders, by their paths in it, as far as they have changed since they were published last.

    work: an empty folder. Raises GitError.
    """
    git = Git(repository, work)
    git.run("init", "--quiet", f"--initial-branch={repository.branch}")
    heads = git.heads()
    head = heads.get(repository.branch)
    base = heads.get(PUBLISHED) or head
    if base:
        git.run("fetch", "--quiet", repository.url, *sorted({one for one in (head, base) if one}))
    tree = git.tree_with(base, folders)
    if base and head and tree == git.run("rev-parse", f"{base}^{{tree}}"):
        return Publication(False, head, [])
    published = git.commit(tree, base)
    wanted = git.merged(head, published)
    files = git.run("diff", "--name-only", head or git.run("mktree"), wanted).splitlines()
    if not check:
        git.run(
            "push", "--quiet", "--atomic", repository.url,
            f"{wanted}:refs/heads/{repository.branch}", f"{published}:refs/heads/{PUBLISHED}",
        )  # fmt: skip
    return Publication(True, (head or "") if check else wanted, files)


class Git:
    """Git in one folder, which talks to one repository."""

    def __init__(self, repository: Repository, work: Path) -> None:
        self.repository = repository
        self.work = work
        self.environment = {**os.environ, **environment_of(repository)}

    def run(self, *arguments: str) -> str:
        """Run a command, and give what it prints. Raises GitError."""
        command = ["git", "-C", str(self.work), *arguments]
        try:
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise GitError("Git is not on this machine. Install the package git, then run again.") from None
        except subprocess.TimeoutExpired:
            raise GitError(
                f"{shown(self.repository.url)} has not answered within {SECONDS} s (git {arguments[0]}). Likely the Git server is stuck. "
                "Look at it, then run again."
            ) from None
        if done.returncode != 0:
            raise GitError(failure(self.repository, arguments[0], done.stderr or done.stdout))
        return done.stdout.strip()

    def heads(self) -> dict[str, str]:
        """The repository's branches with their commits."""
        lines = (line.split("\t") for line in self.run("ls-remote", "--heads", self.repository.url).splitlines())
        return {name.removeprefix("refs/heads/"): commit for commit, name in lines}

    def tree_with(self, base: str | None, folders: t.Mapping[str, Path]) -> str:
        """The tree of a commit with these folders instead of those at their paths."""
        if base:
            self.run("read-tree", base)
        for path, folder in folders.items():
            self.run("rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "--", path)
            # A chart of its own, whatever links lead out of its folder.
            shutil.copytree(
                folder, self.work / path, symlinks=False, ignore=shutil.ignore_patterns("__pycache__", ".git")
            )
            self.run("add", "--force", "--all", "--", path)
        return self.run("write-tree")

    def commit(self, tree: str, parent: str | None) -> str:
        parents = ["-p", parent] if parent else []
        return self.run("commit-tree", tree, *parents, "-m", "Publish what has changed in localcloud.stack")

    def merged(self, head: str | None, published: str) -> str:
        """The commit that has both. Raises GitError where both change the same lines."""
        if head is None or self.run("merge-base", head, published) == head:
            return published
        self.run("checkout", "--quiet", "--force", "--detach", head)
        try:
            self.run("merge", "--quiet", "-m", "Take over what has changed in localcloud.stack", published)
        except GitError:
            if not (files := self.run("diff", "--name-only", "--diff-filter=U").splitlines()):
                raise
            raise GitError(
                f"Nothing was pushed to {shown(self.repository.url)}: its branch {self.repository.branch} and this checkout have both changed "
                f"{', '.join(files)} since they were published. Bring the same change here or there, then run again."
            ) from None
        return self.run("rev-parse", "HEAD")


def environment_of(repository: Repository) -> dict[str, str]:
    """What Git is to know without its being among the arguments: no configuration of users, no questions, credentials, the right proxy."""
    settings = {"core.autocrlf": "false", "protocol.file.allow": "always"}
    if repository.username or repository.password:
        token = base64.b64encode(f"{repository.username}:{repository.password}".encode()).decode()
        settings["http.extraHeader"] = f"Authorization: Basic {token}"
    if urlsplit(repository.url).scheme in ("http", "https") and not proxy_for(
        repository.url, os.environ, own_networks()
    ):
        settings["http.proxy"] = ""
    numbered = [
        (f"GIT_CONFIG_{part}_{index}", text)
        for index, pair in enumerate(settings.items())
        for part, text in zip(("KEY", "VALUE"), pair, strict=True)
    ]
    people = {f"GIT_{who}_{field}": text for who in ("AUTHOR", "COMMITTER") for field, text in AUTHOR.items()}
    return {
        **people,
        **dict(numbered),
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def failure(repository: Repository, command: str, said: str) -> str:
    """The message for what Git says."""
    text = masked(" ".join(said.replace(repository.url, shown(repository.url)).split()), [repository.password])
    cause = next((one for word, one in CAUSES if word.lower() in text.lower()), "see what it says")
    return (
        f"git {command} of {shown(repository.url)} failed: {text or 'it says nothing'}. Likely {cause}, then run again."
    )
