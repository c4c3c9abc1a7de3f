"""A gateway that says RUNNING to every read, as cheaply as possible; a process of its own.

``python -m tests.benchmarks.stand_in [CERTIFICATE KEY]`` prints its port, and ends when its input does.
``GET /count`` tells how many reads there were, and of how many different tasks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = json.dumps(
    {
        "id": "17f20503-6c24-4c16-946b-35dbbce2af2f",
        "status": "RUNNING",
        "createdAt": "2026-11-06T10:35:31.904Z",
        "progress": 0.42,
        "estimatedCost": {"credits": 25},
    }
).encode()


class _Gateway(asyncio.Protocol):
    reads = 0
    tasks: ClassVar[set[bytes]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, self._received = self._received.split(b"\r\n\r\n", 1)
            self._transport.write(self._answer(head.split(b" ", 2)[1]))

    def _answer(self, path: bytes) -> bytes:
        if path == b"/count":
            body = json.dumps([_Gateway.reads, len(_Gateway.tasks)]).encode()
        elif path == b"/reset":
            _Gateway.reads, body = 0, b"{}"
            _Gateway.tasks.clear()
        else:
            _Gateway.reads += 1
            _Gateway.tasks.add(path)
            body = BODY
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


async def _serve(tls: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(_Gateway, "127.0.0.1", 0, ssl=context) for context in (None, tls)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@dataclass(frozen=True)
class StandIn:
    """A running stand-in."""

    plain: str
    secure: str
    #: Path of the certificate to trust.
    certificate: str

    def count(self) -> tuple[int, int]:
        """Reads so far, and of how many tasks."""
        reads, tasks = _ask(f"{self.plain}/count")
        return reads, tasks

    def reset(self) -> None:
        """Count anew."""
        _ask(f"{self.plain}/reset")


def _ask(url: str):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as answer:
        return json.load(answer)


@contextlib.contextmanager
def stand_in(folder: Path) -> Iterator[StandIn]:
    """Run one, with a certificate made for the occasion."""
    certificate, key = make_certificate(folder)
    command = [sys.executable, "-m", "tests.benchmarks.stand_in", str(certificate), str(key)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        plain, secure = json.loads(process.stdout.readline())
        try:
            yield StandIn(f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}", str(certificate))
        finally:
            process.stdin.close()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, good for a day, and its key."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = folder / "stand_in.crt", folder / "stand_in.key"
    files[0].write_bytes(certificate.public_bytes(pem))
    files[1].write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def main() -> None:
    tls = None
    if len(sys.argv) == 3:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(sys.argv[1], sys.argv[2])
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(tls))


if __name__ == "__main__":
    main()
