from __future__ import annotations

import socket

import pytest
from unit.hooks.delivery.cells import Table
from unit.hooks.delivery.certificates import self_signed
from unit.hooks.delivery.servers import Gateway, Proxy

_TABLE = Table()


@pytest.fixture(scope="session")
def table():
    """Filled by the cells; printed at the end where output is shown (``-s``)."""
    return _TABLE


def pytest_terminal_summary(terminalreporter, config):
    if _TABLE.found and config.getoption("capture") == "no":
        terminalreporter.section("charges and class of each create")
        for line in _TABLE.lines():
            terminalreporter.write_line(line.rstrip())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("trusted"))


@pytest.fixture(scope="session")
def another_certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("other"))


@pytest.fixture(autouse=True)
def own_network(monkeypatch):
    """No proxy or bundle of whoever runs the tests, and names that lead nowhere without asking anybody."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    real = socket.getaddrinfo

    def resolve(host, *args, **kwargs):
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture
def serving():
    """Makes a gateway and a proxy before it; both end with the test."""
    made = []

    def make(tls=None):
        gateway = Gateway(tls)
        proxy = Proxy(gateway.charged)
        made.extend([gateway, proxy])
        return gateway, proxy

    yield make
    for server in made:
        server.close()
