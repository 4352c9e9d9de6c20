"""Which of a node's certificates a run renews, and what those of webhooks are good for."""

from __future__ import annotations

import base64
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from ansible_collections.localcloud.stack.plugins.module_utils.node import certificates
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
KEY = ec.generate_private_key(ec.SECP256R1())


def pem(begin: datetime) -> bytes:
    """A certificate for a year."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "one")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(begin).not_valid_after(begin + YEAR)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def node(tmp_path: Path) -> tuple[Path, Path]:
    """The folders of a node that was made today, with an authority that was not."""
    kubernetes, kubelet = tmp_path / "kubernetes", tmp_path / "kubelet"
    for folder in (kubernetes / "pki/etcd", kubelet / "pki"):
        folder.mkdir(parents=True)
    today = NOW - timedelta(minutes=5)
    for name in ("pki/apiserver.crt", "pki/etcd/server.crt"):
        (kubernetes / name).write_bytes(pem(today))
    for name in ("pki/ca.crt", "pki/etcd/ca.crt", "pki/front-proxy-ca.crt"):
        (kubernetes / name).write_bytes(pem(today - 2 * YEAR))
    data = base64.b64encode(pem(today)).decode()
    for name in ("admin.conf", "kubelet.conf"):
        text = yaml.safe_dump({"users": [{"name": "one", "user": {"client-certificate-data": data}}]})
        (kubernetes / name).write_text(text)
    (kubelet / "pki/kubelet.crt").write_bytes(pem(today))
    return kubernetes, kubelet


def test_a_node_of_today_has_none(node: tuple[Path, Path]) -> None:
    assert certificates.due(*node, NOW) == []
    assert certificates.due(*node, NOW + timedelta(days=334)) == []


def test_all_of_a_node_that_is_a_year_old(node: tuple[Path, Path]) -> None:
    names = ["apiserver.crt", "server.crt", "admin.conf", "kubelet.conf", "kubelet.crt"]
    found = certificates.due(*node, NOW + YEAR)
    assert found == [f"{name} until 2027-11-29" for name in names]
    # A month before they end.
    assert len(certificates.due(*node, NOW + timedelta(days=336))) == 5


def test_those_of_a_clock_that_was_ahead(node: tuple[Path, Path]) -> None:
    assert len(certificates.due(*node, NOW - timedelta(hours=2))) == 5


def test_one_that_the_kubelet_renewed_by_itself(node: tuple[Path, Path]) -> None:
    kubernetes, kubelet = node
    own = {
        "users": [{"name": "one", "user": {"client-certificate": "/var/lib/kubelet/pki/kubelet-client-current.pem"}}]
    }
    (kubernetes / "kubelet.conf").write_text(yaml.safe_dump(own))
    (kubelet / "pki/kubelet-client-1.pem").write_bytes(pem(NOW - YEAR))
    (kubelet / "pki/kubelet-client-current.pem").symlink_to(kubelet / "pki/kubelet-client-1.pem")
    assert certificates.due(*node, NOW) == ["kubelet-client-current.pem until 2026-11-29"]


def test_before_there_are_any(tmp_path: Path) -> None:
    assert certificates.due(tmp_path / "kubernetes", tmp_path / "kubelet", NOW) == []


@pytest.mark.parametrize(
    "name", ["provider-aws", "provider-aws.crossplane-system", "provider-aws.crossplane-system.svc"]
)
def test_who_trusts_the_certificate_of_a_webhook_reaches_it(tmp_path: Path, name: str) -> None:
    public, private = certificates.of_webhook("provider-aws", "crossplane-system", datetime.now(UTC))
    (tmp_path / "pair").write_bytes(public + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "pair")
    client = ssl.create_default_context(cadata=public.decode())
    wires = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(*wires, server_hostname=name),
        server.wrap_bio(*reversed(wires), server_side=True),
    ]
    for _step in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert ends[0].getpeercert()["subjectAltName"][0] == ("DNS", "provider-aws")
    assert b"BEGIN RSA PRIVATE KEY" in private, "Crossplane reads PKCS#1 alone"
