"""Pages of other sites: a real browser on a page of an origin that is named, and on one that is not."""

import contextlib
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.device import Device
from support.http import ask
from support.server import MODEL, binary, environment
from support.waiting import eventually


class EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>another site</title>")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def another_site():
    site = ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{site.server_address[1]}"
    finally:
        site.shutdown()
        site.server_close()


@pytest.fixture(scope="module")
def ours():
    with another_site() as origin:
        yield origin


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory, ours):
    folder = tmp_path_factory.mktemp("cors")
    made = launch(folder=folder, auth__enabled="true", server__cors_origins=f"https://app.example,{ours}",
                  pool__browsers="kind=headless_shell,backends=wasm,threads=1")
    made.key = subprocess.run([str(binary()), "keys", "create", "a page", "--scopes", "infer,admin"], capture_output=True, text=True,
                              timeout=30, env=environment(folder), check=True).stdout.strip()
    made.start()
    eventually("the key is known", 10, lambda: made.get("/v2", Authorization=f"Bearer {made.key}").status == 200)
    return made


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    device = Device(tmp_path_factory.mktemp("page"))
    yield device
    device.end()


def fetch(browser, page, url, options="{}"):
    """What the page's script sees: the status and the body, or that the browser kept the answer from it."""
    browser.open(page)
    return browser.run(f"return fetch({url!r}, {options}).then(async (got) => [got.status, await got.text()], (why) => [0, String(why)])")


def test_a_page_of_a_named_origin_uses_the_models(server, browser, ours):
    options = f"""{{method: "POST", headers: {{"Authorization": "Bearer {server.key}", "Content-Type": "application/json",
        "X-Stainless-OS": "Linux"}}, body: JSON.stringify({{model: "{MODEL}", input: "a shoal"}})}}"""
    status, text = fetch(browser, ours, f"http://{server.http}/v1/embeddings", options)
    assert status == 200, text
    assert text.startswith('{"object":"list"')
    refused, why = fetch(browser, ours, f"http://{server.http}/v2/models/{MODEL}")
    assert refused == 401, why


def test_it_reads_the_size_of_the_json_part(server, browser, ours):
    browser.open(ours)
    got = browser.run(f"""return fetch("http://{server.http}/v2/models/{MODEL}/infer", {{method: "POST",
        headers: {{Authorization: "Bearer {server.key}"}}, body: JSON.stringify({{parameters: {{binary_data_output: true}}, inputs:
        ["input_ids", "attention_mask", "token_type_ids"].map((name) => ({{name, shape: [1, 2], datatype: "INT64", data: [1, 1]}}))}})}})
        .then(async (got) => [got.status, got.headers.get("Inference-Header-Content-Length"), (await got.arrayBuffer()).byteLength])""")
    assert got[0] == 200
    assert 0 < int(got[1]) < got[2]


@pytest.mark.parametrize("path", ["/admin/v1/workers", "/admin/v1/events", "/agent/"])
def test_it_uses_nothing_else(server, browser, ours, path):
    headers = f'{{headers: {{Authorization: "Bearer {server.key}"}}}}'
    assert fetch(browser, ours, f"http://{server.http}{path}", headers)[0] == 0
    assert fetch(browser, ours, f"http://{server.http}{path}")[0] == 0


def test_a_page_of_another_origin_uses_nothing(server, browser):
    with another_site() as stranger:
        headers = f'{{headers: {{Authorization: "Bearer {server.key}"}}}}'
        for options in (headers, "{}"):
            assert fetch(browser, stranger, f"http://{server.http}/v2", options)[0] == 0


def test_what_goes_over_the_wire(server):
    sent = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    asked = ask(server.http, "OPTIONS", "/v1/embeddings", headers=sent)
    assert asked.status == 204
    assert asked.headers["access-control-allow-origin"] == "https://app.example"
    assert asked.headers["access-control-allow-methods"] == "POST"
    assert asked.headers["access-control-max-age"] == "600"
    for changed in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "rebound.example"}):
        refused = ask(server.http, "OPTIONS", "/v1/embeddings", headers=sent | changed)
        assert refused.status == 403
        assert not any(name.startswith("access-control-") for name in refused.headers)
    assert not any(name.startswith("access-control-") for name in ask(server.http, "GET", "/v2/health/live").headers)


def test_every_page_only_with_keys(launch):
    refused = launch(server__cors_origins="*")
    refused.spawn()
    assert refused.wait_exit(15) != 0
    assert "server.cors_origins" in refused.tail()
