"""Outliers: what was planted is found where it is, and healthy columns of any shape are left alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab2live.charter.schema import Charter
from lab2live.data.sources import tables
from lab2live.eda.checks import outliers, shifts, tails, together
from lab2live.eda.checks.findings import Finding
from lab2live.eda.checks.survey import Survey, survey

Surveyed = Callable[..., tuple[Charter, Survey]]
ROWS = 5000
SHAPES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "lognormal": lambda random, rows: random.lognormal(3, 0.8, rows),
    "wide lognormal": lambda random, rows: random.lognormal(3, 1.3, rows),
    "gamma": lambda random, rows: random.gamma(0.7, 30, rows),
    "exponential": lambda random, rows: random.exponential(10, rows),
    "pareto": lambda random, rows: 5 * (1 + random.pareto(2.5, rows)),
    "student": lambda random, rows: random.standard_t(4, rows),
    "laplace": lambda random, rows: random.laplace(0, 1, rows),
    "poisson": lambda random, rows: random.poisson(1.5, rows).astype(float),
    "negative binomial": lambda random, rows: random.negative_binomial(1, 0.05, rows).astype(float),
    "zero-inflated": lambda random, rows: np.where(random.random(rows) < 0.7, 0, random.lognormal(4, 0.8, rows)),
    "prices": lambda random, rows: random.choice(
        [5, 10, 20, 50, 100, 500, 1000], rows, p=[0.5, 0.3, 0.1, 0.05, 0.03, 0.015, 0.005]
    ).astype(float),
    "normal": lambda random, rows: random.normal(100, 15, rows).round(1),
}


@pytest.fixture
def surveyed(charter_of: Any, tmp_path: Path) -> Surveyed:
    """Write a table as Parquet, open it as a source and measure it."""

    def _surveyed(frame: pd.DataFrame, **more: Any) -> tuple[Charter, Survey]:
        frame.to_parquet(tmp_path / "s.parquet", index=False)
        charter = charter_of(tmp_path, sources=[{"name": "s", "uri": "s.parquet", "key": "id", **more}])
        return charter, survey(charter, tables.read_all(charter)[0])

    return _surveyed


def described(found: Any) -> list[tuple[Any, ...]]:
    return [(f.check, f.source, f.column, f.severity, f.rows) for f in found if isinstance(f, Finding)]


def test_columns_of_any_healthy_shape_have_no_outliers(surveyed: Surveyed) -> None:
    for rows in (300, ROWS, 20_000):
        random = np.random.default_rng(rows)
        table = pd.DataFrame({name: draw(random, rows) for name, draw in SHAPES.items()})
        assert outliers.univariate(*surveyed(table)) == []


@pytest.mark.parametrize("shape", ["lognormal", "gamma", "exponential", "pareto", "normal", "poisson", "laplace"])
def test_values_fifty_times_too_large_are_found(surveyed: Surveyed, shape: str) -> None:
    random = np.random.default_rng(1)
    values = SHAPES[shape](random, ROWS)
    touched = random.choice(ROWS, ROWS // 100, replace=False)
    values[touched] *= 50
    (found, *more) = outliers.univariate(*surveyed(pd.DataFrame({"id": range(ROWS), "x": values})))
    assert isinstance(found, Finding)
    assert (found.check, found.source, found.column, found.severity) == ("outlier.univariate", "s", "x", "warn")
    rows = sum(one.rows or 0 for one in (found, *more) if isinstance(one, Finding))
    assert 0.4 * len(touched) < rows < 1.5 * len(touched)
    assert float(found.examples[0]) == pytest.approx(values.max()) and len(found.examples) == 3
    assert len(more) == (1 if shape == "laplace" else 0)


@pytest.mark.parametrize("zeros", [0.15, 0.28, 0.5])
def test_zeros_beside_a_wide_tail_hide_no_outliers(surveyed: Surveyed, zeros: float) -> None:
    random = np.random.default_rng(4)
    values = np.where(random.random(6000) < zeros, 0.0, random.lognormal(8, 1.0, 6000).round(2))
    assert outliers.univariate(*surveyed(pd.DataFrame({"id": range(6000), "debt": values}))) == []
    values[random.choice(np.flatnonzero(values), 120, replace=False)] *= 50
    found = described(outliers.univariate(*surveyed(pd.DataFrame({"id": range(6000), "debt": values}))))
    assert [one[:4] for one in found] == [("outlier.univariate", "s", "debt", "warn")]


COUNTS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "poisson": lambda random, rows: random.poisson(3, rows),
    "negative binomial": lambda random, rows: random.poisson(random.gamma(2, 1.5, rows)),
    "zero-inflated": lambda random, rows: random.poisson(3, rows) * (random.random(rows) < 0.4),
    "geometric": lambda random, rows: random.geometric(0.45, rows) - 1,
    "binomial": lambda random, rows: random.binomial(12, 0.2, rows),
}
# Counts whose tails are heavy, and lists that are no counts at all.
MORE_COUNTS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "overdispersed": lambda random, rows: random.negative_binomial(0.3, 0.15, rows),
    "power law": lambda random, rows: random.zipf(2.5, rows),
    "poisson of a lognormal": lambda random, rows: random.poisson(random.lognormal(-0.5, 1.1, rows)),
    "terms": lambda random, rows: random.choice([1, 2, 3, 6, 24], rows, p=[0.4, 0.3, 0.2, 0.09, 0.01]),
    "topped up": lambda random, rows: np.where(random.random(rows) < 0.01, 30, random.integers(0, 10, rows)),
}


@pytest.mark.parametrize("shape", COUNTS)
@pytest.mark.parametrize("share", [0.05, 0.02, 0.005])
def test_counts_of_fifty_among_counts_up_to_fourteen_are_found(surveyed: Surveyed, shape: str, share: float) -> None:
    random = np.random.default_rng(8)
    values = np.minimum(COUNTS[shape](random, ROWS), 14)
    values[random.choice(ROWS, int(share * ROWS), replace=False)] = 50
    (found,) = outliers.univariate(*surveyed(pd.DataFrame({"id": range(ROWS), "calls": values})))
    assert isinstance(found, Finding) and (found.column, found.severity) == ("calls", "warn")
    assert found.rows == int(share * ROWS) and found.examples[0] == "50"


@pytest.mark.parametrize("rows", [300, 1000, ROWS])
def test_healthy_counts_have_no_outliers(surveyed: Surveyed, rows: int) -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        shapes = {**COUNTS, **MORE_COUNTS}
        table = pd.DataFrame({name: draw(random, rows) for name, draw in shapes.items()})
        assert outliers.univariate(*surveyed(table)) == []


def test_outliers_below_are_found_and_sentinels_are_not_reported_again(surveyed: Surveyed) -> None:
    random = np.random.default_rng(2)
    table = pd.DataFrame({"id": range(ROWS), "low": random.normal(100, 10, ROWS), "gone": random.normal(100, 10, ROWS)})
    table.loc[:19, "low"] = -np.linspace(2000, 4000, 20)
    table.loc[:99, "gone"] = -99999
    assert described(outliers.univariate(*surveyed(table))) == [("outlier.univariate", "s", "low", "warn", 20)]


def test_large_values_of_one_kind_of_case_are_a_remark(surveyed: Surveyed) -> None:
    random = np.random.default_rng(3)
    kind = random.choice(["private", "company"], ROWS, p=[0.98, 0.02])
    table = pd.DataFrame({"id": range(ROWS), "kind": kind, "x": random.lognormal(3, 0.3, ROWS)})
    table.loc[kind == "company", "x"] *= 60
    (found,) = outliers.univariate(*surveyed(table))
    assert isinstance(found, Finding) and found.severity == "info" and "kind tells them apart" in found.message


def related(random: np.random.Generator, rows: int = ROWS) -> pd.DataFrame:
    usage = random.lognormal(0, 0.6, rows)
    plan = random.choice(["basic", "plus"], rows, p=[0.7, 0.3])
    return pd.DataFrame(
        {
            "id": [f"C{number:06d}" for number in range(rows)],
            "plan": plan,
            "usage": usage.round(3),
            "bill": (usage * np.where(plan == "plus", 25, 15) * random.normal(1, 0.08, rows)).round(2),
            "age": random.integers(18, 90, rows),
        }
    )


@pytest.mark.parametrize("share", [0.10, 0.03])
def test_values_swapped_between_rows_do_not_go_together(surveyed: Surveyed, share: float) -> None:
    random = np.random.default_rng(4)
    table = related(random)
    rows = random.choice(ROWS, int(share * ROWS), replace=False)
    table.loc[rows, "bill"] = table.loc[random.permutation(rows), "bill"].to_numpy()
    found = [f for f in together.multivariate(*surveyed(table)) if isinstance(f, Finding)]
    assert {f.column for f in found} <= {"bill", "usage"} and found[0].severity == "warn"
    assert found[0].check == "outlier.multivariate" and found[0].source == "s"
    assert found[0].rows is not None and 0.3 * len(rows) < found[0].rows < 1.1 * len(rows)
    assert set(found[0].examples) <= set(table.loc[rows, "id"])


@pytest.mark.parametrize("seed", range(3))
def test_healthy_relations_are_no_finding(surveyed: Surveyed, seed: int) -> None:
    random = np.random.default_rng(seed)
    table = related(random)
    table["vat"] = (table["bill"] * 0.19).round(2)
    table["stretched"] = table["usage"] ** 2 * random.lognormal(0, 0.05 + 0.2 * (table["age"] > 60), ROWS)
    table["spend"] = np.where(random.random(ROWS) < 0.9, 0, random.lognormal(3, 1, ROWS))
    table["unrelated"] = random.standard_t(3, ROWS)
    table.loc[random.random(ROWS) < 0.03, "usage"] = np.nan
    assert together.multivariate(*surveyed(table)) == []


def in_time(random: np.random.Generator, rows: int = ROWS, days: int = 700) -> pd.DataFrame:
    day = np.sort(days * random.random(rows) ** 0.7).astype(int)
    date = pd.Timestamp("2023-01-01") + pd.to_timedelta(day, unit="D")
    season = 1 + 0.3 * np.sin(2 * np.pi * day / 365.25) + 0.4 * np.isin(date.dayofweek, [5, 6])
    christmas = 1 + 0.6 * ((date.dayofyear > 325) & (date.dayofyear < 359))
    return pd.DataFrame(
        {
            "id": range(rows),
            "date": date,
            "amount": random.lognormal(3, 0.6, rows) * season * christmas,
            "price": (10 + day / 70) * random.normal(1, 0.1, rows),
            "tenure": ((days - day) / 30.44).astype(int),
            "count": random.poisson(2, rows),
            "zeros": np.where(random.random(rows) < 0.6, 0, random.gamma(2, 10, rows)),
            "holes": np.where(random.random(rows) < 0.2, np.nan, random.normal(0, 1, rows)),
        }
    )


@pytest.mark.parametrize("days", [60, 300, 700])
def test_trends_seasons_and_growth_are_no_jumps(surveyed: Surveyed, days: int) -> None:
    assert shifts.level_shift(*surveyed(in_time(np.random.default_rng(days), days=days))) == []


@pytest.mark.parametrize("days", [60, 300, 700])
@pytest.mark.parametrize("column", ["amount", "price", "count", "zeros"])
def test_a_jump_is_found_with_its_day(surveyed: Surveyed, column: str, days: int) -> None:
    table = in_time(np.random.default_rng(5), days=days)
    moment = table["date"].iloc[int(0.6 * ROWS)]
    later = table["date"] >= moment
    table[column] = table[column] * np.where(later, 2.5 if column == "count" else 1.8, 1)
    charter, measured = surveyed(table, date_column="date")
    (found,) = [f for f in shifts.level_shift(charter, measured) if isinstance(f, Finding)]
    assert (found.check, found.source, found.column, found.severity) == ("drift.change_point", "s", column, "warn")
    assert abs(pd.Timestamp(found.examples[0]) - moment) <= pd.Timedelta(days=days / 40)
    assert "before" in found.message and "after" in found.message


def test_a_column_that_is_empty_from_a_day_on_has_a_jump(surveyed: Surveyed) -> None:
    table = in_time(np.random.default_rng(6))
    lost = (table.index > 3000) & (np.random.default_rng(0).random(ROWS) < 0.5)
    table.loc[lost, "price"] = np.nan
    (found,) = [f for f in shifts.level_shift(*surveyed(table)) if isinstance(f, Finding)]
    assert found.column == "price" and "empty in 0.0% of the rows before, empty in" in found.message


def test_constant_and_nearly_constant_columns_are_found_and_rare_flags_are_not(surveyed: Surveyed) -> None:
    random = np.random.default_rng(7)
    table = pd.DataFrame({"id": range(ROWS), "same": "EUR", "one": 1.5, "flag": (random.random(ROWS) < 0.007)})
    table["rare"] = np.where(random.random(ROWS) < 0.006, "yes", "no")
    table["empty"] = pd.Series([None] * ROWS, dtype=object)
    table["blank"] = "  "
    table["mark"] = np.where(random.random(ROWS) < 0.5, "x", None)
    table["stuck"] = np.where(np.arange(ROWS) < 10, random.normal(size=ROWS), 3.25)
    table["level"] = np.where(np.arange(ROWS) < 10, random.choice(["a", "b", "c"], ROWS), "d")
    table["fine"] = random.normal(size=ROWS)
    found = described(outliers.constant(*surveyed(table)))
    assert {(column, severity) for _, _, column, severity, _ in found} == {
        *((name, "warn") for name in ("same", "one", "empty", "blank", "stuck", "level")),
        ("mark", "info"),
    }
    assert {check for check, *_ in found} == {"validity.constant"}


def test_a_few_rows_are_constant_by_chance(surveyed: Surveyed) -> None:
    assert outliers.constant(*surveyed(pd.DataFrame({"id": [1, 2], "x": 1}))) == []


@pytest.mark.parametrize("rows", [ROWS, 120_000])
def test_values_outside_the_declared_limits_are_counted_over_all_rows(surveyed: Surveyed, rows: int) -> None:
    table = pd.DataFrame({"id": range(rows), "a": 5.0, "b": 5.0, "c": 5.0, "free": -1.0})
    table.loc[::500, "a"], table.loc[::50, "b"] = -1.0, 200.0
    limits = {"a": {"min": 0, "max": 10}, "b": {"max": 100}, "c": {"min": 0}, "gone": {"min": 0}}
    charter, measured = surveyed(table, columns=limits)
    assert measured.complete == (rows == ROWS)
    found = outliers.impossible(charter, measured)
    assert described(found) == [
        ("validity.range", "s", "a", "warn", rows // 500),
        ("validity.range", "s", "b", "fail", rows // 50),
    ]
    assert [f.examples for f in found if isinstance(f, Finding)] == [("-1",) * 3, ("200",) * 3]


def test_what_cannot_be_anywhere_needs_no_declaration(surveyed: Surveyed) -> None:
    random = np.random.default_rng(8)
    today = pd.Timestamp(dt.date.today())
    past = today - pd.to_timedelta(random.integers(1, 900, ROWS), unit="D")
    table = pd.DataFrame({"id": range(ROWS), "age": random.integers(18, 90, ROWS), "Alter": -random.random(ROWS)})
    table["ratio"] = random.normal(size=ROWS)
    table["opened"] = past
    table["ends"] = past + pd.to_timedelta(random.integers(300, 3000, ROWS), unit="D")
    assert outliers.impossible(*surveyed(table)) == []
    table.loc[:3, "age"], table.loc[:4, "ratio"] = -3, np.inf
    table.loc[:5, "opened"] = today + pd.Timedelta(days=4000)
    assert described(outliers.impossible(*surveyed(table))) == [
        ("validity.range", "s", "age", "warn", 4),
        ("validity.range", "s", "ratio", "warn", 5),
        ("validity.range", "s", "opened", "warn", 6),
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(), min_size=1, max_size=300), st.booleans())
def test_no_numbers_break_the_tails(numbers: list[float], ratios: bool) -> None:
    finite = np.sort(np.array([number for number in numbers if np.isfinite(number)]))
    with np.errstate(all="ignore"):
        distance, chance = tails.beyond(tails.spread(finite), ratios)
        scores = tails.normal_scores(np.array(numbers))
    assert distance > 0 and 0 <= chance <= 1 and len(scores) == len(numbers)


columns = st.one_of(
    st.just([0.0]),
    st.lists(st.floats(), min_size=1, max_size=9),
    st.lists(st.sampled_from([0.0, 1.0, 1e308, -1e308, np.inf]), min_size=1, max_size=9),
)


@settings(max_examples=25, deadline=None)
@given(columns, columns, st.sampled_from([1, 30, 400]))
def test_no_table_breaks_a_check(charter_of: Any, tmp_path_factory: Any, first: Any, second: Any, rows: int) -> None:
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows) % 200, unit="D")
    table = pd.DataFrame({"a": np.resize(first, rows), "b": np.resize(second, rows), "Age": np.resize(first, rows)})
    table = table.assign(d=when, t=np.resize(np.array(["x", None, " "], dtype=object), rows))
    folder = tmp_path_factory.mktemp("odd")
    table.to_parquet(folder / "s.parquet")
    charter = charter_of(folder, sources=[{"name": "s", "uri": "s.parquet", "columns": {"b": {"min": 0}}}])
    measured = survey(charter, tables.read_all(charter)[0])
    checks = (outliers.univariate, outliers.constant, outliers.impossible, shifts.level_shift, together.multivariate)
    for check in checks:
        assert isinstance(check(charter, measured), list)


def test_strange_rows_are_told_from_heavy_tails() -> None:
    random = np.random.default_rng(9)
    predicted = random.normal(size=4000)
    heavy = 0.95 * predicted + 0.3 * random.standard_t(3, 4000) / np.sqrt(3)
    assert together._strangers(heavy / heavy.std(), 0.95 * predicted)[0] < together.CLEAR
    mixed = 0.95 * predicted + 0.3 * random.normal(size=4000)
    mixed[:200] = random.normal(size=200)
    gain, rows = together._strangers(mixed, 0.95 * predicted)
    assert gain > together.CLEAR and rows[:200].mean() > 0.2 and rows[200:].mean() < 0.01


def test_values_that_the_charter_does_not_declare_are_impossible(surveyed: Surveyed) -> None:
    random = np.random.default_rng(9)
    table = pd.DataFrame(
        {"id": range(ROWS), "plan": random.choice(["A", "B"], ROWS), "grade": random.integers(1, 4, ROWS)}
    )
    declared = {"columns": {"plan": {"values": ["a", "B", "C"]}, "grade": {"values": {1: 0.5, 2: 0.2, "3": 0.3}}}}
    assert outliers.impossible(*surveyed(table, **declared)) == []
    table.loc[:39, "plan"] = "Platinum"
    table.loc[:199, "grade"] = 9
    plan, grade = (one for one in outliers.impossible(*surveyed(table, **declared)) if isinstance(one, Finding))
    assert (plan.column, plan.rows, plan.severity, plan.examples) == ("plan", 40, "warn", ("Platinum",))
    assert (grade.column, grade.rows, grade.severity, grade.examples) == ("grade", 200, "fail", ("9",))
    assert "40 values of plan in s (0.80%) are not among those that the charter declares." in plan.message
    # what other checks find is theirs: words for nothing, other spellings, broken characters
    table["plan"] = random.choice(["A", "AA", "B", "n/a", "", " b"], ROWS)
    assert [one.column for one in outliers.impossible(*surveyed(table, **declared))] == ["grade"]
    # a list of what is expected is no list of all there is; together they are
    both = {**declared, "expected": {"plan": ["Platinum"], "grade": [9]}}
    table.loc[:39, "plan"] = "Platinum"
    assert outliers.impossible(*surveyed(table, **both)) == []
