"""What ECharts draws for the report: pictures that are whole, ask for nothing and take the page's colours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.report.model import Chart, Series
from ansible_collections.localcloud.stack.plugins.plugin_utils.charts import drawn

PROJECT = Path(__file__).resolve().parents[2]
TEXT = "{http://www.w3.org/2000/svg}text"


def chart(unit: str, *values: list[float | None], single: bool = False) -> Chart:
    lines = [Series("<b>&'\"", one) for one in values]
    return Chart("d", "r", "t", "a?", unit, single, 1_767_268_800.0, 60, lines)


@pytest.fixture(scope="module")
def command() -> list[str]:
    found = subprocess.run(
        [sys.executable, "scripts/part.py", "report-charts", "charts.cjs"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    script = Path(found.stdout.strip())
    return [str(script.with_name("node")), str(script)]


def test_charts_are_drawn_as_the_page_wants_them(command: list[str]) -> None:
    charts = [
        chart("s", [0.001, None, 0.004], [None, None, 0.002]),
        chart("short", [1.0, 2.0], single=True),
        chart("bytes"),
        chart("percentunit", [None, 0.05]),
        chart("bytes", [float(2**30), float(2**31)]),
    ]
    found = drawn(charts, command)
    assert found.problem == ""
    assert [bool(one) for one in found.pictures] == [True, False, False, True, True]
    texts = []
    for picture in filter(None, found.pictures):
        root = ElementTree.fromstring(picture)
        texts.append([str(one.text) for one in root.iter(TEXT)])
        assert not {one.tag.rpartition("}")[2] for one in root.iter()} & {"script", "style", "image", "use", "a"}
        assert set(re.findall(r"url\(([^)]*)\)", picture)) <= {
            f"#{one.get('id')}" for one in root.iter() if one.get("id")
        }
        assert set(re.findall(r"#[0-9a-fA-F]{3,6}\b", picture)) <= {"#000"}
    assert "var(--line-1)" in found.pictures[0] and "var(--line-2)" in found.pictures[0]
    # Times in UTC, and values with their unit.
    assert "12:00" in texts[0] and "4 ms" in texts[0]
    assert "6 %" in texts[1]
    assert any(one.endswith(" GiB") for one in texts[2])


def test_pictures_on_one_page_do_not_share_names(command: list[str]) -> None:
    found = drawn([chart("s", [1.0, 2.0]), chart("s", [2.0, 1.0])], command)
    names = [set(re.findall(r'id="([^"]*)"', one)) for one in found.pictures]
    assert names[0] and not names[0] & names[1]
