"""Scores: greater is better, for every one of them."""

from __future__ import annotations

import numpy as np
import pytest

from lab2live.charter.metrics import METRICS, score

OUTCOME = {"classification": np.array([0, 0, 1, 1, 0, 1]), "regression": np.array([1.0, 2.0, 4.0, 3.0, 0.0, 5.0])}


@pytest.mark.parametrize("name", METRICS)
def test_a_right_answer_scores_more_than_a_wrong_one(name: str) -> None:
    outcome = OUTCOME[METRICS[name].problem_type]
    wrong = outcome[::-1].copy()
    best, worse = score(name)(outcome, outcome), score(name)(outcome, wrong)
    assert best > worse
    assert best == pytest.approx(0 if name in ("mae", "rmse") else 1)


def test_errors_are_measured_in_the_targets_unit() -> None:
    outcome, predicted = np.array([0.0, 0.0]), np.array([3.0, 4.0])
    assert score("mae")(outcome, predicted) == -3.5
    assert score("rmse")(outcome, predicted) == pytest.approx(-np.sqrt(12.5))
