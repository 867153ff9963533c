"""The webmail's listeners: waitress, and TLS in front of it."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.wire.house import LISTEN, Daemon, House, Peer, client_context, house, until, write_config

WEB = LISTEN.replace("http =", "http = 127.0.0.1:0").replace("https =", "https = 127.0.0.1:0")


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house"), listen=WEB) as served:
        yield served


def client(served: House, scheme: str) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection("127.0.0.1", served.port("http"), timeout=10)
    return http.client.HTTPSConnection("127.0.0.1", served.port("https"), timeout=10, context=client_context())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_login_page_twice_on_one_connection(open_house: House, scheme: str) -> None:
    connection = client(open_house, scheme)
    for _ in range(2):
        connection.request("GET", "/login")
        response = connection.getresponse()
        assert response.status == 200
        assert b"<form" in response.read()
    connection.close()


def test_the_application_sees_the_scheme_and_the_real_address(open_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[object, object]] = []

    def look(_: object, request: object) -> object:
        environ = request.environ  # type: ignore[attr-defined]
        seen.append((environ["wsgi.url_scheme"], environ["REMOTE_ADDR"]))
        raise ValueError("seen")

    monkeypatch.setattr("pymaild.web.app.WebApp._dispatch", look)
    for scheme in ("http", "https"):
        connection = client(open_house, scheme)
        connection.request("GET", "/login", headers={"X-Forwarded-For": "192.0.2.66", "X-Forwarded-Proto": "gopher"})
        assert connection.getresponse().status == 500
        connection.close()
    assert seen == [("http", "127.0.0.1"), ("https", "127.0.0.1")]


def test_a_large_upload_and_its_answer_pass_through_tls(open_house: House) -> None:
    connection = client(open_house, "https")
    connection.request("POST", "/nowhere", body=b"x" * 3_000_000)
    assert connection.getresponse().status in (403, 404, 405, 413)
    connection.close()


def test_a_stalled_https_handshake_hinders_nobody_and_is_let_go(open_house: House) -> None:
    stalled = [Peer(open_house.port("https")) for _ in range(20)]
    connection = client(open_house, "https")
    connection.request("GET", "/login")
    assert connection.getresponse().status == 200
    connection.close()
    for peer in stalled:
        peer.sock.close()
    until(lambda: open_house.threaded.running.census.total() == 0)


def test_many_at_once(open_house: House) -> None:
    statuses: list[int] = []

    def visit() -> None:
        connection = client(open_house, "https")
        connection.request("GET", "/login")
        statuses.append(connection.getresponse().status)
        connection.close()

    threads = [threading.Thread(target=visit) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert statuses == [200] * 30


def test_workers_share_the_web_sockets(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = write_config(tmp_path_factory.mktemp("house"), listen=WEB, workers=2)
    with Daemon(file) as daemon:
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", daemon.port("http")), 10) as sock:
                sock.sendall(b"GET /login HTTP/1.0\r\n\r\n")
                assert sock.recv(100).startswith(b"HTTP/1.0 200")
