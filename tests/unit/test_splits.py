"""Splits: nothing that is tested on was learnt from, in whatever way the model will be used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab2live.charter.schema import Charter
from lab2live.data import dataset, splits
from lab2live.errors import UserError


def prepared(outcome: Any, problem: str = "classification", **columns: Any) -> tuple[Charter, dataset.Dataset]:
    """Make a data set whose time and group columns, if it has them, are called `time` and `group`."""
    prediction = {"problem_type": problem, "target": "y"}
    prediction |= {f"{name}_column": name for name in ("time", "group") if name in columns}
    charter = Charter.model_validate({"prediction": prediction, "sources": [{"name": "s", "uri": "s.csv"}]})
    frame = pd.DataFrame({"x": np.linspace(0, 1, len(outcome)) ** 2, **columns, "y": outcome})
    return charter, dataset.dataset(charter, frame)


KINDS = ("random", "group", "time", "regression", "regression by group")


def draw(kind: str, rows: int, seed: int) -> tuple[Charter, dataset.Dataset]:
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    if "group" in kind:
        columns["group"] = random.integers(0, max(rows // 4, 2), rows)
    if kind == "time":
        columns["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, rows, rows), unit="D")
    if "regression" in kind:
        return prepared(random.normal(size=rows), "regression", **columns)
    return prepared(np.where(random.random(rows) < 0.4, "a", "b"), **columns)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(rows=st.integers(2, 120), seed=st.integers(0, 1000))
def test_parts_are_apart_and_complete_or_there_is_a_kind_error(kind: str, rows: int, seed: int) -> None:
    try:
        charter, data = draw(kind, rows, seed)
        found = splits.split(charter, data, seed)
        parts = splits.folds(charter, data, found.train, 5, 2, seed)
    except UserError as error:
        assert rows < 60, error
        return
    assert sorted([*found.train, *found.test]) == list(range(rows))
    assert len(parts) >= 2
    for learn, validate in parts:
        assert not set(learn) & set(validate)
        assert {*learn, *validate} <= set(found.train)
        if data.classes:
            assert np.bincount(data.outcome[learn], minlength=2).min() >= 3
            assert len(np.unique(data.outcome[validate])) == 2
    if "group" in kind:
        groups = data.raw["group"].to_numpy()
        for first, second in [(found.train, found.test), *parts]:
            assert not set(groups[first]) & set(groups[second])
    if kind == "time":
        times = data.raw["time"].to_numpy()
        assert times[found.train].max() < times[found.test].min() or data.raw["time"].nunique() == 1
        for learn, validate in parts:
            assert times[learn].max() <= times[validate].min()


def test_a_random_split_is_a_fifth_with_the_same_shares_and_repeats_with_its_seed() -> None:
    charter, data = prepared(["a"] * 100 + ["b"] * 900)
    found, again, other = (splits.split(charter, data, seed) for seed in (0, 0, 1))
    assert (len(found.test), int(data.outcome[found.test].sum())) == (200, 20)
    assert found.test.tolist() == again.test.tolist() != other.test.tolist()
    assert found.how == "at random, classes in equal shares"
    parts = splits.folds(charter, data, found.train, 5, 2, 0)
    assert len(parts) == 10
    assert {int(data.outcome[validate].sum()) for _, validate in parts} == {16}
    for repeat in (parts[:5], parts[5:]):
        assert sorted(np.concatenate([validate for _, validate in repeat])) == found.train.tolist()


@pytest.mark.parametrize(
    "times",
    [
        [f"2024-{month:02d}" for month in range(1, 11) for _ in range(10)],
        list(np.repeat(np.arange(10), 10)),
        [f"2024-Q{quarter}" for quarter in range(10) for _ in range(10)],
        list(pd.to_datetime([f"19{year}-01-01" for year in range(60, 70)]).repeat(10)),
    ],
)
def test_time_is_cut_between_two_moments_and_the_latest_cases_are_held_back(times: list[Any]) -> None:
    order = np.random.default_rng(0).permutation(100)
    charter, data = prepared(["a", "b"] * 50, time=np.array(times)[order])
    found = splits.split(charter, data, 0)
    assert set(order[found.test]) == set(range(80, 100))
    assert found.how == "the last 20% by time"


def test_a_moment_is_never_on_both_sides() -> None:
    charter, data = prepared(["a", "b"] * 45, time=np.repeat([2021, 2022, 2023], 30))
    found = splits.split(charter, data, 0)
    assert set(data.raw["time"].iloc[found.test]) == {2023}
    assert found.how == "the last 33% by time"


def test_cases_of_an_unknown_moment_are_never_held_back() -> None:
    times = pd.Series(pd.date_range("1950-01-01", periods=100)).where(lambda column: column.index % 10 > 0)
    charter, data = prepared(["a", "b"] * 50, time=times)
    assert data.raw["time"].iloc[splits.split(charter, data, 0).test].notna().all()


@pytest.mark.parametrize("rare", [1, 2, 3])
def test_a_class_with_next_to_no_cases_is_an_error_that_counts_them(rare: int) -> None:
    charter, data = prepared(["a"] * rare + ["b"] * 100)
    with pytest.raises(UserError) as caught:
        found = splits.split(charter, data, 0)
        splits.folds(charter, data, found.train, 5, 2, 0)
    assert "too few cases" in str(caught.value)


def test_a_rare_class_means_fewer_folds() -> None:
    charter, data = prepared(["a"] * 5 + ["b"] * 100)
    found = splits.split(charter, data, 0)
    assert len(splits.folds(charter, data, found.train, 5, 2, 0)) == 8


def test_more_classes_than_test_cases_are_a_kind_error() -> None:
    charter, data = prepared([f"c{number % 15:02d}" for number in range(45)])
    with pytest.raises(UserError, match="too few cases"):
        splits.split(charter, data, 0)


@pytest.mark.parametrize("settings", [{"folds": 1, "repeats": 2}, {"folds": 5, "repeats": 0}])
def test_a_cross_validation_without_parts_says_which_settings_work(settings: dict[str, int]) -> None:
    charter, data = prepared(["a", "b"] * 50)
    with pytest.raises(UserError) as caught:
        splits.folds(charter, data, np.arange(80), seed=0, **settings)
    assert "folds=5, repeats=2" in caught.value.details["fix"]


def test_one_group_cannot_be_split() -> None:
    charter, data = prepared(["a", "b"] * 50, group=["only"] * 100)
    with pytest.raises(UserError, match="too few cases"):
        splits.split(charter, data, 0)


@pytest.mark.parametrize(
    ("times", "sound"),
    [
        (["Mon", "Tue", "Wed", "Thu"], False),
        (["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"], True),
        (["2026-01-31", "2026-02-28", "unknown", None], True),
        ([1, 2, 3, 4], True),
        ([None] * 4, True),
    ],
)
def test_a_time_column_has_to_say_what_came_first(times: list[Any], sound: bool) -> None:
    charter, data = prepared(["a", "b", "b", "a"] * 30, time=times * 30)
    if sound:
        splits._split(charter, data, 0)
        return
    with pytest.raises(UserError) as caught:
        splits.split(charter, data, 0)
    assert "prediction.time_column" in caught.value.details["where"]
    assert caught.value.details["found"] == "Mon, Thu, Tue, Wed"
