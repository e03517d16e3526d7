"""What an engine says about every column, counted over all rows where they lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Aggregates asked for at once: an engine plans thousands of them slowly.
AT_ONCE = 60

Kind = Literal["number", "text", "date", "boolean", "other"]


@dataclass(frozen=True)
class Facts:
    """What the engine says about one column, counted over all rows.

    Attributes
    ----------
    kind
        Of the column as the engine stores it.
    nulls, blanks
        Number of missing values; of texts that hold nothing but spaces.
    distinct
        Number of different values; may be approximate where the sample is not complete.
    low, high
        The smallest and the largest value; numbers as floats, dates as timestamps. `None` when there are none.
    """

    kind: Kind
    nulls: int
    blanks: int
    distinct: int
    low: Any
    high: Any


def facts_of(table: ir.Table, nulls: Mapping[str, int]) -> dict[str, Facts]:
    """Ask the engine everything about all columns, in as few passes as it can plan well.

    Parameters
    ----------
    table
        Where the columns are.
    nulls
        Number of missing values per column, which reading the source has counted already.
    """
    kinds = {name: _kind(dtype) for name, dtype in table.schema().items()}
    facts = {}
    names = list(kinds)
    for start in range(0, len(names), AT_ONCE):
        some = names[start : start + AT_ONCE]
        asked = [
            part.name(f"{fact}{number}")
            for number, name in enumerate(some)
            for fact, part in _questions(table[name], kinds[name]).items()
        ]
        found = table.aggregate(asked).to_pyarrow().to_pylist()[0] if asked else {}
        for number, name in enumerate(some):
            answers = {fact: found.get(f"{fact}{number}") for fact in ("blanks", "distinct", "low", "high")}
            facts[name] = Facts(
                kinds[name],
                nulls[name],
                int(answers["blanks"] or 0),
                int(answers["distinct"] or 0),
                _bound(answers["low"], kinds[name]),
                _bound(answers["high"], kinds[name]),
            )
    return facts


def _questions(column: Any, kind: Kind) -> Mapping[str, Any]:
    if kind == "other":
        return {}
    asked = {"distinct": column.approx_nunique()}
    if kind == "text":
        asked["blanks"] = (column.strip() == "").sum()
    if kind in ("number", "date"):
        asked |= {"low": column.min(), "high": column.max()}
    return asked


def _kind(dtype: Any) -> Kind:
    if dtype.is_boolean():
        return "boolean"
    if dtype.is_numeric():
        return "number"
    if dtype.is_string():
        return "text"
    return "date" if dtype.is_date() or dtype.is_timestamp() else "other"


def _bound(value: Any, kind: Kind) -> Any:
    if value is None or kind not in ("number", "date"):
        return None
    return float(value) if kind == "number" else value


def counts(table: ir.Table, column: str, most: int = 1000) -> pd.Series:
    """Count every value of a column over all rows, inside the engine.

    Parameters
    ----------
    table, column
        What to count; missing values are left out.
    most
        The most frequent values are kept.

    Returns
    -------
    pandas.Series
        Counts, index the values; the most frequent first, ties in the order of the values.
    """
    filled = table.filter(table[column].notnull())
    grouped = filled.group_by(value=filled[column]).aggregate(times=filled.count())
    found = grouped.order_by(grouped.times.desc(), grouped.value).limit(most).to_pandas()
    return pd.Series(found["times"].to_numpy(), index=pd.Index(found["value"]), name=column)
