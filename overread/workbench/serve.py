"""The local server: one address of this machine, connections that may not dawdle."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import tempfile
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from overread.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn import Server

    from overread.workbench.session import Session

ADDRESS: Final = "127.0.0.1"
#: Seconds for the head of a request, and connections held at once.
HEAD_SECONDS: Final = 5.0
CONNECTIONS: Final = 128
_HEAD_LIMIT: Final = 1 << 14  # bytes


def serve(session: Session, *, port: int, browser: bool, told: Callable[[str], None]) -> None:
    """Shows the page of a session until Ctrl-C; ``told`` is given its link.

    Raises UsageError where the port is taken or the packages of the page are missing.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise UsageError(
            "The page needs starlette and uvicorn. Next step: "
            "python3 -m pip install 'overread[workbench]'"
        ) from None
    from overread.workbench.pages import application

    token = secrets.token_urlsafe(32)
    with loopback_socket(port) as listening, tempfile.TemporaryDirectory() as private:
        link = f"http://{ADDRESS}:{listening.getsockname()[1]}/#{token}"
        told(f"The page is at {link}\nIt answers this machine only. Ctrl-C ends it.")
        if browser:
            _open_browser(link, Path(private))
        with suppress(KeyboardInterrupt):  # the usual end
            server_of(application(session, token)).run(sockets=[listening])


def _open_browser(link: str, private: Path) -> None:
    """Opens the link by way of a file that only this user can read.

    Other users of the machine see the arguments of every program, a browser's address among them.
    """
    way = private / "overread.html"
    way.write_text(f'<meta charset="utf-8"><meta http-equiv="refresh" content="0;url={link}">')
    webbrowser.open(way.as_uri())


def loopback_socket(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 takes a free one. Raises UsageError.

    No option leads to another address: the page shows reports, and its token goes unencrypted.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((ADDRESS, port))
        listening.listen(CONNECTIONS)
    except OSError as error:
        listening.close()
        reason = (error.strerror or "it cannot be used").lower()
        raise UsageError(
            f"port {port}: {reason}. Next step: leave out --port, and a free one is taken."
        ) from None
    return listening


def server_of(app: ASGIApp) -> Server:
    """A server for the application, to be run on `loopback_socket`.

    It logs nothing about requests: addresses of the page may hold wordings of reports.
    """
    from uvicorn import Config, Server
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Prompt(H11Protocol):
        """A connection that sends a whole head in time; the oldest idle one makes way for more."""

        waiting: dict[Prompt, asyncio.TimerHandle] = {}  # noqa: RUF012  shared by all of them

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > CONNECTIONS and self.waiting:
                next(iter(self.waiting)).transport.abort()
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def handle_events(self) -> None:
            before = self.cycle
            super().handle_events()
            if self.cycle is not before:
                self._stop_waiting()

        def on_response_complete(self) -> None:
            self._wait()
            super().on_response_complete()

        def _wait(self) -> None:
            self._stop_waiting()
            self.waiting[self] = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

        def _stop_waiting(self) -> None:
            timer = self.waiting.pop(self, None)
            if timer is not None:
                timer.cancel()

    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    options: dict[str, Any] = {"lifespan": "off", "log_config": None, "access_log": False}
    return Server(
        Config(
            app,
            http=Prompt,
            ws="none",
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=_HEAD_LIMIT,
            timeout_graceful_shutdown=2,
            **options,
        )
    )
