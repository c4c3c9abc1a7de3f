"""The same cases over requests and over aiohttp: one meaning."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from dataclasses import replace

import pytest
import requests
import urllib3
from unit.scripted import KEY, Scripted

from airflow_runway import __version__
from airflow_runway.core.protocol.calls import Call, NoAnswerError
from airflow_runway.core.protocol.connection import read_connection
from airflow_runway.core.protocol.verdicts import Delivery
from airflow_runway.hooks import _network, _reading, _transport

CREATE = Call("POST", "/v1/image_to_video", {"model": "gen4_turbo"}, creates=True)


def settings_for(url, **extra):
    return read_connection(
        "runway_default", host=url, password=KEY, extra={"allow_insecure_http": True, **extra}
    )


def send_sync(settings, call):
    session = requests.Session()
    session.auth = _network.BearerKey(settings.api_key)
    session.headers.update(_network.standard_headers(settings))
    with session:
        return _transport.send(session, settings, call)


def send_async(settings, call):
    async def go():
        async with _transport.open_session(settings, _network.tls_context(settings)) as session:
            return await _transport.asend(session, settings, call)

    return asyncio.run(go())


both = pytest.mark.parametrize("send", [send_sync, send_async], ids=["requests", "aiohttp"])


@both
def test_what_travels(send, gateway_server):
    gateway_server.answers(Scripted(200, {"id": "t1"}, {"X-Request-Id": "r1"}))
    response = send(settings_for(gateway_server.url, api_version="2025-01-01"), CREATE)
    assert (response.status, response.body, response.truncated) == (200, b'{"id": "t1"}', False)
    assert response.header("x-request-id") == "r1"
    (arrived,) = gateway_server.arrived
    assert (arrived.method, arrived.path, arrived.body) == (
        "POST",
        "/v1/image_to_video",
        {"model": "gen4_turbo"},
    )
    assert arrived.headers["authorization"] == f"Bearer {KEY}"
    assert arrived.headers["x-runway-version"] == "2025-01-01"
    assert arrived.headers["content-type"] == "application/json"
    assert arrived.headers["user-agent"] == f"airflow-provider-runway/{__version__}"


@both
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(send, status, gateway_server):
    gateway_server.answers(Scripted(status, {}, {"Location": f"{gateway_server.url}/elsewhere"}))
    assert send(settings_for(gateway_server.url), CREATE).status == status
    assert len(gateway_server.arrived) == 1


@both
def test_a_netrc_entry_does_not_replace_the_key(send, gateway_server, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    gateway_server.answers(Scripted(200, {}))
    send(settings_for(gateway_server.url), CREATE)
    assert gateway_server.arrived[0].headers["authorization"] == f"Bearer {KEY}"


@both
def test_a_connection_closed_without_an_answer_is_unknown_and_sent_once(send, gateway_server):
    gateway_server.answers(Scripted(drop=True))
    with pytest.raises(NoAnswerError) as caught:
        send(settings_for(gateway_server.url), CREATE)
    assert caught.value.delivery is Delivery.UNKNOWN
    assert len(gateway_server.arrived) == 1


@both
def test_an_answer_that_breaks_off_is_kept_as_far_as_it_came(send, gateway_server):
    gateway_server.answers(Scripted(200, {"id": "t1"}, missing=100))
    response = send(settings_for(gateway_server.url), CREATE)
    assert response.truncated
    assert response.body == b'{"id": "t1"}'


@both
def test_a_flood_is_cut(send, gateway_server, monkeypatch):
    monkeypatch.setattr(_reading, "LARGEST_ANSWER", 100_000)
    gateway_server.answers(Scripted(200, b"x" * 1_000_000))
    response = send(settings_for(gateway_server.url), CREATE)
    assert response.truncated
    assert len(response.body) < 300_000


@both
def test_nobody_listening_is_not_sent(send):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(NoAnswerError) as caught:
            send(settings_for(url), CREATE)
    assert caught.value.delivery is Delivery.NOT_SENT


@both
def test_an_unreachable_proxy_is_not_sent(send, gateway_server):
    settings = settings_for("https://relay.invalid", proxies={"https": "http://127.0.0.1:9"})
    with pytest.raises(NoAnswerError) as caught:
        send(settings, CREATE)
    assert caught.value.delivery is Delivery.NOT_SENT


@both
def test_a_silent_server_is_unknown(send):
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = replace(settings_for(f"http://127.0.0.1:{server.getsockname()[1]}"), create_timeout=0.05)
        with pytest.raises(NoAnswerError) as caught:
            send(settings, CREATE)
    assert caught.value.delivery is Delivery.UNKNOWN


@pytest.fixture
def cutting_tls_server(tmp_path):
    """Speaks TLS with a certificate of its own, reads the request, then cuts the TCP connection."""
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
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = tmp_path / "cert.pem", tmp_path / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key_pem)
    server = socket.create_server(("127.0.0.1", 0))
    received: list[bytes] = []

    def serve():
        while True:
            try:
                raw, _ = server.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(raw, server_side=True) as secure:
                    received.append(secure.recv(65536))
                    socket.socket(fileno=secure.detach()).close()
            except (OSError, ssl.SSLError):
                raw.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.getsockname()[1]}", str(pem), received
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@both
def test_tls_cut_after_the_request_was_read_is_unknown(send, cutting_tls_server):
    """requests calls this an SSLError, like a failed handshake; the gateway may have accepted all the same."""
    url, bundle, received = cutting_tls_server
    with pytest.raises(NoAnswerError) as caught:
        send(settings_for(url, verify=bundle), CREATE)
    assert caught.value.delivery is Delivery.UNKNOWN
    assert received


@both
def test_a_certificate_that_does_not_verify_is_not_sent(send, cutting_tls_server):
    url, _, received = cutting_tls_server
    with pytest.raises(NoAnswerError) as caught:
        send(settings_for(url), CREATE)
    assert caught.value.delivery is Delivery.NOT_SENT
    assert not received


@both
@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_verify_false_is_obeyed(send, cutting_tls_server):
    url, _, received = cutting_tls_server
    with pytest.raises(NoAnswerError):
        send(settings_for(url, verify=False), CREATE)
    assert received


def test_reasons_name_no_key():
    hidden = urllib3.exceptions.HTTPError(f"Invalid header value b'Bearer {KEY}'")
    reason = _network.reason_of(requests.ConnectionError(hidden), settings_for("http://127.0.0.1"))
    assert KEY not in reason
    assert reason.startswith("ConnectionError: ")
