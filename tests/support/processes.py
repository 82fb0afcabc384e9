"""What /proc says of a server and of everything that it started."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil


ROLES = {
    "chromedriver": "driver", "geckodriver": "driver", "WebKitWebDriver": "driver", "MiniBrowser": "browser",
    "WebKitWebProcess": "renderer", "WebKitNetworkProcess": "network", "Xvfb": "display",
}


def _words(command: list[str]) -> tuple[str, ...]:
    """The arguments; a browser's child writes its own as one text with spaces."""
    return tuple(command[0].split(" ") if len(command) == 1 else command)


@dataclass(frozen=True)
class Found:
    pid: int
    parent: int
    command: tuple[str, ...]

    @property
    def role(self) -> str:
        name = Path(self.command[0]).name if self.command else ""
        if len(self.command) > 1 and self.command[1] == "supervise":
            return "supervisor"
        if name in ROLES:
            return ROLES[name]
        if name == "firefox-esr":
            return {"tab": "renderer"}.get(self.command[-1], self.command[-1]) if "-contentproc" in self.command else "browser"
        if name not in ("headless_shell", "chromium"):
            return name
        if "--utility-sub-type=network.mojom.NetworkService" in self.command:
            return "network"
        kinds = [word.removeprefix("--type=") for word in self.command if word.startswith("--type=")]
        return kinds[0] if kinds else "browser"


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def marked(marker: str, folder: Path) -> list[Found]:
    """Live processes with the marker in their environment, or that name the folder or work below it.

    Three signs, since a browser's child may overwrite its environment, and not every one of them names its profile.
    """
    found = []
    sign, place = marker.encode(), str(folder)
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        command = _read(f"/proc/{entry.name}/cmdline")
        try:
            directory = os.readlink(f"/proc/{entry.name}/cwd")
        except OSError:
            directory = ""
        if sign not in _read(f"/proc/{entry.name}/environ") and place.encode() not in command and not directory.startswith(place):
            continue
        state = _read(f"/proc/{entry.name}/stat").rpartition(b")")[2].split()
        if state and state[0] not in (b"Z", b"X"):
            words = command.decode(errors="replace").rstrip("\0").split("\0")
            found.append(Found(int(entry.name), int(state[1]), _words(words)))
    return found


def below(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def tree(pid: int) -> list[Found]:
    found = []
    for process in below(pid):
        try:
            found.append(Found(process.pid, process.ppid(), _words(process.cmdline() or [""])))
        except psutil.NoSuchProcess:
            continue
    return found


def zombies(pid: int) -> int:
    count = 0
    for process in below(pid):
        try:
            count += process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            continue
    return count


def resident(pid: int) -> int:
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def descriptors(pid: int) -> int:
    """Open descriptors but for TCP connections that their other end holds too: a browser keeps as many as it likes."""
    established = sum(found.status == psutil.CONN_ESTABLISHED for found in psutil.Process(pid).net_connections("tcp"))
    return len(os.listdir(f"/proc/{pid}/fd")) - established


def kill_hard(pid: int) -> float:
    """Sends SIGKILL; the time on the wall clock just before."""
    at = time.time()
    os.kill(pid, signal.SIGKILL)
    return at
