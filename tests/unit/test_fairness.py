"""Fairness: a group that the model fails is named, and nobody is named by chance."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.charter import gates, metrics
from lab2live.poc import fairness
from lab2live.poc.fairness import Fairness, bands


def looked_at(
    generate: Any, answers: Any, kind: str = "binary", rows: int = 1200, seed: int = 0, **more: Any
) -> Fairness:
    positive = {} if kind == "regression" else {"positive_class": "yes"}
    charter, data = generate(kind, rows, seed, prediction={"sensitive": ["x3", "colour"], **positive})
    test = np.arange(rows)
    said = answers(data)
    constant = np.full(rows, data.outcome.mean())
    score = metrics.score("r2" if kind == "regression" else "roc_auc")
    return fairness.fairness(charter, data, test, said, constant, score, **more)


def margin(data: Any) -> np.ndarray:
    raw = data.raw
    return (1.6 * raw["x1"].fillna(0) - 1.1 * raw["x2"] + 1.2 * (raw["colour"] == "red")).to_numpy()


def test_a_group_for_which_the_model_guesses_is_named(generate: Any) -> None:
    def blind(data: Any) -> np.ndarray:
        noise = np.random.default_rng(5).normal(size=len(data.raw))
        return np.where(data.raw["colour"] == "blue", noise, margin(data))

    found = looked_at(generate, blind)
    evidence = found.evidence
    value, message = evidence.value, evidence.message
    assert value is not None and value > 0.3 and "colour blue" in message
    assert gates.judge("poc.fairness", value, message).status in ("warn", "fail")
    blue = next(group for group in found.groups if group.level == "blue")
    assert blue.low < 0.5 < blue.high and blue.cases > 150


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_model_that_serves_all_alike_names_nobody(generate: Any, kind: str) -> None:
    said = [looked_at(generate, margin if kind == "binary" else lambda data: 10 + 3 * margin(data), kind, seed=seed)
            for seed in range(6)]  # fmt: skip
    assert [gates.judge("poc.fairness", found.evidence.value, "").status for found in said] == ["pass"] * 6


def test_small_groups_are_shown_and_not_judged(generate: Any) -> None:
    charter, data = generate("binary", 400, prediction={"sensitive": ["colour"], "positive_class": "yes"})
    raw = data.raw.assign(colour=np.where(np.arange(400) < 10, "rare", "common"))
    data = dataclasses.replace(data, raw=raw)
    found = fairness.fairness(charter, data, np.arange(400), margin(data), np.zeros(400), metrics.score("roc_auc"))
    rare = next(group for group in found.groups if group.level == "rare")
    assert rare.cases == 10 and np.isnan(rare.score) and np.isnan(rare.behind)
    assert "1 group is too small" in found.evidence.message


def test_shares_and_money_are_those_of_the_decisions(generate: Any) -> None:
    charter, data = generate("binary", 600, prediction={"sensitive": ["colour"]})
    decided = margin(data) > 0.5
    worth = np.where(decided, 2.0, -1.0)
    found = fairness.fairness(
        charter,
        data,
        np.arange(600),
        margin(data),
        np.zeros(600),
        metrics.score("roc_auc"),
        decided=decided,
        worth=worth,
    )
    for group in found.groups:
        of = (data.raw["colour"].fillna(fairness.UNKNOWN) == group.level).to_numpy()
        positive = of & (data.outcome == 1)
        assert group.cases == of.sum()
        assert group.selected == pytest.approx(decided[of].mean())
        assert group.missed == pytest.approx(1 - decided[positive].mean())
        assert group.worth == pytest.approx(worth[of].mean())
    assert {"acted on", "positives missed", "worth per case"} <= set(found.table())


def test_what_cannot_be_said_is_skipped_with_the_reason(generate: Any) -> None:
    charter, data = generate("binary", 200)
    score, zeros = metrics.score("roc_auc"), np.zeros(200)
    for sensitive, why in (([], "names no sensitive column"), (["gone"], "not in the joined table: gone")):
        named = charter.model_copy(
            update={"prediction": charter.prediction.model_copy(update={"sensitive": sensitive})}
        )
        evidence = fairness.fairness(named, data, np.arange(200), zeros, zeros, score).evidence
        value, message = evidence.value, evidence.message
        assert value is None and why in message
    named = charter.model_copy(update={"prediction": charter.prediction.model_copy(update={"sensitive": ["colour"]})})
    evidence = fairness.fairness(named, data, np.arange(200), zeros, zeros, score).evidence
    value, message = evidence.value, evidence.message
    assert value is None and "no better than a constant" in message


def test_bands_hold_about_equally_many_and_levels_stay() -> None:
    ages = pd.Series([*range(20, 60), None])
    groups = bands(ages)
    assert pd.Series(groups[:40]).value_counts().between(9, 11).all() and groups[-1] == fairness.UNKNOWN
    assert list(bands(pd.Series(["a", None, "b"]))) == ["a", fairness.UNKNOWN, "b"]
    assert list(bands(pd.Series([1, 2, 2]))) == ["1", "2", "2"]
