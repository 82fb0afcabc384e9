"""The programs of tests/bench/frontend/: echoes without any of the server's code, and the client that loads every server alike."""

import json
import signal
import subprocess
from contextlib import contextmanager

from support.server import ROOT

PROGRAMS = ROOT / "build/release/tests/bench/frontend"
PROTOCOLS = ("grpc", "http-json", "http-binary")
START_SECONDS = 20
# What the client adds to the time that it is told to measure: it connects, and it gives up on an answer after 30 s.
CLIENT_SECONDS = 60


class Bare:
    """A running echo."""

    def __init__(self, process, address):
        self.process, self.address, self.pid = process, address, process.pid


@contextmanager
def bare(name):
    """`bare_grpc_echo` or `bare_http_echo`, until the block ends."""
    process = subprocess.Popen([PROGRAMS / name], stdout=subprocess.PIPE, text=True)
    try:
        yield Bare(process, f"127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(START_SECONDS)
        process.stdout.close()


def ask(protocol, address, elements=1, concurrency=1, seconds=1.0, warm_up=0.5, **more):
    """(exit status, what the client says about its run)."""
    options = {
        "protocol": protocol, "address": address, "elements": elements, "concurrency": concurrency, "seconds": seconds,
        "warm-up": warm_up, **more,
    }
    done = subprocess.run(
        [PROGRAMS / "frontend_load", *(f"--{name}={value}" for name, value in options.items())],
        capture_output=True, text=True, timeout=warm_up + seconds + CLIENT_SECONDS,
    )
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError as unreadable:
        raise RuntimeError(f"frontend_load: status {done.returncode}: {done.stdout[:500]}{done.stderr[:500]}") from unreadable


def load(*what, **options):
    """The same for a run that must be without a fault."""
    status, said = ask(*what, **options)
    if status != 0:
        raise RuntimeError(f"{what} {options}: {said}")
    return said
