"""The silos (G1): opened where they lie through ibis, described from inside their engine, joined into one table."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lab2live.columns import storable
from lab2live.eda import simulate
from lab2live.errors import UserError
from lab2live.schema import DEMO_SCHEME, Charter, Source

if TYPE_CHECKING:
    import ibis.expr.types as ir

# What a CSV writes when it means "nothing here", as pandas knows it.
NULLS = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None", "<NA>"]
# The types a CSV column may turn out to be. No booleans: DuckDB would turn a "yes" into True, and whoever writes a rule
# against the file means the word that stands in it.
TYPES = ["NULL", "BIGINT", "DOUBLE", "DATE", "TIMESTAMP", "VARCHAR"]
CSV = (".csv", ".tsv", ".txt", ".gz")
EXCEL = (".xlsx", ".xlsm")
SQLITE = (".sqlite", ".sqlite3", ".db")
DUCKDB = (".duckdb", ".ddb")


@dataclass(frozen=True)
class Reading:
    """What came of opening one source.

    Attributes
    ----------
    source
        The charter's entry.
    table
        The rows as the silo holds them, as an ibis expression; `None` when it could not be opened.
    engine
        What holds the data: `duckdb`, `sqlite`, `postgres`, ...
    rows
        Number of rows.
    nulls
        Number of missing values per column.
    problem
        Why it could not be read, in words.
    """

    source: Source
    table: ir.Table | None = None
    engine: str = ""
    rows: int = 0
    nulls: Mapping[str, int] | None = None
    problem: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.nulls or ())


def read_all(charter: Charter) -> list[Reading]:
    """Open every source and count its rows and gaps; one that cannot be read does not stop the others."""
    return [_read(charter, source) for source in charter.sources]


def _read(charter: Charter, source: Source) -> Reading:
    try:
        table, engine = open_table(charter, source)
        counts = table.aggregate(
            [
                table.count().name("rows"),
                *(table[name].isnull().sum().name(f"n{i}") for i, name in enumerate(table.columns)),
            ]
        )
        # Positions, not names: two columns may differ in case only, which some engines fold.
        rows, *nulls = next(iter(counts.to_pyarrow().to_pylist()[0:1])).values()
    except UserError as error:
        return Reading(source, problem=str(error))
    except Exception as error:  # whatever an engine or its driver raises belongs to this source alone
        return Reading(source, problem=f"{type(error).__name__}: {_first_line(error)}")
    if not rows:
        return Reading(source, problem="It holds no rows.")
    return Reading(
        source, table, engine, int(rows), dict(zip(table.columns, (int(n or 0) for n in nulls), strict=True))
    )


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")


def open_table(charter: Charter, source: Source) -> tuple[ir.Table, str]:
    """Open one source without reading it.

    Parameters
    ----------
    charter
        Knows where relative paths start.
    source
        Its `address` is a CSV, Parquet, Excel, SQLite or DuckDB file, a folder of CSV or Parquet files, an http(s)
        URL of a CSV, `demo://...`, or any address that `ibis.connect` understands.

    Returns
    -------
    table, engine
        The lazy table and the name of the engine that holds it.

    Raises
    ------
    UserError
        If there is nothing at the address, or it is of an unknown kind.
    """
    import ibis

    place = charter.locate(source.address)
    if isinstance(place, str) and place.startswith(DEMO_SCHEME):
        place = simulate.demo_file(place, charter.folder)
    if isinstance(place, str):
        if place.startswith(("http://", "https://")):
            return _duckdb().create_table(source.name, _csv_from(place), overwrite=True), "duckdb"
        connection = ibis.connect(place)
        return connection.table(_table_name(source, connection.list_tables())), connection.name
    if not place.exists():
        raise UserError(
            f"Source `{source.name}` is not where the charter says.",
            where=place,
            fix="correct the source's `uri`, or name a `stand_in` while you wait for it",
        )
    suffix = _suffix(place)
    if suffix in CSV:
        return _read_csv(place), "duckdb"
    if suffix == ".parquet":
        return _duckdb().read_parquet(str(place / "**/*.parquet" if place.is_dir() else place)), "duckdb"
    if suffix in EXCEL:
        frame = pd.read_excel(place, sheet_name=source.table or 0)
        return _duckdb().create_table(source.name, storable(frame), overwrite=True), "duckdb"
    if suffix in SQLITE:
        connection = ibis.sqlite.connect(place)
        return connection.table(_table_name(source, connection.list_tables())), "sqlite"
    if suffix in DUCKDB:
        connection = ibis.duckdb.connect(place, read_only=True)
        return connection.table(_table_name(source, connection.list_tables())), "duckdb"
    raise UserError(
        f"Source `{source.name}` is of a kind nobody here can read.",
        where=place,
        found=suffix or "no file extension",
        expected=", ".join((*CSV, ".parquet", *EXCEL, *SQLITE, *DUCKDB, "or a database address")),
        fix="export it as CSV or Parquet, or correct the source's `uri`",
    )


def _suffix(place: Path) -> str:
    """Take the extension that says what is inside; a folder is what its files are."""
    if not place.is_dir():
        return place.suffix.lower()
    inside = {
        file.suffix.lower() for file in place.rglob("*") if file.is_file() and not file.name.startswith((".", "_"))
    }
    return next((suffix for suffix in (".parquet", *CSV) if suffix in inside), "an empty folder")


@functools.cache
def _duckdb() -> Any:
    """Give the one embedded engine of this process, which reads all files."""
    import ibis

    return ibis.duckdb.connect()


def _read_csv(place: Path) -> ir.Table:
    """Read CSV with types taken from all rows: a text in the last one must not break a column half-way through."""
    names = sorted(str(file) for file in place.rglob("*.csv")) if place.is_dir() else str(place)
    options = {"sample_size": -1, "nullstr": NULLS, "header": True, "auto_type_candidates": TYPES}
    try:
        return _duckdb().read_csv(names, **options)
    except Exception as error:
        if "utf-8" not in str(error).lower() and "unicode" not in str(error).lower():
            raise
    return _duckdb().read_csv(names, encoding="latin-1", **options)


def _csv_from(url: str) -> pd.DataFrame:
    # DuckDB would download an extension first to read a URL; this works wherever the URL itself can be reached.
    return pd.read_csv(url, storage_options={"User-Agent": "lab2live"})


def _table_name(source: Source, known: Sequence[str]) -> str:
    if source.table is not None and source.table in known:
        return source.table
    if source.table is None and len(known) == 1:
        return known[0]
    raise UserError(
        f"It is not clear which table of source `{source.name}` is meant.",
        where=f"sources ({source.name}).table",
        found=source.table or "nothing",
        expected=f"one of {', '.join(known) or 'no tables at all: the database is empty'}",
        fix="set the source's `table`",
    )


def board(charter: Charter, readings: Sequence[Reading], today: dt.date | None = None) -> pd.DataFrame:
    """Show every silo on one line: who to ask, whether we may, how long it took, what it holds (G1)."""
    today = today or dt.date.today()
    lines = []
    for reading in readings:
        source = reading.source
        until = source.granted_on or today
        lines.append(
            {
                "source": source.name,
                "owner": source.owner or "nobody named",
                "access": "stand-in" if source.on_stand_in else source.access,
                "days waited": (until - source.requested_on).days if source.requested_on else None,
                "engine": reading.engine or "unreadable",
                "rows": reading.rows,
                "columns": len(reading.columns),
                "personal data": source.personal_data,
            }
        )
    return pd.DataFrame(lines)


def case_rows(reading: Reading) -> ir.Table:
    """Give a source with one row per key, when the charter says how to aggregate it; else as it is.

    The aggregates are the charter's SQL, run inside the engine that holds the data.
    """
    source, table = reading.source, reading.table
    if table is None:
        raise UserError(f"Source `{source.name}` could not be read.", where=source.address, found=reading.problem)
    if not source.aggregate:
        return table
    import sqlglot

    dialect = table.get_backend().dialect

    def quoted(name: str) -> str:
        return sqlglot.exp.to_identifier(name, quoted=True).sql(dialect=dialect)

    key = quoted(source.key or "")
    parts = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in source.aggregate.items())
    query = f"SELECT {key}, {parts} FROM silo GROUP BY {key}"
    return table.alias("silo").sql(query)


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
        Draw this many cases at most, with `seed`.

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
    table = _frame(base, keys)
    if sample is not None and sample < len(table):
        table = table.sample(sample, random_state=seed).sort_index()
    for name, reading in by_name.items():
        if reading is base or reading.table is None:
            continue
        other = _frame(reading, keys)
        for key in keys:
            # One silo keeps the key as a number, the other as text: compare what they say, not how they store it.
            if table[key].dtype != other[key].dtype:
                table[key], other[key] = (frame[key].astype("string") for frame in (table, other))
        assert charter.join is not None
        table = table.merge(other, on=keys, how=charter.join.how, suffixes=("", f" ({name})"))
    if table.empty:
        raise UserError("The joined table has no rows.", where="join", fix="check the join keys, or use how: left")
    return table.reset_index(drop=True)


def _frame(reading: Reading, keys: Sequence[str]) -> pd.DataFrame:
    frame = case_rows(reading).to_pandas()
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


def readable(readings: Sequence[Reading]) -> tuple[int, str]:
    """Count the sources that could not be read, and say why."""
    broken = [reading for reading in readings if reading.table is None]
    if not broken:
        return 0, f"All {len(readings)} sources could be read." if len(readings) > 1 else "The source could be read."
    return len(broken), "; ".join(f"{reading.source.name}: {reading.problem}" for reading in broken)


def not_granted(charter: Charter) -> tuple[int, str]:
    """Count the sources that are not the real, granted thing, and say whom to chase."""
    waiting = [source for source in charter.sources if source.on_stand_in or source.access != "granted"]
    if not waiting:
        return 0, "Access to every source is granted."
    named = ", ".join(f"{source.name} ({source.access}; chase {source.owner or 'its owner'})" for source in waiting)
    return len(waiting), f"Not granted: {named}."
