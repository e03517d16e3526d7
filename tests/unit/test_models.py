"""Models: what is fitted answers in one shape, the same every time, and finds what is known to be there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from lab2live.charter import metrics
from lab2live.data import models
from lab2live.data.encoding import MISSING, OTHER

PROBLEMS = ("binary", "multiclass", "regression")
KINDS = ("linear", "additive", "boosting")


def made(kind: str, data: Any, seed: int = 0) -> Any:
    return models.linear(data) if kind == "linear" else getattr(models, kind)(data, seed)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_answers_every_row_with_one_number(generate: Any, problem: str, kind: str) -> None:
    _, data = generate(problem, 300)
    model = models.fit(made(kind, data), data, np.arange(200))
    odd = data.inputs.head(3).assign(x1=[np.nan, 3e38, -3e38], colour=[MISSING, OTHER, "never seen"])
    answers = models.predict(model, pd.concat([data.inputs.iloc[200:], odd]))
    assert answers.shape == (103,) and np.isfinite(answers).all()
    if problem == "binary":
        assert ((answers >= 0) & (answers <= 1)).all()
    if problem == "multiclass":
        assert set(answers) <= {0, 1, 2}
    score = metrics.score({"binary": "roc_auc", "multiclass": "balanced_accuracy", "regression": "r2"}[problem])
    assert score(data.outcome[200:], answers[:100]) > 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_model(generate: Any, kind: str) -> None:
    _, data = generate("binary", 300)
    first, again = (models.predict(models.fit(made(kind, data), data, np.arange(300)), data.inputs) for _ in range(2))
    assert (first == again).all()


def test_the_probabilities_of_boosting_are_calibrated(generate: Any) -> None:
    _, data = generate("noise", 1500)
    probability = models.predict(models.fit(models.boosting(data, 0), data, np.arange(1000)), data.inputs.iloc[1000:])
    assert abs(probability.mean() - 0.4) < 0.06
    assert probability.std() < 0.05, "nothing can be told apart, and the probabilities say so"


def test_the_linear_model_recovers_the_coefficients(generate: Any) -> None:
    _, data = generate("regression", 3000)
    whole = np.flatnonzero(data.inputs.notna().all(axis=1) & (data.inputs["colour"] != MISSING))
    model = models.fit(models.linear(data), data, whole)
    scale = model[0].named_transformers_["numbers"][-1].scale_
    assert np.allclose(model[-1].coef_[:3] / scale, [4.8, -3.3, 0], atol=0.1)


@pytest.mark.parametrize("columns", ["numbers", "categories"])
def test_only_numbers_or_only_categories_are_enough(charter_of: Any, columns: str) -> None:
    from lab2live.data import dataset

    random = np.random.default_rng(0)
    x = random.normal(size=200)
    frame = pd.DataFrame({"x": x} if columns == "numbers" else {"x": np.where(x > 0, "up", "down")})
    data = dataset.dataset(charter_of(), frame.assign(y=np.where(x + random.normal(size=200) > 0, 1, 0)))
    for kind in KINDS:
        assert models.predict(models.fit(made(kind, data), data, np.arange(200)), data.inputs).shape == (200,)


@pytest.mark.parametrize("known", [0, 1, 19, 25])
def test_a_column_that_is_hardly_known_in_the_training_part_breaks_nothing(generate: Any, known: int) -> None:
    _, data = generate("binary", 300)
    data.inputs.loc[: 199 - known, "x3"] = np.nan
    for kind in KINDS:
        answers = models.predict(models.fit(made(kind, data), data, np.arange(200)), data.inputs)
        assert np.isfinite(answers).all()


def test_few_rows_keep_to_one_thread() -> None:
    from threadpoolctl import threadpool_info

    LogisticRegression()  # its import loads the thread pools
    with models.quiet_threads(10):
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"} == {1}


PERFECT = {"roc_auc": 1.0, "average_precision": 1.0, "balanced_accuracy": 1.0, "r2": 1.0, "mae": 0.0, "rmse": 0.0}


@pytest.mark.parametrize("metric", metrics.METRICS)
def test_of_every_metric_more_is_better_and_a_perfect_answer_is_the_most(metric: str) -> None:
    outcome = np.array([0, 1, 0, 1, 1])
    score = metrics.score(metric)
    assert score(outcome, outcome) == PERFECT[metric]
    assert score(outcome, 1 - outcome) < PERFECT[metric]
    assert (metric in metrics.ERRORS) == metrics.METRICS[metric].label.startswith("negative")
