"""A server that behaves as a Hugging Face hub does, on two ports: what it lists and where it keeps large files. What it may do wrong
is told to it."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 10_000  # bytes from which a file has a checksum and lies elsewhere


class Hub:
    """Repositories by "owner/name" with their folders. `asked`: what came, as (port's name, path, header Range, had the token)."""

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.token = ""  # what gated ones ask for
        self.gated: set[str] = set()
        self.forbidden: set[str] = set()
        self.asked: list[tuple[str, str, str | None, bool]] = []
        self.cut_after: int | None = None  # the storage sends so many bytes of the next answer, and breaks off
        self.failures = 0  # so many answers of the storage are 503
        self.wrong_checksum = False
        self.knows_ranges = True
        self.elsewhere = ""  # redirects go there instead
        self.endpoint = self.storage = ""

    def folder_of(self, repository: str) -> Path | None:
        return self.repositories.get(repository)

    def listing(self, repository: str) -> dict[str, Any]:
        folder = self.repositories[repository]
        siblings = []
        for file in sorted(one for one in folder.rglob("*") if one.is_file()):
            content = file.read_bytes()
            entry: dict[str, Any] = {"rfilename": str(file.relative_to(folder)), "size": len(content), "blobId": "0" * 40}
            if len(content) >= LARGE:
                sha256 = "f" * 64 if self.wrong_checksum else hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        return {"id": repository, "sha": COMMIT, "siblings": siblings}

    def asked_of(self, name: str) -> list[str]:
        return [path for port, path, _, _ in self.asked if port == name]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub
    name: str

    def log_message(self, *_: Any) -> None:
        pass

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        hub = self.hub
        path = self.path.partition("?")[0]
        has_token = self.headers.get("Authorization") is not None
        hub.asked.append((self.name, path, self.headers.get("Range"), has_token))
        if self.name == "storage":
            return self.send(Path(path.removeprefix("/of")))
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"] and parts[4:5] == ["revision"]:
            repository, revision = "/".join(parts[2:4]), "/".join(parts[5:])
        elif parts[2:3] == ["resolve"]:
            repository, revision = "/".join(parts[:2]), parts[3]
        else:
            return self.say(404)
        folder = hub.folder_of(repository)
        if folder is None or revision not in ("main", "v1", COMMIT):
            return self.say(404 if has_token or not hub.token else 401)
        if repository in hub.gated and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self.say(401)
        if repository in hub.forbidden:
            return self.say(403)
        if parts[0] == "api":
            return self.say(200, json.dumps(hub.listing(repository)).encode(), Content_Type="application/json")
        file = folder / "/".join(parts[4:])
        if file.stat().st_size >= LARGE:
            return self.say(302, Location=(hub.elsewhere or hub.storage) + f"/of{file}?signature=x")
        return self.send(file)

    def send(self, file: Path) -> None:
        hub = self.hub
        if self.name == "storage" and hub.failures > 0:
            hub.failures -= 1
            return self.say(503)
        content = file.read_bytes()
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        asked = self.headers.get("Range")
        first, status = 0, 200
        if asked and hub.knows_ranges and self.headers.get("If-Range", etag) == etag:
            begin, _, end = asked.removeprefix("bytes=").partition("-")
            first, last = int(begin), int(end) if end else len(content) - 1
            if first >= len(content):
                return self.say(416)
            content, status = content[first : last + 1], 206
        self.send_response(status)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.name == "storage" and hub.cut_after is not None:
            content, hub.cut_after = content[: hub.cut_after], None
            self.close_connection = True
        self.wfile.write(content)


@contextmanager
def running() -> Iterator[Hub]:
    hub = Hub()
    servers = []
    for name in ("hub", "storage"):
        handler = type(name, (Handler,), {"hub": hub, "name": name})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    hub.endpoint, hub.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
