"""The arithmetic of the benchmark of quality, and a small form of it with the real commands."""

import numpy as np
import pytest
from bench import quality
from bench.widths import ENCODER_WHEEL
from support.server import HOME


def test_ranks_decide_and_not_distances():
    assert quality.spearman([1, 2, 3, 4], [10, 20, 30, 4000]) == pytest.approx(1)
    assert quality.spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert quality.spearman([1, 2, 3, 4], [2, 1, 3, 4]) == pytest.approx(0.8)


def test_all_pairs_have_a_likeness():
    assert quality.likenesses(np.array([[1.0, 0], [0, 2], [3, 3]])) == pytest.approx([0, 0.5**0.5, 0.5**0.5])


def test_a_row_and_the_promise():
    made = {"weight_bytes": 2**20, "relative_error": 0.07}
    expected = np.array([[1.0, 0], [0, 1], [1, 1]])
    row = quality.row_of("q4", made, np.array([[1.0, 0], [0, 1], [1, 0]]), expected)
    assert row["mib"] == 1 and row["worst"] == pytest.approx(1 - 0.5**0.5) and row["distance"] == pytest.approx(row["worst"] / 3)
    nearest = row | {"variant": "q4, nearest"}
    assert "searched" in next(quality.problems({"rows": [row | {"distance": 0.2}, nearest]}))
    for kept in ([row, nearest], [row], []):
        assert not list(quality.problems({"rows": kept}))


def test_a_small_form(tmp_path):
    if not (HOME / "downloads" / ENCODER_WHEEL).is_file():
        pytest.skip("the encoder has not been fetched")
    wanted = [variant for variant in quality.VARIANTS if variant[0] in ("q8", "q4", "q2")]
    made = quality.measure(tmp_path, lambda text: None, wanted, 4)
    rows = {row["variant"]: row for row in made["rows"]}
    assert made["sentences"] == 4 and rows["f32"]["distance"] == pytest.approx(0, abs=1e-6)
    assert rows["f32"]["mib"] > rows["q8"]["mib"] > rows["q4"]["mib"] > rows["q2"]["mib"]
    assert rows["q8"]["distance"] < 0.001 < rows["q4"]["distance"] < 0.05 < rows["q2"]["distance"]
    assert "| q4 |" in list(quality.sections(made))[1]
