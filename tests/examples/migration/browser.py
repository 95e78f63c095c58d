"""A headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from pathlib import Path

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-port=0",
)
PATIENCE = 40
"""So many seconds a browser on a busy machine gets for anything."""


def chromium() -> str | None:
    """The Chromium of this machine, if it has one."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


class Tab:
    """One page in a browser.

    Attributes:
        complaints: What the page's scripts raised or logged as an error, since it was opened.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []
        self._socket = socket
        self._sent = 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and note what the page tells meanwhile."""
        self._sent += 1
        await self._socket.send_json({"id": self._sent, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json(timeout=PATIENCE)
            if message.get("id") == self._sent:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        if message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(message["params"]["exceptionDetails"]))
        elif message["method"] == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.complaints.append(message["params"]["entry"]["text"])

    async def open(self, url: str, width: int, height: int, *, phone: bool = False) -> None:
        """Open a page in a window of this size."""
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )
        await self.call("Page.bringToFront")
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href.startsWith('http')")

    async def run(self, script: str) -> Any:
        """Evaluate an expression, or the promise that it is."""
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression is true."""
        look = f"const look = () => ({condition}) ? done() : requestAnimationFrame(look); look();"
        while True:
            with suppress(AssertionError):  # the page was left while it looked
                await self.run(f"new Promise((done) => {{ {look} }})")
                return

    async def type(self, text: str) -> None:
        """Type a text, key by key, into whatever has the focus."""
        for letter in text:
            await self.call("Input.dispatchKeyEvent", type="keyDown", text=letter, key=letter)
            await self.call("Input.dispatchKeyEvent", type="keyUp", key=letter)

    async def press(self, key: str) -> None:
        """Press a key that types nothing."""
        codes = {"Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40}
        for kind in ("rawKeyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key])

    async def picture(self) -> bytes:
        """What the window shows, as PNG."""
        answer = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])


@contextmanager
def running_chromium(profile: Path) -> Generator[str]:
    """A browser; gives the address of its DevTools. It and all its processes have ended when the context is left."""
    program = chromium()
    assert program is not None, "no Chromium on this machine: apt-get install chromium"
    with subprocess.Popen(
        [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            yield _devtools(process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _devtools(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line.decode())
        if line.startswith(b"DevTools listening on ws://"):
            return told[-1].removeprefix("DevTools listening on ws://").partition("/")[0]
    raise AssertionError("Chromium did not start:\n" + "".join(told))


@asynccontextmanager
async def new_tab(devtools: str) -> AsyncGenerator[Tab]:
    """A tab of its own in a browser that is running."""
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession(f"http://{devtools}") as session:
        async with session.put("/json/new?about:blank") as response:
            target = await response.json()
        async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            yield Tab(socket)
        async with session.get(f"/json/close/{target['id']}") as response:
            await response.read()
