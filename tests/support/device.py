"""A browser that is nobody's worker yet: a device of an owner, who opens the join page. Driven by WebDriver."""

import base64
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from support.server import HOME
from support.waiting import eventually

DRIVER = "/usr/bin/chromedriver"
SHELL = HOME / "tools/headless_shell/headless_shell.sh"


class Device:
    """headless_shell with a profile of its own; end() takes it and its driver down."""

    def __init__(self, folder: Path, arguments: tuple[str, ...] = (), insecure_certificates: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [DRIVER, "--port=0", "--disable-build-check"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True, env=os.environ | {"CHROME_LOG_FILE": str(folder / "chrome.log")})
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"successfully on port (\d+)", line):
                self.address = f"http://127.0.0.1:{found[1]}"
                break
        profile = tempfile.mkdtemp(dir=folder)
        wanted = {
            "acceptInsecureCerts": insecure_certificates,
            "goog:chromeOptions": {"binary": str(SHELL), "args": [
                "--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--window-size=390,1100",
                f"--user-data-dir={profile}", *arguments]},
        }
        answer = self._command("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{answer['sessionId']}"

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
