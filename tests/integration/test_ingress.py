"""Names by the Ingress controller, for stacks that have `stack_domain` set as molecule/ministack does."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

DOMAIN = "localcloud.test"


def by_name(stack: Any, name: str, path: str) -> int:
    """HTTP status of a page, asked at the node's address under a name of the Ingress."""
    request = urllib.request.Request(f"http://{stack.facts['address']}{path}", headers={"Host": f"{name}.{DOMAIN}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


ASK = """
import sys, urllib.error, urllib.request
request = urllib.request.Request(f"http://{sys.argv[1]}/_localstack/health", headers={"Host": sys.argv[2]})
try:
    print(urllib.request.urlopen(request, timeout=10).status, end="")
except urllib.error.HTTPError as error:
    print(error.code, end="")
"""


def test_both_names_are_served_to_this_machine(stack: Any, eventually: Any) -> None:
    assert eventually(lambda: by_name(stack, "dynamodb", "/") == 200)
    assert eventually(lambda: by_name(stack, "localstack", "/_localstack/health") == 200)
    assert by_name(stack, "other", "/") == 404


def test_the_emulators_name_is_for_the_allowed_source_only(stack: Any, client: Any) -> None:
    """The scenario allows this machine's end of the cable; a pod has an address of the pods' network."""
    address = stack.facts["address"]
    assert by_name(stack, "localstack", "/_localstack/health") == 200
    assert client("crossplane-system", {}, address, f"localstack.{DOMAIN}", script=ASK) == "403"
    assert client("crossplane-system", {}, address, f"dynamodb.{DOMAIN}", script=ASK) in ("200", "404")
