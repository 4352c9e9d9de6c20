"""What Helm remembers of a release, beside what is declared."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.helm.recovery import Guard
from ansible_collections.localcloud.stack.plugins.module_utils.helm.release import (
    Release,
    chart_of,
    decode,
    differences,
    foreign,
    gone,
    read_release,
    running,
    scaled,
)
from ansible_collections.localcloud.stack.plugins.module_utils.helm.renderer import DECLARED
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError

CHART = {"name": "shop", "version": "1.2.0", "appVersion": "7"}
VALUES = {"image": {"tag": "a"}, "limits": {"cpu": None}, "hosts": ["one", "two"]}


OWNER = "localcloud.dev/owner"
MADE = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "shops"}


def secret(revision: int = 1, status: str = "deployed", owner: str | None = None, **config: Any) -> dict[str, Any]:
    """As Helm writes it: gzipped JSON in base64, which the Secret has in base64 as well."""
    chart = {"metadata": {**CHART, "description": "A shop."}, "templates": []}
    info = {
        "status": status,
        "last_deployed": f"2026-11-28T20:20:{revision:02}.123456789+01:00",
        "description": f"Revision {revision}",
    }
    release = {"info": info, "chart": chart, "config": VALUES, "manifest": "", **config}
    once = base64.b64encode(gzip.compress(json.dumps(release).encode()))
    labels = {"owner": "helm", "name": "shop", "status": status, "version": str(revision)}
    metadata = {
        "name": f"sh.helm.release.v1.shop.v{revision}",
        "labels": {**labels, **({OWNER: owner} if owner else {})},
    }
    return {"metadata": metadata, "data": {"release": base64.b64encode(once).decode()}}


class Cluster:
    """An API server with these records of the release shop in shops, and these objects by path."""

    def __init__(self, *records: dict[str, Any], **objects: Any) -> None:
        self.records, self.objects, self.asked = records, objects, []

    def get(self, path: str, params: Any) -> dict[str, Any]:
        if path == "/api/v1/namespaces/shops/secrets":
            selector = params["labelSelector"]
            self.asked.append(selector)
            assert selector.startswith("owner=helm,name=shop")
            every = "status!=superseded" not in selector
            return {"items": [one for one in self.records if every or _status(one) != "superseded"]}
        if path not in self.objects:
            raise ApiError(404, "not found")
        return self.objects[path]


def _status(record: dict[str, Any]) -> str:
    return str(record["metadata"]["labels"]["status"])


def read(*records: dict[str, Any], objects: Any = None) -> Release:
    return read_release(Cluster(*records, **(objects or {})), "shops", "shop")


CUT = base64.b64encode(base64.b64encode(base64.b64decode(base64.b64decode(secret()["data"]["release"]))[:-20])).decode()


def test_nothing_differs() -> None:
    assert differences(read(secret()), CHART, VALUES) == []
    assert differences(read(secret(config=None)), CHART, {}) == []
    assert differences(read(secret(owner="me")), CHART, VALUES, "me") == []


@pytest.mark.parametrize(
    ("there", "chart", "values", "said"),
    [
        (None, CHART, VALUES, ["it is not installed"]),
        (secret(status="uninstalled"), CHART, VALUES, ["it is not installed"]),
        (secret(status="pending-install"), CHART, VALUES, ["its last operation is pending-install"]),
        (secret(status="failed"), CHART, VALUES, ["its last installation is failed"]),
        (secret(), {**CHART, "version": "1.3.0"}, VALUES, ["the chart's version is 1.2.0"]),
        (secret(), {**CHART, "appVersion": "8"}, VALUES, ["the chart's appVersion is 7"]),
        (secret(), CHART, {**VALUES, "image": {"tag": "b"}}, ["the value of image.tag differs"]),
        (secret(), CHART, {**VALUES, "hosts": ["one"]}, ["the value of hosts differs"]),
        (secret(), CHART, {**VALUES, "more": None}, ["the value of more differs"]),
        (secret(), CHART, {"image": {"tag": "a"}, "hosts": ["one", "two"]}, ["the value of limits differs"]),
        (secret(config=None), CHART, {"key": "hush-hush"}, ["the value of key differs"]),
    ],
)
def test_what_differs_is_said_without_values(there: Any, chart: Any, values: Any, said: list[str]) -> None:
    assert differences(read(*([there] if there else [])), chart, values) == said


def test_an_owner_that_is_not_in_the_record_differs() -> None:
    assert differences(read(secret()), CHART, VALUES, "me") == ["its record has no label localcloud.dev/owner"]
    assert differences(read(secret(owner="you")), CHART, VALUES, "me") == ["its record has owner you"]


def test_after_a_killed_upgrade_the_revision_that_it_goes_back_to_is_compared() -> None:
    old, new = secret(1), secret(2, "pending-upgrade", config={**VALUES, "hosts": []})
    release = read(new, old)
    assert str(release.recovery) == "roll back to revision 1"
    assert differences(release, CHART, VALUES) == ["its last operation is pending-upgrade"]
    assert differences(release, {**CHART, "version": "2"}, {**VALUES, "hosts": []}) == [
        "its last operation is pending-upgrade",
        "the chart's version is 1.2.0",
        "the value of hosts differs",
    ]
    failed = read(secret(1, "failed"), new)
    assert differences(failed, CHART, VALUES)[1:] == ["its last installation is failed"]
    killed_late = read(secret(1, "superseded"), new)
    assert differences(killed_late, CHART, VALUES) == ["its last operation is pending-upgrade"]


def test_superseded_revisions_are_read_only_where_one_may_be_the_way_back() -> None:
    records = (secret(1, "superseded"), secret(2, "superseded"))
    for more, asked in (
        ([secret(3)], 1),
        ([secret(3), secret(4, "pending-upgrade")], 1),
        ([secret(3, "pending-upgrade")], 2),
    ):
        cluster = Cluster(*records, *more)
        read_release(cluster, "shops", "shop")
        assert len(cluster.asked) == asked


def test_an_operation_of_others_is_dated_by_its_own_record() -> None:
    """Not by labels, which Helm hands down from the revision before."""
    now = dt.datetime(2026, 11, 28, 19, 20, 42, tzinfo=dt.UTC)
    record = secret(2, "pending-upgrade")
    record["metadata"]["labels"]["createdAt"] = "1"
    (said,) = running(read(secret(1), record), Guard(now, 300, lambda _run: None))
    assert "revision 2 is pending-upgrade since 2026-11-28 19:20:02 UTC (40 s), 'Revision 2'" in said
    assert running(read(secret(1), record), Guard(now, 39, lambda _run: None)) == []
    assert running(read(secret(1)), Guard(now, 300, lambda _run: None)) == []


@pytest.mark.parametrize("time", [None, "", "nonsense", "0001-01-01T00:00:00Z"])
def test_a_record_without_a_time_is_old(time: Any) -> None:
    record = secret(1, "pending-install", info={"status": "pending-install", "last_deployed": time})
    assert running(read(record), Guard(dt.datetime.now(dt.UTC), 300, lambda _run: None)) == []


@pytest.mark.parametrize(
    "content", ["", "not base64", base64.b64encode(b"plain").decode(), CUT], ids=["empty", "no", "plain", "cut"]
)
def test_what_helm_did_not_write_is_named(content: str) -> None:
    foreign = {"metadata": secret(3)["metadata"], "data": {"release": content}}
    with pytest.raises(ValueError, match=r"the Secret sh\.helm\.release\.v1\.shop\.v3 holds no release"):
        decode(foreign)
    with pytest.raises(ValueError, match="holds no release"):
        decode({"metadata": foreign["metadata"]})


def test_the_newest_revision_counts_by_its_number() -> None:
    release = read(secret(9), secret(10, "pending-upgrade"), secret(2, "failed"))
    assert [one.number for one in release.revisions] == [2, 9, 10]


def test_a_chart_is_a_folder_or_a_name(tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.2.0\nappVersion: '7'\n")
    assert chart_of(str(tmp_path), None) == CHART
    assert chart_of("crossplane", "2.4.0") == {"name": "crossplane", "version": "2.4.0"}
    assert chart_of("stable/crossplane", None) == {"name": "crossplane"}


@pytest.mark.parametrize("content", ["[", "- a list"])
def test_a_chart_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "Chart.yaml").write_text(content)
    with pytest.raises(ValueError, match="not a chart's description"):
        chart_of(str(tmp_path), None)


MANIFEST = """
---
# Source: shop/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker, namespace: elsewhere}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
data: {key: aHVzaC1odXNo}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: web}
---
"""


KINDS = {
    "/apis/apps/v1": {"resources": [{"kind": "Deployment", "name": "deployments", "namespaced": True}]},
    "/apis/rbac.authorization.k8s.io/v1": {"resources": [{"kind": "ClusterRole", "name": "clusterroles"}]},
    "/api/v1": {"resources": [{"kind": "Secret", "name": "secrets", "namespaced": True}]},
}
WEB = "/apis/apps/v1/namespaces/shops/deployments/web"
WORKER = "/apis/apps/v1/namespaces/elsewhere/deployments/worker"
ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/shop"
KEY = "/api/v1/namespaces/shops/secrets/key"


def there(annotations: Any = None, **labels: str) -> dict[str, Any]:
    return {"metadata": {"annotations": annotations, "labels": labels}}


def test_what_somebody_deleted_is_found_but_for_secrets_and_kinds_that_are_not_served() -> None:
    found = gone(read(secret(manifest=MANIFEST), objects={**KINDS, WEB: there(MADE)}))
    assert [(one["kind"], one["metadata"]["name"]) for one in found] == [
        ("Deployment", "worker"),
        ("ClusterRole", "shop"),
    ]
    everything = {**KINDS, WEB: there(MADE), WORKER: there(MADE), ROLE: there(MADE)}
    assert gone(read(secret(manifest=MANIFEST), objects=everything)) == gone(read()) == []


def test_what_is_put_back_belongs_to_the_release_again() -> None:
    (worker, role) = gone(read(secret(manifest=MANIFEST, owner="me"), objects={**KINDS, WEB: there(MADE)}))
    for one in (worker, role):
        assert one["metadata"]["annotations"] == MADE
        assert one["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "Helm"}
    back = {**KINDS, WEB: there(MADE), WORKER: worker, ROLE: role}
    assert foreign(read(secret(manifest=MANIFEST, owner="me"), objects=back), "me") == []


def test_a_rollback_makes_again_what_is_gone() -> None:
    release = read(secret(1, manifest=MANIFEST), secret(2, "pending-upgrade"), objects=KINDS)
    assert gone(release) == []


def test_a_release_of_others() -> None:
    row = {"kind": "Helm release", "name": "shop", "namespace": "shops"}
    for status in ("deployed", "pending-upgrade", "failed", "uninstalled"):
        assert foreign(read(secret(status=status)), "me") == [{**row, "owner": None}]
        assert foreign(read(secret(status=status, owner="you")), "me") == [{**row, "owner": "you"}]
        assert foreign(read(secret(status=status, owner="me")), "me") == []
    assert foreign(read(), "me") == foreign(read(secret()), "") == []


def test_a_record_without_an_owner_is_known_by_its_objects() -> None:
    def ours(*owners: str | None) -> bool:
        manifest = "---\n".join(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": f"a{n}", "labels": {OWNER: owner} if owner else {}},
                }
            )
            + "\n"
            for n, owner in enumerate(owners)
        )
        return foreign(read(secret(manifest=manifest), objects=KINDS), "me") == []

    assert ours("me", "me")
    assert ours("me", None)
    assert not ours("me", "you")
    assert not ours(None)


@pytest.mark.parametrize("status", ["deployed", "pending-upgrade", "pending-install"])
def test_an_object_that_somebody_put_in_the_place_of_ours(status: str) -> None:
    """Helm would change it, or delete it, by its name."""
    others = {**MADE, "meta.helm.sh/release-namespace": "other"}
    objects = {
        **KINDS,
        WEB: there(),
        WORKER: there(others, **{OWNER: "you"}),
        ROLE: there(None, **{OWNER: "me"}),
        KEY: there(),
    }
    records = [secret(1, owner="me"), secret(2, status, owner="me", manifest=MANIFEST)]
    concerned = read(*records[-1 if status == "pending-install" else 0 :], objects=objects)
    found = {(one["kind"], one["namespace"], one["name"]): one["owner"] for one in foreign(concerned, "me")}
    if status == "pending-install":  # nothing is there after its removal, but that deletes all of these
        assert concerned.base is None
    assert found == {
        ("Deployment", "shops", "web"): None,
        ("Deployment", "elsewhere", "worker"): "you",
        ("Secret", "shops", "key"): None,
    }


def test_a_release_of_a_version_that_labelled_none_is_known_by_the_secret_that_was_made_for_it() -> None:
    path = "/api/v1/namespaces/shops/secrets/shop-aws"

    def row(owner: str | None, record: str | None = None) -> list[dict[str, Any]]:
        made = {path: {"metadata": {"name": "shop-aws", "labels": {OWNER: owner} if owner else {}}}}
        return foreign(read_release(Cluster(secret(owner=record), **made), "shops", "shop", "shop-aws"), "me")

    assert row("me") == []
    assert len(row("you")) == len(row(None)) == len(row("me", record="you")) == 1
    assert len(foreign(read_release(Cluster(secret()), "shops", "shop", "shop-aws"), "me")) == 1


def test_what_is_missing_is_a_difference_secrets_too() -> None:
    release = read(secret(manifest=MANIFEST), objects={**KINDS, WEB: there(MADE)})
    assert differences(release, CHART, VALUES) == [
        "the Deployment worker is missing",
        "the ClusterRole shop is missing",
        "the Secret key is missing",
    ]


def workload(manifest: int, live: int, manager: str | None, annotation: str = "") -> list[str]:
    """What is said of a Deployment with so many replicas in the release's manifest and in the cluster."""
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": manifest}}
    if annotation:
        made["metadata"] = {"name": "web", "annotations": {DECLARED: annotation}}
    field = {"f:spec": {"f:replicas": {}}}
    fields = [{"manager": "helm", "operation": "Apply", "fieldsV1": field}]
    if manager:
        fields += [{"manager": manager, "operation": "Update", "subresource": "scale", "fieldsV1": field}]
    found = {**there(MADE), "spec": {"replicas": live}}
    found["metadata"]["managedFields"] = fields
    return [str(one) for one in scaled(read(secret(manifest=json.dumps(made)), objects={**KINDS, WEB: found}))]


def test_replicas_that_an_autoscaler_or_a_person_has_set_are_theirs() -> None:
    assert workload(2, 5, "kubectl") == [
        "the Deployment web keeps its 5 replicas, which kubectl has set; 2 are declared"
    ]
    # As an upgrade before has kept them.
    assert workload(5, 5, "autoscaler", annotation="2") == [
        "the Deployment web keeps its 5 replicas, which autoscaler has set; 2 are declared"
    ]
    assert workload(2, 2, "kubectl") == []
    assert workload(2, 5, None) == []
    assert workload(5, 2, "kubectl", annotation="2") == []


@pytest.mark.parametrize(
    ("records", "method"),
    [
        ([], None),
        ([secret(1, "uninstalled", apply_method="ssa")], None),
        ([secret()], "csa"),
        ([secret(apply_method="csa")], "csa"),
        ([secret(1, "superseded"), secret(2, apply_method="ssa")], "ssa"),
        ([secret(1, "failed", apply_method="ssa")], "ssa"),
    ],
)
def test_how_the_newest_revision_was_applied(records: list[Any], method: str | None) -> None:
    """Helm 4 says so in its record and keeps to it; Helm 3 writes none."""
    assert read(*records).method == method
