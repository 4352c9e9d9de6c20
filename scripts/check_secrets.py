"""Look for secrets with gitleaks: in all commits of this branch, and in the files as they are now, new ones among them.

    check_secrets.py [REPOSITORY]      another one than this project

What git ignores is left out. A false alarm is named in the repository's .gitleaksignore, by its fingerprint, with a reason.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, BuildError, Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root

PROJECT = Path(__file__).resolve().parent.parent
FOUND = 3


class CheckError(Exception):
    """The check could not be done; the message says why."""


def main() -> int:
    repository = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PROJECT
    try:
        builder = Builder(Inventory.read(PROJECT), Cache(default_root()), lambda line: print(line, file=sys.stderr))
        gitleaks = builder.require(["gitleaks"])["gitleaks"].path / "gitleaks"
        commits = int(git(repository, "rev-list", "--count", "HEAD"))
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder) / "tree"
            files = copy_tree(repository, tree)
            found = [*scan(gitleaks, "git", repository, repository), *scan(gitleaks, "dir", tree, repository)]
    except (BuildError, CheckError) as error:
        print(error, file=sys.stderr)
        return 1
    for line in found:
        print(line)
    if found:
        print("Secrets were found. Withdraw each one first, then remove it; if it never was one, see .gitleaksignore.")
        return 1
    print(f"No secrets in {commits} commits and {files} files.")
    return 0


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", repository, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CheckError(f"git {arguments[0]} failed in {repository}: {done.stderr.strip()}")
    return done.stdout


def copy_tree(repository: Path, target: Path) -> int:
    """Copy what git has or would take; say how many files."""
    names = [
        name
        for name in git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        if name
    ]
    target.mkdir()
    copied = 0
    for name in names:
        source = repository / name
        if source.is_file() and not source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)
            copied += 1
    return copied


def scan(gitleaks: Path, what: str, folder: Path, repository: Path) -> list[str]:
    """What gitleaks finds, without the secrets themselves. Raises CheckError."""
    ignored = repository / ".gitleaksignore"
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary) / "report.json"
        done = subprocess.run(
            [
                gitleaks, what, "--no-banner", "--redact", f"--exit-code={FOUND}", "--report-format=json",
                f"--report-path={report}", *([f"--gitleaks-ignore-path={ignored}"] if ignored.exists() else []),
                *(["--log-opts=HEAD"] if what == "git" else []), ".",
            ],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode not in (0, FOUND):
            raise CheckError(f"gitleaks {what} exited with {done.returncode}:\n{done.stderr.strip()}")
        return [
            f"{one['RuleID']}: {one['Fingerprint']}: {one['Description']}" for one in json.loads(report.read_text())
        ]


if __name__ == "__main__":
    sys.exit(main())
