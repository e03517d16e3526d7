"""Robustness: what a model relies on hurts when it is disturbed, and nothing else does."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lab2live.charter import metrics
from lab2live.data import dataset, intervals, models, splits
from lab2live.errors import UserError
from lab2live.pipeline import hooks
from lab2live.poc.change import robustness as subject
from lab2live.poc.change.robustness import Trial

KINDS = {"binary": "roc_auc", "multiclass": "balanced_accuracy", "regression": "r2"}


def score_of(problem: str) -> Any:
    score = metrics.score(KINDS[problem])
    return score if problem != "multiclass" else lambda known, answers: score(known, answers.argmax(axis=1))


def drawn(problem: str = "binary", rows: int = 600) -> pd.DataFrame:
    """Only `a` tells anything: silo one holds it, silo two holds `b`."""
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, rows))
    margin = 3 * a + random.normal(size=rows)
    y = {"binary": margin > 0, "multiclass": np.digitize(margin, [-1, 1]), "regression": margin}[problem]
    return pd.DataFrame({"a": a, "b": b, "constant": 1, "y": y})


class OnlyA:
    """A model that looks at one column."""

    def __init__(self, problem: str) -> None:
        if problem != "regression":
            self.predict_proba = self._probabilities[problem].__get__(self)

    def predict(self, inputs: pd.DataFrame) -> np.ndarray:
        return 3 * inputs["a"].fillna(0.0).to_numpy()

    def _two(self, inputs: pd.DataFrame) -> np.ndarray:
        positive = 1 / (1 + np.exp(-np.clip(self.predict(inputs), -30, 30)))
        return np.column_stack([1 - positive, positive])

    def _three(self, inputs: pd.DataFrame) -> np.ndarray:
        return np.eye(3)[np.digitize(self.predict(inputs), [-1, 1])]

    _probabilities: Any = {"binary": _two, "multiclass": _three}  # noqa: RUF012


def run(charter_of: Any, problem: str = "binary", table: pd.DataFrame | None = None, **more: Any) -> Any:
    kind = "regression" if problem == "regression" else "classification"
    positive = {"positive_class": "true"} if problem == "binary" else {}
    charter = charter_of(prediction={"problem_type": kind, **positive, **more.pop("prediction", {})})
    table = drawn(problem) if table is None else table
    data = dataset.dataset(charter, table)
    origins = {name: "two" if name == "b" else "one" for name in table}
    return subject.robustness(
        charter,
        table,
        data,
        splits.split(charter, data, 0),
        more.pop("model", OnlyA(problem)),
        more.pop("origins", origins),
        score_of(problem),
        **more,
    )


@pytest.mark.parametrize("problem", list(KINDS))
def test_only_the_column_in_use_hurts_and_its_silo_most(charter_of: Any, problem: str) -> None:
    found = run(charter_of, problem)
    assert found.tried == ("a",) and found.unused == ("b", "constant")
    dark = {trial.where: trial for trial in found.trials if trial.kind == "dark"}
    assert dark["two"].change == 0 and dark["one"].high < 0
    by = {(trial.kind, trial.level): trial for trial in found.trials if trial.where == "a"}
    assert by["missing", 1.0].change == dark["one"].change < by["missing", 0.1].change <= 0
    assert problem == "binary" or by["units", 100.0].change < -0.01, "ranks do not mind another unit"
    assert found.weaknesses[0].loss == max(weakness.loss for weakness in found.weaknesses)
    assert run(charter_of, problem) == found
    assert isinstance(found.figure(), Figure) and "What hurts most" in found.sentence()
    assert len(found.table(3)) == 3
    json.dumps(found.as_dict())


def test_a_unit_of_a_column_in_use_hurts_a_real_model(generate: Any) -> None:
    charter, data = generate("binary", 500)
    split = splits.split(charter, data, 0)
    model = models.fit(models.linear(data), data, split.train)
    table = data.raw.assign(y=np.array(data.classes)[data.outcome])
    found = subject.robustness(charter, table, data, split, model, {}, metrics.score("roc_auc"))
    units = {trial.where: trial for trial in found.trials if trial.kind == "units" and trial.level == 100}
    assert units["x1"].high < 0 and units["x2"].high < 0
    assert {"x1", "x2", "colour"} <= set(found.tried)


def test_one_silo_only_is_the_part_of_the_fallback(charter_of: Any) -> None:
    found = run(charter_of, origins=dict.fromkeys("ab", "only"))
    assert not any(trial.plausible for trial in found.trials if trial.kind == "dark")
    evidence = found.evidence(0.4)
    value, message = evidence.value, evidence.message
    assert 0 < value < 0.5 and "plausible" in message


def test_the_verdict_is_the_share_of_the_lead(charter_of: Any) -> None:
    found = run(charter_of, prediction={}, table=drawn().assign(c=0.0))
    dark = next(trial for trial in found.trials if trial.where == "one")
    assert found.evidence(0.0).value is None and "no lead" in found.evidence(-1.0).message
    shared = subject.Robustness(
        0.9, None, (subject.Weakness((Trial("dark", "s", 1, "s", True, 0.7, -0.2, -0.3, -0.1),), None),), ()
    )
    assert shared.evidence(0.4).value == pytest.approx(0.5)
    assert not dark.plausible, "the silo holds all that the model uses"


def test_what_breaks_is_a_result(charter_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def features(charter: Any, frame: pd.DataFrame) -> pd.DataFrame:
        if frame["a"].isna().any():
            raise UserError("`add_features` failed.", found="ValueError: no gaps, please")
        return frame

    monkeypatch.setattr(hooks, "add_features", features)
    found = run(charter_of)
    assert found.weaknesses[0].middle.broken == "breaks: ValueError: no gaps, please"
    assert found.evidence(0.4).value == subject.BREAKS
    assert "breaks" in found.table() and "break it" in found.sentence()
    json.dumps(found.as_dict())


def test_a_model_that_uses_nothing_cannot_be_judged(charter_of: Any) -> None:
    class Constant:
        def predict(self, inputs: pd.DataFrame) -> np.ndarray:
            return np.zeros(len(inputs))

    found = run(charter_of, "regression", model=Constant())
    assert found.evidence(0.1).value is None and not found.trials
    assert isinstance(found.figure(), Figure) and found.table().empty


def test_one_column_and_groups(charter_of: Any) -> None:
    table = drawn()[["a", "y"]].assign(g=np.arange(600) // 10)
    found = run(charter_of, table=table, prediction={"group_column": "g"})
    assert found.tried == ("a",) and found.trials


def trial(level: float, worth: float | None) -> Trial:
    return Trial("noise", "a", level, "noise", False, worth=worth)


@pytest.mark.parametrize(
    ("worths", "start", "expected"),
    [
        ((50.0, -50.0, -80.0), 100.0, 0.175),
        ((50.0, 20.0, 10.0), 100.0, None),
        ((-100.0, 0.0, 0.0), 100.0, 0.05),
        ((50.0, None, -50.0), 100.0, 0.3),
        ((0.0, 0.0, 0.0), -1.0, 0.0),
    ],
)
def test_where_the_worth_turns_negative(worths: Any, start: float, expected: float | None) -> None:
    trials = [trial(level, worth) for level, worth in zip((0.1, 0.25, 0.5), worths, strict=True)]
    assert subject.turning(trials, start) == (None if expected is None else pytest.approx(expected))
    assert subject.turning(trials, None) is None


def test_worth_is_asked_for_every_trial(charter_of: Any) -> None:
    found = run(charter_of, worth=lambda known, answers: float(((answers > 0.5) * (known * 3 - 2)).sum()))
    assert found.worth > 0 and all(trial.worth is not None for trial in found.trials)
    assert "worth per month" in found.table()
    dark = next(weakness for weakness in found.weaknesses if weakness.middle.where == "one")
    assert dark.turns is None and dark.middle.worth == 0


def test_the_quick_way_to_score_is_exact() -> None:
    random = np.random.default_rng(0)
    known, answers = (random.random(200) < 0.3).astype(int), random.integers(0, 9, 200) / 9
    weights = intervals.redraw(0, 200, 20, np.arange(200) // 4, known)
    score = metrics.score("roc_auc")
    slow = intervals.scores(lambda known, answers: float(score(known, answers)), known, answers, weights)
    assert intervals.scores(score, known, answers, weights) == pytest.approx(slow)
    assert weights.shape == (20, 200) and (weights.reshape(20, 50, 4).std(axis=2) == 0).all()


def test_the_shares_of_the_classes_vary_as_all_cases_let_them() -> None:
    known = np.repeat([0, 1], [160, 40])
    weights = intervals.redraw_in_shares(np.random.default_rng(0), known, 4000, 1000)
    assert weights.sum(axis=1) == pytest.approx(np.full(4000, 200))
    shares = weights[:, known == 1].sum(axis=1) / 200
    assert shares.mean() == pytest.approx(0.2, abs=0.001)
    assert shares.std() == pytest.approx(np.sqrt(0.2 * 0.8 / 1000), rel=0.05), "as of 1,000 cases, not of 200"
    within = weights[:, known == 1] / weights[:, known == 1].sum(axis=1, keepdims=True)
    assert (within @ np.arange(40)).std() == pytest.approx(np.arange(40).std() / np.sqrt(40), rel=0.05)


def test_of_a_large_test_part_some_cases_are_disturbed_and_it_says_so(
    charter_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "MOST_ROWS", 60)
    found = run(charter_of)
    assert "Disturbed were 60 of" in found.sentence()


def test_what_is_lost_is_said_with_a_minus_sign() -> None:
    trial = Trial("dark", "a", 1.0, "a goes dark", True, 0.5, -0.25, -0.3, 0.01)
    assert trial.said == "a goes dark (−0.250, −0.300 to +0.010)"
