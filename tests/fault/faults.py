"""What can happen to a browser, done for real, and what it takes to be well again.

A fault strikes while requests are in flight. `undo` ends one that lasts; what it leaves is the pool's to mend.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import psutil
from support import processes
from support.driver import run_script
from support.kinds import LOCAL
from support.processes import kill_hard
from support.proxy import Proxy
from support.server import MODEL, Server

CHROMIUM = ("headless_shell", "chromium")
ALL = tuple(LOCAL)


@dataclass
class Target:
    """A server with one browser, reached through a proxy."""

    server: Server
    kind: str
    proxy: Proxy
    matrices: list[np.ndarray]  # of the model "gpu"

    @property
    def slot(self) -> str:
        return f"{self.kind}/0"

    def process(self, role: str) -> int:
        return self.server.victim(self.slot, role)

    def script(self, text: str) -> None:
        session = self.server.events("browser_launched")[-1]["session"]
        run_script(self.process("driver"), session, text)


@dataclass(frozen=True)
class Fault:
    name: str
    strike: Callable[[Target], None]
    kinds: tuple[str, ...] = ALL
    undo: Callable[[Target], None] = lambda target: None
    model: str = MODEL  # whose requests are in flight
    keeps: bool = False  # the browser, unless it happens too often
    loses: bool = True  # the browser, for certain; then `undo` comes after the loss, else after the first answer


def kill(role: str) -> Callable[[Target], None]:
    return lambda target: kill_hard(target.process(role)) and None


def stop(role: str) -> Callable[[Target], None]:
    return lambda target: os.kill(target.process(role), signal.SIGSTOP)


def go_on(target: Target) -> None:
    for pids in target.server.workers().get(target.slot, {}).values():
        for pid in pids:
            if psutil.pid_exists(pid) and psutil.Process(pid).status() == psutil.STATUS_STOPPED:
                os.kill(pid, signal.SIGCONT)


def silent_driver(target: Target) -> None:
    """It is needed for the next browser, and says nothing."""
    os.kill(target.process("driver"), signal.SIGSTOP)
    kill_hard(target.process("browser"))


def page_loop(target: Target) -> None:
    target.script("setTimeout(() => { for (;;) {} }, 300)")


def page_heap(target: Target) -> None:
    """A heap that grows by some 400 MB a second, while the page's own beat goes on."""
    target.script("window.kept = []; setInterval(() => { for (let n = 0; n < 4; n++) "
                  "window.kept.push(new Array(131072).fill(Math.random())) }, 10)")


def post(server: Server, model: str, count: int, shape: list[int], seconds: float):
    body = {"parameters": {"timeout": int(seconds * 1e6)},
            "inputs": [{"name": "count", "datatype": "INT64", "shape": shape, "data": [count]}]}
    return server.post(f"/v2/models/{model}/infer", body, timeout=seconds + 60)


def engine_loop(target: Target) -> None:
    """A graph whose loop does not end: the engine worker answers nothing any more."""
    answer = post(target.server, "spin", 2**62, [], 2)
    assert answer.json().get("code") == "DEADLINE_EXCEEDED", answer


def wasm_memory(target: Target) -> None:
    """More than 32-bit addresses reach, in steps of what does fit, so that the engine's memory is full when it fails."""
    for count in (2**28, 2**29, 2**30, 2**33):
        answer = post(target.server, "hog", count, [1], 60)
        assert answer.status == 200 or answer.json()["code"], answer


def cut(target: Target) -> None:
    target.proxy.cut()


def freeze(target: Target) -> None:
    target.proxy.frozen = True


def thaw(target: Target) -> None:
    target.proxy.frozen = False


def slow(target: Target) -> None:
    """Heartbeats pass between the chunks of an answer."""
    target.proxy.bytes_per_second = 256 << 10


def fast(target: Target) -> None:
    target.proxy.bytes_per_second = 0


def garbage(target: Target) -> None:
    target.proxy.send_garbage(np.random.default_rng(0).bytes(4096))


FAULTS = [
    Fault("SIGKILL renderer", kill("renderer")),
    Fault("SIGKILL GPU process, on webgpu", kill("gpu-process"), CHROMIUM, model="gpu", loses=False, keeps=True),
    # The page lives, and comes back on another connection.
    Fault("SIGKILL network service", kill("network"), (*CHROMIUM, "webkitgtk"), loses=False),
    Fault("SIGKILL browser", kill("browser")),
    Fault("SIGKILL driver", kill("driver")),
    Fault("SIGKILL supervisor", kill("supervisor")),
    Fault("SIGKILL display", kill("display"), ("webkitgtk",)),
    Fault("SIGSTOP renderer", stop("renderer")),
    # Chromium's and WebKit's is not on the way of a request: it goes on as if nothing were.
    Fault("SIGSTOP browser", stop("browser"), undo=go_on, loses=False),
    Fault("driver silent, browser killed", silent_driver),
    Fault("endless loop on the page", page_loop),
    Fault("endless loop in the engine", engine_loop),
    Fault("page heap exhausted", page_heap),
    Fault("WASM memory exhausted", wasm_memory, loses=False),
    Fault("WebSocket reset", cut, loses=False, keeps=True),
    Fault("WebSocket half-open", freeze, undo=thaw),
    Fault("WebSocket slow", slow, undo=fast, loses=False, keeps=True),
    # Within a frame it is a breach of the protocol, between two a connection that broke and is resumed.
    Fault("WebSocket garbage", garbage, loses=False),
]


def holdings(target: Target) -> dict[str, int]:
    """Counts that must not grow."""
    server = target.server
    roles = [found.role for found in processes.tree(server.pid)]
    return {
        "descriptors": processes.descriptors(server.pid),
        "threads": len(os.listdir(f"/proc/{server.pid}/task")),
        "zombies": processes.zombies(server.pid),
        "profiles": len(list((server.folder / "profiles").iterdir())),
    } | {role: roles.count(role) for role in ("supervisor", "driver", "browser", "display")}
