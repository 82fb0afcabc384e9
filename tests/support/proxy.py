"""A TCP proxy between a browser and the server that can do to the agent's WebSocket what networks do.

Other connections (pages, weights) always pass. Every connection has two threads, one for each direction.
"""

import select
import socket
import struct
import threading
import time

RESET = struct.pack("ii", 1, 0)  # SO_LINGER that makes close() send RST


class Proxy:
    """Listens on loopback from the start; connections wait until `target` (host:port) is set."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self.target = ""
        self.frozen = False  # WebSockets: bytes are neither read nor sent, and nothing is closed
        self.bytes_per_second = 0  # WebSockets: 0 = no limit
        self._links: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.port}/agent/"

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            head = client.recv(65536)
            while head and b"\r\n" not in head:
                head += client.recv(65536)
            while not self.target and not self._closed:
                time.sleep(0.01)
            host, _, port = self.target.rpartition(":")
            server = socket.create_connection((host, int(port)), 10)
            server.settimeout(None)
            server.sendall(head)
        except OSError:
            client.close()
            return
        is_agent = head.startswith(b"GET /agent/ws")
        if is_agent:
            with self._lock:
                self._links.append((client, server))
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink, is_agent), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_agent: bool) -> None:
        try:
            while True:
                if is_agent and self.frozen:
                    time.sleep(0.02)
                    continue
                if not select.select([source], [], [], 0.2)[0]:
                    continue
                if is_agent and self.frozen:
                    continue
                rate = self.bytes_per_second if is_agent else 0
                data = source.recv(max(1, rate // 20) if rate else 65536)
                if not data:
                    break
                sink.sendall(data)
                if rate:
                    time.sleep(len(data) / rate)
        except (OSError, ValueError):
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def links(self) -> list[tuple[socket.socket, socket.socket]]:
        with self._lock:
            self._links = [link for link in self._links if link[0].fileno() >= 0]
            return list(self._links)

    def cut(self) -> None:
        """Resets every WebSocket in both directions."""
        for link in self.links():
            for end in link:
                try:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def send_garbage(self, data: bytes) -> None:
        """To the server, in the browser's name and in the middle of whatever it says."""
        for _, server in self.links():
            try:
                server.sendall(data)
            except OSError:
                continue

    def close(self) -> None:
        self._closed = True
        self.frozen = False
        self._listener.close()
        self.cut()
