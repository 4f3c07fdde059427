"""Firefox without a screen, driven over its own remote protocol (Marionette)."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
#: It takes a free port, and writes it beside its settings.
_SETTINGS = 'user_pref("marionette.port", 0);\n'
_PORT = "MarionetteActivePort"


class Firefox:
    """One session: open a page, evaluate in it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._read()  # who it is
        self._number = 0
        self.command("WebDriver:NewSession")

    def command(self, name: str, **about: Any) -> Any:
        """Send a command, and wait for what it answers."""
        self._number += 1
        text = json.dumps([0, self._number, name, about]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        _, number, error, result = self._read()
        assert number == self._number
        assert error is None, error
        return result

    def open(self, path: Path) -> None:
        """Open a file from disk."""
        self.command("WebDriver:Navigate", url=path.as_uri())

    def evaluate(self, script: str) -> Any:
        """The value of a body of a function, run in the page."""
        return self.command("WebDriver:ExecuteScript", script=script, args=[])["value"]

    def awaited(self, script: str) -> Any:
        """What a body of a function, run in the page, hands to its last argument."""
        return self.command("WebDriver:ExecuteAsyncScript", script=script, args=[])["value"]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _read(self) -> Any:
        size = b""
        while (byte := self._socket.recv(1)) != b":":
            assert byte, "Firefox has closed the connection"
            size += byte
        left, text = int(size), b""
        while len(text) < left:
            text += self._socket.recv(left - len(text))
        return json.loads(text)


@contextmanager
def running(profile: Path, width: int = 1280) -> Iterator[Firefox]:
    """Firefox with a new profile in an empty folder; ended with its session."""
    assert FIREFOX is not None
    (profile / "user.js").write_text(_SETTINGS, encoding="utf-8")
    options = ["--headless", "--marionette", "--no-remote", "--width", str(width)]
    with subprocess.Popen(
        [FIREFOX, *options, "--profile", str(profile)],
        env={"HOME": str(profile), "MOZ_HEADLESS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            until = time.monotonic() + 90
            while not (profile / _PORT).exists():
                assert process.poll() is None, "Firefox has ended"
                assert time.monotonic() < until, "Firefox does not answer"
                time.sleep(0.1)
            with closing(Firefox(int((profile / _PORT).read_text()))) as session:
                yield session
        finally:
            process.terminate()
