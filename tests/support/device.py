"""A browser that is nobody's worker yet: a device of an owner, who opens the join page. Driven by WebDriver."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from support.server import HOME
from support.waiting import eventually

SHELL = HOME / "tools/headless_shell/headless_shell.sh"
MINI_BROWSER = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser"
CHROMIUM_ARGUMENTS = ("--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--window-size=390,1100")


def chromedriver(folder: Path, arguments: tuple[str, ...], **options: Any) -> tuple[list[str], dict[str, Any]]:
    given = {"binary": str(SHELL), "args": [*CHROMIUM_ARGUMENTS, f"--user-data-dir={tempfile.mkdtemp(dir=folder)}", *arguments]}
    return ["/usr/bin/chromedriver", "--port=0", "--disable-build-check"], {"goog:chromeOptions": given | options}


def phone(folder: Path, arguments: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    """Chromium as it behaves on a telephone: small, touched, and with a mobile user agent."""
    return chromedriver(folder, ("--headless=new", *arguments), binary="/usr/bin/chromium", mobileEmulation={
        "deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 3.0, "touch": True},
        "clientHints": {"platform": "Android", "mobile": True}})


def geckodriver(folder: Path, arguments: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    """Firefox as its owner has it: none of the preferences that a launched one is given."""
    program = str(HOME / "tools/geckodriver/bin/geckodriver")
    return ([program, "--port=0", "--host=127.0.0.1", "--websocket-port=0", f"--profile-root={folder}"],
            {"moz:firefoxOptions": {"binary": "/usr/bin/firefox-esr", "args": ["-headless", *arguments]}})


def webkitdriver(_folder: Path, arguments: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    """Below a display of its own: it has no headless mode. Its driver does not say which port it took."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return (["/usr/bin/xvfb-run", "-a", "/usr/bin/WebKitWebDriver", "--host=127.0.0.1", f"--port={port}"],
            {"webkitgtk:browserOptions": {"binary": MINI_BROWSER, "args": ["--automation", *arguments]}})


KINDS = {"headless_shell": chromedriver, "phone": phone, "firefox": geckodriver, "webkitgtk": webkitdriver}
PORT = re.compile(r"(?:successfully on port |Listening on 127\.0\.0\.1:)(\d+)")


class Device:
    """A browser with a profile of its own; end() takes it and its driver down."""

    def __init__(self, folder: Path, arguments: tuple[str, ...] = (), insecure_certificates: bool = False,
                 kind: str = "headless_shell") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command, wanted = KINDS[kind](folder, arguments)
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
            env=os.environ | {"CHROME_LOG_FILE": str(folder / "chrome.log"), "GSETTINGS_BACKEND": "memory", "NO_AT_BRIDGE": "1",
                              "DBUS_SESSION_BUS_ADDRESS": "disabled:", "XDG_CACHE_HOME": str(folder / "cache"),
                              "XDG_DATA_HOME": str(folder / "data"), "XDG_CONFIG_HOME": str(folder / "config")})
        try:
            self.address = f"http://127.0.0.1:{self._port(command)}"
            answer = self._command("POST", "/session", {"capabilities": {
                "alwaysMatch": {"acceptInsecureCerts": insecure_certificates} | wanted}})
        except BaseException:
            self.end()
            raise
        self.session = f"/session/{answer['sessionId']}"

    def _port(self, command: list[str]) -> int:
        told = re.fullmatch(r"--port=([1-9]\d*)", command[-1])
        if told:
            eventually("the driver listens", 20, lambda: _listens(int(told[1])))
            return int(told[1])
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := PORT.search(line):
                return int(found[1])
        raise AssertionError(f"{command[0]} ended without a port")

    def _command(self, method: str, path: str, body: dict | None = None) -> Any:
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, url: str) -> "Device":
        self._command("POST", f"{self.session}/url", {"url": url})
        return self

    def run(self, script: str) -> Any:
        return self._command("POST", f"{self.session}/execute/sync", {"script": script, "args": []})

    def text(self, element: str) -> str:
        return self.run(f"return document.getElementById('{element}').textContent")

    def click(self, element: str) -> None:
        self.run(f"document.getElementById('{element}').click()")

    def wait_state(self, *states: str, seconds: float = 40) -> str:
        """Of the join page: its headline."""
        return eventually(f"the page says {states}", seconds, lambda: (found := self.text("state")) in states and found, every=0.1)

    def picture(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self._command("GET", f"{self.session}/screenshot")))

    def end(self) -> None:
        """Takes it down without a word to its page."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        time.sleep(0.05)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
