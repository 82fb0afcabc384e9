"""Hours in small: load without a pause while browsers are recycled; memory and descriptors stay where they were."""

import threading
import time

import pytest
from support import processes
from support.embeddings import infer, rows
from support.waiting import eventually

WARM_UP_S, CLIENTS = 300, 4
pytestmark = [pytest.mark.long, pytest.mark.timeout(7200)]


def test_memory_and_descriptors_stay(launch, seed, request):
    seconds = 60 * request.config.getoption("--soak-minutes")
    server = launch(pool__browsers="kind=headless_shell,count=2,backends=wasm,threads=1", pool__recycle_runs="500").start()
    eventually("both are there", 60, lambda: server.ready_workers() == 2)
    made = rows(seed, 64, 8)
    stop, failures, answered = threading.Event(), [], [0] * CLIENTS

    def client(number):
        while not stop.is_set():
            answer = infer(server, made[answered[number] % len(made)])
            if answer.status != 200:
                failures.append(answer)
            answered[number] += 1

    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    began, samples = time.monotonic(), []
    while time.monotonic() - began < seconds:
        time.sleep(5)
        samples.append((time.monotonic() - began, processes.resident(server.pid), processes.descriptors(server.pid)))
    stop.set()
    for thread in threads:
        thread.join(60)
    warm = [sample for sample in samples if sample[0] >= min(WARM_UP_S, seconds / 3)]
    quarter = max(1, len(warm) // 4)
    first, last = (sum(memory for _, memory, _ in part) / quarter for part in (warm[:quarter], warm[-quarter:]))
    recycled = len(server.events("worker_ready")) - 2
    print(f"{sum(answered)} answers in {seconds} s, {recycled} browsers recycled; resident {first / 2**20:.1f} MiB in the first quarter "
          f"after warm-up, {last / 2**20:.1f} in the last; descriptors {min(count for *_, count in warm)} to "
          f"{max(count for *_, count in warm)}")
    assert not failures, failures[:5]
    assert recycled >= seconds / 300
    assert last < 1.02 * first
    idle = processes.descriptors(server.pid)
    eventually("no descriptor more than early on", 20, lambda: processes.descriptors(server.pid) <= max(idle, warm[0][2]))
