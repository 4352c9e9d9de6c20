# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proof by HTTP: steps one after the other, each answered as expected, and clean-up whatever happens."""

from __future__ import annotations

import re
import time
import typing as t
import uuid
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.common.masking import masked
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import (
    ModuleError,
    PrintableError,
    printable_data,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import WaitError, wait_for
from ansible_collections.localcloud.stack.plugins.module_utils.probe import http_answer, http_steps, placeholders
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_answer import Answer, Expectation
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_client import (
    Client,
    NoAnswerError,
    Request,
    request_with,
)
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_steps import Step

Json = dict[str, t.Any]
# Longest time of one request, in seconds; clean-up has it even when the proof's own time is up.
LIMIT = 15.0
# What the last attempt of a step has at least, so that it says more than that the time is up.
SHORTEST = 1.0
FIRST_INTERVAL, GROWTH, LAST_INTERVAL = 0.1, 1.5, 2.0
SHOWN = 300
LOOKED_AT = 10_000
# What stands before the secret of a header.
SCHEME = re.compile(r"^(basic|bearer|digest|token)\s+", re.IGNORECASE)


class HttpProofError(ModuleError):
    """A proof failed."""


class StepError(PrintableError):
    """A step failed; the text says which and why."""


class HttpProof:
    """Steps, and what is known of them while they run."""

    def __init__(self, steps: t.Sequence[Step], timeout: float, client: Client | None = None) -> None:
        self.steps = steps
        self.timeout = timeout
        self.client = client or Client()
        self.values: Json = {http_steps.UNIQUE: uuid.uuid4().hex[:12]}
        self._secret_names = http_steps.secret_names(steps)
        self._secrets: set[str] = set()
        self._files = {path: Path(path).read_bytes() for path in files_of(steps)}
        self._results: list[Json] = []
        self._begin = time.monotonic()

    def run(self) -> Json:
        """All steps. If one fails, those that are to run always still do. Raises HttpProofError."""
        self._begin = time.monotonic()
        rest = iter(self.steps)
        try:
            for step in rest:
                self._step(step, self._begin + self.timeout)
        except StepError as error:
            failed = self._results[-1]["name"]
            message = " ".join([str(error), *self._clean_up(rest)])
            raise HttpProofError(message, failed_step=failed, **self.result()) from error
        except BaseException:
            self._clean_up(rest)
            raise
        return self.result()

    def result(self) -> Json:
        """What is known by now. Values that are secrets are not in it."""
        known = {name: one for name, one in self.values.items() if name not in self._secret_names}
        took = {one["name"]: one["ms"] for one in self._results}
        latency = {**took, http_steps.TOTAL: _ms(self._begin)}
        return {"steps": self._results, "latency_ms": latency, "saved": printable_data(known)}

    def _clean_up(self, rest: t.Iterator[Step]) -> list[str]:
        """Runs what is to run always; says what of it failed."""
        said = []
        for step in rest:
            if not step.always:
                continue
            try:
                self._step(step, 0)
            except StepError as error:
                said.append(f"Cleaning up failed, too: {error}")
        return said

    def _step(self, step: Step, deadline: float) -> None:
        started = time.monotonic()
        if step.always:
            deadline = max(deadline, started + LIMIT)
        result: Json = {"name": step.name, "status": None, "ms": None}
        self._results.append(result)
        if started >= deadline:
            raise StepError(
                f"{_title(step)} was not sent, as the time for all steps (timeout, {self.timeout:g} s) was up before."
            )
        request, expected = self._filled(step)

        def look() -> str | None:
            problem = self._attempt(step, request, expected, deadline, result)
            result["ms"] = _ms(started)
            return problem

        what = _title(step, masked(f"{request.method} {request.url}", self._secrets))
        if not step.retry:
            if problem := look():
                raise StepError(f"{what} {problem}")
            return
        try:
            wait_for(
                f"{what[0].lower()}{what[1:]} to be answered as expected",
                look,
                deadline - started,
                FIRST_INTERVAL,
                GROWTH,
                LAST_INTERVAL,
            )
        except WaitError as error:
            raise StepError(f"{error} All steps have {self.timeout:g} s (timeout).") from error

    def _filled(self, step: Step) -> tuple[Request, Expectation]:
        """Request and expectation with values. Raises StepError for what cannot be sent."""
        try:
            for one in http_steps.secret_templates(step):
                text = placeholders.text_filled(one, self.values)
                self._secrets |= {text, SCHEME.sub("", text)}
            url = placeholders.text_filled(step.url, self.values)
            headers = {name: placeholders.text_filled(one, self.values) for name, one in step.headers.items()}
            send = (step.send[0], self._filled_body(*step.send)) if step.send else None
            expected = Expectation(
                step.status,
                tuple(placeholders.filled(one, self.values) for one in step.json),
                None if step.contains is None else placeholders.text_filled(step.contains, self.values),
                self._files[step.file] if step.file else None,
                {name: placeholders.text_filled(one, self.values) for name, one in step.header.items()},
            )
        except KeyError as error:
            raise StepError(f"{_title(step)} was not sent, as ${{{error.args[0]}}} is not known.") from error
        problems = [f"its URL {masked(url, self._secrets)} {found}" for found in [http_steps.url_problem(url)] if found]
        problems += [
            f"its header {name} {found}" for name, one in headers.items() if (found := http_steps.header_problem(one))
        ]
        if problems:
            raise StepError(f"{_title(step)} was not sent, as {'; '.join(problems)}.")
        return request_with(step.method, url, headers, send, self._files), expected

    def _filled_body(self, kind: str, value: t.Any) -> t.Any:
        """Only JSON keeps the types of values. Raises KeyError for a name without a value."""
        if kind == "send_json":
            return placeholders.filled(value, self.values)
        if kind == "send_body":
            return placeholders.text_filled(value, self.values)
        return {
            name: one if isinstance(one, dict) else placeholders.text_filled(one, self.values)
            for name, one in value.items()
        }

    def _attempt(
        self, step: Step, request: Request, expected: Expectation, deadline: float, result: Json
    ) -> str | None:
        """Sends once; None if the answer is as expected, and then what it has to give is saved. Else says what is wrong."""
        seconds = min(LIMIT, max(SHORTEST, deadline - time.monotonic()))
        try:
            answer = self.client.answer(request, seconds, expected.status)
        except NoAnswerError as error:
            result["status"] = None
            return masked(f"{error}.", self._secrets)
        result["status"] = answer.status
        problems = http_answer.mismatches(expected, answer)
        if not problems:
            problems = self._save(step, answer)
        if not problems:
            return None
        said = masked(f"was not answered as expected: {'; '.join(problems)}.", self._secrets)
        return f"{said} The answer: {self._shown(answer)}. {next_step(answer, expected)}."

    def _save(self, step: Step, answer: Answer) -> list[str]:
        """Keeps the values that the step takes from the answer; all of them, or none with the problems."""
        found, problems = {}, []
        for name, path in step.save.items():
            try:
                found[name] = http_answer.value_at(path, http_answer.parsed(answer))
            except http_answer.NoValueError as error:
                problems.append(f"nothing to save as {name}: {error}")
        if not problems:
            self.values |= found
            self._secrets |= {text for name in found.keys() & self._secret_names for text in _leaves(found[name])}
        return list(dict.fromkeys(problems))

    def _shown(self, answer: Answer) -> str:
        if b"\0" in answer.body[:LOOKED_AT]:
            return f"{len(answer.body)} bytes of {masked(answer.headers.get('content-type') or 'no type')}"
        text = masked(" ".join(answer.text[:LOOKED_AT].split()), self._secrets)
        return (text if len(text) <= SHOWN else f"{text[:SHOWN]}…") or "nothing"


def files_of(steps: t.Iterable[Step]) -> set[str]:
    """The files that steps send or expect."""
    found = {step.file for step in steps if step.file}
    for step in steps:
        if step.send and step.send[0] == "send_form":
            found |= {one["file"] for one in step.send[1].values() if isinstance(one, dict)}
    return found


def unsent(steps: t.Iterable[Step]) -> Json:
    """The result of steps that were looked at only."""
    return {
        "steps": [{"name": step.name, "status": None, "ms": None} for step in steps],
        "latency_ms": {},
        "saved": {},
    }


def next_step(answer: Answer, expected: Expectation) -> str:
    """The likely cause of an unexpected answer, and what to do."""
    status = answer.status
    if status in expected.status:
        return "Look at the service's log, and whether the step expects what the service is to answer"
    if answer.elsewhere:
        return f"Redirects to another origin are not followed: give that address as url, or expect the status {status}"
    if status in (502, 503, 504):
        return "Likely no pod is ready behind it; look at the pods and their log"
    if status >= 500:
        return "Likely the service failed; look at its log"
    if status in (401, 403):
        return "Likely credentials are missing or wrong; look at the step's headers"
    if status == 404:
        return "Likely the address is wrong, or what it names is not there; look at the step's url"
    return "Likely the service takes the request otherwise; look at what the step sends"


def _title(step: Step, request: str = "") -> str:
    return f"Step {step.name!r}" + (f" ({request})" if request and request != step.name else "")


def _leaves(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _leaves(one)
    elif value is not None:
        yield placeholders.as_text(value)


def _ms(since: float) -> float:
    return round((time.monotonic() - since) * 1000, 1)
