"""Files of tensors, as arrays."""

import json
from pathlib import Path

import numpy as np

TYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32, "BOOL": np.bool_, "U8": np.uint8}


def read_safetensors(path: Path | str) -> dict[str, np.ndarray]:
    raw = Path(path).read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    arrays = {}
    for name, entry in json.loads(raw[8:end]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            arrays[name] = np.frombuffer(raw[end + first : end + last], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays
