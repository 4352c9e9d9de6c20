"""The licences of what a bundle has: texts of the Go modules that are in its programs, of Python wheels and of Debian packages."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.downloads import LICENCE_FILE, LICENCES
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import with_needs
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.recipes import COMPILING

IMAGES_NOTE = (
    "What runs in images has its licences there: Python packages in site-packages/*.dist-info, packages of npm in node_modules. Debian packages "
    "of images are listed in their /var/lib/dpkg/status; https://www.debian.org/legal/licenses says where their texts are.\n"
)

Texts = dict[str, bytes]


def collect(
    target: Path, project: Path, inventory: Inventory, parts: Mapping[str, Any], cache: Cache, files: Path
) -> None:
    """Write licences.tar.gz: a folder for each component, and an index that says which components have none that was found."""
    texts: Texts = {"localcloud.stack/LICENSE": (project / "LICENSE").read_bytes()}
    components: dict[str, bool] = {"localcloud.stack": True}
    for name, found in (
        *go_modules(inventory, parts, cache, project),
        *libraries(inventory, parts),
        *wheels(files / "wheels"),
        *packages(files / "packages"),
    ):
        components[name] = bool(found)
        texts |= {f"{name}/{file}": text for file, text in found.items()}
    lines = [
        f"{name}{'' if found else '  (no text of a licence in it)'}\n" for name, found in sorted(components.items())
    ]
    texts["index.txt"] = "".join([*lines, "\n", IMAGES_NOTE]).encode()
    with tarfile.open(target, "w:gz", compresslevel=9) as tar:
        for name, text in sorted(texts.items()):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))


def go_modules(inventory: Inventory, parts: Iterable[str], cache: Cache, project: Path) -> Iterator[tuple[str, Texts]]:
    """The modules that are linked into the programs of these parts, and of those that they were made of."""
    names = with_needs(inventory.parts, [name for name in parts if name in inventory.parts])
    compiled = [name for name in names if inventory.parts[name].recipe in COMPILING]
    folders = [
        str(cache.path(name, inventory.digests[name])) for name in compiled if cache.has(name, inventory.digests[name])
    ]
    if not folders:
        return
    said = subprocess.run(["go", "version", "-m", *folders], capture_output=True, text=True, check=True).stdout
    modules = [source_of(module, project) for module in linked(said)]
    store, kept = cache.root / "go/mod", cache.root / LICENCES
    missing = [module for module in modules if not any((one / escaped(module)).is_dir() for one in (store, kept))]
    if missing:
        subprocess.run(
            ["env", f"GOMODCACHE={store}", "GOFLAGS=-modcacherw", "go", "mod", "download", *missing],
            capture_output=True,
            check=False,
            cwd="/",
        )
    for module in modules:
        yield f"go/{module}", texts_in(store / escaped(module)) or texts_in(kept / escaped(module))


def libraries(
    inventory: Inventory, parts: Iterable[str], documents: Path = Path("/usr/share/doc")
) -> Iterator[tuple[str, Texts]]:
    """The C libraries that are linked into the programs of these parts, from Debian packages of this machine."""
    names = with_needs(inventory.parts, [name for name in parts if name in inventory.parts])
    for package in sorted({one for name in names for one in inventory.parts[name].spec.get("cgo", [])}):
        copyright_file = documents / package / "copyright"
        yield f"debian/{package}", {"copyright": copyright_file.read_bytes()} if copyright_file.is_file() else {}


def linked(said: str) -> list[str]:
    """The modules (path@version) of `go version -m`; where one is replaced by a folder, the module itself."""
    found: dict[str, None] = {}
    last = ""
    for line in said.splitlines():
        words = line.split()
        if len(words) >= 3 and words[0] in ("dep", "mod", "=>") and re.match(r"v\d", words[2]):
            if words[0] == "=>":
                found.pop(last, None)
            last = f"{words[1]}@{words[2]}"
            found[last] = None
    return sorted(found)


def source_of(module: str, project: Path) -> str:
    """The module that a program's really is: of one that a build takes from a folder, as that of the provider, what go.mod replaces it by."""
    path, _at, version = module.partition("@")
    if version.startswith("v0.0.0-00010101000000-"):
        for mod in sorted((project / "toolchain").glob("*/go.mod")):
            if found := re.search(rf"^replace {re.escape(path)} => (\S+) (v\S+)$", mod.read_text(), re.M):
                return f"{found[1]}@{found[2]}"
    return module


def escaped(module: str) -> str:
    """A module's path in Go's module cache, which has no capital letters."""
    return re.sub(r"[A-Z]", lambda match: f"!{match[0].lower()}", module)


def texts_in(folder: Path) -> Texts:
    if not folder.is_dir():
        return {}
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if LICENCE_FILE.match(path.name) and path.is_file()
    }


def wheels(folder: Path) -> Iterator[tuple[str, Texts]]:
    for path in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(path) as wheel:
            names = [name for name in wheel.namelist() if ".dist-info/" in name and LICENCE_FILE.match(Path(name).name)]
            yield f"python/{'-'.join(path.name.split('-')[:2])}", {Path(name).name: wheel.read(name) for name in names}


def packages(folder: Path) -> Iterator[tuple[str, Texts]]:
    for path in sorted(folder.glob("*.deb")):
        data = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(path)], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            found = {}
            for member in tar:
                if member.isreg() and re.fullmatch(r"\./usr/share/doc/[^/]+/copyright", member.name):
                    found["copyright"] = cast(IO[bytes], tar.extractfile(member)).read()
            yield f"debian/{path.stem}", found
