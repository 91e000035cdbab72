"""Who may speak to the local page: this machine, this page, whoever holds the token.

Jupyter's and Datasette's rules in one place: any web page that the reader has open could otherwise
reach a server on this machine (DNS rebinding, forged posts).
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: A sentence, a wording, initials: no request of the page is longer.
BODY_LIMIT: Final = 1 << 16
#: Seconds until the body of a request must be there.
BODY_SECONDS: Final = 10.0

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_TEXT: Final = "text/plain; charset=utf-8"


class Guard:
    """Stands before an application and answers 403 to everybody who has no business there.

    ``entrance`` is the page for a browser that has no cookie yet: its script takes the token from
    the address' fragment, which no browser sends along or writes into a Referer, and trades it at
    ``/enter`` for a cookie. ``open_files`` are the paths that this page loads; nothing of a report
    stands in them.
    """

    def __init__(
        self, app: ASGIApp, token: str, *, entrance: str, open_files: frozenset[str]
    ) -> None:
        self._app = app
        self._token = token
        self._entrance = entrance
        self._open_files = open_files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or hands it on with the headers that bind the browser."""
        if scope["type"] != "http":
            return
        headers = _single(scope["headers"])
        port = scope["server"][1]
        method, path = scope["method"], scope["path"]
        if not is_loopback(scope["client"][0]) or not _is_local(headers.get("host")):
            await _answer(send, 403, "This page answers on this machine only.")
            return
        if not _same_origin(headers):
            await self._turn_away(send, method, path)
            return
        body = await _body(headers, receive)
        if isinstance(body, int):
            await _answer(send, body, "The request is too long, too slow or cut off.")
        elif (method, path) == ("POST", "/enter"):
            await self._enter(body, port, send)
        elif path not in self._open_files and not self._known(headers, port):
            await self._turn_away(send, method, path)
        else:
            await self._app(scope, _once(body), _with_headers(send))

    def _known(self, headers: Mapping[str, str], port: int) -> bool:
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(_cookie_name(port))
        except CookieError:
            return False
        return cookie is not None and self._is_token(cookie.value)

    def _is_token(self, given: object) -> bool:
        return isinstance(given, str) and secrets.compare_digest(
            given.encode("utf-8", "replace"), self._token.encode()
        )

    async def _turn_away(self, send: Send, method: str, path: str) -> None:
        if (method, path) == ("GET", "/"):
            await _answer(send, 403, self._entrance, kind="text/html; charset=utf-8")
        else:
            await _answer(
                send, 403, "Open the link that 'overread vocab edit' printed in the terminal."
            )

    async def _enter(self, body: bytes, port: int, send: Send) -> None:
        try:
            given = json.loads(body)
        except (ValueError, RecursionError):
            given = None
        if not self._is_token(given):
            await _answer(send, 403, "This is not the token of this session.")
            return
        cookie = f"{_cookie_name(port)}={self._token}; Path=/; HttpOnly; SameSite=Strict"
        await _answer(send, 200, "", more={"set-cookie": cookie})


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine's own.

    >>> [is_loopback(one) for one in ("127.0.0.1", "::1", "0.0.0.0", "192.168.1.4", "localhost")]
    [True, True, False, False, False]
    """
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_local(host: str | None) -> bool:
    """Whether a Host header names this machine: an address, or the one name nobody can rebind."""
    if host is None:
        return False
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name = host
    elif not (port.isascii() and port.isdigit()):
        return False
    return name.lower() == "localhost" or is_loopback(name.removeprefix("[").removesuffix("]"))


def _same_origin(headers: Mapping[str, str]) -> bool:
    """Whether the request comes from this page, the address bar, or no browser at all.

    Other ports of this machine are other origins: any user of it may run a server there.
    """
    origin = headers.get("origin")
    return headers.get("sec-fetch-site", "none") in ("same-origin", "none") and (
        origin is None or origin == f"http://{headers['host']}"
    )


def _single(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers by name. One that is given twice counts as neither, so that no rule is split."""
    found: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        found[key] = "?" if key in found else value.decode("latin-1")
    return found


def _cookie_name(port: int) -> str:
    """Browsers share cookies between the ports of a host."""
    return f"overread-{port}"


async def _body(headers: Mapping[str, str], receive: Receive) -> bytes | int:
    """The whole body, or the status that refuses it."""
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > BODY_LIMIT:
        return 413
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return 400
                parts.append(message.get("body", b""))
                if sum(map(len, parts)) > BODY_LIMIT:
                    return 413
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        return 408


def _once(body: bytes) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    return receive


def _with_headers(send: Send) -> Send:
    bound = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *bound]}
        await send(message)

    return wrapped


async def _answer(
    send: Send,
    status: int,
    text: str,
    *,
    kind: str = _TEXT,
    more: Mapping[str, str] | None = None,
) -> None:
    body = text.encode()
    headers: dict[str, Any] = {
        "content-type": kind,
        "content-length": str(len(body)),
        **(more or {}),
    }
    if status != 200:
        headers["connection"] = "close"  # what is left of a body is not read
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    wrapped = _with_headers(send)
    await wrapped(start)
    await wrapped({"type": "http.response.body", "body": body})
