"""Where stations are drawn."""

from __future__ import annotations

from ansible_collections.localcloud.stack.plugins.module_utils.report.layout import layout
from hypothesis import given
from hypothesis import strategies as st

NODES = st.lists(st.sampled_from("abcdefgh"), unique=True)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    nodes = draw(NODES)
    ends = st.sampled_from(nodes) if nodes else st.nothing()
    return nodes, draw(st.lists(st.tuples(ends, ends))) if nodes else []


def test_events_go_from_left_to_right() -> None:
    found = layout(list("abcd"), [("a", "b"), ("b", "c"), ("a", "c")])
    assert [found.places[one].column for one in "abc"] == [0, 1, 2]
    assert [one.column for one in found.ways["a", "c"]] == [1]
    assert found.ways["a", "c"][0].row != found.places["b"].row


def test_what_nothing_leads_to_is_next_to_what_it_leads_to() -> None:
    found = layout(list("abcx"), [("a", "b"), ("b", "c"), ("x", "c")])
    assert found.places["x"].column == 1


def test_ways_do_not_cross_where_they_need_not() -> None:
    found = layout(list("abcd"), [("a", "d"), ("b", "c")])
    assert (found.places["a"].row < found.places["b"].row) is (found.places["d"].row < found.places["c"].row)


@given(graphs())
def test_any_graph_is_drawn_with_a_place_for_each(graph: tuple[list[str], list[tuple[str, str]]]) -> None:
    nodes, edges = graph
    found = layout(nodes, edges)
    places = [*found.places.values(), *(place for way in found.ways.values() for place in way)]
    assert len(places) == len(set(places))
    assert set(found.places) == set(nodes)
    assert set(found.ways) == set(edges)
    assert all(0 <= one.column < max(1, len(nodes)) and one.row >= 0 for one in places)
