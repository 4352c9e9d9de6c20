# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import queue
import re
import threading

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane import wait as watching
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane.wait import Options, Waiter, Want
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import (
    ApiError,
    KubernetesError,
    UntrustedError,
    events_of,
)

SNS = "sns.aws.upbound.io/v1beta1"
TOPIC = Want(SNS, "Topic", ("Synced", "Ready"), "orders")
TOPICS = f"/apis/{SNS}/topics"
DISCOVERY = {
    "resources": [{"name": "topics/status", "kind": "Topic"}, {"name": "topics", "kind": "Topic", "namespaced": False}]
}
# So long that what the script answers is read before, also on a machine that has much to do.
SOON = Options(timeout=0.5)
PATIENT = Options(timeout=5)


def thing(name="orders", ready=True, version="1", namespace=None, **metadata):
    status = "True" if ready else "False"
    conditions = [{"type": "Synced", "status": "True"}, {"type": "Ready", "status": status, "reason": "Creating"}]
    meta = {"name": name, "generation": 1, "resourceVersion": version, **metadata}
    if namespace:
        meta["namespace"] = namespace
    return {"metadata": meta, "status": {"conditions": conditions}}


def listed(*items, version="1", more=None):
    return {"items": list(items), "metadata": {"resourceVersion": version, **({"continue": more} if more else {})}}


def event(kind, obj):
    return {"type": kind, "object": obj}


class Script:
    """An API server by script: each path has answers, one after the other, the last of them for ever.

    A watch's answer is a list of events; an error among them is raised. With nothing left to say it stays silent, as a
    server would.
    """

    def __init__(self, gets, watches=()):
        self.gets = {path: list(answers) for path, answers in gets.items()}
        self.watches = queue.SimpleQueue()
        for one in watches:
            self.watches.put(one)
        self.asked = []
        self.lock = threading.Lock()
        self.silent = threading.Event()

    def connect(self):
        pass

    def get(self, path, params):
        with self.lock:
            self.asked.append((path, dict(params)))
            answers = self.gets.get(path)
            if not answers:
                raise ApiError(404, "the server could not find the requested resource")
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def watch(self, path, params, silence):
        with self.lock:
            self.asked.append((path, dict(params)))
        try:
            events = self.watches.get_nowait()
        except queue.Empty:
            self.silent.wait(10)
            return
        for one in events:
            if isinstance(one, Exception):
                raise one
            yield one

    def watched_from(self):
        return [params["resourceVersion"] for _path, params in self.asked if "watch" in params]


def wait(script, wants=(TOPIC,), options=PATIENT):
    try:
        return Waiter(script, wants, options, pause=0.001).wait()
    finally:
        script.silent.set()


def script(*lists, watches=(), **more):
    return Script({f"/apis/{SNS}": [DISCOVERY], TOPICS: lists, **more}, watches)


def test_what_is_ready_already_needs_no_watch():
    ready = thing(annotations={"crossplane.io/external-name": "orders-x"})
    ready["status"]["atProvider"] = {"arn": "arn:aws:sns:r:1:orders-x"}
    result = wait(script(listed(ready)))
    (row,) = result["resources"]
    assert (row["ready"], row["external_name"], row["arn"]) == (True, "orders-x", "arn:aws:sns:r:1:orders-x")
    assert result["ready"] is True
    assert result["unready"] == []
    assert not [name for name in row if name.startswith("_")]


def test_a_watch_tells_when_it_becomes_ready():
    api = script(listed(thing(ready=False), version="5"), watches=[[event("MODIFIED", thing(version="6"))]])
    assert wait(api)["resources"][0]["seconds"] >= 0
    assert api.watched_from()[0] == "5"


def test_only_the_one_named_is_asked_for():
    api = script(listed(thing()))
    wait(api)
    assert (TOPICS, {"fieldSelector": "metadata.name=orders", "limit": "500"}) in api.asked


def test_a_kind_that_is_not_served_yet_is_waited_for():
    api = Script(
        {
            f"/apis/{SNS}": [ApiError(404, "no"), {"resources": []}, DISCOVERY],
            TOPICS: [ApiError(404, "no"), listed(thing())],
        }
    )
    assert wait(api)["ready"] is True


def test_an_expired_version_is_listed_anew():
    gone = event("ERROR", {"code": 410, "message": "too old resource version"})
    api = script(listed(thing(ready=False)), listed(thing(), version="9"), watches=[[gone]])
    assert wait(api)["ready"] is True


def test_a_version_that_is_refused_at_once_is_listed_anew():
    api = script(listed(thing(ready=False)), listed(thing()), watches=[[ApiError(410, "Expired")]])
    assert wait(api)["ready"] is True


def test_a_watch_that_ends_goes_on_from_where_it_was():
    api = script(
        listed(thing(ready=False), version="5"),
        watches=[
            [event("BOOKMARK", {"metadata": {"resourceVersion": "7"}})],
            [],
            [event("MODIFIED", thing(version="8"))],
        ],
    )
    wait(api)
    assert api.watched_from()[:3] == ["5", "7", "7"]


def test_a_dropped_connection_is_opened_anew():
    api = script(
        ApiError(0, "connection refused"),
        listed(thing(ready=False)),
        ApiError(503, "starting"),
        listed(thing()),
        watches=[[ApiError(0, "reset")]],
    )
    assert wait(api)["ready"] is True


def test_a_surprise_in_a_thread_is_survived_and_told():
    api = script(listed(thing(ready=False)), watches=[[{"type": "MODIFIED", "object": {}}]] * 50)
    with pytest.raises(KubernetesError) as caught:
        wait(api, options=SOON)
    assert caught.value.details["unready"][0]["condition"] == "Ready=False"


def test_all_kinds_at_once_and_one_is_late():
    other = Want("apps/v1", "Deployment", ("Available",), "consumer", "apps")
    ready = {
        "metadata": {"name": "consumer", "namespace": "apps"},
        "status": {"conditions": [{"type": "Available", "status": "True"}]},
    }
    api = script(
        listed(thing()),
        **{
            "/apis/apps/v1": [{"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]}],
            "/apis/apps/v1/namespaces/apps/deployments": [ApiError(500, "later"), listed(ready)],
        },
    )
    result = wait(api, [TOPIC, other])
    assert [(row["kind"], row["namespace"], row["ready"]) for row in result["resources"]] == [
        ("Topic", None, True),
        ("Deployment", "apps", True),
    ]


def test_a_time_out_says_which_why_and_what_to_do():
    stuck = thing(ready=False)
    stuck["status"]["conditions"][0] = {
        "type": "Synced",
        "status": "False",
        "reason": "ReconcileError",
        "message": "x: connection refused",
    }
    events = [
        {"metadata": {}, "type": "Normal", "reason": "Old", "message": "m", "lastTimestamp": "2026-01-01T00:00:01Z"},
        {
            "metadata": {},
            "type": "Warning",
            "reason": "CannotObserve",
            "message": "new",
            "lastTimestamp": "2026-01-01T00:00:02Z",
        },
    ]
    for one in events:
        one["involvedObject"] = {"kind": "Topic", "name": "orders"}
    api = script(listed(stuck), **{"/api/v1/events": [{"items": events}]})
    with pytest.raises(KubernetesError) as caught:
        wait(api, options=SOON)
    message = caught.value.message
    # How long it took is the machine's: a busy one needs more than the half second.
    assert re.match(r"1 of 1 resources not ready after \d+ s:", message)
    assert "Topic/orders  Synced=False  ReconcileError  x: connection refused  Warning CannotObserve: new" in message
    assert (
        "Likely cause (Topic/orders): the AWS endpoint refuses connections. Next: look whether the emulator runs"
        in message
    )
    assert caught.value.details["unready"] == caught.value.details["resources"]


@pytest.mark.parametrize(
    ("api", "condition"),
    [
        (script(listed()), "not found"),
        (Script({}), "not served"),
        (script(ApiError(0, "connection refused")), "unknown"),
    ],
)
def test_what_cannot_be_seen_is_told_apart(api, condition):
    with pytest.raises(KubernetesError) as caught:
        wait(api, options=SOON)
    assert caught.value.details["unready"][0]["condition"] == condition
    assert caught.value.details["unready"][0]["cause"]


def broken():
    bad = thing(ready=False)
    bad["status"]["conditions"][0] = {
        "type": "Synced",
        "status": "False",
        "message": "api error InvalidClientTokenId: no",
    }
    return bad


def test_fail_fast_does_not_wait_for_what_will_not_come():
    with pytest.raises(
        KubernetesError, match="Topic/orders will not become ready by waiting: AWS refused the credentials"
    ):
        wait(script(listed(broken())), options=Options(timeout=60, fail_fast=True))


def test_without_fail_fast_only_time_decides():
    assert wait(script(listed(broken()), watches=[[event("MODIFIED", thing())]]))["ready"] is True


def lost():
    message = "cannot determine creation result - remove the crossplane.io/external-create-pending annotation"
    found = thing("lost", ready=False, annotations={"crossplane.io/external-create-pending": "2026-01-01T00:00:00Z"})
    return {**found, "status": {"conditions": [{"type": "Synced", "status": "False", "message": message}]}}


def test_it_ends_where_nothing_is_left_but_what_the_provider_lost():
    late = [[event("MODIFIED", thing(version="2"))]]
    with pytest.raises(KubernetesError, match="does not go on by itself") as raised:
        wait(script(listed(lost(), thing(ready=False)), watches=late), [TOPIC, TOPIC._replace(name="lost")])
    assert [one["name"] for one in raised.value.details["unready"]] == ["lost"]


def test_what_did_not_change_is_not_judged_again(monkeypatch):
    evaluated, evaluate = [], watching.rules.evaluate
    monkeypatch.setattr(
        watching.rules,
        "evaluate",
        lambda obj, wanted: evaluated.append(obj["metadata"]["name"]) or evaluate(obj, wanted),
    )
    waiter = Waiter(None, [TOPIC, TOPIC._replace(name="late")], PATIENT)
    (topics,) = waiter.groups
    waiter.store.replace(topics, [thing(), thing("late", ready=False)], namespaced=False)
    assert [one["ready"] for one in waiter._rows()] == [True, False]
    waiter.store.apply(topics, "MODIFIED", thing("late", version="2"))
    assert [one["ready"] for one in waiter._rows()] == [True, True]
    assert evaluated == ["orders", "late", "late"]


@pytest.mark.parametrize("error", [ApiError(403, "topics is forbidden"), UntrustedError("certificate verify failed")])
def test_a_user_that_is_not_let_in_is_told_after_a_while(monkeypatch, error):
    monkeypatch.setattr(watching, "DENIED_GRACE", 0)
    with pytest.raises(KubernetesError, match=rf"does not let us read Topic .*{error.message}"):
        wait(script(error), options=Options(timeout=60))


def test_a_refusal_while_the_server_starts_is_waited_out():
    assert wait(script(ApiError(403, "RBAC not synced"), listed(thing())))["ready"] is True


def test_absent_waits_until_the_last_is_gone():
    api = script(listed(thing()), watches=[[event("DELETED", thing())]])
    result = wait(api, options=PATIENT._replace(state="absent"))
    assert result["resources"][0]["ready"] is True


def test_another_object_of_the_same_name_is_not_the_one_that_is_to_go():
    absent, there = SOON._replace(state="absent"), thing(uid="second")
    assert wait(script(listed(there)), [TOPIC._replace(uid="first")], absent)["ready"] is True
    with pytest.raises(KubernetesError):
        wait(script(listed(there)), [TOPIC._replace(uid="second")], absent)


def test_absent_is_reached_where_the_kind_is_not_served():
    assert wait(Script({}), options=PATIENT._replace(state="absent"))["ready"] is True


def test_absent_ends_at_once_where_aws_protects_what_is_to_go():
    held = thing(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["finalizer.managedresource.crossplane.io"])
    message = "delete failed: async delete failed: ValidationException: Resource cannot be deleted as it is currently protected against deletion."
    held["status"]["conditions"][0] |= {"status": "False", "message": message}
    options = Options(timeout=60, state="absent", fail_fast=True)
    with pytest.raises(KubernetesError, match=r"AWS protects Topic/orders against deletion") as caught:
        wait(script(listed(held)), options=options)
    assert "aws_deletion_protection: false" in caught.value.message
    # What is not being deleted yet says nothing of that.
    free = thing()
    free["status"]["conditions"][0] |= {"status": "False", "message": message}
    with pytest.raises(KubernetesError, match=r"not gone after \d+ s"):
        wait(script(listed(free)), options=options._replace(timeout=0.5))


def test_absent_is_not_reached_where_nobody_answers():
    with pytest.raises(KubernetesError, match="not gone"):
        wait(script(ApiError(0, "connection refused")), options=SOON._replace(state="absent"))


def test_absent_says_what_holds_it():
    held = thing(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["f"])
    with pytest.raises(KubernetesError, match="waits for a finalizer"):
        wait(script(listed(held)), options=SOON._replace(state="absent"))
    with pytest.raises(KubernetesError, match="it was not deleted"):
        wait(script(listed(thing())), options=SOON._replace(state="absent"))


BY_LABEL = Want(SNS, "Topic", ("Synced", "Ready"), label_selector="app=orders")


def test_by_label_all_that_match_must_be_ready():
    api = script(
        listed(thing("a"), more="next"), listed(thing("b", ready=False)), watches=[[event("MODIFIED", thing("b"))]]
    )
    result = wait(api, [BY_LABEL])
    assert [row["name"] for row in result["resources"]] == ["a", "b"]
    assert (TOPICS, {"labelSelector": "app=orders", "limit": "500", "continue": "next"}) in api.asked


def test_by_label_nothing_at_all_is_not_ready():
    api = script(listed(), watches=[[event("ADDED", thing("late"))]])
    assert [row["name"] for row in wait(api, [BY_LABEL])["resources"]] == ["late"]
    with pytest.raises(KubernetesError, match=r"Topic/with app=orders +not found"):
        wait(script(listed()), [BY_LABEL], SOON)


def test_by_label_one_kind_may_have_none():
    queues = BY_LABEL._replace(api_version="sqs.aws.upbound.io/v1beta1", kind="Queue")
    api = script(
        listed(thing()),
        **{
            "/apis/sqs.aws.upbound.io/v1beta1": [{"resources": [{"name": "queues", "kind": "Queue"}]}],
            "/apis/sqs.aws.upbound.io/v1beta1/queues": [listed()],
        },
    )
    assert [row["kind"] for row in wait(api, [BY_LABEL, queues])["resources"]] == ["Topic"]


def test_by_label_those_that_went_are_told():
    api = script(listed(thing("a")), watches=[[event("DELETED", thing("a"))]])
    result = wait(api, [BY_LABEL], PATIENT._replace(state="absent"))
    assert [(row["name"], row["ready"]) for row in result["resources"]] == [("a", True)]


def test_a_look_never_waits_and_never_fails():
    api = script(listed(thing(ready=False)))
    result = Waiter(api, [TOPIC, TOPIC._replace(kind="Nope")], Options(timeout=60)).look()
    assert [row["condition"] for row in result["unready"]] == ["Ready=False", "not served"]
    assert not api.watched_from()
    down = Waiter(script(ApiError(0, "connection refused")), [TOPIC], Options()).look()
    assert down["unready"][0]["message"] == "connection refused"


def test_a_look_without_a_kubeconfig_says_so():
    class Unconfigured(Script):
        def connect(self):
            raise KubernetesError("The kubeconfig /x cannot be used")

    assert Waiter(Unconfigured({}), [TOPIC], Options()).look()["unready"][0]["cause"] == "there is no usable kubeconfig"
    with pytest.raises(KubernetesError, match="kubeconfig"):
        Waiter(Unconfigured({}), [TOPIC], Options()).wait()


def test_events_come_whole_however_the_stream_is_cut():
    chunks = [b'{"type": "AD', b'DED"}\n\n{"type"', b': "BOOKMARK"}\n', b'{"cut']
    assert list(events_of(chunks)) == [{"type": "ADDED"}, {"type": "BOOKMARK"}]


@pytest.mark.parametrize(
    ("spaces", "namespaced", "scope"),
    [
        (["a"], True, "a"),
        (["a", "b"], True, None),
        ([None], True, "default"),
        ([None], False, None),
        (["a"], False, None),
    ],
)
def test_no_more_namespaces_are_looked_at_than_needed(spaces, namespaced, scope):
    wants = [TOPIC._replace(namespace=space) for space in spaces]
    (which,) = watching.watched_of(wants)
    assert which.scope(namespaced) == scope


def test_wants_of_parameters():
    named = {
        "resources": [{"api_version": "v1", "kind": "Pod", "name": "x", "namespace": "y", "conditions": None}],
        "conditions": ["Ready"],
    }
    assert watching.wants_of(named) == [Want("v1", "Pod", ("Ready",), "x", "y")]
    labelled = {
        "kinds": [{"api_version": "v1", "kind": "Pod", "conditions": ["A"]}],
        "label_selector": "a=b",
        "conditions": ["Ready"],
    }
    assert watching.wants_of(labelled) == [Want("v1", "Pod", ("A",), label_selector="a=b")]
