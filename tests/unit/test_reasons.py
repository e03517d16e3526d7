"""Reasons: they add up to what the model says, and for a model whose coefficients are known they are the known ones."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.data import dataset, models
from lab2live.data.encoding import MISSING, OTHER
from lab2live.errors import UserError
from lab2live.explainability.why import families, importance, reasons, telling, trees

PROBLEMS = ("binary", "multiclass", "regression")


def fitted(kind: str, data: Any, train: np.ndarray) -> Any:
    model = models.linear(data) if kind == "linear" else getattr(models, kind)(data, 0)
    if kind != "linear":
        model[-1].set_params(**({"estimator__max_iter": 30} if hasattr(model[-1], "cv") else {"max_iter": 30}))
    return models.fit(model, data, train)


def explained(model: Any, data: Any, train: np.ndarray, rows: np.ndarray) -> reasons.Reasons:
    background = reasons.background(model, data.inputs.iloc[train])
    return reasons.explain(model, data.columns, data.inputs.iloc[rows], background)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("kind", ["linear", "additive", "boosting"])
def test_the_reasons_add_up_with_categories_missing_values_and_extremes(generate: Any, problem: str, kind: str) -> None:
    _, data = generate(problem, 300)
    odd = data.inputs.head(4).assign(x1=[np.nan, 1e6, -1e6, 0], colour=[MISSING, OTHER, "never seen", "red"])
    data = dataclasses.replace(data, inputs=pd.concat([data.inputs, odd], ignore_index=True))
    train, rows = np.arange(200), np.arange(200, 304)
    model = fitted(kind, data, train)
    found = explained(model, data, train, rows)
    assert list(found.contributions.columns) == ["x1", "x2", "x3", "colour"]
    assert found.contributions.shape == (104, 4)
    assert found.additivity_error <= 1e-6 and found.points_error <= 1e-6
    # what is compared with is the model's own: its answers, whichever way they are asked for
    said = models.answer(model, data.inputs.iloc[rows])
    assert np.allclose(found.answer, said.max(axis=1) if problem == "multiclass" else said)
    if problem == "binary":
        assert np.allclose(1 / (1 + np.exp(-found.margins[:, 0].clip(-700, 700))), said)
    if problem == "multiclass":
        assert np.array_equal(found.output, models.predict(model, data.inputs.iloc[rows]))
    assert found.contributions.abs().mean().idxmax() == "x1" == found.points.abs().mean().idxmax()


@pytest.mark.parametrize("kind", ["linear", "additive", "boosting"])
def test_knowing_nothing_is_the_average_margin_of_the_training_part(generate: Any, kind: str) -> None:
    _, data = generate("binary", 300)
    train = np.arange(200)
    found = explained(fitted(kind, data, train), data, train, train)
    assert found.margins.mean() == pytest.approx(found.base[0], abs=1e-6)


def test_a_reason_of_a_linear_model_is_coefficient_times_distance_from_the_mean(generate: Any) -> None:
    _, data = generate("regression", 400)
    train = np.arange(300)
    model = fitted("linear", data, train)
    found = explained(model, data, train, np.arange(300, 400))
    x2 = data.inputs["x2"]
    coefficient = model[-1].coef_[1] / model[0].named_transformers_["numbers"][-1].scale_[1]
    assert np.allclose(found.contributions["x2"], coefficient * (x2.iloc[300:] - x2.iloc[:300].mean()))
    assert coefficient == pytest.approx(-3.3, abs=0.2)
    assert np.allclose(found.start, models.predict(model, data.inputs.iloc[train]).mean())
    assert np.array_equal(found.points, found.contributions)


def test_a_case_with_the_mean_of_everything_has_no_reasons(charter_of: Any) -> None:
    x = np.tile([-1.0, 1.0], 50)
    frame = pd.DataFrame({"x": x, "z": np.repeat([-2.0, 2.0], 50), "y": 3 * x})
    data = dataset.dataset(charter_of(prediction={"problem_type": "regression"}), pd.concat([frame, frame.head(1) * 0]))
    train = np.arange(100)
    found = explained(fitted("linear", data, train), data, train, np.array([100]))
    assert np.allclose(found.contributions, 0)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_trees_of_one_column_each_are_taken_apart_as_shap_does_it(generate: Any, problem: str) -> None:
    import shap

    _, data = generate(problem, 300)
    model = fitted("additive", data, np.arange(200))
    inner = reasons._calibration(model[-1])[2]
    matrix = np.asarray(model[:-1].transform(data.inputs.iloc[200:]), dtype=float)
    ours, theirs = trees.trees(inner), shap.TreeExplainer(inner)
    values = np.asarray(theirs.shap_values(matrix, check_additivity=False))
    assert np.allclose(ours.values(matrix), values if values.ndim == 3 else values[:, :, None], atol=1e-12)
    assert np.allclose(ours.base, theirs.expected_value)


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
    data = dataset.dataset(charter_of(prediction={"problem_type": "regression"}), frame)
    train = np.arange(300)
    model = fitted("linear", data, train)
    assert list(reasons._owners(model[:-1])) == ["n", *["c_a"] * 3, *["c"] * 2, *["noise"] * 2]
    sizes = explained(model, data, train, train).contributions.abs().mean()
    assert sizes["c"] > 2 and (sizes.drop("c") < 0.05).all()


def test_probabilities_next_to_one_still_add_up(charter_of: Any) -> None:
    x = np.r_[np.linspace(-60, -1, 100), np.linspace(1, 60, 100), 1e4, -1e4]
    data = dataset.dataset(
        charter_of(prediction={"positive_class": 1}), pd.DataFrame({"x": x, "y": (x > 0).astype(int)})
    )
    train = np.arange(200)
    model = models.linear(data)
    model[-1].set_params(C=1e6)
    model = models.fit(model, data, train)
    assert models.predict(model, data.inputs).max() == 1.0
    found = explained(model, data, train, np.arange(202))
    assert np.isfinite(found.margins).all() and np.isfinite(found.points).all(axis=None)
    assert found.additivity_error <= 1e-6 and found.points_error <= 1e-6


def test_a_target_in_billions_adds_up_relative_to_its_size(generate: Any) -> None:
    _, data = generate("regression", 200)
    data = dataclasses.replace(data, outcome=data.outcome * 1e11)
    for kind in ("linear", "boosting"):
        found = explained(fitted(kind, data, np.arange(200)), data, np.arange(200), np.arange(50))
        assert found.additivity_error <= 1e-9


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_sum_that_is_off_is_seen_in_whichever_output_it_is(generate: Any, problem: str) -> None:
    _, data = generate(problem, 100)
    found = explained(fitted("linear", data, np.arange(100)), data, np.arange(100), np.arange(10))
    assert found.additivity_error <= 1e-6
    for output in range(found.each.shape[2]):
        off = found.each.copy()
        off[3, 0, output] += 0.01
        wrong = dataclasses.replace(found, each=off)
        assert wrong.additivity_error > 1e-4
        own = problem == "multiclass" and output != found.output[3]
        assert own or wrong.points_error > 1e-5


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("kind", ["linear", "boosting"])
def test_one_case_has_the_reasons_it_has_among_many(generate: Any, problem: str, kind: str) -> None:
    _, data = generate(problem, 200)
    train = np.arange(150)
    model = fitted(kind, data, train)
    many = explained(model, data, train, np.arange(150, 200))
    background = reasons.background(model, data.inputs.iloc[train])
    carried = json.loads(json.dumps(dataclasses.asdict(background)))  # as it travels with a model
    ready = reasons.reasoner(model, data.columns, reasons.Background(**carried))
    for place in (0, 7, 49):
        one = ready.explain(data.inputs.iloc[[150 + place]])
        assert np.allclose(one.points.iloc[0], many.points.iloc[place], atol=1e-12)
        assert one.answer[0] == pytest.approx(many.answer[place])


def test_the_reasons_of_all_classes_cancel_out(generate: Any) -> None:
    _, data = generate("multiclass", 300)
    found = explained(fitted("linear", data, np.arange(200)), data, np.arange(200), np.arange(200, 300))
    every = [found.toward(code).points.to_numpy() for code in range(3)]
    # what one class gains the others lose: probabilities add up to one
    assert np.allclose(sum(every), 0, atol=1e-9)
    assert all(found.toward(code).points_error <= 1e-9 for code in range(3))
    assert np.bincount(found.output)[found.usual] == np.bincount(found.output).max()


def test_families_keep_the_sum(generate: Any) -> None:
    _, data = generate("multiclass", 100)
    found = explained(fitted("linear", data, np.arange(100)), data, np.arange(100), np.arange(20))
    together = families.families(found.columns, {"x3": "x1 * 2"})
    grouped = found.of_families(together)
    assert grouped.columns == ("x1 (with x3)", "x2", "colour")
    assert np.allclose(grouped.points["x1 (with x3)"], found.points["x1"] + found.points["x3"])
    assert grouped.additivity_error <= 1e-6 and grouped.points_error <= 1e-6


@pytest.mark.parametrize(
    ("derived", "names"),
    [
        ({}, ["bill", "yearly bill", "lines", "per_line", "💶"]),
        ({"yearly bill": "12 * bill"}, ["bill (with yearly bill)", "lines", "per_line", "💶"]),
        # through a column that the model does not have
        ({"gone": "bill + 1", "per_line": "gone / lines"}, ["bill, lines (with per_line)", "yearly bill", "💶"]),
        ({"per_line": "`yearly bill` / lines"}, ["bill", "yearly bill, lines (with per_line)", "💶"]),
        ({"💶": "nothing known"}, ["bill", "yearly bill", "lines", "per_line", "💶"]),
        ({"per_line": "lines + 1", "lines": "per_line - 1"}, ["bill", "yearly bill", "lines (with per_line)", "💶"]),
    ],
)
def test_derived_columns_stand_with_what_they_are_computed_from(derived: dict[str, str], names: list[str]) -> None:
    columns = ["bill", "yearly bill", "lines", "per_line", "💶"]
    found = families.families(columns, derived)
    assert [family.name for family in found] == names
    assert sorted(name for family in found for name in family.members) == sorted(columns)


@pytest.mark.parametrize("model", [None, "rule"])
def test_what_does_not_learn_says_in_words_that_it_has_no_reasons(generate: Any, model: str | None) -> None:
    from sklearn.dummy import DummyClassifier
    from sklearn.pipeline import Pipeline

    _, data = generate("binary", 50)
    other = Pipeline([("encode", models.encoder(data.columns, impute=True)), ("model", DummyClassifier())])
    chosen = None if model is None else models.fit(other, data, np.arange(50))
    background = reasons.background(chosen, data.inputs)
    with pytest.raises(UserError, match="not one of the models that learn"):
        reasons.explain(chosen, data.columns, data.inputs, background)


def test_a_model_that_has_learnt_nothing_has_reasons_of_nothing(generate: Any) -> None:
    charter, data = generate("binary", 20)  # too few for a leaf: every tree is one answer
    model = models.fit(models.boosting(data, 0), data, np.arange(20))
    found = explained(model, data, np.arange(20), np.arange(20))
    assert not found.points.any(axis=None) and found.additivity_error <= 1e-6
    ranking, scale = importance.importance(found), telling.scale(charter, data)
    assert importance.sentence(ranking, scale).startswith("No column moves the answer")
    assert importance.chart(ranking, scale).get_suptitle() == "No column moves the answers"


def test_the_ranking_is_by_size_with_intervals_and_the_same_every_time(generate: Any) -> None:
    charter, data = generate("binary", 300)
    found = explained(fitted("linear", data, np.arange(200)), data, np.arange(200), np.arange(200, 300))
    ranking = importance.importance(found)
    assert ranking["column"].tolist()[:2] == ["x1", "x2"] and ranking["column"].tolist()[-1] == "x3"
    assert (ranking["low"] <= ranking["mean"]).all() and (ranking["mean"] <= ranking["high"]).all()
    assert ranking["mean"][0] == pytest.approx(100 * found.points["x1"].abs().mean())
    pd.testing.assert_frame_equal(ranking, importance.importance(found))
    said = importance.sentence(ranking, telling.scale(charter, data))
    assert said == f"x1 matters most: it moves the answer by {ranking['mean'][0]:.0f} points on average, up or down."


@pytest.mark.parametrize(("error", "rounded"), [(0.0, 1e-12), (3e-9, 1e-8), (1e-8, 1e-8), (0.5, 1.0)])
def test_an_error_is_rounded_up_to_a_power_of_ten(error: float, rounded: float) -> None:
    assert math.isclose(reasons.rounded_up(error), rounded)


def test_explaining_prints_nothing_and_loads_shap_only_when_needed() -> None:
    code = """
import sys, numpy as np, pandas as pd
from lab2live.data import dataset, models
from lab2live.explainability.why import reasons
from lab2live.charter.schema import Charter
r = np.random.default_rng(0)
frame = pd.DataFrame(r.normal(size=(300, 2)), columns=["a", "b"]).assign(y=r.choice(["no", "yes"], 300))
charter = Charter(prediction={"problem_type": "classification", "target": "y"}, sources=[{"name": "s", "uri": "s"}])
data = dataset.dataset(charter, frame)
for make in (models.linear(data), models.additive(data, 0), models.boosting(data, 0)):
    model = models.fit(make, data, np.arange(300))
    print("shap" in sys.modules, end=" ")
    reasons.explain(model, data.columns, data.inputs, reasons.background(model, data.inputs))
print("shap" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False False True\n"
    assert "tqdm" not in done.stderr.lower() and "shap" not in done.stderr.lower()
