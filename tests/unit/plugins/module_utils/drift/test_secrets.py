from __future__ import annotations

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.aws_resources import Target, derive
from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import SECRET_VERSIONS
from ansible_collections.localcloud.stack.plugins.module_utils.drift.plan import Settings, diff
from ansible_collections.localcloud.stack.plugins.module_utils.drift.secrets import with_secret_versions
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError

DECLARED = {
    "secrets": [{"name": "db", "value_from_secret": {"namespace": "shop", "name": "db", "key": "password"}}],
    "parameters": [
        {"name": "/db", "type": "SecureString", "value_from_secret": {"namespace": "shop", "name": "db", "key": "password"}}
    ],
}  # fmt: skip
OBJECTS = derive(DECLARED, Target("eu-central-1", owner="me"))[0]
SERVED = {"secretsmanager": ["Secret", "SecretVersion"], "ssm": ["Parameter"]}


class Cluster:
    """An API server with one Secret, and objects."""

    def __init__(self, version, *objects, status=404):
        self.version, self.objects, self.status = version, objects, status
        self.asked = []

    def get(self, path, params):
        self.asked.append(path)
        if path == "/api/v1/namespaces/shop/secrets/db" and self.version:
            return {"metadata": {"resourceVersion": self.version}, "data": {"password": "cGE1NQ=="}}
        if path.startswith("/api/v1/namespaces/"):
            raise ApiError(self.status, "no")
        for service, kinds in SERVED.items():
            base = f"/apis/{service}.aws.upbound.io/v1beta1"
            if path == base:
                return {"resources": [{"kind": kind, "name": f"{kind.lower()}s"} for kind in kinds]}
            for kind in kinds:
                if path == f"{base}/{kind.lower()}s":
                    return {"items": [one for one in self.objects if one["kind"] == kind], "metadata": {}}
        if path == "/api/v1/events":
            return {"items": []}
        raise ApiError(404, "not found")


def versions(objects):
    return {one["kind"]: (one["metadata"].get("annotations") or {}).get(SECRET_VERSIONS) for one in objects}


def test_objects_carry_the_versions_of_their_secrets_each_read_once():
    cluster = Cluster("7")
    made = with_secret_versions(cluster, OBJECTS)
    assert versions(made) == {"Secret": None, "SecretVersion": "7", "Parameter": "7"}
    assert len(cluster.asked) == 1
    assert "cGE1NQ" not in str(made)


@pytest.mark.parametrize("status", [404, 403])
def test_a_secret_that_is_not_there_or_not_ours_to_read_is_left_to_the_provider(status):
    assert with_secret_versions(Cluster("", status=status), OBJECTS) == OBJECTS


def test_an_api_server_that_is_broken_is_told():
    with pytest.raises(ApiError):
        with_secret_versions(Cluster("", status=500), OBJECTS)


def test_a_rotated_value_is_a_change_and_a_version_is_made_again():
    before = [
        {**one, "metadata": {**one["metadata"], "uid": one["kind"]}, "status": {"conditions": []}}
        for one in with_secret_versions(Cluster("7"), OBJECTS)
    ]
    same = diff(Cluster("7", *before), OBJECTS, [], Settings("me"))
    assert (same["same"], same["to_replace"]) == (3, [])
    found = diff(Cluster("8", *before), OBJECTS, [], Settings("me"))
    assert [one["kind"] for one in found["modified"]] == ["SecretVersion", "Parameter"]
    assert [one["kind"] for one in found["to_replace"]] == ["SecretVersion"]
    (again,) = (one for one in found["to_apply"] if one["kind"] == "SecretVersion")
    # A version of its own, and not the old one under that name.
    assert "crossplane.io/external-name" not in again["metadata"]["annotations"]


def test_the_provider_neither_changes_nor_deletes_a_version():
    (version,) = (one for one in OBJECTS if one["kind"] == "SecretVersion")
    assert version["spec"]["managementPolicies"] == ["Observe", "Create"]
