"""Columns: the part each one plays, and that preparing them never fails, whatever a silo delivers."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lab2live.data.encoding import LARGEST, MISSING, OTHER, Columns, day, label
from lab2live.data.feature_types import prepare, roles, storable

COLUMNS = Columns(
    {"number": "number", "date": "date", "category": "category"}, {"category": ("1", "a", "true")}, left_out={}
)

UTC = dt.timezone(dt.timedelta(hours=5))
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.decimals(allow_nan=False),
    st.just(Decimal("NaN")),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.timedeltas(),
    st.times(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
    st.complex_numbers(),
    st.just(pd.NaT),
    st.just(pd.NA),
    st.just(10**400),
    st.sampled_from(
        ["2024-05", "2024-05-06", "9999-12-31", "0001-01-01T00:00:00+14:00", "1e500", "nan", "inf", "a", "1"]
    ),
)
objects = st.lists(odd, min_size=1, max_size=8)


def of(values: list[Any], dtype: Any = object) -> pd.Series:
    # a frame, because a Series takes a single list for its values
    return pd.DataFrame({"column": pd.Series(values, dtype=dtype)})["column"]


TYPED = {
    "nullable integers": pd.array([1, None, 3], dtype="Int64"),
    "nullable booleans": pd.array([True, None, False], dtype="boolean"),
    "nullable floats": pd.array([1.5, None, 2], dtype="Float64"),
    "pandas strings": pd.array(["1", None, "a"], dtype="string"),
    "categories": pd.Categorical(["a", None, "b"]),
    "numeric categories": pd.Categorical([1, 2, None]),
    "dates": pd.to_datetime(["2024-05-06", None, "2000-01-01"]),
    "dates with a zone": pd.to_datetime(["2024-05-06", None, "2000-01-01"]).tz_localize("Asia/Tokyo"),
    "dates beyond nanoseconds": pd.Series(["9999-12-31", "0001-01-01", "NaT"], dtype="datetime64[s]"),
    "durations": pd.to_timedelta([1, None, 3], unit="D"),
    "complex": np.array([1 + 2j, 0, np.nan]),
    "periods": pd.period_range("2024-01", periods=3, freq="M"),
    "intervals": pd.interval_range(0, 3),
    "unsigned": np.array([2**64 - 1, 0, 1], dtype="uint64"),
    "booleans": np.array([True, False, True]),
    "infinite": np.array([np.inf, -np.inf, 1e300]),
}


def check(prepared: pd.DataFrame) -> None:
    for name in ("number", "date"):
        values = prepared[name].to_numpy()
        assert values.dtype == np.float64
        finite = values[~np.isnan(values)]
        assert np.isfinite(finite).all()
        assert (finite == finite.astype(np.float32)).all()
    assert set(prepared["category"]) <= {*COLUMNS.levels["category"], OTHER, MISSING}


@settings(max_examples=150, deadline=None)
@given(objects)
@example([[1, 2], 3])
@example([10**400, 1])
@example([True, None])
@example([2**63, -1])
def test_any_object_is_prepared_and_a_row_alone_equals_the_row_in_the_table(values: list[Any]) -> None:
    raw = pd.DataFrame({name: of(values) for name in COLUMNS.kinds})
    whole = prepare(raw, COLUMNS)
    check(whole)
    for row in range(len(raw)):
        pd.testing.assert_frame_equal(prepare(raw.iloc[[row]], COLUMNS), whole.iloc[[row]])


@pytest.mark.parametrize("kind", TYPED)
def test_every_type_of_pandas_is_prepared_and_its_rows_do_not_depend_on_each_other(kind: str) -> None:
    raw = pd.DataFrame({name: pd.Series(TYPED[kind]) for name in COLUMNS.kinds})
    whole = prepare(raw, COLUMNS)
    check(whole)
    for row in range(len(raw)):
        pd.testing.assert_frame_equal(prepare(raw.iloc[[row]], COLUMNS), whole.iloc[[row]])
        alone = pd.DataFrame({name: of([raw[name].iloc[row]]) for name in raw})
        pd.testing.assert_frame_equal(
            prepare(alone, COLUMNS).reset_index(drop=True), whole.iloc[[row]].reset_index(drop=True)
        )


@settings(max_examples=150, deadline=None)
@given(objects)
def test_roles_take_any_column(values: list[Any]) -> None:
    columns = roles(pd.DataFrame({"column": of(values), "other": range(len(values))}))
    assert {*columns.kinds, *columns.left_out} == {"column", "other"}
    check_levels = columns.levels.get("column", ())
    assert len(set(check_levels)) == len(check_levels) <= 30


@settings(max_examples=100, deadline=None)
@given(objects.filter(lambda values: not any(isinstance(value, dt.timedelta) for value in values)))
@example([dt.timedelta(1), None])
@example([True, None, False])
@example([1.0, "a"])
@example([Decimal("1.5"), None])
@example([dt.date(2024, 5, 6), None])
@example([dt.date(2000, 1, 1), dt.datetime(2000, 1, 1, 18, 30)])
@example([10**30, 1])
@example([[1], None])
def test_what_can_be_stored_means_the_same_to_the_models_afterwards(values: list[Any]) -> None:
    raw = pd.DataFrame({"column": of(values)})
    columns = roles(raw)
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "rows.parquet"
        storable(raw).to_parquet(file)
        again = pd.read_parquet(file)
    pd.testing.assert_frame_equal(prepare(again, columns), prepare(raw, columns))


def test_columns_named_by_numbers_are_stored_once() -> None:
    stored = storable(pd.DataFrame({2020: ["a", 1], "x": [1, 2]}))
    assert list(stored.columns) == ["2020", "x"]
    assert stored["2020"].tolist() == ["a", "1"]


MANY = 60


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ([1.5, 2.5, 3.0] * 20, "number"),
        ([Decimal("1.5"), None, Decimal(2)] * 20, "number"),
        ([True, False, None] * 20, "number"),
        ([dt.timedelta(1), dt.timedelta(2), None] * 20, "number"),
        (["2024-05-06", "2024-05-07"] * 30, "date"),
        (["2024-05", "2024-06"] * 30, "date"),
        (["2024-05-06", "9999-12-31"] * 30, "date"),
        ([dt.date(2024, 5, 6), dt.date(2024, 5, 7), None] * 20, "date"),
        (["03/04/2024", "04/04/2024"] * 30, "category"),
        (["007", "008"] * 30, "category"),
        (["1", "2"] * 30, "category"),
        (["2024-13-45", "2024-05-06"] * 30, "category"),
        ([1 + 1j, 2 + 1j] * 30, "category"),
        ([f"C{n}" for n in range(MANY)], "almost every value is different: a name, an identifier or free text"),
        ([f"many words about case {n // 2} here" for n in range(400)], "free text"),
        (list(range(MANY)), "it counts the rows"),
        ([None] * MANY, "it is empty"),
        ([7] * MANY, "it has the same value everywhere"),
        (["a", None] * 30, "category"),
    ],
)
def test_a_column_gets_its_part_from_its_values(values: list[Any], part: str) -> None:
    columns = roles(pd.DataFrame({"column": of(values).infer_objects()}))
    assert (columns.kinds.get("column") or columns.left_out["column"]) == part


def test_what_names_a_case_is_left_out_whatever_it_looks_like() -> None:
    raw = pd.DataFrame({"id": [1.5, 2.0, 9.0], "x": [1.5, 2.0, 1.0]})
    columns = roles(raw, identifiers={"id", None})
    assert columns.left_out == {"id": "it names the case or its group"}
    assert list(columns.kinds) == ["x"]


def test_the_frequent_categories_are_told_apart_and_all_others_are_one() -> None:
    values = ["big"] * 100 + ["middle"] * 20 + ["small"] * 19
    columns = roles(pd.DataFrame({"c": values}))
    assert columns.levels["c"] == ("big", "middle")
    answer = prepare(pd.DataFrame({"c": ["big", "small", "never seen", "", None]}), columns)["c"]
    assert answer.tolist() == ["big", OTHER, OTHER, OTHER, MISSING]


def test_at_most_thirty_categories_are_told_apart() -> None:
    values = [f"v{number % 40}" for number in range(4000)]
    assert len(roles(pd.DataFrame({"c": values})).levels["c"]) == 30


def test_numbers_that_mean_the_same_are_one_category() -> None:
    columns = roles(pd.DataFrame({"c": of([1, 1.0, "1", " 1 ", "a"] * 30)}))
    assert columns.levels["c"] == ("1", "a")


def test_a_column_that_is_not_there_is_empty() -> None:
    prepared = prepare(pd.DataFrame({"unknown": [1, 2]}), COLUMNS)
    assert prepared["number"].isna().all() and prepared["date"].isna().all()
    assert prepared["category"].tolist() == [MISSING, MISSING]


def test_no_rows_stay_no_rows() -> None:
    prepared = prepare(pd.DataFrame({"number": [], "date": [], "category": []}), COLUMNS)
    assert prepared.shape == (0, 3)


def test_dates_are_days_since_2000_however_they_are_written() -> None:
    spellings: list[Any] = [
        "2000-01-02",
        dt.date(2000, 1, 2),
        dt.datetime(2000, 1, 2),
        dt.datetime(2000, 1, 2, 5, tzinfo=UTC),
        pd.Timestamp("2000-01-02T00:00Z"),
        "2000-01-02T00:00:00Z",
        "2000-01-02 00:00:00.000000000",
        np.datetime64("2000-01-02"),
    ]
    columns = Columns({"d": "date"})
    assert prepare(pd.DataFrame({"d": of(spellings)}), columns)["d"].tolist() == [1.0] * len(spellings)
    assert prepare(
        pd.DataFrame({"d": of(["2000-02", "9999-12-31", "31.12.2000", "1.1.2000", "12/31/2000", 5])}), columns
    )["d"].fillna(-1).tolist() == [
        31.0,
        2921939.0,
        365.0,
        0.0,
        -1,
        -1,
    ]


@given(st.dates())
def test_a_day_is_written_back_as_the_date_it_was(date: dt.date) -> None:
    columns = Columns({"d": "date"})
    assert day(prepare(pd.DataFrame({"d": [date]}), columns)["d"][0]) == date.isoformat()


def test_a_day_beyond_the_calendar_is_its_end() -> None:
    assert day(float("nan")) == ""
    assert day(LARGEST) == "9999-12-31"
    assert day(-LARGEST) == "0001-01-01"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (True, "true"),
        (np.False_, "false"),
        (1, "1"),
        (1.0, "1"),
        (np.float32(2), "2"),
        (1.5, "1.5"),
        (10**400, "1" + "0" * 400),
    ],
)
def test_a_class_is_written_the_same_way_wherever_it_comes_from(value: Any, written: str) -> None:
    assert label(value) == written


@pytest.mark.parametrize("write", [str, lambda value: value])
def test_booleans_mean_the_same_as_words(write: Callable[[bool], Any]) -> None:
    columns = Columns({"n": "number"})
    assert prepare(pd.DataFrame({"n": of([write(True), write(False)])}), columns)["n"].tolist() == [1.0, 0.0]


def test_a_number_with_an_underscore_is_none() -> None:
    assert prepare(pd.DataFrame({"n": ["1_000"]}), Columns({"n": "number"}))["n"].isna().all()


def test_thousands_of_columns_are_prepared_in_seconds() -> None:
    raw = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 3000))).rename(columns=lambda number: f"c{number}")
    assert prepare(raw, roles(raw)).shape == (50, 3000)
