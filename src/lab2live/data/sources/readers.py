"""Opening a source where it lies, through ibis: files by the embedded DuckDB, databases by themselves."""

from __future__ import annotations

import functools
import shutil
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pandas as pd

from lab2live.charter.schema import Charter, Source
from lab2live.data.feature_types import storable
from lab2live.data.sources import csv, schemes
from lab2live.data.sources.databases import open_database, open_duckdb, open_sqlite
from lab2live.data.sources.engine import duckdb, new_file
from lab2live.errors import UserError

if TYPE_CHECKING:
    import ibis.expr.types as ir

CSV = csv.SUFFIXES
EXCEL = (".xlsx", ".xlsm")
SQLITE = (".sqlite", ".sqlite3", ".db")
DUCKDB = (".duckdb", ".ddb")
SQLITE_SCHEME = "sqlite:///"
# What an encrypted workbook and one of the nineties begin with.
OFFICE = b"\xd0\xcf\x11\xe0"

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
        URL of such a file, an address of a registered scheme (see `schemes`), or any that `ibis.connect`
        understands.

    Returns
    -------
    table, engine
        The lazy table and the name of the engine that holds it.

    Raises
    ------
    UserError
        If there is nothing at the address, or it is of an unknown kind.
    """
    place = _place(charter, source)
    if isinstance(place, str) and not place.startswith(SQLITE_SCHEME):
        return open_database(place, source)
    if isinstance(place, str):
        # relative to the charter like every path, and looked for first: SQLite itself would create it, empty
        place = (charter.folder / place.removeprefix(SQLITE_SCHEME)).resolve()
        if place.is_file():
            return open_sqlite(place, source)
    if not place.exists():
        raise UserError(
            f"Source `{source.name}` is not where the charter says.",
            where=place,
            fix="correct the source's `uri`, or name a `stand_in` while you wait for it",
        )
    if not (place.is_file() or place.is_dir()):  # reading a pipe would wait for whoever writes into it
        raise UserError(
            f"Source `{source.name}` is neither a file nor a folder.",
            where=place,
            fix="correct the source's `uri`, or let the data be written to a file",
        )
    return _open_file(place, source)


def as_written(charter: Charter, source: Source) -> ir.Table | None:
    """Open a CSV with every value as the text that stands in the file; give `None` for what is no CSV.

    What typed reading hides shows here: leading zeros, words that stand for nothing, two decimal separators.
    """
    place = _place(charter, source)
    if isinstance(place, str) or _suffix(place) not in CSV:
        return None
    return csv.as_written(_files(place, CSV))


def header(charter: Charter, source: Source, columns: int) -> list[str] | None:
    """Give the names in the first line of a CSV as they are written: an engine renames those that stand there twice.

    Parameters
    ----------
    charter, source
        Where the file is.
    columns
        How many columns the engine found; a line that does not fall into as many has no names.

    Returns
    -------
    list of str or None
        `None` for what is no CSV.
    """
    place = _place(charter, source)
    if isinstance(place, str) or _suffix(place) not in CSV:
        return None
    return csv.header(_files(place, CSV)[0], columns)


def _place(charter: Charter, source: Source) -> Path | str:
    """Say where the data of a source really lie: a file on this machine, or the address of a database."""
    place = charter.locate(source.address)
    if isinstance(place, Path):
        return place
    scheme = place.partition("://")[0]
    if scheme in schemes.FILES:
        return schemes.FILES[scheme](charter, source)
    return _download(place) if scheme in ("http", "https") else place


def _open_file(place: Path, source: Source) -> tuple[ir.Table, str]:
    suffix = _suffix(place)
    if suffix in CSV:
        return csv.open_csv(_files(place, CSV)), "duckdb"
    if suffix == ".parquet":
        return _open_parquet(_files(place, (".parquet",))), "duckdb"
    if suffix in EXCEL:
        return _open_excel(place, source), "duckdb"
    if suffix in SQLITE:
        return open_sqlite(place, source)
    if suffix in DUCKDB:
        return open_duckdb(place, source)
    if place.is_dir():
        raise UserError(
            f"The folder of source `{source.name}` holds no CSV or Parquet files.",
            where=place,
            fix="correct the source's `uri`, or ask for the export again",
        )
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
    if ".parquet" in inside and inside & {".csv", ".tsv", ".gz"}:
        raise UserError(
            "The folder holds Parquet and CSV files together.",
            where=place,
            fix="keep those that belong to the source, in one form, and move the others away",
        )
    return next((suffix for suffix in (".parquet", *CSV) if suffix in inside), "")


def _files(place: Path, suffixes: Sequence[str]) -> list[Path]:
    return [file for file in _files_in(place) if file.suffix.lower() in suffixes] if place.is_dir() else [place]


def _files_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith((".", "_")))


def _open_parquet(files: Sequence[Path]) -> ir.Table:
    """Open Parquet files as one table; DuckDB would leave out columns that the first file does not have."""
    if len(files) > 1:
        first = _kinds(files[0])
        for file in files[1:]:
            csv.refuse_other_columns(file, set(first), set(these := _kinds(file)))
            for name, kind in these.items():
                if len({kind, first[name], "nothing"}) > 2:
                    raise UserError(
                        f"The files of the folder hold different things in the column {name}.",
                        found=f"{first[name]} in {files[0].name}, {kind} in {file.name}",
                        fix="ask for an export in which all files have the same types",
                    )
                first[name] = kind if first[name] == "nothing" else first[name]
    return duckdb().read_parquet([csv.pattern(file) for file in files], union_by_name=len(files) > 1)


def _kinds(file: Path) -> dict[str, str]:
    """Say roughly what each column of a Parquet file holds: whole numbers and fractions go together."""
    import pyarrow.parquet as pq
    import pyarrow.types as kinds

    known = {
        "nothing": kinds.is_null,
        "numbers": lambda kind: kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_decimal(kind),
        "dates": lambda kind: kinds.is_date(kind) or kinds.is_timestamp(kind),
        "text": lambda kind: kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_dictionary(kind),
    }
    return {
        field.name: next((name for name, fits in known.items() if fits(field.type)), str(field.type))
        for field in pq.read_schema(file)
    }


def _open_excel(place: Path, source: Source) -> ir.Table:
    """Open a sheet through a copy: DuckDB's own reader is an extension that has to be downloaded."""
    try:
        with pd.ExcelFile(place, engine="openpyxl") as book:
            sheet = source.table or book.sheet_names[0]
            if sheet not in book.sheet_names:
                raise UserError(
                    f"The workbook of source `{source.name}` has no such sheet.",
                    found=sheet,
                    expected=f"one of {', '.join(map(str, book.sheet_names))}",
                    fix="set the source's `table`",
                )
            table = storable(book.parse(sheet))
    except UserError:
        raise
    except Exception as error:  # openpyxl lets through whatever the ZIP and XML in the file make happen
        with place.open("rb") as file:
            locked = file.read(4) == OFFICE
        raise UserError(
            "The Excel file is protected by a password, or of the old kind."
            if locked
            else "It is no Excel file, or damaged.",
            where=place,
            fix="save it as .xlsx without a password, or export the sheet as CSV",
        ) from error
    copy = new_file(".parquet")
    table.to_parquet(copy, index=False)
    return duckdb().read_parquet(str(copy))


@functools.cache
def _download(url: str) -> Path:
    """Fetch a file: DuckDB would download an extension first to read a URL, this needs nothing but the URL itself."""
    known = (*CSV, ".parquet", *EXCEL, *SQLITE, *DUCKDB)
    suffix = PurePosixPath(urllib.parse.urlsplit(url).path).suffix.lower()
    copy = new_file(suffix if suffix in known else ".csv")
    request = urllib.request.Request(url, headers={"User-Agent": "lab2live"})
    with copy.open("wb") as file, urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        shutil.copyfileobj(answer, file)
    return copy
