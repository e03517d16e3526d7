"""Checks that reasons can fail: each has an explanation that fails it, one that passes, and a case for neither."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.base import clone

from lab2live.charter import gates
from lab2live.data import dataset, models
from lab2live.explainability.why import reasons, sanity
from lab2live.reporting import plots

TRAIN, ROWS = np.arange(600), np.arange(600, 800)


def model_of(kind: str, data: Any, train: np.ndarray = TRAIN) -> Any:
    model = models.linear(data) if kind == "linear" else getattr(models, kind)(data, 0)
    if kind != "linear":
        model[-1].set_params(**({"estimator__max_iter": 20} if hasattr(model[-1], "cv") else {"max_iter": 20}))
    return models.fit(model, data, train)


def judged(name: str, value: float | None) -> str:
    return gates.judge(f"explainability.{name}", value, "why").status


def blind(model: Any, columns: Any, inputs: pd.DataFrame, background: Any) -> reasons.Reasons:
    """Explain without looking at the model: how far a value is from the usual one, which always looks convincing."""
    found = reasons.explain(model, columns, inputs, background)
    values = np.column_stack([pd.factorize(inputs[name], sort=True)[0] for name in columns.kinds]).astype(float)
    far = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-9)
    return dataclasses.replace(found, each=np.repeat(far[:, :, None], found.each.shape[2], axis=2))


def retained(data: Any, model: Any, explain: Any = reasons.explain, draws: int = 2) -> float:
    """Say which share of the reasons remains when the same model learns from shuffled targets.

    The randomisation test of Adebayo et al. (2018), "Sanity checks for saliency maps": with r the reasons of the real
    model and s those of a shuffled one, over all cases, columns and outputs in margin space, sum(r s) / sum(r r).
    """
    inputs, random, kept = data.inputs.iloc[ROWS], np.random.default_rng(0), []
    real = explain(model, data.columns, inputs, reasons.background(model, data.inputs.iloc[TRAIN])).each
    for _ in range(draws):
        outcome = data.outcome.copy()
        outcome[TRAIN] = random.permutation(outcome[TRAIN])
        refit = models.fit(clone(model), dataclasses.replace(data, outcome=outcome), TRAIN)
        other = explain(refit, data.columns, inputs, reasons.background(refit, data.inputs.iloc[TRAIN])).each
        kept.append(float((real * other).sum() / (real**2).sum()))
    return abs(float(np.mean(kept)))


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("linear", "multiclass"),
        ("linear", "regression"),
        ("additive", "regression"),
        ("boosting", "binary"),
        ("boosting", "multiclass"),
    ],
)
def test_true_reasons_go_with_the_outcomes_and_chance_weighs_little(generate: Any, kind: str, problem: str) -> None:
    _, data = generate(problem, 800)
    model = model_of(kind, data)
    assert retained(data, model) <= 0.25
    probes = sanity.probes(data, model, TRAIN, ROWS, 0)
    assert probes.share is not None and judged("shadow_features", probes.share) == "pass"
    assert set(probes.weak) <= {"x3"}
    assert probes.ranking["column"][0] == "x1" and not probes.ranking["chance"][:3].any()
    assert set(probes.ranking["column"][probes.ranking["chance"]]) == {
        f"shuffled {name}" for name in ("colour", "colour (2)", "x2", "x2 (2)")
    }
    assert isinstance(sanity.chart(probes), Figure)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_reasons_that_ignore_the_model_fail_both_checks(generate: Any, problem: str) -> None:
    _, data = generate(problem, 800)
    model = model_of("linear", data)
    assert retained(data, model, blind) == pytest.approx(1.0)
    probes = sanity.probes(data, model, TRAIN, ROWS, 0, explain=blind)
    assert probes.share is not None and judged("shadow_features", probes.share) == "fail"


@pytest.mark.parametrize("kind", ["linear", "boosting"])
def test_where_nothing_tells_anything_chance_weighs_as_much_as_the_rest(generate: Any, kind: str) -> None:
    _, data = generate("noise", 800)
    probes = sanity.probes(data, model_of(kind, data), TRAIN, ROWS, 0)
    assert probes.share is not None and judged("shadow_features", probes.share) != "pass"
    assert probes.weak and "No heavier than chance" in probes.message
    assert plots.heading(sanity.chart(probes)).endswith("no heavier than chance")


def test_it_is_the_same_every_time_and_leaves_the_model_as_it_was(generate: Any) -> None:
    _, data = generate("binary", 800)
    model = model_of("additive", data)
    before = models.predict(model, data.inputs)
    first, second = (sanity.probes(data, model, TRAIN, ROWS, 3) for _ in range(2))
    pd.testing.assert_frame_equal(first.ranking, second.ranking)
    assert np.array_equal(before, models.predict(model, data.inputs))


def test_a_copy_weighs_together_with_its_source(charter_of: Any) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=800), "shuffled a": random.normal(size=800)})
    frame["twin"] = 2 * frame["a"]
    frame["y"] = 3 * frame["a"] + random.normal(size=800)
    data = dataset.dataset(charter_of(prediction={"problem_type": "regression"}), frame)
    probes = sanity.probes(data, model_of("boosting", data), TRAIN, ROWS, 0, {"twin": "2 * a"})
    assert probes.ranking["column"][0] == "a (with twin)" and probes.weak in ((), ("shuffled a",))
    # a column that is called like a probe is left alone
    assert probes.ranking["column"][probes.ranking["chance"]].str.endswith("'").all()


def test_what_cannot_be_computed_is_said(generate: Any) -> None:
    _, data = generate("binary", 20)
    model = models.fit(models.boosting(data, 0), data, np.arange(20))  # no leaf is large enough: one answer for all
    probes = sanity.probes(data, model, np.arange(20), np.arange(20), 0)
    assert probes.share is None and probes.message == sanity.NOTHING
    assert judged("shadow_features", probes.share) == "skip"
    _, data = generate("binary", 800)
    model, train = model_of("linear", data), np.flatnonzero(data.outcome == 0)
    probes = sanity.probes(data, model, train, ROWS, 0)
    assert probes.share is None and "0 cases of the rarest outcome" in probes.message


def test_a_refit_learns_from_a_part_that_keeps_the_rare_cases(generate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, data = generate("binary", 800)
    data = dataclasses.replace(data, outcome=(np.arange(800) % 40 == 0).astype(int))
    monkeypatch.setattr(sanity, "MOST_LEARNT", 100)
    learn = sanity.drawn(data, np.arange(800), 0)
    assert len(learn) == 100 and data.outcome[learn].sum() == 20 and len(set(learn)) == 100
    assert np.array_equal(learn, sanity.drawn(data, np.arange(800), 0))
    monkeypatch.setattr(sanity, "MOST_LEARNT", 1000)
    assert len(sanity.drawn(data, np.arange(800), 0)) == 800
    monkeypatch.setattr(sanity, "MOST_CELLS", 600)  # as if the table were very wide
    assert len(sanity.drawn(data, np.arange(800), 0)) == sanity.FEWEST_LEARNT


def test_the_place_of_pure_chance_is_an_ordinal_number() -> None:
    ranking = pd.DataFrame({"column": ["a", "b", "c"], "weight": [1.0, 0.5, 0.2], "chance": [False, False, True]})
    assert "comes 3rd of 3" in sanity._said(ranking, 0.2, (), 100)
