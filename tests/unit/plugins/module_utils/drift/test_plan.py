# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
import threading
import time

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Observed
from ansible_collections.localcloud.stack.plugins.module_utils.drift.plan import (
    Settings,
    _compared,
    _create_incomplete,
    _reconcile,
    ask_again,
    converged,
    diff,
    looked_for,
    report,
)
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import (
    ApiError,
    PatientApi,
    UntrustedError,
    patient_until,
)

SNS = "sns.aws.upbound.io/v1beta1"
TOPIC = (SNS, "Topic")
SETTINGS = Settings("ours")
OUR_TAGS = {
    "localcloud.dev/owner": "ours",
    "localcloud.dev/cluster": "",
    "crossplane-name": "orders",
    "crossplane-kind": "topic.sns.aws.upbound.io",
}
READY = ({"type": "Synced", "status": "True"}, {"type": "Ready", "status": "True"})
CREATED = {"crossplane.io/external-create-succeeded": "2026-01-01T00:00:00Z"}


def topic(name="orders", labels=None, annotations=None, **parameters):
    return {
        "apiVersion": SNS,
        "kind": "Topic",
        "metadata": {
            "name": name,
            "labels": {"localcloud.dev/owner": "ours", **(labels or {})},
            "annotations": {"crossplane.io/external-name": name, **(annotations or {})},
        },
        "spec": {"forProvider": {"region": "eu-central-1", **parameters}, "providerConfigRef": {"name": "default"}},
    }


def live(declared, conditions=READY, at_provider=None, **metadata):
    """The cluster's object for a declared one."""
    obj = copy.deepcopy(declared)
    obj["metadata"] |= {"uid": f"uid-of-{obj['metadata']['name']}", **metadata}
    obj["status"] = {"conditions": list(conditions), "atProvider": at_provider or {}}
    return obj


class Cluster:
    """An API server with topics, in pages of one."""

    def __init__(self, *topics, config=None, served=True):
        self.topics, self.config, self.served = topics, config, served
        self.lists = 0

    def get(self, path, params):
        if path == f"/apis/{SNS}" and self.served:
            return {"resources": [{"kind": "Topic", "name": "topics"}, {"kind": "Topic", "name": "topics/status"}]}
        if path == f"/apis/{SNS}/topics":
            at = int(params.get("continue") or 0)
            self.lists += at == 0
            topics = [one for one in self.topics if selected(one, params.get("labelSelector"))]
            more = {"continue": str(at + 1)} if at + 1 < len(topics) else {}
            return {"items": topics[at : at + 1], "metadata": more}
        if path == "/apis/aws.upbound.io/v1beta1/providerconfigs/default" and self.config:
            return self.config
        if path == "/api/v1/events":
            return {"items": []}
        raise ApiError(404, "not found")


def selected(obj, selector):
    name, _equals, value = (selector or "").partition("=")
    return not selector or obj["metadata"].get("labels", {}).get(name) == value


def aws_has(*found):
    """What looks into an AWS that has this of the things asked for."""
    return lambda resources: Observed(list(found), [])


def names(found, key):
    return [one["name"] for one in found[key]]


def test_nothing_to_do_is_one_list_and_no_more():
    declared = [topic("a"), topic("b")]
    cluster = Cluster(*map(live, declared))
    found = diff(cluster, declared, [TOPIC], SETTINGS)
    assert cluster.lists == 1
    assert found["same"] == 2
    assert report(found) == []
    assert found["to_apply"] == found["to_reconcile"] == found["unready"] == found["orphaned"] == []


def test_what_others_have_is_not_read_where_nothing_is_amiss():
    declared = topic("a")
    cluster = Cluster(live(declared), *(live(topic(f"b{n}", {"localcloud.dev/owner": "theirs"})) for n in range(3)))
    read = []
    cluster.get, get = lambda path, params: read.append(get(path, params)) or read[-1], cluster.get
    assert diff(cluster, [declared], [TOPIC], SETTINGS)["same"] == 1
    assert [item["metadata"]["name"] for page in read for item in page.get("items", [])] == ["a"]


def test_what_is_there_without_our_label_is_found():
    unlabelled = live(topic())
    del unlabelled["metadata"]["labels"]
    cluster = Cluster(unlabelled)
    found = diff(cluster, [topic()], [TOPIC], SETTINGS)
    assert [(one["name"], one["owner"]) for one in found["foreign"]] == [("orders", None)]
    assert cluster.lists == 2


def test_missing_ones_are_applied_even_if_their_kind_is_not_served_yet():
    found = diff(Cluster(served=False), [topic()], [TOPIC], SETTINGS)
    assert names(found, "missing") == ["orders"]
    assert found["to_apply"] == [topic()]
    assert found["not_served"] == [f"Topic of {SNS}"]


def test_drift_is_told_field_by_field():
    declared = topic(displayName="Orders", tags={"a": "1"})
    found = diff(Cluster(live(topic(displayName="Old", tags={"a": "1", "b": "2"}))), [declared], [], SETTINGS)
    assert found["modified"][0]["fields"] == [
        {
            "path": "spec.forProvider.displayName",
            "where": "spec",
            "before": "Old",
            "after": "Orders",
            "immutable": False,
        }
    ]
    assert found["to_apply"] == [declared]
    assert report(found) == ['Topic/orders: in the cluster spec.forProvider.displayName: "Old" -> "Orders"']


def test_what_aws_cannot_change_is_marked():
    there = live(topic(fifoTopic=False), at_provider={"fifoTopic": False})
    found = diff(Cluster(there), [topic(fifoTopic=True)], [], SETTINGS)
    assert [one["immutable"] for one in found["modified"][0]["fields"]] == [True]


@pytest.mark.parametrize(
    ("in_aws", "ended"), [(True, "external-create-succeeded"), (False, "external-create-failed")]
)  # fmt: skip
def test_a_creation_of_unknown_end_is_begun_again(in_aws, ended):
    lost = ({"type": "Synced", "status": "False", "message": "cannot determine creation result"},)
    began = {"crossplane.io/external-create-pending": "2026-01-01T00:00:00Z"}
    cluster = Cluster(live(topic(annotations=began), lost))
    found = diff(cluster, [topic()], [], SETTINGS, aws_has({"displayName": ""} if in_aws else None))
    assert found["create_incomplete"][0]["in_aws"] is in_aws
    assert set(found["to_reconcile"][0]["metadata"]["annotations"]) == {
        "localcloud.dev/reconcile-requested-at",
        f"crossplane.io/{ended}",
    }
    assert report(found) == ["Topic/orders was never finished: the provider does not know how its creation ended"]


@pytest.mark.parametrize(
    ("tags", "annotations", "where"),
    [
        ({"team": "shop"}, {}, "existing"),
        ({"team": "shop"}, {"localcloud.dev/adopt": "true"}, "create_incomplete"),
        ({"crossplane-name": "orders", "crossplane-kind": "topic.sns.aws.upbound.io"}, {}, "existing"),
        (OUR_TAGS, {}, "create_incomplete"),
        ({**OUR_TAGS, "localcloud.dev/cluster": "another"}, {}, "existing"),
    ],
)
def test_what_another_made_meanwhile_is_not_taken_for_a_creation_of_unknown_end(tags, annotations, where):
    lost = ({"type": "Synced", "status": "False", "message": "cannot determine creation result"},)
    began = {**annotations, "crossplane.io/external-create-pending": "2026-01-01T00:00:00Z"}
    cluster = Cluster(live(topic(annotations=began), lost))
    found = diff(cluster, [topic(annotations=annotations)], [], SETTINGS, aws_has({"tags": tags}))
    assert {one: len(found[one]) for one in ("existing", "create_incomplete")} == {
        "existing": int(where == "existing"),
        "create_incomplete": int(where == "create_incomplete"),
    }


def test_a_creation_that_runs_or_whose_repetition_would_make_a_second_one_is_left_alone():
    began = {"crossplane.io/external-create-pending": "2026-01-01T00:00:00Z"}
    running = live(topic(annotations=began), ({"type": "Synced", "status": "True"},))
    assert diff(Cluster(running), [topic()], [], SETTINGS)["create_incomplete"] == []
    ended = {**began, "crossplane.io/external-create-succeeded": "2026-01-01T00:00:01Z"}
    told = ({"type": "Synced", "status": "False", "message": "cannot determine creation result"},)
    failing = live(topic(annotations=ended), told)
    assert diff(Cluster(failing), [topic()], [], SETTINGS)["create_incomplete"] == []
    key = {**topic(), "apiVersion": "kms.aws.upbound.io/v1beta1", "kind": "Key"}
    lost = live({**key, "metadata": {**key["metadata"], "annotations": began}}, told)
    assert not _create_incomplete(key, lost, None)


REFUSED = "create failed: async create failed: operation error Secrets Manager: CreateSecret, ResourceExistsException: it already exists"


@pytest.mark.parametrize(
    ("message", "created", "aws", "expected"),
    [
        (REFUSED, {}, {"(external name)": "arn:secret"}, True),
        # AWS does not have it (any longer), or its name there is not known.
        (REFUSED, {}, None, False),
        (REFUSED, {}, {"name": "db"}, False),
        # The provider's note that it has begun, which is no sign of success.
        (REFUSED, CREATED, {"(external name)": "arn:secret"}, True),
        # The provider knows it.
        (REFUSED, {"crossplane.io/external-name": "arn:secret"}, {"(external name)": "arn:secret"}, False),
        ("create failed: AccessDenied", {}, {"(external name)": "arn:secret"}, False),
    ],
)
def test_what_a_creation_without_an_answer_made_is_taken_up_by_its_name_in_aws(message, created, aws, expected):
    secret = {**topic("db"), "apiVersion": "secretsmanager.aws.upbound.io/v1beta1", "kind": "Secret"}
    secret["metadata"]["annotations"] = created
    there = live(secret, ({"type": "Synced", "status": "False", "message": message},))
    assert _create_incomplete(secret, there, aws) is expected
    if expected:
        name, row, obj = _compared(secret, there, aws, None, SETTINGS)
        patch = _reconcile(obj, "now", row)["metadata"]["annotations"]
        assert (name, patch["crossplane.io/external-name"]) == ("create_incomplete", "arn:secret")
        assert "crossplane.io/external-create-succeeded" in patch


def applied(*parameters, **annotations):
    """What the API server says of fields that we applied."""
    fields = {
        "f:metadata": {"f:annotations": {".": {}, **{f"f:{name}": {} for name in annotations}}},
        "f:spec": {"f:forProvider": {f"f:{name}": {} for name in parameters}},
    }
    return [{"manager": "localcloud", "operation": "Apply", "fieldsV1": fields}]


def test_a_field_that_we_applied_and_is_no_longer_declared_is_a_change():
    there = live(topic(signatureVersion=2), managedFields=applied("signatureVersion"))
    found = diff(Cluster(there), [topic()], [], SETTINGS)
    assert found["modified"][0]["fields"][0]["after"] is None
    others = live(topic(signatureVersion=2), managedFields=[{**applied("signatureVersion")[0], "manager": "provider"}])
    assert diff(Cluster(others), [topic()], [], SETTINGS)["modified"] == []


def test_what_the_provider_would_keep_is_emptied_and_stays_so():
    there = live(topic(displayName="Old"), managedFields=applied("displayName"))
    found = diff(Cluster(there), [topic()], [], SETTINGS)
    assert found["modified"][0]["fields"][0]["after"] == ""
    assert found["to_apply"] == [topic(displayName="")]
    emptied = live(topic(displayName=""), managedFields=applied("displayName"))
    still = diff(Cluster(emptied), [topic()], [], SETTINGS, aws_has({"displayName": "Old"}))
    assert report(still) == ['Topic/orders: in AWS displayName: "Old" -> ""']
    assert diff(Cluster(emptied), [topic()], [], SETTINGS, aws_has({"displayName": None}))["same"] == 1


def test_an_external_name_that_we_kept_is_not_taken_away_again():
    declared = topic()
    del declared["metadata"]["annotations"]
    managed = applied("region", **{"crossplane.io/external-name": None})
    there = live(topic(annotations={"crossplane.io/external-name": "https://sqs/0/orders"}), managedFields=managed)
    assert diff(Cluster(there), [declared], [], SETTINGS)["same"] == 1
    changed = copy.deepcopy(declared)
    changed["spec"]["forProvider"]["displayName"] = "New"
    (apply,) = diff(Cluster(there), [changed], [], SETTINGS)["to_apply"]
    assert apply["metadata"]["annotations"] == {"crossplane.io/external-name": "https://sqs/0/orders"}


def test_what_was_taken_over_and_is_lost_in_aws_is_found():
    """The provider marks only what it has made itself."""
    assert names(diff(Cluster(live(topic())), [topic()], [], SETTINGS, aws_has(None)), "gone") == ["orders"]
    new = live(topic(), conditions=[{"type": "Synced", "status": "True"}, {"type": "Ready", "status": "False"}])
    assert diff(Cluster(new), [topic()], [], SETTINGS, aws_has(None))["gone"] == []


def test_what_aws_does_not_tell_counts_as_the_provider_saw_it():
    declared = topic(displayName="Orders", signatureVersion=2)
    there = live(declared, at_provider={"displayName": "Old", "signatureVersion": 1})
    found = diff(Cluster(there), [declared], [], SETTINGS, aws_has({"displayName": "Orders"}))
    assert report(found) == ["Topic/orders: as Crossplane last saw it, signatureVersion: 1 -> 2"]


def test_a_change_outside_crossplane_that_aws_cannot_take_back_is_marked():
    declared = topic(fifoTopic=True)
    found = diff(Cluster(live(declared)), [declared], [], SETTINGS, aws_has({"fifoTopic": False}))
    assert [(one["path"], one["immutable"]) for one in found["drifted"][0]["fields"]] == [("fifoTopic", True)]


def test_tags_in_aws_are_those_that_are_declared_and_those_that_others_set():
    declared = topic(tags={"team": "a", "empty": ""})
    there = live(topic(tags={"team": "a", "empty": "", "crossplane-name": "orders", "added": "by-others"}))

    def lines(**tags):
        return report(diff(Cluster(there), [declared], [], SETTINGS, aws_has({"tags": tags})))

    others = {
        "crossplane-name": "orders",
        "localcloud.dev/owner": "ours",
        "aws:cloudformation": "x",
        "added": "by-others",
    }
    assert lines(team="a", empty="", **others) == []
    assert lines(team="a", empty="", added="by-others", mine="1") == []
    assert lines(team="a", added="by-others") == ['Topic/orders: in AWS tags.empty: nothing -> ""']


def test_an_external_name_that_aws_has_given_is_no_drift():
    there = live(topic(), annotations={"crossplane.io/external-name": "arn:aws:sns:eu-central-1:0:orders"})
    assert diff(Cluster(there), [topic()], [], SETTINGS)["same"] == 1


def test_what_crossplane_saw_otherwise_is_looked_at_again():
    there = live(topic(displayName="Orders"), at_provider={"displayName": "Changed"})
    found = diff(Cluster(there), [topic(displayName="Orders")], [], SETTINGS)
    assert found["drifted"][0]["fields"][0]["where"] == "provider"
    assert found["to_apply"] == []
    assert list(found["to_reconcile"][0]["metadata"]["annotations"]) == ["localcloud.dev/reconcile-requested-at"]


def test_aws_itself_counts_more_than_what_crossplane_saw():
    there = live(topic(displayName="Orders"), at_provider={"displayName": "Orders"})
    found = diff(Cluster(there), [topic(displayName="Orders")], [], SETTINGS, aws_has({"displayName": "X"}))
    assert report(found) == ['Topic/orders: in AWS displayName: "X" -> "Orders"']


def test_what_was_made_and_is_not_in_aws_is_gone_and_what_was_not_made_yet_is_not():
    made, unmade = live(topic("a", annotations=CREATED)), live(topic("b"), conditions=[])
    found = diff(Cluster(made, unmade), [topic("a"), topic("b")], [], SETTINGS, aws_has(None, None))
    assert names(found, "gone") == ["a"]
    assert names(found, "unready") == ["b"]


def test_what_aws_has_already_is_left_alone_unless_asked_for():
    aws = aws_has({"displayName": "Theirs", "tags": {}})
    assert names(diff(Cluster(), [topic()], [], SETTINGS, aws), "existing") == ["orders"]
    adopting = diff(Cluster(), [topic(annotations={"localcloud.dev/adopt": "true"})], [], SETTINGS, aws)
    assert (adopting["existing"], names(adopting, "missing")) == ([], ["orders"])
    assert diff(Cluster(), [topic()], [], Settings("ours", adopt=True), aws)["existing"] == []


def test_what_is_taken_over_gets_its_external_name_and_keeps_it():
    queue = topic()
    del queue["metadata"]["annotations"]["crossplane.io/external-name"]
    url = {"crossplane.io/external-name": "http://sqs/0/orders"}
    adopting = diff(
        Cluster(),
        [queue],
        [],
        Settings("ours", adopt=True),
        aws_has({"(external name)": "http://sqs/0/orders"}),
    )
    assert adopting["to_apply"][0]["metadata"]["annotations"] == url
    there = live(queue, annotations=url)
    changed = {**queue, "spec": {**queue["spec"], "forProvider": {"displayName": "New"}}}
    assert diff(Cluster(there), [queue], [], SETTINGS)["same"] == 1
    assert diff(Cluster(there), [changed], [], SETTINGS)["to_apply"][0]["metadata"]["annotations"] == url


def test_what_this_cluster_made_before_is_ours_and_what_another_made_is_not():
    assert diff(Cluster(), [topic()], [], SETTINGS, aws_has({"tags": OUR_TAGS}))["existing"] == []
    others = {**OUR_TAGS, "localcloud.dev/cluster": "another"}
    for found in (others, {**OUR_TAGS, "localcloud.dev/owner": "theirs"}, {"crossplane-name": "orders"}):
        (row,) = diff(Cluster(), [topic()], [], SETTINGS, aws_has({"tags": found}))["existing"]
        assert row["external_name"] == "orders"
    (row,) = diff(Cluster(), [topic()], [], SETTINGS, aws_has({"tags": others}))["existing"]
    assert (row["owner"], row["cluster"]) == ("ours", "another")
    assert "our owner ours, but cluster another" in row["held_by"]


def test_what_is_taken_over_tells_from_whom():
    adopting = topic(annotations={"localcloud.dev/adopt": "true"})
    theirs = {"localcloud.dev/owner": "theirs", "localcloud.dev/cluster": "another"}
    found = diff(Cluster(), [adopting], [], SETTINGS, aws_has({"tags": theirs}))
    assert (names(found, "missing"), names(found, "adopted"), found["existing"]) == (["orders"], ["orders"], [])
    line = "Topic/orders: orders is taken over; until now it has owner theirs of cluster another"
    assert line in report(found)


def test_what_an_older_version_made_is_ours_while_its_object_is_there():
    declared = topic(tags={"localcloud.dev/owner": "ours"})
    before = topic(annotations=CREATED, tags={})
    made = {"tags": {"crossplane-name": "orders", "crossplane-kind": "topic.sns.aws.upbound.io"}}
    found = diff(Cluster(live(before)), [declared], [], SETTINGS, aws_has(made))
    assert (names(found, "modified"), found["existing"], found["adopted"]) == (["orders"], [], [])


def test_what_another_took_over_is_refused_although_our_object_is_there():
    there = live(topic(annotations=CREATED))
    theirs = {"tags": {**OUR_TAGS, "localcloud.dev/owner": "theirs"}}
    found = diff(Cluster(there), [topic()], [], SETTINGS, aws_has(theirs))
    assert (names(found, "existing"), found["to_apply"], found["to_reconcile"]) == (["orders"], [], [])


def test_what_is_no_longer_declared_but_is_another_s_by_now_is_told():
    theirs = {"tags": {**OUR_TAGS, "localcloud.dev/owner": "theirs"}}
    found = diff(
        Cluster(live(topic())), [], [TOPIC], SETTINGS, lambda resources: Observed([theirs for _one in resources], [])
    )
    assert names(found, "orphaned") == ["orders"]
    assert "owner theirs" in found["held_by_others"][0]
    mine = diff(
        Cluster(live(topic())), [], [TOPIC], SETTINGS, lambda resources: Observed([None for _one in resources], [])
    )
    assert mine["held_by_others"] == []
    # Without a look into AWS it counts what Crossplane saw last.
    seen = live(topic(), at_provider=theirs)
    assert "owner theirs" in diff(Cluster(seen), [], [TOPIC], SETTINGS)["held_by_others"][0]


def test_only_where_nothing_is_found_there_is_nothing_to_do():
    there = live(topic(), at_provider={"displayName": "Orders"})
    config = {"spec": {"endpoint": {"services": ["sqs"]}}}
    waiting = ({"type": "Synced", "status": "True"},)

    def done(cluster, declared=None, observe=None):
        return converged(diff(cluster, declared or [topic()], [TOPIC], SETTINGS, observe))

    assert done(Cluster(there))
    assert done(Cluster(there), observe=lambda resources: Observed([{}], ["sns/Topic"]))
    assert not done(Cluster())
    assert not done(Cluster(served=False))
    assert not done(Cluster(there), [topic(displayName="New")])
    assert not done(Cluster(there), observe=aws_has({"region": "us-east-1"}))
    assert not done(Cluster(live(topic(), annotations=CREATED)), observe=aws_has(None))
    assert not done(Cluster(live(topic(), conditions=waiting)))
    assert not done(Cluster(live(topic(), deletionTimestamp="2026-01-01T00:00:00Z")))
    assert not done(Cluster(there, live(topic("old"))))
    assert not done(Cluster(live(topic(labels={"localcloud.dev/owner": "theirs"}))))
    assert not done(Cluster(there, config=config))


def test_an_object_of_another_owner_is_named_and_left_alone():
    theirs = live(topic(labels={"localcloud.dev/owner": "theirs"}))
    found = diff(Cluster(theirs), [topic()], [TOPIC], SETTINGS)
    assert [(one["name"], one["owner"]) for one in found["foreign"]] == [("orders", "theirs")]
    assert found["to_apply"] == found["orphaned"] == []


def test_only_ours_is_orphaned_and_protection_is_told():
    protected = {"localcloud.dev/deletion-protection": "true"}
    cluster = Cluster(
        live(topic("old")),
        live(topic("data", labels=protected)),
        live(topic("theirs", labels={"localcloud.dev/owner": "theirs"})),
        live(topic("composed", labels={"crossplane.io/composite": "x"})),
        live(topic("terminating"), deletionTimestamp="2026-01-01T00:00:00Z"),
    )
    found = diff(cluster, [], [TOPIC], SETTINGS)
    assert {one["name"]: one["protected"] for one in found["orphaned"]} == {"old": False, "data": True}


def test_what_is_being_deleted_is_applied_after_it_has_gone():
    found = diff(Cluster(live(topic(), deletionTimestamp="2026-01-01T00:00:00Z")), [topic()], [], SETTINGS)
    assert names(found, "terminating") == ["orders"]
    assert found["to_apply"] == [topic()]


def test_the_unready_are_told_with_cause():
    refused = [{"type": "Synced", "status": "False", "reason": "ReconcileError", "message": "InvalidClientTokenId"}]
    found = diff(Cluster(live(topic(), conditions=refused)), [topic()], [], SETTINGS)
    assert found["unready"][0]["condition"] == "Synced=False"
    assert "credentials" in found["unready"][0]["cause"]


@pytest.mark.parametrize(("services", "unlisted"), [(["sqs"], [["sns"]]), (["sns"], [])])
def test_services_that_the_provider_would_send_to_real_aws(services, unlisted):
    config = {"spec": {"endpoint": {"services": services, "url": {"static": "http://emulator"}}}}
    found = diff(Cluster(config=config), [topic()], [], SETTINGS)
    assert [one["services"] for one in found["unlisted_services"]] == unlisted


def test_without_an_endpoint_real_aws_is_meant():
    assert diff(Cluster(config={"spec": {}}), [topic()], [], SETTINGS)["unlisted_services"] == []


def test_values_of_secrets_are_hidden():
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "labels": {"localcloud.dev/owner": "ours"}},
    }

    class Secrets(Cluster):
        def get(self, path, params):
            if path == "/api/v1":
                return {"resources": [{"kind": "Secret", "name": "secrets", "namespaced": True}]}
            there = {**secret, "metadata": {**secret["metadata"], "namespace": "default"}, "data": {"key": "b2xk"}}
            return {"items": [there], "metadata": {}}

    found = diff(Secrets(), [{**secret, "data": {"key": "bmV3"}}], [], SETTINGS)
    assert found["modified"][0]["fields"][0]["before"] == "(hidden)"
    assert "b2xk" not in str(found["modified"])
    assert "bmV3" not in str(found["modified"])


def test_nobody_looks_into_namespaces_of_which_nothing_is_declared():
    asked = []

    class Secrets(Cluster):
        def get(self, path, params):
            asked.append(path)
            if path == "/api/v1":
                return {"resources": [{"kind": "Secret", "name": "secrets", "namespaced": True}]}
            return {"items": [], "metadata": {}}

    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "mine"}}
    assert names(diff(Secrets(), [secret], [], SETTINGS), "missing") == ["s"]
    assert asked == ["/api/v1", "/api/v1/namespaces/mine/secrets"]


def test_what_has_no_conditions_of_crossplane_is_not_unready():
    service = {
        "apiVersion": SNS,
        "kind": "Topic",
        "metadata": {"name": "plain", "labels": {"localcloud.dev/owner": "ours"}},
        "spec": {"ports": []},
    }
    assert diff(Cluster(live(service, conditions=())), [service], [], SETTINGS)["unready"] == []


PIPELINE = {
    "apiVersion": "localcloud.dev/v1alpha1",
    "kind": "EventPipeline",
    "metadata": {"name": "p", "labels": {"localcloud.dev/owner": "ours"}},
    "spec": {"topic": "orders"},
}


class Composites(Cluster):
    """A cluster with a composite that refers to its parts, whether they are there or not."""

    def __init__(self, *parts, kind="Topic"):
        super().__init__(*parts)
        self.kind = kind

    def get(self, path, params):
        if path == "/apis/localcloud.dev/v1alpha1":
            return {"resources": [{"kind": "EventPipeline", "name": "eventpipelines"}]}
        if path == "/apis/localcloud.dev/v1alpha1/eventpipelines":
            there = live(PIPELINE)
            references = [{"apiVersion": SNS, "kind": self.kind, "name": "p-orders"}]
            spec = {**there["spec"], "crossplane": {"resourceRefs": references}}
            return {"items": [{**there, "spec": spec}], "metadata": {}}
        found = super().get(path.replace("topicsubscriptions", "topics"), params)
        return json.loads(json.dumps(found).replace('"Topic"', f'"{self.kind}"'))


def composed(kind="Topic"):
    return {**live(topic("p-orders", labels={"localcloud.dev/owner": None}, annotations=CREATED)), "kind": kind}


def test_what_a_composite_is_made_of_is_looked_at_in_aws_too():
    found = diff(Composites(composed()), [PIPELINE], [], SETTINGS, aws_has({}, None))
    assert report(found) == ["Topic/p-orders is gone from AWS"]
    assert [one["kind"] for one in found["to_reconcile"]] == ["Topic"]


def test_a_composites_subscription_that_is_gone_is_deleted_and_left_to_crossplane_to_declare():
    kind = "TopicSubscription"
    found = diff(Composites(composed(kind), kind=kind), [PIPELINE], [], SETTINGS, aws_has({}, None))
    assert names(found, "gone") == ["p-orders"]
    assert [(one["name"], one["uid"]) for one in found["to_replace"]] == [("p-orders", "uid-of-p-orders")]
    assert (found["to_apply"], found["to_reconcile"]) == ([], [])


def test_a_composite_is_not_ready_before_all_its_parts_are_there():
    found = diff(Composites(), [PIPELINE], [], SETTINGS, aws_has({}))
    (unready,) = found["unready"]
    assert (unready["kind"], unready["message"]) == (
        "EventPipeline",
        "Topic/p-orders, which it is made of, is not there",
    )
    assert not converged(found)


def test_a_busy_api_server_is_asked_again_and_a_refusal_is_not():
    class Flaky:
        def __init__(self, *statuses):
            self.statuses = list(statuses)

        def get(self, path, params):
            if self.statuses:
                raise ApiError(self.statuses.pop(0), "no")
            return {"path": path}

    assert PatientApi(Flaky(0), 60).get("/x", {}) == {"path": "/x"}
    with pytest.raises(ApiError):
        PatientApi(Flaky(403), 60).get("/x", {})
    with pytest.raises(ApiError):
        PatientApi(Flaky(503, 503), -1).get("/x", {})


class Outages:
    """An API server that does not answer in these spans of a clock, which goes on while somebody pauses."""

    def __init__(self, monkeypatch, *spans):
        self.now, self.spans = 0.0, spans
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(threading.Event, "wait", lambda _event, seconds: self.pass_by(seconds))

    def pass_by(self, seconds):
        self.now += seconds

    def get(self, path, params):
        if any(begin <= self.now < end for begin, end in self.spans) or path == "/never":
            raise ApiError(0, "connection refused")
        return {"at": self.now}


def test_each_time_that_the_api_server_is_away_it_is_waited_for(monkeypatch):
    server = Outages(monkeypatch, (0, 40), (300, 340), (500, 1000))
    api = PatientApi(server, 60)
    assert api.get("/x", {}) == {"at": 40}
    server.now = 300
    assert api.get("/x", {}) == {"at": 340}
    server.now = 500
    with pytest.raises(ApiError, match="refused"):
        api.get("/x", {})
    assert 560 <= server.now <= 562
    # It is known to be away: nobody waits again for the same.
    with pytest.raises(ApiError, match="refused"):
        api.get("/x", {})
    assert server.now <= 562


def test_a_path_that_never_answers_is_not_waited_for_longer_as_others_do(monkeypatch):
    server = Outages(monkeypatch)
    api = PatientApi(server, 60)
    server.pass_by = lambda seconds: (setattr(server, "now", server.now + seconds), api.get("/x", {}))
    with pytest.raises(ApiError):
        api.get("/never", {})
    assert server.now <= 62


def test_no_wait_is_longer_than_its_own_limit_as_the_api_server_is_away(monkeypatch):
    server = Outages(monkeypatch, (100, 1000))
    api = patient_until(PatientApi(server, 60), 110)
    server.now = 100
    with pytest.raises(ApiError):
        api.get("/x", {})
    assert server.now <= 112
    assert patient_until(server, 110) is server


def test_a_server_that_is_not_the_right_one_is_not_asked_again():
    asked = []

    class Stranger:
        def get(self, path, params):
            asked.append(path)
            raise UntrustedError("certificate verify failed")

    with pytest.raises(UntrustedError):
        PatientApi(Stranger(), 60).get("/x", {})
    assert asked == ["/x"]


def test_what_a_composite_would_take_over_is_refused_before_it_is_there():
    pipeline = {
        "apiVersion": "localcloud.dev/v1alpha1",
        "kind": "EventPipeline",
        "metadata": {"name": "p", "labels": {"localcloud.dev/owner": "ours"}},
        "spec": {"region": "eu-central-1", "topic": "orders", "queue": "jobs", "table": "Data"},
    }

    def aws(resources):
        return Observed([{"tags": {}} if one.external_name == "Data" else None for one in resources], [])

    found = diff(Cluster(), [pipeline], [], SETTINGS, aws)
    assert [(one["kind"], one["external_name"]) for one in found["existing"]] == [("Table", "Data")]
    adopting = {**pipeline, "metadata": {**pipeline["metadata"], "annotations": {"localcloud.dev/adopt": "true"}}}
    found = diff(Cluster(), [adopting], [], SETTINGS, aws)
    assert (found["existing"], [one["name"] for one in found["adopted"]]) == ([], ["data"])
    assert found["to_apply"] == [adopting]


def test_what_the_provider_has_written_besides_is_taken_away_too():
    tagged = topic(signatureVersion=2, tags={"a.b/c": "x", "kept": "y"})
    managed = applied("signatureVersion")
    managed[0]["fieldsV1"]["f:spec"]["f:forProvider"]["f:tags"] = {"f:a.b/c": {}, "f:kept": {}}
    found = diff(Cluster(live(tagged, managedFields=managed)), [topic(tags={"kept": "y"})], [], SETTINGS)
    (patch,) = found["to_unset"]
    assert patch["spec"]["forProvider"] == {"signatureVersion": None, "tags": {"a.b/c": None}}
    assert diff(Cluster(live(topic())), [topic()], [], SETTINGS)["to_unset"] == []


def test_a_map_or_set_that_the_provider_has_written_besides_is_taken_away_whole():
    made = topic(dimensions={"QueueName": "q"}, actions=["arn"], kept={"a.b": "x", "c": "y"})
    managed = applied("signatureVersion")
    managed[0]["fieldsV1"]["f:spec"]["f:forProvider"] = {
        "f:dimensions": {".": {}, "f:QueueName": {}},
        "f:actions": {".": {}, 'v:"arn"': {}},
        "f:kept": {"f:a.b": {}, "f:c": {}},
    }
    found = diff(Cluster(live(made, managedFields=managed)), [topic(kept={"c": "y"})], [], SETTINGS)
    (patch,) = found["to_unset"]
    assert patch["spec"]["forProvider"] == {"dimensions": None, "actions": None, "kept": {"a.b": None}}


QUEUES = "sqs.aws.upbound.io/v1beta1"


def queue(**parameters):
    made = topic(name="orders", **parameters)
    return {**made, "apiVersion": QUEUES, "kind": "Queue"}


class Queues(Cluster):
    """The same with queues."""

    def get(self, path, params):
        return (
            super().get(path.replace(QUEUES, SNS).replace("queues", "topics"), params)
            if "queues" in path
            else (
                {"resources": [{"kind": "Queue", "name": "queues"}]}
                if path == f"/apis/{QUEUES}"
                else super().get(path, params)
            )
        )


def test_what_the_provider_cannot_take_away_is_cleared_while_the_object_is_paused():
    there = live(queue(redrivePolicy='{"a":1}'), managedFields=applied("redrivePolicy"))
    found = diff(Queues(there), [queue()], [], SETTINGS, aws_has({"redrivePolicy": '{"a":1}'}))
    assert [(one["kind"], one["name"], one["field"]) for one in found["to_clear"]] == [
        ("sqs/Queue", "orders", "redrivePolicy")
    ]
    assert found["to_pause"][0]["metadata"]["annotations"] == {"crossplane.io/paused": "true"}
    assert found["to_resume"][0]["metadata"]["annotations"] == {"crossplane.io/paused": None}
    assert found["not_clearable"] == []
    blind = diff(Queues(there), [queue()], [], SETTINGS)
    assert (blind["to_clear"], blind["to_pause"], blind["not_clearable"][0]["field"]) == ([], [], "redrivePolicy")


def test_an_object_that_somebody_paused_stays_so():
    paused = {"crossplane.io/paused": "true"}
    there = live(queue(redrivePolicy='{"a":1}'), managedFields=applied("redrivePolicy"), annotations=paused)
    found = diff(Queues(there), [queue()], [], SETTINGS, aws_has({"redrivePolicy": '{"a":1}'}))
    assert len(found["to_clear"]) == 1
    assert found["to_pause"] == found["to_resume"] == []


def test_what_is_no_longer_declared_is_still_read_in_aws() -> None:
    declared = {"apiVersion": "dynamodb.aws.upbound.io/v1beta1", "kind": "Table", "metadata": {"name": "t"}}
    live = {**declared, "owned": {"f:spec": {"f:forProvider": {"f:ttl": {}}}}}
    assert ExternalResource.of(declared, live).declares("ttl")
    assert not ExternalResource.of(declared, {**live, "owned": {}}).declares("ttl")


def test_the_object_of_a_subscription_that_is_gone_is_replaced():
    """SNS goes on answering by the old name, which the provider keeps even where the annotation is taken away."""
    there = {**live(topic()), "kind": "TopicSubscription"}
    there["metadata"]["annotations"]["crossplane.io/external-name"] = "arn:aws:sns:eu-central-1:000000000000:orders:1"
    declared = {**topic(), "kind": "TopicSubscription"}
    del declared["metadata"]["annotations"]["crossplane.io/external-name"]

    class Subscriptions(Cluster):
        def get(self, path, params):
            return json.loads(
                json.dumps(super().get(path.replace("topicsubscriptions", "topics"), params)).replace(
                    '"Topic"', '"TopicSubscription"'
                )
            )

    found = diff(Subscriptions(there), [declared], [], SETTINGS, aws_has(None))
    assert names(found, "gone") == ["orders"]
    assert ([one["name"] for one in found["to_replace"]], found["to_reconcile"]) == (["orders"], [])
    assert "crossplane.io/external-name" not in found["to_apply"][0]["metadata"]["annotations"]
    found = diff(Cluster(live(topic())), [topic()], [], SETTINGS, aws_has(None))
    assert (found["to_replace"], found["to_apply"], len(found["to_reconcile"])) == ([], [], 1)


def test_only_what_is_due_is_asked_again_and_only_where_it_is_served():
    class Merging(Cluster):
        def __init__(self, *topics, **more):
            super().__init__(*topics, **more)
            self.patches = []

        def merge(self, path, patch):
            self.patches.append((path, patch))

    failing = ({"type": "Synced", "status": "False", "message": "no"},)
    cluster = Merging(live(topic("a"), failing), live(topic("b"), failing))
    found = diff(cluster, [topic("a"), topic("b")], [], SETTINGS)
    due = [one for one in found["unready"] if one["name"] == "b"]
    assert ask_again(cluster, found, due) == [{"api_version": SNS, "kind": "Topic", "name": "b"}]
    ((path, patch),) = cluster.patches
    assert path == f"/apis/{SNS}/topics/b"
    assert list(patch["metadata"]["annotations"]) == ["localcloud.dev/reconcile-requested-at"]
    cluster.served = False
    assert ask_again(cluster, found, due) == []


def test_a_queue_that_is_not_there_is_looked_for():
    rows = [
        {"api_version": f"{group}/v1beta1", "kind": "Queue"} for group in ("sqs.aws.upbound.io", "sqs.aws.m.upbound.io")
    ]
    assert [looked_for(one) for one in rows] == [20, 20]
    assert looked_for({"api_version": SNS, "kind": "Topic"}) == 0
