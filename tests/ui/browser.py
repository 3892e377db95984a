"""A headless Chromium, driven over the pipe of its DevTools protocol: no driver, no package."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--remote-debugging-pipe",
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2",  # as with a mouse
)  # fmt: skip


class Browser:
    """One page of a browser that starts with `with` and is gone after it.

    Args:
        width: Of the window, in pixels.
        height: Likewise.
    """

    def __init__(self, width: int = 1400, height: int = 900) -> None:
        self.size = width, height
        self._numbers = itertools.count(1)
        self._unread = b""

    def __enter__(self) -> Self:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        assert program, "these tests look at pages in Chromium: apt-get install chromium"
        self._profile = tempfile.mkdtemp(prefix="chromium-")
        read, self._write = os.pipe()
        self._read, write = os.pipe()
        window = "--window-size={},{}".format(*self.size)
        words = [program, *FLAGS, window, f"--user-data-dir={self._profile}", "about:blank"]
        with_pipes = f'exec "$@" 3<&{read} 4>&{write}'
        self._process = subprocess.Popen(
            ["bash", "-c", with_pipes, "bash", *words],
            pass_fds=(read, write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._session: str | None = None
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, address: str) -> None:
        """Go to a page; what it shows may come later, see `wait`."""
        self._call("Page.navigate", url="about:blank")  # a changed #fragment alone loads nothing
        self._call("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression on the page."""
        done = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait(self, script: str, seconds: float = 120) -> Any:
        """Wait until a JavaScript expression holds, and return its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.run(script):
                return found
            time.sleep(0.2)
        shown = self.run("document.body?.innerText")[:3000]
        raise AssertionError(f"the page has not come to: {script}\nit shows: {shown}")

    def wait_text(self, *texts: str) -> None:
        """Wait until the page shows all of these texts."""
        self.wait(f"{json.dumps(texts)}.every(text => document.body?.innerText.includes(text))")

    def click(self, script: str) -> None:
        """Click in the middle of an element, a JavaScript expression, once it is there."""
        self.wait(f"!!({script})")
        self.run(f"({script}).scrollIntoView({{block: 'nearest'}})")
        box = self.run(
            f"(b => [b.x + b.width / 2, b.y + b.height / 2])(({script}).getBoundingClientRect())"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            mouse = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
            self._call("Input.dispatchMouseEvent", type=kind, **mouse)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self._call("Input.insertText", text=text)

    def press(self, key: str, code: int) -> None:
        """Press a key such as `ArrowRight`, whose Windows code is 39."""
        for kind in ("keyDown", "keyUp"):
            named = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            self._call("Input.dispatchKeyEvent", type=kind, **named)

    def picture(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        shot = self._call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._read], [], [], 60)
            chunk = os.read(self._read, 1 << 20) if ready else b""
            assert chunk, "the browser does not answer"
            self._unread += chunk
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)
