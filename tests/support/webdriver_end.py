"""A remote WebDriver end whose browsers are this process: for tests of the server with more agents than a machine has
browsers for. It speaks the two protocols, WebDriver and the agent's; it computes nothing."""

import json
import threading
import uuid
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from support.agent_frames import HEARTBEAT, field, frame, hello
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect


class Agents:
    """The agents that navigation has opened; one thread sends all heartbeats, one a second each."""

    def __init__(self, build: str) -> None:
        self.build = build
        self.connected: list[ClientConnection] = []
        self._lock = threading.Lock()
        self._open = ExitStack()
        self._stop = threading.Event()
        self._beats = threading.Thread(target=self._beat, daemon=True)
        self._beats.start()

    def open(self, url: str) -> None:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        opened = connect(f"ws://{parts.netloc}/agent/ws", origin=f"http://{parts.netloc}", max_size=None, compression=None,
                             subprotocols=["shoal.agent.v1"], ping_interval=None)
        with self._lock:
            connection = self._open.enter_context(opened)
        connection.send(hello(query["slot"], query["token"], build=self.build))
        with self._lock:
            self.connected.append(connection)

    def _beat(self) -> None:
        sequence = 0
        while not self._stop.wait(1):
            sequence += 1
            beat = frame(field(HEARTBEAT, field(1, sequence)))
            with self._lock:
                agents = list(self.connected)
            for agent in agents:
                try:
                    agent.send(beat)
                except ConnectionClosed:
                    with self._lock:
                        self.connected.remove(agent)

    def close(self) -> None:
        self._stop.set()
        self._beats.join()
        self._open.close()


class WebDriverEnd:
    def __init__(self, build: str) -> None:
        self.agents = agents = Agents(build)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self, value: object) -> None:
                body = json.dumps({"value": value}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
                if self.path == "/session":
                    self._answer({"sessionId": uuid.uuid4().hex, "capabilities": {"browserName": "test client", "browserVersion": "1"}})
                    return
                if self.path.endswith("/url"):
                    threading.Thread(target=agents.open, args=(body["url"],), daemon=True).start()
                self._answer(None)

            def do_GET(self) -> None:
                self._answer({"ready": True, "message": ""})

            def do_DELETE(self) -> None:
                self._answer(None)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.agents.close()
        self._server.shutdown()
        self._server.server_close()
