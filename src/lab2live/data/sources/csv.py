"""CSV and its relatives: divided into columns, typed by all their values, and kept as Parquet for whoever asks next."""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab2live.data.sources.engine import duckdb, new_file
from lab2live.data.sources.file_encoding import SEPARATORS, Text, text_of
from lab2live.errors import UserError

if TYPE_CHECKING:
    import ibis.expr.types as ir

SUFFIXES = (".csv", ".tsv", ".txt", ".gz")
# What a CSV writes when it means "nothing here", as pandas knows it.
NULLS = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None", "<NA>"]
# The types a CSV column may turn out to be. No booleans: DuckDB would turn a "yes" into True, and whoever writes a rule
# against the file means the word that stands in it.
TYPES = ["NULL", "BIGINT", "DOUBLE", "DATE", "TIMESTAMP", "VARCHAR"]
# With all rows looked at: a text in the last one must not break a column half-way through.
TYPED = {
    "sample_size": -1,
    "nullstr": NULLS,
    "header": True,
    "auto_type_candidates": TYPES,
    # 03/04/2024 is two different days: DuckDB would guess one of them, so it stays what it is
    "dateformat": "%Y-%m-%d",
    "timestampformat": "%Y-%m-%d %H:%M:%S",
}
# What the values of a line are divided by; the others are used too, but not recognised by DuckDB.
DELIMITERS = ",;|\t"
RARE_DELIMITERS = "^~§¦#:" + SEPARATORS
# With more values in a line, DuckDB needs minutes to try all delimiters, and too much memory to write them as Parquet.
WIDE = 300
MOST_TITLE_LINES = 20
# A number with a comma for its decimals.
COMMA = r"^ *[-+]?[0-9]+,[0-9]+ *$"
# Rows from which a table is judged.
HEAD = 10_000


def open_csv(files: Sequence[Path]) -> ir.Table:
    """Read CSV files as one table, every column as the type that all its values have.

    Parameters
    ----------
    files
        In one folder, with the same columns.

    Returns
    -------
    ibis table
        Over a copy in Parquet, if it is not very wide: an engine that asks a CSV twice reads it twice.

    Raises
    ------
    UserError
        If they are no text, have different columns, or cannot be divided into columns.
    """
    texts = _texts(files)
    table = _kept(texts, **TYPED)
    commas, quotes = _look(table)
    if commas and not any(kind.is_floating() for kind in table.schema().values()):
        table = _kept(texts, decimal_separator=",", **TYPED)
    elif commas:  # other columns have points, and would be texts if all were read with commas
        table = _with_points(table, commas)
    if quotes and any(text.quotes % 2 for text in texts):
        raise UserError(
            "A quote is opened and never closed, so that nobody knows where its value ends.",
            fix='ask for a new export: a " inside a value has to be doubled, and the whole value quoted',
        )
    if len(table.columns) == 1:
        _refuse_undivided(table)
    return table


def as_written(files: Sequence[Path]) -> ir.Table:
    """Read CSV files with every value as the text that stands there."""
    return _kept(_texts(files), all_varchar=True, header=True)


def header(file: Path, columns: int) -> list[str] | None:
    """Give the names in the first line as they are written, or `None` if it does not fall into so many columns."""
    line = _texts([file])[0].header
    return next((names for d in DELIMITERS if len(names := next(csv.reader([line], delimiter=d), [])) == columns), None)


def _view(texts: Sequence[Text], **options: Any) -> ir.Table:
    return duckdb().read_csv([pattern(text.path) for text in texts], **_settled(texts, options))


def _settled(texts: Sequence[Text], options: Mapping[str, Any]) -> dict[str, Any]:
    """Decide what DuckDB must not guess: it would leave out lines until the rest looks like a table."""
    settled = {**options, "comment": "", "union_by_name": len(texts) > 1}
    wide = _wide(texts)
    if wide:
        return settled | {"delim": wide, "quote": '"', "escape": '"', "skip": 0}
    return settled | {"skip": _title_lines(texts[0])}


def _wide(texts: Sequence[Text]) -> str | None:
    """Give the delimiter of a file with very many columns, or `None` for any other file."""
    return next((delimiter for delimiter in DELIMITERS if texts[0].header.count(delimiter) > WIDE), None)


def _title_lines(text: Text) -> int:
    """Count the lines above the table, where some exports write a title and a date."""
    asked = f"sniff_csv({_literal(pattern(text.path))}, header = true, comment = '', sample_size = 2048)"
    try:
        skipped = int(duckdb().con.execute(f"SELECT SkipRows FROM {asked}").fetchone()[0])
    except Exception:  # whoever reads it says what is wrong with it
        return 0
    # more are rows of a table that became wider
    return skipped if skipped <= MOST_TITLE_LINES and 2 * skipped < text.lines else 0


def pattern(file: Path) -> str:
    """Name a file for DuckDB, which takes some characters of a name for patterns."""
    return re.sub(r"[*?]", r"[\g<0>]", str(file))


def _kept(texts: Sequence[Text], **options: Any) -> ir.Table:
    if _wide(texts):
        view = _view(texts, **options)
        # types that are given are not looked for again by every question
        types = {name: _type(kind) for name, kind in view.schema().items()}
        fixed = {name: value for name, value in options.items() if name not in ("sample_size", "auto_type_candidates")}
        return _view(texts, **{**fixed, "all_varchar": False, "auto_detect": False, "columns": types})
    settled = ", ".join(f"{name} = {_literal(value)}" for name, value in _settled(texts, options).items())
    return duckdb().read_parquet(str(_copy(tuple(texts), settled)))


@functools.cache
def _copy(texts: Sequence[Text], settled: str) -> Path:
    """Copy as Parquet, in DuckDB's own words."""
    copy = new_file(".parquet")
    rows = f"FROM read_csv({_literal([pattern(text.path) for text in texts])}, {settled})"
    duckdb().con.execute(f"COPY ({rows}) TO {_literal(str(copy))} (FORMAT parquet)")
    return copy


def _type(kind: Any) -> str:
    kinds = {
        "BIGINT": kind.is_integer,
        "DOUBLE": kind.is_floating,
        "DATE": kind.is_date,
        "TIMESTAMP": kind.is_timestamp,
    }
    return next((name for name, fits in kinds.items() if fits()), "VARCHAR")


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"[{', '.join(map(_literal, value))}]" if isinstance(value, list) else str(value)


def _with_points(table: ir.Table, names: Sequence[str]) -> ir.Table:
    """Turn columns of numbers like 39,22 into numbers, if that is what stands in all of their rows."""
    counts = table.aggregate(
        [(table[name].count() - table[name].re_search(COMMA).sum()).name(f"n{i}") for i, name in enumerate(names)]
    )
    others = counts.to_pyarrow().to_pylist()[0].values()
    whole = [name for name, other in zip(names, others, strict=True) if not other]
    return table.mutate(**{name: table[name].strip().replace(",", ".").cast("float64") for name in whole})


def _look(table: ir.Table) -> tuple[list[str], bool]:
    """Name text columns that hold nothing but numbers like 39,22, and say whether values begin with a quote."""
    head = table.limit(HEAD)
    text = [head[name] for name, kind in table.schema().items() if kind.is_string()]
    if not text:
        return [], False
    counts = head.aggregate(
        [
            part.name(f"{kind}{number}")
            for number, column in enumerate(text)
            for kind, part in (
                ("filled", column.count()),
                ("commas", column.re_search(COMMA).sum()),
                ("quotes", column.startswith('"').sum()),
            )
        ]
    )
    found = counts.to_pyarrow().to_pylist()[0]
    commas = [
        column.get_name()
        for number, column in enumerate(text)
        if 0 < found[f"filled{number}"] == found[f"commas{number}"]
    ]
    return commas, any(found[f"quotes{number}"] for number in range(len(text)))


def _refuse_undivided(table: ir.Table) -> None:
    """Refuse a single column whose name and values all hold the same delimiter."""
    (name,) = table.columns
    uneven = next((delimiter for delimiter in DELIMITERS if delimiter in name), None)
    if uneven:
        raise UserError(
            "Its lines do not all hold the same number of values.",
            found=f"a single column called {name[:60]}",
            fix="ask for a new export with the same number of values in every line, or as Parquet",
        )
    values = table.limit(HEAD)[name].to_pandas().dropna().map(str)
    for delimiter in set(name) & set(RARE_DELIMITERS):
        if len(values) and (values.str.count(re.escape(delimiter)) == name.count(delimiter)).all():
            raise UserError(
                "Its values are divided by a character that is not recognised.",
                found=delimiter if delimiter > " " else ascii(delimiter),
                expected="a comma, semicolon, tab or |",
                fix="export it with one of these, or as Parquet",
            )


def _texts(files: Sequence[Path]) -> list[Text]:
    """Check every file, leave out empty ones, and see that they have the same columns."""
    if len(files) > 1:
        files = [file for file in files if file.stat().st_size] or files[:1]
    texts = [text_of(file) for file in files]
    if len({text.header for text in texts}) > 1:
        first = set(_view(texts[:1], all_varchar=True, header=True).columns)
        for file, text in zip(files[1:], texts[1:], strict=True):
            refuse_other_columns(file, first, set(_view([text], all_varchar=True, header=True).columns))
    return texts


def refuse_other_columns(file: Path, first: set[str], these: set[str]) -> None:
    """Refuse a file of a folder that has not the columns of the first one."""
    if first == these:
        return
    differences = [f"without {name}" for name in sorted(first - these)]
    differences += [f"with {name} besides" for name in sorted(these - first)]
    raise UserError(
        "The files of the folder do not have the same columns.",
        found=f"{file.name} {', '.join(differences[:3])}",
        fix="ask what changed, and export all files in one form; move older ones into a source of their own",
    )
