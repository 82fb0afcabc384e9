"""What browsers get from the server: the agent page, the weights; and what a page of another site does not get."""

import hashlib
import json
import re

import pytest
from support.http import ask
from support.processes import kill_hard
from support.server import AGENT, HOME, MODEL
from support.waiting import eventually

GRAPH = HOME / "models" / MODEL / "1/model.onnx"


@pytest.fixture(scope="module")
def server(launch):
    return launch(pool__browsers="kind=headless_shell,backends=wasm").start()


@pytest.fixture(scope="module")
def graph():
    return GRAPH.read_bytes()


@pytest.fixture(scope="module")
def blob(graph):
    return "/agent/blobs/" + hashlib.sha256(graph).hexdigest()


def test_the_agent_page_is_isolated(server):
    page = server.get("/agent/")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    assert page.headers["cross-origin-embedder-policy"] == "require-corp"
    assert page.headers["x-content-type-options"] == "nosniff"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-eval'" not in policy
    assert not re.search(r"https?:", policy), "no other origin"
    assert page.headers["cache-control"] == "no-cache"
    assert (AGENT / "index.html").read_bytes() == page.body


def test_every_file_of_the_bundle_is_served_with_its_type(server):
    types = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".html": "text/html",
             ".css": "text/css", ".json": "application/json"}
    files = [path for path in AGENT.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        answer = ask(server.http, "HEAD", f"/agent/{path.relative_to(AGENT)}")
        assert answer.status == 200, path
        assert int(answer.headers["content-length"]) == path.stat().st_size
        assert answer.headers["content-type"].startswith(types[path.suffix]), path
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_weights_are_immutable_and_come_in_ranges(server, blob, graph):
    whole = server.get(blob)
    assert whole.status == 200
    assert whole.body == graph
    assert "immutable" in whole.headers["cache-control"]
    assert whole.headers["accept-ranges"] == "bytes"
    size = len(graph)
    for asked, first, last in (("0-0", 0, 0), ("100-4095", 100, 4095), (f"{size - 5}-", size - 5, size - 1),
                               ("-7", size - 7, size - 1), (f"10-{size * 2}", 10, size - 1)):
        part = server.get(blob, Range=f"bytes={asked}")
        assert part.status == 206, asked
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert part.body == graph[first : last + 1]
    beyond = server.get(blob, Range=f"bytes={size}-")
    assert beyond.status == 416
    assert beyond.headers["content-range"] == f"bytes */{size}"
    etag = whole.headers["etag"]
    again = ask(server.http, "GET", blob, headers={"If-None-Match": etag})
    assert (again.status, again.body) == (304, b"")
    stale = ask(server.http, "GET", blob, headers={"If-Range": '"another"', "Range": "bytes=0-9"})
    assert (stale.status, len(stale.body)) == (200, size)


@pytest.mark.parametrize("path", [
    "/agent/blobs/" + "0" * 64, "/agent/blobs/../../../etc/passwd", "/agent/../server/main.cpp", "/agent/..%2f..%2fetc/passwd",
    "/agent/%2e%2e/package.json", "/agent//etc/passwd", "/agent/.git/config", "/agent/index.html/", "/agent/ort/",
    "/agent/a\\..\\b", "/agent/%00", "/agent/blobs/" + "a" * 5000,
])
def test_nothing_else_is_served(server, path):
    answer = server.get(path)
    assert answer.status in (400, 404, 431), (path, answer.status)
    assert b"root:" not in answer.body


def forgeries(port):
    return [
        {"Host": "evil.example"},
        {"Host": f"evil.example:{port}"},
        {"Host": "127.0.0.1:1"},
        {"Host": f"127.0.0.1:{port}.evil.example"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"https://127.0.0.1.evil.example:{port}"},
        {"Origin": f"file://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]


@pytest.mark.parametrize("index", range(11))
def test_forged_hosts_and_origins_are_refused(server, blob, index):
    forged = forgeries(server.http.rpartition(":")[2])[index]
    for path in ("/agent/", "/agent/page.js", blob):
        answer = ask(server.http, "GET", path, headers=forged)
        assert answer.status in (400, 403), (path, forged, answer.status)
        assert b"onnx" not in answer.body
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    own = {} if "Origin" in forged else {"Origin": f"http://{server.http}"}
    assert ask(server.http, "GET", "/agent/ws", headers=upgrade | own | forged).status in (400, 403)


@pytest.mark.parametrize("index", range(5, 11))
def test_pages_of_other_sites_reach_no_api(server, index):
    forged = forgeries(server.http.rpartition(":")[2])[index]
    for method, path in (("GET", "/v2"), ("GET", "/v1/models"), ("POST", f"/v2/models/{MODEL}/infer"), ("POST", "/v1/embeddings")):
        answer = ask(server.http, method, path, b"{}" if method == "POST" else None, headers=forged)
        assert answer.status == 403, (path, forged, answer.status)
        assert "access-control-allow-origin" not in answer.headers


def test_the_page_of_this_server_reaches_the_api(server):
    own = {"Origin": f"http://{server.http}", "Sec-Fetch-Site": "same-origin"}
    assert ask(server.http, "GET", "/v2", headers=own).status == 200
    assert ask(server.http, "GET", "/v2", headers={"Host": f"localhost:{server.http.rpartition(':')[2]}"} | own).status == 200


@pytest.mark.parametrize("role", ["renderer", "browser"])
def test_weights_stay_in_the_browser(server, role):
    """Without its renderer the page is lost, without its process the browser: the next one finds the weights."""
    loads = len(server.events("model_loaded"))
    assert loads >= 1
    # Nobody waits for the store, and the browser writes its index some seconds after the entry.
    eventually("the store has the weights", 20, lambda: server.scrape().value("shoal_worker_cache_bytes") >= GRAPH.stat().st_size)
    eventually("the store is on the disk", 20, lambda: list(server.folder.glob("profiles/**/CacheStorage/*/index.txt")))
    kill_hard(server.victim("headless_shell/0", role))
    loaded = server.wait_event("model_loaded", 30, after=loads)
    assert loaded["from_cache"] is True, json.dumps(loaded)
    server.wait_ready(10)
