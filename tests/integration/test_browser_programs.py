"""Browsers of the configuration's own choice: a program at another path, and one with a window."""

import os
import socket
import subprocess

import psutil
import pytest
from support import processes
from support.embeddings import infer, rows
from support.kinds import far_end, free_ports
from support.waiting import eventually

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
pytestmark = pytest.mark.timeout(240)


def answered_by(server, seed, slot):
    answer = infer(server, rows(seed, 1, 16)[0], 60, shoal_worker=slot)
    assert answer.status == 200, answer
    return answer.json()["parameters"]["shoal_worker"]


def test_chrome_is_used_where_it_is_configured(launch, seed):
    """Chrome and Chromium are one program to chromedriver; Debian has the latter."""
    server = launch(pool__browsers=f"kind=chrome,browser_path={CHROMIUM},driver_path={DRIVER},backends=wasm,threads=1").start()
    assert answered_by(server, seed, "chrome/0") == "chrome/0"
    assert any(found.role == "browser" for found in processes.tree(server.pid))


@pytest.mark.parametrize("kind", ["chrome", "edge"])
def test_a_kind_without_a_program_says_what_it_needs(launch, kind):
    server = launch(pool__browsers=f"kind={kind}")
    server.spawn()
    assert server.wait_exit(15) == 1
    assert f"'{kind}' needs driver_path" in server.tail(), server.tail()


def test_a_browser_that_is_not_what_it_is_said_to_be_is_refused_in_words(launch):
    """chromedriver does not know Edge's name: the reason is the driver's own, and the server lives."""
    server = launch(pool__browsers=f"kind=edge,browser_path={CHROMIUM},driver_path={DRIVER}").listen()
    failed = server.wait_event("browser_launch_failed", 60)
    assert "edge" in failed["what"].lower() or "capabilit" in failed["what"].lower(), failed
    assert server.get("/v2/health/live").status == 200


@pytest.mark.long
def test_a_headed_browser_shows_itself_on_the_display(launch, seed, tmp_path, monkeypatch):
    """On a virtual one, whose screen is a file."""
    read, write = os.pipe()
    display = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp",
                                "-fbdir", str(tmp_path)], pass_fds=[write], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        monkeypatch.setenv("DISPLAY", ":" + os.read(read, 16).decode().strip())
        screen = tmp_path / "Xvfb_screen0"
        empty = screen.read_bytes()
        server = launch(pool__browsers="kind=chromium,headed=true,backends=wasm,threads=1").start()
        assert answered_by(server, seed, "chromium/0") == "chromium/0"
        command = next(found.command for found in processes.tree(server.pid) if found.role == "browser")
        assert "--headless" not in " ".join(command)

        def painted():
            return sum(was != now for was, now in zip(empty, screen.read_bytes(), strict=True))

        eventually("a window is on the screen", 20, lambda: painted() > 100_000)
        server.stop()
    finally:
        os.close(read)
        display.kill()
        display.wait()


@pytest.fixture(name="far_end")
def a_far_end(tmp_path):
    with far_end(tmp_path) as address:
        yield address


def own_address():
    """An address of this machine that is not loopback: what a browser elsewhere would be given."""
    found = [address.address for entries in psutil.net_if_addrs().values() for address in entries
             if address.family == socket.AF_INET and not address.address.startswith("127.")]
    return found[0] if found else pytest.skip("this machine has no address but loopback")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_remote_browser_finds_the_server_by_its_address(launch, seed, far_end, scheme):
    """By plain HTTP the origin is declared secure on the browser's command line; by HTTPS the certificate is the server's own."""
    address = own_address()
    http, join = free_ports(2)
    place = f"{address}:{http if scheme == 'http' else join}"
    group = f"kind=remote,url={far_end},browser=chromium,backends=wasm,threads=2,agent_url={scheme}://{place}/agent/"
    if os.geteuid() == 0:
        group += ",arguments=--no-sandbox"
    if scheme == "https":
        group += ',capabilities={"acceptInsecureCerts":true}'
    settings = {"join__enabled": "true", "join__bind": address, "join__port": str(join), "join__public_url": f"https://{place}"}
    server = launch(pool__browsers=group,
                    **(settings if scheme == "https" else {"server__host": "0.0.0.0", "server__insecure": "true"}),
                    server__http_port=str(http), **({"server__public_hosts": place} if scheme == "http" else {}))
    server.listen()
    server.http = f"127.0.0.1:{http}"
    server.metrics = server.metrics.replace("0.0.0.0", "127.0.0.1")
    server.wait_ready()
    assert answered_by(server, seed, "remote/0") == "remote/0"
    worker = next(found for found in server.get("/admin/v1/workers").json()["workers"] if found["slot"] == "remote/0")
    assert worker["backends"] == ["wasm"], worker
    server.stop()
