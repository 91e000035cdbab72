"""A real browser for tests: Chromium without a window, spoken to over its debugging pipe."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# Chromium reads commands from descriptor 3 and answers on 4.
_WAY = """import os, sys
for given, wanted in zip(sys.argv[1:3], (3, 4)):
    os.dup2(int(given), wanted)
os.execv(sys.argv[3], sys.argv[3:])
"""
_KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "ArrowUp": 38}
_LIMIT_S = 30.0


def chromium() -> str | None:
    """Where Chromium is, None where it is not installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


class Browser:
    """One page of one browser."""

    def __init__(self, program: str, profile: Path, width: int = 1280, height: int = 800) -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        # Out of the way of 3 and 4.
        given = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs_in, theirs_out)]
        options = [
            "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}",
            "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
            "--disable-dev-shm-usage", "--disable-background-networking", "--hide-scrollbars",
            "--disable-component-update", f"--window-size={width},{height}", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WAY, *map(str, given), program, *options],
            pass_fds=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for fd in (theirs_in, theirs_out, *given):
            os.close(fd)
        self._in, self._out = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb", buffering=0)
        self._number, self._rest, self._session = 0, b"", None
        targets = self._send("Target.getTargets")["targetInfos"]
        target = next(each["targetId"] for each in targets if each["type"] == "page")
        attached = self._send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._send("Emulation.setDeviceMetricsOverride",
                   width=width, height=height, deviceScaleFactor=1, mobile=False)  # fmt: skip
        #: What the page complained about: errors, and what its content policy stopped.
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log"):
            self._send(f"{domain}.enable")

    def close(self) -> None:
        """Ends the browser."""
        self._session = None
        self._send("Browser.close")
        self._process.wait(_LIMIT_S)
        self._in.close()
        self._out.close()

    def open(self, address: str) -> None:
        """Goes to an address; the page may still be loading afterwards."""
        self._send("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self._send("Runtime.evaluate",
                            expression=script, awaitPromise=True, returnByValue=True)  # fmt: skip
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, condition: str, limit_s: float = _LIMIT_S) -> None:
        """Waits until an expression in the page is true."""
        end = time.monotonic() + limit_s
        while not self.run(f"!!({condition})"):
            if time.monotonic() > end:
                seen = self.run("document.body.innerText.slice(-1500)")
                raise AssertionError(f"never true: {condition}\n{seen}")
            time.sleep(0.02)

    def press(self, key: str, *, control: bool = False) -> None:
        """Presses a key where the focus is."""
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        about = {"key": key, "windowsVirtualKeyCode": _KEYS.get(key, ord(key[0].upper())),
                 "modifiers": 2 * control}  # fmt: skip
        down = {"text": text} if text and not control else {}
        self._send("Input.dispatchKeyEvent", type="keyDown", **about, **down)
        self._send("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Types a text where the focus is."""
        self._send("Input.insertText", text=text)

    def picture(self) -> bytes:
        """What is seen, as PNG."""
        return base64.b64decode(self._send("Page.captureScreenshot")["data"])

    def _send(self, method: str, **given: Any) -> dict[str, Any]:
        self._number += 1
        said = {"id": self._number, "method": method, "params": given}
        if self._session:
            said["sessionId"] = self._session
        self._out.write(json.dumps(said).encode() + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == self._number:
                assert "error" not in heard, heard
                return heard["result"]
            about = heard.get("params", {})
            if heard["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(about["exceptionDetails"]))
            elif heard["method"] == "Log.entryAdded" and about["entry"]["level"] == "error":
                self.complaints.append(str(about["entry"]))

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._in.fileno(), 1 << 16)
            assert part, "the browser has ended"
            self._rest += part
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)
