"""Columns and rows against the charter and the earlier extract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.data.sources import tables
from lab2live.eda.checks import survey
from lab2live.eda.checks.findings import Finding, Skip
from lab2live.eda.checks.history import schema, truncated

ROWS = 600


def _frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": [f"C{number:04d}" for number in random.permutation(ROWS)],
            "since": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.sort(random.integers(0, 700, ROWS)), unit="D"),
            "plan": random.choice(["Basic", "Premium"], ROWS),
            "fee": random.lognormal(3, 1, ROWS).round(2),
        }
    )


def _of(found: list[Finding | Skip]) -> list[tuple[str | None, str]]:
    return [(one.column, one.severity) for one in found if isinstance(one, Finding)]


def test_a_table_as_it_should_be_has_no_findings(surveyed: Any) -> None:
    named = {"key": "id", "critical": ["plan"], "columns": {"fee": {"min": 0}}, "expected": {"plan": ["Basic"]}}
    charter, (survey,) = surveyed({"base": _frame()}, earlier={"base": _frame()}, date_column="since", **named)
    assert schema(charter, survey) == truncated(charter, survey) == []


def test_without_an_earlier_extract_the_comparison_is_skipped(surveyed: Any) -> None:
    charter, (survey,) = surveyed({"base": _frame()})
    for check, name in ((schema, "schema.columns"), (truncated, "completeness.truncated")):
        (skip,) = check(charter, survey)
        assert skip == Skip(name, "base", survey.no_earlier)


def test_columns_that_the_charter_names_have_to_be_there(surveyed: Any) -> None:
    charter, (survey,) = surveyed(
        {"base": _frame().drop(columns=["plan", "fee"]).rename(columns={"id": "ID "})},
        key="id",
        critical=["plan", "total"],
        columns={"fee": {"type": "number"}},
        date_column="day",
        aggregate={"total": "sum(fee)"},
    )
    found = schema(charter, survey)
    assert _of(found) == [("id", "fail"), ("plan", "fail"), ("day", "warn"), ("fee", "warn")]
    assert isinstance(found[0], Finding) and found[0].examples == ("ID",) and "called ID now" in found[0].message


@pytest.mark.parametrize("key", ["id", None])
def test_a_renamed_column_is_told_from_a_lost_and_a_new_one(surveyed: Any, key: str | None) -> None:
    before = _frame().assign(old=1.5)
    now = _frame().rename(columns={"plan": "tariff", "fee": "amount"}).assign(new="x").iloc[5:]
    charter, (survey,) = surveyed({"base": now}, earlier={"base": before}, key=key)
    found = {one.column: one for one in schema(charter, survey) if isinstance(one, Finding)}
    assert {name: one.severity for name, one in found.items()} == {
        "plan": "warn",
        "fee": "warn",
        "old": "warn",
        "tariff": "info",
        "amount": "info",
        "new": "info",
    }
    assert found["plan"].examples == ("tariff",) and found["plan"].message.startswith(
        "plan of base is now called tariff."
    )
    assert found["fee"].examples == ("amount",) and "lost its column old" in found["old"].message


def test_a_single_column_may_be_many(surveyed: Any, charter_of: Any, tmp_path: Path) -> None:
    charter, (measured,) = surveyed({"base": pd.DataFrame({"id;plan": ["1;Basic"] * 50})})
    (found, _) = schema(charter, measured)
    assert (found.column, found.severity) == ("id;plan", "fail") and "';'" in found.message
    charter, (measured,) = surveyed({"base": pd.DataFrame({"x": range(50)})})
    assert _of(schema(charter, measured)) == [("x", "warn")]
    charter, (measured,) = surveyed({"base": pd.DataFrame({"x": range(50)})}, key="x")
    assert _of(schema(charter, measured)) == [("x", "info")]


def test_too_many_columns_are_counted(surveyed: Any) -> None:
    wide = pd.DataFrame(np.zeros((3, 502)), columns=[f"c{number}" for number in range(502)])
    charter, (measured,) = surveyed({"base": wide}, critical=["c501"])
    (found, _) = schema(charter, measured)
    assert (found.column, found.severity, found.value, found.threshold) == (None, "warn", 502, survey.MOST_COLUMNS)


@pytest.mark.parametrize(
    ("header", "severity"),
    [("id,fee,fee", "fail"), ("id,fee,Fee", "warn"), ("id,fee, fee", "warn"), ("id,fee,fees", None)],
)
def test_names_that_stand_there_twice(charter_of: Any, tmp_path: Path, header: str, severity: str | None) -> None:
    (tmp_path / "base.csv").write_text(header + "\n" + "".join(f"{n},{n / 2},{n * 2}\n" for n in range(50)))
    charter = charter_of(tmp_path, sources=[{"name": "base", "uri": "base.csv"}])
    (measured,), _ = survey.survey_all(charter, tables.read_all(charter))
    assert _of(schema(charter, measured)) == ([("fee", severity)] if severity else [])


@pytest.mark.parametrize("order", ["since", "id", None])
def test_rows_beyond_a_point_are_cut_off(surveyed: Any, order: str | None) -> None:
    before = _frame()
    kept = before if order is None else before.sort_values(order)
    now = kept.iloc[: round(0.85 * ROWS)].sort_index()
    charter, (survey,) = surveyed({"base": now}, earlier={"base": before}, key="id")
    (found,) = truncated(charter, survey)
    assert (found.source, found.column, found.severity, found.rows) == ("base", None, "fail", 90)
    assert found.value == pytest.approx(0.15) and set(found.examples) <= set(before["id"]) - set(now["id"])
    assert "beyond one point in the order of id" in found.message or "at the end" in found.message or order == "since"


def test_rows_lost_here_and_there_and_rows_added(surveyed: Any) -> None:
    before = _frame()
    charter, (survey,) = surveyed(
        {"base": before.sample(frac=0.97, random_state=1)}, earlier={"base": before}, key="id"
    )
    (found,) = truncated(charter, survey)
    assert (found.severity, found.rows) == ("info", 18)
    charter, (survey,) = surveyed({"base": before}, earlier={"base": before.iloc[:500]}, key="id")
    assert truncated(charter, survey) == []


def test_fewer_rows_of_the_same_keys(surveyed: Any) -> None:
    before = pd.DataFrame({"id": np.arange(900) % 90, "x": 1.5})
    charter, (survey,) = surveyed({"base": before.iloc[:700]}, earlier={"base": before}, key="id")
    (found,) = truncated(charter, survey)
    assert (found.severity, found.rows) == ("warn", 200)


@pytest.mark.parametrize(("rows", "severity"), [(65_536, "warn"), (65_535, "warn"), (10_000, "info"), (10_001, None)])
def test_row_counts_at_a_limit(surveyed: Any, rows: int, severity: str | None) -> None:
    charter, (survey,) = surveyed({"base": pd.DataFrame({"id": range(rows), "x": 1.5})})
    assert _of(truncated(charter, survey)) == ([(None, severity)] if severity else [])


def test_a_last_row_that_ends_in_the_middle(surveyed: Any) -> None:
    frame = _frame()
    frame.loc[ROWS - 1, ["plan", "fee"]] = [None, np.nan]
    charter, (survey,) = surveyed({"base": frame})
    (found, _) = truncated(charter, survey)
    assert (found.column, found.severity, found.rows, found.examples) == ("plan", "warn", 1, ("plan", "fee"))
    frame.loc[3, "fee"] = np.nan
    charter, (survey,) = surveyed({"base": frame})
    assert _of(truncated(charter, survey)) == []
