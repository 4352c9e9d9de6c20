"""What comes from data can't act on the terminal, nor add a line of its own."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws import errors as aws_errors
from ansible_collections.localcloud.stack.plugins.module_utils.aws.errors import AwsError
from ansible_collections.localcloud.stack.plugins.module_utils.common import ownership, summary, unexpected
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import (
    PrintableError,
    printable,
    printable_data,
    printable_lines,
)
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane import conditions as crossplane_conditions
from ansible_collections.localcloud.stack.plugins.module_utils.drift import fields as crossplane_compare
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError, KubernetesError
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_answer import Answer
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_proof import HttpProof, HttpProofError
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_steps import read_steps
from ansible_collections.localcloud.stack.plugins.module_utils.workloads import report as workloads_report
from hypothesis import given
from hypothesis import strategies as st

PACKAGE = "ansible_collections.localcloud.stack.plugins.module_utils"
FOLDER = Path(inspect.getfile(summary)).parents[1]
# Clears the screen, colours, sets the title, goes back to a line's start, turns the direction, is no character at all.
HOSTILE = "x\x1b[2J\x1b[31m\x1b]0;t\x07\r\x08\u202eabc\u2066\u200b\u2028\x85\ud800\nVerified: event fake went through."
SHOWN = r"x\x1b[2J\x1b[31m\x1b]0;t\x07\r\x08\u202eabc\u2066\u200b\u2028\x85\ud800\nVerified: event fake went through."


def test_every_sign_that_acts_is_escaped() -> None:
    assert printable(HOSTILE) == SHOWN
    assert printable_lines(HOSTILE) == SHOWN.replace(r"\n", "\n")
    assert printable_data({HOSTILE: [HOSTILE, 1, None, ("a\x1b",)]}) == {
        printable_lines(HOSTILE): [printable_lines(HOSTILE), 1, None, [r"a\x1b"]]
    }


@pytest.mark.parametrize("text", ["", "plain", "Zoë Ångström", "王小明", "C:\\temp", "a 'b' \"c\" {}", "→ … ✓", "é"])
def test_text_that_does_nothing_stays(text: str) -> None:
    assert printable(text) == text


@given(st.text())
def test_the_result_is_always_one_line_that_can_be_printed(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable() and len(shown.splitlines()) <= 1
    assert printable(shown) == shown
    assert shown.encode().decode() == shown


def test_every_error_of_ours_can_be_printed() -> None:
    """Ansible prints str(error) as it is."""
    found = []
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                place = ".".join(path.relative_to(FOLDER).with_suffix("").parts).removesuffix(".__init__")
                found.append(getattr(importlib.import_module(f"{PACKAGE}.{place}"), node.name))
    assert len(found) > 15
    assert [one for one in found if not issubclass(one, PrintableError)] == []


@pytest.mark.parametrize("error", [AwsError, KubernetesError])
def test_an_errors_message_and_details_can_be_printed(error: type[AwsError] | type[KubernetesError]) -> None:
    raised = error(HOSTILE, problems=[{"message": HOSTILE}])
    assert raised.message == str(raised) == printable_lines(HOSTILE)
    assert raised.details == {"problems": [{"message": printable_lines(HOSTILE)}]}
    assert ApiError(500, HOSTILE).message == printable_lines(HOSTILE)


def facts(**changed: object) -> dict[str, object]:
    table = {"name": "events", "item_count": 1, "newest_items": [{"Id": HOSTILE, HOSTILE: 1}]}
    whole = {
        "cloud": {"Engine": HOSTILE},
        "notes": [HOSTILE],
        "pods": [{"name": HOSTILE, "phase": HOSTILE, "ready": True, "restarts": 0}],
        "resources": [{"kind": "Queue", "name": HOSTILE, "ready": True}],
        "tables": [table],
        "proofs": [HOSTILE],
        "seconds": {HOSTILE: 1.0},
        "links": {HOSTILE: HOSTILE},
        "commands": {"Pods": HOSTILE},
    }
    return {**whole, **changed}


@pytest.mark.parametrize("proof", [{}, {"proofs": []}])
def test_no_data_fakes_a_line_of_the_summary(proof: dict[str, object]) -> None:
    text = summary.summary(facts(**proof))
    lines = text.split("\n")
    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines[:-1] if line.lstrip().startswith("Verified")]
    assert lines[-1].startswith("Verified: ") is bool(proof != {"proofs": []})


def test_numbers_in_items_are_shown_digit_by_digit() -> None:
    table = {"name": "t", "item_count": 1, "newest_items": [{"Id": "00123", "Number": "9007199254740993"}]}
    assert "00123  9007199254740993" in summary.summary(facts(tables=[table]))


def of_aws(text: str) -> Exception:
    error = Exception()
    error.response = {"Error": {"Code": "SomethingElse", "Message": text}}  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    "text",
    [
        aws_errors.explain(of_aws(HOSTILE), "listing tables", None),
        aws_errors.explain(RuntimeError(HOSTILE), "listing tables", None),
        str(crossplane_compare.Change(HOSTILE, HOSTILE, [HOSTILE])),
        crossplane_conditions.shorten(HOSTILE, 1000),
        ownership.foreign_problems([{"kind": "Queue", "name": "q", "owner": HOSTILE}], "Rename it.")[0],
        workloads_report.masked(HOSTILE),
        unexpected.unexpected(RuntimeError(HOSTILE), "The module")["msg"],
        *workloads_report.table([("POD", "LAST"), (HOSTILE, HOSTILE)]),
        *workloads_report.log_lines(HOSTILE),
    ],
)
def test_a_sentence_about_data_stays_one_line(text: str) -> None:
    assert text.isprintable()


def test_an_answer_over_http_is_quoted_on_one_line() -> None:
    class Client:
        def answer(self, *_arguments: object) -> Answer:
            return Answer(500, {"x-said": HOSTILE}, HOSTILE.encode("utf-8", "surrogatepass"), HOSTILE)

    (step,) = read_steps([{"name": "ask", "url": "http://x", "header": {"x-said": "hello"}}])
    with pytest.raises(HttpProofError) as error:
        HttpProof([step], 1, Client()).run()  # type: ignore[arg-type]
    assert "the status is 500" in str(error.value) and str(error.value).isprintable()
