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

from ansible_collections.localcloud.stack.plugins.module_utils.printable import PrintableError

Json = dict[str, t.Any]

# The registry of Docker Hub has another name than its images.
HUB = "docker.io"
HUB_HOST = "registry-1.docker.io"


class ImageError(PrintableError):
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
    """Raises ImageError if the text is no complete name."""
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
    registry = destination.registry
    if re.search(r"Cannot connect to the Docker daemon|docker daemon running", error, re.IGNORECASE):
        return "Docker's daemon does not answer. Start it, or set tool to skopeo or buildah."
    for pattern, cause, step in _ERRORS:
        if pattern.search(error):
            advice = step.format(registry=registry, login=f"{tool or 'skopeo'} login {registry}")
            return f"{destination} can't be pushed: {cause}. {advice} ({last_line(error)})"
    return f"{destination} can't be pushed: {last_line(error)}"


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


def last_line(text: str) -> str:
    """What a tool said last, without its log's decoration."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = lines[-1] if lines else "no message"
    found = re.search(r'level=fatal msg="(?P<said>.*)"$', said)
    return found["said"].replace('\\"', '"') if found else said
