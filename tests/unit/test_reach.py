"""What these columns allow: the known best score lies in the band, and more than it is called out of reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from lab2live.charter import gates, metrics
from lab2live.data import splits
from lab2live.poc.comparison import ladder, reach


def banded(generate: Any, kind: str, rows: int, seed: int = 0) -> tuple[reach.Reach, Any]:
    prediction = {"positive_class": "yes"} if kind == "binary" else {}
    charter, data = generate(kind, rows, seed, prediction=prediction)
    split = splits.split(charter, data, seed)
    climb = ladder.climb(charter, data, split, folds=5, repeats=1, budget=0, seed=seed)
    best = next(one for one in climb.candidates if one.name == climb.ladder.best)
    score = ladder.scorer(charter, data, climb.ladder.metric)
    return reach.reachable(charter, data, split.train, climb.ladder, best, score, seed=seed), data


@pytest.mark.slow
def test_the_best_anybody_could_do_lies_in_the_band(generate: Any) -> None:
    inside = []
    for seed in range(4):
        band, data = banded(generate, "binary", 800, seed)
        margin = 1.6 * data.raw["x1"].fillna(0) - 1.1 * data.raw["x2"] + 1.2 * (data.raw["colour"] == "red")
        inside.append(band.low <= metrics.score("roc_auc")(data.outcome, margin.to_numpy()) <= band.high)
        assert band.low < band.high <= 1 and list(band.sizes) == sorted(band.sizes) and len(band.sizes) == 4
    assert sum(inside) >= 3


def test_a_score_above_the_band_is_out_of_reach_and_one_within_is_not(generate: Any) -> None:
    band, _ = banded(generate, "binary", 400)
    for required, status in ((band.low, "pass"), (band.high + 0.01, "fail"), (None, "skip")):
        assert gates.judge("poc.ceiling", band.evidence(required, "roc_auc").value, "").status == status
    assert isinstance(band.figure("roc_auc"), Figure)


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_every_kind_of_problem_has_a_band(generate: Any, kind: str) -> None:
    band, _ = banded(generate, kind, 400)
    assert not band.problem and np.isfinite([band.low, band.high, band.expected]).all() and band.low < band.high


def test_too_few_cases_leave_the_interval_of_the_best_model(generate: Any) -> None:
    band, _ = banded(generate, "binary", 90)
    assert "too few cases" in band.problem and band.low < band.high
