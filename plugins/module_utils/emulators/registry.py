# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engines by name, and what follows from them for a stack. Pure.

To add one, describe it in a new file in engines/ and run `make generate`.
"""

from __future__ import annotations

import typing as t

from .endpoint import EMULATED_ACCOUNT
from .engine import Ending, Engine, Local, Wanted
from .engines import ALL

PLACES = ("cluster", "outside", "aws", "found")


def _order(engine: Engine) -> tuple[int, bool, str]:
    """By place; of those in the cluster first the ones that are built here, which every cluster can have."""
    return PLACES.index(engine.place), bool(engine.container and not engine.container.part), engine.name


ENGINES: dict[str, Engine] = {one.name: one for one in sorted(ALL, key=_order)}
# What an image that was built here is named by; any other is pulled.
BUILT_HERE = "localhost/"


def in_cluster(name: str) -> bool:
    """Whether an engine runs in the cluster, and goes with it."""
    return name in ENGINES and ENGINES[name].place == "cluster"


def choosable() -> list[str]:
    """The engines that settings may name."""
    return [name for name, engine in ENGINES.items() if engine.place != "found"]


def embedded_problems(name: str, version: str, image: str) -> list[str]:
    """Why the embedded node, which has what is built for it, can't have an engine. C(version), C(image): empty where none is chosen."""
    engine = ENGINES.get(name)
    if not engine or not engine.container or image:
        return []
    own, ways = (
        engine.container,
        "set localstack_service_image to one that the node can pull, or use a cluster of yours.",
    )
    if not own.part:
        return [f"The embedded node does not have {engine.title}, which comes as a container image only: {ways}"]
    if own.part_version and version not in ("", own.part_version):
        return [
            f"The embedded node has {engine.title} {own.part_version} only, as {version} comes as a container image only. "
            f"Leave localstack_service_version out, {ways}"
        ]
    return []


def programs() -> list[str]:
    """The engines that can run as a process of this machine."""
    return [name for name, engine in ENGINES.items() if engine.process]


def recognized() -> str:
    """The titles of the engines that are recognized by what they answer."""
    *others, last = [engine.title for engine in ENGINES.values() if engine.signs]
    return f"{', '.join(others)} or {last}"


def answer_problems(endpoint: str, engine: str, account: str) -> list[str]:
    """Why what answers at an endpoint can't be the stack's emulator. C(engine), C(account): as localstack_info returned them."""
    if engine not in ENGINES:
        return [
            f"What answers at {endpoint} is not an emulator of AWS that is known here; {recognized()} is recognized by its own pages. "
            "Nothing is sent there. Correct the endpoint, or run one of these there."
        ]
    if account != EMULATED_ACCOUNT:
        one = ENGINES[engine]
        ways = f"Start {one.title} with {one.account_setting}" if one.account_setting else "Give it that account"
        return [
            f"{one.title} at {endpoint} has the account {account}, and the stack works only with {EMULATED_ACCOUNT}, which real AWS never "
            f"assigns. Nothing is sent there. {ways}, or correct the endpoint."
        ]
    return []


def free_choices() -> str:
    """What can be chosen that needs no token."""
    return f"Free are {' and '.join(engine.free for engine in ENGINES.values() if engine.free)}"


def facts(name: str) -> dict[str, t.Any]:
    """What playbooks ask of an engine. An unknown one is an emulator of which nothing is known; validation refuses it."""
    engine = ENGINES.get(name)
    container = engine.container if engine else None
    return {
        "name": name,
        "title": engine.title if engine else name,
        "in_cluster": in_cluster(name),
        "outside": bool(engine and engine.is_outside),
        "emulated": not engine or engine.is_emulated,
        "part": container.part if container else "",
        "part_version": container.part_version if container else "",
        "kept": engine.kept if engine else Engine.kept,
    }


def presumed(name: str, settings: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Which engine answers and its version, as far as that is known before it does; empty text for what is not.

    C(settings): version, start and program (whether an engine is started on this machine, and which; empty for the one that is used
    where none is chosen), and last (the engine and version that answered in the last run, as C(emulator) and C(version)).
    """
    engine = ENGINES.get(name)
    if engine and engine.is_outside:
        if settings["start"]:
            return {"emulator": settings["program"] or programs()[0], "version": ""}
        return {"emulator": settings["last"].get("emulator") or "", "version": settings["last"].get("version") or ""}
    chosen = bool(engine and engine.container and engine.container.part_version)
    return {"emulator": name, "version": str(settings["version"]) if chosen else ""}


def lacking(name: str, version: str) -> list[str]:
    """The AWS services that an engine does not have. C(version): empty for the one that is used where none is chosen."""
    engine = ENGINES.get(name)
    known = version or (engine.container.part_version if engine and engine.container else "")
    return list(engine.lacks(known)) if engine else []


def container_facts(name: str, settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What an engine's pod is made of; empty for one that has no pod.

    C(settings): version, region, services, host (Wanted.host), persistence (none for none) and image (empty for the public one).
    """
    engine = ENGINES.get(name)
    if not engine or not engine.container:
        return {}
    container = engine.container
    persistent = bool(container.data) and settings["persistence"] != "none"
    wanted = Wanted(
        str(settings["version"]), settings["region"], tuple(settings["services"]), settings["host"], persistent
    )
    image = settings["image"] or container.image(wanted)
    return {
        "image": image,
        "environment": container.environment(wanted),
        "port": container.port,
        "health": container.health,
        "persistent": persistent,
        "data": container.data,
        "scratch": [*container.scratch, *([container.data] if container.data and not persistent else [])],
        "read_only": container.read_only or image.startswith(BUILT_HERE),
        "token_variable": engine.token.variable if engine.token else "",
    }


def process_facts(name: str, settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """How an engine is run on this machine: requirements, module, environment. Raises ValueError for one that can't be.

    C(settings): region, address and data (see Local).
    """
    engine = ENGINES.get(name)
    if not engine or not engine.process:
        raise ValueError(f"'{name}' can't run as a process of this machine; {', '.join(programs())} can.")
    process = engine.process
    local = Local(settings["region"], settings["address"], settings["data"])
    return {
        "requirements": process.requirements,
        "module": process.module,
        "environment": process.environment(local),
    }


def notes(name: str, version: str) -> list[str]:
    """What a user should know of an emulator that answers, a sentence each."""
    engine = ENGINES.get(name)
    # Whether a version that is not a number, such as dev or latest, needs a token is not known.
    if not engine or not engine.token or not version[:1].isdecimal() or not engine.token.needed(version):
        return []
    return [
        f"{engine.title} {version} runs only as long as its token is accepted; {engine.token.last_free} needs none."
    ]


def ending(image: str, code: object) -> Ending | None:
    """What an exit code of an engine's container means; None where that is not known."""
    for engine in ENGINES.values():
        if engine.container and engine.name in image and isinstance(code, int) and code in engine.container.endings:
            found = engine.container.endings[code]
            return found._replace(next_step=f"{found.next_step}. {free_choices()}") if found.token else found
    return None
