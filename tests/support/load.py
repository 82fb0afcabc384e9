"""Many requests at once, each with an outcome of its own."""

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from support.embeddings import Row, infer, states
from support.http import Answer
from support.server import MODEL, Server
from support.waiting import eventually


@dataclass
class Outcome:
    answer: Answer | None = None  # None: the connection broke
    broken: str = ""
    seconds: float = 0.0
    ended: float = 0.0  # on the wall clock

    @property
    def ok(self) -> bool:
        return self.answer is not None and self.answer.status == 200

    @property
    def is_typed_error(self) -> bool:
        return self.answer is not None and self.answer.status >= 400 and bool(self.answer.json().get("code"))

    @property
    def attempts(self) -> int:
        assert self.answer is not None
        return int(self.answer.json().get("parameters", {}).get("shoal_attempts", 1))


def attempt(outcome: Outcome, send: Callable[[], Answer]) -> None:
    """What becomes of one request, in `outcome`."""
    before = time.monotonic()
    try:
        outcome.answer = send()
    except (OSError, http.client.HTTPException) as cut:
        outcome.broken = f"{type(cut).__name__}: {cut}"
    outcome.seconds, outcome.ended = time.monotonic() - before, time.time()


@dataclass
class Load:
    """Requests for `rows`, all sent at once; start() returns when they are on the server."""

    server: Server
    rows: list[Row]
    seconds: float = 30
    demand: dict[str, str] = field(default_factory=dict)
    outcomes: list[Outcome] = field(init=False)

    def __post_init__(self) -> None:
        self.outcomes = [Outcome() for _ in self.rows]
        self._threads = [threading.Thread(target=self._ask, args=(index,), daemon=True) for index in range(len(self.rows))]

    def send(self, index: int) -> Answer:
        return infer(self.server, self.rows[index], self.seconds, **self.demand)

    def _ask(self, index: int) -> None:
        attempt(self.outcomes[index], lambda: self.send(index))

    def start(self, waiting: int) -> "Load":
        """`waiting`: how many must be queued, beside those that run, before this returns. Where the server is quicker than
        these threads, those that it has answered count too."""
        for thread in self._threads:
            thread.start()
        eventually(f"{waiting} requests wait", 20, lambda: pending(self.server) + self._ended() >= waiting, every=0.01)
        return self

    def _ended(self) -> int:
        return sum(outcome.ended > 0 for outcome in self.outcomes)

    def join(self) -> list[Outcome]:
        for thread in self._threads:
            thread.join(self.seconds + 15)
            assert not thread.is_alive(), "a request has no outcome long after its deadline"
        return self.outcomes


def pending(server: Server) -> float:
    return server.scrape().value("nv_inference_pending_request_count", model=MODEL)


def counted(server: Server, **labels: str) -> list[float]:
    """Requests that the server has answered: well, and with an error."""
    scrape = server.scrape()
    return [scrape.value(f"nv_inference_request_{name}", **labels) for name in ("success", "failure")]


def references(server: Server, rows: list[Row]) -> list[np.ndarray]:
    """What each row's answer is, one at a time and with nothing in the way."""
    found = []
    for row in rows:
        answer = infer(server, row)
        assert answer.status == 200, answer
        found.append(states(answer))
    return found
