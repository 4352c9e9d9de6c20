# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kubernetes API as our modules need it. The only file that imports the client."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import tempfile
import typing as t

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import (
    DEFAULT_KUBECONFIG,
    UndecidedClusterError,
    chosen_cluster,
    own_networks,
    proxy_for,
)
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import printable
from ansible_collections.localcloud.stack.plugins.module_utils.k8s.api import (
    ApiError,
    KubernetesError,
    PatientApi,
    UntrustedError,
    events_of,
)

try:
    import urllib3
    from kubernetes import client as kubernetes_client
    from kubernetes import config as kubernetes_config
    from kubernetes.client.rest import ApiException
    from kubernetes.dynamic import DynamicClient
    from urllib3.util.ssl_ import create_urllib3_context

    KUBERNETES_IMPORT_ERROR: ImportError | None = None
except ImportError as error:
    KUBERNETES_IMPORT_ERROR = error

Json = dict[str, t.Any]
# As the doc fragment "kubernetes" describes them; chosen_cluster() says what stands in for one that is not given.
KUBERNETES_ARGUMENTS: dict[str, t.Any] = {"kubeconfig": {"type": "path"}, "context": {"type": "str"}}
UNTRUSTED = "certificate verify failed"
MERGE_PATCH = "application/merge-patch+json"
YAML = "application/yaml"
CONNECT_TIMEOUT = 3
READ_TIMEOUT = 15
# Seconds for an API server that has much to do, as when new kinds are made.
PATIENCE = 60


class _NoDiscovery:
    """The dynamic client's own discovery reads every group and keeps a file in /tmp that may be stale.

    We ask for one group at a time.
    """

    def __init__(self, client: t.Any, cache_file: t.Any) -> None:
        pass


class KubernetesApi:
    def __init__(self, kubeconfig: str | None = None, context: str | None = None) -> None:
        self._where = (kubeconfig, context)
        self._dynamic: t.Any = None

    def connect(self) -> None:
        """Reads the kubeconfig: KubernetesError if it can't be used. Asks nothing of the server."""
        if self._dynamic is None:
            self._dynamic = DynamicClient(_connect(*self._where), discoverer=_NoDiscovery)

    def server(self) -> str:
        """The URL of the API server that the kubeconfig names. Call C(connect) first."""
        return str(self._dynamic.client.configuration.host)

    def get(self, path: str, params: t.Mapping[str, str]) -> Json:
        response = self._request(path, params, READ_TIMEOUT)
        try:
            return t.cast("Json", json.loads(response.data))
        except ValueError as error:
            raise ApiError(0, "the answer is not JSON: is this a Kubernetes API server?") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _silence(error) from error
        finally:
            response.release_conn()

    def watch(self, path: str, params: t.Mapping[str, str], silence: float) -> t.Iterator[Json]:
        """Watch events as they come. C(silence) seconds without any byte mean that the connection is dead."""
        response = self._request(path, params, silence)
        try:
            yield from events_of(response.stream(amt=None, decode_content=False))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _silence(error) from error
        finally:
            response.close()

    def text(self, path: str, params: t.Mapping[str, str]) -> str:
        """An answer that is not JSON. ApiError if there is none."""
        response = self._request(path, params, READ_TIMEOUT)
        try:
            return bytes(response.data).decode("utf-8", errors="replace")
        finally:
            response.release_conn()

    def merge(self, path: str, patch: Json) -> None:
        """Change an object by a JSON merge patch. ApiError if that is refused."""
        _finish(self._request(path, {}, READ_TIMEOUT, "patch", body=patch, content_type=MERGE_PATCH))

    def delete(self, path: str, uid: str, foreground: bool = False) -> None:
        """Delete the object of this UID. ApiError if that is refused, with status 409 if another has its name by now."""
        policy = {"propagationPolicy": "Foreground"} if foreground else {}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}, **policy}
        _finish(self._request(path, {}, READ_TIMEOUT, "delete", body=options))

    def create(self, path: str, text: str) -> None:
        """Create an object in a list's path from YAML. ApiError if that is refused, with status 409 if it is there already."""
        _finish(self._request(path, {}, READ_TIMEOUT, "post", body=text, content_type=YAML))

    def _request(
        self, path: str, params: t.Mapping[str, str], read_timeout: float, method: str = "get", **more: t.Any
    ) -> t.Any:
        try:
            return self._dynamic.request(
                method,
                path,
                serialize=False,
                query_params=list(params.items()),
                _request_timeout=(CONNECT_TIMEOUT, read_timeout),
                **more,
            )
        except ApiException as error:
            if not error.status:  # for TLS the client says so by an exception of its own
                raise _silence(error.reason) from error
            raise ApiError(error.status, _api_message(error)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _silence(error) from error


def _finish(response: t.Any) -> None:
    """Read an answer that is not needed to its end, as the next request on the connection would take the rest for its own answer."""
    response.drain_conn()
    response.release_conn()


def require_client() -> None:
    """Raise KubernetesError where the Python client is not installed."""
    if KUBERNETES_IMPORT_ERROR:
        raise KubernetesError(missing_required_lib("kubernetes"))


@contextlib.contextmanager
def cluster_of(params: t.Mapping[str, t.Any], failing: str, likely: str) -> t.Iterator[PatientApi]:
    """The cluster of a module's arguments, to be read patiently.

    Raises KubernetesError where that can't be: C(failing) says what is not done then, C(likely) the cause.
    """
    require_client()
    api = KubernetesApi(params["kubeconfig"], params["context"])
    api.connect()
    try:
        yield PatientApi(api, PATIENCE)
    except ApiError as error:
        raise KubernetesError(
            f"{failing}: {error.message}. Likely {likely}. Look at kubeconfig and context."
        ) from error


def _connect(kubeconfig: str | None, context: str | None) -> t.Any:
    try:
        path, chosen = chosen_cluster(kubeconfig, context, os.environ)
    except UndecidedClusterError as error:
        raise KubernetesError(str(error)) from error
    configuration = kubernetes_client.Configuration()
    # We reconnect ourselves; urllib3's own retries would only hide for how long the server has been away.
    configuration.retries = False
    # The client takes the environment's for every server; the kubeconfig's own is set when that is read.
    configuration.proxy = None
    try:
        with tempfile.TemporaryDirectory() as certificates:
            if path is None:
                kubernetes_config.load_incluster_config(client_configuration=configuration)
            else:
                kubernetes_config.load_kube_config(
                    config_file=path,
                    context=chosen,
                    client_configuration=configuration,
                    temp_file_path=certificates,
                )
            if configuration.proxy is None:
                configuration.proxy = proxy_for(configuration.host, os.environ, own_networks())
            client = kubernetes_client.ApiClient(configuration)
            _take_certificates(client, configuration)
    except Exception as error:  # the client raises its own, yaml's, base64's and the system's errors here
        raise KubernetesError(
            f"The kubeconfig {path or DEFAULT_KUBECONFIG} cannot be used{f' with context {chosen}' if chosen else ''} "
            f"({_first_line(error)}); likely the path or context is wrong. Set kubeconfig or KUBECONFIG, and context."
        ) from error
    return client


def _take_certificates(client: t.Any, configuration: t.Any) -> None:
    """Read certificates and key into memory, once.

    The client would read them for each connection, from files that it writes itself where the kubeconfig holds them. It removes
    these when Python ends, which the processes of Ansible's tasks do not let it do: the key would stay on the disk.
    """
    tls = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE)
    if configuration.ssl_ca_cert:
        tls.load_verify_locations(configuration.ssl_ca_cert)
    else:
        tls.load_default_certs()
    if configuration.cert_file:
        tls.load_cert_chain(configuration.cert_file, configuration.key_file)
    client.rest_client.pool_manager.connection_pool_kw.update(
        ssl_context=tls, ca_certs=None, cert_file=None, key_file=None
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _api_message(error: t.Any) -> str:
    try:
        return printable(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return _reason(error.reason or f"HTTP {error.status}")


def _silence(error: object) -> ApiError:
    """Why there was no answer."""
    reason = _reason(error)
    return UntrustedError(reason) if reason == UNTRUSTED else ApiError(0, reason)


def _reason(error: object) -> str:
    text = " ".join(str(error).split())
    for known in (
        "Connection refused",
        "Connection reset",
        "No route to host",
        "timed out",
        "Name or service not known",
        UNTRUSTED,
    ):
        if known.lower() in text.lower():
            return known.lower()
    return text or type(error).__name__
