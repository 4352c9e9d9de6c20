"""An owner that is derived tells folders apart and may be any label's value and any object's name."""

from __future__ import annotations

import re

from ansible_collections.localcloud.stack.plugins.filter.ownership import derived_owner
from hypothesis import given
from hypothesis import strategies as st


def test_the_stack_of_the_checkout_goes_first() -> None:
    assert derived_owner("/srv/deploy", "localcloud-1a2b3c") == "localcloud-1a2b3c"


def test_folders_of_one_name_have_owners_of_their_own() -> None:
    assert derived_owner("/srv/a/deploy") != derived_owner("/srv/b/deploy")
    assert derived_owner("/srv/a/deploy").startswith("deploy-")


@given(st.text())
def test_it_is_a_name_for_objects_and_labels(folder: str) -> None:
    assert re.fullmatch(r"(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?", derived_owner(folder))
