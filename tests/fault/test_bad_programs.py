"""Drivers and browsers that do not fit: their slot says why, tries again ever later, and harms no other."""

import time

import pytest
from support.embeddings import infer, rows
from support.server import HOME
from support.waiting import eventually

GOOD = "kind=headless_shell,backends=wasm,threads=1"


def script(folder, name, text):
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def failures(server, slot):
    return [event for event in server.events("browser_launch_failed") if event["slot"] == slot]


def serves(server, seed):
    for row in rows(seed, 5, 8):
        assert infer(server, row).status == 200


def test_a_driver_of_another_version(launch, tmp_path, seed):
    """headless_shell is 153, the driver 156: without the word that lets it, it refuses."""
    strict = script(tmp_path, "chromedriver", 'for word do shift; [ "$word" = --disable-build-check ] || set -- "$@" "$word"; done\n'
                                              'exec /usr/bin/chromedriver "$@"\n')
    server = launch(pool__browsers=f"{GOOD},driver_path={strict};{GOOD}", pool__connect_timeout="10s").start()
    eventually("it has been tried three times", 60, lambda: len(failures(server, "headless_shell/0")) >= 3)
    assert "only supports Chrome version" in failures(server, "headless_shell/0")[0]["what"]
    worker = server.get("/admin/v1/workers/headless_shell/0").json()
    assert "only supports Chrome version" in str(worker), worker
    serves(server, seed)
    assert server.events("worker_lost") == []


@pytest.mark.parametrize(("name", "text"), [
    ("ends at once", "exit 3\n"),
    ("is not a driver", "echo hello; exec sleep 1000\n"),
])
def test_a_driver_that(launch, tmp_path, seed, name, text):
    bad = script(tmp_path, "driver", text)
    server = launch(pool__browsers=f"{GOOD},driver_path={bad};{GOOD}", pool__connect_timeout="3s").start()
    eventually("it has been tried twice", 60, lambda: len(failures(server, "headless_shell/0")) >= 2)
    serves(server, seed)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 20


def test_a_driver_that_never_answers(launch, tmp_path, seed):
    """It says its port and takes connections; POST /session waits for ever."""
    bad = script(tmp_path, "driver", f"""exec {HOME}/tools/venv/bin/python -c '
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
print("ChromeDriver was started successfully on port %d." % listener.getsockname()[1], flush=True)
kept = []
while True:
    kept.append(listener.accept())
'
""")
    server = launch(pool__browsers=f"{GOOD},driver_path={bad};{GOOD}", pool__connect_timeout="3s").start()
    eventually("it has been tried twice", 60, lambda: len(failures(server, "headless_shell/0")) >= 2)
    assert "deadline" in failures(server, "headless_shell/0")[0]["what"] or "in time" in failures(server, "headless_shell/0")[0]["what"]
    serves(server, seed)
    server.stop()
