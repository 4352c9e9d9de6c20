# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the node's control plane and kubelet do for security beyond kubeadm's defaults. Pure.

The CIS benchmark for Kubernetes says what there is to do; tests/integration/test_node_security.py asks kube-bench, and docs/node-security.md
lists what is left, with the reason.
"""

from __future__ import annotations

from typing import Any

# Where the API server's pod has the files below, and its log.
SETTINGS, AUDIT_LOG = "/etc/kubernetes/settings", "/var/log/kubernetes/audit"
# Made by the kubelet for itself before it starts the first pod; also what metrics-server and Prometheus trust.
KUBELET_CERTIFICATE = "/var/lib/kubelet/pki/kubelet.crt"
# Programs that run beside the kubelet, and who each is to the API server. The first has its role from Kubernetes.
USERS = {"kube-proxy": "system:kube-proxy", "kube-router": "localcloud:kube-router"}
CIPHERS = (
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
)
Json = dict[str, Any]


def api_server(settings: str, audit_log: str) -> Json:
    """kubeadm's description of the API server. `settings`, `audit_log`: the folders in the node for these."""
    arguments = {
        "profiling": "false",
        "audit-policy-file": f"{SETTINGS}/audit.yml",
        "audit-log-path": f"{AUDIT_LOG}/audit.log",
        "audit-log-mode": "batch",
        "audit-log-maxage": "30",
        "audit-log-maxbackup": "10",
        "audit-log-maxsize": "100",
        "authentication-config": f"{SETTINGS}/authentication.yml",
        "encryption-provider-config": f"{SETTINGS}/encryption.yml",
        "kubelet-certificate-authority": KUBELET_CERTIFICATE,
        # That certificate has the node's name alone.
        "kubelet-preferred-address-types": "Hostname",
        "tls-cipher-suites": ",".join(CIPHERS),
    }
    return {
        "extraArgs": _arguments(arguments),
        "extraVolumes": [
            _volume("settings", settings, SETTINGS, "Directory"),
            _volume("audit-log", audit_log, AUDIT_LOG, "DirectoryOrCreate", writable=True),
            _volume("kubelet-certificate", KUBELET_CERTIFICATE, KUBELET_CERTIFICATE, "File"),
        ],
    }


def controller(**arguments: str) -> Json:
    """kubeadm's description of the controller manager or scheduler. They elect among themselves only, and there is one of each."""
    return {"extraArgs": _arguments({"leader-elect": "false", "profiling": "false", **arguments})}


# Of KubeletConfiguration.
KUBELET: Json = {
    "readOnlyPort": 0,
    "podPidsLimit": 4096,
    "seccompDefault": True,
    "tlsCipherSuites": list(CIPHERS),
}


def _arguments(arguments: dict[str, str]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in arguments.items()]


def _volume(name: str, here: str, there: str, kind: str, *, writable: bool = False) -> Json:
    return {"name": name, "hostPath": here, "mountPath": there, "pathType": kind, "readOnly": not writable}


def audit_policy() -> Json:
    """Who changed what, and who read which secret; no contents, and nothing of the components' own coming and going."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
            {
                "level": "None",
                "resources": [{"group": group, "resources": ["events"]} for group in ("", "events.k8s.io")],
            },
            {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets", "serviceaccounts/token"]}]},
            {"level": "None", "verbs": ["get", "list", "watch"]},
            {"level": "Metadata"},
        ],
    }


def authentication() -> Json:
    """Without credentials only whether the API server lives and is ready is told."""
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": True, "conditions": [{"path": path} for path in ("/livez", "/readyz", "/healthz")]},
    }


def encryption(key: str) -> Json:
    """Secrets are stored encrypted by this key (32 bytes, base64). What a base has brought is read as it is."""
    providers = [{"secretbox": {"keys": [{"name": "node", "secret": key}]}}, {"identity": {}}]
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": providers}],
    }


def kube_router_role() -> list[Json]:
    """What kube-router reads for NetworkPolicies, and that its user may."""
    read = ["get", "list", "watch"]
    name, group = USERS["kube-router"], "rbac.authorization.k8s.io"
    core = ["namespaces", "pods", "services", "nodes", "endpoints"]
    return [
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [
                {"apiGroups": [""], "resources": core, "verbs": read},
                {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": read},
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read},
            ],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": name}],
        },
    ]
