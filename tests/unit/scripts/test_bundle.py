"""A bundle of a small cache: packed, taken into an empty one, and refused where it does not fit or is not what was written."""

from __future__ import annotations

import errno
import hashlib
import http.server
import io
import json
import os
import platform
import re
import shutil
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from scripts import bundle, bundle_archive, bundle_licences, setup_environment
from scripts.bundle_archive import AlteredError, Archive, BundleError, Manifest, Progress, Stream

PARTS = {
    "parts": {"tool": {"recipe": "go", "version": "v1"}, "web": {"recipe": "image", "needs": ["tool"], "image": {}}}
}
RUNTIME = {"runtime": "r1"}
lines: list[str] = []


def report(line: str) -> None:
    lines.append(line)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # So little needs no half GiB of memory.
    monkeypatch.setattr(bundle, "WINDOW_LOG", 20)
    (tmp_path / "project/toolchain").mkdir(parents=True)
    (tmp_path / "project/toolchain/parts.yml").write_text(yaml.safe_dump(PARTS))
    return tmp_path / "project"


def write_bundle(
    project: Path, folder: Path, change: Callable[[Manifest], Manifest] = lambda manifest: manifest
) -> Path:
    """A bundle of the project's two parts and one wheel."""
    folder.mkdir(parents=True, exist_ok=True)
    digests = Inventory.read(project).digests
    results = {}
    for name, file, content in (("tool", "bin/tool", b"program" * 1000), ("web", "image.tar", b"layers" * 1000)):
        key = f"{name}-{digests[name]}"
        path = folder / "results" / key / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755)
        results[key] = folder / "results" / key
    (folder / "results" / f"tool-{digests['tool']}" / "tool").symlink_to("bin/tool")
    (folder / "files/wheels").mkdir(parents=True, exist_ok=True)
    (folder / "files/wheels/one.whl").write_bytes(b"wheel")
    streams = []
    for key, path in results.items():
        bundle.compress(folder / f"{key}.tar.zst", {key: path}, Progress("compressing", 0, report))
        streams.append(Stream(f"parts/{key}.tar.zst", (folder / f"{key}.tar.zst").stat().st_size, [key]))
    manifest = Manifest(
        bundle_archive.FORMAT, "0.1.0", "abc", bundle_archive.ARCHITECTURES.get(platform.machine(), platform.machine()),
        ".".join(map(str, sys.version_info[:2])), "debian bookworm", RUNTIME, {"localstack_service_engine": "ministack"}, ["pipeline"],
        {"wheels/one.whl": bundle.file_entry(folder / "files/wheels/one.whl")},
        {key: bundle.describe(key, path) for key, path in results.items()}, streams,
    )  # fmt: skip
    path = folder / "bundle.tar"
    bundle.write(path, change(manifest), folder / "files", folder)
    return path


def unpack(archive: Path, cache: Path, project: Path) -> bool:
    opened = bundle_archive.open_archive(archive)
    bundle_archive.take(opened, cache, report)
    return bundle.unpack(opened, Cache(cache), project, report, cache / "settings.json")


@pytest.fixture
def archive(project: Path, tmp_path: Path) -> Path:
    # bundle.write() puts the archive where its work is; it is renamed onto itself.
    return write_bundle(project, tmp_path / "made")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def results(cache: Path) -> list[str]:
    folder = cache / "parts"
    return sorted(path.name.rpartition("-")[0] for path in folder.iterdir()) if folder.exists() else []


def test_a_bundle_is_of_the_embedded_node_unless_it_says_kind(archive: Path) -> None:
    manifest = bundle_archive.open_archive(archive).manifest
    of_kind = replace(manifest, settings={"cluster_mode": "kind", "apps_image_delivery": "parts"})
    assert bundle.settings_of(manifest)["cluster_mode"] == "embedded"
    assert bundle.settings_of(of_kind) == {**of_kind.settings, "cluster_build_parts": False}


def test_one_of_a_kind_cluster_is_refused_without_docker(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = bundle_archive.open_archive(archive).manifest
    of_kind = replace(manifest, settings={"cluster_mode": "kind"})
    monkeypatch.setenv("PATH", "/nonexistent")
    assert bundle_archive.problems(manifest, RUNTIME) == []
    assert "neither Docker nor Podman is on this machine" in " ".join(bundle_archive.problems(of_kind, RUNTIME))


def test_all_that_was_packed_is_there(archive: Path, cache: Path, project: Path) -> None:
    assert unpack(archive, cache, project) is True
    digests = Inventory.read(project).digests
    tool = cache / "parts" / f"tool-{digests['tool']}"
    assert (tool / "bin/tool").read_bytes() == b"program" * 1000
    assert os.access(tool / "bin/tool", os.X_OK)
    assert os.readlink(tool / "tool") == "bin/tool"
    assert (cache / "parts" / f"web-{digests['web']}" / "image.tar").read_bytes() == b"layers" * 1000
    (wheel,) = cache.glob("bundles/*/wheels/one.whl")
    assert wheel.read_bytes() == b"wheel"
    settings = json.loads((cache / "settings.json").read_text())
    assert (settings["localstack_service_engine"], settings["cluster_build_parts"]) == ("ministack", False)


def test_packages_are_unpacked_where_some_are_missing(
    project: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made/files/packages").mkdir(parents=True)
    (tmp_path / "made/files/packages/runc_1_amd64.deb").write_text("package")

    def with_packages(manifest: Manifest) -> Manifest:
        entry = bundle.file_entry(tmp_path / "made/files/packages/runc_1_amd64.deb")
        return replace(manifest, files={**manifest.files, "packages/runc_1_amd64.deb": entry}, system=bundle.system())

    archive = write_bundle(project, tmp_path / "made", with_packages)
    monkeypatch.setattr(bundle.doctor, "missing_packages", lambda project: ["maven"])
    unpack(archive, cache, project)
    assert "cluster_apt_config" not in json.loads((cache / "settings.json").read_text())
    assert not list(cache.glob("bundles/*/packages"))
    monkeypatch.setattr(bundle.doctor, "missing_packages", lambda project: ["maven", "runc"])
    unpack(archive, cache, project)
    config = Path(json.loads((cache / "settings.json").read_text())["cluster_apt_config"])
    (packages,) = cache.glob("bundles/*/packages")
    assert (packages / "runc_1_amd64.deb").read_text() == "package"
    assert (config.parent / "sources.list").read_text() == f"deb [trusted=yes] file:{packages} ./\n"


def test_a_second_time_nothing_is_unpacked(archive: Path, cache: Path, project: Path) -> None:
    assert unpack(archive, cache, project) is True
    assert unpack(archive, cache, project) is False


def test_the_same_content_is_the_same_archive(project: Path, tmp_path: Path, archive: Path) -> None:
    other = write_bundle(project, tmp_path / "again")
    assert archive.read_bytes() == other.read_bytes()


def test_a_bundle_of_other_pins_lies_beside_the_first(
    archive: Path, cache: Path, project: Path, tmp_path: Path
) -> None:
    unpack(archive, cache, project)
    changed = {"parts": {**PARTS["parts"], "tool": {"recipe": "go", "version": "v2"}}}
    (project / "toolchain/parts.yml").write_text(yaml.safe_dump(changed))
    unpack(write_bundle(project, tmp_path / "second"), cache, project)
    assert results(cache) == ["tool", "tool", "web", "web"]
    assert len(list(cache.glob("bundles/*/manifest.json"))) == 2


def test_two_runs_at_once_unpack_once(archive: Path, cache: Path, project: Path) -> None:
    bundle_archive.take(bundle_archive.open_archive(archive), cache, report)

    def run(number: int) -> bool:
        return bundle.unpack(
            bundle_archive.open_archive(archive), Cache(cache), project, report, cache / f"{number}.json"
        )

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(run, (1, 2))) == [False, True]


def test_a_run_goes_on_with_what_is_missing(archive: Path, cache: Path, project: Path) -> None:
    digests = Inventory.read(project).digests
    there = cache / "parts" / f"tool-{digests['tool']}"
    there.mkdir(parents=True)
    (there / "mark").touch()
    assert unpack(archive, cache, project) is True
    assert [path.name for path in there.iterdir()] == ["mark"]
    assert results(cache) == ["tool", "web"]


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_bundle(archive: Path, cache: Path, project: Path, kept: float) -> None:
    content = archive.read_bytes()
    # Without the zeros that end every tar.
    length = end_of(archive)
    archive.write_bytes(content[: int(length * kept)])
    with pytest.raises(BundleError, match=r"truncated|altered.*(manifest can't be read|unexpected end)"):
        unpack(archive, cache, project)
    assert results(cache) == []
    assert not (cache / "bundles").exists()


def test_the_part_of_a_truncated_bundle_is_told_in_bytes(archive: Path, cache: Path, project: Path) -> None:
    last = end_of(archive)
    archive.write_bytes(archive.read_bytes()[: last - 100])
    with pytest.raises(
        BundleError,
        match=rf"bundle.tar is truncated: it has {last - 100} bytes of \d+\. Nothing of it is used\. Get it again",
    ):
        unpack(archive, cache, project)


def members(archive: Path) -> dict[str, tuple[int, int]]:
    """Offset and size of each member."""
    with tarfile.open(archive) as tar:
        return {one.name: (one.offset_data, one.size) for one in tar}


def end_of(archive: Path) -> int:
    """Where the last member's content ends."""
    return max(offset + size for offset, size in members(archive).values())


def test_any_altered_byte_is_found(archive: Path, cache: Path, project: Path) -> None:
    whole = archive.read_bytes()
    for name, (offset, size) in members(archive).items():
        if name == bundle_archive.MANIFEST:
            continue  # what signs SHA256SUMS is for
        for place in (offset, offset + size // 2, offset + size - 1):
            archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
            with pytest.raises(AlteredError, match=r"The bundle was altered, or is not one: .* Nothing of it is used"):
                unpack(archive, cache, project)
            shutil.rmtree(cache / "bundles", ignore_errors=True)
            shutil.rmtree(cache / "parts", ignore_errors=True)


def test_what_is_not_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(AlteredError, match="altered, or is not one"):
        bundle_archive.open_archive(tmp_path / "text")
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("readme"))
    with pytest.raises(AlteredError, match=r"does not begin with manifest\.json"):
        bundle_archive.open_archive(tmp_path / "other.tar")
    with pytest.raises(BundleError, match="can't be read: No such file or directory. Check BUNDLE"):
        bundle_archive.open_archive(tmp_path / "absent")


@pytest.mark.parametrize(
    ("change", "cause", "step"),
    [
        ({"architecture": "s390x"}, r"It is for s390x, and this machine is \w+\.", r"Take the bundle for \w+\."),
        ({"python": "3.2"}, r"Its Python packages are for Python 3\.2", r"Run with PYTHON=python3\.2"),
        (
            {"requirements": {"runtime": "r0"}},
            r"version 0\.1\.0 \(commit abc\).* other pins .* requirements \(runtime\)",
            "Take the bundle of",
        ),
    ],
)
def test_a_bundle_for_another_machine_or_checkout(archive: Path, change: dict[str, Any], cause: str, step: str) -> None:
    manifest = replace(bundle_archive.open_archive(archive).manifest, **change)
    (found,) = bundle_archive.problems(manifest, RUNTIME)
    message = str(bundle_archive.refusal(archive, [found]))
    assert_matches(message, cause, step, "Nothing of it was unpacked")


def assert_matches(message: str, *patterns: str) -> None:
    for pattern in patterns:
        assert re.search(pattern, message), message


def test_a_bundle_for_this_machine_has_no_problems(archive: Path) -> None:
    assert bundle_archive.problems(bundle_archive.open_archive(archive).manifest, RUNTIME) == []


def test_a_bundle_of_older_parts(archive: Path, cache: Path, project: Path) -> None:
    changed = {"parts": {**PARTS["parts"], "tool": {"recipe": "go", "version": "v2"}}}
    (project / "toolchain/parts.yml").write_text(yaml.safe_dump(changed))
    with pytest.raises(
        BundleError,
        match=r"can't be used here.* other pins than this checkout: tool, web\. Take the bundle of this checkout's version",
    ):
        unpack(archive, cache, project)
    assert results(cache) == []


RELEASES = {
    "kubernetes_releases": {"1.36": {"version": "v1.36.3"}},
    "parts": {
        "kubernetes": {"recipe": "go", "version": "v1.37.2"},
        "tool": {"recipe": "go", "version": "v1"},
        "web": {"recipe": "image", "needs": ["tool"], "image": {"tag": "{kubernetes}"}},
    },
}


def of_kubernetes(manifest: Manifest, project: Path) -> Manifest:
    """The same bundle, made with cluster_kubernetes=1.36."""
    digest = Inventory.read(project, kubernetes="1.36").digests["web"]
    parts = {key: {**part, "digest": digest} if part["name"] == "web" else part for key, part in manifest.parts.items()}
    return replace(manifest, parts=parts, settings={**manifest.settings, "cluster_kubernetes": "1.36"})


def test_a_bundle_of_another_kubernetes_is_taken_with_it(project: Path, tmp_path: Path, cache: Path) -> None:
    (project / "toolchain/parts.yml").write_text(yaml.safe_dump(RELEASES))
    archive = write_bundle(project, tmp_path / "made", lambda manifest: of_kubernetes(manifest, project))
    assert unpack(archive, cache, project) is True
    assert json.loads((cache / "settings.json").read_text())["cluster_kubernetes"] == "1.36"


def test_a_bundle_of_a_kubernetes_that_the_checkout_lacks(project: Path, tmp_path: Path, cache: Path) -> None:
    (project / "toolchain/parts.yml").write_text(yaml.safe_dump(RELEASES))
    archive = write_bundle(project, tmp_path / "made", lambda manifest: of_kubernetes(manifest, project))
    (project / "toolchain/parts.yml").write_text(yaml.safe_dump({**RELEASES, "kubernetes_releases": {}}))
    with pytest.raises(BundleError, match=r"other pins than this checkout: Kubernetes 1\.36\. Take the bundle of"):
        unpack(archive, cache, project)
    assert results(cache) == []


def test_a_bundle_of_another_format() -> None:
    with pytest.raises(BundleError, match="has the format 0, and this checkout reads 1"):
        Manifest.parse(b'{"format": 0}')


def test_no_space_is_found_before_anything_is_unpacked(
    archive: Path, cache: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle_archive.take(bundle_archive.open_archive(archive), cache, report)
    monkeypatch.setattr(bundle_archive.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    with pytest.raises(
        BundleError, match=r"0\.0 GiB are free at .*, and unpacking its 2 parts, .* takes 0\.3 GiB\. Free some space"
    ):
        unpack(archive, cache, project)
    assert results(cache) == []


def test_no_space_in_the_middle_keeps_what_is_whole(
    archive: Path, cache: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = bundle.copy_verified

    def full(content: Any, target: Path, expected: Any) -> None:
        if target.name == "image.tar":
            target.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        copy(content, target, expected)

    monkeypatch.setattr(bundle, "copy_verified", full)
    with pytest.raises(BundleError, match=r"full, in the middle of unpacking.*goes on where it ended"):
        unpack(archive, cache, project)
    assert results(cache) == ["tool"]
    monkeypatch.setattr(bundle, "copy_verified", copy)
    assert unpack(archive, cache, project) is True
    assert results(cache) == ["tool", "web"]


def test_no_path_leads_out(archive: Path, cache: Path) -> None:
    opened = bundle_archive.open_archive(archive)
    for name in ("../out", "/etc/passwd", "a/../../out", ""):
        with pytest.raises(AlteredError, match="leads out of it"):
            bundle_archive.safe(name)
    manifest = replace(opened.manifest, files={"../out": opened.manifest.files["wheels/one.whl"]})
    places = {"../out": opened.places["wheels/one.whl"]}
    with pytest.raises(AlteredError, match=r"\.\./out leads out of it"):
        bundle_archive.take(Archive(opened.path, manifest, places), cache, report)
    assert not list(cache.glob("bundles/*"))
    assert not (cache / "out").exists()


def test_wheels_are_found_by_pins_and_machine(archive: Path, cache: Path) -> None:
    assert bundle_archive.offline(cache, RUNTIME) is None
    folder = bundle_archive.take(bundle_archive.open_archive(archive), cache, report)
    assert bundle_archive.offline(cache, RUNTIME) == folder
    assert bundle_archive.offline(cache, {"runtime": "other"}) is None
    assert setup_environment.from_files(folder) == ["--no-index", "--find-links", f"{folder}/wheels"]
    assert setup_environment.from_files(None) == []


class Server(http.server.BaseHTTPRequestHandler):
    """Serves one file; answers ranges, and cuts the first answer short."""

    content = b""
    asked: list[str | None] = []  # noqa: RUF012 (of the one test that serves)
    cut = False

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).asked.append(wanted)
        begin = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        rest = self.content[begin:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: len(rest) // 2] if self.cut else rest)
        type(self).cut = False

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def server(archive: Path) -> Iterator[str]:
    Server.content, Server.asked, Server.cut = archive.read_bytes(), [], True
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/bundle.tar"
        running.shutdown()
        thread.join()


def test_a_download_goes_on_where_it_ended(
    server: str, archive: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(BundleError, match="ended too early .* goes on where it ended"):
        bundle_archive.download(server, cache, report)
    path = bundle_archive.download(server, cache, report)
    assert path.read_bytes() == archive.read_bytes()
    half = len(Server.content) // 2
    assert Server.asked == [None, f"bytes={half}-"]
    assert bundle_archive.download(server, cache, report) == path
    assert len(Server.asked) == 2


def test_a_server_that_does_not_answer(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(BundleError, match=r"http://127\.0\.0\.1:1/x can't be fetched: .*refused.* Check network"):
        bundle_archive.download("http://127.0.0.1:1/x", cache, report)


def test_sums_are_as_sha256sum_reads_them(tmp_path: Path) -> None:
    for name in ("b.tar", "a.tar"):
        (tmp_path / name).write_text(name)
        bundle.note_sum(tmp_path / name)
    (tmp_path / "a.tar").write_text("changed")
    sums = bundle.note_sum(tmp_path / "a.tar").read_text()
    assert sums == "".join(
        f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in (("a.tar", b"changed"), ("b.tar", b"b.tar"))
    )


def test_a_key_without_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("untrusted comment: minisign encrypted secret key\n")
    monkeypatch.setenv("BUNDLE_KEY", str(tmp_path / "key"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BundleError, match="not signed: BUNDLE_KEY is a key of minisign, which is not on this machine"):
        bundle.sign(tmp_path / "bundle.tar", tmp_path / "SHA256SUMS")


def test_the_modules_of_a_program() -> None:
    said = "/p: go1.26\n\tpath\tx/cmd\n\tmod\tx.org/X\tv1.0.0\th1:a=\n\tdep\ty.org/y\tv2.0.0\n\t=>\tz.org/z\tv3.0.0\th1:b=\n"
    said += "\tdep\tw\tv0.1.0\n\t=>\t../w\t(devel)\n"
    assert bundle_licences.linked(said) == ["w@v0.1.0", "x.org/X@v1.0.0", "z.org/z@v3.0.0"]
    assert bundle_licences.escaped("x.org/X@v1.0.0") == "x.org/!x@v1.0.0"


def test_the_licences_of_a_wheel(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "one-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("one/LICENSE.py", "code")
        wheel.writestr("one-1.0.dist-info/licenses/LICENSE.txt", "text")
    assert list(bundle_licences.wheels(tmp_path)) == [("python/one-1.0", {"LICENSE.txt": b"text"})]


def test_the_licences_of_c_libraries_of_the_bundled_programs_alone(tmp_path: Path) -> None:
    (tmp_path / "libseccomp-dev").mkdir()
    (tmp_path / "libseccomp-dev/copyright").write_text("text")
    inventory = Inventory.read(Path(__file__).resolve().parents[3])
    found = list(bundle_licences.libraries(inventory, ["runc", "helm"], tmp_path))
    assert found == [("debian/libc6-dev", {}), ("debian/libseccomp-dev", {"copyright": b"text"})]
    assert not list(bundle_licences.libraries(inventory, ["helm"], tmp_path))


def test_a_tar_is_not_read_beyond_its_member() -> None:
    part = bundle_archive.Part(io.BytesIO(b"0123456789"), 4)
    assert (part.read(3), part.read(3), part.read()) == (b"012", b"3", b"")
