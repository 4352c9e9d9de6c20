"""Small views of Kubernetes objects."""

from __future__ import annotations

from ansible_collections.localcloud.stack.plugins.filter.objects import composite_kinds


def test_a_composite_kind_has_the_version_that_crossplane_works_with() -> None:
    versions = [{"name": "v1alpha1", "referenceable": False}, {"name": "v1", "referenceable": True}]
    definition = {"spec": {"group": "localcloud.dev", "names": {"kind": "EventPipeline"}, "versions": versions}}
    assert composite_kinds([definition]) == [{"api_version": "localcloud.dev/v1", "kind": "EventPipeline"}]
