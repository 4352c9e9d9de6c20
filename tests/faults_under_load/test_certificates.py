"""A node that is a year old: every certificate has ended, and a run renews them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from tests.faults_under_load.catalog import injects

ENDED = timedelta(days=1)
# Whose certificates the kubelet reads by itself, without a run.
SERVERS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "kubelet")
EMBEDDED = re.compile(r"(client-certificate-data: )(\S+)")


def ended(certificate: x509.Certificate, authority: x509.Certificate, key: Any) -> bytes:
    """The same certificate, of the same authority, but for its time."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(authority.subject)
        .public_key(certificate.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=366))
        .not_valid_after(now - ENDED)
    )
    for extension in certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Authorities:
    """The node's own authorities, by what they are called."""

    def __init__(self, folder: Path) -> None:
        self.known = {}
        for name in ("ca", "front-proxy-ca", "etcd/ca"):
            certificate = x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
            key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
            self.known[certificate.subject] = (certificate, key)

    def ended(self, pem: bytes) -> bytes:
        """A certificate that has ended instead of this one; the authorities' own stay."""
        certificate = x509.load_pem_x509_certificate(pem)
        if certificate.subject in self.known:
            return pem
        return ended(certificate, *self.known[certificate.issuer])


def end_all(etc: Path, kubelet: Path) -> Iterator[str]:
    """End every certificate of the node; yields what they are."""
    authorities = Authorities(etc / "pki")
    for path in etc.glob("pki/**/*.crt"):
        before = path.read_bytes()
        path.write_bytes(authorities.ended(before))
        if path.read_bytes() != before:
            yield path.name
    for path in etc.glob("*.conf"):
        text = path.read_text()
        if found := EMBEDDED.search(text):
            pem = authorities.ended(base64.b64decode(found[2]))
            path.write_text(EMBEDDED.sub(rf"\g<1>{base64.b64encode(pem).decode()}", text))
            yield path.name
    # The kubelet's own, which is its own authority.
    serving = kubelet / "pki/kubelet.crt"
    certificate = x509.load_pem_x509_certificate(serving.read_bytes())
    key = serialization.load_pem_private_key(serving.with_suffix(".key").read_bytes(), None)
    serving.write_bytes(ended(certificate, certificate, key))
    yield serving.name
    for path in kubelet.glob("pki/kubelet-client-*.pem"):
        if path.is_symlink():
            continue
        certificate, key = re.split(r"(?=-----BEGIN [A-Z ]*PRIVATE KEY)", path.read_text(), maxsplit=1)
        path.write_bytes(authorities.ended(certificate.encode()) + key.encode())
        yield path.name


@injects("certificates-expired")
def test_a_node_that_is_a_year_old(cloud: Any, under_load: Any) -> None:
    state = cloud.node_folder
    with under_load(limit=120, unnoticed=True) as trial:
        assert set(end_all(state / "etc-kubernetes", state / "kubelet")) >= {
            "apiserver.crt",
            "admin.conf",
            "server.crt",
        }
        running = [process for name in SERVERS for process in cloud.processes(name)]
        for process in running:
            process.kill()
        psutil.wait_procs(running, timeout=20)
        trial.end()
        assert "The node's certificates are renewed" in cloud.heal()
        trial.said = "which certificates have ended, and that they are renewed"
