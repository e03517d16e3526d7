"""A look at the user's table with the standard library: its columns, and a first rule as a worked example."""

import csv
import functools
import gzip
import io
import itertools
import math
import re
import statistics
import zlib
from collections import Counter
from pathlib import Path

ROWS = 1000
LIMIT = 20_000_000  # characters, so that a bake stays quick on any file
TEXT_FILES = (".csv", ".tsv", ".txt", ".gz")
OTHER_FILES = (".parquet", ".xlsx", ".xlsm", ".sqlite", ".sqlite3", ".db", ".duckdb", ".ddb")
# What a cell says that holds nothing, written exactly so: `none` may be a class.
BLANK = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None", "<NA>")
MOST_CLASSES = 20
MOST_VALUES = 100  # that are remembered of a column: more than classes, fewer than would take long

csv.field_size_limit(2**31 - 1)  # the default refuses a cell of more than 128 KB


class Table:
    """The header of a text file and some of its rows; of all rows, which values there are.

    `is_whole` says whether those are all: a long file is not read to its end, and lines of another length are left out.
    """

    def __init__(self, header, rows, delimiter):
        self.header, self.delimiter, self.is_whole = header, delimiter, True
        self.seen = [{} for _ in header]
        self.rows = spread(self.fitting(rows))

    def fitting(self, rows):
        """The rows that have a cell for every column, their values remembered on the way."""
        for row in rows:
            if len(row) == len(self.header):
                for seen, cell in zip(self.seen, row, strict=True):
                    if len(seen) < MOST_VALUES:
                        seen[cell] = None
                yield row
            elif row:
                self.is_whole = False

    def column(self, name):
        """Its values in the sample, blank ones as None."""
        place = self.header.index(name)
        return [content(row[place]) for row in self.rows]

    def values(self, name):
        """Its different values in all rows that were read, one spelling of each, without blank ones."""
        cells = map(content, self.seen[self.header.index(name)])
        return list({meaning(cell): cell for cell in cells if cell is not None}.values())

    def kind(self, name):
        """The type that a charter gives this column, or None when it cannot be told for sure."""
        return kind(self.column(name), decimal_comma=self.delimiter != ",")

    def inputs(self, besides):
        """The columns that can be addressed by name and are no answer to the question."""
        return [name for name in self.header if name and self.header.count(name) == 1 and name not in besides]


def is_text(path):
    """Whether a path names a text file whose columns can be read here, unlike folders, Parquet, Excel and addresses."""
    return bool(path) and "://" not in path and path.lower().endswith(TEXT_FILES) and not Path(path).is_dir()


@functools.lru_cache
def read(path):
    """The table behind a path, or None when it is not a text file or cannot be read."""
    if not is_text(path):
        return None
    for encoding in ("utf-8-sig", "latin-1"):
        try:
            with (gzip.open if path.lower().endswith(".gz") else open)(path, "rb") as file:
                text = io.TextIOWrapper(file, encoding=encoding, newline="")
                found = parse(beginning(text))
                if found and text.read(1):
                    found.is_whole = False
                return found
        except UnicodeDecodeError:
            continue
        except (OSError, EOFError, zlib.error, csv.Error):
            return None
    return None


def beginning(lines):
    """The lines up to LIMIT characters, without blank ones in front of the header."""
    size = 0
    for line in lines:
        if size or line.strip():
            size += len(line)
            yield line
        if size > LIMIT:
            return


def parse(lines):
    """Split lines into columns by the delimiter under which the first rows agree best with the header."""
    first = list(itertools.islice(lines, 50))
    if not first:
        return None

    def agreement(delimiter):
        header, *rows = csv.reader(first, delimiter=delimiter)
        alike = sum(len(row) == len(header) for row in rows) / max(1, len(rows))
        return (len(header) > 1, alike, len(header))

    delimiter = max(",;\t|", key=agreement)
    rows = csv.reader(itertools.chain(first, lines), delimiter=delimiter)
    return Table(next(rows), rows, delimiter)


def spread(rows):
    """From ROWS to twice as many rows, evenly spread: files are often sorted, and their first rows are all alike."""
    kept, step = [], 1
    for place, row in enumerate(rows):
        if place % step == 0:
            kept.append(row)
        if len(kept) == 2 * ROWS:
            kept, step = kept[::2], 2 * step
    return kept


def content(cell):
    """What stands in a cell, else None."""
    return None if cell.strip() in BLANK else cell.strip()


def number(text):
    """The number a cell holds, else None."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) and "_" not in text else None


def kind(cells, decimal_comma=False):
    """The type that a charter gives a column with these cells, or None when it cannot be told for sure."""
    filled = [cell for cell in cells if cell is not None]
    if not filled:
        return None
    if all(number(cell) is not None for cell in filled):
        # 007 is a code and no number; so might be whatever the charter calls it
        return None if any(re.match(r"[+-]?0\d", cell) for cell in filled) else "number"
    if {cell.lower() for cell in filled} == {"true", "false"}:
        return "boolean"
    if all(re.fullmatch(r"\d{4}-\d\d-\d\d([ T][\d:.]+Z?)?", cell) for cell in filled):
        return "date"
    if decimal_comma and all(re.fullmatch(r"[+-]?(0|[1-9]\d*)(,\d+)?", cell) for cell in filled):
        return "number"
    if any(number(cell.replace(",", ".")) is not None for cell in filled):
        return None  # numbers with words among them, or a comma in them: that is for the first notebook to say
    return "category" if len(set(filled)) <= MOST_CLASSES else "text"


def classes(cells):
    """The classes of a target, numbers as numbers; nothing when there are too many to be classes."""
    found = sorted({cell for cell in cells if cell is not None})
    if not 2 <= len(found) <= MOST_CLASSES:
        return []
    if all(re.fullmatch(r"-?(0|[1-9]\d*)", cell) for cell in found):
        return sorted(map(int, found))
    return found


def pick_rule(table, problem_type, target, positive_class, not_inputs):
    """The one split of one numeric column that says most about the target.

    Returns a dict: column, split, what to answer above, below and where the value is missing, and what the answers are
    (`share` of a class, `mean`, or `label`); None where no column says anything.
    """
    kind, known, outcome, summary = outcomes(table.column(target), problem_type, positive_class)
    if kind is None:
        return None
    best = None
    for name in table.inputs(besides=not_inputs):
        cells = table.column(name)
        values = [number(cell) for cell in cells]
        filled = [value for value in values if value is not None]
        # One text among the numbers makes it a text column, and half of it blank makes it a poor first example.
        if len(filled) < max(2, len(values) / 2) or len(filled) < sum(cell is not None for cell in cells):
            continue
        pairs = [(value, outcome[row]) for row, value in enumerate(values) if value is not None and row in known]
        for split in (statistics.median(filled), statistics.mean(filled)):  # the mean splits flags that are mostly 1
            split = float(f"{split:.6g}")
            above = [result for value, result in pairs if value > split]
            below = [result for value, result in pairs if value <= split]
            if min(len(above), len(below)) >= max(1, len(pairs) // 20):
                # Weighted by how even the split is: five strange rows make a large difference and a bad rule.
                even = math.sqrt(len(above) * len(below)) / len(pairs)
                differ = even * difference(above, below, kind)
                if differ > 0 and (best is None or differ > best["differ"]):
                    best = {"differ": differ, "column": name, "split": split, "kind": kind}
                    best |= {"above": summary(above), "below": summary(below)}
                break
    if best is None:
        return None
    return best | {"missing": summary([outcome[row] for row in known])}


def outcomes(cells, problem_type, positive_class):
    """What the target's cells mean: the kind of answer, rows with an answer, the answers, and how to sum them up."""
    known = [row for row, cell in enumerate(cells) if cell is not None]
    if problem_type == "regression":
        values = dict(enumerate(map(number, cells)))
        known = [row for row in known if values[row] is not None]
        return ("mean" if known else None), set(known), values, average
    classes = Counter(cells[row] for row in known)
    if len(classes) < 2:
        return None, set(), {}, None
    if len(classes) == 2:
        positive = [name for name in classes if same(name, positive_class)] if positive_class else None
        positive = positive[:1] if positive is not None else [min(sorted(classes), key=classes.__getitem__)]
        values = {row: float(cells[row] in positive) for row in known}
        return ("share" if positive else None), set(known), values, average
    as_numbers = [number(name) for name in classes]
    convert = str
    if None not in as_numbers:
        convert = int if all(name.lstrip("+-").isdigit() for name in classes) else float
    return "label", set(known), {row: convert(cells[row]) for row in known}, most_frequent


def same(cell, answer):
    """Whether a cell and an answer name the same class."""
    return meaning(cell) == meaning(answer.strip())


def meaning(cell):
    """What cells of one class have in common: `1` and `1.0`, `True` and `true` do."""
    value = number(cell)
    return cell.lower() if value is None else value


def average(values):
    return float(f"{statistics.fmean(values):.4g}")


def most_frequent(labels):
    return Counter(sorted(labels)).most_common(1)[0][0]


def difference(above, below, kind):
    """How far apart two groups are: their means, or the share of labels that would have to change."""
    if kind != "label":
        return abs(statistics.fmean(above) - statistics.fmean(below))
    one, other = Counter(above), Counter(below)
    return sum(abs(one[label] / len(above) - other[label] / len(below)) for label in one | other) / 2
