"""kubectl's route to a Service, past the proxies of the environment where the API server is near."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any, ClassVar

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


@pytest.mark.parametrize("gone", [True, False])
def test_a_forward_to_a_pod_that_is_gone_is_noticed(gone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_forward, "PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            connection, _address = server.accept()
            with connection:
                if not gone:
                    connection.recv(1)

        thread = threading.Thread(target=accept)
        thread.start()
        assert port_forward.leads_somewhere(server.getsockname()[1]) is not gone
        thread.join()


def test_a_port_that_is_closed_leads_nowhere() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not port_forward.leads_somewhere(port)


def test_pods_that_are_ending_are_named() -> None:
    """kubectl would take the oldest pod that is ready, also while it ends."""
    asked = []

    class Api:
        pods: ClassVar = [
            {"metadata": {"name": "web-1", "deletionTimestamp": "2026-11-01T12:00:00Z"}},
            {"metadata": {"name": "web-2"}},
        ]

        def get(self, path: str, params: dict[str, str]) -> dict[str, Any]:
            asked.append((path, params))
            return (
                {"items": self.pods} if path.endswith("/pods") else {"spec": {"selector": {"app": "web", "tier": "a"}}}
            )

    api, arguments = Api(), {"namespace": "shop", "service": "web"}
    assert port_forward.ending_pods(api, arguments) == "web-1"
    assert asked == [
        ("/api/v1/namespaces/shop/services/web", {}),
        ("/api/v1/namespaces/shop/pods", {"labelSelector": "app=web,tier=a"}),
    ]
    Api.pods.pop(0)
    assert port_forward.ending_pods(api, arguments) is None
