"""The contract: what AWS documents of its services, each behaviour with a check of it.

The files of behaviours/ declare it, one for each service. `load` reads them all; what is wrong with one is refused with its path.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.emulators.behaviours import FEATURES, HURTS

PROJECT = Path(__file__).resolve().parents[1]
BEHAVIOURS = Path(__file__).resolve().parent / "behaviours"
DOCUMENTATION = "https://docs.aws.amazon.com/"
_ID = re.compile(r"[a-z0-9]+(\.[a-z0-9_]+)+")

# What a check answers: None where the engine does what AWS documents, else what it does instead, the same in each run.
Check = Callable[[Any], "str | None"]


class ContractError(Exception):
    """A file of the contract has mistakes; the message has each with its path."""


@dataclass(frozen=True)
class Behaviour:
    """One behaviour that AWS documents.

    does: what AWS does. source: the page that says so. hurts: a key of HURTS. without: what happens where an engine does not do it.
    features: what of declared resources rests on it, keys of FEATURES. aws: whether real AWS can be asked within the time.
    slow: whether the check waits for more than some seconds.
    """

    id: str
    does: str
    source: str
    hurts: str
    without: str
    check: Check
    features: Sequence[str] = ()
    aws: bool = True
    slow: bool = False

    @property
    def service(self) -> str:
        return self.id.partition(".")[0]

    def data(self) -> dict[str, Any]:
        """What is told of it outside of the contract."""
        told = asdict(self)
        return {name: told[name] for name in ("does", "source", "hurts", "without")} | {"features": list(self.features)}


class Contract:
    """What one file declares: `behaviour = Contract()` and then `@behaviour(...)` before each check."""

    def __init__(self) -> None:
        self.behaviours: list[Behaviour] = []

    def __call__(
        self,
        name: str,
        does: str,
        *,
        source: str,
        hurts: str,
        without: str,
        features: Sequence[str] = (),
        aws: bool = True,
        slow: bool = False,
    ) -> Callable[[Check], Check]:
        def add(check: Check) -> Check:
            self.behaviours.append(
                Behaviour(name, does, DOCUMENTATION + source, hurts, without, check, features, aws, slow)
            )
            return check

        return add


def load(folder: Path = BEHAVIOURS) -> Mapping[str, Behaviour]:
    """Every behaviour by its id. Raises ContractError with everything that is wrong, each with its file."""
    found: dict[str, Behaviour] = {}
    wrong: list[str] = []
    for path in sorted(folder.glob("[!_]*.py")):
        try:
            declared = _declared(path)
        except Exception as error:  # whatever a file raises while it is read
            wrong.append(f"{path}: can't be read ({type(error).__name__}: {error})")
            continue
        for one in declared:
            wrong += [f"{path}: {one.id}: {problem}" for problem in _problems(one, path.stem)]
            if one.id in found:
                wrong.append(f"{path}: {one.id}: is declared twice")
            found[one.id] = one
    if not found and not wrong:
        wrong.append(f"{folder}: has no file with behaviours")
    if wrong:
        raise ContractError("\n".join(wrong))
    return found


def _declared(path: Path) -> Iterable[Behaviour]:
    spec = importlib.util.spec_from_file_location(f"behaviours_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ContractError("is no file of Python")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    contract = getattr(module, "behaviour", None)
    if not isinstance(contract, Contract):
        raise ContractError("has no `behaviour = Contract()`")
    return contract.behaviours


def _problems(one: Behaviour, service: str) -> Iterator[str]:
    if not _ID.fullmatch(one.id) or one.service != service:
        yield f"an id is '{service}.' and lower-case words"
    for name in ("does", "without"):
        if not str(getattr(one, name)).strip() or str(getattr(one, name)).endswith("."):
            yield f"{name}: must be a sentence without the full stop"
    if not re.fullmatch(re.escape(DOCUMENTATION) + r"[A-Za-z0-9_-]+(/[A-Za-z0-9_.-]*[A-Za-z0-9_-])*\.html", one.source):
        yield f"source: {one.source} is not a page of {DOCUMENTATION}"
    if one.hurts not in HURTS:
        yield f"hurts: {one.hurts} is none of {', '.join(HURTS)}"
    yield from (f"features: {name} is none of {', '.join(FEATURES)}" for name in one.features if name not in FEATURES)
