"""Times in another zone: found by offsets, the earlier extract, the order of rows and the night of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.eda.checks.timezone import timezone

OFFICE = [0, 0, 0, 0, 0, 0, 0, 3, 9, 12, 12, 11, 6, 10, 12, 11, 9, 5, 1, 0, 0, 0, 0, 0]
EVENING = [3, 1, 0.5, 0.3, 0.3, 1, 2, 3, 4, 5, 5, 5, 6, 6, 6, 6, 7, 8, 9, 10, 11, 10, 8, 5]


def _times(rows: int = 5000, hours: list[float] = OFFICE, days: int = 365, seed: int = 0) -> pd.Series:
    random = np.random.default_rng(seed)
    chosen = random.choice(24, rows, p=np.array(hours) / sum(hours))
    seconds = 86_400 * random.integers(0, days, rows) + 3600 * chosen + random.integers(0, 3600, rows)
    return pd.Series(pd.Timestamp("2025-01-01") + pd.to_timedelta(seconds, unit="s"))


def _frame(times: pd.Series) -> pd.DataFrame:
    random = np.random.default_rng(4)
    frame = pd.DataFrame({"id": random.permutation(len(times)), "at": times})
    return frame.assign(branch=random.choice(["North", "South", "East"], len(times), p=[0.5, 0.3, 0.2]))


def _moved(times: pd.Series, which: Any, hours: float) -> pd.Series:
    return times + pd.to_timedelta(np.where(which, hours, 0), unit="h")


@pytest.mark.parametrize("file", ["csv", "parquet", "sqlite"])
@pytest.mark.parametrize("hours", [6, -7, 2])
def test_a_category_whose_rhythm_is_moved(surveyed: Any, file: str, hours: int) -> None:
    frame = _frame(_times())
    frame["at"] = _moved(frame["at"], frame["branch"] == "East", hours)
    if file == "sqlite":
        frame["at"] = frame["at"].dt.strftime("%Y-%m-%d %H:%M:%S")
    charter, (survey,) = surveyed({"base": frame}, file=file)
    (found,) = timezone(charter, survey)
    assert (found.check, found.source, found.column) == ("consistency.timezone", "base", "at")
    assert found.severity == "warn" and f"{hours:+d} hour" in found.message and "branch East" in found.message
    assert found.rows == pytest.approx((frame["branch"] == "East").sum(), rel=0.1)


@pytest.mark.parametrize("hours", [6, -7, 1])
def test_rows_out_of_order(surveyed: Any, hours: int) -> None:
    times = _times(hours=EVENING).sort_values(ignore_index=True)
    some = np.random.default_rng(1).random(len(times)) < 0.075
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": range(5000), "at": _moved(times, some, hours)})})
    (found,) = timezone(charter, survey)
    assert found.column == "at" and f"{hours:+d} hour" in found.message
    assert 20 < (found.rows or 0) <= some.sum()


def test_rows_that_moved_since_the_earlier_extract(surveyed: Any) -> None:
    before = _frame(_times())
    now = before.assign(at=_moved(before["at"], before.index < 60, -5))
    charter, (survey,) = surveyed({"base": now}, earlier={"base": before}, key="id")
    (found,) = timezone(charter, survey)
    assert (found.column, found.rows) == ("at", 60) and "-5 hours" in found.message
    other = before.assign(
        at=before["at"] + pd.to_timedelta(np.where(before.index < 60, before.index * 311, 0), unit="s")
    )
    charter, (survey,) = surveyed({"base": other}, earlier={"base": before}, key="id")
    assert timezone(charter, survey) == []


@pytest.mark.parametrize("file", ["csv", "parquet"])
def test_offsets_that_differ(surveyed: Any, file: str) -> None:
    texts = _times(400).dt.strftime("%Y-%m-%dT%H:%M:%S")
    mixed = [f"{text}{'+02:00' if number < 20 else 'Z'}" for number, text in enumerate(texts)]
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": range(400), "at": mixed})}, file=file)
    (found,) = timezone(charter, survey)
    assert (found.column, found.severity, found.rows) == ("at", "warn", 20)
    assert found.examples[0] == mixed[0]


def test_summer_time_is_one_zone(surveyed: Any) -> None:
    times = _times(1000)
    texts = [f"{at:%Y-%m-%dT%H:%M:%S}{'+02:00' if 4 <= at.month <= 10 else '+01:00'}" for at in times]
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": range(1000), "at": texts})})
    assert timezone(charter, survey) == []


@pytest.mark.parametrize(
    "times",
    [
        _times(),
        _times(hours=EVENING),
        _times().sort_values(ignore_index=True),
        _times().sort_values(ignore_index=True)
        + pd.to_timedelta(np.random.default_rng(2).exponential(2, 5000), unit="h"),
        _times().dt.normalize(),
        _times().dt.normalize().sort_values(ignore_index=True) + (_times(seed=3) - _times(seed=3).dt.normalize()),
    ],
)
def test_honest_times_are_left_alone(surveyed: Any, times: pd.Series) -> None:
    charter, (survey,) = surveyed({"base": _frame(times)})
    assert timezone(charter, survey) == []


def test_a_group_with_a_rhythm_of_its_own_is_no_other_zone(surveyed: Any) -> None:
    frame = _frame(_times())
    night = frame["branch"] == "East"
    frame.loc[night, "at"] = _times(hours=EVENING, seed=8)[night]
    charter, (survey,) = surveyed({"base": frame})
    assert timezone(charter, survey) == []
