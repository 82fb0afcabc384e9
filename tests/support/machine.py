"""How busy the machine is with other things, for the few bounds that would otherwise judge those and not the server."""

import time


def slowdown(cpu_seconds: float = 0.1) -> float:
    """Wall time over processor time of a short computation: 1 on an idle machine."""
    wall, cpu = time.perf_counter(), time.process_time()
    number = 0
    while time.process_time() - cpu < cpu_seconds:
        number += 1
    found = max(1.0, (time.perf_counter() - wall) / (time.process_time() - cpu))
    print(f"the machine is {found:.1f} times slower than it would be idle")
    return found
