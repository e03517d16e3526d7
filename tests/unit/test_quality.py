"""Data quality: what was planted is found, with the exact numbers, and nothing else."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.eda import quality, sources
from lab2live.eda.quality import Limits

LIMITS = Limits(0.01, 0.2)
Silos = tuple[Any, list[sources.Reading]]


@pytest.fixture
def silos(charter_of: Any, tmp_path: Path) -> Any:
    """Write a base (Parquet) and a second silo (SQLite) and open them."""

    def _silos(base: pd.DataFrame, other: pd.DataFrame | None = None, on: Any = "id", **blocks: Any) -> Silos:
        base.to_parquet(tmp_path / "base.parquet")
        found: list[dict[str, Any]] = [
            {"name": "base", "uri": "base.parquet", "key": "id", **blocks.pop("base_more", {})}
        ]
        if other is not None:
            with sqlite3.connect(tmp_path / "other.sqlite") as connection:
                other.to_sql("t", connection, index=False)
            connection.close()
            found.append({"name": "other", "uri": "other.sqlite", **blocks.pop("other_more", {})})
            blocks["join"] = {"base": "base", "on": on}
        charter = charter_of(tmp_path, sources=found, **blocks)
        return charter, sources.read_all(charter)

    return _silos


def test_missing_critical_attributes_are_counted_exactly_with_examples(silos: Any) -> None:
    base = pd.DataFrame({"id": range(200), "a": 1.0, "b": "x", "c": 1.0, "unasked": np.nan})
    base.loc[[150, 7, 30, 8], "a"] = np.nan
    base.loc[5, "b"] = None
    _, readings = silos(base, base_more={"critical": ["a", "b", "c", "gone"]})
    found = quality.missing_critical(readings, LIMITS)
    assert [(f.column, f.value, f.rows, f.severity, f.examples) for f in found] == [
        ("gone", 1.0, 200, "fail", ()),
        ("a", 0.02, 4, "warn", ("7", "8", "30")),
        ("b", 0.005, 1, "info", ("5",)),
        ("c", 0.0, 0, "info", ()),
    ]
    assert found[1].message == "2.0% of a is missing in base (4 of 200 rows)."
    assert found[0].message == "base has no gone."
    assert {f.check for f in found} == {"missing.critical"}


def test_orphans_are_counted_in_distinct_keys_both_ways(silos: Any) -> None:
    base = pd.DataFrame({"id": [1, 2, 3, 4, None]})
    other = pd.DataFrame({"id": ["1", "1", "2", "8", "9", "9", None], "z": 1})
    charter, readings = silos(base, other)
    (finding,) = quality.orphan_keys(charter, readings, LIMITS)
    assert (finding.source, finding.column, finding.value, finding.rows) == ("other", "id", 0.5, 2)
    assert (finding.severity, finding.examples) == ("fail", ("8", "9"))
    assert "50.0% of the keys in other (2 of 4) are unknown to base; 50.0% of the keys in base" in finding.message


@pytest.mark.parametrize("kinds", [(int, float), (float, str), (int, str)])
def test_keys_that_say_the_same_are_no_orphans_however_they_are_stored(silos: Any, kinds: Any) -> None:
    numbers = pd.Series([1, 2, 3])
    first, second = (numbers.astype(kind) for kind in kinds)
    second = second.str.replace(".0", "") if kinds[1] is str else second
    charter, readings = silos(pd.DataFrame({"id": first}), pd.DataFrame({"id": second}))
    (finding,) = quality.orphan_keys(charter, readings, LIMITS)
    assert (finding.value, finding.severity, finding.examples) == (0.0, "info", ())


def test_orphans_of_several_keys_are_combinations(silos: Any) -> None:
    base = pd.DataFrame({"id": [1, 2], "month": ["a", "b"]})
    other = pd.DataFrame({"month": ["a", "b", "b"], "id": [1, 1, 2], "z": 1})
    charter, readings = silos(base, other, on=["id", "month"])
    (finding,) = quality.orphan_keys(charter, readings, LIMITS)
    assert (finding.rows, finding.value, finding.examples) == (1, pytest.approx(1 / 3), ("1 / b",))


def test_a_source_without_the_key_breaks_no_check(silos: Any) -> None:
    charter, readings = silos(pd.DataFrame({"id": [1, 2]}), pd.DataFrame({"nr": [1, 2]}))
    assert quality.orphan_keys(charter, readings, LIMITS) == []
    assert quality.duplicate_keys(charter, readings, LIMITS) == []


def test_duplicate_keys_are_counted_in_rows_too_many_and_missing_keys_are_no_copies(silos: Any) -> None:
    other = pd.DataFrame({"id": [1, 1, 1, 2, 2, 3, None, None], "times": 1})
    charter, readings = silos(pd.DataFrame({"id": [1, 2, 3]}), other)
    (finding,) = quality.duplicate_keys(charter, readings, Limits(0, 2))
    assert (finding.source, finding.value, finding.rows, finding.severity) == ("other", 3.0, 3, "fail")
    assert finding.examples == ("1", "2")
    assert finding.message.startswith("2 keys of other stand for more than one row (3 rows too many after the join)")


def test_aggregated_sources_have_no_duplicates(silos: Any) -> None:
    other = pd.DataFrame({"id": [1, 1, 2], "z": 1})
    charter, readings = silos(
        pd.DataFrame({"id": [1, 2]}), other, other_more={"key": "id", "aggregate": {"n": "count(*)"}}
    )
    assert quality.duplicate_keys(charter, readings, LIMITS) == []
    assert quality.key_copies(charter, []) == (0, "Every key stands for one row.")


def test_one_source_is_checked_by_its_id(silos: Any, charter_of: Any) -> None:
    charter, readings = silos(pd.DataFrame({"id": [1, 1, 2]}), prediction={"id_column": "id"})
    copies = quality.duplicate_keys(charter, readings, Limits(0, 0))
    assert quality.key_copies(charter, copies)[0] == 1
    value, why = quality.key_copies(charter_of(), [])
    assert value is None and "prediction.id_column" in why


def test_nothing_to_check_is_no_pass(silos: Any) -> None:
    charter, readings = silos(pd.DataFrame({"id": [1]}))
    assert quality.missing_critical(readings, LIMITS) == quality.orphan_keys(charter, readings, LIMITS) == []
    assert quality.worst([], "nothing there") == (None, "nothing there")
    assert quality.table([]).empty


def test_an_unreadable_source_has_no_findings(charter_of: Any, tmp_path: Path) -> None:
    entries = [{"name": name, "uri": f"{name}.csv", "critical": ["x"], "key": "id"} for name in ("base", "other")]
    charter = charter_of(tmp_path, sources=entries, join={"base": "base", "on": "id"})
    readings = sources.read_all(charter)
    assert quality.missing_critical(readings, LIMITS) == quality.orphan_keys(charter, readings, LIMITS) == []
    assert quality.duplicate_keys(charter, readings, LIMITS) == []


@pytest.mark.parametrize(
    ("value", "severity"), [(0.0, "info"), (0.01, "info"), (0.0101, "warn"), (0.2, "warn"), (0.21, "fail")]
)
def test_severity_changes_just_above_a_limit(value: float, severity: str) -> None:
    assert LIMITS.severity(value) == severity


def test_the_charters_limits_come_first_and_no_limit_never_strikes(charter_of: Any) -> None:
    charter = charter_of(gates={"eda.missing_critical": {"fail": 0.5}, "eda.orphan_keys": {"warn": 0}})
    assert quality.limits(charter, "eda.missing_critical") == Limits(0.01, 0.5)
    assert quality.limits(charter, "eda.orphan_keys") == Limits(0.0, 0.1)
    assert quality.limits(charter, "handoff.parity").fail == math.inf


def test_findings_go_into_the_results_as_they_are_promised(silos: Any) -> None:
    _, readings = silos(pd.DataFrame({"id": [1], "a": [None]}), base_more={"critical": ["a"]})
    findings = quality.missing_critical(readings, LIMITS)
    assert list(findings[0].as_dict()) == [
        *("check", "source", "column", "severity", "value", "threshold", "message", "rows", "examples")
    ]
    assert quality.worst(findings, "")[0] == 1.0
    assert quality.table(findings)["examples"].tolist() == ["1"]


def test_gaps_are_shares_the_emptiest_first() -> None:
    table = pd.DataFrame({"a": [1, None], 2: [None, None], "c": [1, 2]})
    assert quality.gaps(table).to_dict() == {"2": 1.0, "a": 0.5, "c": 0.0}
    assert len(quality.gaps(table, most=1)) == 1
    assert quality.headline(quality.gaps(table)) == "2 is missing in 100% of the rows"
    assert quality.headline(quality.gaps(table[["c"]])) == "No value is missing"


def test_the_planted_faults_of_the_demo_are_found(tmp_path: Path) -> None:
    from lab2live import charter as charters
    from lab2live.eda import simulate

    charter = charters.read(charters.PACKAGE_FOLDER / "demo" / "project.yaml", folder=tmp_path)
    readings = sources.read_all(charter)
    crm, invoices, _, _ = simulate.telecom()
    missing = {f.column: f.rows for f in quality.missing_critical(readings, LIMITS)}
    assert missing["tariff"] == crm["tariff"].isna().sum()
    orphans = {f.source: f.rows for f in quality.orphan_keys(charter, readings, LIMITS)}
    strangers = invoices.loc[~invoices["customer_id"].isin(crm["customer_id"]), "customer_id"]
    assert orphans == {"billing": strangers.nunique(), "support": 0}
    assert quality.duplicate_keys(charter, readings, LIMITS) == []
