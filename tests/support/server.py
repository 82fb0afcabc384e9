"""The real server: started from the built binary, watched through its log, and proved to be gone at the end."""

import json
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from support import processes
from support.http import Answer, ask
from support.metrics import Scrape, scrape
from support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("SHOAL_HOME") or ROOT / ".shoal")
AGENT = Path(os.environ.get("SHOAL_AGENT_DIR") or ROOT / "browser_agent/dist")
MODEL = "all-minilm-l6-v2"


def binary() -> Path:
    """The built server: SHOAL_BINARY, or where the release preset leaves it."""
    given = os.environ.get("SHOAL_BINARY")
    path = Path(given) if given else ROOT / "build/release/shoal"
    assert path.exists(), f"no {path}: build it, or set SHOAL_BINARY"
    return path


def environment(home: Path) -> dict[str, str]:
    """This process's, without any setting of Shoal that would leak in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    return kept | {"SHOAL_HOME": str(home)}


def encoders(folder: Path) -> Path:
    """A repository of the default models without the one that chats: hundreds of servers need not load it."""
    repository = folder / "encoders"
    repository.mkdir(parents=True, exist_ok=True)
    for model in (MODEL, f"{MODEL}-fp32"):
        link = repository / model
        if not link.is_symlink():
            link.symlink_to(HOME / "models" / model)
    return repository


class Server:
    """`shoal serve` on free ports with state of its own below `folder`; its models are the encoders among the default ones, its
    browsers the repository's.

    stop() ends it by SIGTERM and fails unless it exits with 0 and no process of it is left.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.marker = f"TEST_SERVER_MARKER={uuid.uuid4().hex}"
        self.settings = {
            "server.http_port": "0",
            "server.grpc_port": "0",
            "server.metrics_port": "0",
            "log.format": "json",
            "agent.dir": str(AGENT),
            "models.repository": str(encoders(folder)),
            "models.warm_up": "default",
            "pool.headless_shell": str(HOME / "tools/headless_shell/headless_shell.sh"),
        } | {name.replace("__", "."): value for name, value in settings.items()}
        self.process: subprocess.Popen[bytes] | None = None
        self.http = self.grpc = self.metrics = ""
        self.started = 0.0
        self._events: list[dict[str, Any]] = []
        self._read_path: Path | None = None
        self._read_bytes = 0

    # -- life

    def spawn(self) -> None:
        """Starts the process and waits for nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        name, _, value = self.marker.partition("=")
        flags = [f"--{key.replace('.', '-').replace('_', '-')}={text}" for key, text in self.settings.items()]
        self.log_path = self.folder / f"server-{time.monotonic_ns()}.log"
        with self.log_path.open("wb") as log:
            self.started = time.monotonic()
            self.process = subprocess.Popen(
                [str(binary()), "serve", *flags], cwd=self.folder, env=environment(self.folder) | {name: value},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )

    def listen(self, seconds: float = 15) -> "Server":
        """Starts it; returns when it listens and has read its repository, which is long before it is ready."""
        self.spawn()
        event = self.wait_event("listening", seconds)
        host = event["host"]
        self.http, self.grpc, self.metrics = (f"{host}:{event[key]}" for key in ("http", "grpc", "metrics"))

        def has_read() -> bool:
            try:
                return b"being read" not in self.get("/v2/health/ready").body
            except OSError:
                return not self.running()  # which is the test's matter

        eventually("the repository has been read", seconds, has_read)
        return self

    def start(self, seconds: float = 90) -> "Server":
        """Starts it; returns when it is ready."""
        self.listen()
        self.wait_ready(seconds)
        return self

    def wait_ready(self, seconds: float = 90) -> None:
        def ready() -> bool:
            assert self.running(), f"the server ended with {self.process.returncode}:\n{self.tail()}"
            return self.get("/v2/health/ready").status == 200

        try:
            eventually("the server is ready", seconds, ready)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.get('/v2/health/ready')}\n{self.tail()}") from late

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait_exit(self, seconds: float) -> int:
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"the server still runs after {seconds} s:\n{self.tail()}") from late

    def stop(self, seconds: float = 45) -> None:
        assert self.running(), f"the server ended by itself with {self.process and self.process.returncode}:\n{self.tail()}"
        self.signal(signal.SIGTERM)
        status = self.wait_exit(seconds)
        assert status == 0, f"exit status {status} after SIGTERM:\n{self.tail()}"
        left = self.processes()
        assert not left, f"left over after exit: {left}"

    def wait_gone(self, seconds: float) -> None:
        """No process of it is left, whoever killed it."""
        try:
            eventually("every process is gone", seconds, lambda: not self.processes())
        except AssertionError as late:
            raise AssertionError(f"{late}: {self.processes()}") from late

    def destroy(self) -> None:
        """For a test that has failed: kills whatever there is."""
        for found in self.processes():
            try:
                os.kill(found.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self.process is not None:
            self.process.wait()

    # -- what it runs

    def processes(self) -> list[processes.Found]:
        return processes.marked(self.marker, self.folder)

    def workers(self) -> dict[str, dict[str, list[int]]]:
        """By slot, the process ids of each role of its browser: supervisor, driver, browser, renderer, ..."""
        slots: dict[str, dict[str, list[int]]] = {}
        for supervisor in processes.tree(self.pid):
            if supervisor.role != "supervisor":
                continue
            roles: dict[str, list[int]] = {"supervisor": [supervisor.pid]}
            tree = processes.tree(supervisor.pid)
            for found in tree:
                roles.setdefault(found.role, []).append(found.pid)
            profile = next((word for word in supervisor.command if "/profiles/" in word), "")
            kind, _, number = Path(profile).name.rpartition("-")
            slots[f"{kind}/{number}"] = roles
        return slots

    def victim(self, slot: str, role: str) -> int:
        """The process of that role; of several renderers the one that holds the model."""
        pids = eventually(f"{slot} has a {role}", 20, lambda: self.workers().get(slot, {}).get(role))
        return max(pids, key=processes.resident)

    # -- what it says

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The log so far, lines that are not JSON apart. Reads only what has come since the last call: tests ask often."""
        if self._read_path != self.log_path:
            self._read_path, self._read_bytes, self._events = self.log_path, 0, []
        with self.log_path.open("rb") as log:
            log.seek(self._read_bytes)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]  # the last line may still be being written
        self._read_bytes += len(whole)
        for line in whole.split(b"\n"):
            if line.startswith(b"{"):
                try:
                    self._events.append(json.loads(line))
                except ValueError:
                    continue
        return [event for event in self._events if name is None or event.get("event") == name]

    def wait_event(self, name: str, seconds: float, after: int = 0, **fields: Any) -> dict[str, Any]:
        """The first event of that name with these fields, leaving out the first `after` of that name."""

        def found() -> dict[str, Any] | None:
            if any(fields.items() <= event.items() for event in self.events(name)[after:]):
                return next(event for event in self.events(name)[after:] if fields.items() <= event.items())
            assert self.running(), f"the server ended with {self.process.returncode}:\n{self.tail()}"
            return None

        try:
            return eventually(f"event {name} {fields}", seconds, found)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.tail()}") from late

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def get(self, path: str, **headers: str) -> Answer:
        return ask(self.http, "GET", path, headers=headers)

    def ask(self, method: str, path: str, body: bytes | str | dict | None = None) -> Answer:
        return ask(self.http, method, path, body)

    def post(self, path: str, body: bytes | str | dict, timeout: float = 35, **headers: str) -> Answer:
        return ask(self.http, "POST", path, body, headers, timeout)

    def scrape(self) -> Scrape:
        return scrape(self.metrics)

    def ready_workers(self) -> int:
        return int(self.scrape().value("shoal_workers", state="ready"))

    def live(self) -> bool:
        return self.get("/v2/health/live").status == 200
