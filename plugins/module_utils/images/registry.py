# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads manifests from a registry by the distribution API, with the credentials that container tools have stored."""

from __future__ import annotations

import base64
import glob
import http.client
import json
import os
import re
import ssl
import typing as t
import urllib.error
import urllib.parse
import urllib.request

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import is_direct, own_networks
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import PrintableError
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import HUB, Json, Reference, digest_of

TIMEOUT = 10
MANIFEST_LIMIT = 4 * 1024 * 1024
IMAGES = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")
INDEXES = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json")
CERTIFICATES = ("/etc/containers/certs.d", "/etc/docker/certs.d")


class RegistryError(PrintableError):
    """The registry does not answer, or not what it should. C(denied): it wants credentials that we don't have."""

    def __init__(self, message: str, denied: bool = False) -> None:
        super().__init__(message)
        self.denied = denied


class Tagged(t.NamedTuple):
    """What a tag points to. C(config_digests): those of all its platforms."""

    manifest_digest: str
    config_digests: tuple[str, ...]


class Answer(t.NamedTuple):
    status: int
    headers: t.Mapping[str, str]
    body: bytes


# --- stored credentials ---------------------------------------------------------------------------------------------


def auth_files(environ: t.Mapping[str, str], home: str, user: int) -> list[str]:
    """Where skopeo, buildah and docker keep credentials, in the order in which they look."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    return [
        *([environ["REGISTRY_AUTH_FILE"]] if environ.get("REGISTRY_AUTH_FILE") else []),
        f"{runtime}/containers/auth.json" if runtime else f"/run/containers/{user}/auth.json",
        f"{environ.get('XDG_CONFIG_HOME') or f'{home}/.config'}/containers/auth.json",
        f"{environ.get('DOCKER_CONFIG') or f'{home}/.docker'}/config.json",
    ]


def stored_auth(files: t.Sequence[str], reference: Reference) -> str | None:
    """The base64 of user:password for a repository or its registry. Credential helpers are not asked."""
    wanted = [f"{reference.registry}/{reference.path}"]
    while "/" in wanted[-1]:
        wanted.append(wanted[-1].rpartition("/")[0])
    if reference.registry == HUB:
        wanted.append("index.docker.io")
    for path in files:
        entries = {_entry(name): entry for name, entry in _auths(path).items() if isinstance(entry, dict)}
        for name in wanted:
            if auth := (entries.get(name) or {}).get("auth"):
                return str(auth)
    return None


def _entry(name: str) -> str:
    """A key of an auth file as the registry or repository that it stands for: docker once wrote https://host/v1/."""
    return re.sub(r"/v[12]/?$", "", re.sub(r"^https?://", "", name)).rstrip("/")


def _auths(path: str) -> Json:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    auths = found.get("auths") if isinstance(found, dict) else None
    return auths if isinstance(auths, dict) else {}


# --- the registry ---------------------------------------------------------------------------------------------------


class Registry:
    """One repository of a registry. With C(insecure) as the tools do it: TLS without a check, else plain http."""

    def __init__(self, reference: Reference, insecure: bool = False, auth: str | None = None) -> None:
        self.reference = reference
        self.insecure = insecure
        self.auth = auth
        self._scheme = "https"
        self._authorization: str | None = None
        context = ssl.create_default_context()
        if insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        for folder in CERTIFICATES:
            for path in glob.glob(f"{folder}/{glob.escape(reference.registry)}/*.crt"):
                context.load_verify_locations(path)
        handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
        if is_direct(urllib.parse.urlsplit(f"//{reference.host}").hostname or "", own_networks()):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def look(self) -> Tagged | None:
        """What the tag points to, None if it is not there. Raises RegistryError."""
        return self._tagged(self.reference.tag)

    def _tagged(self, name: str) -> Tagged | None:
        answer = self._get(f"/v2/{self.reference.path}/manifests/{name}")
        if answer.status == 404:
            return None
        if answer.status != 200:
            denied = answer.status in (401, 403)
            word = "denied" if denied else "unexpected answer"
            raise RegistryError(f"{word}: HTTP {answer.status} from {self.reference.host}", denied)
        try:
            manifest = json.loads(answer.body)
            kind = manifest.get("mediaType") or answer.headers.get("content-type", "").split(";")[0]
            if kind in INDEXES or "manifests" in manifest:
                parts = [self._tagged(one["digest"]) for one in manifest["manifests"]]
                return Tagged(
                    digest_of(answer.body), tuple(digest for one in parts if one for digest in one.config_digests)
                )
            config = (manifest.get("config") or {}).get("digest")
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise RegistryError(
                f"unexpected answer: {self.reference.host} is no registry, or its manifest is broken ({error})"
            ) from None
        return Tagged(digest_of(answer.body), (str(config),) if config else ())

    def _get(self, path: str) -> Answer:
        """Credentials are shown only to a registry that asks for them, and as it asks."""
        answer = self._ask(path)
        challenge = answer.headers.get("www-authenticate", "")
        if answer.status != 401 or self._authorization:
            return answer
        if challenge.lower().startswith("bearer"):
            token = self._fetch_token(challenge)
            self._authorization = f"Bearer {token}" if token else None
        elif self.auth:
            self._authorization = f"Basic {self.auth}"
        return self._ask(path) if self._authorization else answer

    def _ask(self, path: str) -> Answer:
        try:
            return self._request(f"{self._scheme}://{self.reference.host}{path}", self._authorization)
        except RegistryError:
            if not self.insecure or self._scheme == "http":
                raise
            # It doesn't speak TLS, or nothing is there: as the error of plain http then says.
            self._scheme = "http"
            return self._request(f"{self._scheme}://{self.reference.host}{path}", self._authorization)

    def _request(self, url: str, authorization: str | None) -> Answer:
        request = urllib.request.Request(url, headers={"Accept": ", ".join((*IMAGES, *INDEXES))})
        if authorization:
            # Not given to another host that the registry may send us to.
            request.add_unredirected_header("Authorization", authorization)
        try:
            with self._opener.open(request, timeout=TIMEOUT) as response:
                return Answer(response.status, _lower(response.headers), response.read(MANIFEST_LIMIT))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _lower(error.headers), b"")
        except urllib.error.URLError as error:
            raise RegistryError(str(error.reason)) from None
        except (OSError, http.client.HTTPException) as error:
            raise RegistryError(str(error) or type(error).__name__) from None

    def _fetch_token(self, challenge: str) -> str | None:
        """A token to pull with, from where the registry says; None if that's refused."""
        said = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = said.get("realm", "")
        allowed = ("https://", "http://") if self.insecure else ("https://",)
        if not realm.startswith(allowed):
            return None
        query = {"service": said.get("service", ""), "scope": f"repository:{self.reference.path}:pull"}
        url = f"{realm}{'&' if '?' in realm else '?'}{urllib.parse.urlencode(query)}"
        answer = self._request(url, f"Basic {self.auth}" if self.auth else None)
        try:
            found = json.loads(answer.body) if answer.status == 200 else {}
        except ValueError:
            return None
        return found.get("token") or found.get("access_token")


def _lower(headers: t.Any) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}


def registry_of(reference: Reference, insecure: bool) -> Registry:
    """The registry with the credentials that are stored for this user."""
    files = auth_files(os.environ, os.path.expanduser("~"), os.geteuid())
    auth = stored_auth(files, reference)
    try:
        base64.b64decode(auth or "", validate=True)
    except ValueError:
        auth = None
    return Registry(reference, insecure, auth)
