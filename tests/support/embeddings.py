"""Requests for the default model, and what must come back."""

import random
import statistics
import time
from dataclasses import dataclass

import numpy as np
from support.http import Answer
from support.server import MODEL, Server


@dataclass(frozen=True)
class Row:
    """One request of one row of token ids."""

    tokens: tuple[int, ...]

    def body(self, timeout_us: int | None = None, **demand: str) -> dict:
        length = len(self.tokens)
        ones, zeros = [1] * length, [0] * length
        parameters = dict(demand) | ({} if timeout_us is None else {"timeout": timeout_us})
        return {
            "parameters": parameters,
            "inputs": [
                {"name": name, "datatype": "INT64", "shape": [1, length], "data": data}
                for name, data in (("input_ids", list(self.tokens)), ("attention_mask", ones), ("token_type_ids", zeros))
            ],
        }


def rows(seed: int, count: int, tokens: int) -> list[Row]:
    """Different rows; the seed is printed, so that a failure can be run again."""
    print(f"rows: seed {seed}, {count} of {tokens} tokens")
    source = random.Random(seed)
    return [Row((101, *(source.randrange(1000, 29000) for _ in range(tokens - 2)), 102)) for _ in range(count)]


def tokens_that_take(server: Server, seconds: float, seed: int) -> int:
    """How long a row must be to keep one browser of this machine, busy as it is now, for so long; 8 to 128."""
    times = []
    for row in rows(seed, 5, 32):
        before = time.monotonic()
        assert infer(server, row).status == 200
        times.append(time.monotonic() - before)
    return max(8, min(128, int(32 * seconds / statistics.median(times))))


PATH = f"/v2/models/{MODEL}/infer"


def states(answer: Answer) -> np.ndarray:
    """The one output, [tokens, width]."""
    output = answer.json()["outputs"][0]
    return np.array(output["data"], dtype=np.float32).reshape(output["shape"])[0]


def infer(server: Server, row: Row, seconds: float = 30, **demand: str) -> Answer:
    return server.post(PATH, row.body(int(seconds * 1e6), **demand), timeout=seconds + 5)
