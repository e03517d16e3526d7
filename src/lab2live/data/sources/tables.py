"""The sources (G1): counted inside the engine that holds them, and joined into one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter, Source
from lab2live.data.encoding import label
from lab2live.data.sources.databases import select
from lab2live.data.sources.errors import NO_ROWS, first_line, in_words, without_secrets
from lab2live.data.sources.readers import open_table, type_of
from lab2live.data.sources.reading import ColumnReading, Readings
from lab2live.errors import UserError

if TYPE_CHECKING:
    import ibis.expr.types as ir

# What the charter's aggregates select from. No table of a source is called so.
ROWS = "lab2live_rows"
# Of each class a sample holds so many rows, if there are: five folds and a test set need some.
FEWEST_OF_A_CLASS = 30


@dataclass(frozen=True)
class Reading:
    """What came of opening one source.

    Attributes
    ----------
    source
        The charter's entry.
    table
        The rows as the source holds them, as an ibis expression; `None` when it could not be opened.
    engine
        What holds the data: `duckdb`, `sqlite`, `postgres`, ...
    rows
        Number of rows.
    nulls
        Number of missing values per column.
    problem
        Why it could not be read, in words.
    read_as, left_out, texts
        See `Opened`.
    """

    source: Source
    table: ir.Table | None = None
    engine: str = ""
    rows: int = 0
    nulls: Mapping[str, int] | None = None
    problem: str = ""
    read_as: Mapping[str, ColumnReading] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    texts: ir.Table | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.nulls or ())


def read_all(charter: Charter, known: Readings | None = None) -> list[Reading]:
    """Open every source and count its rows and gaps; one that cannot be read does not stop the others.

    Parameters
    ----------
    known
        How they were read where a model learnt: then they are read the same way, or the difference is the problem.
    """
    sources = known.sources if known else {}
    return [read(charter, source, sources.get(source.name)) for source in charter.sources]


def read(charter: Charter, source: Source, known: Mapping[str, ColumnReading] | None = None) -> Reading:
    """Open one source and count its rows and gaps; whatever goes wrong is the reading's `problem`."""
    try:
        table, engine, read_as, left_out, texts = open_table(charter, source, known)
        counts = table.aggregate(
            [
                table.count().name("rows"),
                *(table[name].isnull().sum().name(f"n{i}") for i, name in enumerate(table.columns)),
            ]
        )
        # Positions, not names: two columns may differ in case only, which some engines fold.
        rows, *nulls = next(iter(counts.to_pyarrow().to_pylist()[0:1])).values()
    except Exception as error:  # whatever an engine or its driver raises belongs to this source alone
        return Reading(source, problem=in_words(error, source))
    if not rows:
        return Reading(source, problem=NO_ROWS)
    missing = dict(zip(table.columns, (int(n or 0) for n in nulls), strict=True))
    return Reading(source, table, engine, int(rows), missing, "", read_as, left_out, texts)


def case_rows(reading: Reading) -> ir.Table:
    """Give a source with one row per key, when the charter says how to aggregate it; else as it is.

    The aggregates are the charter's SQL, run inside the engine that holds the data.
    """
    source, table = reading.source, reading.table
    if table is None:
        raise UserError(
            f"Source `{source.name}` could not be read.",
            where=without_secrets(source.address, source),
            found=reading.problem,
        )
    if not source.aggregate:
        return table
    import sqlglot

    dialect = table.get_backend().dialect

    def quoted(name: str) -> str:
        return sqlglot.exp.to_identifier(name, quoted=True).sql(dialect=dialect)

    key = quoted(source.key or "")
    parts = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in source.aggregate.items())
    query = f"SELECT {key}, {parts} FROM {ROWS} GROUP BY {key}"
    try:
        if source.key not in table.columns:  # SQLite would take the name of no column for a text
            raise KeyError(f"there is no column {source.key}")
        return select(table, ROWS, query)
    except Exception as error:  # the charter's own SQL: whatever the engine says about it
        raise UserError(
            f"The aggregates of source `{source.name}` do not work.",
            where=f"sources ({source.name}).aggregate",
            found=first_line(error, source),
            expected=f"SQL of {reading.engine} over the columns {', '.join(reading.columns)}; `key` is one of them",
            fix="correct the expressions, or the source's `key`",
        ) from error


def joined_table(
    charter: Charter, readings: Sequence[Reading], sample: int | None = None, seed: int = 0
) -> pd.DataFrame:
    """Join the sources into one row per case, in pandas, where modelling begins.

    Parameters
    ----------
    charter
        Its `join` block says how; without one, the only source is the table.
    readings
        Sources that could not be read are left out, unless it is the base.
    sample
        Draw this many rows at most, with `seed`; of a rare class as many as can be learnt from, see `_drawn`.

    Returns
    -------
    pandas.DataFrame
        In the order of the base source. A column that two sources share carries the second one's name behind it.

    Raises
    ------
    UserError
        If the base source is unreadable, or a join key is not in a source.
    """
    by_name = {reading.source.name: reading for reading in readings}
    base = by_name[charter.base.name]
    keys = charter.join_keys
    table, target = _frame(base, keys), charter.prediction.target
    early = target in table or charter.prediction.problem_type == "regression"  # else its classes come with the join
    if early:
        table = _drawn(charter, table, sample, seed)
    for name, reading in by_name.items():
        if reading is base or reading.table is None:
            continue
        other = _frame(reading, keys)
        for key in keys:
            # One source keeps the key as a number, the other as text: compare what they say, not how they store it.
            if table[key].dtype != other[key].dtype:
                table[key], other[key] = (key_text(frame[key]) for frame in (table, other))
        assert charter.join is not None
        # pandas would find that one missing key equals another
        other = other.dropna(subset=keys)
        table = table.merge(other, on=keys, how=charter.join.how, suffixes=("", f" ({name})"))
    if table.empty:
        raise UserError("The joined table has no rows.", where="join", fix="check the join keys, or use how: left")
    return (table if early else _drawn(charter, table, sample, seed)).reset_index(drop=True)


def _drawn(charter: Charter, table: pd.DataFrame, sample: int | None, seed: int) -> pd.DataFrame:
    """Draw rows at random, but some of every class: a sample without the rare one says nothing of the target."""
    if sample is None or sample >= len(table):
        return table
    order = np.random.default_rng(seed).permutation(len(table))
    if charter.prediction.problem_type == "classification" and charter.prediction.target in table:
        classes = table[charter.prediction.target].map(label, na_action="ignore").iloc[order]
        kept = min(FEWEST_OF_A_CLASS, sample // max(1, classes.nunique()))
        # those of unknown class have no place in one
        first = classes.groupby(classes).cumcount() < kept
        order = order[np.argsort(~first.to_numpy(), kind="stable")]
    return table.iloc[np.sort(order[:sample])]


def origins(charter: Charter, readings: Sequence[Reading]) -> dict[str, str]:
    """Say which source every column of the joined table comes from."""
    found: dict[str, str] = {}
    by_name = {reading.source.name: reading for reading in readings if reading.table is not None}
    for name in sorted(by_name, key=lambda name: name != charter.base.name):
        source = by_name[name].source
        columns = [source.key or "", *source.aggregate] if source.aggregate else by_name[name].columns
        for column in columns:
            if column in charter.join_keys:
                found.setdefault(column, name)
            else:
                found[f"{column} ({name})" if column in found else column] = name
    return found


def kept(charter: Charter, readings: Sequence[Reading]) -> Readings:
    """Say how every column of the sources and of the joined table was read."""
    found: dict[str, ColumnReading] = {}
    by_name = {reading.source.name: reading for reading in readings if reading.table is not None}
    for joined, name in origins(charter, readings).items():
        reading = by_name[name]
        column = joined.removesuffix(f" ({name})") if joined not in reading.columns else joined
        if reading.source.aggregate and column in reading.source.aggregate:
            found[joined] = ColumnReading(type_of(case_rows(reading)[column].type()) or "text")
        else:
            found[joined] = reading.read_as[column]
    return Readings(found, {name: reading.read_as for name, reading in by_name.items()})


def key_text(column: pd.Series) -> pd.Series:
    """Write keys the same way whatever the engine: 7 and 7.0 are one key, 007 is another."""
    return column.map(label, na_action="ignore").astype("string")


def _frame(reading: Reading, keys: Sequence[str]) -> pd.DataFrame:
    rows, source = case_rows(reading), reading.source
    try:
        # An engine gives groups in any order; two runs have to see the same table.
        frame = (rows.order_by(source.key) if source.aggregate else rows).to_pandas()
    except Exception as error:  # e.g. SQLite with words in a column that it declares to be numbers
        raise UserError(
            f"The rows of source `{source.name}` cannot be read.",
            where=f"sources ({source.name})",
            found=f"{type(error).__name__}: {first_line(error, source)}",
            fix="check that its columns hold what their types promise, or export it as CSV or Parquet",
        ) from error
    for key in keys:
        if key not in frame.columns:
            raise UserError(
                "A join key is not in a source.",
                where=f"join.on, source `{reading.source.name}`",
                found=", ".join(frame.columns),
                expected=key,
                fix="correct `join.on`, or rename the column in the source",
            )
    return frame


def modelling_table(charter: Charter, sample: int | None = None, seed: int = 0) -> pd.DataFrame:
    """Read and join in one go: what every later notebook starts from."""
    return joined_table(charter, read_all(charter), sample, seed)
