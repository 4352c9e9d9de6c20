"""Failures of AWS in words that fit a service."""

from __future__ import annotations

from dataclasses import replace

from botocore.exceptions import ClientError

from localcloud_events.problems import DENIED, MISSING, code_of
from localcloud_events.problems import explain as explain_to_worker

# HEAD answers have no body, so S3's errors are told by their status alone.
HEAD_CODES = {"404": MISSING, "403": DENIED}
WORDS = {
    "CLOUD_AWS_DEFAULTS_ENDPOINT": "AWS_ENDPOINT_URL",
    "this worker's": "this service's",
    "the worker's": "the service's",
}


def explain(error: BaseException, endpoint: str) -> dict[str, str]:
    """Explain a failure as fields of a log line: `what`, `cause`, `next_step`."""
    problem = explain_to_worker(error, endpoint)
    if isinstance(error, ClientError) and code_of(error) in HEAD_CODES:
        cause, next_step = HEAD_CODES[code_of(error)]
        problem = replace(problem, cause=cause, next_step=next_step)
    return {name: _reworded(text) for name, text in problem.fields().items()}


def _reworded(text: str) -> str:
    for word, other in WORDS.items():
        text = text.replace(word, other)
    return text
