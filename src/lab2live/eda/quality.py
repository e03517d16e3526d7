"""Data quality (L4): what is missing, and what the silos do not agree on, as findings with numbers and examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from lab2live import gates
from lab2live.eda.sources import Reading, case_rows, key_text
from lab2live.schema import Charter

if TYPE_CHECKING:
    import ibis.expr.types as ir

EXAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """One thing found in the data. Field names are the contract of `results/eda.json`."""

    check: str
    source: str
    column: str | None
    severity: Literal["info", "warn", "fail"]
    value: float
    threshold: float
    message: str
    rows: int | None
    examples: tuple[Any, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "examples": list(self.examples)}


@dataclass(frozen=True)
class Limits:
    """The shares above which a finding warns and fails: those of the gate that it feeds."""

    warn: float
    fail: float

    def severity(self, value: float) -> Literal["info", "warn", "fail"]:
        return "fail" if value > self.fail else "warn" if value > self.warn else "info"


def missing_critical(readings: Sequence[Reading], limits: Limits) -> list[Finding]:
    """Measure how much of every critical attribute is missing (L4a).

    Counted where the data lie. A critical column that its source does not have counts as missing altogether.
    """
    findings = []
    for reading in readings:
        for column in reading.source.critical if reading.table is not None else ():
            there = reading.nulls is not None and column in reading.nulls
            gaps = reading.nulls[column] if there and reading.nulls is not None else reading.rows
            share = gaps / reading.rows
            what = f"{share:.1%} of {column} is missing in {reading.source.name}"
            message = (
                f"{what} ({gaps:,} of {reading.rows:,} rows)." if there else f"{reading.source.name} has no {column}."
            )
            findings.append(
                Finding(
                    "missing.critical",
                    reading.source.name,
                    column,
                    limits.severity(share),
                    share,
                    limits.warn,
                    message,
                    gaps,
                    _keys_where_missing(reading, column) if there and gaps else (),
                )
            )
    return sorted(findings, key=lambda finding: -finding.value)


def _keys_where_missing(reading: Reading, column: str) -> tuple[Any, ...]:
    table, key = reading.table, reading.source.key
    if table is None or key is None or key not in table.columns or key == column:
        return ()
    rows = table.filter(table[column].isnull()).select(key).order_by(key).limit(EXAMPLES)
    return tuple(rows.to_pandas()[key].astype(str))


def orphan_keys(charter: Charter, readings: Sequence[Reading], limits: Limits) -> list[Finding]:
    """Find keys that a source has and the base source does not know, and the other way round (L4d).

    Returns
    -------
    list of Finding
        `integration.orphan_keys` per joined source. `value` is the share of its keys unknown to the base. The share
        of base rows that find nothing in the source is in the message and in no limit: customers without a support
        ticket are no fault.
    """
    by_name = {reading.source.name: reading for reading in readings}
    base = by_name[charter.base.name]
    if base.table is None or charter.join is None or not set(charter.join_keys) <= set(base.columns):
        return []
    findings = []
    base_keys = _keys(base.table, charter.join_keys)
    for name, reading in by_name.items():
        # a source without the key cannot be joined at all, which `joined_table` says
        if reading is base or reading.table is None or not set(charter.join_keys) <= set(reading.columns):
            continue
        keys = _keys(reading.table, charter.join_keys)
        orphans = keys.difference(base_keys)
        share = len(orphans) / max(len(keys), 1)
        unmatched = len(base_keys.difference(keys)) / max(len(base_keys), 1)
        message = (
            f"{share:.1%} of the keys in {name} ({len(orphans):,} of {len(keys):,}) are unknown to "
            f"{charter.base.name}; "
            f"{unmatched:.1%} of the keys in {charter.base.name} have nothing in {name}."
        )
        findings.append(
            Finding(
                "integration.orphan_keys",
                name,
                ", ".join(charter.join_keys),
                limits.severity(share),
                share,
                limits.warn,
                message,
                len(orphans),
                tuple(sorted(map(_shown, orphans))[:EXAMPLES]),
            )
        )
    return sorted(findings, key=lambda finding: -finding.value)


def _keys(table: ir.Table, names: Sequence[str]) -> pd.Index:
    """Fetch the distinct keys, as text: two engines meet here, and each has its own number types."""
    text = table.select(*names).distinct().drop_null().to_pandas().apply(key_text).drop_duplicates()
    return pd.Index(text[names[0]]) if len(names) == 1 else pd.MultiIndex.from_frame(text)


def _shown(key: Any) -> str:
    return " / ".join(key) if isinstance(key, tuple) else str(key)


def duplicate_keys(charter: Charter, readings: Sequence[Reading], limits: Limits) -> list[Finding]:
    """Find keys that stand for more than one row in the form in which a source is joined (L4d).

    Each of them multiplies rows in the joined table, and a case then counts twice.
    """
    findings = []
    for reading in readings:
        names = charter.join_keys or ([charter.prediction.id_column] if charter.prediction.id_column else [])
        if reading.table is None or not names or not set(names) <= set(reading.columns):
            continue
        # a missing key is no copy of another
        table = case_rows(reading).drop_null(names)
        counts = table.group_by(names).aggregate(lab2live_times=table.count())
        times = counts.lab2live_times
        repeated = counts.filter(times > 1).order_by(times.desc(), *names)
        summary = repeated.aggregate(keys=repeated.count(), rows=repeated.lab2live_times.sum()).to_pandas().iloc[0]
        surplus = int(summary["rows"] or 0) - int(summary["keys"])
        if not surplus:
            continue
        examples = repeated.limit(EXAMPLES).to_pandas()[names].apply(key_text)
        findings.append(
            Finding(
                "integration.duplicate_keys",
                reading.source.name,
                ", ".join(names),
                limits.severity(surplus),
                float(surplus),
                limits.warn,
                f"{int(summary['keys']):,} keys of {reading.source.name} stand for more than one row "
                f"({surplus:,} rows too many after the join). Say how to aggregate the source, or drop the copies.",
                surplus,
                tuple(examples.agg(" / ".join, axis=1)),
            )
        )
    return findings


def limits(charter: Charter, gate_id: str) -> Limits:
    """Take the limits of a gate, the charter's own first: a finding and its gate must not disagree."""
    rule, override = gates.CATALOGUE[gate_id], charter.gates.get(gate_id)
    warn = override.warn if override and override.warn is not None else rule.warn
    fail = override.fail if override and override.fail is not None else rule.fail
    return Limits(float("inf") if warn is None else warn, float("inf") if fail is None else fail)


def worst(findings: Sequence[Finding], nothing: str) -> tuple[float | None, str]:
    """Give the value and message of the worst finding for a gate; `None` with the reason if there is none at all."""
    if not findings:
        return None, nothing
    top = max(findings, key=lambda finding: finding.value)
    return top.value, top.message


def table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Show findings, one a line."""
    return pd.DataFrame(
        [
            {
                "source": finding.source,
                "column": finding.column,
                "severity": finding.severity,
                "what": finding.message,
                "examples": ", ".join(map(str, finding.examples)),
            }
            for finding in findings
        ]
    )


def key_copies(charter: Charter, copies: Sequence[Finding]) -> tuple[float | None, str]:
    """Count the rows that duplicate keys add, for a gate; `None` when the charter names no key at all."""
    if not charter.join_keys and charter.prediction.id_column is None:
        return None, "The charter names no key (prediction.id_column): cases cannot be told apart."
    value, message = worst(copies, "Every key stands for one row.")
    return value or 0, message


def gaps(table: pd.DataFrame, most: int = 12) -> pd.Series:
    """Give the share of missing values of the emptiest columns of the table that models see."""
    shares = table.isna().mean()
    shares.index = shares.index.map(str)
    return shares.sort_values(ascending=False, kind="stable").head(most)


def headline(shares: pd.Series) -> str:
    """Say what a chart of gaps shows."""
    if not shares.iloc[0]:
        return "No value is missing"
    return f"{shares.index[0]} is missing in {shares.iloc[0]:.0%} of the rows"
