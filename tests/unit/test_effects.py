"""Shapes of effects: where the truth is known, the curve has its shape and the sentence says it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lab2live.data import dataset, models
from lab2live.explainability.why import effects, families, reasons, telling
from lab2live.reporting import plots

SCALE = telling.Scale(1, "EUR")


def told(charter_of: Any, column: Any, effect: Any, unit: str = "") -> tuple[effects.Effect, str]:
    """Learn what one column adds to a number, and sum it up; a second column tells nothing."""
    random = np.random.default_rng(0)
    outcome = np.asarray(effect, dtype=float) + random.normal(size=len(column)) * 0.01
    frame = pd.DataFrame({"it": column, "noise": random.normal(size=len(column)), "y": outcome})
    data = dataset.dataset(charter_of(prediction={"problem_type": "regression"}), frame)
    model = models.fit(models.additive(data, 0), data, np.arange(len(frame)))
    explained = reasons.explain(model, data.columns, data.inputs, reasons.background(model, data.inputs))
    family = families.families(data.columns.kinds, {})[0]
    found = effects.effect(explained, family, data.inputs, data.raw, data.columns, SCALE, unit)
    assert isinstance(effects.chart(found, SCALE, unit), Figure)
    assert effects.sentence(found, SCALE) in plots.alt(effects.chart(found, SCALE, unit)) or found.kind == "rows"
    return found, effects.sentence(found, SCALE)


@pytest.mark.parametrize(
    ("effect", "begins"),
    [
        (lambda x: 3 * x, "The answer rises with it: −"),
        (lambda x: -3 * x, "The answer falls with it: +"),
        (lambda x: -(x**2), "The answer rises with it up to "),
        (lambda x: x**2, "The answer falls with it up to "),
        (lambda x: np.sin(4 * x), "it has no single direction: highest at "),
    ],
)
def test_a_curve_has_the_shape_of_the_truth(charter_of: Any, effect: Callable[..., Any], begins: str) -> None:
    x = np.linspace(-2, 2, 600)[np.random.default_rng(1).permutation(600)]
    found, said = told(charter_of, x, effect(x), "months")
    assert found.kind == "curve" and len(found.at) == effects.BINS and found.missing is None
    assert said.startswith(begins) and " EUR" in said and " months" in said
    # bins hold the same number of cases, and the curve runs through the truth
    assert min(found.cases) >= 55 and sum(found.cases) == 600
    truth = effect(x) - effect(x).mean()
    steps = np.quantile(x, np.linspace(0, 1, effects.BINS + 1))
    inside = [truth[(x >= low) & (x <= high)].mean() for low, high in pairwise(steps)]
    assert np.abs(np.array(inside) - found.mean).max() < 0.15 * np.ptp(inside)
    assert all(low <= mean <= high for low, mean, high in zip(found.low, found.mean, found.high, strict=True))


def test_missing_values_stand_beside_the_curve(charter_of: Any) -> None:
    x = np.linspace(0, 1, 500)
    known = np.where(np.arange(500) % 5 == 0, np.nan, x)
    found, _ = told(charter_of, known, np.where(np.isnan(known), 9.0, x))
    assert found.kind == "curve" and found.missing is not None and found.missing > 5 > max(found.mean)
    assert sum(found.cases) == 400


def test_categories_and_few_values_are_rows(charter_of: Any) -> None:
    names = np.tile(["red", "green", "blue", None], 100)
    found, said = told(charter_of, names, np.tile([5.0, 0.0, -5.0, 0.0], 100))
    assert found.kind == "rows" and said.startswith("it: red adds most (+5.0 EUR), blue least (−5.0 EUR)")
    assert "not known (100 cases)" in found.labels
    many = np.array([f"v{number:02d}" for number in np.arange(400) % 20])
    assert len(told(charter_of, many, np.zeros(400))[0].labels) == effects.MOST_ROWS
    found, said = told(charter_of, np.tile([True, False], 150), np.tile([1.0, 0.0], 150))
    assert found.labels == ("no (150 cases)", "yes (150 cases)") and "yes adds most" in said
    found, _ = told(charter_of, np.tile([1, 2, 3], 100), np.tile([1.0, 2.0, 3.0], 100), "months")
    assert found.labels[0] == "1 months (100 cases)" and list(found.mean) == sorted(found.mean)


def test_a_count_that_is_mostly_nothing_is_shown_in_rows(charter_of: Any) -> None:
    count = np.r_[np.zeros(900), np.arange(1, 101)]
    found, _ = told(charter_of, count, count)
    assert found.kind == "rows" and any(label.startswith("0") for label in found.labels)
    assert sum(int(label.split("(")[-1].split()[0]) for label in found.labels) == 1000


def test_dates_are_written_as_dates(charter_of: Any) -> None:
    days = pd.date_range("2020-01-01", periods=400)[np.random.default_rng(1).permutation(400)]
    found, said = told(charter_of, days, (days - days.min()).days)
    assert found.labels[0].startswith("2020-01") and "2021-01" in said and said.startswith("The answer rises with it")


def test_a_column_without_an_effect_says_so(charter_of: Any) -> None:
    family = families.Family("it", ("it",), ("it",))
    flat = reasons.Reasons(("it",), np.zeros((9, 1, 1)), np.zeros(1), np.zeros((9, 1)), np.zeros((9, 1)),
                           np.zeros(9, dtype=int), False)  # fmt: skip
    data = dataset.dataset(charter_of(prediction={"problem_type": "regression"}),
                         pd.DataFrame({"it": [1.0, 2, 4, 8, 16, 32, 64, 128, 256], "y": np.arange(9.0)}))  # fmt: skip
    found = effects.effect(flat, family, data.inputs, data.raw, data.columns, SCALE, "")
    assert effects.sentence(found, SCALE) == "it adds the same everywhere."
    assert isinstance(effects.chart(found, SCALE), Figure)
