"""The collection as others get it: built from the tracked files, installed where nothing of the checkout is."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import ansible_collections.kubernetes.core as kubernetes_core
import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.common import supported
from filelock import FileLock

PROJECT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
# What a checkout has after some work, and must not get into the artifact.
RUBBISH = (
    ".localcloud/node/node.json",
    ".venv/bin/python",
    ".mypy_cache/x.json",
    "apps/.mypy_cache/x.json",
    "plugins/modules/__pycache__/x.pyc",
    "toolchain/dynamodb-admin/node_modules/x.js",
    "localcloud-stack-0.0.9.tar.gz",
)


def kept_environments() -> Path:
    """Where environments are kept between runs, shared by all checkouts."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "localcloud/collection"
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="session")
def cache() -> Path:
    return kept_environments()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files where Ansible's tools expect a collection."""
    target = tmp_path_factory.mktemp("checkout") / "ansible_collections/localcloud/stack"
    for name in tracked():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target / name, follow_symlinks=False)
    return target


@pytest.fixture(scope="session")
def artifact(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive that is published, built from a checkout that was worked in."""
    worked_in = tmp_path_factory.mktemp("worked-in") / "stack"
    shutil.copytree(checkout, worked_in, symlinks=True)
    for name in RUBBISH:
        (worked_in / name).parent.mkdir(parents=True, exist_ok=True)
        (worked_in / name).touch()
    out = tmp_path_factory.mktemp("artifact")
    run([BIN / "ansible-galaxy", "collection", "build", "--output-path", out], cwd=worked_in, home=out / "home")
    (path,) = out.glob("*.tar.gz")
    return path


def newest_environment(cache: Path) -> Path:
    """The bin folder of an environment with the newest ansible-core, on the newest Python of this machine that it runs on."""
    oldest, newest = supported.PYTHON.oldest, supported.PYTHON.newest
    versions = [f"{newest[0]}.{minor}" for minor in range(newest[1], oldest[1], -1)]
    found = next((path for version in versions if (path := interpreter(version))), None)
    if found is None:
        warnings.warn(
            f"This machine has no Python of {versions}, so the newest ansible-core for {sys.version.split()[0]} is used.",
            stacklevel=1,
        )
    return environment("runtime", found or sys.executable, cache)


def oldest_environment(cache: Path) -> Path:
    """The bin folder of an environment with the oldest ansible-core, on the checkout's Python."""
    return environment("core-oldest", sys.executable, cache)


@pytest.fixture(scope="session")
def newest(cache: Path) -> Path:
    return newest_environment(cache)


@pytest.fixture(scope="session")
def oldest(cache: Path) -> Path:
    return oldest_environment(cache)


@pytest.fixture(scope="session", params=["newest", "oldest"])
def python(request: pytest.FixtureRequest) -> Path:
    """The bin folder of an environment with the newest and with the oldest ansible-core."""
    folder: Path = request.getfixturevalue(request.param)
    return folder


def interpreter(version: str) -> str | None:
    """An installed Python of this minor version, of the path or of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    kept = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    found = [shutil.which(f"python{version}"), *map(str, kept)]
    return next((one for one in found if one and _works(one)), None)


def _works(interpreter: str) -> bool:
    """Whether it starts and has what environments need; pyenv's command of a version that is not chosen does not."""
    return subprocess.run([interpreter, "-c", "import ssl, venv"], capture_output=True, check=False).returncode == 0


def environment(name: str, interpreter: str, cache: Path) -> Path:
    """The bin folder of an environment with these requirements, which is kept."""
    requirements = PROJECT / f"requirements/{name}.txt"
    digest = hashlib.sha256(requirements.read_bytes() + f"{sys.version}{interpreter}".encode()).hexdigest()[:16]
    folder = cache / f"{name}-{digest}"
    with FileLock(cache / f"{name}.lock"):
        if not (folder / "complete").exists():
            run([BIN / "uv", "venv", "--quiet", "--clear", "--python", interpreter, folder], home=Path.home())
            install = [BIN / "uv", "pip", "install", "--quiet", "--require-hashes", "--requirements", requirements]
            run([*install, "--python", folder / "bin/python"], home=Path.home(), UV_CACHE_DIR=str(cache.parent / "uv"))
            (folder / "complete").touch()
    return folder / "bin"


@pytest.fixture(scope="session")
def installed(python: Path, artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of somebody who has ansible-core, kubernetes.core, and now the artifact, in `collections`."""
    folder = tmp_path_factory.mktemp("elsewhere")
    collections = folder / "collections"
    (kubernetes,) = kubernetes_core.__path__
    shutil.copytree(kubernetes, collections / "ansible_collections/kubernetes/core")
    # --offline: the dependency is looked for among what is installed.
    run(
        [python / "ansible-galaxy", "collection", "install", "--offline", artifact, "-p", collections],
        cwd=folder,
        home=folder / "home",
        ANSIBLE_COLLECTIONS_PATH=str(collections),
    )
    return folder


def run(command: list[str | Path], home: Path, cwd: Path = PROJECT, fails: bool = False, **environment: str) -> str:
    """Run a command that knows nothing of the checkout's settings for Ansible; return all that it prints."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "AWS_", "PYTHON", "LOCALCLOUD", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**kept, "HOME": str(home), "NO_COLOR": "1", "LC_ALL": "C.UTF-8", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


def tracked() -> list[str]:
    """The files that git tracks or would add, and that are there; relative to the checkout."""
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], home=Path.home())
    return sorted(name for name in listed.split("\0") if name and os.path.lexists(PROJECT / name))
