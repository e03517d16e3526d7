"""Swapped days and months: found by what the other rows say; honest dates in any distribution are left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab2live.data.feature_types import as_days
from lab2live.eda.checks.date_order import date_order, swap


def _dates(rows: int = 4000, first: str = "2024-08-05", days: int = 710, seed: int = 0) -> pd.Series:
    random = np.random.default_rng(seed)
    return pd.Series(pd.Timestamp(first) + pd.to_timedelta(random.integers(0, days, rows), unit="D"))


def _swapped(dates: pd.Series, share: float) -> pd.Series:
    able = np.flatnonzero((dates.dt.day <= 12) & (dates.dt.day != dates.dt.month))
    rows = np.random.default_rng(9).choice(able, round(share * len(dates)), replace=False)
    changed = dates.copy()
    changed.iloc[rows] = [date.replace(day=date.month, month=date.day) for date in dates.iloc[rows]]
    return changed


@pytest.mark.parametrize("file", ["csv", "parquet", "sqlite"])
@pytest.mark.parametrize("share", [0.08, 0.04])
def test_dates_outside_the_range_of_the_others(surveyed: Any, file: str, share: float) -> None:
    when = _swapped(_dates(), share).dt.strftime("%Y-%m-%d")
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": range(4000), "when": when})}, file=file)
    (found,) = date_order(charter, survey)
    assert (found.check, found.source, found.column) == ("consistency.date_order", "base", "when")
    assert found.severity == "warn" and 20 < (found.rows or 0) <= share * 4000
    assert " -> " in found.examples[0]


def test_dates_that_leave_another_column_or_the_order_of_rows(surveyed: Any) -> None:
    start = _dates(first="2024-01-01", days=731)
    end = start + pd.to_timedelta(np.random.default_rng(1).integers(1, 9, 4000), unit="D")
    frame = pd.DataFrame({"id": range(4000), "start": start, "end": _swapped(end, 0.03)})
    charter, (survey,) = surveyed({"base": frame})
    (found,) = date_order(charter, survey)
    assert (found.column, found.severity) == ("end", "warn") and (found.rows or 0) > 90
    ordered = _swapped(start.sort_values(ignore_index=True), 0.03)
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": range(4000), "start": ordered})})
    (found,) = date_order(charter, survey)
    assert found.column == "start" and 100 < (found.rows or 0) <= 120


def test_dates_that_the_earlier_extract_has_the_other_way_round(surveyed: Any) -> None:
    before = pd.DataFrame({"id": range(4000), "when": _dates(first="2024-01-01", days=731)})
    now = before.assign(when=_swapped(before["when"], 0.01))
    charter, (survey,) = surveyed({"base": now}, earlier={"base": before}, key="id")
    (found,) = date_order(charter, survey)
    assert (found.column, found.rows) == ("when", 40)
    charter, (survey,) = surveyed({"base": before}, earlier={"base": before}, key="id")
    assert date_order(charter, survey) == []


@pytest.mark.parametrize(
    "dates",
    [
        _dates(),
        _dates(days=80),
        _dates(first="1950-01-01", days=20_000),
        _dates().sort_values(ignore_index=True),
        _dates().dt.to_period("M").dt.to_timestamp(),
        pd.Timestamp("2026-07-02") - pd.to_timedelta(np.random.default_rng(2).gamma(1.6, 540, 4000).round(), unit="D"),
        pd.Series([pd.Timestamp("2024-01-05")] * 4000),
    ],
)
def test_honest_dates_are_left_alone(surveyed: Any, dates: Any) -> None:
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": range(4000), "when": dates, "x": 1.5})})
    assert date_order(charter, survey) == []


@pytest.mark.parametrize("file", ["csv", "parquet"])
@pytest.mark.parametrize("sign", ["/", ".", "-"])
def test_two_orders_in_one_text_column(surveyed: Any, file: str, sign: str) -> None:
    when = _dates().dt.strftime(f"%d{sign}%m{sign}%Y")
    other = _dates().dt.strftime(f"%m{sign}%d{sign}%Y")
    frame = pd.DataFrame({"id": range(4000), "when": [*other[:200], *when[200:]]})
    charter, (survey,) = surveyed({"base": frame}, file=file)
    (found,) = date_order(charter, survey)
    rows = sum(date.day > 12 for date in _dates()[:200])
    assert (found.column, found.severity, found.rows) == ("when", "warn", rows)
    assert found.examples[0] == next(text for text in other[:200] if int(text[3:5]) > 12)


@pytest.mark.parametrize(
    ("texts", "severity"),
    [
        (["03/04/2024", "25/12/2024"] * 20, None),  # read as the dates that they are
        (["03/04/2024", "12/25/2024"] * 20, None),
        (["03/04/2024", "05/06/2024"] * 20, "warn"),
        (["03.04.2024", "05.06.2024"] * 20, None),
        (["2024-04-03", "2024-06-05"] * 20 + ["25/12/2024"] * 6, "warn"),
        (["1/2", "3/4", "10-12"] * 20, None),
        (["01/01/2024"] * 20, None),
    ],
)
def test_slashes_are_proven_or_not(surveyed: Any, texts: list[str], severity: str | None) -> None:
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": range(len(texts)), "when": texts})})
    assert [one.severity for one in date_order(charter, survey)] == ([severity] if severity else [])


@given(st.dates())
def test_swapping_twice_gives_the_date_back(date: Any) -> None:
    days = as_days(pd.Series([date]))
    once = swap(days)
    assert np.isnan(once[0]) == (date.day > 12)
    if date.day <= 12:
        assert once[0] == as_days(pd.Series([date.replace(day=date.month, month=date.day)]))[0]
        assert swap(once)[0] == days[0]
