"""The newest data: complete, and as fresh as they should be."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab2live.eda.checks import arrival
from lab2live.eda.checks.arrival import late, newest, stale, stale_across
from lab2live.eda.checks.findings import Skip

TODAY = dt.date(2026, 8, 1)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "_today", lambda: TODAY)


def _events(
    per_day: float = 20, days: int = 400, growth: float = 0.3, weekend: float = 0.4, seed: int = 0
) -> pd.Series:
    random = np.random.default_rng(seed)
    dates = pd.date_range(end="2026-07-31", periods=days)
    rate = per_day * (1 + growth * np.arange(days) / days) * np.where(dates.dayofweek >= 5, weekend, 1.0)
    return pd.Series(np.repeat(dates, random.poisson(rate)))


def _frame(when: pd.Series) -> pd.DataFrame:
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "id": random.integers(0, 500, len(when)),
            "at": when.to_numpy(),
            "region": random.choice(["North", "South", "East"], len(when), p=[0.5, 0.3, 0.2]),
        }
    )


@pytest.mark.parametrize("file", ["csv", "parquet", "sqlite"])
@pytest.mark.parametrize(("days", "part"), [(7, "week"), (28, "four weeks")])
def test_a_last_part_with_half_of_its_rows(surveyed: Any, file: str, days: int, part: str) -> None:
    when = _events()
    lost = (when > when.max() - pd.Timedelta(days=days)) & (np.random.default_rng(2).random(len(when)) < 0.5)
    frame = _frame(when[~lost])
    if file == "sqlite":
        frame["at"] = frame["at"].dt.strftime("%Y-%m-%d")
    charter, (survey,) = surveyed({"base": frame}, file=file, key="id", date_column="at")
    (found,) = late(charter, survey)
    assert (found.check, found.source, found.column) == ("timeliness.incomplete_period", "base", "at")
    assert found.severity == "warn" and 0.35 < found.value < 0.65 and found.examples == ("2026-07-31",)
    assert f"The last {'week' if part == 'week' else ''}" in found.message


def test_a_last_month_with_half_of_its_rows(surveyed: Any) -> None:
    months = np.repeat(["2026-05", "2026-06", "2026-07"], [3000, 3010, 1500])
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": np.arange(7510) % 3000, "month": months})}, key="id")
    (found,) = late(charter, survey)
    assert (found.column, found.severity, found.rows) == ("month", "warn", 1505)
    whole = pd.DataFrame({"id": np.arange(9000) % 3000, "month": np.repeat(["2026-05", "2026-06", "2026-07"], 3000)})
    charter, (survey,) = surveyed({"base": whole}, key="id")
    assert late(charter, survey) == []


def test_a_group_that_has_not_arrived(surveyed: Any) -> None:
    frame = _frame(_events())
    gone = (frame["region"] == "East") & (frame["at"] > frame["at"].max() - pd.Timedelta(days=7))
    charter, (survey,) = surveyed({"base": frame[~gone]}, key="id", date_column="at")
    (found,) = late(charter, survey)
    assert (found.column, found.severity, found.examples) == ("at", "warn", ("East",))


@pytest.mark.parametrize(
    "when",
    [
        *(_events(seed=seed) for seed in range(3)),
        _events(per_day=1),
        _events(days=30),
        _events(growth=-0.6),
        _events(growth=5),
        pd.Timestamp("2026-07-02")
        - pd.Series(pd.to_timedelta(np.random.default_rng(2).gamma(1.6, 540, 4000).round(), unit="D")),
        pd.Timestamp("2026-08-01")
        - pd.Series(
            pd.to_timedelta(np.round(30.44 * np.ceil(np.random.default_rng(3).gamma(1.6, 18, 8000))), unit="D")
        ),
        pd.Series(pd.to_datetime(["2026-07-01"] * 50)),
    ],
)
def test_noise_trends_and_signups_are_no_late_data(surveyed: Any, when: pd.Series) -> None:
    charter, (survey,) = surveyed({"base": _frame(when)}, key="id")
    assert late(charter, survey) == []


@pytest.mark.parametrize(("limit", "severity"), [(40, None), (20, "warn"), (5, "fail")])
def test_older_than_the_charter_allows(surveyed: Any, limit: int, severity: str | None) -> None:
    frame = _frame(_events())
    frame["at"] -= pd.Timedelta(days=30)
    charter, (survey,) = surveyed({"base": frame}, key="id", date_column="at", fresh_within_days=limit)
    found = stale(charter, survey)
    assert [(one.column, one.severity, one.value) for one in found] == ([("at", severity, 31)] if severity else [])


def test_what_the_charter_does_not_say_is_skipped(surveyed: Any) -> None:
    charter, (survey,) = surveyed({"base": _frame(_events())}, date_column="at")
    (skip,) = stale(charter, survey)
    assert isinstance(skip, Skip) and "fresh_within_days" in skip.reason
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": [1], "x": [2]})}, fresh_within_days=3)
    assert isinstance(stale(charter, survey)[0], Skip)
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": [1], "x": [2]})})
    assert stale(charter, survey) == []


def test_a_plan_for_the_future_hides_no_old_data(surveyed: Any) -> None:
    frame = _frame(_events())
    frame["at"] -= pd.Timedelta(days=90)
    frame.loc[:3, "at"] = pd.Timestamp("2099-12-31")
    charter, (survey,) = surveyed({"base": frame}, date_column="at", fresh_within_days=60)
    assert [(one.severity, one.value) for one in stale(charter, survey)] == [("warn", 91)]


def test_older_than_the_earlier_extract_or_the_same(surveyed: Any) -> None:
    frame = _frame(_events())
    old = frame[frame["at"] < "2026-06-01"]
    for now, before, severity in ((old, frame, ["warn"]), (frame, frame, ["info"]), (frame, old, [])):
        charter, (survey,) = surveyed({"base": now}, earlier={"base": before})
        assert [one.severity for one in stale(charter, survey)] == severity


def _ends(frame: pd.DataFrame, end: str) -> pd.DataFrame:
    return frame[frame["at"] <= end]


def test_a_source_that_ends_long_before_the_others(surveyed: Any) -> None:
    frame = _frame(_events())
    frames = {"base": frame, "bills": _ends(frame, "2026-04-30"), "calls": _ends(frame, "2026-07-20")}
    (found,) = stale_across(*surveyed(frames, key="id"))
    assert (found.check, found.source, found.column, found.severity) == ("timeliness.stale", "bills", "at", "warn")
    assert found.value == 81
    frames["bills"] = _ends(frame, "2026-06-30")
    assert stale_across(*surveyed(frames, key="id")) == []
    frames["bills"] = _ends(frame, "2025-12-30").drop_duplicates("id")  # cases of an older time, one row each
    assert stale_across(*surveyed(frames, key="id")) == []


def test_the_age_of_a_stand_in_says_nothing(surveyed: Any) -> None:
    frame = _frame(_events())
    frames = {"base": frame, "bills": _ends(frame, "2026-04-30"), "calls": _ends(frame, "2026-07-20")}
    charter, surveys = surveyed(frames, key="id", access="simulated", fresh_within_days=1)
    assert stale_across(charter, surveys) == []
    for survey in surveys:
        (said,) = stale(charter, survey)
        assert isinstance(said, Skip) and "is a stand-in" in said.reason


def test_a_source_that_stood_still_while_the_others_went_on(surveyed: Any) -> None:
    frame = _frame(_events())
    before = {"base": frame, "calls": _ends(frame, "2026-07-01")}
    (found,) = stale_across(*surveyed({"base": frame, "calls": frame}, earlier=before, key="id"))
    assert (found.source, found.severity) == ("base", "warn")
    assert stale_across(*surveyed(before, earlier=before, key="id")) == []


def test_the_demo_has_arrived_completely(tmp_path: Any) -> None:
    from lab2live.charter import loading as charters
    from lab2live.data.sources import tables
    from lab2live.eda.checks.survey import survey_all

    charter = charters.read(charters.DEMO_CHARTER, folder=tmp_path)
    surveys, _ = survey_all(charter, tables.read_all(charter))
    assert [one for measured in surveys for one in late(charter, measured)] == []
    assert stale_across(charter, surveys) == []


@settings(deadline=None)
@given(st.lists(st.floats(-1e5, 1e6), min_size=1, max_size=300))
def test_any_days_have_a_newest_one(days: list[float]) -> None:
    assert newest(np.array(days)) in np.floor(days)
