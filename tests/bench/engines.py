"""What is timed: one call that turns sentences into vectors, text in and vectors out, on every engine alike."""

import http.client
import json
import time
from dataclasses import dataclass

import numpy as np
from golden.native import NativeEncoder, mean_normalized


@dataclass(frozen=True)
class Sample:
    seconds: float  # as the caller sees it
    compute_seconds: float | None = None  # inside the browser's engine, as the server reports it
    server_seconds: float | None = None  # accepted to answered, as the server reports it


class Native:
    """onnxruntime in this process: what the same machine does without a browser."""

    def __init__(self, folder, threads):
        self.name = f"native onnxruntime, {threads} thread{'s' if threads > 1 else ''}"
        self.encoder = NativeEncoder(folder, threads)

    def run(self, texts):
        started = time.perf_counter()
        rows = [encoding.ids for encoding in self.encoder.tokenizer.encode_batch(texts)]
        inputs = self.encoder.inputs(rows)
        vectors = mean_normalized(self.encoder.states(inputs), inputs["attention_mask"])
        return Sample(time.perf_counter() - started), vectors

    def close(self):
        pass


class Shoal:
    """/v1/embeddings of a running server, on one kept connection. Raises when another backend than the one asked for answered."""

    def __init__(self, server, model, backend, seconds):
        self.name = f"Shoal, {backend}"
        self.backend, self.model = backend, model
        self.connection = http.client.HTTPConnection(server.http, timeout=seconds)

    def run(self, texts):
        body = json.dumps({"model": self.model, "input": texts, "shoal": {"backend": self.backend}})
        started = time.perf_counter()
        self.connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        answer = response.read()
        seconds = time.perf_counter() - started
        if response.status != 200:
            raise RuntimeError(f"{self.name}: {response.status} {answer[:500]!r}")
        document = json.loads(answer)
        timing = document["shoal"]["timing"]
        ran_on = document["shoal"]["backend"]
        if ran_on not in (self.backend, "mixed"):
            raise RuntimeError(f"{self.name}: it ran on {ran_on}")
        vectors = np.array([entry["embedding"] for entry in document["data"]], np.float32)
        return Sample(seconds, timing["compute_us"] / 1e6, timing["total_us"] / 1e6), vectors

    def close(self):
        self.connection.close()
