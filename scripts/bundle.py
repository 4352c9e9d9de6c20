"""Write a bundle of what a playbook has chosen, or unpack one into the cache of built parts. The archive itself: bundle_archive.py.

bundle.py pack CHOICE FOLDER       CHOICE is what playbooks/bundle.yml wrote, FOLDER gets archive and SHA256SUMS
bundle.py unpack ARCHIVE SETTINGS  SETTINGS gets the variables by which a run uses what the bundle has
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import IO, Any, cast

import zstandard
from ansible_collections.localcloud.stack.plugins.module_utils.node import base, base_store
from ansible_collections.localcloud.stack.plugins.module_utils.node.lifecycle import PROGRAMS
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import PartsError
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.registries import architecture

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from scripts import bundle_licences, doctor, setup_environment
from scripts.bundle_archive import (
    ALTERED,
    CHUNK_BYTES,
    FORMAT,
    MANIFEST,
    PACKAGES,
    AlteredError,
    Archive,
    BundleError,
    Manifest,
    Progress,
    Stream,
    check_space,
    copy_verified,
    disk_full,
    locked,
    open_archive,
    other_pins,
    refusal,
    safe,
    take_packages,
)

PROJECT = setup_environment.PROJECT
# Images of applications have much in common with each other, and those of the node with the programs that are in them. Compression finds
# what was there so far back, and unpacking needs as much memory for each of two streams.
WINDOW_LOG = 29
LEVEL = 9
IMAGES = ("build", "layer", "python-image", "node-image", "debian", "pull", "archive")
# By which Ansible's module installs packages.
ALSO_INSTALLED = ("python3-apt",)

Report = Callable[[str], None]


def main() -> int:
    os.umask(0o022)
    command, *arguments = sys.argv[1:]
    try:
        if command == "pack":
            pack(json.loads(Path(arguments[0]).read_text()), Path(arguments[1]), Cache(default_root()), say)
        else:
            unpack(open_archive(Path(arguments[0])), Cache(default_root()), PROJECT, say, Path(arguments[1]))
    except BundleError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return ALTERED if isinstance(error, AlteredError) else 1
    return 0


def say(line: str) -> None:
    print(f"bundle: {line}", flush=True)


# --- unpacking


def unpack(archive: Archive, cache: Cache, project: Path, report: Report, settings: Path) -> bool:
    """Put the parts of a bundle into the cache, each whole or not at all; return whether one was missing. Raises BundleError.

    The variables by which a run uses them are written to `settings`.
    """
    manifest = archive.manifest
    digests = pinned(archive, project)
    other = [
        part["name"] for part in manifest.parts.values() if digests.get(part["name"], part["digest"]) != part["digest"]
    ]
    if other:
        raise refusal(archive.path, [other_pins(manifest, sorted(other))])
    with locked(cache.root, f"bundle-{manifest.key}", report):
        missing = [key for key, part in manifest.parts.items() if not cache.has(part["name"], part["digest"])]
        if missing:
            cache.results.mkdir(parents=True, exist_ok=True)
            needed = sum(manifest.parts[key]["bytes"] for key in missing)
            # Images are unpacked once more for the node.
            what = f"unpacking its {len(missing)} parts, and their images for the node,"
            check_space(cache.root, needed + manifest.image_bytes, what)
            progress = Progress("unpacking the bundle", needed, report)
            streams = [stream for stream in manifest.streams if not set(missing).isdisjoint(stream.parts)]
            with ThreadPoolExecutor(len(streams)) as pool:
                list(pool.map(lambda stream: unpack_stream(archive, stream, cache, progress), streams))
            report(f"{len(missing)} parts are unpacked, {needed / 1024**2:.0f} MiB")
        for part in manifest.parts.values():
            cache.use(part["name"], part["digest"])
    variables = settings_of(manifest)
    if lacks_packages(manifest):
        variables["cluster_apt_config"] = str(write_apt_config(take_packages(archive, cache.root, report)))
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps(variables, indent=2))
    return bool(missing)


def pinned(archive: Archive, project: Path) -> Mapping[str, str]:
    """The digests of a project's parts, with the Kubernetes that a bundle has. Raises BundleError."""
    kubernetes = kubernetes_of(archive.manifest.settings)
    try:
        return Inventory.read(project, kubernetes=kubernetes).digests
    except PartsError:
        raise refusal(archive.path, [other_pins(archive.manifest, [f"Kubernetes {kubernetes}"])]) from None


def kubernetes_of(settings: Mapping[str, Any]) -> str:
    """The minor version of Kubernetes that a bundle's settings ask for; empty for the default."""
    return str(settings.get("cluster_kubernetes", ""))


def unpack_stream(archive: Archive, stream: Stream, cache: Cache, progress: Progress) -> None:
    """Put those parts of a stream into the cache that are not there. Raises BundleError."""
    found = []
    try:
        with archive.member(stream.member) as content:
            reader = zstandard.ZstdDecompressor(max_window_size=2**WINDOW_LOG).stream_reader(content, CHUNK_BYTES)
            with tarfile.open(fileobj=cast(IO[bytes], reader), mode="r|", bufsize=CHUNK_BYTES) as tar:
                for key, members in groupby(tar, lambda member: member.name.partition("/")[0]):
                    if key not in archive.manifest.parts:
                        raise AlteredError(f"the part {key} is not in its manifest")
                    part = archive.manifest.parts[key]
                    found.append(key)
                    cache.produce(
                        part["name"], part["digest"], lambda out, m=members, p=part: fill(out, tar, m, p, progress)
                    )  # type: ignore[misc]
    except (zstandard.ZstdError, tarfile.TarError) as error:
        raise AlteredError(f"{stream.member}: {error}") from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise disk_full(cache.root) from None
        raise BundleError(f"The bundle can't be unpacked into {cache.results}: {error.strerror or error}.") from None
    if found != stream.parts:
        raise AlteredError(f"{stream.member} does not have the parts that its manifest lists")


def fill(
    out: Path, tar: tarfile.TarFile, members: Iterable[tarfile.TarInfo], part: Mapping[str, Any], progress: Progress
) -> None:
    """Write a part's files, which must be those of the manifest. Raises BundleError, OSError."""
    left = dict(part["files"])
    for member in members:
        name = safe(member.name.partition("/")[2])
        expected = left.pop(name, None)
        if expected is None:
            raise AlteredError(f"{member.name} is not in its manifest")
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if "link" in expected:
            safe(os.path.normpath(os.path.join(os.path.dirname(name), expected["link"])))
            target.symlink_to(expected["link"])
            continue
        content = tar.extractfile(member)
        if content is None:
            raise AlteredError(f"{member.name} is not a file")
        copy_verified(content, target, expected)
        target.chmod(expected["mode"] & 0o777)
        progress.add(expected["size"])
    if left:
        raise AlteredError(f"{part['name']} lacks {', '.join(sorted(left)[:3])}")


def settings_of(manifest: Manifest) -> dict[str, Any]:
    """The variables by which a run takes what the bundle has, and builds nothing."""
    settings = {"cluster_mode": "embedded", **manifest.settings, "cluster_build_parts": False}
    if "pipeline" not in manifest.blueprints:
        settings["stack_blueprint"] = manifest.blueprints[0]
    return settings


def lacks_packages(manifest: Manifest) -> bool:
    """Whether this machine lacks Debian packages that the bundle has for it."""
    if manifest.system != system():
        return False
    missing = tuple(f"{PACKAGES}{name}_" for name in doctor.missing_packages(PROJECT))
    return any(name.startswith(missing) for name in manifest.files)


def write_apt_config(folder: Path) -> Path:
    """By which APT knows the packages in this folder and no others, and leaves its own lists as they are."""
    state = folder.parent / "apt"
    (state / "lists/partial").mkdir(parents=True, exist_ok=True)
    (state / "sources.list").write_text(f"deb [trusted=yes] file:{str(folder).replace(' ', '%20')} ./\n")
    config = state / "apt.conf"
    config.write_text(
        f'Dir::Etc::sourcelist "{state}/sources.list";\nDir::Etc::sourceparts "/dev/null";\nDir::State::lists "{state}/lists/";\n'
        # The folder may be one that only its owner reads.
        'APT::Sandbox::User "root";\n'
    )
    return config


def system() -> str:
    """The Linux distribution and its release, for whose packages a bundle is: such as debian bookworm."""
    try:
        known = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.M))
    except OSError:
        return ""
    return f"{known.get('ID', '')} {known.get('VERSION_CODENAME', '')}".strip()


# --- packing


def pack(choice: Mapping[str, Any], folder: Path, cache: Cache, report: Report) -> Path:
    """Write the bundle of a choice (`parts` as the module toolchain returns them, `base`, `settings`, `blueprints`, `packages`).

    One of a kind cluster has neither `base` nor `packages`.
    """
    inventory = Inventory.read(PROJECT, kubernetes=kubernetes_of(choice["settings"]))
    folder = folder.expanduser().resolve()  # APT takes others as relative to its own root
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".bundle-") as temporary:
        work = Path(temporary)
        results = {f"{name}-{part['digest']}": Path(part["path"]) for name, part in choice["parts"].items()}
        if node_base := kept_base(choice, cache):
            results[node_base.name] = node_base
        elif choice["base"]:
            report(
                "no node has begun with these parts here yet, so the first `make up` of the bundle takes longer; run `make up` once before"
            )
        report("fetching Python packages, collections and Debian packages")
        files = work / "files"
        fetch_wheels(files / "wheels")
        pack_collections(files / "collections.tar.gz")
        if choice["packages"]:
            fetch_packages(choice["packages"], files / PACKAGES, work)
        report("collecting licences")
        bundle_licences.collect(files / "licences.tar.gz", PROJECT, inventory, choice["parts"], cache, files)
        parts = {key: describe(key, path) for key, path in results.items()}
        images = {key for key, part in parts.items() if recipe(inventory, part["name"]) in IMAGES}
        streams = []
        progress = Progress("compressing", sum(part["bytes"] for part in parts.values()), report)
        for name, keys in (("node", set(parts) - images), ("images", images)):
            ordered = sorted(keys, key=lambda key: place(inventory, parts[key]["name"], key))
            path = work / f"{name}.tar.zst"
            compress(path, {key: results[key] for key in ordered}, progress)
            streams.append(Stream(f"parts/{name}.tar.zst", path.stat().st_size, ordered))
        commit = git("rev-parse", "--short=12", "HEAD")
        manifest = Manifest(
            FORMAT, version(), commit, architecture(), ".".join(map(str, sys.version_info[:2])), system(),
            {"runtime": setup_environment.digest("runtime")}, choice["settings"], list(choice["blueprints"]),
            {str(path.relative_to(files)): file_entry(path) for path in sorted(files.rglob("*")) if path.is_file()}, parts, streams,
        )  # fmt: skip
        words = [
            version(),
            *manifest.blueprints,
            str(manifest.settings.get("localstack_service_engine", "")),
            str(manifest.settings.get("cluster_mode", "")),
            manifest.architecture,
        ]
        path = folder / f"localcloud-{'-'.join(map(plain, filter(None, words)))}-{manifest.key[:8]}.tar"
        write(path, manifest, files, work)
    report(f"{path} has {path.stat().st_size / 1024**2:.0f} MiB: {len(parts)} parts, {len(manifest.files)} files")
    sign(path, note_sum(path))
    return path


def plain(word: str) -> str:
    """A word of a file's name; of a blueprint's path its folder."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", word.rstrip("/").rpartition("/")[2])


def kept_base(choice: Mapping[str, Any], cache: Cache) -> Path | None:
    """What a new node of these parts begins with of Crossplane, if it is in the cache."""
    parts, inputs = choice["parts"], choice["base"]
    if not inputs:
        return None
    names = [name for name in PROGRAMS if name in parts] + ["etcd", *inputs["parts"]]
    digest = base.base_digest({name: parts[name]["digest"] for name in names}, inputs["settings"])
    return cache.path(base_store.PREFIX, digest) if cache.has(base_store.PREFIX, digest) else None


def recipe(inventory: Inventory, name: str) -> str:
    return inventory.parts[name].recipe if name in inventory.parts else "build"


def place(inventory: Inventory, name: str, key: str) -> tuple[str, bool, str]:
    """Where a part is in its stream: the images next to the program that is in them, whose files so are found again."""
    needs = inventory.parts[name].needs if name in inventory.parts else ()
    return (needs[0] if needs else name, not needs, key)


def describe(key: str, folder: Path) -> dict[str, Any]:
    """A part's entry in the manifest."""
    name, _dash, digest = key.rpartition("-")
    files: dict[str, Any] = {}
    for path in listing(folder):
        relative = str(path.relative_to(folder))
        if path.is_symlink():
            files[relative] = {"link": os.readlink(path)}
        else:
            files[relative] = {**file_entry(path), "mode": path.stat().st_mode & 0o777}
    size = sum(one.get("size", 0) for one in files.values())
    return {"name": name, "digest": digest, "bytes": size, "image": "image.tar" in files, "files": files}


def listing(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())


def file_entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def compress(target: Path, folders: Mapping[str, Path], progress: Progress) -> None:
    """Write folders as one compressed tar, the same for the same content."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        LEVEL, window_log=WINDOW_LOG, enable_ldm=True, threads=-1
    )
    with (
        target.open("wb") as raw,
        zstandard.ZstdCompressor(compression_params=parameters).stream_writer(raw) as packed,
        tarfile.open(fileobj=cast(IO[bytes], packed), mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK_BYTES) as tar,
    ):
        for key, folder in folders.items():
            for path in listing(folder):
                add(tar, path, f"{key}/{path.relative_to(folder)}")
                progress.add(path.lstat().st_size)


def add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """Add a file without what tells of this machine: owner and time."""
    info = tar.gettarinfo(path, name)
    if info.islnk():  # linked to another one of the tar, as the parts of one build may be
        info = replace_link(tar, path, name)
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    if info.isreg():
        with path.open("rb") as file:
            tar.addfile(info, file)
    else:
        tar.addfile(info)


def replace_link(tar: tarfile.TarFile, path: Path, name: str) -> tarfile.TarInfo:
    """A file as it is, which tarfile would name a link to an earlier one with the same inode."""
    tar.inodes.clear()  # type: ignore[attr-defined]
    return tar.gettarinfo(path, name)


def write(path: Path, manifest: Manifest, files: Path, work: Path) -> None:
    """Write the archive, whole or not at all."""
    unfinished = work / path.name
    (work / MANIFEST).write_bytes(manifest.content())
    with tarfile.open(unfinished, "w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, work / MANIFEST, MANIFEST)
        for name in manifest.files:
            add(tar, files / name, name)
        for stream in manifest.streams:
            add(tar, work / Path(stream.member).name, stream.member)
    unfinished.rename(path)


def note_sum(path: Path) -> Path:
    """Write the archive's SHA-256 into SHA256SUMS beside it, as sha256sum reads it."""
    sums = path.with_name("SHA256SUMS")
    lines = sums.read_text().splitlines() if sums.exists() else []
    lines = [line for line in lines if line.split()[-1] != path.name and path.with_name(line.split()[-1]).exists()]
    lines.append(f"{file_entry(path)['sha256']}  {path.name}")
    sums.write_text("".join(f"{line}\n" for line in sorted(lines, key=lambda line: line.split()[-1])))
    return sums


def sign(path: Path, sums: Path) -> None:
    """Sign SHA256SUMS with the key that BUNDLE_KEY names, if it names one. Raises BundleError."""
    key = os.environ.get("BUNDLE_KEY")
    if not key:
        return
    commands = {
        "minisign": ["-S", "-s", key, "-m", str(sums)],
        "cosign": ["sign-blob", "--yes", "--key", key, "--bundle", f"{sums}.sigstore.json", str(sums)],
    }
    name = "minisign" if minisign_key(Path(key)) else "cosign"
    if shutil.which(name) is None:
        raise BundleError(
            f"{path} is not signed: BUNDLE_KEY is a key of {name}, which is not on this machine. Install it, then run again."
        )
    if subprocess.run([name, *commands[name]], check=False).returncode:
        raise BundleError(f"{path} is not signed: {name} failed. Check BUNDLE_KEY, then run again.")


def minisign_key(path: Path) -> bool:
    """Whether the key is minisign's, not cosign's (PEM, or a reference to a key service). Raises BundleError."""
    if not path.exists():
        return False
    return path.read_text(errors="replace").startswith("untrusted comment:")


def fetch_wheels(target: Path) -> None:
    """The wheels that set-up installs, by its own pins and hashes."""
    files = [
        word
        for name in ("bootstrap", "runtime")
        for word in ("-r", str(setup_environment.REQUIREMENTS / f"{name}.txt"))
    ]
    setup_environment.run(
        "python", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary=:all:",
        "-d", str(target), *files, what="Fetching the Python packages",
    )  # fmt: skip


def pack_collections(target: Path) -> None:
    """The collections that set-up installed, as they are in .venv."""
    names = re.findall(r"name: (\w+)\.(\w+)", (PROJECT / "requirements.yml").read_text())
    with tarfile.open(target, "w:gz", compresslevel=6) as tar:
        for namespace, name in names:
            folder = setup_environment.site_packages() / "ansible_collections" / namespace / name
            for path in listing(folder):
                if "__pycache__" not in path.parts:
                    add(tar, path, f"ansible_collections/{namespace}/{name}/{path.relative_to(folder)}")


def fetch_packages(names: Iterable[str], target: Path, work: Path) -> None:
    """Debian packages with all that they need on a machine that has nothing, and their index; none where APT is not."""
    if shutil.which("apt-get") is None:
        return
    state = work / "apt"
    for folder in (state / "archives/partial", target):
        folder.mkdir(parents=True)
    (state / "status").touch()
    options = {
        "Dir::State::status": state / "status",
        "Dir::Cache::archives": state / "archives",
        "Debug::NoLocking": 1,
        "APT::Sandbox::User": "root",
    }
    command = ["apt-get", "--quiet", "--yes", "--no-install-recommends", "--download-only"]
    command += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    done = subprocess.run([*command, "install", *names, *ALSO_INSTALLED], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BundleError(
            f"The Debian packages can't be fetched. Run `apt-get update`, then again.\n{done.stderr.strip()[-800:]}"
        )
    fetched = sorted((state / "archives").glob("*.deb"))
    if not fetched:
        raise BundleError(f"APT has put no package into {state}:\n{done.stdout.strip()[-800:]}")
    for path in fetched:
        path.rename(target / path.name.replace("%3a", "_"))
    (target / "Packages").write_text("\n".join(index_entries(target)))


def index_entries(folder: Path) -> Iterator[str]:
    """The entries of APT's index of a folder."""
    for path in sorted(folder.glob("*.deb")):
        fields = subprocess.run(["dpkg-deb", "--field", str(path)], capture_output=True, text=True, check=True).stdout
        entry = file_entry(path)
        yield f"{fields.rstrip()}\nFilename: ./{path.name}\nSize: {entry['size']}\nSHA256: {entry['sha256']}\n"


def git(*words: str) -> str:
    """What Git says about this checkout; empty where there is none."""
    done = subprocess.run(["git", "-C", str(PROJECT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def version() -> str:
    (found,) = re.findall(r"^version: (\S+)$", (PROJECT / "galaxy.yml").read_text(), re.M)
    return str(found)


if __name__ == "__main__":
    sys.exit(main())
