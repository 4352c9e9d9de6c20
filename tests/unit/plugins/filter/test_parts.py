"""Names of images."""

from __future__ import annotations

from ansible_collections.localcloud.stack.plugins.filter.parts import images_by_digest, part_images


def test_a_part_goes_by_its_last_name_in_a_registry() -> None:
    parts = {"a": {"image": "localcloud.local/a:1"}, "b": {"image": None}}
    assert part_images(parts) == {"a": "localcloud.local/a:1"}
    assert part_images(parts, "registry:5000/x") == {"a": "registry:5000/x/a:1"}


def test_what_was_pushed_is_named_by_its_digest() -> None:
    images = {"a": "registry:5000/x/a:1", "b": "registry:5000/x/b:1", "c": "registry:5000/x/c:1"}
    pushed = [
        {"item": "a", "manifest_digest": "sha256:0a"},
        {"item": "b", "manifest_digest": None},
        {"item": "c", "skipped": True},
    ]
    assert images_by_digest(images, pushed) == {**images, "a": "registry:5000/x/a@sha256:0a"}
