"""Names of images."""

from __future__ import annotations

from ansible_collections.localcloud.stack.plugins.filter.parts import part_images


def test_a_part_goes_by_its_last_name_in_a_registry() -> None:
    parts = {"a": {"image": "localcloud.local/a:1"}, "b": {"image": None}}
    assert part_images(parts) == {"a": "localcloud.local/a:1"}
    assert part_images(parts, "registry:5000/x") == {"a": "registry:5000/x/a:1"}
