"""The contract is whole, its committed outcomes are what the pages show, and mistakes are refused with their path."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.emulators.behaviours import read_known
from botocore.exceptions import ClientError

PROJECT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(PROJECT))
from compat import checking, emulators, outcomes  # noqa: E402
from compat.aws import Aws, Clients, refused  # noqa: E402
from compat.contract import Behaviour, Contract, ContractError, load  # noqa: E402

CONTRACT = load()
KNOWN = read_known(outcomes.FOLDER)
GOOD = """
from compat.contract import Contract
behaviour = Contract()
@behaviour("sqs.a.b", "It does this", source="AWSSimpleQueueService/latest/APIReference/API_SendMessage.html", hurts="lost", without="it is lost")
def check(aws):
    return None
"""


def test_the_contract_covers_what_event_driven_systems_use() -> None:
    services = {one.service for one in CONTRACT.values()}
    assert len(CONTRACT) >= 120
    assert services == {
        "cloudwatch", "dynamodb", "events", "iam", "kinesis", "kms", "s3", "secretsmanager", "sns", "sqs", "ssm", "sts"
    }  # fmt: skip


def test_what_is_committed_is_what_the_contract_renders_to() -> None:
    shipped = (outcomes.FOLDER / "contract.json").read_text()
    assert shipped == outcomes.contract_text(CONTRACT), "run `make compat`"
    assert outcomes.PAGE.read_text() == outcomes.page(KNOWN), "run `make compat`"


@pytest.mark.parametrize("engine", KNOWN.outcomes, ids="-".join)
def test_each_engine_has_an_outcome_of_each_behaviour(engine: tuple[str, str]) -> None:
    assert set(KNOWN.outcomes[engine]) == set(CONTRACT), "run `make compat`"


def test_the_engines_of_the_stack_were_measured_in_their_pinned_versions() -> None:
    defaults = (PROJECT / "roles/localstack_service/defaults/main.yml").read_text()
    localstack = re.search(r"^localstack_service_version: (\S+)", defaults, re.M)
    ministack = re.search(r"^ministack==(\S+)$", (PROJECT / "requirements/ministack.in").read_text(), re.M)
    assert localstack
    assert ministack
    assert {("localstack", localstack[1]), ("ministack", ministack[1])} <= set(KNOWN.outcomes), "run `make compat`"


def test_an_engine_runs_with_the_roles_settings() -> None:
    assert emulators.settings("localstack", 4566)["SQS_ENDPOINT_STRATEGY"] == "off"
    assert emulators.settings("ministack", 4567)["GATEWAY_PORT"] == "4567"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("sqs.a.b", "sns.a.b"), "sns.a.b: an id is 'sqs.'"),
        (("It does this", "It does this."), "does: must be a sentence without the full stop"),
        (("AWSSimpleQueueService/latest", "../example"), "source: https://docs.aws.amazon.com/../example"),
        (('hurts="lost"', 'hurts="much"'), "hurts: much is none of lost, wrong"),
        (('without="it is lost"', 'without=""'), "without: must be a sentence"),
        (('without="it is lost"', 'without="it is lost", features=["queue"]'), "features: queue is none of topics"),
        (("behaviour", "other"), "can't be read (ContractError: has no `behaviour"),
        (("def check(aws):", "def check(aws)"), "can't be read (SyntaxError"),
    ],
)
def test_a_mistake_in_a_file_is_refused_with_its_path(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    file = tmp_path / "sqs.py"
    file.write_text(GOOD)
    assert list(load(tmp_path)) == ["sqs.a.b"]
    file.write_text(GOOD.replace(*change))
    with pytest.raises(ContractError) as error:
        load(tmp_path)
    assert str(error.value).startswith(f"{file}: ")
    assert told in str(error.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "sqs.py").write_text(GOOD + GOOD.split("behaviour = Contract()")[1])
    (tmp_path / "sns.py").write_text("1 +")
    with pytest.raises(ContractError) as error:
        load(tmp_path)
    assert [line.split(": ")[0] for line in str(error.value).splitlines()] == [
        str(tmp_path / "sns.py"), str(tmp_path / "sqs.py")
    ]  # fmt: skip
    with pytest.raises(ContractError, match="has no file with behaviours"):
        load(tmp_path / "absent")


def test_what_was_not_asked_for_keeps_its_outcome(tmp_path: Path) -> None:
    file = tmp_path / "one-1.json"
    names = sorted(CONTRACT)[:2]
    outcomes.write(file, "one", "1", {names[0]: None, names[1]: "lost", "sqs.gone": None}, CONTRACT)
    outcomes.write(file, "one", "1", {names[0]: "late"}, CONTRACT)
    assert json.loads(file.read_text())["behaviours"] == {names[0]: "late", names[1]: "lost"}
    assert outcomes.read(tmp_path / "absent.json") == {}


class Answers(BaseHTTPRequestHandler):
    """Something that answers, and counts what it is asked."""

    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.answer(404, b"{}")

    def do_POST(self) -> None:
        self.answer(
            200,
            b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
        )

    def answer(self, status: int, body: bytes) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.asked.append(f"{self.command} {self.rfile.read(length).decode()}".strip())
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Answers.asked.clear()
    server = HTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_an_endpoint_that_is_no_emulator_is_refused_before_the_first_write(address: str) -> None:
    with pytest.raises(checking.RefusedError, match=r"is not recognised as an emulator.*Give ACCOUNT="):
        checking.target(address, None, "eu-central-1")
    assert all(one.startswith("GET") for one in Answers.asked)


def test_another_account_than_the_allowed_one_is_refused(address: str) -> None:
    with pytest.raises(checking.RefusedError, match="has the account 123456789012, not ACCOUNT=210987654321"):
        checking.target(address, "210987654321", "eu-central-1")
    allowed = checking.target(address, "123456789012", "eu-central-1")
    assert (allowed.engine, allowed.account) == ("unknown", "123456789012")
    assert not [one for one in Answers.asked if one.startswith("POST") and "GetCallerIdentity" not in one]


def test_real_aws_needs_its_account() -> None:
    with pytest.raises(checking.RefusedError, match="Real AWS is not recognised"):
        checking.target(None, None, "eu-central-1")


def test_what_a_check_sees_has_no_names_of_one_run(address: str) -> None:
    aws = Aws(Clients(address, "eu-central-1", 1), "000000000000")
    one = Behaviour("sqs.a.b", "", "", "lost", "", lambda view: f"{view.name('q')} is there")
    assert checking.check(one, aws)[0].seen == "… is there"
    failing = Behaviour("sqs.a.b", "", "", "lost", "", lambda view: {}["Body"])
    assert checking.check(failing, aws)[0].seen == "the answer lacks something (KeyError: 'Body')"


@pytest.mark.parametrize(
    ("statuses", "seen"),
    [([500, 400], "Put answers Wrong"), ([500, 500], "Put answers Wrong"), ([500, 0], None), ([0], None)],
)
def test_a_check_is_made_again_where_the_engine_failed_itself(
    address: str, statuses: list[int], seen: str | None
) -> None:
    names: list[str] = []

    def put(view: Aws) -> str | None:
        names.append(view.name())
        if status := statuses[len(names) - 1]:
            answer: Any = {"Error": {"Code": "Wrong"}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(answer, "Put")
        return None

    at = checking.Target("floci", "1", address, "000000000000")
    one = Behaviour("sts.a.b", "", "", "lost", "", put)
    assert checking.start([one], at, "eu-central-1")["sts.a.b"].result(10).seen == seen
    assert len(set(names)) == len(statuses)


def test_a_refusal_is_told_from_an_acceptance(address: str) -> None:
    sts = Clients(address, "eu-central-1", 1).get("sts")
    assert refused(sts.get_caller_identity, "AccessDenied") == "accepted"


def test_a_contract_keeps_what_it_declares() -> None:
    contract = Contract()
    contract("sqs.a.b", "d", source="s.html", hurts="lost", without="w", slow=True)(lambda aws: None)
    assert (contract.behaviours[0].source, contract.behaviours[0].slow) == ("https://docs.aws.amazon.com/s.html", True)
