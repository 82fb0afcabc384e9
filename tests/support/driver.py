"""Scripts in the agent's page, through the driver that the server has started: how a test makes a page misbehave."""

import http.client
import json

import psutil


def _port(pid: int) -> int:
    """Where the driver answers: of its listening ports the one that knows /status."""
    for connection in psutil.Process(pid).net_connections("tcp4"):
        if connection.status != psutil.CONN_LISTEN:
            continue
        client = http.client.HTTPConnection("127.0.0.1", connection.laddr.port, timeout=5)
        try:
            client.request("GET", "/status")
            if client.getresponse().status == 200:
                return int(connection.laddr.port)
        except (OSError, http.client.HTTPException):
            continue
        finally:
            client.close()
    raise AssertionError(f"driver {pid} answers nowhere")


def run_script(driver_pid: int, session: str, script: str) -> object:
    """The script's result; it must end soon, since the driver waits for it."""
    client = http.client.HTTPConnection("127.0.0.1", _port(driver_pid), timeout=20)
    try:
        body = json.dumps({"script": script, "args": []})
        client.request("POST", f"/session/{session}/execute/sync", body, {"Content-Type": "application/json; charset=utf-8"})
        answer = client.getresponse()
        text = answer.read()
        assert answer.status == 200, f"{answer.status} {text[:500]!r}"
        return json.loads(text)["value"]
    finally:
        client.close()
