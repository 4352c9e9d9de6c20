"""The users API under change: no request fails, no user is lost, pods follow the load, and a lost AWS is waited out."""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import sys
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

PROJECT = Path(__file__).resolve().parents[2]
PICTURE = PROJECT / "blueprints/users_api/avatar.png"
NAMESPACE = "devopstest"
APP = "app.kubernetes.io/name=users-api"
SERVICE = f"http://users-api.{NAMESPACE}"
# Sends requests one after the other, each by a connection of its own and none twice, until a certain user is there or the
# bound is reached. Every fifth makes a user. Prints what failed and who was made.
STREAM = """
import base64, json, sys, time, urllib.error, urllib.request
service, run, picture = sys.argv[1], sys.argv[2], base64.b64decode(sys.argv[3])
made, failed, sent, last = [], [], 0, False

def ask(path, method="GET", data=None, headers={}):
    request = urllib.request.Request(service + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except Exception as error:
        return repr(error)

def make(email):
    lines = [f'--x\\r\\nContent-Disposition: form-data; name="{n}"\\r\\n\\r\\n{v}\\r\\n' for n, v in (("name", "Ann"), ("email", email))]
    file = '--x\\r\\nContent-Disposition: form-data; name="avatar"; filename="a.png"\\r\\nContent-Type: image/png\\r\\n\\r\\n'
    body = "".join(lines).encode() + file.encode() + picture + b"\\r\\n--x--\\r\\n"
    return ask("/user", "POST", body, {"Content-Type": "multipart/form-data; boundary=x"})

while sent < 3000 and not last:
    sent += 1
    if sent % 5 == 0:
        email = f"stream-{sent}-{run}@example.org"
        status = make(email)
        made += [email] if status == 201 else []
        good = status == 201
    else:
        status = ask("/users?limit=5")
        good = status == 200
    if not good:
        failed.append([sent, status])
    if sent % 10 == 0:
        last = ask(f"/user/stop-{run}@example.org") == 200
    time.sleep(0.02)
print(json.dumps({"sent": sent, "failed": failed, "made": made, "stopped": last}))
"""
# Asks as fast as it can in several threads, for so many seconds.
LOAD = """
import sys, threading, time, urllib.request
until = time.monotonic() + float(sys.argv[2])
def ask():
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(sys.argv[1], timeout=10).read()
        except OSError:
            time.sleep(0.1)
threads = [threading.Thread(target=ask) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.fixture(scope="module")
def api(stack: Any) -> Any:
    with httpx2.Client(base_url=stack.env["USERS_API_URL"], timeout=30) as client:
        yield client


def deployment(stack: Any) -> dict[str, Any]:
    return dict(json.loads(stack.kubectl("-n", NAMESPACE, "get", "deployment", "users-api", "-o", "json")))


def settled(stack: Any) -> bool:
    """Whether as many pods are ready as are wanted, and no others are left."""
    found = deployment(stack)
    pods = json.loads(stack.kubectl("-n", NAMESPACE, "get", "pods", "-l", APP, "-o", "json"))["items"]
    return len(pods) == found["spec"]["replicas"] == found["status"].get("readyReplicas")


def pod(stack: Any) -> str:
    names = stack.kubectl("-n", NAMESPACE, "get", "pods", "-l", APP, "-o", "name")
    return str(names.split()[0].removeprefix("pod/"))


def make_user(api: Any, email: str) -> None:
    files = {"avatar": ("a.png", PICTURE.read_bytes())}
    answer = api.post("/user", data={"name": "Ann", "email": email}, files=files)
    assert answer.status_code == 201, answer.text


def test_every_endpoint_from_outside(stack: Any) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "tests/api", f"--api-url={stack.env['USERS_API_URL']}"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_half_sent_requests_end_by_themselves_while_others_are_served(stack: Any, api: Any, eventually: Any) -> None:
    """A bounded bad day: 200 half headers and 20 half uploads at the pods of the service."""
    address = urlsplit(stack.env["USERS_API_URL"])
    header = b"POST /user HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    upload = header + b"Content-Length: 2000000\r\n\r\n--b\r\n"

    def held(one: socket.socket) -> bool:
        try:
            while one.recv(65536):
                pass
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    with ExitStack() as opened:
        slow = []
        for content in [header] * 200 + [upload] * 20:
            one = opened.enter_context(socket.create_connection((address.hostname, address.port or 80), timeout=30))
            one.sendall(content)
            one.setblocking(False)
            slow.append(one)
        assert api.get("/users?limit=1").status_code == 200
        eventually(lambda: api.get("/readyz").status_code == 200 and not [one for one in slow if held(one)], 60)
    assert api.get("/users?limit=1").status_code == 200


class Stream:
    """Requests from a pod, one after the other, that go on until the test is done with its changes."""

    def __init__(self, stack: Any, api: Any, client: Any, eventually: Any) -> None:
        self.api, self.client = api, client
        self.run = uuid.uuid4().hex[:8]
        eventually(lambda: settled(stack), 120)
        picture = base64.b64encode(PICTURE.read_bytes()).decode()
        self.pod = client.start(NAMESPACE, {}, SERVICE, self.run, picture, script=STREAM)
        eventually(lambda: api.get(f"/user/stream-5-{self.run}@example.org").status_code == 200, 120)

    def end(self) -> dict[str, Any]:
        """What the stream saw. Every user that was made is still there; then it goes."""
        last = f"stop-{self.run}@example.org"
        make_user(self.api, last)
        seen = dict(json.loads(self.client.finish(NAMESPACE, self.pod)))
        assert seen["stopped"], f"the stream ended before the changes did, after {seen['sent']} requests"
        for email in [*seen["made"], last]:
            assert self.api.get(f"/user/{email}").status_code == 200, f"{email} was made and is lost"
            self.api.delete(f"/user/{email}")
        return seen


def test_verification_says_what_it_proved(playbook: Any) -> None:
    done = playbook("playbooks/verify.yml", stack_blueprint="users_api")
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, said[-3000:]
    figures = r"\(create \d+ ms, get \d+ ms, avatar \d+ ms, delete \d+ ms, total \d+ ms\)"
    assert re.search(rf"Verified: 4 requests answered as expected {figures}\.", said), said[-1500:]


def test_no_request_fails_while_pods_come_and_go(stack: Any, api: Any, client: Any, eventually: Any) -> None:
    stream = Stream(stack, api, client, eventually)

    stack.kubectl("-n", NAMESPACE, "rollout", "restart", "deployment/users-api")
    stack.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/users-api", "--timeout=240s")
    eventually(lambda: settled(stack), 120)

    stack.kubectl("-n", NAMESPACE, "delete", "pod", pod(stack))
    eventually(lambda: settled(stack), 120)

    name = pod(stack)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": NAMESPACE}}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction"
    stack.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    eventually(lambda: settled(stack), 120)

    assert stream.end()["failed"] == []


def test_a_pod_killed_outright_fails_but_the_request_in_flight(
    stack: Any, api: Any, client: Any, eventually: Any
) -> None:
    """The stream has one request in flight at a time, so each of the kills may fail one."""
    stream = Stream(stack, api, client, eventually)
    for _kill in range(2):
        stack.kubectl("-n", NAMESPACE, "delete", "pod", pod(stack), "--grace-period=0", "--force")
        eventually(lambda: settled(stack), 120)
    assert len(stream.end()["failed"]) <= 2


def test_a_lost_emulator_is_told_and_waited_out(stack: Any, api: Any, eventually: Any) -> None:
    restarts = "{.items[*].status.containerStatuses[*].restartCount}"
    before = stack.kubectl("-n", NAMESPACE, "get", "pods", "-l", APP, "-o", f"jsonpath={restarts}")
    assert api.get("/users").status_code == 200
    stack.kubectl("-n", NAMESPACE, "scale", "statefulset/localstack", "--replicas=0")
    try:
        refused = eventually(lambda: lost(api))
    finally:
        stack.kubectl("-n", NAMESPACE, "scale", "statefulset/localstack", "--replicas=1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) > 0
    eventually(lambda: answered(api), 120)
    after = stack.kubectl("-n", NAMESPACE, "get", "pods", "-l", APP, "-o", f"jsonpath={restarts}")
    assert after == before, "no pod had to be started again"


def lost(api: Any) -> Any:
    """The refusal of a request, if AWS is away."""
    answer = api.get("/users")
    return answer if answer.status_code == 503 else None


def answered(api: Any) -> bool:
    return bool(api.get("/users").status_code == 200)


def test_pods_follow_the_load(stack: Any, client: Any, eventually: Any) -> None:
    eventually(lambda: deployment(stack)["spec"]["replicas"] == 3, 240)
    load = client.start(NAMESPACE, {}, f"{SERVICE}/users", 100, script=LOAD)
    eventually(lambda: deployment(stack)["spec"]["replicas"] > 3, 180)
    stack.kubectl("-n", NAMESPACE, "delete", "pod", load, "--grace-period=0", "--force")
    eventually(lambda: deployment(stack)["spec"]["replicas"] == 3, 300)
