"""/metrics while the server has work: how long a scrape takes, and whose names become labels."""

import http.client
import statistics
import threading
import time

import pytest
from support.echo_models import echo_model
from support.metrics import Scrape

BODY = '{"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [4], "data": [1, 2, 3, 4]}]}'
BOUND = 0.020  # seconds, of the median, above what the machine takes for an answer that is nothing
SCRAPES = 50
ROUNDS = 6


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for index in range(20):
        echo_model(root, f"echo{index}")
    return launch(pool__browsers="none", echo__workers="2", models__repository=str(root)).start()


def connect(address):
    host, _, port = address.rpartition(":")
    return http.client.HTTPConnection(host, int(port), timeout=30)


@pytest.fixture
def load(server):
    """Four clients, one request after the other, on all models; the statuses of what they got."""
    statuses, stop = [], threading.Event()

    def client(offset):
        connection = connect(server.http)
        count = offset
        while not stop.is_set():
            count += 1
            connection.request("POST", f"/v2/models/echo{count % 20}/infer", BODY)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
            time.sleep(0.001)  # these clients and the server share what cores there are
        connection.close()

    threads = [threading.Thread(target=client, args=(5 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    yield statuses
    stop.set()
    for thread in threads:
        thread.join()


def test_a_scrape_under_load_is_quick(server, load):
    connection = connect(server.metrics)

    def ask(path):
        began = time.monotonic()
        connection.request("GET", path)
        page = connection.getresponse().read()
        return time.monotonic() - began, page

    medians = []
    for _ in range(ROUNDS):
        scrapes, nothing = [], []
        for _ in range(SCRAPES):
            took, page = ask("/metrics")
            scrapes.append(took)
            nothing.append(ask("/nothing")[0])
        medians.append(statistics.median(scrapes) - statistics.median(nothing))
        if medians[-1] < BOUND:
            break  # a machine that does other things beside is measured again
    print(f"a scrape takes {medians[-1] * 1000:.1f} ms more than nothing, which takes {statistics.median(nothing) * 1000:.1f} ms")
    metrics = Scrape(page.decode())
    assert metrics.value("nv_inference_request_success") > 0
    assert len({labels["model"] for name, labels, _ in metrics.samples if name == "shoal_request_duration_seconds_count"}) == 20
    assert set(load) == {200}
    assert min(medians) < BOUND, medians


def test_names_that_clients_make_up_are_no_labels(server):
    for name in ("nobody", "echo0%22%7D", "a%0Ab"):
        server.post(f"/v2/models/{name}/infer", BODY)
        server.get(f"/v2/models/{name}/stats")
    server.post("/v1/embeddings", {"model": "made-up-model", "input": "x"})
    server.post("/v2/models/echo0/versions/77/infer", BODY)
    page = server.scrape().text
    assert "nobody" not in page and "made-up-model" not in page and '"77"' not in page and "a\\nb" not in page
    labels = [labels for name, labels, _ in server.scrape().samples if name == "shoal_request_duration_seconds_count"]
    assert all(set(one) == {"model", "version", "variant", "backend", "browser"} for one in labels)
    assert all((one["version"], one["variant"], one["backend"], one["browser"]) == ("1", "default", "echo", "echo") for one in labels)
