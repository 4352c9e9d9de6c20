# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which variables of the environment redirect a client, and what is done about them. Pure: the environment is an argument.

Kubeconfig, context, endpoint and account come from arguments. A variable that would lead a client elsewhere is left out.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import socket
import typing as t
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import PrintableError

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml
try:
    import psutil
except ImportError:  # addresses of this machine's own networks are then not known to be direct
    psutil = None

Environment = t.Mapping[str, str]
Networks = t.Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]

# What kubernetes.core takes where an option is not given: kubernetes/core/plugins/module_utils/args_common.py, client.py.
_KUBERNETES_CORE = (
    "API_KEY", "CA_CERT", "CERT_FILE", "CLIENT_CERT", "CLIENT_KEY", "CONTEXT", "HOST", "IMPERSONATE_GROUPS",
    "IMPERSONATE_USER", "KEY_FILE", "KUBECONFIG", "NO_PROXY", "PASSWORD", "PERSIST_CONFIG", "PROXY", "PROXY_HEADERS",
    "PROXY_HEADERS_BASIC_AUTH", "PROXY_HEADERS_PROXY_BASIC_AUTH", "PROXY_HEADERS_USER_AGENT", "SSL_CA_CERT", "USERNAME",
    "VALIDATE_CERTS", "VERIFY_SSL",
)  # fmt: skip
# https://helm.sh/docs/helm/helm/ lists them. What is not here (folders, repositories, registries) leads no release elsewhere.
_HELM = (
    "BIN", "DEBUG", "DRIVER", "DRIVER_SQL_CONNECTION_STRING", "KUBEAPISERVER", "KUBEASGROUPS", "KUBEASUSER", "KUBECAFILE",
    "KUBECONTEXT", "KUBEINSECURE_SKIP_TLS_VERIFY", "KUBETLS_SERVER_NAME", "KUBETOKEN", "MAX_HISTORY", "NAMESPACE",
)  # fmt: skip
# Of clients of Kubernetes and Helm.
CLUSTER_VARIABLES = (*(f"K8S_AUTH_{name}" for name in _KUBERNETES_CORE), *(f"HELM_{name}" for name in _HELM))
_CLUSTER_PATTERN = re.compile(r"K8S_AUTH_\w+|HELM_KUBE\w+|" + "|".join(CLUSTER_VARIABLES))
# They name a cluster by themselves, without a kubeconfig.
_CLUSTER_ALONE = ("K8S_AUTH_HOST", "HELM_KUBEAPISERVER")
# Of clients of AWS: endpoint, account and trust. https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
_AWS_PATTERN = re.compile(
    r"AWS_(ENDPOINT_URL(_\w+)?|IGNORE_CONFIGURED_ENDPOINT_URLS|(DEFAULT_)?PROFILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE|CA_BUNDLE"
    r"|DATA_PATH|USE_FIPS_ENDPOINT|USE_DUALSTACK_ENDPOINT|STS_REGIONAL_ENDPOINTS|DEFAULTS_MODE)"
)
# As each program reads them, in one case or the other.
PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy")
# All that a machine's own programs need of the environment. Others are settings: Docker's registry takes each REGISTRY_* for one.
_MACHINE_PATTERN = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TERM|TMPDIR|SSL_CERT_\w+|LOCALCLOUD_\w+|NO_PROXY|no_proxy"
)
WITHOUT_PROXIES = ("env", *(word for name in PROXIES for word in ("-u", name)))
DEFAULT_KUBECONFIG = "~/.kube/config"


class UndecidedClusterError(PrintableError):
    """The environment leaves open which cluster is meant; the message names the variables and the next step."""


class Cluster(t.NamedTuple):
    """Which cluster is meant. C(kubeconfig) is None for the pod's service account, C(context) for the current one."""

    kubeconfig: str | None
    context: str | None


def cluster_variables(names: t.Iterable[str]) -> list[str]:
    """Those of these variables that lead clients of Kubernetes or Helm elsewhere."""
    return sorted(name for name in names if _CLUSTER_PATTERN.fullmatch(name))


def without_cluster_variables(environ: Environment) -> dict[str, str]:
    """The environment for a process of kubectl, Helm or the Kubernetes client."""
    return {name: value for name, value in environ.items() if not _CLUSTER_PATTERN.fullmatch(name)}


def without_redirection(environ: Environment) -> dict[str, str]:
    """The environment for a program whose cluster and AWS are said otherwise."""
    return {
        name: value for name, value in without_cluster_variables(environ).items() if not _AWS_PATTERN.fullmatch(name)
    }


def for_machine(environ: Environment, near: t.Sequence[str] = ()) -> dict[str, str]:
    """The environment for programs that a machine of our own consists of.

    With C(near), the addresses and networks that are reached directly, it has the proxies for everything else.
    """
    kept = {name: value for name, value in environ.items() if _MACHINE_PATTERN.fullmatch(name)}
    proxies = {name: environ[name] for name in PROXIES if name in environ}
    if not near or not proxies:
        return kept
    excepted = ",".join(
        filter(None, (environ.get("no_proxy") or environ.get("NO_PROXY"), "localhost,127.0.0.0/8", *near))
    )
    return {**kept, **proxies, "NO_PROXY": excepted, "no_proxy": excepted}


def chosen_cluster(kubeconfig: str | None, context: str | None, environ: Environment) -> Cluster:
    """The cluster of these arguments; an empty one counts as not given.

    Variables stand in for a kubeconfig that is not given: K8S_AUTH_KUBECONFIG with K8S_AUTH_CONTEXT, then KUBECONFIG, then the
    default file, then the pod's service account. Raises UndecidedClusterError where they name a cluster without a kubeconfig.
    """
    if kubeconfig:
        return Cluster(os.path.expanduser(kubeconfig), context or None)
    alone = [name for name in _CLUSTER_ALONE if environ.get(name)]
    if alone and not environ.get("K8S_AUTH_KUBECONFIG"):
        raise UndecidedClusterError(
            f"No kubeconfig is given, and the environment names a cluster by {' and '.join(alone)}, which is not used: only a "
            "kubeconfig decides which cluster is meant. Give kubeconfig and context, or unset the variable, then run again."
        )
    path = environ.get("K8S_AUTH_KUBECONFIG") or environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    expanded = os.path.expanduser(path)
    if path == DEFAULT_KUBECONFIG and not os.path.exists(expanded) and "KUBERNETES_SERVICE_HOST" in environ:
        return Cluster(None, None)
    return Cluster(expanded, context or environ.get("K8S_AUTH_CONTEXT") or None)


def docker_problem(environ: Environment) -> str | None:
    """Why Docker may not be used: a variable leads its client to another machine, or to what a context's name does not tell."""
    host = environ.get("DOCKER_HOST") or ""
    named = (f"DOCKER_HOST={host}", f"DOCKER_CONTEXT={environ.get('DOCKER_CONTEXT')}")
    if host.startswith(("unix://", "npipe://", "fd://")):
        return None
    chosen = named[0] if host else named[1] if environ.get("DOCKER_CONTEXT", "default") not in ("", "default") else None
    return chosen and (
        f"Docker is needed here, but {chosen} leads it elsewhere, perhaps to another machine's. Unset that, choose the context "
        "with `docker context use`, or deliver images without Docker (a registry with skopeo), then run again."
    )


def podman_problem(environ: Environment) -> str | None:
    """Why Podman may not be used: a variable leads its client to another machine, or to what may be one."""
    host = environ.get("CONTAINER_HOST") or ""
    connection = environ.get("CONTAINER_CONNECTION") or ""
    chosen = f"CONTAINER_HOST={host}" if host else f"CONTAINER_CONNECTION={connection}" if connection else None
    if chosen is None or host.startswith("unix://"):
        return None
    return (
        f"Podman is needed here, but {chosen} leads it elsewhere, perhaps to another machine's. Unset that, choose the connection with "
        "`podman system connection default`, or deliver images without Podman (a registry with skopeo), then run again."
    )


def own_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The networks that this machine has an address in."""
    if psutil is None:
        return []
    families = (socket.AF_INET, socket.AF_INET6)
    found = (one for addresses in psutil.net_if_addrs().values() for one in addresses if one.family in families)
    return [network(one.address, one.netmask) for one in found if one.netmask]


def network(address: str, netmask: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The network of an address. Python takes no mask of IPv6, but the number of its bits."""
    bits = int(ipaddress.ip_address(netmask)).bit_count()
    return ipaddress.ip_network(f"{address.split('%', maxsplit=1)[0]}/{bits}", strict=False)


def is_direct(host: str, networks: Networks) -> bool:
    """Whether a host is reached without a proxy, whatever the environment says: this machine and what it is next to."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (
        address.is_loopback
        or address.is_link_local
        or any(address in network for network in networks if network.version == address.version)
    )


def server_of(kubeconfig: t.Mapping[str, t.Any], context: str | None) -> str | None:
    """The URL of the API server that a kubeconfig's content reaches without a proxy of its own; None where there is none."""
    try:
        name = context or kubeconfig["current-context"]
        (chosen,) = (one["context"] for one in kubeconfig["contexts"] if one["name"] == name)
        (cluster,) = (one["cluster"] for one in kubeconfig["clusters"] if one["name"] == chosen["cluster"])
        return None if cluster.get("proxy-url") else str(cluster["server"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def api_server(kubeconfig: t.Any, context: str | None) -> str | None:
    """As server_of(), of a kubeconfig's content, or of one or more files; None also where one can't be read."""
    if isinstance(kubeconfig, t.Mapping):
        return server_of(kubeconfig, context)
    for path in (kubeconfig or "").split(os.pathsep):
        try:
            with open(os.path.expanduser(path)) as file:
                found = server_of(yaml.safe_load(file), context)
        except (OSError, ValueError, yaml.YAMLError):
            continue
        if found:
            return found
    return None


def proxy_for(url: str, environ: Environment, networks: Networks) -> str | None:
    """The proxy that the environment names for this URL, but for exceptions in NO_PROXY; None if it is reached directly."""
    parts = urlsplit(url)
    if not parts.hostname or is_direct(parts.hostname, networks):
        return None
    # Lower case goes first, as with curl and Python.
    names = (f"{parts.scheme}_proxy", f"{parts.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    return next((environ[name] for name in names if environ.get(name)), None)


def addresses_of(host: str) -> list[str]:
    """A host's addresses, none where it does not resolve."""
    try:
        return [str(one[4][0]).split("%", maxsplit=1)[0] for one in socket.getaddrinfo(host, None)]
    except (OSError, UnicodeError):
        return []


def client_proxy(
    url: str, environ: Environment, networks: Networks, resolve: t.Callable[[str], list[str]] = addresses_of
) -> str | None:
    """The proxy for a client that reads no variables itself: as proxy_for(), but NO_PROXY counts.

    A host is also reached directly if all of its addresses are private, as those of a cluster's services are.
    """
    found = proxy_for(url, environ, networks)
    host = urlsplit(url).hostname or ""
    excepted = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if not found or (excepted and proxy_bypass_environment(urlsplit(url).netloc.rpartition("@")[2], {"no": excepted})):
        return None
    addresses = resolve(host)
    private = (is_direct(one, networks) or ipaddress.ip_address(one).is_private for one in addresses)
    return None if addresses and all(private) else found


def proxy_exception(url: str | None, environ: Environment, networks: Networks) -> dict[str, str]:
    """Variables to set so that a proxy of the environment is not used for this URL; none where that may be as it is."""
    host = urlsplit(url or "").hostname
    if not host or not is_direct(host, networks):
        return {}
    # Clients read one case or the other.
    given = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    excepted = ",".join(part for part in (given, host) if part)
    return {"NO_PROXY": excepted, "no_proxy": excepted}
