"""Disturbances: each does what its title says, to its own column alone, and more of it at a higher level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.poc.change import disturbances


@pytest.fixture
def source() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "k": [f"k{i}" for i in range(500)],
            "price": random.gamma(2.0, 10.0, 500),
            "calls": random.poisson(3.0, 500),
            "colour": random.choice(["red", "green"], 500),
            "day": pd.date_range("2024-01-01", periods=500, freq="D"),
            "flag": random.random(500) < 0.5,
            "same": 1,
        }
    )


def every(charter_of: Any, source: pd.DataFrame) -> list[disturbances.Disturbance]:
    kinds = disturbances.source_columns(charter_of(prediction={"id_column": "k"}), source)
    assert "k" not in kinds and kinds["same"] == "other"
    origins = dict.fromkeys(source.columns, "crm") | {"price": "billing"}
    return disturbances.every(source, kinds, ["price", "calls", "colour", "day", "flag"], origins)


def test_each_changes_what_it_names_and_keeps_the_rows(charter_of: Any, source: pd.DataFrame) -> None:
    found = every(charter_of, source)
    before = source.copy()
    for one in found:
        after = one.apply(source, np.random.default_rng(0))
        changed = [name for name in source if not after[name].equals(source[name])]
        assert after.index.equals(source.index) and list(after) == list(source), one.title
        if one.kind == "dark":
            expected = ["price"] if one.where == "billing" else ["calls", "colour", "day", "flag", "same"]
            assert changed == expected and after[expected].isna().all(axis=None)
        else:
            assert changed == [one.where], one.title
    pd.testing.assert_frame_equal(source, before)


def test_each_kind_of_column_has_its_own_ways_to_differ(charter_of: Any, source: pd.DataFrame) -> None:
    found = every(charter_of, source)
    kinds = {name: {one.kind for one in found if one.where == name} for name in source}
    assert kinds["price"] == kinds["calls"] == {"missing", "noise", "higher", "lower", "units"}
    assert kinds["colour"] == {"missing", "unseen", "spelling"}
    assert kinds["day"] == kinds["flag"] == {"missing"}


def test_levels_are_what_they_say(charter_of: Any, source: pd.DataFrame) -> None:
    by = {
        (one.kind, one.where, one.level): one.apply(source, np.random.default_rng(1))
        for one in every(charter_of, source)
    }
    deviation = source["price"].std()
    assert by["missing", "price", 0.1]["price"].isna().mean() == pytest.approx(0.1, abs=0.04)
    assert by["missing", "price", 1.0]["price"].isna().all()
    fewer, more = (by["missing", "price", level]["price"].isna() for level in (0.1, 0.3))
    assert (more | ~fewer).all()
    moved = by["higher", "price", 0.5]["price"] - source["price"]
    assert moved.to_numpy() == pytest.approx(deviation / 2, rel=0.01)
    counts = by["higher", "calls", 0.25]["calls"]
    assert (counts == counts.round()).all()
    assert (counts - source["calls"]).mean() == pytest.approx(source["calls"].std() / 4, abs=0.1)
    assert (by["noise", "price", 0.5]["price"] >= 0).all() and (by["lower", "price", 1.0]["price"] >= 0).all()
    assert (by["unseen", "colour", 0.3]["colour"] == disturbances.NEW_LEVEL).mean() == pytest.approx(0.3, abs=0.06)
    assert set(by["spelling", "colour", 1.0]["colour"]) == {"RED", "GREEN"}
    assert by["units", "price", 100.0]["price"].to_numpy() == pytest.approx(100 * source["price"].to_numpy())


def test_only_weak_ones_are_plausible(charter_of: Any, source: pd.DataFrame) -> None:
    plausible = {(one.kind, one.level) for one in every(charter_of, source) if one.plausible}
    assert plausible == set(disturbances.PLAUSIBLE.items())


def test_importance_names_what_changes_an_answer() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(300, 3)), columns=["a", "b", "c"])

    def ask(rows: pd.DataFrame) -> np.ndarray:
        return (rows["a"] + 0.1 * rows["b"]).to_numpy()

    def score(known: np.ndarray, answers: np.ndarray) -> float:
        return -float(np.abs(known - answers).mean())

    assert list(disturbances.importance(ask, frame, list(frame), ask(frame), score, 0)) == ["a", "b"]
