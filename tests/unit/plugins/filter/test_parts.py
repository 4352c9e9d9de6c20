"""Names of images."""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.filter.parts import app_images, part_images

PROJECT = Path(__file__).resolve().parents[4]


def test_an_application_has_a_tag_of_all_that_it_is_made_of(tmp_path: Path) -> None:
    for name in ("apps", "requirements"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    before = app_images(["producer", "consumer"], str(tmp_path))
    assert before == app_images(["producer", "consumer"], str(PROJECT))
    (tmp_path / "apps/consumer/.coverage").write_text("changes with every run")
    (tmp_path / "apps/producer/Dockerfile").write_text("FROM scratch\n")
    after = app_images(["producer", "consumer"], str(tmp_path))
    assert before["producer"] != after["producer"]
    assert before["consumer"] == after["consumer"]
    (tmp_path / "requirements/apps.txt").write_text("")
    assert app_images(["consumer"], str(tmp_path))["consumer"] != before["consumer"]


def test_a_part_goes_by_its_last_name_in_a_registry() -> None:
    parts = {"a": {"image": "localcloud.local/a:1"}, "b": {"image": None}}
    assert part_images(parts) == {"a": "localcloud.local/a:1"}
    assert part_images(parts, "registry:5000/x") == {"a": "registry:5000/x/a:1"}
