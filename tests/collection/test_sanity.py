"""ansible-test sanity finds nothing, and nothing is ignored."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from tests.collection.conftest import tracked

# ansible-test fetches this script for its environments from a host of its own; one that is there already is taken.
GET_PIP = (".ansible/test/cache/get_pip_24_2.py", ".ansible/test/cache/get_pip_25_2.py")
PIP_OF_ENSUREPIP = """\
import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip"])
packages = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *packages]))
"""
# Nothing of Ansible is in there. Templates of charts are no YAML yet; apps and toolchain have linters of their own.
OTHER_LANGUAGES = ("apps/", "charts/", "playbooks/files/blueprint/", "toolchain/")


def home_for_ansible_test(folder: Path) -> Path:
    """A HOME in which ansible-test keeps its environments, with the settings of pip that it takes out of ours."""
    for name in GET_PIP:
        script = folder / name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(PIP_OF_ENSUREPIP)
    settings = [
        f"{name.removeprefix('PIP_').lower().replace('_', '-')} = {value}\n"
        for name, value in sorted(os.environ.items())
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"
    ]
    configuration = folder / ".config/pip/pip.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.touch(mode=0o600)
    configuration.write_text("[global]\n" + "".join(settings))
    return folder


@pytest.mark.nightly
def test_sanity(newest: Path, checkout: Path, tmp_path: Path, cache: Path) -> None:
    """Of the newest ansible-core, which knows most."""
    # ansible-test writes into the collection.
    collection = tmp_path / "ansible_collections/localcloud/stack"
    shutil.copytree(checkout, collection, symlinks=True)
    say_version = "import sys; print('{}.{}'.format(*sys.version_info))"
    version = subprocess.run(
        [newest / "python", "-c", say_version], capture_output=True, text=True, check=True
    ).stdout.strip()
    targets = [name for name in tracked() if not name.startswith(OTHER_LANGUAGES)]
    with FileLock(cache / "ansible-test.lock"):
        done = subprocess.run(
            [newest / "ansible-test", "sanity", "--color", "no", "--python", version, *targets],
            cwd=collection,
            env={
                **os.environ,
                "HOME": str(home_for_ansible_test(cache / "ansible-test")),
                "PATH": f"{newest}:{os.environ['PATH']}",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    for name in ("shellcheck", "validate-modules", "pylint", "import", "yamllint", "changelog"):
        assert f'Running sanity test "{name}"' in output
    assert "Skipping" not in output, output
    assert list(collection.glob("tests/sanity/ignore*")) == []
