# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import tarfile

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.images import sources as images
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import (
    ImageError,
    Reference,
    parse_reference,
)

CONFIG = b'{"architecture": "amd64"}'


def archive(path, members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return str(path)


def manifest(*images_):
    return json.dumps(list(images_)).encode()


IMAGE = {"Config": "c.json", "RepoTags": ["localhost/orders:1"], "Layers": []}


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("localhost/orders:1", ("localhost", "orders", "1")),
        ("localhost:5000/a/b-c/d:v1.0_x", ("localhost:5000", "a/b-c/d", "v1.0_x")),
        ("registry.example.com/orders:latest", ("registry.example.com", "orders", "latest")),
        ("[::1]:5000/orders:1", ("[::1]:5000", "orders", "1")),
        ("docker.io/orders:1", ("docker.io", "library/orders", "1")),
    ],
)
def test_references(text, reference):
    assert parse_reference(text) == reference


def test_the_hub_answers_elsewhere():
    assert parse_reference("docker.io/a/b:1").host == "registry-1.docker.io"
    assert parse_reference("quay.io/a/b:1").host == "quay.io"
    assert str(parse_reference("quay.io/a/b:1")) == "quay.io/a/b:1"


@pytest.mark.parametrize(
    "text",
    [
        "orders",
        "orders:1",
        "team/orders:1",
        "quay.io/orders",
        "docker://quay.io/a:1",
        "quay.io/A:1",
        "quay.io/a:1@sha256:0",
        "",
    ],
)
def test_what_is_no_complete_reference(text):
    with pytest.raises(ImageError, match=r"is not host\[:port\]/path:tag"):
        parse_reference(text)


def test_the_image_of_an_archive(tmp_path):
    found = images.read_archive(archive(tmp_path / "a.tar", {"c.json": CONFIG, "manifest.json": manifest(IMAGE)}))
    assert found == (images.digest_of(CONFIG), "localhost/orders:1")


def test_an_archive_without_a_name(tmp_path):
    nameless = manifest({"Config": "blobs/sha256/c", "RepoTags": None})
    found = images.read_archive(archive(tmp_path / "a.tar", {"manifest.json": nameless, "blobs/sha256/c": CONFIG}))
    assert found.name is None


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"manifest.json": manifest(IMAGE, IMAGE), "c.json": CONFIG}, "holds 2 images"),
        ({"manifest.json": manifest(IMAGE)}, "is not a docker-archive"),
        ({"index.json": b"{}"}, "is not a docker-archive"),
        ({"manifest.json": b"{"}, "is not a docker-archive"),
    ],
)
def test_other_archives(tmp_path, members, message):
    with pytest.raises(ImageError, match=message):
        images.read_archive(archive(tmp_path / "a.tar", members))


def test_a_missing_archive_and_one_that_is_none(tmp_path):
    with pytest.raises(ImageError, match=r"is not there\. Build the image first"):
        images.read_archive(str(tmp_path / "a.tar"))
    (tmp_path / "a.tar").write_text("text")
    with pytest.raises(ImageError) as caught:
        images.read_archive(str(tmp_path / "a.tar"))
    assert "is not a docker-archive" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "Set insecure: true"),
        ("http: server gave HTTP response to HTTPS client", "Set insecure: true"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "/etc/containers/certs.d/r:5000/ca.crt"),
        ("unauthorized: authentication required", "Log in with `buildah login r:5000`"),
        ("requested access to the resource is denied", "Log in with `buildah login r:5000`"),
        ("[Errno 111] Connection refused", "Start the registry r:5000"),
        ("timed out", "can't be reached"),
        ("[Errno -2] Name or service not known", "name can't be resolved"),
        ("open /etc/containers/policy.json: no such file or directory", "signature policy"),
        ("write: no space left on device", "a disk is full"),
        ("something new", "r:5000/a:1 can't be pushed: something new"),
    ],
)
def test_errors(error, cause):
    assert cause in images.explain(Reference("r:5000", "a", "1"), error, "buildah")


def test_dockers_daemon():
    text = images.explain(Reference("r", "a", "1"), "Cannot connect to the Docker daemon at unix:///x. Is it running?")
    assert text == "Docker's daemon does not answer. Start it, or set tool to skopeo or buildah."


def test_the_last_line_of_a_tool():
    assert images.last_line('progress\ntime="2026" level=fatal msg="can\'t \\"push\\""\n') == 'can\'t "push"'
    assert images.last_line("") == "no message"
