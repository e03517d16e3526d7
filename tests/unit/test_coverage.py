"""What is missing altogether: values, bands, combinations and time, and what only looks like it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab2live.eda.checks import combinations, coverage, gaps, survey
from lab2live.eda.checks.expected import band, values_of
from lab2live.eda.checks.findings import Finding, Skip
from lab2live.errors import UserError

ROWS = 4000
REGIONS = ["north", "south", "west", "east"]


def loud(found: list[Finding | Skip]) -> list[Finding]:
    return [one for one in found if isinstance(one, Finding) and one.severity != "info"]


def people(seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    age = (18 + random.gamma(4, 7, ROWS)).clip(18, 90).round()
    return pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "region": random.choice(REGIONS, ROWS, p=[0.4, 0.3, 0.2, 0.1]),
            "contract": random.choice(["monthly", "yearly", "two years"], ROWS, p=[0.5, 0.3, 0.2]),
            "tariff": np.where((age < 27) & (random.random(ROWS) < 0.6), "student", "basic"),
            "age": age,
            "income": random.lognormal(8, 0.5, ROWS).round(2),
            "visits": random.poisson(3, ROWS),
            "since": pd.Timestamp("2024-01-01")
            + pd.to_timedelta((random.beta(2, 1, ROWS) * 700).astype(int), unit="D"),
        }
    )


def test_an_expected_value_that_is_missing_altogether(surveyed: Any) -> None:
    frame = people().query("region != 'east'")
    charter, surveys = surveyed({"crm": frame}, expected={"region": [*map(str.upper, REGIONS)]})
    (found,) = loud(coverage.entity(charter, surveys[0]))
    assert (found.check, found.source, found.column) == ("completeness.category", "crm", "region")
    assert (found.severity, found.value, found.examples) == ("warn", 0.25, ("EAST",))


def test_it_fails_when_the_value_was_a_large_part_before(surveyed: Any) -> None:
    frame = people().query("region != 'east'")
    charter, surveys = surveyed({"crm": frame}, earlier={"crm": people()}, expected={"region": REGIONS})
    (found,) = loud(coverage.entity(charter, surveys[0]))
    assert (found.column, found.severity) == ("region", "fail")


def test_values_nobody_expected_are_a_remark(surveyed: Any) -> None:
    charter, surveys = surveyed({"crm": people()}, expected={"region": REGIONS[:3]})
    (found,) = coverage.entity(charter, surveys[0])
    assert isinstance(found, Finding)
    assert (found.severity, found.value, found.examples) == ("info", 1.0, ("east",))


def test_bands_of_numbers_may_be_expected(surveyed: Any) -> None:
    frame = people().query("age < 30 or age >= 50")
    charter, surveys = surveyed({"crm": frame}, expected={"age": ["18-29", "30-49", "50+"]})
    (found,) = loud(coverage.entity(charter, surveys[0]))
    assert (found.column, found.examples) == ("age", ("30-49",))


@pytest.mark.parametrize("name", ["list.csv", "list.txt", "list.yaml", "list.json", "list.parquet", "bands.csv"])
def test_expected_values_may_stand_in_a_file(tmp_path: Path, charter_of: Any, name: str) -> None:
    (tmp_path / "list.csv").write_text("id,region\n1,north\n2,south\n")
    (tmp_path / "list.txt").write_text("north\nsouth\n")
    (tmp_path / "list.yaml").write_text("[north, south]")
    (tmp_path / "list.json").write_text('{"region": ["north", "south"]}')
    (tmp_path / "bands.csv").write_text("18-29\n30-49\n")
    pd.DataFrame({"region": ["north", "south"]}).to_parquet(tmp_path / "list.parquet")
    expected = ["18-29", "30-49"] if name == "bands.csv" else ["north", "south"]
    assert values_of(charter_of(tmp_path), "region", name) == expected


def test_a_list_that_cannot_be_read_is_said(surveyed: Any, charter_of: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        values_of(charter_of(tmp_path), "region", "nowhere.csv")
    charter, surveys = surveyed({"crm": people()}, expected={"region": "nowhere.csv", "gone": ["a"]})
    found = coverage.entity(charter, surveys[0])
    assert [type(one) for one in found] == [Skip, Skip]


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("18-29", (18, 29)),
        ("-5 to 5", (-5, 5)),
        ("65+", (65, np.inf)),
        ("<18", (-np.inf, 18)),
        (7, (7, 7)),
        ("a", None),
    ],
)
def test_bands_are_read_as_people_write_them(text: Any, limits: Any) -> None:
    assert band(text) == limits


def test_nothing_to_compare_with_is_a_skip_that_names_both(surveyed: Any) -> None:
    charter, surveys = surveyed({"crm": people()})
    (found,) = coverage.entity(charter, surveys[0])
    assert isinstance(found, Skip) and "expected" in found.reason and "snapshot" in found.reason


def test_what_the_earlier_extract_had_and_is_gone(surveyed: Any) -> None:
    gone = people().query("region != 'east' and not (3000 < income < 3600)")
    charter, surveys = surveyed({"crm": gone}, earlier={"crm": people(1)}, key="id")
    found = {one.column: one for one in loud(coverage.entity(charter, surveys[0]))}
    assert set(found) == {"region", "income"}
    assert (found["region"].severity, found["region"].examples) == ("fail", ("east",))
    charter, surveys = surveyed({"crm": people().iloc[:1500]}, earlier={"crm": people(1)}, key="id")
    assert loud(coverage.entity(charter, surveys[0])) == []


@pytest.mark.parametrize(("column", "low", "high"), [("age", 37, 42), ("income", 2700.0, 3000.0)])
def test_a_band_without_values_inside_a_smooth_column(surveyed: Any, column: str, low: float, high: float) -> None:
    frame = people()
    frame = frame[~frame[column].between(low, high)]
    charter, surveys = surveyed({"crm": frame}, key="id")
    (found,) = loud(coverage.entity(charter, surveys[0]))
    assert (found.column, found.severity) == (column, "warn")
    assert f"{low - 1:g} and {high + 1:g}" in found.message or column == "income"


def test_natural_gaps_are_no_holes(surveyed: Any) -> None:
    random = np.random.default_rng(0)
    kind = random.choice(["fee", "rent"], ROWS)
    frame = people().assign(
        kind=kind,
        price=np.where(kind == "fee", random.uniform(10, 20, ROWS), random.uniform(300, 900, ROWS)),
        listed=random.choice(random.uniform(1, 100, 60).round(2), ROWS),
        code=random.choice(random.choice(90_000, 500, replace=False), ROWS),
        maybe=np.where(random.random(ROWS) < 0.5, 0, random.uniform(100, 900, ROWS)),
        term=random.choice([12, 24, 36, 48, 84], ROWS),
        tail=random.pareto(1.1, ROWS),
    )
    charter, surveys = surveyed({"crm": frame}, key="id")
    assert loud(coverage.entity(charter, surveys[0])) == []


def test_a_pair_of_values_that_never_meets(surveyed: Any) -> None:
    frame = people().query("not (region == 'north' and contract == 'yearly')")
    charter, surveys = surveyed({"crm": frame}, key="id")
    (found,) = loud(combinations.combination(charter, surveys[0]))
    assert (found.check, found.source, found.severity) == ("completeness.combination", "crm", "warn")
    assert found.column in ("region", "contract") and found.examples == ("north + yearly",)
    assert found.value == pytest.approx(0.4 * 0.3 * ROWS, rel=0.15)


def test_pairs_that_cannot_be_are_how_things_are(surveyed: Any) -> None:
    random = np.random.default_rng(0)
    frame = people()
    city = frame["region"] + random.choice(["1", "2"], ROWS)
    rule = np.where(frame["tariff"] == "student", "monthly", frame["contract"])
    young = np.where(frame["age"] < 30, "young", np.where(frame["age"] < 50, "middle", "old"))
    charter, surveys = surveyed({"crm": frame.assign(city=city, contract=rule, group=young)}, key="id")
    assert loud(combinations.combination(charter, surveys[0])) == []


def test_pairs_the_earlier_extract_had_are_missed_also_among_dependent_columns(surveyed: Any) -> None:
    before = people().assign(group=lambda table: np.where(table["age"] < 40, "young", "old"))
    after = before.query("not (tariff == 'basic' and group == 'young')")
    charter, surveys = surveyed({"crm": after}, earlier={"crm": before}, key="id")
    found = loud(combinations.combination(charter, surveys[0]))
    assert ("basic + young",) in [one.examples for one in found] and "earlier extract" in found[0].message
    charter, surveys = surveyed({"crm": before}, earlier={"crm": before}, key="id")
    assert loud(combinations.combination(charter, surveys[0])) == []


def test_days_without_rows(surveyed: Any) -> None:
    frame = people()
    lost = frame["since"].between("2025-03-01", "2025-03-20")
    charter, surveys = surveyed({"crm": frame[~lost]}, key="id")
    (found,) = loud(gaps.time_gap(charter, surveys[0]))
    assert (found.check, found.source, found.column, found.severity) == (
        "completeness.time_gap",
        "crm",
        "since",
        "warn",
    )
    assert found.examples == ("2025-03-01 to 2025-03-20",)
    assert found.value == pytest.approx(lost.mean(), rel=0.5)


def test_quiet_weekends_holidays_months_and_sparse_years_are_no_gaps(surveyed: Any) -> None:
    days = pd.date_range("2024-01-01", "2025-12-31", freq="D")
    random = np.random.default_rng(0)
    work = days[(days.dayofweek < 5) & ~((days.month == 12) & (days.day > 23) & (days.day < 27))]
    frame = pd.DataFrame(
        {
            "work": random.choice(work, ROWS),
            "month": random.choice(pd.date_range("2022-01-01", periods=36, freq="MS"), ROWS),
            "born": pd.Timestamp("2000-01-01") - pd.to_timedelta((random.gamma(4, 2500, ROWS)).astype(int), unit="D"),
            "rare": random.choice(random.choice(days, 40), ROWS),
        }
    )
    charter, surveys = surveyed({"crm": frame})
    assert loud(gaps.time_gap(charter, surveys[0])) == []


def test_a_month_that_is_missing(surveyed: Any) -> None:
    months = [f"{2024 + number // 12}-{number % 12 + 1:02d}" for number in range(24)]
    frame = pd.DataFrame({"month": np.random.default_rng(0).choice(months, ROWS)})
    charter, surveys = surveyed({"bills": frame[frame["month"] != "2025-02"]})
    (found,) = loud(gaps.time_gap(charter, surveys[0]))
    assert (found.source, found.column) == ("bills", "month")


def test_one_value_that_pauses_while_the_others_go_on(surveyed: Any) -> None:
    random = np.random.default_rng(0)
    since = pd.Timestamp("2025-01-01") + pd.to_timedelta(random.integers(0, 300, ROWS), unit="D")
    frame = people().assign(since=since)
    lost = (frame["region"] == "north") & frame["since"].between("2025-06-01", "2025-06-25")
    charter, surveys = surveyed({"crm": frame[~lost]}, key="id")
    (found,) = loud(gaps.time_gap(charter, surveys[0]))
    assert found.column == "since" and "region = north" in found.message
    summer = np.where(frame["since"].dt.month.isin([6, 7]), "summer", frame["region"])
    charter, surveys = surveyed({"crm": frame.assign(region=summer)}, key="id")
    assert loud(gaps.time_gap(charter, surveys[0])) == []


def test_large_tables_are_looked_at_in_a_sample_and_asked_where_it_matters(
    surveyed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "SAMPLE_ROWS", 2000)
    frame = people().query("not (region == 'north' and contract == 'yearly')")
    charter, surveys = surveyed({"crm": frame}, key="id", expected={"region": [*REGIONS, "centre"]})
    (pair,) = loud(combinations.combination(charter, surveys[0]))
    assert pair.examples == ("north + yearly",) and "in a sample of" in pair.message
    (value,) = loud(coverage.entity(charter, surveys[0]))
    assert value.examples == ("centre",)


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.floats(), st.sampled_from(["x", "y", None, ""]), st.datetimes().map(lambda when: when.date())),
        max_size=40,
    )
)
def test_no_table_breaks_the_checks(surveyed: Any, rows: list[Any]) -> None:
    frame = pd.DataFrame(rows, columns=["number", "word", "day"]).assign(day=lambda table: table["day"].map(str))
    frame.loc[len(frame)] = [1.0, "x", "2024-01-01"]
    more = {"expected": {"word": ["x", 1, "1-2"], "number": ["0-5", "a"], "day": ["2024-01-01"]}}
    charter, surveys = surveyed({"crm": frame}, earlier={"crm": frame.iloc[::-1]}, **more)
    looks = (coverage.entity, combinations.combination, gaps.time_gap)
    found = [one for look in looks for one in look(charter, surveys[0])]
    assert all(isinstance(one, Finding | Skip) and one.source == "crm" for one in found)
