"""Opening a source where it lies, through ibis: files by the embedded DuckDB, databases by themselves."""

from __future__ import annotations

import functools
import shutil
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from lab2live.charter.schema import Charter, ReadingOptions, Source
from lab2live.data.feature_types import storable
from lab2live.data.sources import csv, reading, schemes
from lab2live.data.sources.databases import open_database, open_duckdb, open_sqlite
from lab2live.data.sources.engine import duckdb, new_file, written
from lab2live.data.sources.reading import ColumnReading, literal, quoted
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
# Units of durations in Parquet, which the engine takes for whole numbers -> how many make a day.
PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


class Opened(NamedTuple):
    """A source that could be opened.

    Attributes
    ----------
    table
        The lazy table, its names stripped and told apart.
    engine
        The name of the engine that holds it.
    read_as
        Column -> how its values are read.
    left_out
        Columns that no model can take -> why.
    texts
        The columns that are texts where they lie, as they are written, if some of them are read as something else.
        What typed reading hides shows here: leading zeros, words that stand for nothing, two decimal separators.
    """

    table: ir.Table
    engine: str
    read_as: Mapping[str, ColumnReading]
    left_out: Mapping[str, str]
    texts: ir.Table | None = None


def open_table(charter: Charter, source: Source, known: Mapping[str, ColumnReading] | None = None) -> Opened:
    """Open one source without fetching it.

    Parameters
    ----------
    charter
        Knows where relative paths start.
    source
        Its `address` is a CSV, Parquet, Excel, SQLite or DuckDB file, a folder of CSV or Parquet files, an http(s)
        URL of such a file, an address of a registered scheme (see `schemes`), or any that `ibis.connect`
        understands.
    known
        How its columns were read where a model learnt: a column that cannot be read so is a `UserError`.

    Raises
    ------
    UserError
        If there is nothing at the address, or it is of an unknown kind.
    """
    place = place_of(charter, source)
    if not isinstance(place, str) and place.exists() and suffix_of(place) in CSV:
        copy, usual = csv.texts(files_of(place, CSV), source.reading), _usual_mark(place, source)
        typed, read_as = _typed(copy, usual, source.reading.model_dump_json(), known and tuple(known.items()))
        engine = duckdb()
        return Opened(engine.read_parquet(str(typed)), "duckdb", read_as, {}, engine.read_parquet(str(copy)))
    opened = open_place(charter, source, place, source.reading)
    words = [
        name for name, how in opened.read_as.items() if how.type == "text" and opened.table[name].type().is_string()
    ]
    if not words or opened.engine != "duckdb":
        return opened
    typed, of_words = _words_as_days(opened.table, words, source.reading, known)
    texts = None if typed is opened.table else opened.table.select(words)
    return Opened(typed, opened.engine, {**opened.read_as, **of_words}, opened.left_out, texts)


def open_place(charter: Charter, source: Source, place: Path | str, options: ReadingOptions) -> Opened:
    """Open what is no CSV: in plain types, with words as they are."""
    return _in_plain_types(*_open(charter, source, place), options)


def _open(charter: Charter, source: Source, place: Path | str) -> tuple[ir.Table, str]:
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


def header(charter: Charter, source: Source) -> list[str] | None:
    """Give the names in the header of a CSV as they are written; `None` for what is no CSV."""
    place = place_of(charter, source)
    if isinstance(place, str) or suffix_of(place) not in CSV:
        return None
    return list(csv.dialects(files_of(place, CSV), source.reading)[0].names)


def place_of(charter: Charter, source: Source) -> Path | str:
    """Say where the data of a source really lie: a file on this machine, or the address of a database."""
    place = charter.locate(source.address)
    if isinstance(place, Path):
        return place
    scheme = place.partition("://")[0]
    if scheme in schemes.FILES:
        return schemes.FILES[scheme](charter, source)
    return _download(place) if scheme in ("http", "https") else place


def _open_file(place: Path, source: Source) -> tuple[ir.Table, str]:
    suffix = suffix_of(place)
    if suffix == ".parquet":
        return _open_parquet(files_of(place, (".parquet",))), "duckdb"
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


def suffix_of(place: Path) -> str:
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


def files_of(place: Path, suffixes: Sequence[str]) -> list[Path]:
    """Give a file itself, or the files of a folder that have one of some suffixes."""
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
    table = duckdb().read_parquet([csv.pattern(file) for file in files], union_by_name=len(files) > 1)
    import pyarrow.parquet as pq
    import pyarrow.types as kinds

    lasting = {field.name: field.type.unit for field in pq.read_schema(files[0]) if kinds.is_duration(field.type)}
    return table.mutate(**{name: table[name] / PER_DAY[unit] for name, unit in lasting.items()}) if lasting else table


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
            table = storable(book.parse(sheet, dtype=object, keep_default_na=False, na_values=[""]))
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
def _typed(
    copy: Path, usual: str, options: str, known: tuple[tuple[str, ColumnReading], ...] | None
) -> tuple[Path, Mapping[str, ColumnReading]]:
    """Find how the columns of a file of texts are read, and write them so typed."""
    rows = f"read_parquet({literal(str(copy))})"
    engine, said = duckdb().con, ReadingOptions.model_validate_json(options)
    read_as = _found(engine, rows, None, reading.anything, usual, said, None if known is None else dict(known))
    parts = [f"{reading.parsed(quoted(name), how)} AS {quoted(name)}" for name, how in read_as.items()]
    return written(parts, rows), read_as


def _found(
    engine: Any,
    rows: str,
    names: Sequence[str] | None,
    kinds: Any,
    usual: str,
    options: ReadingOptions,
    known: Mapping[str, ColumnReading] | None,
) -> dict[str, ColumnReading]:
    """Find how columns of texts are read; `rows` is what the engine selects from, and no names are all of them."""
    wanted = "*" if names is None else ", ".join(map(quoted, names))
    head = engine.execute(f"SELECT {wanted} FROM {rows} LIMIT {csv.HEAD}").to_arrow_table()
    texts = {name: {text for text in head[name].unique().to_pylist() if text is not None} for name in head.column_names}

    def ask(asked: str) -> Sequence[Any]:
        answers: Sequence[Any] = engine.execute(f"SELECT {asked} FROM {rows}").fetchone()
        return answers

    if known is not None:
        read_as = {name: known.get(name, ColumnReading("text")) for name in texts}
        for (name, how), odd in reading.strange(ask, [one for one in read_as.items() if one[1].type != "text"]).items():
            if odd:
                raise UserError(
                    "A column is written otherwise than in the data that the model was trained on.",
                    found=f"{name}: {sorted(odd)[0][:60]}",
                    expected=how.words,
                    fix="ask for an export in the same form, or train the model on the new one",
                )
        return read_as
    read_as = reading.found(ask, texts, kinds, options.decimal or "", usual, options.nulls)
    return {
        name: reading.declared(options.columns[name], how) if name in options.columns else how
        for name, how in read_as.items()
    }


def _usual_mark(place: Path, source: Source) -> str:
    """Say which decimal mark is usual in a file: commas where values are divided by semicolons."""
    first = files_of(place, CSV)[0]
    return "," if csv.dialects([first], source.reading)[0].delimiter == ";" else "."


def _in_plain_types(table: ir.Table, engine: str, options: ReadingOptions) -> Opened:
    """Give the columns of an engine in types that every check and model takes; leave out what none can."""
    names = csv.unique_names(table.columns)
    if names != list(table.columns):
        table = table.rename(dict(zip(names, table.columns, strict=True)))
    kinds = dict(table.schema().items())
    read_as = {name: ColumnReading(how) for name, kind in kinds.items() if (how := type_of(kind)) is not None}
    left_out = {name: f"no model takes {kind}" for name, kind in kinds.items() if name not in read_as}
    beyond = _beyond_floats(table, [name for name, how in read_as.items() if how.type == "integer"])
    read_as |= dict.fromkeys(beyond, ColumnReading("text"))
    casts = dict.fromkeys(beyond, "string") | {name: "string" for name, kind in kinds.items() if kind.is_null()}
    casts |= {
        name: "int64" if read_as[name].type == "integer" else "float64"
        for name, kind in kinds.items()
        if kind.is_decimal() and name not in beyond
    }
    words = [name for name, kind in kinds.items() if kind.is_string()]
    changed = {name: table[name].cast(kind) for name, kind in casts.items()}
    if options.nulls:
        changed |= {name: table[name].isin(options.nulls).ifelse(None, table[name]) for name in words}
    table = table.mutate(**changed).drop(*left_out) if changed or left_out else table
    return Opened(table, engine, read_as, left_out)


def type_of(kind: Any) -> reading.Type | None:
    """Say what a column of an engine's type holds; `None` for what no model takes."""
    if kind.is_boolean():
        return "boolean"
    if kind.is_integer() or (kind.is_decimal() and kind.scale == 0):
        return "integer"
    if kind.is_numeric():
        return "number"
    if kind.is_date():
        return "date"
    if kind.is_timestamp():
        return "moment"
    return "text" if kind.is_string() or kind.is_null() or kind.is_uuid() else None


def _beyond_floats(table: ir.Table, names: Sequence[str]) -> list[str]:
    """Name columns of whole numbers that floating point cannot tell apart: they name something."""
    wide = [name for name in names if table[name].type().is_decimal() or table[name].type().nbytes == 8]
    if not wide:
        return []
    ends = [end.name(f"n{at}") for at, end in enumerate(end for n in wide for end in (table[n].min(), table[n].max()))]
    bounds = list(table.aggregate(ends).to_pyarrow().to_pylist()[0].values())
    largest = [max(abs(bound or 0) for bound in bounds[2 * at : 2 * at + 2]) for at in range(len(wide))]
    return [name for name, most in zip(wide, largest, strict=True) if most > reading.EXACT]


def _words_as_days(
    table: ir.Table, words: Sequence[str], options: ReadingOptions, known: Mapping[str, ColumnReading] | None
) -> tuple[ir.Table, dict[str, ColumnReading]]:
    """Read columns of words as days where all of them are; or as a person has declared."""
    backend = table.get_backend()
    rows = f"({backend.compile(table)})"
    read_as = _found(backend.con, rows, words, reading.days_only, ".", options, known)
    parts = [
        f"{reading.parsed(quoted(name), how)} AS {quoted(name)}" for name, how in read_as.items() if how.type != "text"
    ]
    return backend.sql(f"SELECT * REPLACE ({', '.join(parts)}) FROM {rows}") if parts else table, read_as


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
