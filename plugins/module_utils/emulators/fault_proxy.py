# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults on purpose: a proxy before an emulator that does to some requests what AWS does to some.

Run as a program it needs aiohttp (requirements/faults.txt) and nothing of this collection; all but C(serve) is pure.
What is drawn for the nth request to a service follows from the seed alone, whatever else is asked in between.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import typing as t
import urllib.parse
from collections import Counter
from dataclasses import dataclass

THROTTLE, ERROR, LATENCY, TIMEOUT, DUPLICATE, REORDER = (
    "throttle",
    "error",
    "latency",
    "timeout",
    "duplicate",
    "reorder",
)
# Each fault, and the services that it is for; empty for all.
FAULTS: dict[str, tuple[str, ...]] = {
    THROTTLE: (),
    ERROR: (),
    LATENCY: (),
    TIMEOUT: (),
    DUPLICATE: ("sns", "sqs"),
    REORDER: ("sqs",),
}
SENDS = frozenset({"Publish", "PublishBatch", "SendMessage", "SendMessageBatch"})
FIELDS = frozenset({"service", "fault", "rate", "milliseconds"})
LONGEST = 60000
MILLISECONDS = {LATENCY: 500, TIMEOUT: 2000}
# The code by which AWS says that it throttles, and its status, where it is not ThrottlingException with 400:
# each service's page "Common errors" or its operations' "Errors".
THROTTLED = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "kinesis": ("ProvisionedThroughputExceededException", 400),
    "s3": ("SlowDown", 503),
    "iam": ("Throttling", 400),
    "sns": ("Throttling", 400),
    "sts": ("Throttling", 400),
}
FAILED = ("InternalFailure", 500)
# Where it is returned what was done to how many requests, as JSON.
COUNTS = "/_faults"
_SCOPE = re.compile(r"[^/]+/\d{8}/[^/]+/([a-z0-9-]+)/aws4_request")
# Of one connection, so that they are not passed on.
_HOP = frozenset(
    {"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade", "content-length", "expect"}
)


@dataclass(frozen=True)
class Rule:
    """One fault: to which share of a service's requests it is done. milliseconds: for latency and timeout."""

    service: str
    fault: str
    rate: float
    milliseconds: int = 0


class Call(t.NamedTuple):
    """What a request asks: service and operation, as AWS names them; empty where the request does not say."""

    service: str
    operation: str


def problems(given: t.Any, path: str) -> list[str]:
    """All that is wrong with a list of faults, a sentence each, with its path."""
    if not isinstance(given, list):
        return [f"{path}: must be a list of faults, such as [{{service: sqs, fault: throttle, rate: 0.1}}]."]
    return [text for index, one in enumerate(given) for text in _rule_problems(one, f"{path}[{index}]")]


def _rule_problems(rule: t.Any, path: str) -> t.Iterator[str]:
    if not isinstance(rule, dict):
        yield f"{path}: must be a map with service, fault and rate."
        return
    for name in sorted(map(str, set(rule) - FIELDS)):
        yield f"{path}.{name}: is not known. Known are {', '.join(sorted(FIELDS))}."
    service, fault = rule.get("service"), rule.get("fault")
    if not isinstance(service, str) or not re.fullmatch(r"[a-z0-9-]+", service):
        yield f"{path}.service: must be a service's name as AWS signs it, such as sqs or dynamodb."
    if not isinstance(fault, str) or fault not in FAULTS:
        yield f"{path}.fault: must be one of {', '.join(FAULTS)}."
    elif FAULTS[fault] and service not in FAULTS[fault]:
        yield f"{path}.fault: {fault} is for {' and '.join(FAULTS[fault])} only."
    if not _number(rule.get("rate")) or not 0 < float(rule["rate"]) <= 1:
        yield f"{path}.rate: must be a number above 0, up to 1: the share of the service's requests."
    if "milliseconds" in rule:
        if fault not in MILLISECONDS:
            yield f"{path}.milliseconds: is for {' and '.join(MILLISECONDS)} only."
        elif not _number(rule["milliseconds"]) or not 0 < float(rule["milliseconds"]) <= LONGEST:
            yield f"{path}.milliseconds: must be a number from 1 to {LONGEST}."


def _number(value: t.Any) -> bool:
    """A number, or a text that is one, as `-e name=value` gives it."""
    return not isinstance(value, bool) and bool(re.fullmatch(r"\d+(\.\d+)?", str(value)))


def rules(given: list[dict[str, t.Any]]) -> list[Rule]:
    """The faults of a list without problems."""
    return [
        Rule(
            one["service"],
            one["fault"],
            float(one["rate"]),
            int(float(one.get("milliseconds", MILLISECONDS.get(one["fault"], 0)))),
        )
        for one in given
    ]


class Plan:
    """Which faults each request gets."""

    def __init__(self, wanted: t.Sequence[Rule], seed: str) -> None:
        self._drawn = [(rule, random.Random(f"{seed}/{index}")) for index, rule in enumerate(wanted)]
        self._shuffle = random.Random(seed)
        self.counts: Counter[str] = Counter()

    def faults(self, call: Call) -> dict[str, Rule]:
        """The faults of the next request to a service, by their names; each rule of the service draws once."""
        return {
            rule.fault: rule
            for rule, drawn in self._drawn
            if rule.service == call.service and drawn.random() < rule.rate
        }

    def reordered(self, body: bytes) -> bytes:
        """The answer to ReceiveMessage with its messages in another order."""
        try:
            answer = json.loads(body)
            messages = answer["Messages"]
        except (ValueError, KeyError, TypeError):
            return body
        if not isinstance(messages, list) or len(messages) < 2:
            return body
        first = list(messages)
        self._shuffle.shuffle(messages)
        if messages == first:
            messages.append(messages.pop(0))
        return json.dumps(answer).encode()


def call_of(headers: t.Mapping[str, str], query: str, body: bytes) -> Call:
    """What a request asks, by the scope of its signature and by its target or action. C(headers): names in any case."""
    given = {name.lower(): value for name, value in headers.items()}
    signed = _SCOPE.search(given.get("authorization", "")) or _SCOPE.search(urllib.parse.unquote(query))
    operation = given.get("x-amz-target", "").rpartition(".")[2]
    if not operation and given.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        operation = urllib.parse.parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
    return Call(signed[1] if signed else "", operation)


def refusal(call: Call, headers: t.Mapping[str, str], fault: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of AWS's answer that throttles or fails, in the protocol of the request."""
    code, status = THROTTLED.get(call.service, ("ThrottlingException", 400)) if fault == THROTTLE else FAILED
    given = {name.lower(): value for name, value in headers.items()}
    text = f"localstack_service_faults: {fault}"
    kind = given.get("content-type", "")
    if "json" in kind:
        said = json.dumps({"__type": code, "message": text})
        return status, {"content-type": kind, "x-amzn-errortype": code}, said.encode()
    error = f"<Code>{code}</Code><Message>{text}</Message>"
    if call.service == "s3":
        return status, {"content-type": "application/xml"}, f"<Error>{error}</Error>".encode()
    said = f"<ErrorResponse><Error><Type>Receiver</Type>{error}</Error><RequestId>faults</RequestId></ErrorResponse>"
    return status, {"content-type": "text/xml"}, said.encode()


def passed_on(headers: t.Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers that are no matter of one connection."""
    return [(name, value) for name, value in headers if name.lower() not in _HOP]


def serve(address: str, port: int, upstream: str, plan: Plan) -> None:
    """Run until the end of the process."""
    import aiohttp
    from aiohttp import web
    from yarl import URL

    async def forward(request: web.Request, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        url = URL(upstream + request.raw_path, encoded=True)
        async with request.app["client"].request(
            request.method, url, headers=passed_on(request.headers.items()), data=body, allow_redirects=False
        ) as answer:
            passed = passed_on(answer.headers.items())
            if request.method == "HEAD" and "content-length" in answer.headers:
                # The length of what is not sent.
                passed.append(("Content-Length", answer.headers["content-length"]))
            return answer.status, passed, await answer.read()

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == COUNTS:
            return web.json_response(plan.counts)
        body = await request.read()
        call = call_of(request.headers, request.query_string, body)
        faults = plan.faults(call)
        for name in faults:
            plan.counts[f"{call.service}.{name}"] += 1
        if LATENCY in faults:
            await asyncio.sleep(faults[LATENCY].milliseconds / 1000)
        for name in (THROTTLE, ERROR):
            if name in faults:
                status, headers, said = refusal(call, request.headers, name)
                return web.Response(status=status, headers=headers, body=said)
        try:
            if DUPLICATE in faults and call.operation in SENDS:
                await forward(request, body)
            status, passed, said = await forward(request, body)
        except aiohttp.ClientError:
            return web.Response(status=503, text="the emulator does not answer")
        if TIMEOUT in faults:
            # The request is done, but its answer is lost: the worst that a timeout can be.
            await asyncio.sleep(faults[TIMEOUT].milliseconds / 1000)
            if request.transport:
                request.transport.abort()
        if REORDER in faults and call.operation == "ReceiveMessage" and ".fifo" not in body.decode(errors="replace"):
            said = plan.reordered(said)
        response = web.Response(status=status, body=said)
        response.headers.popall("content-type", None)
        for name, value in passed:
            response.headers.add(name, value)
        return response

    async def client(app: web.Application) -> t.AsyncIterator[None]:
        # No answer is unpacked, and none is waited for longer than a client would: the client decides.
        async with aiohttp.ClientSession(
            auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None), skip_auto_headers=("User-Agent",)
        ) as session:
            app["client"] = session
            yield

    app = web.Application(client_max_size=0)
    app.cleanup_ctx.append(client)
    app.router.add_route("*", "/{path:.*}", handle)

    async def run() -> None:
        # A body goes on as it came.
        runner = web.AppRunner(app, access_log=None, auto_decompress=False)
        await runner.setup()
        await web.TCPSite(runner, address, port).start()
        await asyncio.Event().wait()

    asyncio.run(run())


def main(arguments: list[str]) -> None:
    """Run with what the role localstack_service gives: the list of faults is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("address", "port", "upstream", "seed", "faults"):
        parser.add_argument(f"--{name}", required=True)
    given = parser.parse_args(arguments)
    wanted = json.loads(given.faults)
    if found := problems(wanted, "localstack_service_faults"):
        parser.error(" ".join(found))
    serve(given.address, int(given.port), given.upstream, Plan(rules(wanted), given.seed))


if __name__ == "__main__":
    main(sys.argv[1:])
