"""The report's page: it shows the facts, asks nobody for anything, and takes all that comes from data for text."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.report.compose import compose
from ansible_collections.localcloud.stack.plugins.module_utils.report.model import Timeline
from ansible_collections.localcloud.stack.plugins.plugin_utils.charts import drawn
from ansible_collections.localcloud.stack.plugins.plugin_utils.report_page import measured as in_words
from ansible_collections.localcloud.stack.plugins.plugin_utils.report_page import page, ticks, wrapped
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.plugins.module_utils.report.facts import facts, measured, queue

NOW = "2026-01-01T12:05:00Z"
HOSTILE = st.text(
    alphabet=st.sampled_from("<>\"'&={}%/\\`; \n\u202e\x1babjs"), min_size=1, max_size=12
) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "javascript:alert(1)",
        "{{ 7*7 }}",
        "</style>",
        "--><b>",
    ]
)
EMPTY = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "path", "rect", "circle"}


class Parser(HTMLParser):
    """Elements by their order with attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def made(everything: dict[str, Any]) -> str:
    return page(compose(everything, NOW))


def everywhere(value: Any, text: str) -> Any:
    """The facts with this text appended to each that is not one of the words that choose what is shown."""
    if isinstance(value, dict):
        return {key: one if key in ("kind", "protocol", "endpoint", "url", "arn", "created_at", "ready_at", "started", "at") else everywhere(one, text)
                for key, one in value.items()}  # fmt: skip
    if isinstance(value, list):
        return [everywhere(one, text) for one in value]
    return value + text if isinstance(value, str) else value


@pytest.fixture(scope="module")
def shown() -> Parser:
    return Parser(made(facts()))


def test_it_is_whole_and_shows_the_figures(shown: Parser) -> None:
    assert shown.open == []
    for text in (
        "3 services and 3 resources are as declared and ready.",
        "1,234 items",
        "2 waiting · 1 in flight",
        "Queue work",
        "61 ms",
    ):
        assert text in shown.text


def test_it_asks_nobody_for_anything(shown: Parser) -> None:
    """Nothing is loaded, no script is there, and its policy forbids both."""
    names = {tag for tag, _attributes in shown.elements}
    assert not names & {"script", "img", "iframe", "object", "embed", "form", "base", "audio", "video", "use", "image"}
    assert [one.get("href") for tag, one in shown.elements if tag == "link"] == ["data:,"]
    policies = [one.get("content") for tag, one in shown.elements if one.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert "url(" not in made(facts()).replace("url(#tip-", "")
    assert "@import" not in made(facts())


@settings(max_examples=60, deadline=None)
@given(HOSTILE)
def test_what_comes_from_data_is_text(hostile: str) -> None:
    """Elements and attributes are those of harmless facts: the same, one by one, whatever the data's texts are."""
    everything = facts()
    everything["blueprints"][0]["difference"]["missing"] = [{"kind": "Queue", "name": "lost"}]
    harmless, found = Parser(made(everywhere(everything, "x"))), Parser(made(everywhere(everything, hostile)))
    # A name may take two lines on its card.
    kept = [[(tag, set(one)) for tag, one in each.elements if one.get("class") != "name"] for each in (harmless, found)]
    assert [one for one in kept[1] if one[0] != "a"] == [one for one in kept[0] if one[0] != "a"]
    assert found.open == []
    for _tag, attributes in found.elements:
        assert not {name for name in attributes if name.startswith("on")}
        assert str(attributes.get("href", "http:")).startswith(("http:", "https:", "data:,"))
    assert "\x1b" not in found.text and "\u202e" not in found.text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "http://[", "//elsewhere"])
def test_only_web_addresses_are_links(url: str) -> None:
    everything = facts()
    everything["blueprints"][0]["entry"] = {"namespace": "n", "links": {"Page": url}}
    assert not [one for tag, one in Parser(made(everything)).elements if tag == "a"]


def test_what_is_wrong_is_named_first() -> None:
    aws = facts()["blueprints"][0]["aws"]
    found = made(
        facts(
            aws={
                **aws,
                "queues": [
                    queue("work", 1, redrive={"dead_letter_queue": "dead", "max_receive_count": 2}),
                    queue("dead", 4),
                ],
            }
        )
    )
    assert found.index("4 messages could not be handled") < found.index("<h2>pipeline")
    assert 'data-sum="dead letters">4<' in found


def test_without_answers_it_still_shows_the_rest() -> None:
    text = Parser(made(facts(aws={"msg": "it does not answer"}, difference={"msg": "403"}))).text
    assert "it does not answer" in text
    assert "Could not be read" in text
    assert "producer" in text
    assert "nan" not in json.dumps(text).lower().split()


def test_names_are_wrapped_where_they_can_be() -> None:
    assert wrapped("justtrack-dev-devops-consumer-events") == ["justtrack-dev-devops-", "consumer-events"]
    assert wrapped("a" * 60) == ["a" * 22, "a" * 21 + "…"]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.0, []), (6.5, [0, 1, 2, 3, 4, 5, 6]), (110.0, [0, 20, 40, 60, 80, 100])]
)
def test_the_axis_has_round_seconds(seconds: float, expected: list[int]) -> None:
    assert ticks(Timeline(NOW, seconds, True, [])) == expected


@pytest.fixture(scope="module")
def with_metrics() -> Parser:
    """The page with what was measured, and nothing to draw it by."""
    return Parser(made({**facts(), "metrics": measured(), "metrics_url": "http://10.0.0.1:30990"}))


def test_figures_are_there_where_no_curve_can_be_drawn(with_metrics: Parser) -> None:
    assert with_metrics.open == []
    for text in (
        "1 replica · 1 published/s",
        "2 waiting · 1 in flight ·",
        "13 of 13 targets answer.",
        "Curves are missing (the part report-charts is not built)",
        "Do as many come out as go in?",
        "1/s",
        "no value now",
        "Without any value: Age.",
    ):
        assert text in with_metrics.text, text


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.00412, "s", "4.12 ms"),
        (75.0, "s", "75 s"),
        (0.0, "s", "0 s"),
        (0.0712, "percentunit", "7.12 %"),
        (3 * 2**30, "bytes", "3 GiB"),
        (12.0, "bytes", "12 B"),
        (1234.5, "short", "1,234"),
        (1 / 3, "reqps", "0.333/s"),
        (1e-12, "short", "0"),
    ],
)
def test_a_value_in_words(value: float, unit: str, expected: str) -> None:
    assert in_words(value, unit) == expected


def command(tmp_path: Path, script: str) -> list[str]:
    (tmp_path / "draw.py").write_text(f"import json, sys\n{script}\n")
    return [sys.executable, str(tmp_path / "draw.py")]


def test_no_text_goes_to_what_draws(tmp_path: Path) -> None:
    """It gets numbers and units, so nothing of data can be in a picture."""
    (chart, *_others) = compose({**facts(), "metrics": measured()}, NOW).metrics.charts  # type: ignore[union-attr]
    found = drawn(
        [chart], command(tmp_path, "print(json.dumps(['<svg >' + repr(json.load(sys.stdin)['charts'][0]) + '</svg>']))")
    )
    assert found.problem == ""
    assert found.pictures[0] == (
        "<svg class=\"chart\" aria-hidden=\"true\" >{'unit': 'cps', 'start': 1767268800.0, 'step': 60, "
        "'series': [[0.5, None, 1.0], [None, 0.25, None]]}</svg>"
    )


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("sys.exit('Error: out of memory')", "Error: out of memory"),
        ("print('no JSON')", "Expecting value"),
        ("print([])", "argument 2 is shorter"),
    ],
)
def test_a_drawing_that_fails_is_named(tmp_path: Path, script: str, said: str) -> None:
    charts = compose({**facts(), "metrics": measured()}, NOW).metrics.charts  # type: ignore[union-attr]
    found = drawn(charts, command(tmp_path, script))
    assert said in found.problem
    assert not any(found.pictures)
