"""Reasons: they add up to what the model says, and for a model whose coefficients are known they are the known ones."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lab2live import cases, models
from lab2live.columns import MISSING, OTHER
from lab2live.explainability import reasons

PROBLEMS = ("binary", "multiclass", "regression")


def fitted(kind: str, data: Any, train: np.ndarray) -> Any:
    model = models.linear(data) if kind == "linear" else getattr(models, kind)(data, 0)
    if kind != "linear":
        model[-1].set_params(**({"estimator__max_iter": 30} if hasattr(model[-1], "cv") else {"max_iter": 30}))
    return models.fit(model, data, train)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("kind", ["linear", "additive", "boosting"])
def test_the_reasons_add_up_with_categories_missing_values_and_extremes(generate: Any, problem: str, kind: str) -> None:
    _, data = generate(problem, 300)
    odd = data.inputs.head(4).assign(x1=[np.nan, 1e6, -1e6, 0], colour=[MISSING, OTHER, "never seen", "red"])
    data = dataclasses.replace(
        data,
        inputs=pd.concat([data.inputs, odd], ignore_index=True),
        raw=pd.concat([data.raw, data.raw.head(4)], ignore_index=True),
    )
    train, rows = np.arange(200), np.arange(200, 304)
    model = fitted(kind, data, train)
    found = reasons.explain(model, data, train, rows)
    assert list(found.contributions.columns) == ["x1", "x2", "x3", "colour"]
    assert found.contributions.shape == (104, 4)
    assert found.additivity_error <= 1e-6
    # the margin is the model's own: undo it and the answer is there
    answers = models.predict(model, data.inputs.iloc[rows])
    if problem == "regression":
        assert np.allclose(found.margin, answers)
    if problem == "binary":
        assert np.allclose(1 / (1 + np.exp(-found.margin.clip(-700, 700))), answers)
    assert found.contributions.abs().mean().idxmax() == "x1"


def test_a_reason_of_a_linear_model_is_coefficient_times_distance_from_the_mean(generate: Any) -> None:
    _, data = generate("regression", 400)
    train = np.arange(300)
    model = fitted("linear", data, train)
    found = reasons.explain(model, data, train, np.arange(300, 400))
    x2 = data.inputs["x2"]
    coefficient = model[-1].coef_[1] / model[0].named_transformers_["numbers"][-1].scale_[1]
    assert np.allclose(found.contributions["x2"], coefficient * (x2.iloc[300:] - x2.iloc[:300].mean()))
    assert coefficient == pytest.approx(-3.3, abs=0.2)
    assert np.allclose(found.base, models.predict(model, data.inputs.iloc[train]).mean())


def test_a_case_with_the_mean_of_everything_has_no_reasons(charter_of: Any) -> None:
    x = np.tile([-1.0, 1.0], 50)
    frame = pd.DataFrame({"x": x, "z": np.repeat([-2.0, 2.0], 50), "y": 3 * x})
    data = cases.dataset(charter_of(prediction={"problem_type": "regression"}), pd.concat([frame, frame.head(1) * 0]))
    train = np.arange(100)
    found = reasons.explain(fitted("linear", data, train), data, train, np.array([100]))
    assert np.allclose(found.contributions, 0)


def test_one_hot_columns_belong_to_the_column_they_come_from(charter_of: Any) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "c_a": random.choice(["x", "y", "z"], 300),
            "n": random.normal(size=300),
            "c": random.choice(["a_x", "b"], 300),
            "noise": random.choice(["x", "y"], 300),
        }
    )
    frame["y"] = 5.0 * (frame["c"] == "b") + random.normal(size=300) * 0.01
    data = cases.dataset(charter_of(prediction={"problem_type": "regression"}), frame)
    train = np.arange(300)
    model = fitted("linear", data, train)
    assert list(reasons._owners(model[:-1])) == ["n", *["c_a"] * 3, *["c"] * 2, *["noise"] * 2]
    sizes = reasons.explain(model, data, train, train).contributions.abs().mean()
    assert sizes["c"] > 2 and (sizes.drop("c") < 0.05).all()


def test_probabilities_next_to_one_still_add_up(charter_of: Any) -> None:
    x = np.r_[np.linspace(-60, -1, 100), np.linspace(1, 60, 100), 1e4, -1e4]
    data = cases.dataset(charter_of(prediction={"positive_class": 1}), pd.DataFrame({"x": x, "y": (x > 0).astype(int)}))
    train = np.arange(200)
    model = models.linear(data)
    model[-1].set_params(C=1e6)
    model = models.fit(model, data, train)
    assert models.predict(model, data.inputs).max() == 1.0
    found = reasons.explain(model, data, train, np.arange(202))
    assert np.isfinite(found.margin).all() and found.additivity_error <= 1e-6


def test_a_target_in_billions_adds_up_relative_to_its_size(generate: Any) -> None:
    _, data = generate("regression", 200)
    data = dataclasses.replace(data, outcome=data.outcome * 1e11)
    for kind in ("linear", "boosting"):
        found = reasons.explain(fitted(kind, data, np.arange(200)), data, np.arange(200), np.arange(50))
        assert found.additivity_error <= 1e-9


def test_a_sum_that_is_off_is_seen(generate: Any) -> None:
    _, data = generate("binary", 100)
    found = reasons.explain(fitted("linear", data, np.arange(100)), data, np.arange(100), np.arange(10))
    wrong = dataclasses.replace(found, contributions=found.contributions.add([0.01, 0, 0, 0]))
    assert wrong.additivity_error > 1e-3 > 1e-6 > found.additivity_error


def test_the_ranking_is_by_size_with_intervals_and_the_same_every_time(generate: Any) -> None:
    _, data = generate("binary", 300)
    found = reasons.explain(fitted("linear", data, np.arange(200)), data, np.arange(200), np.arange(200, 300))
    ranking = reasons.importance(found)
    assert ranking["column"].tolist()[:2] == ["x1", "x2"] and ranking["column"].tolist()[-1] == "x3"
    assert (ranking["low"] <= ranking["mean"]).all() and (ranking["mean"] <= ranking["high"]).all()
    pd.testing.assert_frame_equal(ranking, reasons.importance(found))
    assert isinstance(reasons.importance_chart(ranking, data), Figure)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_telling_cases_are_extreme_and_each_adds_up(generate: Any, problem: str) -> None:
    _, data = generate(problem, 300)
    rows = np.arange(200, 300)
    model = fitted("linear", data, np.arange(200))
    found = reasons.explain(model, data, np.arange(200), rows)
    predictions = models.predict(model, data.inputs.iloc[rows])
    picked = reasons.telling_cases(found, data, predictions, rows, top=2)
    shown = [case.prediction for case in picked]
    if problem == "multiclass":  # codes of classes have no highest and lowest
        assert shown == [0, 1, 2]
        assert [case.title for case in picked] == [f"A case predicted {name}" for name in data.classes]
    else:
        assert (shown[0], shown[2]) == (predictions.max(), predictions.min()) and shown[2] <= shown[1] <= shown[0]
    for case in picked:
        assert len(case.reasons) == 3 and case.reasons[-1][0] == "2 other columns"
        assert case.base + sum(value for _, value in case.reasons) == pytest.approx(case.total)
        assert reasons.sentence(case, data).startswith("predicted ")
        assert reasons.unit(data) in reasons.sentence(case, data)
        assert isinstance(reasons.case_chart(case, data), Figure)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "missing"),
        (np.nan, "missing"),
        (pd.NaT, "missing"),
        (pd.Timestamp("2024-05-06 10:00"), "2024-05-06"),
        ("x" * 50, "x" * 37 + "..."),
        (3.0, "3"),
        ("red", "red"),
    ],
)
def test_a_value_is_shown_the_way_a_person_says_it(value: object, text: str) -> None:
    assert reasons.shown(value) == text


@pytest.mark.parametrize(("error", "rounded"), [(0.0, 1e-12), (3e-9, 1e-8), (1e-8, 1e-8), (0.5, 1.0)])
def test_an_error_is_rounded_up_to_a_power_of_ten(error: float, rounded: float) -> None:
    assert math.isclose(reasons.rounded_up(error), rounded)
