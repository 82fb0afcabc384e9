"""Several inferences as one call: each runs on the backend that it names, with a priority of its own, at the same time, and fails alone.

    python examples/parallel.py [http://127.0.0.1:8000]
"""

import json
import sys
import urllib.request

MODEL = "all-minilm-l6-v2"
TOKENS = {"input_ids": [101, 7592, 2088, 102], "attention_mask": [1, 1, 1, 1], "token_type_ids": [0, 0, 0, 0]}


def request(model: str, priority: str, how: dict) -> dict:
    return {
        "model_name": model,
        # high, medium, low, or a number; joined with requests of others to at most so many rows.
        "parameters": {"priority": priority, "shoal_max_batch_size": 8} | how,
        "inputs": [{"name": name, "datatype": "INT64", "shape": [1, len(data)], "data": data} for name, data in TOKENS.items()],
    }


def main() -> None:
    server = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    items = [
        request(MODEL, "high", {"shoal_backend": "wasm"}),
        request(MODEL, "medium", {"shoal_backend": "webgpu"}),
        request(MODEL, "medium", {"shoal_family": "text"}),  # whatever such models are expected to run fast on
        request("a model that is not there", "low", {}),
    ]
    body = {"requests": items, "timeout": 60_000_000}
    sent = urllib.request.Request(f"{server}/v2/parallel", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(sent, timeout=60) as answer:
        for response in json.load(answer)["responses"]:
            if "error" in response:
                print(response["code"], response["error"])
            else:
                how = response["parameters"]
                print(response["outputs"][0]["shape"], how["shoal_backend"], how["shoal_worker"], f"{how['shoal_compute_us']} us")


if __name__ == "__main__":
    main()
