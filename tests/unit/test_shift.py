"""Shift: what changes over time is found, and what does not is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lab2live.charter import gates, metrics
from lab2live.data import dataset, intervals, models, splits
from lab2live.poc.change import mixes, shift, staleness
from lab2live.reporting import formatting, plots


def over_time(charter_of: Any, drift: float = 0.0, moved: float = 0.0, rows: int = 800, **more: Any) -> Any:
    """What tells the outcome turns from `a` to `b` by `drift` radians; `a` moves by `moved` in the last fifth."""
    random = np.random.default_rng(more.pop("seed", 0))
    age = np.arange(rows) / rows
    a, b = random.normal(size=(2, rows))
    margin = 2 * (np.cos(drift * age) * a + np.sin(drift * age) * b)
    y = np.where(random.random(rows) < 1 / (1 + np.exp(-2 * margin)), "yes", "no")
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows) // 2, unit="D")
    frame = pd.DataFrame({"a": a + moved * (age >= 0.8), "b": b, "day": days, "colour": "red", "y": y})
    frame.loc[::17, "b"] = np.nan
    charter = charter_of(prediction={"time_column": "day", "positive_class": "yes", **more.pop("prediction", {})})
    data = dataset.dataset(charter, frame.assign(**more))
    return charter, data, splits.split(charter, data, 0)


def test_without_a_shift_nothing_is_told(charter_of: Any) -> None:
    found = [shift.train_live(*over_time(charter_of, seed=seed), seed) for seed in range(10)]
    assert sum(one.evidence.value < shift.NOTABLE for one in found) >= 9
    assert 0.15 < np.mean([one.p for one in found]) < 0.85 and max(one.p for one in found) > 0.5
    assert "day" not in dict(found[0].columns)


def test_a_planted_shift_is_found_and_named(charter_of: Any) -> None:
    found = shift.train_live(*over_time(charter_of, moved=1.0), 0)
    assert found.p == pytest.approx(0.01) and found.evidence.value > shift.ALARMING
    assert found.columns[0][0] == "a" and "What tells most: a" in found.sentence()
    assert isinstance(found.figure(), Figure) and found.table()["column"].iloc[0] == "a"
    assert shift.train_live(*over_time(charter_of, moved=1.0), 0) == found


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_live_rows_can_be_given(generate: Any, problem: str) -> None:
    charter, data = generate(problem, 500)
    split = splits.split(charter, data, 0)
    live = data.inputs.iloc[split.test].assign(colour="(missing)")
    found = shift.train_live(charter, data, split, 0, live=live)
    assert found.columns[0][0] == "colour" and found.evidence.value > shift.ALARMING
    assert found.sentence().startswith("Live cases can be told")


def test_too_little_is_said(charter_of: Any, generate: Any) -> None:
    charter, data = generate("noise", 100)
    found = shift.train_live(charter, data, splits.split(charter, data, 0), 0)
    assert found.evidence.value is None and found.evidence.message == found.problem and "too little" in found.problem


def test_whole_groups_that_differ_among_themselves_are_no_shift(charter_of: Any) -> None:
    random = np.random.default_rng(0)
    found = []
    for seed in range(6):
        levels = np.repeat(random.normal(size=60), 10)  # all rows of a group are alike
        frame = pd.DataFrame({"a": levels, "g": np.repeat(np.arange(60), 10), "y": random.random(600) < 0.5})
        charter = charter_of(prediction={"group_column": "g"})
        data = dataset.dataset(charter, frame)
        found.append(shift.train_live(charter, data, splits.split(charter, data, seed), seed))
    assert sum(one.p > shift.SURE for one in found) >= 5


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_reweighting_finds_the_cases_that_the_model_is_bad_at(generate: Any, problem: str) -> None:
    charter, data = generate(problem, 600)
    split = splits.split(charter, data, 0)
    model = models.fit(models.linear(data), data, split.train)
    name = {"binary": "roc_auc", "multiclass": "balanced_accuracy", "regression": "mae"}[problem]
    plain = metrics.score(name)
    score = plain if problem != "multiclass" else lambda known, answers: plain(known, answers.argmax(axis=1))
    found = mixes.reweighted(charter, data, split, model, score)
    assert found == sorted(found, key=lambda one: one.change) and found == mixes.reweighted(
        charter, data, split, model, score
    )
    assert {"high x1 count three times", "colour red count twice"} <= {one.title for one in found}
    assert all(one.low <= one.change <= one.high and one.effective >= 50 for one in found)


def test_reweighting_knows_the_truth() -> None:
    """Errors are 1 in the high third and 0 elsewhere: three times as many of them are 3/5 of all."""
    weights = np.where(np.arange(300) < 100, 3, 1)
    known = (np.arange(300) < 100).astype(float)
    mae = metrics.score("mae")
    assert intervals.scores(mae, known, np.zeros(300), weights[None])[0] == pytest.approx(-0.6)


def test_drift_shows_with_age_and_its_absence_does_not(charter_of: Any) -> None:
    score = metrics.score("roc_auc")
    charter, data, _ = over_time(charter_of, drift=2.0, rows=1600)
    aged = staleness.staleness(charter, data, lambda: models.linear(data), score)
    assert aged.ages[0]["change"] == 0 and aged.ages[-1]["to"] < 0
    assert aged.ages[-1]["learnt anew"] > 0.01, "the model is stale, the later cases are not harder"
    assert aged.period == "100 days" and "loses" in aged.sentence()
    charter, data, _ = over_time(charter_of, rows=1600)
    stable = staleness.staleness(charter, data, lambda: models.linear(data), score)
    assert abs(stable.ages[-1]["change"]) < 0.03 and abs(stable.ages[-1]["learnt anew"]) < 0.01
    assert stable == staleness.staleness(charter, data, lambda: models.linear(data), score)
    assert len(stable.table()) == staleness.OLDEST
    assert "does not clearly" in plots.heading(stable.figure()) and "loses score" in plots.heading(aged.figure())


def test_without_time_or_cases_the_age_is_skipped(charter_of: Any, generate: Any) -> None:
    score = metrics.score("roc_auc")
    charter, data = generate("binary", 200)
    assert "no time column" in staleness.staleness(charter, data, lambda: models.linear(data), score).sentence()
    charter, data, _ = over_time(charter_of, rows=200)
    assert "too few" in staleness.staleness(charter, data, lambda: models.linear(data), score).problem
    charter, data, _ = over_time(charter_of, rows=1600)
    late = charter_of(prediction={"time_column": charter.prediction.time_column, "label_delay_days": 1000})
    assert "label_delay_days" in staleness.staleness(late, data, lambda: models.linear(data), score).problem


@pytest.mark.parametrize(("auc", "p", "shown"), [(0.52, 0.09, "0.5"), (0.4732, 0.8, "0.473"), (0.7081, 0.01, "0.708")])
def test_the_message_says_the_number_that_is_measured(auc: float, p: float, shown: str) -> None:
    said = shift.TrainLive(auc, p, (), "The test part").evidence
    gate = gates.judge("poc.shift", said.value, said.message)
    measured = formatting.gate_view(gate).measured
    assert measured.startswith(f"{shown} ROC AUC (at most 0.") and f"ROC AUC {auc:.2f}, p = {p:.2f}" in gate.message
    assert ("which chance explains, and counts as 0.5" in gate.message) == (shown == "0.5")
    assert ("cannot be told" in gate.message) == (p > shift.SURE)
