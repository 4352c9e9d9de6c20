"""kubectl's route to a Service, past the proxies of the environment where the API server is near."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.localcloud.stack.plugins.modules import port_forward


@pytest.mark.parametrize(("server", "direct"), [("https://127.0.0.1:6443", True), ("https://api.example.org", False)])
def test_an_api_server_that_is_near_is_asked_directly(tmp_path: Path, server: str, direct: bool) -> None:
    kubeconfig = tmp_path / "config"
    content = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
    }
    kubeconfig.write_text(json.dumps(content))
    arguments = {"kubectl": "/bin/kubectl", "kubeconfig": str(kubeconfig), "context": "c", "namespace": "shop"}
    program = port_forward.program_of({**arguments, "service": "web", "service_port": 80, "local_port": None})
    assert program.argv[-4:] == ["--address", "127.0.0.1", "service/web", "{port}:80"]
    assert (program.argv[:3] == ["env", "-u", "ALL_PROXY"]) is direct
    assert ("/bin/kubectl" in program.argv[:1]) is not direct
