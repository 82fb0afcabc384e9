"""Prometheus's own linter reads the metrics page: no complaint about any name of ours; Triton's names are as they are."""

import subprocess

from support.embeddings import infer, rows
from support.http import ask
from support.server import HOME

PROMTOOL = HOME / "tools/clients/promtool"


def complaints(page: bytes) -> list[str]:
    """One line per complaint; each begins with the metric's name."""
    checked = subprocess.run([PROMTOOL, "check", "metrics"], input=page, capture_output=True, timeout=30, check=False)
    assert checked.returncode in (0, 3), checked  # 3: complaints; anything else: the page cannot be read
    return checked.stderr.decode().splitlines()


def test_our_names_are_as_prometheus_wants_them(shared_server, seed):
    assert infer(shared_server, rows(seed, 1, 8)[0]).status == 200
    page = ask(shared_server.metrics, "GET", "/metrics").body
    assert b"\nshoal_request_duration_seconds_bucket" in page
    assert [line for line in complaints(page) if not line.startswith("nv_inference_")] == []


def test_a_bad_name_is_found():
    page = b"# HELP shoal_bad_count Bad.\n# TYPE shoal_bad_count counter\nshoal_bad_count 1\n"
    assert any(line.startswith("shoal_bad_count ") for line in complaints(page))
