"""Opening a silo where it lies, through ibis: files by the embedded DuckDB, databases by themselves."""

from __future__ import annotations

import functools
import os
import re
import shutil
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
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

# Seconds to wait for a machine that does not answer.
PATIENCE = 30


def open_table(charter: Charter, source: Source) -> tuple[ir.Table, str]:
    """Open one source without reading it.

    Parameters
    ----------
    charter
        Knows where relative paths start.
    source
        Its `address` is a CSV, Parquet, Excel, SQLite or DuckDB file, a folder of CSV or Parquet files, an http(s)
        URL of such a file, `demo://...`, or any address that `ibis.connect` understands.

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
    if isinstance(place, str) and place.startswith("sqlite:///"):
        # relative to the charter like every path, and looked for first: SQLite itself would create it, empty
        place = (charter.folder / place.removeprefix("sqlite:///")).resolve()
        if place.is_file():
            return _open_sqlite(place, source)
    if isinstance(place, str) and place.startswith(("http://", "https://")):
        place = _download(place)
    if isinstance(place, str):
        # else PostgreSQL waits for minutes for a machine that does not answer
        os.environ.setdefault("PGCONNECT_TIMEOUT", str(PATIENCE))
        connection = ibis.connect(place)
        return connection.table(_table_name(source, connection.list_tables())), connection.name
    if not place.exists():
        raise UserError(
            f"Source `{source.name}` is not where the charter says.",
            where=place,
            fix="correct the source's `uri`, or name a `stand_in` while you wait for it",
        )
    return _open_file(place, source)


def _open_file(place: Path, source: Source) -> tuple[ir.Table, str]:
    import ibis

    suffix = _suffix(place)
    if suffix in CSV:
        return _read_csv(place), "duckdb"
    if suffix == ".parquet":
        return _duckdb().read_parquet(_names(place, (".parquet",))), "duckdb"
    if suffix in EXCEL:
        # through a file: DuckDB's own reader is an extension that has to be downloaded
        copy = _new_file(".parquet")
        storable(pd.read_excel(place, sheet_name=source.table or 0)).to_parquet(copy, index=False)
        return _duckdb().read_parquet(str(copy)), "duckdb"
    if suffix in SQLITE:
        return _open_sqlite(place, source)
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
    inside = {file.suffix.lower() for file in _files_in(place)}
    return next((suffix for suffix in (".parquet", *CSV) if suffix in inside), "an empty folder")


def _names(place: Path, suffixes: Sequence[str]) -> list[str]:
    """Name the files for DuckDB, which takes some characters for patterns."""
    files = [file for file in _files_in(place) if file.suffix.lower() in suffixes] if place.is_dir() else [place]
    return [re.sub(r"[*?]", r"[\g<0>]", str(file)) for file in files]


def _files_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith((".", "_")))


@functools.cache
def _duckdb() -> Any:
    """Give the one embedded engine of this process, which reads all files."""
    import ibis

    return ibis.duckdb.connect()


def _open_sqlite(place: Path, source: Source) -> tuple[ir.Table, str]:
    import ibis

    connection = ibis.sqlite.connect(place)
    return connection.table(_table_name(source, connection.list_tables())), "sqlite"


def _read_csv(place: Path) -> ir.Table:
    """Read CSV with types taken from all rows: a text in the last one must not break a column half-way through."""
    names = _names(place, CSV)
    options = {
        "sample_size": -1,
        "nullstr": NULLS,
        "header": True,
        "auto_type_candidates": TYPES,
        # 03/04/2024 is two different days: DuckDB would guess one of them, so it stays what it is
        "dateformat": "%Y-%m-%d",
        "timestampformat": "%Y-%m-%d %H:%M:%S",
    }
    try:
        table = _duckdb().read_csv(names, **options)
    except Exception as error:
        if "utf-8" not in str(error).lower() and "unicode" not in str(error).lower():
            raise
        options["encoding"] = "latin-1"
        table = _duckdb().read_csv(names, **options)
    return _duckdb().read_csv(names, decimal_separator=",", **options) if _has_decimal_commas(table) else table


def _has_decimal_commas(table: ir.Table, rows: int = 10_000) -> bool:
    """Say whether a text column holds nothing but numbers like 39,22, judged by the first rows."""
    head = table.limit(rows)
    text = [head[name] for name, kind in table.schema().items() if kind.is_string()]
    if not text:
        return False
    counts = head.aggregate(
        [
            part.name(f"{kind}{number}")
            for number, column in enumerate(text)
            for kind, part in (
                ("filled", column.count()),
                ("fits", column.re_search(r"^ *[-+]?[0-9]+,[0-9]+ *$").sum()),
            )
        ]
    )
    found = counts.to_pyarrow().to_pylist()[0]
    return any(0 < found[f"filled{number}"] == found[f"fits{number}"] for number in range(len(text)))


@functools.cache
def _copies() -> tempfile.TemporaryDirectory[str]:
    """Give the folder in which copies lie as long as this process lives: the engine reads them later."""
    return tempfile.TemporaryDirectory(prefix="lab2live-copies-")


def _new_file(suffix: str) -> Path:
    handle, name = tempfile.mkstemp(suffix, dir=_copies().name)
    os.close(handle)
    return Path(name)


def _download(url: str) -> Path:
    """Fetch a file: DuckDB would download an extension first to read a URL, this needs nothing but the URL itself."""
    known = (*CSV, ".parquet", *EXCEL, *SQLITE, *DUCKDB)
    suffix = PurePosixPath(urllib.parse.urlsplit(url).path).suffix.lower()
    copy = _new_file(suffix if suffix in known else ".csv")
    request = urllib.request.Request(url, headers={"User-Agent": "lab2live"})
    with copy.open("wb") as file, urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        shutil.copyfileobj(answer, file)
    return copy


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
