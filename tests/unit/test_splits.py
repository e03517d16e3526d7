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
        for first, second in [(found.train, found.test), *parts]:
            assert times[first].max() < times[second].min()


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
        [str(year) for year in range(2010, 2020) for _ in range(10)],
        list(pd.to_datetime([f"19{year}-01-01" for year in range(60, 70)]).repeat(10)),
    ],
)
def test_time_is_cut_between_two_moments_and_the_latest_cases_are_held_back(times: list[Any]) -> None:
    order = np.random.default_rng(0).permutation(100)
    charter, data = prepared(["a", "b"] * 50, time=np.array(times)[order])
    found = splits.split(charter, data, 0)
    assert set(order[found.test]) == set(range(80, 100))
    assert found.how == "the last 20% by time"


@pytest.mark.parametrize(("counts", "learnt"), [((30, 30, 30), 60), ((70, 15, 15), 85), ((76, 12, 12), 76)])
def test_a_moment_is_never_on_both_sides_and_the_cut_is_the_nearest(counts: tuple[int, ...], learnt: int) -> None:
    charter, data = prepared(["a", "b"] * (sum(counts) // 2), time=np.repeat([2021, 2022, 2023], counts))
    found = splits.split(charter, data, 0)
    assert len(found.train) == learnt
    assert found.how == f"the last {1 - learnt / sum(counts):.0%} by time"
    assert data.raw["time"].iloc[found.train].max() < data.raw["time"].iloc[found.test].min()


MONTHS = pd.Series(pd.to_datetime([f"2025-{month:02d}-28" for month in range(1, 13)])).repeat(100).to_numpy()


def test_folds_by_time_share_no_moment_either() -> None:
    charter, data = prepared(["a", "b"] * 300, time=MONTHS[:600])
    for learn, validate in splits.folds(charter, data, splits.split(charter, data, 0).train, 5, 1, 0):
        assert MONTHS[learn].max() < MONTHS[validate].min()


def test_folds_by_time_learn_from_comparably_many_cases_and_are_scored_on_equally_many() -> None:
    charter, data = prepared(["a", "b"] * 500, time=pd.date_range("2025-01-01", periods=1000))
    parts = splits.folds(charter, data, np.arange(1000), 5, 1, 0)
    assert [(len(learn), len(validate)) for learn, validate in parts] == [
        (first, 100) for first in range(500, 1000, 100)
    ]


def test_labels_that_are_not_known_yet_are_not_learnt_from() -> None:
    charter, data = prepared(["a", "b"] * 600, time=MONTHS)
    charter = charter.model_copy(update={"prediction": charter.prediction.model_copy(update={"label_delay_days": 90})})
    found = splits.split(charter, data, 0)
    assert found.how == "the last 17% by time, 200 cases before them left out whose label was not known by then " + (
        "(label_delay_days)"
    ), "28 August is 92 days before 28 November"
    for learn, validate in [(found.train, found.test), *splits.folds(charter, data, found.train, 5, 1, 0)]:
        assert MONTHS[learn].max() + np.timedelta64(90, "D") <= MONTHS[validate].min()


@pytest.mark.parametrize("times", [np.arange(100), [str(1900 + year) for year in range(100)]])
def test_a_delay_in_days_is_left_aside_where_time_is_a_number(times: Any) -> None:
    charter, data = prepared(["a", "b"] * 50, time=times)
    charter = charter.model_copy(update={"prediction": charter.prediction.model_copy(update={"label_delay_days": 90})})
    found = splits.split(charter, data, 0)
    assert len(found.train) == 80 and found.how.endswith("by time, label_delay_days left aside: numbers are no days")


def test_one_moment_cannot_be_split() -> None:
    charter, data = prepared(["a", "b"] * 50, time=["2025-01-31"] * 100)
    with pytest.raises(UserError, match="too few cases"):
        splits.split(charter, data, 0)


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


@pytest.mark.parametrize("seed", range(5))
def test_whole_groups_come_near_the_wanted_share_or_it_is_said(seed: int) -> None:
    sizes = [1000, 10, 10, 10, 10]
    charter, data = prepared(
        np.random.default_rng(0).normal(size=1040), "regression", group=np.repeat([*"abcde"], sizes)
    )
    found = splits.split(charter, data, seed)
    assert len(found.test) == 40
    assert found.how == ("whole groups of group, at random: 4% of the rows, as these groups do not allow for about 20%")
    sizes = [400, 200, 150, 100, 50, 50, 30, 20]
    charter, data = prepared([*"aabab"] * 200, group=np.repeat([*"abcdefgh"], sizes))
    found = splits.split(charter, data, seed)
    assert found.how == "whole groups of group, at random: 20% of the rows"
    assert abs(data.outcome[found.test].mean() - data.outcome.mean()) < 0.01


def test_folds_of_whole_groups_are_as_equal_as_the_groups_allow() -> None:
    sizes = [160, 120, 100, 100, 80, 80, 60, 60, 40, 40, 40, 40, 40, 40]
    random = np.random.default_rng(0)
    charter, data = prepared(random.normal(size=1000), "regression", group=np.repeat([*"abcdefghijklmn"], sizes))
    parts = splits.folds(charter, data, np.arange(1000), 5, 2, 0)
    assert {len(validate) for _, validate in parts} <= set(range(160, 241, 20))
    rare = np.where(random.random(1000) < 0.1, "a", "b")
    charter, data = prepared(rare, group=np.arange(1000) // 4)
    counts = [
        int(data.outcome[validate].sum()) for _, validate in splits.folds(charter, data, np.arange(1000), 5, 1, 0)
    ]
    assert max(counts) - min(counts) <= 2


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (["2026-01-31", "2026-02-28", "31.03.2026", None], None),
        (["2021", "2022", "2023", "2024"], None),
        ([1, 2, 3, 4], None),
        (["Mon", "Tue", "Wed", "Thu"], "Mon, Thu, Tue, Wed (120 of 120 values)"),
        (["26/07/2022", "27/07/2022", None, "2022-07-28"], "26/07/2022, 27/07/2022 (60 of 90 values)"),
        (["7/26/2022", "26-Jul-2022", "2026-Q1", "2026"], "2026, 2026-Q1, 26-Jul-2022, 7/26/2022 (120 of 120 values)"),
    ],
)
def test_a_time_column_has_to_say_what_came_first(times: list[Any], told: str | None) -> None:
    if told is None:
        charter, data = prepared([*"abba", *"baab"] * 15, time=times * 30)
        assert splits.split(charter, data, 0).how.endswith("by time")
        return
    with pytest.raises(UserError) as caught:
        prepared([*"abba", *"baab"] * 15, time=times * 30)
    assert "prediction.time_column" in caught.value.details["where"]
    assert caught.value.details["found"] == told
