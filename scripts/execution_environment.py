"""Write the build context of the execution environment: the pinned wheels, the collections, the Containerfile.

    execution_environment.py [FOLDER]      default .localcloud/execution-environment/context

Then build it without a network, for example with `podman build FOLDER`.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
STAGED = PROJECT / ".localcloud/execution-environment"


def main() -> int:
    context = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else STAGED / "context"
    try:
        fetch_wheels(STAGED / "wheels")
        install_collections(STAGED)
        shutil.rmtree(context, ignore_errors=True)
        run("ansible-builder", "create", "--context", context, "--output-filename", "Containerfile")
    except subprocess.CalledProcessError as error:
        print(f"{error.cmd[0]} failed, so there is no build context:\n{error.output}", file=sys.stderr)
        return 1
    print(context)
    return 0


def fetch_wheels(folder: Path) -> None:
    """Fetch exactly the pinned wheels, unless they are there."""
    requirements = PROJECT / "requirements/execution.txt"
    fetched_for = folder.with_suffix(".digest")
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if folder.exists() and fetched_for.exists() and fetched_for.read_text() == digest:
        return
    fetched_for.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    run(
        "python", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
        "--require-hashes", "--requirement", requirements, "--dest", folder,
    )  # fmt: skip
    fetched_for.write_text(digest)


def install_collections(folder: Path) -> None:
    """Install this checkout as it would be published, and the collections of requirements.yml that .venv has."""
    collections = folder / "ansible_collections"
    shutil.rmtree(collections, ignore_errors=True)
    (found,) = (BIN.parent / "lib").glob("python3.*/site-packages/ansible_collections")
    shutil.copytree(found / "kubernetes", collections / "kubernetes")
    with tempfile.TemporaryDirectory() as out:
        run("ansible-galaxy", "collection", "build", "--output-path", out)
        (artifact,) = Path(out).glob("*.tar.gz")
        # --force, as .venv has the collection already, by its link to the checkout.
        run("ansible-galaxy", "collection", "install", "--force", "--no-deps", "--offline", artifact, "-p", folder)


def run(command: str, *arguments: str | Path) -> None:
    """Run a command of .venv. Raises subprocess.CalledProcessError with what it printed."""
    subprocess.run(
        [BIN / command, *arguments],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )


if __name__ == "__main__":
    sys.exit(main())
