"""Columns drawn from what a charter says about them: their types, limits, shares, and the roles they play."""

from __future__ import annotations

import difflib
import re
import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lab2live.charter.schema import ALIASES, TYPES, Charter, Column, Source
from lab2live.data.encoding import label
from lab2live.errors import UserError

# What a name tells about a column that is not described any further.
HINTS = (
    (r"(^|_)age($|_)", Column(type="integer", min=18, max=90)),
    (r"(^|_)(amount|price|cost|fee|income|salary|revenue|balance|hours|days|months|tenure)", Column(min=0, mean=50)),
    (r"date|(^|_)(day|month)$|_(on|at)$", Column(type="date")),
    (r"^(is|has)_", Column(type="boolean")),
    (r"(^|_)(count|number|quantity)($|_)|^(num|n)_", Column(type="integer", min=0, mean=3)),
    (r"(^|_)(name|street|address|city|email)($|_)", Column(type="text")),
)  # fmt: skip
LEVELS = ("A", "B", "C", "D")
# The last day of simulated dates, and how many days they cover: fixed, so that the same charter gives the same files.
LAST_DAY = "2026-08-01"
DAYS = 730
# Rows per key where a source has many: gamma-Poisson, so that some cases have none and some have many.
COUNT_SHAPE, COUNT_SCALE = 2.0, 1.5
LARGEST_INTEGER = 2.0**53
FIRST = [
    "Ada",
    "Ben",
    "Chloe",
    "Daniel",
    "Elif",
    "Farid",
    "Grace",
    "Hugo",
    "Ines",
    "Jonas",
    "Kofi",
    "Lena",
    "Mei",
    "Omar",
]
LAST = ["Abel", "Brandt", "Costa", "Dubois", "Evans", "Fischer", "Haddad", "Ivanov", "Kim", "Lopez", "Novak", "Okoye"]
STREETS = ["Mill", "Oak", "Station", "Church", "Garden", "Harbour", "Market", "School", "Bridge", "River"]
CITIES = ["Northfield", "Eastham", "Westbrook", "Southport", "Lakeside", "Hillcrest", "Riverton", "Ashford"]
WORDS = ["asked", "about", "order", "late", "delivery", "bill", "unclear", "contract", "broken", "call", "soon"]


@dataclass(frozen=True)
class Part:
    """One column to draw: its kind, what is said about it, where that stands, and whether anybody said it."""

    kind: str
    column: Column
    where: str
    described: bool = True


def stream(seed: int, *names: str) -> np.random.Generator:
    """Give every column a stream of its own: another column in the charter must not change it."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode("utf-8", "replace")) for name in names)])


def parts(charter: Charter, source: Source) -> dict[str, Part]:
    """List the columns of a source: those described, and those that the charter only names.

    Raises
    ------
    UserError
        If a column is of a type that nobody can draw.
    """
    names = [*charter.join_keys, source.key, *source.columns, *source.critical, source.date_column, *source.expected]
    used = _aggregated(source)
    names += used
    prediction = charter.prediction
    if source is charter.base:
        elsewhere = {name for other in charter.sources if other is not source for name in mentioned(other)}
        plain = [prediction.id_column, prediction.time_column, prediction.group_column, *prediction.annotators]
        plain += [*prediction.immutable, *prediction.direction, *prediction.sensitive]
        names += [name for name in plain if name not in elsewhere and name not in prediction.derived]
    if source is target_source(charter) and prediction.target not in source.aggregate:
        names.append(prediction.target)
    return {name: _part(charter, source, name, name in used) for name in dict.fromkeys(names) if name is not None}


def mentioned(source: Source) -> set[str]:
    """Give the columns that the charter says a source has or gives."""
    return {*source.columns, *source.critical, *source.expected, *source.aggregate, *_aggregated(source)}


def target_source(charter: Charter) -> Source:
    """Say which source knows the outcome: the one that says so, else the base."""
    found = [source for source in charter.sources if charter.prediction.target in mentioned(source)]
    return charter.base if charter.base in found or not found else found[0]


def identifiers(charter: Charter, source: Source) -> list[str]:
    """Give the columns of a source that name something: its keys, and the case."""
    named = [*charter.join_keys, source.key, charter.prediction.id_column if source is charter.base else None]
    return list(dict.fromkeys(name for name in named if name is not None))


def _aggregated(source: Source) -> list[str]:
    """Read the columns that the charter's own SQL needs; what cannot be parsed is reported when it is run."""
    import sqlglot

    found: list[str] = []
    for expression in source.aggregate.values():
        try:
            found += [
                column.name for column in sqlglot.parse_one(expression, read="duckdb").find_all(sqlglot.exp.Column)
            ]
        except sqlglot.errors.SqlglotError:
            continue
    return found


def _part(charter: Charter, source: Source, name: str, in_sql: bool) -> Part:
    prediction = charter.prediction
    where = f"{charter.file}, field `sources ({source.name}).columns.{name}`"
    column = source.columns.get(name, Column())
    listed = source.expected.get(name)
    if column.values is None and isinstance(listed, list) and listed:
        column = column.model_copy(update={"values": listed})
    if name in charter.identifiers or name == source.key:
        return Part("integer" if _kind(column.type, where) in ("integer", "number") else "id", column, where)
    if name in (prediction.target, *prediction.annotators):
        kind = "category" if prediction.problem_type == "classification" else _kind(column.type, where) or "number"
        said = column.model_copy(update={"missing": None, "unit": None}) != Column()
        return Part(kind, column, where, said or name in prediction.annotators)
    if column.values is not None:
        return Part("category", column, where)
    if column.type is None and (column.min, column.max, column.mean) == (None, None, None):
        hint = next((hint for pattern, hint in HINTS if re.search(pattern, name.lower())), None)
        if name == prediction.group_column:
            hint = Column(type="id")
        elif name in (prediction.time_column, source.date_column):
            hint = Column(type="date")
        elif hint is None:
            hint = Column(type="number" if in_sql or name in prediction.direction or column.unit else "category")
        column = hint.model_copy(update={"missing": column.missing})
        return Part(_kind(column.type, where) or "number", column, where, False)
    return Part(_kind(column.type, where) or "number", column, where)


def _kind(given: str | None, where: str) -> str | None:
    if given is None:
        return None
    kind = TYPES.get(re.split(r"[^a-z]", given.strip().lower())[0])
    if kind is None:
        close = difflib.get_close_matches(given.lower(), TYPES, n=1)
        raise UserError(
            "This type of column cannot be simulated.",
            where=f"{where.removesuffix('`')}.type`",
            found=given,
            expected=", ".join(ALIASES),
            fix=f"type: {TYPES[close[0]] if close else 'text'}, or declare its `values`",
        )
    return kind


def draw(part: Part, name: str, rows: int, random: np.random.Generator) -> pd.Series:
    """Draw one column, without gaps."""
    column = part.column
    if part.kind == "category":
        levels, shares = levels_of(column)
        return pd.Series(levels.to_numpy()[random.choice(len(levels), rows, p=shares)], name=name)
    if part.kind == "date":
        days = np.datetime64(LAST_DAY) - random.integers(0, DAYS, rows).astype("timedelta64[D]")
        return pd.Series(days.astype("datetime64[us]"), name=name)
    if part.kind == "boolean":
        share = column.mean if column.mean is not None and 0 <= column.mean <= 1 else 0.5
        return pd.Series(random.random(rows) < share, name=name)
    if part.kind == "text":
        return pd.Series(_texts(name.lower(), rows, random), name=name, dtype=object)
    if part.kind == "id":  # not a key: the names of some groups
        return pd.Series(
            new_ids(name, max(2, rows // 10), random)[random.integers(0, max(2, rows // 10), rows)], name=name
        )
    return pd.Series(_numbers(column, rows, random, part.kind == "integer"), name=name)


def levels_of(column: Column) -> tuple[pd.Series, np.ndarray]:
    """Give the values of a category and their shares; a list without shares becomes rarer from value to value."""
    given = column.values if column.values is not None else list(LEVELS)
    weights = list(given.values()) if isinstance(given, dict) else [1 / np.sqrt(n + 1) for n in range(len(given))]
    levels = list(given)
    plain = {type(level) for level in levels}
    if not (plain <= {int, float} or plain == {bool}):
        levels = [label(level) for level in levels]
    return pd.Series(levels), np.asarray(weights, dtype=float) / sum(weights)


def new_ids(name: str, rows: int, random: np.random.Generator) -> np.ndarray:
    """Make up identifiers like C000123: a letter of the column's name, and digits that do not count the rows."""
    letter = next((letter for letter in name.upper() if letter.isascii() and letter.isalpha()), "X")
    digits = max(6, len(str(10 * rows)))
    return np.array([f"{letter}{number:0{digits}d}" for number in distinct(rows, random)], dtype=object)


def distinct(rows: int, random: np.random.Generator) -> np.ndarray:
    """Draw different whole numbers out of ten times as many, never in order."""
    return random.choice(max(10 * rows, 100), rows, replace=False) + 1


def centre(column: Column) -> tuple[float, float]:
    """Give mean and standard deviation of a number, from whatever the charter says about it."""
    low, high, mean = column.min, column.max, column.mean
    if low is not None and high is not None:
        middle = mean if mean is not None else low / 2 + high / 2
        return middle, max(min(high / 6 - low / 6, (middle - low) / 2, (high - middle) / 2), 0.0)
    if mean is None:
        mean = (
            low + max(10.0, abs(low)) if low is not None else high - max(10.0, abs(high)) if high is not None else 0.0
        )
    edge = low if low is not None else high
    return mean, abs(mean - edge) / 2 if edge is not None else abs(mean) / 4 or 1.0


def _numbers(column: Column, rows: int, random: np.random.Generator, whole: bool) -> np.ndarray:
    """Draw from a beta between two limits, a gamma from one, a normal without; counts when small and whole."""
    low, high, (mean, sd) = column.min, column.max, centre(column)
    with np.errstate(over="ignore", invalid="ignore"):
        if sd == 0:
            values = np.full(rows, mean)
        elif low is not None and high is not None:
            place = mean / (high - low) - low / (high - low) if np.isfinite(high - low) else 0.5
            part = random.beta(5 * place, 5 * (1 - place), rows)
            values = low * (1 - part) + high * part
        elif whole and low is not None:
            values = low + random.poisson(random.gamma(2, min(mean - low, 1e12) / 2, rows))
        elif low is not None:
            values = low + random.gamma(2, (mean - low) / 2, rows)
        elif high is not None:
            values = high - random.gamma(2, (high - mean) / 2, rows)
        else:
            values = random.normal(mean, sd, rows)
    return tidy(column, values, sd, whole)


def tidy(column: Column, values: np.ndarray, sd: float, whole: bool) -> np.ndarray:
    """Keep numbers within their limits, and round them as somebody would have measured them."""
    if not whole:
        values = values.round(int(np.clip(3 - np.floor(np.log10(sd)), 0, 12))) if 0 < sd < np.inf else values
        return np.clip(values, column.min, column.max) if (column.min, column.max) != (None, None) else values
    low = (
        -LARGEST_INTEGER
        if column.min is None
        else float(np.clip(np.ceil(column.min), -LARGEST_INTEGER, LARGEST_INTEGER))
    )
    high = LARGEST_INTEGER if column.max is None else float(np.clip(np.floor(column.max), low, LARGEST_INTEGER))
    return np.clip(np.rint(values), low, max(low, high)).astype("int64")


def _texts(name: str, rows: int, random: np.random.Generator) -> np.ndarray:
    def pick(words: list[str]) -> np.ndarray:
        return np.array(words, dtype=object)[random.integers(0, len(words), rows)]

    if "email" in name:
        return np.char.lower((pick(FIRST) + "." + pick(LAST)).astype(str)).astype(object) + "@example.org"
    if "city" in name:
        return pick(CITIES)
    if "street" in name or "address" in name:
        numbers = random.integers(1, 120, rows).astype(str).astype(object)
        return numbers + " " + pick(STREETS) + " Street" + (", " + pick(CITIES) if "address" in name else "")
    if "name" in name:
        return pick(FIRST) + " " + pick(LAST)
    return pick(WORDS) + " " + pick(WORDS) + " " + pick(WORDS) + " " + pick(WORDS)


def with_gaps(column: pd.Series, share: float | None, random: np.random.Generator) -> pd.Series:
    """Empty a share of the cells; numbers stay numbers, and truth values truth values."""
    if not share:
        return column
    nullable = column.convert_dtypes() if column.dtype.kind in "ib" else column
    return nullable.mask(random.random(len(column)) < share)
