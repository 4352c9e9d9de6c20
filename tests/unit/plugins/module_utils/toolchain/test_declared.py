"""Declared images as parts: what their digests are made of, and the layer that an edit costs."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.images_declared import declared_images
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import (
    ImageError,
    archive_content,
    explain_pull,
    read_archive,
)
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain import image_layers, registries
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.declared import (
    Wanted,
    build_problems,
    pulled_references,
    wanted,
)
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.dockerfile import Copy
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.registries import (
    References,
    architecture,
    look,
)

PROJECT = Path(__file__).resolve().parents[5]
DIGEST = f"sha256:{'1' * 64}"
DOCKERFILE = """ARG BASE_IMAGE=python:3.11-slim
FROM ${BASE_IMAGE}
COPY requirements.txt /
WORKDIR /srv
COPY . .
"""


@pytest.fixture
def web(tmp_path: Path) -> Path:
    for name, text in {
        "Dockerfile": DOCKERFILE,
        "requirements.txt": "flask==3\n",
        "src/app.py": "print()\n",
        ".dockerignore": "Dockerfile\n**/*.md\n",
        "README.md": "",
        ".git/HEAD": "",
        ".localcloud/cluster.json": "",
        "__pycache__/a.pyc": "",
    }.items():
        (tmp_path / "web" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "web" / name).write_text(text)
    return tmp_path / "web"


def of(web: Path, **build: object) -> Wanted:
    images = declared_images({"web": {"build": {"context": str(web), **build}}})
    assert build_problems(images) == []
    return wanted(images, dict.fromkeys(pulled_references(images), DIGEST), {})


def digests(wanted: Wanted) -> tuple[str, str]:
    """Of the image without its last layer, and of the whole one."""
    inventory = Inventory.read(PROJECT, wanted)
    key = wanted.images["web"]
    return inventory.digests[f"{key}-base"], inventory.digests[key]


def test_an_edit_makes_one_layer_again(web: Path) -> None:
    first = of(web)
    key = first.images["web"]
    assert first.parts[key].needs == (f"{key}-base",)
    assert first.parts[f"{key}-base"].needs == ("python",)
    assert set(first.parts[key].inputs) == {".dockerignore", "requirements.txt", "src/app.py"}
    assert set(first.parts[f"{key}-base"].inputs) == {"requirements.txt"}
    before = digests(first)
    (web / "README.md").write_text("not of the image")
    (web / ".localcloud/cluster.json").write_text("changes with every run")
    assert digests(of(web)) == before
    (web / "src/app.py").write_text("print(1)\n")
    edited = digests(of(web))
    assert edited[0] == before[0]
    assert edited[1] != before[1]
    (web / "src/app.py").chmod(0o755)
    assert digests(of(web))[1] not in (before[1], edited[1])
    (web / "requirements.txt").write_text("flask==4\n")
    assert digests(of(web))[0] != before[0]


def test_where_the_folder_lies_makes_no_other_image(web: Path, tmp_path: Path) -> None:
    before = digests(of(web))
    web.rename(tmp_path / "elsewhere")
    assert digests(of(tmp_path / "elsewhere")) == before


def test_a_public_base_is_fetched_by_digest(web: Path) -> None:
    (web / "Dockerfile").write_text("FROM alpine:3.20\nCOPY src /app\n")
    images = declared_images({"web": {"build": {"context": str(web)}}, "db": {"pull": "redis@" + DIGEST}})
    assert pulled_references(images) == {
        "docker.io/library/alpine:3.20": ["images.web.build.dockerfile"],
        f"docker.io/library/redis@{DIGEST}": ["images.db.pull"],
    }
    made = wanted(images, dict.fromkeys(pulled_references(images), DIGEST), {})
    fetched = {part.spec["reference"] for part in made.parts.values() if part.recipe == "pull"}
    assert fetched == {f"docker.io/library/alpine@{DIGEST}", f"docker.io/library/redis@{DIGEST}"}
    other = wanted(images, dict.fromkeys(pulled_references(images), DIGEST.replace("1", "2")), {})
    assert digests(made) != digests(other)


def test_mistakes_in_a_dockerfile(web: Path) -> None:
    (web / "Dockerfile").write_text("FROM ${NONE}\nCOPY no README.md /app/\n")
    (first, second, third) = build_problems(declared_images({"web": {"build": {"context": str(web)}}}))
    assert first.startswith("images.web.build.dockerfile: ")
    assert "takes ''" in first
    assert "copies 'no', which is not in" in second
    assert "copies 'README.md', which is not in" in third
    (web / "Dockerfile").write_text("")
    assert "has no FROM" in build_problems(declared_images({"web": {"build": {"context": str(web)}}}))[0]


# --- archives -------------------------------------------------------------------------------------------------------


def tar_of(members: dict[str, str | None]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            if text is None:
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """An archive as buildah writes one, with a folder /srv."""
    layer = tar_of({"srv": None, "srv/old": "old", "gone": None, ".wh.gone": ""})
    config = {
        "architecture": architecture(),
        "config": {"WorkingDir": "/srv"},
        "rootfs": {"type": "layers", "diff_ids": [image_layers.digest_of(layer)]},
    }
    manifest = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l.tar"]}]
    path = tmp_path / "base.tar"
    path.write_bytes(
        tar_of({"l.tar": layer.decode(), "c.json": json.dumps(config), "manifest.json": json.dumps(manifest)})
    )
    return path


def test_a_layer_is_added(base: Path, web: Path, tmp_path: Path) -> None:
    known = image_layers.folders(base)
    assert known == ["srv"]
    (web / "link").symlink_to("src/app.py")
    (web / "src/app.py").chmod(0o700)
    files = {"src/app.py": web / "src/app.py", "requirements.txt": web / "requirements.txt", "link": web / "link"}
    copies = [Copy(("src",), "lib"), Copy(("requirements.txt", "link"), "./"), Copy(("requirements.txt",), "/srv")]
    for name in ("one.tar", "two.tar"):
        image_layers.add_layer(base, known, copies, files, "localhost/web:1", tmp_path / name)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    assert read_archive(str(tmp_path / "one.tar")).name == "localhost/web:1"
    content = archive_content(str(tmp_path / "one.tar"))
    assert content.architectures == {architecture()}
    with tarfile.open(tmp_path / "one.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        config = json.load(archive.extractfile(manifest["Config"]))
        for name in archive.getnames():
            if name.startswith("blobs/"):
                assert image_layers.digest_of(archive.extractfile(name).read()).endswith(name.rpartition("/")[2])
        with tarfile.open(fileobj=archive.extractfile(manifest["Layers"][1])) as layer:
            found = {one.name: (oct(one.mode), one.linkname, one.uid) for one in layer}
    assert len(config["rootfs"]["diff_ids"]) == len(manifest["Layers"]) == 2
    assert found == {
        "srv/lib": ("0o755", "", 0),
        "srv/lib/app.py": ("0o755", "", 0),
        "srv/requirements.txt": ("0o644", "", 0),
        "srv/link": ("0o644", "src/app.py", 0),
    }


def test_a_node_gets_what_it_lacks(base: Path, web: Path, tmp_path: Path) -> None:
    files = {"src/app.py": web / "src/app.py"}
    image_layers.add_layer(base, ["srv"], [Copy(("src",), "./")], files, "localhost/web:1", tmp_path / "web.tar")
    with tarfile.open(base) as archive:
        has = image_layers.digest_of(archive.extractfile("l.tar").read()).partition(":")[2]
    assert image_layers.write_missing(tmp_path / "web.tar", has.__eq__, tmp_path / "missing.tar")
    with tarfile.open(tmp_path / "web.tar") as whole, tarfile.open(tmp_path / "missing.tar") as missing:
        assert set(whole.getnames()) - set(missing.getnames()) == {f"blobs/sha256/{has}", "manifest.json"}
        for name in missing.getnames():
            assert missing.extractfile(name).read() == whole.extractfile(name).read()
    assert not image_layers.write_missing(base, has.__eq__, tmp_path / "other.tar")
    assert not (tmp_path / "other.tar").exists()


def test_archives_that_are_none(tmp_path: Path, base: Path) -> None:
    truncated = tmp_path / "truncated.tar"
    truncated.write_bytes(base.read_bytes()[:600])
    lacking = tmp_path / "lacking.tar"
    manifest = [{"Config": "c.json", "RepoTags": [], "Layers": ["l.tar"]}]
    lacking.write_bytes(tar_of({"c.json": "{}", "manifest.json": json.dumps(manifest)}))
    several = tmp_path / "several.tar"
    several.write_bytes(tar_of({"manifest.json": json.dumps(manifest * 2)}))
    text = tmp_path / "text.tar"
    text.write_text("no archive")
    for path, said in (
        (truncated, "not a complete"),
        (lacking, "lacks l.tar"),
        (several, "2 images"),
        (text, "not a complete"),
    ):
        with pytest.raises(ImageError, match=said):
            archive_content(str(path))


# --- registries -----------------------------------------------------------------------------------------------------


def test_all_that_can_not_be_had_is_named_at_once(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(reference: str) -> str:
        if "good" not in reference:
            raise ImageError(explain_pull(reference, "manifest unknown"))
        return DIGEST

    images = declared_images({
        "a": {"pull": "r.example/good"}, "b": {"pull": "r.example/bad"}, "c": {"pull": "r.example/worse"}, "d": {"archive": str(base)},
    })  # fmt: skip
    references = References(Cache(tmp_path / "cache"), ask=ask)
    digests, archives, problems = look(images, pulled_references(images), references, keep=True)
    assert digests["r.example/good:latest"] == DIGEST
    assert archives[str(base)][0] == "docker-archive"
    assert [problem.partition(":")[0] for problem in problems] == ["images.b.pull", "images.c.pull"]
    assert "the registry does not have it. Correct the name or the tag." in problems[0]
    monkeypatch.setattr(registries, "architecture", lambda: "riscv64")
    assert "this machine is riscv64" in look(images, {}, references, keep=True)[2][0]


def test_a_tag_is_asked_for_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(reference: str) -> str:
        asked.append(reference)
        return DIGEST

    cache = Cache(tmp_path / "cache")
    assert References(cache, ask=ask).digest("r.example/a:1", keep=False) == DIGEST
    assert not (tmp_path / "cache").exists()
    assert [References(cache, ask=ask).digest("r.example/a:1") for _time in range(3)] == [DIGEST] * 3
    assert len(asked) == 2
    References(cache, refresh=True, ask=ask).digest("r.example/a:1")
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("unauthorized: authentication required", "log in with `skopeo login r.example`"),
        ("context deadline exceeded", "does not answer in time"),
        ("dial tcp 127.0.0.1:5000: i/o timeout", "does not answer in time"),
        ("dial tcp: lookup r.example: no such host", "name can't be resolved"),
        ("proxyconnect tcp: http://me:secret@proxy.example: connection refused", "can't be reached"),
    ],
)
def test_causes_of_a_pull_that_fails(said: str, cause: str) -> None:
    text = explain_pull("r.example/a:1", said)
    assert cause in text
    assert text.startswith("r.example/a:1 can't be pulled: ")
    assert "secret" not in text
