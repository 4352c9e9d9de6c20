# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The certificates of a node: whether those that kubeadm makes for a year must be renewed, and one for a provider's webhook."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

# As long before the end as that they are renewed by any run.
AHEAD = timedelta(days=30)
# Of these a node has one for its whole life.
AUTHORITIES = ("ca.crt", "front-proxy-ca.crt")
# As long as Crossplane makes those of webhooks for, and as large.
WEBHOOK_DAYS, WEBHOOK_KEY_BITS = 3650, 2048


def due(kubernetes: Path, kubelet: Path, now: datetime) -> list[str]:
    """Which certificates are not valid now, or end soon, as `apiserver.crt until 2026-11-29`.

    `kubernetes` and `kubelet` are the node's folders /etc/kubernetes and /var/lib/kubelet.
    """
    return [
        f"{name} until {one.not_valid_after_utc:%Y-%m-%d}"
        for name, one in certificates(kubernetes, kubelet)
        if not one.not_valid_before_utc <= now < one.not_valid_after_utc - AHEAD
    ]


def certificates(kubernetes: Path, kubelet: Path) -> Iterator[tuple[str, x509.Certificate]]:
    """All but the authorities', by the names of their files."""
    for path in sorted(kubernetes.glob("pki/**/*.crt")):
        if path.name not in AUTHORITIES:
            yield path.name, x509.load_pem_x509_certificate(path.read_bytes())
    for path in sorted(kubernetes.glob("*.conf")):
        for data in _embedded(yaml.safe_load(path.read_text())):
            yield path.name, x509.load_pem_x509_certificate(data)
    # What the kubelet serves with, and what it has renewed by itself, a file that its kubeconfig names then.
    for name in ("kubelet.crt", "kubelet-client-current.pem"):
        if (path := kubelet / "pki" / name).exists():
            yield name, x509.load_pem_x509_certificate(path.read_bytes())


def _embedded(kubeconfig: dict[str, Any]) -> Iterator[bytes]:
    for one in kubeconfig.get("users") or []:
        if data := one["user"].get("client-certificate-data"):
            yield base64.b64decode(data)


def of_webhook(service: str, namespace: str, now: datetime) -> tuple[bytes, bytes]:
    """A certificate that signs itself and its key (PEM, the key as PKCS#1), by which a Service serves a webhook.

    Crossplane has the API server trust this certificate itself, whatever its issuer.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=WEBHOOK_KEY_BITS)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{service}.{namespace}.svc")])
    names = [x509.DNSName(one) for one in (service, f"{service}.{namespace}", f"{service}.{namespace}.svc")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # The clocks of the node's programs are the machine's; one that is put back a little does no harm.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=WEBHOOK_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private
