"""FAULTS group H: the local page answers nobody but its reader."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from contextlib import contextmanager

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

from overread.errors import UsageError
from overread.workbench import guard, serve
from overread.workbench.guard import Guard
from overread.workbench.pages import application

TOKEN = "t" * 43
SECRET = b"Sinus rhythm, 41 ECGs"


async def page(scope, receive, send):
    """Tells a secret, and how long the body was."""
    body = (await receive())["body"]
    answer = SECRET + b" %d" % len(body)
    headers = [(b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


@contextmanager
def running(app):
    listening = serve.loopback_socket(0)
    server = serve.server_of(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def port():
    with running(
        Guard(page, TOKEN, entrance="<p>enter</p>", open_files=frozenset({"/static/enter.js"}))
    ) as port:
        yield port


def ask(port, path="/queue", method="GET", body=None, cookie=TOKEN, host=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    sent = {"Host": host or f"127.0.0.1:{port}"}
    if cookie is not None:
        sent["Cookie"] = f"overread-{port}={cookie}"
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, sent)
    response = connection.getresponse()
    read = response.read()
    connection.close()
    return response, read


def test_the_reader_is_answered(port):
    response, read = ask(port)
    assert response.status == 200
    assert read == SECRET + b" 0"
    response, read = ask(port, method="POST", body="x" * 1000, Origin=f"http://127.0.0.1:{port}")
    assert read == SECRET + b" 1000"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.168.1.4", "0.0.0.0", "",
     "localhost.evil.example:1", "[::ffff:8.8.8.8]", "127.0.0.1:80:evil.example", "2130706433"],
)  # fmt: skip
def test_h01_a_host_that_is_not_this_machine_is_refused(port, host):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", "/queue", skip_host=True)
    connection.putheader("Host", host)
    connection.putheader("Cookie", f"overread-{port}={TOKEN}")
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 403
    assert SECRET not in response.read()
    connection.close()


def test_h01_two_hosts_or_none_are_refused(port):
    for hosts in (["127.0.0.1", "evil.example"], []):
        lines = ["GET /queue HTTP/1.0", f"Cookie: overread-{port}={TOKEN}"]
        lines += [f"Host: {host}" for host in hosts]
        assert raw(port, lines).split(b" ")[1] in (b"400", b"403")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:{port}", "127.0.0.1", "[::1]:{port}"])
def test_h01_this_machine_by_any_of_its_names_is_answered(port, host):
    assert ask(port, host=host.format(port=port))[0].status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},  # another port of this machine
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://evil.example", "Sec_Fetch_Site": "same-origin"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_h02_what_another_page_sends_is_refused(port, method, headers):
    response, read = ask(port, method=method, **headers)
    assert response.status == 403
    assert SECRET not in read


def test_h02_no_page_may_frame_this_one_or_run_what_it_did_not_bring(port):
    policy = ask(port)[0].headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("cookie", [None, "", "u" * 43, TOKEN[:-1], TOKEN + "t", "ü", '"'])
@pytest.mark.parametrize("path", ["/", "/queue", "/static/page.js", "/nothing"])
def test_h03_without_the_token_nothing_is_told(port, path, cookie):
    if cookie == "ü":
        cookie = "\xfc"
    response, read = ask(port, path, cookie=cookie)
    assert response.status == 403
    assert SECRET not in read


def test_h03_the_token_counts_nowhere_in_an_address(port):
    assert ask(port, f"/queue?token={TOKEN}", cookie=None)[0].status == 403


def test_h03_the_entrance_trades_the_token_for_a_cookie_that_scripts_cannot_read(port):
    assert ask(port, "/", cookie=None)[1] == b"<p>enter</p>"
    assert ask(port, "/static/enter.js", cookie=None)[0].status == 200
    response, _ = ask(port, "/enter", "POST", json.dumps(TOKEN), cookie=None)
    assert response.status == 200
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert ask(port, cookie=None, Cookie=cookie.split(";")[0])[0].status == 200
    for wrong in (json.dumps("wrong"), "{", "[" * 50_000, "7", ""):
        response, _ = ask(port, "/enter", "POST", wrong, cookie=None)
        assert response.status == 403
        assert "set-cookie" not in response.headers


def test_h03_no_log_and_no_referer_holds_an_address(port, capfd, caplog):
    response, _ = ask(port, "/queue?wording=mueller")
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    out, err = capfd.readouterr()
    assert out + err + caplog.text == ""


def test_h04_only_this_machine_is_listened_on(port):
    listening = serve.loopback_socket(0)
    assert listening.getsockname()[0] == "127.0.0.1"
    with pytest.raises(UsageError, match="Next step"):
        serve.loopback_socket(listening.getsockname()[1])
    listening.close()


def test_h04_an_address_of_the_network_reaches_nothing(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only asks which address would be used
        except OSError:
            pytest.skip("this machine is in no network")
        address = probe.getsockname()[0]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, port), timeout=5)


def test_h04_a_client_from_elsewhere_is_refused_whatever_the_server_listens_on():
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b""}

    scope = {
        "type": "http", "method": "GET", "path": "/queue", "server": ("0.0.0.0", 80),
        "client": ("192.168.1.9", 4711),
        "headers": [(b"host", b"127.0.0.1"), (b"cookie", f"overread-80={TOKEN}".encode())],
    }  # fmt: skip
    guarded = Guard(page, TOKEN, entrance="", open_files=frozenset())
    with pytest.raises(StopIteration):
        guarded(scope, receive, send).send(None)
    assert sent[0]["status"] == 403


def raw(port, lines, *more):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        for each in more:
            connection.sendall(each)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def head(port, *lines):
    host, cookie = f"Host: 127.0.0.1:{port}", f"Cookie: overread-{port}={TOKEN}"
    return ["POST /queue HTTP/1.1", host, cookie, *lines]


@pytest.fixture(scope="module")
def files():
    """The port of the real page's addresses; its files need no session."""
    with running(application(None, TOKEN)) as port:
        yield port


def test_h05_the_pages_own_files_are_sent(files):
    response, read = ask(files, "/static/page.css")
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/css")
    assert b"--ink" in read


@pytest.mark.parametrize(
    "path",
    ["/static/../../etc/passwd", "/static/..%2f..%2fetc%2fpasswd", "/static/%2e%2e/guard.py",
     "/static/%2e%2e%2fguard.py", "/static/page.css%00", "/static/%00", "/static//etc/passwd",
     "/static/..\\guard.py", "/static/", "/static/page.css/", "/etc/passwd", "//etc/passwd",
     "/static/%c0%ae%c0%ae/guard.py", "/static/PAGE.CSS", "/static/page.css%20",
     "/%2e%2e/guard.py"],
)  # fmt: skip
def test_h05_no_address_leads_to_another_file(files, path):
    response, read = ask(files, path)
    assert response.status in (400, 404)
    assert b"root:" not in read
    assert b"import" not in read


def test_h06_a_body_beyond_the_limit_is_refused_unread(port):
    assert b" 413 " in raw(port, head(port, f"Content-Length: {1 << 30}"))[:20]
    for length in ("-1", "1e3", "ten", "\u0663"):
        assert raw(port, head(port, f"Content-Length: {length}"))[:12].endswith((b"400", b"413"))


def test_h06_a_body_of_unknown_length_is_cut_at_the_limit(port):
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    assert b" 413 " in raw(port, head(port, "Transfer-Encoding: chunked"), chunk * 3)[:20]


def test_h06_a_slow_head_or_body_is_cut_off(monkeypatch):
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(serve, "HEAD_SECONDS", 0.3)
    with running(Guard(page, TOKEN, entrance="", open_files=frozenset())) as port:
        assert b" 408 " in raw(port, head(port, "Content-Length: 10"), b"abc")[:20]
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as slow,
            pytest.raises(ConnectionError),
        ):
            dribble(slow)
        assert ask(port)[0].status == 200


def dribble(connection):
    """Five seconds of a letter now and then, which does not keep a connection open."""
    for _ in range(100):
        connection.sendall(b"G")
        time.sleep(0.05)


def test_h06_two_hundred_idle_connections_do_not_shut_the_reader_out(port):
    idle = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(200)]
    try:
        for each in idle:
            each.sendall(b"GET /queue HTTP/1.1\r\n")
    except ConnectionError:
        pass  # the oldest had to make way
    started = time.monotonic()
    assert ask(port)[0].status == 200
    assert time.monotonic() - started < 30  # no hang
    for each in idle:
        each.close()
