"""Make .venv: pinned Python packages, the Ansible collections, and this checkout as the collection localcloud.stack.

    setup_environment.py [--test] [--bundle BUNDLE --settings FILE]

--test adds what `make test` needs. --bundle, a file or a URL, puts what a bundle has into the cache first, and into FILE the variables by
which a run uses it. Does nothing when .venv already fits. Needs Python 3.11 with venv, and PyPI (or the mirror that pip is configured
for), or a bundle.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
from scripts import bundle_archive  # noqa: E402

VENV = PROJECT / ".venv"
PYTHON = VENV / "bin/python"
REQUIREMENTS = PROJECT / "requirements"
OLDEST_PYTHON = (3, 11)
ANOTHER_CACHE = "Set XDG_CACHE_HOME to a folder with some GiB that can be written, then run again."


class SetupError(Exception):
    """Set-up can't go on; the message names the cause and the next step."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--test", action="store_true", help="also install what the tests need")
    parser.add_argument("--bundle", help="a bundle, by its path or URL")
    parser.add_argument("--settings", help="the file for the variables by which a run uses the bundle")
    arguments = parser.parse_args()
    layers = ["runtime", "test"] if arguments.test else ["runtime"]
    try:
        check_python()
        check_cache(cache_folder())
        if arguments.bundle:
            return take_bundle(arguments.bundle, arguments.settings)
        set_up(layers)
    except (SetupError, bundle_archive.BundleError) as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    return 0


def take_bundle(source: str, settings: str) -> int:
    """Set up from a bundle, then unpack its parts; return the exit code. Raises SetupError, BundleError."""

    def report(line: str) -> None:
        print(f"bundle: {line}", flush=True)

    cache = cache_folder()
    fetched = bundle_archive.is_url(source)
    path = bundle_archive.download(source, cache, report) if fetched else Path(source).expanduser()
    try:
        archive = bundle_archive.open_archive(path)
        if found := bundle_archive.problems(archive.manifest, {"runtime": digest("runtime")}):
            raise bundle_archive.refusal(path, found)
        bundle_archive.take(archive, cache, report)
    except bundle_archive.AlteredError:
        if fetched:  # so that it is fetched again
            path.unlink(missing_ok=True)
        raise
    set_up(["runtime"])
    done = subprocess.run(
        [PYTHON, PROJECT / "scripts/bundle.py", "unpack", path, settings], env=environment(), check=False
    )
    if done.returncode == bundle_archive.ALTERED and fetched:
        path.unlink(missing_ok=True)
    return done.returncode


def check_python() -> None:
    """Raises SetupError."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            f"Python {sys.version.split()[0]} is too old, 3.11 is the oldest that works. Install it, then run again "
            "with PYTHON=/path/to/python3.11."
        )


def set_up(layers: list[str]) -> None:
    """Install these layers of requirements (each a file in requirements/) and the collections."""
    check_python()
    check_cache(cache_folder())
    stamp = VENV / "layers"
    installed = dict(line.split() for line in stamp.read_text().splitlines()) if stamp.exists() else {}
    wanted = {layer: digest(layer) for layer in [*layers, "collections"]}
    if all(installed.get(layer) == value for layer, value in wanted.items()) and PYTHON.exists():
        return
    # Wheels that a bundle brought; it has none for tests.
    files = bundle_archive.offline(cache_folder(), {"runtime": wanted["runtime"]}) if "test" not in layers else None
    if installed.get("runtime") != wanted["runtime"] or not PYTHON.exists():
        installed = {}
        create_environment(files)
    if any(installed.get(layer) != wanted[layer] for layer in layers):
        print(
            f"set-up: installing the Python packages of requirements/{{{','.join(layers)}}}.txt into .venv", flush=True
        )
        requirements = [word for layer in layers for word in ("-r", str(REQUIREMENTS / f"{layer}.txt"))]
        run(
            "uv",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            # Three quarters of an installation from files would be the compilation of what a run never imports.
            *(from_files(files) or ["--compile-bytecode"]),
            *requirements,
            what="Installing Python packages",
        )
    collections = site_packages() / "ansible_collections"
    if installed.get("collections") != wanted["collections"]:
        install_collections(collections, files)
    link_checkout(collections)
    stamp.write_text("".join(f"{layer} {value}\n" for layer, value in {**installed, **wanted}.items()))


def cache_folder() -> Path:
    """Where packages, and what embedded nodes are built of, are kept. Raises SetupError."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "localcloud"
    except RuntimeError:
        raise SetupError(f"User {os.getuid()} has no home folder. {ANOTHER_CACHE}") from None


def check_cache(folder: Path) -> None:
    """Raise SetupError if nothing can be kept there, before an hour of building ends with that."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SetupError(f"The cache {folder} can't be written: {error.strerror}. {ANOTHER_CACHE}") from None


def digest(layer: str) -> str:
    """Digest of what a layer installs."""
    content = (REQUIREMENTS / f"{layer}.txt").read_bytes() + (REQUIREMENTS / "bootstrap.txt").read_bytes()
    return hashlib.sha256(content + (PROJECT / "requirements.yml").read_bytes()).hexdigest()


def from_files(files: Path | None) -> list[str]:
    """Options by which pip and uv take wheels of a bundle, without an index."""
    return [] if files is None else ["--no-index", "--find-links", str(files / "wheels")]


def create_environment(files: Path | None) -> None:
    """Make an empty .venv with uv, the installer, in it."""
    print("set-up: making .venv", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    try:
        venv.create(VENV, with_pip=True, symlinks=True)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:  # ValueError: the path has a colon in it
        raise SetupError(f"Making .venv failed: {error}. On Debian, install python3-venv, then run again.") from None
    requirements = str(REQUIREMENTS / "bootstrap.txt")
    words = [*from_files(files), "--require-hashes", "-r", requirements]
    run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words, what="Installing uv")


def site_packages() -> Path:
    (found,) = VENV.glob("lib/python3.*/site-packages")
    return found


def install_collections(target: Path, files: Path | None) -> None:
    """Install the collections of requirements.yml from a bundle, from Galaxy, or out of the ansible wheel where Galaxy is out of reach."""
    print("set-up: installing the Ansible collections", flush=True)
    if files is not None:
        with tarfile.open(files / "collections.tar.gz") as tar:
            tar.extractall(target.parent)
        return
    galaxy = subprocess.run(
        [VENV / "bin/ansible-galaxy", "collection", "install", "-r", PROJECT / "requirements.yml", "-p", target.parent,
         "--timeout", "5"],
        cwd=PROJECT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if galaxy.returncode == 0:
        return
    names = re.findall(r"name: (\w+)\.(\w+)", (PROJECT / "requirements.yml").read_text())
    with tempfile.TemporaryDirectory() as folder:
        run(
            "python", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
            # The collections run on more Pythons than the newest ansible-core.
            "--ignore-requires-python",
            "-r", str(REQUIREMENTS / "collections.txt"), "-d", folder, what="Fetching the collections from PyPI",
        )  # fmt: skip
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            wanted = tuple(f"ansible_collections/{namespace}/{name}/" for namespace, name in names)
            archive.extractall(target.parent, [entry for entry in archive.namelist() if entry.startswith(wanted)])


def link_checkout(collections: Path) -> None:
    """Let Ansible find this checkout as localcloud.stack."""
    link = collections / "localcloud/stack"
    link.parent.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(PROJECT, link.parent.resolve())
    if not link.is_symlink() or os.readlink(link) != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def environment() -> dict[str, str]:
    """For commands of .venv, without what would lead them elsewhere."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONHOME", "PYTHONPATH"}}
    cache = cache_folder()
    return {
        "UV_CACHE_DIR": str(cache / "uv"),
        "PIP_CACHE_DIR": str(cache / "pip"),
        **kept,
        "VIRTUAL_ENV": str(VENV),
        "ANSIBLE_HOME": str(PROJECT / ".localcloud/ansible"),
    }


def run(command: str, *arguments: str, what: str) -> None:
    """Run a command of .venv. Raises SetupError with the end of what it printed."""
    done = subprocess.run(
        [VENV / "bin" / command, *arguments],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-6:])
        raise SetupError(
            f"{what} failed. Likely causes: no network to PyPI, or a mirror that lacks a pinned version (PIP_INDEX_URL, "
            f"UV_INDEX_URL).\n{tail}"
        )


if __name__ == "__main__":
    sys.exit(main())
