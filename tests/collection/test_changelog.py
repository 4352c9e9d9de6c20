"""The changelog is rendered from changelogs/, and tells of the version in galaxy.yml."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.collection.conftest import BIN, PROJECT, run


def test_the_changelog_is_what_its_sources_say(checkout: Path, tmp_path: Path) -> None:
    before = (checkout / "CHANGELOG.md").read_text()
    run([BIN / "antsibull-changelog", "generate"], cwd=checkout, home=tmp_path)
    assert (checkout / "CHANGELOG.md").read_text() == before


def test_the_version_has_its_entry() -> None:
    version = yaml.safe_load((PROJECT / "galaxy.yml").read_text())["version"]
    assert version in yaml.safe_load((PROJECT / "changelogs/changelog.yaml").read_text())["releases"]
