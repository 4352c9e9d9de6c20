"""List every pin with the newest release that the registries serve, and when its upstream ends support; or change one.

    outdated.py                 the table; ends with 1 if something pinned is past its end of support
    outdated.py raise PART [VERSION]
                                change the pin of a part of toolchain/parts.yml, or of a requirement of requirements/*.in, and all that
                                follows from it: go.mod, go.sum, stamps, compiled requirements. Nothing is committed.

Ends of support are in docs/support.yml, each with its source.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from packaging.version import InvalidVersion, Version
from tabulate import tabulate

PROJECT = Path(__file__).resolve().parent.parent
PARTS = PROJECT / "toolchain/parts.yml"
REQUIREMENTS = PROJECT / "requirements"
SUPPORT = PROJECT / "docs/support.yml"
# At once; each is a process that waits for a registry.
PARALLEL = 4
# Has what is the oldest on purpose.
OLDEST = "core-oldest"
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?P<extras>\[[^\]]*\])?==(?P<version>[^\s;]+)(?P<marker>\s*;.*)?$", re.M)
COMPILED = re.compile(r"uv pip compile .*-o requirements/\S+\.txt")

Run = Callable[[Sequence[str], Path], str]


class OutdatedError(Exception):
    """A pin can't be changed; the message names cause and next step."""


class Pin(NamedTuple):
    """One pinned version: where it stands, by which name it is known here, of which package of which registry."""

    file: str
    name: str
    registry: str
    package: str
    version: str


class Found(NamedTuple):
    """A pin with the newest release of its package, the newest of the next major version where that has a name of its own, and its end."""

    pin: Pin
    newest: str
    next_major: str
    end: dt.date | None
    source: str

    def row(self, today: dt.date) -> list[str]:
        behind = self.newest if self.newest and Version(self.newest) > Version(self.pin.version) else ""
        ended = "" if self.end is None else f"{self.end}{' (ended)' if self.end < today else ''}"
        return [self.pin.file, self.pin.name, self.pin.version, behind, self.next_major, ended, self.source]


def main() -> int:
    match sys.argv[1:]:
        case []:
            return show(dt.date.today())
        case ["raise", name, *version] if len(version) <= 1:
            try:
                lift(name, version[0] if version else None)
            except OutdatedError as error:
                print(error, file=sys.stderr)
                return 1
            return 0
    print(__doc__, file=sys.stderr)
    return 2


def show(today: dt.date) -> int:
    ends = yaml.safe_load(SUPPORT.read_text())
    with ThreadPoolExecutor(PARALLEL) as pool:
        found = list(pool.map(lambda pin: look(pin, ends), pins()))
    print(
        tabulate(
            [one.row(today) for one in found],
            ["pinned in", "name", "version", "newest", "next major", "end of support", "source"],
        )
    )
    return int(any(one.end is not None and one.end < today for one in found))


def pins() -> list[Pin]:
    """Every pin, in the order of the files."""
    return [*go_pins(go_parts()), *python_pins(), *collection_pins()]


def go_parts() -> dict[str, dict[str, Any]]:
    """The parts of a Go module with a pin of their own, and Kubernetes' other releases as C(kubernetes-1.36)."""
    document = yaml.safe_load(PARTS.read_text())
    parts = {name: part for name, part in document["parts"].items() if "module" in part and not follows(part)}
    others = document.get("kubernetes_releases", {})
    return {**parts, **{f"kubernetes-{minor}": {**parts["kubernetes"], **one} for minor, one in others.items()}}


def follows(part: dict[str, Any]) -> bool:
    """Whether a part's version is that of another one."""
    return str(part["version"]).startswith("{")


def go_pins(parts: dict[str, dict[str, Any]]) -> Iterator[Pin]:
    for name, part in parts.items():
        yield Pin("toolchain/parts.yml", name, "go", part["module"], part["version"])


def python_pins() -> Iterator[Pin]:
    for path in sorted(REQUIREMENTS.glob("*.in")):
        for found in PIN.finditer(path.read_text()):
            yield Pin(f"requirements/{path.name}", found["name"], "pypi", found["name"], found["version"])


def collection_pins() -> Iterator[Pin]:
    for one in yaml.safe_load((PROJECT / "requirements.yml").read_text())["collections"]:
        # Galaxy has them; here they come with the package ansible of requirements/collections.in.
        yield Pin("requirements.yml", one["name"], "", one["name"], one["version"])


def look(pin: Pin, ends: dict[str, Any]) -> Found:
    """What the registries and the table of ends say of a pin."""
    end, source = end_of(pin, ends)
    if pin.registry == "go":
        return Found(
            pin, newest_module(pin.package, line_of(pin.name)), newest_module(next_major(pin.package)), end, source
        )
    newest = newest_package(pin.package) if pin.registry == "pypi" else ""
    return Found(pin, newest, "", end, source)


def end_of(pin: Pin, ends: dict[str, Any]) -> tuple[dt.date | None, str]:
    """When the upstream of a pin ends support of its release, and who says so."""
    known = ends.get(pin.package) or {}
    matching = [cycle for cycle in known.get("cycles", {}) if f"{pin.version.lstrip('v')}.".startswith(f"{cycle}.")]
    return (known["cycles"][max(matching, key=len)], known["source"]) if matching else (None, "")


def next_major(module: str) -> str:
    """The path of a Go module's next major version (https://go.dev/ref/mod#major-version-suffixes)."""
    path, _slash, last = module.rpartition("/")
    if found := re.fullmatch(r"v(\d+)", last):
        return f"{path}/v{int(found[1]) + 1}"
    return f"{module}/v2"


def run(command: Sequence[str], folder: Path = PROJECT) -> str:
    """What a command prints. Raises OutdatedError."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "GOWORK": "off", "GOTOOLCHAIN": "local"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise OutdatedError(f"`{' '.join(command)}` failed: {' '.join(said)}")
    return done.stdout


def line_of(name: str) -> str:
    """Of which releases a part takes the newest, as Go asks for it: of its minor version where the part is one of several."""
    found = re.fullmatch(r"kubernetes-(\d+\.\d+)", name)
    return f"v{found[1]}" if found else "latest"


def newest_module(module: str, line: str = "latest", run: Run = run) -> str:
    """The newest release of a Go module that the proxy serves, in this line of releases; empty where it serves none."""
    try:
        said = run(["go", "list", "-mod=mod", "-m", "-json", f"{module}@{line}"], Path("/"))
    except OutdatedError:
        return ""
    return str(json.loads(said)["Version"])


def newest_package(package: str, run: Run = run) -> str:
    """The newest release of a package that the index serves, for whichever Python; empty where it serves none."""
    try:
        said = run([sys.executable, "-m", "pip", "index", "versions", "--ignore-requires-python", package], PROJECT)
    except OutdatedError:
        return ""
    found = re.search(r"^Available versions: (.*)$", said, re.M)
    return newest_of(found[1].split(", ")) if found else ""


def newest_of(versions: Sequence[str]) -> str:
    """The highest of these versions that is a release."""
    known = []
    for one in versions:
        try:
            known.append(Version(one))
        except InvalidVersion:
            continue
    return str(max((one for one in known if not one.is_prerelease), default=""))


def lift(name: str, version: str | None, run: Run = run) -> None:
    """Change a pin, to the newest release without a version, and what follows from it. Raises OutdatedError."""
    if part := go_parts().get(name):
        lift_part(name, part, version or newest_module(part["module"], line_of(name), run), run)
        return
    files = [
        path
        for path in sorted(REQUIREMENTS.glob("*.in"))
        if path.stem != OLDEST and any(one["name"] == name for one in PIN.finditer(path.read_text()))
    ]
    if not files:
        raise OutdatedError(
            f"'{name}' is no part of toolchain/parts.yml with a Go module, nor pinned in requirements/*.in. `make outdated` lists all."
        )
    wanted = version or newest_package(name, run)
    for path in files:
        path.write_text(repinned(path.read_text(), name, wanted))
    for path in files:
        compile_requirements(path, name, run)


def lift_part(name: str, part: dict[str, Any], version: str, run: Run = run) -> None:
    """Change a part's version, its go.mod and go.sum, and those of the parts whose version it is."""
    if not version:
        raise OutdatedError(
            f"The Go proxy serves no release of {part['module']}. Give one: make raise PART={name} TO=v…"
        )
    following = yaml.safe_load(PARTS.read_text())["parts"].items()
    folders = [part.get("folder", name), *(one for one, entry in following if entry.get("version") == f"{{{name}}}")]
    # First, as the proxy may not serve it.
    for folder in (PROJECT / "toolchain" / one for one in folders):
        if (folder / "go.mod").exists():
            lift_module(folder, part["module"], version, run)
    PARTS.write_text(repinned_part(PARTS.read_text(), name, part["version"], version))


def lift_module(folder: Path, module: str, version: str, run: Run) -> None:
    """Change which version of a module a go.mod asks for, and of the modules that this one keeps in its own tree."""
    text = (folder / "go.mod").read_text()
    if "\nreplace (" in text:
        (folder / "go.mod").write_text(replaced(text, staged(module, version, run), version))
    tools = re.findall(r"^(?:tool |\t)(\S+)$", text, re.M)
    wanted = [f"{one}@{version}" for one in tools if one.startswith(module)] or [f"{module}@{version}"]
    run(["go", "get", *(["-tool"] if tools else []), *wanted], folder)
    if "\nreplace (" in text:
        run(["go", "mod", "tidy"], folder)


def staged(module: str, version: str, run: Run) -> list[str]:
    """The modules that a release of a module keeps in its own tree, where its own go.mod replaces them."""
    said = json.loads(run(["go", "mod", "download", "-json", f"{module}@{version}"], Path("/")))
    return sorted(set(re.findall(r"^\s*(?:replace )?(\S+) => \./", Path(said["GoMod"]).read_text(), re.M)))


def replaced(text: str, modules: Sequence[str], version: str) -> str:
    """A go.mod that replaces these modules by their published copies, v0.37.2 for v1.37.2 of the module that keeps them."""
    copies = version.replace("v1.", "v0.", 1)
    lines = "".join(f"\t{one} => {one} {copies}\n" for one in modules)
    return re.sub(r"(?ms)^replace \(\n.*?^\)$", f"replace (\n{lines})", text)


def repinned_part(text: str, name: str, old: str, new: str) -> str:
    """parts.yml with another version of a part; all other lines as they are."""
    entry = re.compile(rf"(?ms)^  {re.escape(name)}:\n.*?(?=^  \S|\Z)")
    if found := re.fullmatch(r"kubernetes-(\d+\.\d+)", name):
        return re.sub(rf'(?m)^(  "{re.escape(found[1])}": \{{version: ){re.escape(old)}', rf"\g<1>{new}", text)
    if not entry.search(text):
        raise OutdatedError(f"toolchain/parts.yml has no entry '{name}' of several lines.")
    return entry.sub(lambda found: re.sub(rf"(?<=: ){re.escape(old)}(?=$)", new, found[0], flags=re.M), text)


def repinned(text: str, name: str, version: str) -> str:
    """A file of requirements with another version of a package; what holds for another Python stays."""

    def changed(found: re.Match[str]) -> str:
        if found["name"] != name or "<" in (found["marker"] or ""):
            return found[0]
        return f"{name}{found['extras'] or ''}=={version}{found['marker'] or ''}"

    return PIN.sub(changed, text)


def compile_requirements(path: Path, name: str, run: Run = run) -> None:
    """Compile a file of requirements by the command that it names, else by the usual one."""
    said = COMPILED.search(path.read_text())
    target = f"requirements/{path.stem}.txt"
    usual = f"uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/{path.name} -o {target}"
    run([*(said[0] if said else usual).split(), "--quiet", "--upgrade-package", name], PROJECT)


if __name__ == "__main__":
    sys.exit(main())
