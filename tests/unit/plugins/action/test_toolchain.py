"""What the action does beside building: it refuses to build, and gives up what building left."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.localcloud.stack.plugins.action import toolchain
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain import recipes


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One program, which is compiled by writing it, and leaves downloads."""
    (tmp_path / "project/toolchain").mkdir(parents=True)
    parts = {"parts": {"tool": {"recipe": "go"}, "web": {"recipe": "image", "needs": ["tool"], "image": {}}}}
    (tmp_path / "project/toolchain/parts.yml").write_text(yaml.safe_dump(parts))

    def compile(shop: recipes.Workshop, out: Path) -> None:
        (out / "program").touch()
        (shop.cache.root / "go").mkdir(exist_ok=True)
        (shop.cache.root / "go/object").write_bytes(b"x" * 1024)

    monkeypatch.setitem(recipes.RECIPES, "go", compile)
    monkeypatch.setitem(recipes.RECIPES, "image", lambda _shop, out: (out / "image.tar").touch())
    return tmp_path / "project"


def run(project: Path, **arguments: Any) -> dict[str, Any]:
    task = Mock(check_mode=False, args={"project": str(project), "cache": str(project.parent / "cache"), **arguments})
    action = toolchain.ActionModule(task, Mock(), Mock(), Mock(), Mock(), Mock())
    return action.act({})


def test_what_is_missing_is_refused_where_nothing_is_to_be_built(project: Path) -> None:
    with pytest.raises(
        AnsibleActionFail, match=r"web is not in the cache, and nothing is to be built \(cluster_build_parts=false\)"
    ):
        run(project, parts=["web"], build=False)
    assert not (project.parent / "cache/parts").exists()
    run(project, parts=["web"])
    assert run(project, parts=["web"], build=False)["changed"] is False


def test_downloads_are_given_up_once_all_is_built(project: Path) -> None:
    run(project, parts=["tool"], keep_downloads=False)
    assert not (project.parent / "cache/go").exists()


def test_downloads_are_kept_by_default(project: Path) -> None:
    run(project, parts=["tool"])
    assert (project.parent / "cache/go/object").exists()


def test_a_run_that_compiles_nothing_gives_nothing_up(project: Path) -> None:
    run(project, parts=["tool"])
    run(project, parts=["web"], keep_downloads=False)
    assert (project.parent / "cache/go/object").exists()
