"""A version is rolled out by one line of one environment's files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from ansible_collections.localcloud.stack.scripts.bump_version import PROJECT, SERVICES, BumpError, bump, bumped, main
from hypothesis import given
from hypothesis import strategies as st

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    for service in SERVICES:
        (tmp_path / service).mkdir()
        for environment in ("dev", "prod"):
            name = f"values-{environment}.yaml"
            shutil.copy(PROJECT / "charts" / service / name, tmp_path / service / name)
    return tmp_path


def contents(charts: Path) -> dict[str, bytes]:
    return {str(path.relative_to(charts)): path.read_bytes() for path in charts.rglob("*.yaml")}


def test_one_line_of_the_environment_changes(charts: Path) -> None:
    before = contents(charts)
    assert bump(charts, "dev", COMMIT, SERVICES) == [charts / one / "values-dev.yaml" for one in SERVICES]
    after = contents(charts)
    assert {name for name in before if before[name] != after[name]} == {f"{one}/values-dev.yaml" for one in SERVICES}
    for name in (f"{one}/values-dev.yaml" for one in SERVICES):
        pairs = list(zip(before[name].splitlines(), after[name].splitlines(), strict=True))
        assert [new for old, new in pairs if old != new] == [f'version: "{COMMIT}"'.encode()]
        assert yaml.safe_load(after[name]) == {**yaml.safe_load(before[name]), "version": COMMIT}
    assert bump(charts, "dev", COMMIT, SERVICES) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("version: a # why\n", 'version: "b" # why\n'),
        ("# version: x\r\nversion:   'a'\r\nimage: c\r\n", '# version: x\r\nversion:   "b"\r\nimage: c\r\n'),
        ('a: {version: x}\nb:\n  version: y\nversion: "a"', 'a: {version: x}\nb:\n  version: y\nversion: "b"'),
    ],
)
def test_comments_order_and_line_ends_stay(text: str, wanted: str) -> None:
    assert bumped(text, "b", "values") == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "image: a\n",
        "version: a\nversion: b\n",
        "version:\n",
        "version: &a b\n",
        "version: |\n  a\n",
        "version: a b\n",
        "version : a\n",
    ],
)
def test_a_file_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(BumpError, match="must have exactly one line"):
        bumped(text, "b", "values")


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True), st.text("ab:#'\"{} \n", max_size=40))
def test_whatever_the_version_is_it_stays_text(version: str, rest: str) -> None:
    comment = "".join(f"# {line}\n" for line in rest.splitlines())
    text = f"{comment}version: old\nimage: x\n{comment}"
    new = bumped(text, version, "values")
    assert yaml.safe_load(new) == {"version": version, "image": "x"}
    assert new.replace(f'"{version}"', "old", 1) == text


@pytest.mark.parametrize("version", ["", "a b", "-x", ".x", 'x"', "x\ny", "x" * 129, "${{ x }}"])
def test_what_is_no_tag_is_refused(charts: Path, version: str) -> None:
    before = contents(charts)
    with pytest.raises(BumpError, match="not an image's tag"):
        bump(charts, "dev", version, SERVICES)
    assert contents(charts) == before


@pytest.mark.parametrize(
    ("environment", "says"),
    [("stage", "no environment 'stage', only dev, prod"), ("../dev", "not an environment's name")],
)
def test_an_environment_that_is_not_there(charts: Path, environment: str, says: str) -> None:
    with pytest.raises(BumpError, match=says):
        bump(charts, environment, "v1", SERVICES)


def test_nothing_is_written_unless_all_can_be(charts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (charts / SERVICES[-1] / "values-dev.yaml").write_text("image: x\n")
    before = contents(charts)
    assert main(["dev", "v1", "--charts", str(charts)]) == 1
    assert "Nothing was written" in capsys.readouterr().err
    assert contents(charts) == before
    assert main(["dev", "v1", "--charts", str(charts), "--service", SERVICES[0]]) == 0
