"""Definitions get the owner's label, and those that exist stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import ApiError
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.owned_definitions import PATH, create, labelled, read

TEXT = """---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations:
    controller-gen.kubebuilder.io/version: v0.14.0
  name: {name}
spec:
  group: sns.aws.upbound.io
"""


class Cluster:
    def __init__(self, *names: str) -> None:
        self.there = {f"{PATH}/{name}" for name in names}
        self.created: list[dict[str, Any]] = []

    def get(self, path: str, params: Any) -> Any:
        if path not in self.there:
            raise ApiError(404, "not found")
        return {}

    def create(self, path: str, text: str) -> None:
        obj = yaml.safe_load(text)
        if f"{path}/{obj['metadata']['name']}" in self.there:
            raise ApiError(409, "already exists")
        self.created.append(obj)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("topics.sns.aws.upbound.io", "queues.sqs.aws.upbound.io"):
        (tmp_path / f"{name}.yaml").write_text(TEXT.format(name=name))
    return tmp_path


def test_only_what_is_not_there_is_created_with_the_label_and_nothing_else_changed(folder: Path) -> None:
    cluster = Cluster("queues.sqs.aws.upbound.io")
    assert create(cluster, read([str(folder)], "me")) == ["topics.sns.aws.upbound.io"]
    (made,) = cluster.created
    assert made["metadata"].pop("labels") == {"localcloud.dev/owner": "me"}
    assert made == yaml.safe_load(TEXT.format(name="topics.sns.aws.upbound.io"))


def test_check_mode_says_the_same_and_creates_nothing(folder: Path) -> None:
    cluster = Cluster("queues.sqs.aws.upbound.io")
    assert create(cluster, read([str(folder)], "me"), check_mode=True) == ["topics.sns.aws.upbound.io"]
    assert cluster.created == []


@pytest.mark.parametrize("owner", ["me", "1", "true"])
def test_the_label_is_text(owner: str) -> None:
    one = yaml.safe_load(labelled(TEXT.format(name="a.b"), owner, "f").text)
    assert one["metadata"]["labels"] == {"localcloud.dev/owner": owner}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n",
        TEXT.format(name="a.b").replace("  name", "  labels:\n    a: b\n  name"),
        TEXT.format(name="a.b") + TEXT.format(name="b.c"),
    ],
    ids=["nothing", "another kind", "labels", "two"],
)
def test_another_file_is_refused_with_its_path(text: str) -> None:
    with pytest.raises(ValueError, match=r"^some/file\.yaml is not one CustomResourceDefinition"):
        labelled(text, "me", "some/file.yaml")


def test_a_refusal_is_not_taken_for_one_that_is_there(folder: Path) -> None:
    class Refusing(Cluster):
        def create(self, path: str, text: str) -> None:
            raise ApiError(403, "forbidden")

    with pytest.raises(ApiError, match="forbidden"):
        create(Refusing(), read([str(folder)], "me"))
