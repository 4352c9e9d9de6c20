# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of an engine, which is what answers for AWS. Pure.

An engine's file (engines/<engine>.py) has ENGINE; registry.py finds them.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

Json = t.Mapping[str, t.Any]
# Where an engine is: in a pod of the cluster, elsewhere at an endpoint, or AWS itself; found: only recognized at an endpoint, not chosen.
Place = t.Literal["cluster", "outside", "aws", "found"]


class Wanted(t.NamedTuple):
    """What a stack asks of an engine in the cluster. C(host): host and port that queues' URLs begin with."""

    version: str
    region: str
    services: tuple[str, ...]
    host: str
    persistent: bool


class Local(t.NamedTuple):
    """What a stack asks of an engine that is a process of this machine. C(data): a folder for what it keeps."""

    region: str
    address: str
    data: str


class Ending(t.NamedTuple):
    """What an exit code of an engine means. C(token): whether for want of a token, so that free choices are named as well."""

    reason: str
    message: str
    next_step: str
    token: bool = False


@dataclass(frozen=True)
class Container:
    """How an engine runs in a pod.

    part: of toolchain/parts.yml, an image that is built here; part_version: what of the engine that image has, where versions can be chosen.
    image: the public image. scratch: folders that it writes into. data: a folder that it can keep over a restart, empty where it keeps nothing.
    read_only: whether the public image writes nowhere else. endings: what exit codes mean.
    """

    part: str
    image: t.Callable[[Wanted], str]
    environment: t.Callable[[Wanted], dict[str, str]]
    scratch: tuple[str, ...]
    part_version: str = ""
    data: str = ""
    read_only: bool = False
    port: int = 4566
    health: str = "/_localstack/health"
    endings: t.Mapping[int, Ending] = field(default_factory=dict)


@dataclass(frozen=True)
class Process:
    """How an engine runs on this machine: a Python module, from packages that are pinned in a file of the project."""

    requirements: str
    module: str
    environment: t.Callable[[Local], dict[str, str]]


@dataclass(frozen=True)
class Signs:
    """By what an engine is recognized: a header or a key of its health page, or a page that only it answers with JSON.

    has_health: whether it has LocalStack's health page, which says version and services; without it only the page tells.
    """

    page: str
    header: str = ""
    key: str = ""
    has_health: bool = True


@dataclass(frozen=True)
class Token:
    """A token that some versions need: its environment variable, whether a version needs it, and the last one that does not."""

    variable: str
    needed: t.Callable[[str], bool]
    last_free: str


@dataclass(frozen=True)
class Choice:
    """A row of the README's table: how it is chosen, what it is, what of its data is there after a restart, and what it is for."""

    how: str
    what: str
    after_restart: str
    purpose: str


@dataclass(frozen=True)
class Engine:
    """One value of C(localstack_service_engine).

    problems: what is wrong with settings, as emulator_settings.problems() takes them. lacks: the AWS services, as boto3 names them, that a
    version does not have although resources of theirs can be declared. never_ready: why the AWS provider never gets a declared resource
    ready there, by feature (engine_behaviours.FEATURES). account_setting: how to give it the emulated account where it has another.
    kept: what a restart left of its data where they persist.
    """

    name: str
    title: str
    place: Place
    choices: tuple[Choice, ...]
    container: Container | None = None
    process: Process | None = None
    signs: Signs | None = None
    token: Token | None = None
    free: str = ""
    problems: t.Callable[[Json], list[str]] = lambda settings: []
    lacks: t.Callable[[str], tuple[str, ...]] = lambda version: ()
    never_ready: t.Mapping[str, str] = field(default_factory=dict)
    account_setting: str = ""
    kept: str = "Its data were kept."

    @property
    def is_outside(self) -> bool:
        """Whether it is reached at an endpoint outside the cluster, which settings may name."""
        return self.place == "outside"

    @property
    def is_emulated(self) -> bool:
        """Whether it is an emulator rather than AWS itself."""
        return self.place != "aws"
