# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images in archives and under names of a registry: what they are, and what tools' errors mean. Touches no network."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError

Json = dict[str, t.Any]

# The registry of Docker Hub has another name than its images.
HUB = "docker.io"
HUB_HOST = "registry-1.docker.io"


class ImageError(ModuleError):
    """An image can't be pushed; the message says why and what to do."""


class Reference(t.NamedTuple):
    """A name of an image in a registry: host[:port]/path:tag."""

    registry: str
    path: str
    tag: str

    @property
    def host(self) -> str:
        """Where the registry answers."""
        return HUB_HOST if self.registry == HUB else self.registry

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}:{self.tag}"


class Archived(t.NamedTuple):
    """The image in an archive. C(name): what it's called there, if it has a name."""

    config_digest: str
    name: str | None


_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<registry>(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d+)?)/(?P<path>{_PART}(?:/{_PART})*):(?P<tag>\w[\w.-]{{0,127}})"
)


def parse_reference(text: str) -> Reference:
    """Raises ImageError if the text is not a complete name."""
    found = _REFERENCE.fullmatch(text)
    registry = found["registry"] if found else ""
    if not found or not ("." in registry or ":" in registry or registry == "localhost"):
        raise ImageError(
            f"The destination '{text}' is not host[:port]/path:tag. Name the registry's host and a tag, without a "
            "scheme or digest, for example registry.example.com:5000/orders/consumer:1."
        )
    path = found["path"]
    return Reference(registry, f"library/{path}" if registry == HUB and "/" not in path else path, found["tag"])


def read_archive(path: str) -> Archived:
    """The one image of a docker-archive. Raises ImageError."""
    try:
        with tarfile.open(path) as archive:
            images = json.loads(_member(archive, "manifest.json"))
            if len(images) != 1:
                raise ImageError(f"The archive {path} holds {len(images)} images. Give an archive that holds one.")
            config = _member(archive, images[0]["Config"])
    except FileNotFoundError:
        raise ImageError(f"The archive {path} is not there. Build the image first, or correct archive.") from None
    except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
        said = (str(error) or type(error).__name__).splitlines()[0].rstrip(":")
        raise ImageError(
            f"The archive {path} is not a docker-archive ({said}). "
            "Make one with `docker save` or `buildah push IMAGE docker-archive:FILE`."
        ) from None
    names = images[0].get("RepoTags") or []
    return Archived(digest_of(config), names[0] if names else None)


class Content(t.NamedTuple):
    """What an archive holds. C(format): as skopeo calls it; C(digest): of the image's configuration or manifest."""

    format: str
    digest: str
    architectures: set[str]


def archive_content(path: str) -> Content:
    """The one image of an OCI or docker archive. Raises ImageError."""
    try:
        with tarfile.open(path) as archive:
            names = set(archive.getnames())
            if "manifest.json" in names:
                found = _one(json.loads(_member(archive, "manifest.json")), path)
                config = _member(archive, found["Config"])
                missing = [layer for layer in found["Layers"] if layer not in names]
                content = Content("docker-archive", digest_of(config), _architectures([json.loads(config)]))
            else:
                found = _one(json.loads(_member(archive, "index.json"))["manifests"], path)
                missing, configs = _oci_images(archive, found, names)
                content = Content("oci-archive", str(found["digest"]), _architectures(configs))
    except (OSError, tarfile.TarError, EOFError, KeyError, TypeError, AttributeError, ValueError) as error:
        said = (str(error) or type(error).__name__).splitlines()[0].rstrip(":")
        raise ImageError(
            f"{path} is not a complete OCI or docker archive ({said}). Make it again with `docker save` or `skopeo copy`."
        ) from None
    if missing:
        raise ImageError(
            f"{path} lacks {missing[0]}, which its image is made of. Make it again with `docker save` or `skopeo copy`."
        )
    return content


def _one(images: list[Json], path: str) -> Json:
    if len(images) != 1:
        raise ImageError(f"{path} holds {len(images)} images. Give an archive that holds one.")
    return images[0]


def _oci_images(archive: tarfile.TarFile, found: Json, names: set[str]) -> tuple[list[str], list[Json]]:
    """The blobs that an image or index of an OCI archive lacks, and the configurations of its images."""
    manifest = json.loads(_member(archive, _blob(found)))
    if "manifests" in manifest:
        # Those of other platforms may be left out.
        images = [_oci_images(archive, one, names) for one in manifest["manifests"] if _blob(one) in names]
        return [name for lacks, _configs in images for name in lacks], [
            one for _lacks, configs in images for one in configs
        ]
    missing = [_blob(layer) for layer in manifest["layers"] if _blob(layer) not in names]
    return missing, [json.loads(_member(archive, _blob(manifest["config"])))]


def _blob(descriptor: Json) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _architectures(configs: list[Json]) -> set[str]:
    return {str(one["architecture"]) for one in configs if one.get("architecture")}


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise KeyError(f"{name} is not a file")
    return member.read()


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


# --- errors ---------------------------------------------------------------------------------------------------------


def explain(destination: Reference, error: str, tool: str | None = None) -> str:
    """One sentence and the next step for a request or command that failed. C(tool): the one to log in with."""
    if re.search(r"Cannot connect to the Docker daemon|docker daemon running", error, re.IGNORECASE):
        return "Docker's daemon does not answer. Start it, or set tool to skopeo or buildah."
    return _explain(f"{destination} can't be pushed", destination.registry, error, tool or "skopeo", _ERRORS)


def explain_pull(reference: str, error: str) -> str:
    """One sentence and the next step for an image that skopeo can't fetch."""
    return _explain(f"{reference} can't be pulled", reference.partition("/")[0], error, "skopeo", _PULL_ERRORS)


def _explain(what: str, registry: str, error: str, tool: str, errors: list[tuple[re.Pattern[str], str, str]]) -> str:
    said = re.sub(r"//[^/@\s]+@", "//", last_line(error))
    for pattern, cause, step in errors:
        if pattern.search(error):
            return f"{what}: {cause}. {step.format(registry=registry, login=f'{tool} login {registry}')} ({said})"
    return f"{what}: {said}"


_ERRORS = [
    (
        re.compile(
            r"HTTP response to HTTPS client|WRONG_VERSION_NUMBER|record layer failure|packet length too long|"
            r"first record does not look like",
            re.IGNORECASE,
        ),
        "the registry speaks plain http, not TLS",
        "Set insecure: true if the way to it is safe (with docker also insecure-registries in the daemon's settings).",
    ),
    (
        re.compile(r"x509|certificate", re.IGNORECASE),
        "the registry's certificate is not trusted",
        "Put its CA into /etc/containers/certs.d/{registry}/ca.crt (for docker /etc/docker), or set insecure: true.",
    ),
    (
        re.compile(
            r"unauthorized|denied|forbidden|authentication required|no basic auth|incorrect username|\b40[13]\b",
            re.IGNORECASE,
        ),
        "the registry denies it",
        "Log in with `{login}` as a user who may push there.",
    ),
    (
        re.compile(
            r"no such host|name or service not known|name resolution|nodename nor servname|getaddrinfo", re.IGNORECASE
        ),
        "the registry's name can't be resolved",
        "Correct the host {registry}.",
    ),
    (
        re.compile(
            r"connection refused|timed? ?out|no route to host|network is unreachable|connection reset|\bEOF\b",
            re.IGNORECASE,
        ),
        "the registry can't be reached",
        "Start the registry {registry} or open the way to it, or correct the destination.",
    ),
    (
        re.compile(r"policy\.json", re.IGNORECASE),
        "the container tools have no signature policy",
        "Install the package golang-github-containers-common (others: containers-common), which has it.",
    ),
    (re.compile(r"no space left", re.IGNORECASE), "a disk is full", "Free some space here or in the registry."),
]
_PULL_ERRORS = [
    (
        re.compile(r"manifest unknown|name unknown|repository name not known|not found|\b404\b", re.IGNORECASE),
        "the registry does not have it",
        "Correct the name or the tag.",
    ),
    (
        re.compile(
            r"unauthorized|denied|forbidden|authentication required|no basic auth|incorrect username|\b40[13]\b",
            re.IGNORECASE,
        ),
        "the registry denies it, or does not have it",
        "Correct the name, or log in with `{login}` as a user who may pull it.",
    ),
    (
        re.compile(r"context deadline exceeded|timed? ?out", re.IGNORECASE),
        "the registry does not answer in time",
        "Open the way to {registry} (network, proxy variables), or correct the name.",
    ),
    *((pattern, cause, step.replace("destination", "name")) for pattern, cause, step in _ERRORS),
]


def last_line(text: str) -> str:
    """What a tool said last, without its log's decoration."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = lines[-1] if lines else "no message"
    found = re.search(r'level=fatal msg="(?P<said>.*)"$', said)
    return found["said"].replace('\\"', '"') if found else said
