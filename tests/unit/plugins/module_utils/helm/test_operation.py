"""Installing and removing a release: what Helm is told to do, in which order, by what is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.helm.command import Chart
from ansible_collections.localcloud.stack.plugins.module_utils.helm.operation import Wanted, install, remove
from ansible_collections.localcloud.stack.plugins.module_utils.helm.recovery import RECOVERY, RUN
from ansible_collections.localcloud.stack.plugins.module_utils.helm.renderer import Scaled
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import KubernetesError

from tests.unit.plugins.module_utils.helm.test_release import (
    KINDS,
    MANIFEST,
    OWNER,
    VALUES,
    WEB,
    Cluster,
    secret,
    there,
)

CHART = Chart("stable/shop", None, "1.2.0")
WANTED = Wanted("shops", "shop", "me", CHART, VALUES, False, 300)


class World(Cluster):
    """A cluster and a Helm that writes its records into it as the real one does."""

    run = "here.1"

    def __init__(self, *records: dict[str, Any], refuses: str = "", **objects: Any) -> None:
        super().__init__(*records, **objects)
        self.done: list[Any] = []
        self.methods: list[str | None] = []
        self.refuses = refuses

    def merge(self, path: str, patch: dict[str, Any]) -> None:
        self.done.append(("mark", path.rpartition(".")[2], patch["metadata"]["labels"]))

    def _do(self, *what: Any) -> int:
        self.done.append(what)
        return len(self.records) + 1

    def upgrade(
        self,
        chart: Chart,
        values: Any,
        labels: dict[str, str],
        create_namespace: bool,
        method: str | None,
        scaled: Sequence[Scaled],
    ) -> None:
        self.methods.append(method)
        self.scaled = list(scaled)
        number = self._do("upgrade", labels)
        self.records = (*self.records, secret(number, owner=labels[OWNER]))

    def rollback(self, revision: int, method: str | None) -> None:
        self.methods.append(method)
        number = self._do("rollback", revision)
        back = next(one for one in self.records if one["metadata"]["labels"]["version"] == str(revision))
        status = "failed" if self.refuses else "deployed"
        new = secret(number, status, owner=back["metadata"]["labels"].get(OWNER))
        self.records = (*self.records, new)
        if self.refuses:
            raise KubernetesError(self.refuses)

    def uninstall(self) -> None:
        self._do("uninstall")
        self.records = ()


def mark(revision: int) -> Any:
    return ("mark", f"v{revision}", {RECOVERY: "here.1"})


UPGRADE = ("upgrade", {OWNER: "me", RUN: "here.1"})
OTHER = {"limits": {}}
ROLLBACK_TO_1 = [mark(2), ("rollback", 1)]


@pytest.mark.parametrize(
    ("records", "done", "actions"),
    [
        ([], [UPGRADE], ["install"]),
        ([secret(1, owner="me")], [], []),
        ([secret(1, owner="me", config=OTHER)], [UPGRADE], ["upgrade"]),
        ([secret(1, "failed", owner="me")], [UPGRADE], ["upgrade"]),
        # The revision that it goes back to may be all that is wanted.
        (
            [secret(1, owner="me"), secret(2, "pending-upgrade", owner="me", config=OTHER)],
            ROLLBACK_TO_1,
            ["roll back to revision 1"],
        ),
        (
            [secret(1, owner="me"), secret(2, "pending-rollback", owner="me")],
            ROLLBACK_TO_1,
            ["roll back to revision 1"],
        ),
        (
            [secret(1, "pending-install", owner="me")],
            [mark(1), ("uninstall",), UPGRADE],
            ["remove what it had installed", "install"],
        ),
        (
            [secret(1, "uninstalling", owner="me")],
            [mark(1), ("uninstall",), UPGRADE],
            ["remove what it had installed", "install"],
        ),
    ],
)
def test_what_an_installation_does(records: list[Any], done: list[Any], actions: list[str]) -> None:
    """And check mode says the same, and does nothing."""
    foretold = World(*records)
    assert install(foretold, foretold, WANTED, True).actions == actions
    assert foretold.done == []
    world = World(*records)
    assert install(world, world, WANTED, False).actions == actions
    assert world.done == done
    assert install(world, world, WANTED, False).actions == []


def test_after_a_rollback_the_wanted_upgrade_goes_on() -> None:
    wanted = WANTED._replace(chart=Chart("stable/shop", None, "2.0.0"))
    records = [secret(1, owner="me"), secret(2, "pending-upgrade", owner="me")]
    expected = ["roll back to revision 1", "upgrade"]
    foretold, world = World(*records), World(*records)
    assert install(foretold, foretold, wanted, True).actions == expected
    done = install(world, world, wanted, False)
    assert done.actions == expected
    assert world.done == [*ROLLBACK_TO_1, UPGRADE]
    assert done.differences == ["its last operation is pending-upgrade", "the chart's version is 1.2.0"]


def test_a_revision_that_failed_before_may_fail_again() -> None:
    """It is then upgraded, and what Helm said is told; a revision that was deployed must come back."""
    failed = World(secret(1, "failed", owner="me"), secret(2, "pending-upgrade", owner="me"), refuses="no quota")
    done = install(failed, failed, WANTED, False)
    assert failed.done == [*ROLLBACK_TO_1, UPGRADE]
    assert list(done.warnings) == ["no quota"]
    deployed = World(secret(1, owner="me"), secret(2, "pending-upgrade", owner="me"), refuses="no quota")
    with pytest.raises(KubernetesError, match="no quota"):
        install(deployed, deployed, WANTED, False)


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize("owner", [None, "you"])
@pytest.mark.parametrize("status", ["deployed", "pending-upgrade", "pending-install", "uninstalling", "failed"])
def test_a_release_of_others_is_neither_changed_nor_removed(status: str, owner: str | None, check_mode: bool) -> None:
    world = World(secret(1, status, owner=owner))
    with pytest.raises(KubernetesError) as caught:
        install(world, world, WANTED, check_mode)
    said = caught.value.message
    assert f"Helm release/shop (shops), {f'owner {owner}' if owner else 'no label localcloud.dev/owner'}" in said
    assert "hand these over by the label localcloud.dev/owner=me" in said
    done = remove(world, world, WANTED, check_mode)
    assert done.actions == []
    assert [one["reason"] for one in done.kept] == [f"owner {owner}" if owner else "no label localcloud.dev/owner"]
    assert world.done == []


def test_an_object_of_others_in_a_release_of_ours_is_not_deleted_with_it() -> None:
    world = World(secret(1, owner="me", manifest=MANIFEST), **KINDS, **{WEB: there()})
    for act in (install, remove):
        with pytest.raises(KubernetesError, match=r"Deployment/web \(shops\), no label"):
            act(world, world, WANTED, False)
    assert world.done == []


def young(*statuses: str) -> World:
    """A history whose last operation began a moment ago."""
    older = [secret(number, status, owner="me") for number, status in enumerate(statuses[:-1], 1)]
    info = {"status": statuses[-1], "last_deployed": "2999-01-01T00:00:00Z", "deleted": "2999-01-01T00:00:00Z"}
    return World(*older, secret(len(statuses), statuses[-1], owner="me", info=info))


@pytest.mark.parametrize(
    "statuses", [["pending-install"], ["deployed", "pending-upgrade"], ["deployed", "pending-rollback"]]
)
def test_what_a_colleague_does_right_now_is_left_alone(statuses: list[str]) -> None:
    world = young(*statuses)
    for act in (install, remove):
        with pytest.raises(KubernetesError, match=f"is {statuses[-1]} since 2999-01-01 00:00:00 UTC"):
            act(world, world, WANTED, False)
    assert world.done == []


def test_a_removal() -> None:
    for status in ("deployed", "failed", "pending-upgrade", "pending-install", "uninstalling", "uninstalled"):
        foretold, world = World(secret(1, status, owner="me")), World(secret(1, status, owner="me"))
        assert remove(foretold, foretold, WANTED, True).actions == ["uninstall"]
        assert foretold.done == []
        assert remove(world, world, WANTED, False).actions == ["uninstall"]
        assert world.done == [mark(1), ("uninstall",)]
        assert remove(world, world, WANTED, False).actions == []
    world = young("uninstalling")
    assert remove(world, world, WANTED, False).actions == ["uninstall"], "two may complete a removal"


def test_a_chart_that_is_not_there() -> None:
    world = World()
    with pytest.raises(KubernetesError, match="/nowhere/Chart.yaml"):
        install(world, world, WANTED._replace(chart=Chart("/nowhere")), False)
