"""Missing values, open and in disguise: what was planted is found where it is, healthy columns are left alone."""

from __future__ import annotations

import sqlite3
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
from lab2live.eda.checks import missing, spikes
from lab2live.eda.checks.findings import Finding, Limits
from lab2live.eda.checks.survey import Survey, survey

Surveyed = Callable[..., tuple[Charter, Survey]]
ROWS = 3000


@pytest.fixture
def surveyed(charter_of: Any, tmp_path: Path) -> Surveyed:
    """Write a table, open it as a source and measure it."""

    def _surveyed(frame: pd.DataFrame, kind: str = "parquet", **more: Any) -> tuple[Charter, Survey]:
        blocks = {name: more.pop(name) for name in ("prediction", "gates") if name in more}
        path = tmp_path / f"s.{kind}"
        if kind == "csv":
            frame.to_csv(path, index=False)
        elif kind == "sqlite":
            with sqlite3.connect(path) as connection:
                frame.to_sql("t", connection, index=False)
            connection.close()
        else:
            frame.to_parquet(path, index=False)
        charter = charter_of(tmp_path, sources=[{"name": "s", "uri": path.name, "key": "id", **more}], **blocks)
        return charter, survey(charter, tables.read_all(charter)[0])

    return _surveyed


def healthy(seed: int = 0, rows: int = ROWS) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"C{number:05d}" for number in random.permutation(rows)],
            "age": random.normal(45, 16, rows).clip(18, 92).round(),
            "income": random.lognormal(10, 0.3, rows).round(2),
            "calls": random.poisson(1.2, rows),
            "fee": np.where(random.random(rows) < 0.8, 0, random.gamma(2, 5, rows)).round(2),
            "change": random.normal(0, 3, rows).round(),
            "price": random.choice([9.99, 49, 99, 199, 999], rows, p=[0.5, 0.3, 0.15, 0.04, 0.01]),
            "limit": np.minimum(random.lognormal(8, 0.8, rows).round(), 9999),
            "add_on": random.choice(["none", "tv", "roaming"], rows, p=[0.5, 0.4, 0.1]),
            "since": (pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 1500, rows), unit="D")).strftime(
                "%Y-%m-%d"
            ),
            "born": pd.Timestamp("1960-01-01") + pd.to_timedelta(random.integers(-9000, 14_000, rows), unit="D"),
        }
    )


def test_missing_critical_attributes_are_counted_exactly_with_examples(surveyed: Surveyed) -> None:
    base = pd.DataFrame({"id": range(200), "a": 1.0, "b": "x", "c": 1.0, "unasked": np.nan})
    base.loc[[150, 7, 30, 8], "a"] = np.nan
    base.loc[5, "b"], base.loc[3, "b"] = None, "  "
    charter, measured = surveyed(base, critical=["c", "b", "a", "gone"])
    found = missing.critical(charter, measured)
    assert [(f.column, f.value, f.rows, f.severity, f.examples) for f in found if isinstance(f, Finding)] == [
        ("gone", 1.0, 200, "fail", ()),
        ("a", 0.02, 4, "warn", ("7", "8", "30")),
        ("b", 0.01, 2, "info", ("3", "5")),
        ("c", 0.0, 0, "info", ()),
    ]
    assert "2.0% of a is missing in s (4 of 200 rows)." in found[1].message
    assert "s has no gone." in found[0].message


def test_the_limits_of_a_gate_are_the_charters_own_first(charter_of: Any) -> None:
    assert missing.limits(charter_of(), "eda.missing_critical") == Limits(0.01, 0.20)
    own = charter_of(gates={"eda.missing_critical": {"fail": 0.5}})
    assert missing.limits(own, "eda.missing_critical") == Limits(0.01, 0.5)
    assert missing.limits(own, "eda.access").severity(9) == "warn"


FIRST = {"age": -999, "income": -1, "calls": 99, "fee": -99, "since": "1900-01-01", "id": "-1"}
SECOND = {"age": 999, "income": 0, "calls": -1, "since": "9999-12-31", "id": "C99999"}
THIRD = {"age": -1, "income": 9999999, "calls": 999, "since": "1970-01-01", "id": "000000"}


@pytest.mark.parametrize("kind", ["parquet", "csv", "sqlite"])
@pytest.mark.parametrize("planted", [FIRST, SECOND, THIRD])
def test_a_sentinel_is_named_with_its_rows(surveyed: Surveyed, kind: str, planted: dict[str, Any]) -> None:
    table = healthy().drop(columns="born")
    for start, (column, value) in enumerate(planted.items()):
        table.loc[table.index[start::67], column] = value
    found = [f for f in missing.sentinels(*surveyed(table, kind)) if isinstance(f, Finding)]
    assert {f.column: f.message.split(" ")[0] for f in found} == {name: str(value) for name, value in planted.items()}
    assert {(f.check, f.source, f.severity) for f in found} == {("missing.sentinel", "s", "warn")}
    assert all(f.rows == pytest.approx(45, abs=1) and len(f.examples) in (1, 3) for f in found)


@pytest.mark.parametrize("value", ["1900-01-01", "1970-01-01", "2199-12-31"])
def test_a_birthday_that_everybody_has_is_a_sentinel(surveyed: Surveyed, value: str) -> None:
    table = healthy()
    table.loc[table.index[::50], "born"] = pd.Timestamp(value)
    found = missing.sentinels(*surveyed(table))
    assert [(f.column, f.rows) for f in found if isinstance(f, Finding)] == [("born", 60)]


def test_a_day_zero_is_a_sentinel_although_it_is_no_day(surveyed: Surveyed) -> None:
    table = healthy()
    table.loc[:29, "since"] = "0000-00-00"
    (found,) = missing.sentinels(*surveyed(table, "sqlite"))
    assert isinstance(found, Finding) and (found.column, found.rows) == ("since", 30)


@pytest.mark.parametrize("seed", range(5))
def test_healthy_columns_have_no_sentinels_and_no_tokens(surveyed: Surveyed, seed: int) -> None:
    charter, measured = surveyed(healthy(seed))
    assert missing.sentinels(charter, measured) == []
    assert [f for f in missing.tokens(charter, measured) if isinstance(f, Finding) and f.severity != "info"] == []


def test_caps_natural_zeros_and_levels_are_no_sentinels() -> None:
    random = np.random.default_rng(0)
    for values in (
        random.exponential(60, 5000).round().clip(max=99),
        random.gamma(1, 300, 5000).clip(max=999),
        np.where(random.random(5000) < 0.03, 0, random.exponential(3, 5000)),
        random.choice([-1, 0, 1], 5000),
        random.choice([0, 1], 5000, p=[0.99, 0.01]),
        random.choice([49, 99, 199, 299, 999, 50, 60, 70, 80], 5000),
        np.array([]),
        np.array([np.nan, np.inf]),
    ):
        assert spikes.sentinels_of_numbers(np.asarray(values, dtype=float)) == {}


def test_two_sentinels_in_one_column_are_both_found() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(50, 10, 2000), [-999] * 30, [9999] * 20])
    assert spikes.sentinels_of_numbers(values) == {-999.0: 30, 9999.0: 20}


TOKENS = ("N/A", "null", "?", "k.A.", " keine Angabe", "unknown", "  ", "None", "-", "#N/A", "NaN", "missing")


@pytest.mark.parametrize("kind", ["parquet", "csv", "sqlite"])
def test_a_token_is_counted_in_a_column_of_words(surveyed: Surveyed, kind: str) -> None:
    words = healthy()["add_on"].replace("none", "internet")
    table = pd.DataFrame({"id": range(ROWS), **{f"c{number}": words for number in range(len(TOKENS))}})
    for number, token in enumerate(TOKENS):
        table.loc[table.index[::67], f"c{number}"] = token
    found = [f for f in missing.tokens(*surveyed(table, kind)) if isinstance(f, Finding)]
    assert [f.column for f in found] == [f"c{number}" for number in range(len(TOKENS))]
    assert {(f.check, f.source, f.severity, f.rows) for f in found} == {("missing.placeholder", "s", "warn", 45)}
    assert [f.examples for f in found if f.column != "c6"] == [(repr(token),) for token in TOKENS if token.strip()]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_token_among_numbers_and_dates_is_found_as_written(surveyed: Surveyed, kind: str) -> None:
    table = healthy().astype({"age": object, "since": object}).drop(columns="born")
    table.loc[table.index[::200], ["age", "since"]] = "N/A"
    table["age"] = table["age"].astype(str)
    found = missing.tokens(*surveyed(table, kind))
    assert {(f.column, f.rows, f.severity) for f in found if isinstance(f, Finding) and f.column != "add_on"} == {
        ("age", 15, "warn"),
        ("since", 15, "warn"),
    }


def test_empty_cells_of_a_csv_are_honest(surveyed: Surveyed) -> None:
    table = healthy().drop(columns="add_on")
    table.loc[::3, ["age", "since"]] = None
    assert missing.tokens(*surveyed(table, "csv")) == []


def test_a_frequent_word_a_declared_value_and_a_class_are_categories(surveyed: Surveyed) -> None:
    random = np.random.default_rng(0)
    words = random.choice(["unknown", "yes", "no"], ROWS, p=[0.03, 0.5, 0.47])
    table = pd.DataFrame({"id": range(ROWS), "declared": words, "y": words, "often": "none", "sure": words})
    table.loc[::2, "often"] = "tv"
    charter, measured = surveyed(table, expected={"declared": ["unknown", "yes", "no"]})
    found = {f.column: f.severity for f in missing.tokens(charter, measured) if isinstance(f, Finding)}
    assert found == {"declared": "info", "y": "info", "often": "info", "sure": "warn"}


def test_a_critical_column_full_of_words_fails(surveyed: Surveyed) -> None:
    table = healthy()
    table.loc[:999, "add_on"] = "n/a"
    (found,) = [f for f in missing.tokens(*surveyed(table, critical=["add_on"])) if isinstance(f, Finding)]
    assert (found.severity, found.rows) == ("fail", 1000)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_in_a_large_table_tokens_are_counted_over_all_rows(surveyed: Surveyed, kind: str) -> None:
    table = pd.DataFrame({"id": range(120_000), "word": "a", "number": "1.5"})
    table.loc[::100, "word"], table.loc[::400, "number"] = "N/A", "--"
    charter, measured = surveyed(table, kind)
    assert not measured.complete
    found = missing.tokens(charter, measured)
    assert {f.column: f.rows for f in found if isinstance(f, Finding)} == {"word": 1200, "number": 300}


anything = st.one_of(
    st.none(),
    st.text(max_size=6),
    st.sampled_from(["-999", "N/A", "0000-00-00", "1900-01-01", "1e400", "inf", "", " "]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(anything, min_size=1, max_size=40), st.lists(st.floats(), min_size=1, max_size=40))
def test_no_values_break_the_checks(texts: list[str | None], numbers: list[float]) -> None:
    assert isinstance(spikes.sentinels_of_numbers(np.array(numbers)), dict)
    assert isinstance(spikes.sentinels_of_days(np.array(numbers)), dict)
    assert isinstance(spikes.sentinels_of_keys(pd.Series(texts, dtype=object)), dict)
    assert isinstance(missing._tokens_in(pd.Series(texts, dtype=object), True), dict)
