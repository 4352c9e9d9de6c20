"""A running stack is brought to the next Kubernetes: no request of the users API fails, no pod of an application ends, and nothing is left to do."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import project_releases

from tests.integration.playbook_output import changed_tasks

PROJECT = Path(__file__).resolve().parents[2]
NAMESPACE = "devopstest"
ENGINE = {"localstack_service_engine": "ministack"}
NODE = "localcloud.stack.cluster : Run the embedded node"


def containers(stack: Any) -> dict[str, str]:
    """The running containers of the stack's own pods, by pod."""
    pods = json.loads(stack.kubectl("get", "pods", "--namespace", NAMESPACE, "-o", "json"))["items"]
    return {
        pod["metadata"]["name"]: ",".join(sorted(one["containerID"] for one in pod["status"]["containerStatuses"]))
        for pod in pods
        if pod["status"]["phase"] == "Running"
    }


def version(stack: Any) -> str:
    (node,) = json.loads(stack.kubectl("get", "nodes", "-o", "json"))["items"]
    return str(node["status"]["nodeInfo"]["kubeletVersion"])


@contextmanager
def asked(url: str) -> Iterator[list[str]]:
    """One request after the other, each by a connection of its own; what came of each."""
    said: list[str] = []
    ends = threading.Event()

    def ask() -> None:
        while not ends.is_set():
            try:
                said.append(str(httpx2.get(url, timeout=20).status_code))
            except httpx2.HTTPError as error:
                said.append(repr(error))
            ends.wait(0.02)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield said
    finally:
        ends.set()
        thread.join()


def test_a_running_stack_goes_to_the_next_kubernetes(stack: Any, playbook: Callable[..., Any]) -> None:
    newest, before = list(project_releases(PROJECT).values())[:2]
    assert version(stack) == before
    there = containers(stack)
    predicted = changed_tasks(playbook("site.yml", "--check", **ENGINE).stdout)
    assert NODE in predicted
    with asked(f"{stack.env['USERS_API_URL']}/users?limit=1") as said:
        done = playbook("site.yml", **ENGINE)
    assert done.returncode == 0, done.stdout[-6000:]
    assert f"upgraded in place from Kubernetes {before} to {newest}" in " ".join((done.stdout + done.stderr).split())
    assert set(said) == {"200"}, [one for one in said if one != "200"]
    assert version(stack) == newest
    assert containers(stack) == there
    assert changed_tasks(playbook("site.yml", **ENGINE).stdout) == []


def relabelled(archive: Path, target: Path) -> Path:
    """The same image with a label more, so that it is another one. An archive as `docker save` writes it."""
    with tarfile.open(archive) as old, tarfile.open(target, "w") as new:

        def text(name: str) -> Any:
            return json.load(old.extractfile(name))  # type: ignore[arg-type]

        def add(name: str, content: Any) -> None:
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))

        (manifest,) = text("manifest.json")
        config = text(manifest["Config"])
        config["config"]["Labels"] = {**(config["config"].get("Labels") or {}), "of": "the test"}
        for member in old:
            if member.name in manifest["Layers"]:
                new.addfile(member, old.extractfile(member))
        add(manifest["Config"], config)
        add("manifest.json", [manifest])
    return target


def pushed(stack: Any, part: str, folder: Path) -> str:
    """The reference of an image in the node's registry that does what this part does, as if another version were pinned."""
    image = f"{stack.facts['registry']}/another/{part}:1"
    archive = relabelled(Path(stack.facts["parts"][part]["path"]) / "image.tar", folder / f"{part}.tar")
    command = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"docker-archive:{archive}", f"docker://{image}"]
    subprocess.run(command, check=True)
    return image


def images(stack: Any) -> set[str]:
    """The images of Crossplane's core and providers that run."""
    pods = json.loads(stack.kubectl("get", "pods", "--namespace", "crossplane-system", "-o", "json"))["items"]
    return {one["image"] for pod in pods if pod["status"]["phase"] == "Running" for one in pod["spec"]["containers"]}


def test_crossplane_and_provider_are_replaced_while_applications_serve(
    stack: Any, playbook: Callable[..., Any], tmp_path: Path
) -> None:
    there, before = containers(stack), images(stack)
    crossplane, provider = (pushed(stack, part, tmp_path) for part in ("crossplane-image", "provider-aws-image"))
    (installed,) = json.loads(stack.kubectl("get", "providers.pkg.crossplane.io", "-o", "json"))["items"]
    package = {"name": installed["metadata"]["name"], "package": installed["spec"]["package"], "image": provider}
    settings = {**ENGINE, "crossplane_image": crossplane, "crossplane_providers": [package]}
    assert changed_tasks(playbook("site.yml", "--check", **settings).stdout) != []
    with asked(f"{stack.env['USERS_API_URL']}/users?limit=1") as said:
        done = playbook("site.yml", **settings)
    assert done.returncode == 0, done.stdout[-6000:]
    assert set(said) == {"200"}, [one for one in said if one != "200"]
    assert {crossplane, provider} <= images(stack)
    assert containers(stack) == there
    assert changed_tasks(playbook("site.yml", **settings).stdout) == []
    done = playbook("site.yml", **ENGINE)
    assert done.returncode == 0, done.stdout[-6000:]
    assert images(stack) == before
    assert containers(stack) == there


def test_it_does_not_go_back(stack: Any, playbook: Callable[..., Any]) -> None:
    before = list(project_releases(PROJECT))[1]
    begun = time.time()
    done = playbook("site.yml", **ENGINE, cluster_kubernetes=before)
    assert done.returncode != 0
    assert "does not go back to an older minor version" in " ".join(done.stdout.split())
    started = [
        pod["metadata"]["creationTimestamp"]
        for pod in json.loads(stack.kubectl("get", "pods", "-A", "-o", "json"))["items"]
    ]
    assert not [one for one in started if one > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun))]
