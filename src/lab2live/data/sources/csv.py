"""CSV and its relatives: divided into columns the same way whatever wrote them, and kept as texts for whoever asks."""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lab2live.charter.schema import ReadingOptions
from lab2live.data.sources.engine import duckdb, written
from lab2live.data.sources.file_encoding import SEPARATORS, Text, text_of
from lab2live.data.sources.reading import literal, quoted
from lab2live.errors import UserError

SUFFIXES = (".csv", ".tsv", ".txt", ".gz")
DELIMITERS = ",;\t|"
# Used too, but not recognised: a value may hold any of them.
RARE_DELIMITERS = "^~§¦#:" + SEPARATORS
MOST_TITLE_LINES = 20
# Rows from which a file is judged.
HEAD = 1000


@dataclass(frozen=True)
class Dialect:
    """How the lines of a file fall into values.

    Attributes
    ----------
    skip
        Lines above the header: a title, comments, `sep=;`.
    names
        As they stand in the header.
    """

    text: Text
    delimiter: str
    quote: str
    escape: str
    skip: int
    names: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        return unique_names(self.names)

    @property
    def sql(self) -> str:
        """The rows as texts, in DuckDB's own words."""
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.columns)
        options = {
            "delim": self.delimiter,
            "quote": self.quote,
            "escape": self.escape,
            "skip": self.skip,
            "nullstr": [""],
        }
        said = ", ".join(f"{name} = {literal(value)}" for name, value in options.items())
        place = literal(pattern(self.text.path))
        return f"read_csv({place}, {said}, columns = {{{columns}}}, header = true, auto_detect = false, comment = '')"


def unique_names(names: Sequence[str]) -> list[str]:
    """Strip names, and tell apart those that are empty or differ in case only: engines and people mix them up.

    Returns
    -------
    list of str
        `a`, `a_1`, `column2`, `A_2` for `a`, `a `, nothing and `A`.
    """
    stripped = [name.strip() or f"column{place}" for place, name in enumerate(names)]
    taken, found = {name.casefold() for name in stripped}, list[str]()
    times: dict[str, int] = {}
    for name in stripped:
        folded, given = name.casefold(), name
        while folded in times and given.casefold() in taken:
            times[folded] += 1
            given = f"{name}_{times[folded]}"
        times.setdefault(folded, 0)
        taken.add(given.casefold())
        found.append(given)
    return found


def texts(files: Sequence[Path], options: ReadingOptions) -> Path:
    """Copy CSV files as one Parquet file of texts: an engine that asks a CSV twice reads it twice.

    Parameters
    ----------
    files
        In one folder, with the same columns.
    options
        What the charter says about how they are read.

    Raises
    ------
    UserError
        If they are no text, have different columns, or cannot be divided into columns.
    """
    return _copy(tuple(dialects(files, options)))


def dialects(files: Sequence[Path], options: ReadingOptions) -> list[Dialect]:
    """Look at every file, leave out empty ones, and see that they have the same columns."""
    if len(files) > 1:
        files = [file for file in files if file.stat().st_size] or files[:1]
    found = [dialect(text_of(file, options.encoding), options.delimiter) for file in files]
    for file, one in zip(files[1:], found[1:], strict=True):
        refuse_other_columns(file, set(found[0].columns), set(one.columns))
    return found


def dialect(text: Text, delimiter: str | None = None) -> Dialect:
    """Find out how a file is divided, from its first lines."""
    lines = text.head.splitlines(keepends=True)
    skip = 0
    said = re.fullmatch(r"(?i)\"?sep=(.)\"?\s*", lines[0])
    if said:
        delimiter, skip = delimiter or said[1], 1
    apostrophes = '"' not in text.head and len(re.findall(r"(?m)(^|[,;\t|])'[^'\n]*'(?=[,;\t|]|\r?$)", text.head)) > 1
    quote = "'" if apostrophes else '"'
    escape = "\\" if f"\\{quote}" in text.head else quote
    known = [(d, list(_rows(lines[skip:], d, quote, escape))) for d in ([delimiter] if delimiter else DELIMITERS)]
    best, rows = max(known, key=lambda one: _evenness([cells for cells, _ in one[1]]))
    width = _usual_width([cells for cells, _ in rows])
    start = 0
    for number, (cells, _) in enumerate(rows[:MOST_TITLE_LINES]):
        filled = sum(bool(cell.strip()) for cell in cells)
        is_comment = bool(cells) and cells[0].startswith("#") and (len(cells) != width or cells[0].startswith("# "))
        if width > 1 and (filled <= max(1, width // 3) or is_comment) and number + 1 < len(rows):
            start = number + 1
            continue
        break
    skip += rows[start - 1][1] if start else 0
    names = rows[start][0] if rows else []
    others = {len(cells) for cells, _ in rows[start + 1 :] if cells}
    if others == {len(names) + 1}:  # what stands in front of every row has no name, as R writes it
        names = ["", *names]
    found = Dialect(text, best, quote, escape, skip, tuple(names))
    if len(names) == 1:
        _refuse_undivided(names[0], [cells[0] for cells, _ in rows[start + 1 :] if cells])
    return found


def _rows(lines: Sequence[str], delimiter: str, quote: str, escape: str) -> Iterator[tuple[list[str], int]]:
    """Divide lines into cells; give with each row how many lines there are up to its end."""
    csv.field_size_limit(2**27)
    doubled, escaped = escape == quote, None if escape == quote else escape
    reader = csv.reader(
        io.StringIO("".join(lines), newline=""),
        delimiter=delimiter,
        quotechar=quote,
        doublequote=doubled,
        escapechar=escaped,
    )
    for cells in islice(reader, HEAD):
        yield cells, reader.line_num


def _usual_width(rows: Sequence[Sequence[str]]) -> int:
    widths = [len(cells) for cells in rows[1:] or rows if any(cells)]
    return max(set(widths), key=lambda width: (widths.count(width), width), default=1)


def _evenness(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Say how evenly a delimiter divides: the share of rows of the usual width, if that is more than one value."""
    width = _usual_width(rows)
    share = sum(len(cells) == width for cells in rows) / max(1, len(rows))
    return (round(share, 2), width) if width > 1 else (0.0, 1)


@functools.cache
def _copy(found: tuple[Dialect, ...]) -> Path:
    import duckdb as engine

    rows = " UNION ALL BY NAME ".join(f"SELECT * FROM {one.sql}" for one in found)
    try:
        names = [quoted(name) for name in found[0].columns]
        copy = written(names, f"({rows})", len(names))
    except engine.InvalidInputException as error:
        raise _undivided(str(error)) from None
    if any(one.text.quotes % 2 for one in found):
        begun = " OR ".join(f"starts_with({quoted(name)}, '\"')" for name in found[0].columns)
        rows = f"SELECT 1 FROM read_parquet({literal(str(copy))}) WHERE {begun} LIMIT 1"
        if duckdb().con.execute(rows).fetchone():
            raise _unclosed()
    return copy


def _undivided(said: str) -> Exception:
    """Say which line does not fall into as many values as the header."""
    line, counts = re.search(r"Line: (\d+)", said), re.search(r"Columns: (\d+) Found: (\d+)", said)
    if "unterminated quote" in said:
        return _unclosed()
    if not (line and counts):
        return ValueError(f"sniffing file: {said}")
    return UserError(
        "Some lines have fewer or more values than others.",
        found=f"line {line[1]}: {counts[2]}",
        expected=f"{counts[1]}, as in the header",
        fix="ask for a new export with the same number of values in every line, or as Parquet",
    )


def _unclosed() -> UserError:
    return UserError(
        "A quote is opened and never closed, so that nobody knows where its value ends.",
        fix='ask for a new export: a " inside a value has to be doubled, and the whole value quoted',
    )


def pattern(file: Path) -> str:
    """Name a file for DuckDB, which takes some characters of a name for patterns."""
    return re.sub(r"[*?]", r"[\g<0>]", str(file))


def _refuse_undivided(name: str, values: Sequence[str]) -> None:
    """Refuse a single column whose name and values all hold the same delimiter."""
    uneven = next((delimiter for delimiter in DELIMITERS if delimiter in name), None)
    if uneven:
        raise UserError(
            "Its lines do not all hold the same number of values.",
            found=f"a single column called {name[:60]}",
            fix="ask for a new export with the same number of values in every line, or as Parquet",
        )
    for delimiter in set(name) & set(RARE_DELIMITERS):
        if values and all(value.count(delimiter) == name.count(delimiter) for value in values):
            raise UserError(
                "Its values are divided by a character that is not recognised.",
                found=delimiter if delimiter > " " else ascii(delimiter),
                expected="a comma, semicolon, tab or |",
                fix=f"name it in the charter, reading: {{delimiter: {delimiter!a}}}, or export it as Parquet",
            )


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
