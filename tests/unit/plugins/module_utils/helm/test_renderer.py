"""Numbers of replicas that others have set, in a manifest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.helm import renderer as helm_renderer
from ansible_collections.localcloud.stack.plugins.module_utils.helm.renderer import DECLARED, Scaled, argument, kept

WEB = Scaled("apps/v1", "Deployment", "shops", "web", 5, 2, "kubectl")
HEAD = "# Source: shop/templates/all.yaml\n"
OTHER = HEAD + "kind: ConfigMap\ndata: {replicas: '2', on: yes}  # kept\n"
MADE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}{more}}}
spec: {{replicas: {replicas}, template: {{env: "yes", other: "1e3"}}}}
"""


def made(name: str = "web", replicas: int = 2, more: str = "") -> str:
    return MADE.format(name=name, replicas=replicas, more=more)


def test_only_the_workload_that_is_meant_is_changed() -> None:
    untouched = f"---\n{OTHER}---\n{made('api')}---\n{made(more=', namespace: elsewhere')}"
    assert kept(untouched, [WEB], "shops") == untouched
    *others, web = yaml.safe_load_all(kept(f"{untouched}---\n{HEAD}{made()}", [WEB], "shops"))
    assert others == list(yaml.safe_load_all(untouched))
    assert web["spec"] == {"replicas": 5, "template": {"env": "yes", "other": "1e3"}}
    assert web["metadata"] == {"name": "web", "annotations": {DECLARED: "2"}}


def test_another_number_than_before_is_as_declared() -> None:
    assert kept(made(replicas=3), [WEB], "shops") == made(replicas=3)


def test_annotations_and_a_namespace_that_is_named_stay() -> None:
    text = made(more=", namespace: shops, annotations: {a: b}")
    assert yaml.safe_load(kept(text, [WEB], "other"))["metadata"]["annotations"] == {"a": "b", DECLARED: "2"}


def test_it_is_a_program_that_needs_nothing_of_the_collection(tmp_path: Path) -> None:
    program = tmp_path / "renderer.py"
    program.write_text(Path(helm_renderer.__file__).read_text())
    command = [sys.executable, "-I", program, argument([WEB], "shops")]
    done = subprocess.run(command, input=made(), capture_output=True, text=True, check=True)
    assert done.stdout == kept(made(), [WEB], "shops")
