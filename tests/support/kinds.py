"""Browser groups of every kind for pool.browsers, and a Selenium Grid of this machine for the remote one."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support import processes
from support.server import HOME
from support.waiting import eventually

LOCAL = {
    "headless_shell": "kind=headless_shell",
    "chromium": "kind=chromium",
    "firefox": f"kind=firefox,driver_path={HOME}/tools/geckodriver/bin/geckodriver",
    "webkitgtk": "kind=webkitgtk",
}


def group(kind: str, **settings: str) -> str:
    """A local group's text; backends=wasm unless told otherwise."""
    return ",".join([LOCAL[kind], *(f"{key}={value}" for key, value in ({"backends": "wasm"} | settings).items())])


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [entry.getsockname()[1] for entry in sockets]
    for entry in sockets:
        entry.close()
    return ports


@contextlib.contextmanager
def far_end(folder: Path) -> Iterator[str]:
    """A WebDriver end that is not ours: Debian's chromedriver, started by hand. Its address."""
    (port,) = free_ports(1)
    driver = subprocess.Popen(["/usr/bin/chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              start_new_session=True, env=os.environ | {"CHROME_LOG_FILE": str(folder / "chrome.log")})
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        for found in processes.tree(driver.pid):
            os.kill(found.pid, signal.SIGKILL)
        driver.kill()
        driver.wait()


class Grid:
    """A hub and one node of Selenium Grid: one place for Debian's Chromium, one for headless_shell."""

    def __init__(self, folder: Path, session_timeout: int = 300) -> None:
        self.folder = folder
        self.session_timeout = session_timeout
        self.port, self.node_port, self.publish, self.subscribe = free_ports(4)
        self.hub: subprocess.Popen[bytes] | None = None
        self.node: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _java(self, role: str, *arguments: str) -> subprocess.Popen[bytes]:
        jar = HOME / "tools/grid/selenium-server.jar"
        assert jar.exists(), f"no {jar}: scripts/install_browsers.sh grid"
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{role}.log").open("ab") as log:
            return subprocess.Popen(
                ["java", "-Xmx256m", "-jar", str(jar), role, "--host", "127.0.0.1", "--publish-events", f"tcp://127.0.0.1:{self.publish}",
                 "--subscribe-events", f"tcp://127.0.0.1:{self.subscribe}", *arguments],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def start_hub(self) -> None:
        self.hub = self._java("hub", "--port", str(self.port), "--healthcheck-interval", "5")

    def start_node(self) -> None:
        places = [("/usr/bin/chromium", "/usr/bin/chromedriver", "chromium"), (self._shell(), self._shell_driver(), "headless_shell")]
        text = ["[node]", "detect-drivers = false", "max-sessions = 2", "override-max-sessions = true",
                f"session-timeout = {self.session_timeout}", "heartbeat-period = 5"]
        for binary, driver, name in places:
            wanted = {"browserName": "chrome", "shoal:kind": name, "goog:chromeOptions": {"binary": binary}}
            text += ["[[node.driver-configuration]]", f'display-name = "{name}"', f'webdriver-executable = "{driver}"',
                     "max-sessions = 1", f"stereotype = '{json.dumps(wanted)}'"]
        (self.folder / "node.toml").write_text("\n".join(text))
        self.node = self._java("node", "--port", str(self.node_port), "--config", "node.toml", "--hub", self.url,
                               "--grid-url", self.url)

    def _shell(self) -> str:
        """Not its script: that one opens a page, as chromedriver does too where it is given no profile."""
        return str(HOME / "tools/headless_shell/headless_shell")

    def _shell_driver(self) -> str:
        """chromedriver is of another version than headless_shell; a grid cannot pass it options."""
        script = self.folder / "chromedriver.sh"
        script.write_text(f'#!/bin/sh\nCHROME_LOG_FILE="{self.folder}/chrome.log" exec /usr/bin/chromedriver "$@" --disable-build-check\n')
        script.chmod(0o755)
        return str(script)

    def start(self) -> "Grid":
        self.start_hub()
        self.start_node()
        eventually("the grid is ready", 60, self.is_ready, every=0.2)
        return self

    def is_ready(self) -> bool:
        return bool(self._get("/status").get("value", {}).get("ready"))

    def _get(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=5) as answer:
                return json.loads(answer.read())
        except OSError:
            return {}

    def sessions(self) -> int:
        """Places in use; -1 when the grid does not say."""
        answer = self._get("/graphql", {"query": "{grid{sessionCount}}"})
        return int(answer.get("data", {}).get("grid", {}).get("sessionCount", -1))

    def group(self, kind: str, keep_alive: str = "60s", **settings: str) -> str:
        """The text of a group whose browser is of that kind, chosen by the capability that the node announces."""
        wished = json.dumps({"shoal:kind": kind})
        # Root's browsers start without a sandbox only; which user a remote one has is not known here.
        given = {"backends": "wasm", "arguments": "--no-sandbox"} if os.geteuid() == 0 else {"backends": "wasm"}
        more = "".join(f",{key}={value}" for key, value in (given | settings).items())
        return f"kind=remote,url={self.url},browser={kind},keep_alive={keep_alive},capabilities={wished}{more}"

    def tree(self) -> list[processes.Found]:
        return [found for part in (self.hub, self.node) if part is not None for found in processes.tree(part.pid)]

    def browser(self) -> processes.Found:
        """The browser of its node; of several the first."""
        assert self.node is not None
        return eventually("the node has a browser", 20, lambda: next(
            (found for found in processes.tree(self.node.pid) if found.role == "browser"), None))

    def destroy(self) -> None:
        """Ends everything of it, also what a killed node has left: its browsers work below its folder."""
        left = processes.marked(f"NO_SUCH={self.folder}", self.folder)
        for part in (self.node, self.hub):
            if part is not None:
                left += processes.tree(part.pid)
                part.kill()
                part.wait()
        for found in left:
            try:
                os.kill(found.pid, 9)
            except ProcessLookupError:
                continue
