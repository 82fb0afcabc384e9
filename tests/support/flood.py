"""A flood of connections at the join page's port, as a process of its own: python flood.py PORT RATE SECONDS. It prints how many
it opened, how many knocked properly, and how many of those were turned away."""

import contextlib
import socket
import sys
import time

from support.liar import unverified

PROPER_EVERY = 4


def main(port: int, rate: float, seconds: float) -> None:
    opened = proper = refused = 0
    begin = time.monotonic()
    while (now := time.monotonic()) - begin < seconds:
        opened += 1
        is_proper = opened % PROPER_EVERY == 0
        proper += is_proper
        try:
            with socket.create_connection(("localhost", port), 5) as plain:
                plain.settimeout(2)
                if is_proper:
                    with unverified().wrap_socket(plain, server_hostname="localhost"):
                        pass
                else:
                    plain.sendall(b"\x16\x03\x01" + b"x" * 100)
        except OSError:
            refused += is_proper
        with contextlib.suppress(ValueError):
            time.sleep(begin + opened / rate - now)
    print(opened, proper, refused)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
