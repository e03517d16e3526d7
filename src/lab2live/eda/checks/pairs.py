"""Two sources side by side: the rows of both that share a key, numbered so that equal keys have equal numbers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.feature_types import as_days, as_numbers
from lab2live.data.sources.tables import key_text
from lab2live.eda.checks.levels import factorized
from lab2live.eda.checks.survey import Survey
from lab2live.reporting.formatting import amount

if TYPE_CHECKING:
    import ibis.expr.types as ir

# Of large tables the rows of so many keys are fetched: 0.5 % of them is still ten.
SAMPLED_KEYS = 2000
# However many rows those keys have.
MOST_ROWS = 200_000
# Whole numbers up to here are exact as floats.
EXACT = 2.0**53


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one source, with the number of the key of each; -1 where it has none.

    Attributes
    ----------
    times
        How many of the rows each key has, by its number.
    """

    survey: Survey
    frame: pd.DataFrame
    codes: np.ndarray
    times: np.ndarray

    @property
    def unique(self) -> bool:
        """Whether no key has two rows."""
        return bool((self.times <= 1).all())

    def numbers(self, column: str) -> np.ndarray:
        whole = self.frame is self.survey.sample
        return self.survey.numbers[column] if whole else as_numbers(self.frame[column])

    def days(self, column: str) -> np.ndarray:
        return self.survey.days[column] if self.frame is self.survey.sample else as_days(self.frame[column])

    def texts(self, column: str) -> pd.Series:
        """Give the values as texts that are equal when they mean the same word; missing ones stay missing."""
        codes, values = factorized(self.frame[column])
        words = np.array([*(str(value).strip().casefold() for value in values), None], dtype=object)
        return pd.Series(words[codes])

    def first(self) -> np.ndarray:
        """Give the position of the first row of every key, by its number; -1 where it has none."""
        places = np.full(len(self.times), -1)
        filled = np.flatnonzero(self.codes >= 0)[::-1]
        places[self.codes[filled]] = filled
        return places


@dataclass(frozen=True, eq=False)
class Pair:
    """Rows of two sources by their shared key.

    Attributes
    ----------
    keys
        The text of each key, by its number.
    whole
        Whether these are all rows of both.
    basis
        What numbers are said to be of; empty when it is everything.
    """

    first: Rows
    second: Rows
    keys: pd.Index
    whole: bool
    basis: str

    def partners(self) -> tuple[np.ndarray, np.ndarray]:
        """Pair every row of the second source with the row of the first, where that has one row for the key.

        Returns
        -------
        ours, theirs
            Positions in the rows of the first and of the second source, in the order of the second.
        """
        lookup = np.where(self.first.times == 1, self.first.first(), -1)
        places = np.where(self.second.codes >= 0, lookup[self.second.codes], -1)
        theirs = np.flatnonzero(places >= 0)
        return places[theirs], theirs

    def shared(self) -> list[str]:
        """Name the columns that both have and that are no keys."""
        keys = self.first.survey.identifiers | self.second.survey.identifiers
        return [name for name in self.second.survey.facts if name in self.first.survey.facts and name not in keys]


def pairs(charter: Charter, surveys: Sequence[Survey]) -> list[Pair]:
    """Pair the base with every other source, and the others among themselves; the base comes first.

    A source without the join keys is in no pair.
    """
    on = tuple(charter.join_keys)
    joinable = [one for one in surveys if on and set(on) <= set(one.facts)]
    ordered = sorted(joinable, key=lambda one: one.name != charter.base.name)
    return [pair(first, second, on) for place, first in enumerate(ordered) for second in ordered[place + 1 :]]


def with_base(charter: Charter, surveys: Sequence[Survey]) -> list[tuple[Survey, Survey]]:
    """Give the base beside every other source that has the join keys."""
    on = charter.join_keys
    joinable = [one for one in surveys if on and set(on) <= set(one.facts)]
    base = next((one for one in joinable if one.name == charter.base.name), None)
    return [] if base is None else [(base, one) for one in joinable if one is not base]


@functools.lru_cache(maxsize=8)  # several checks ask for the same few pairs, one after the other
def pair(first: Survey, second: Survey, on: tuple[str, ...]) -> Pair:
    """Bring rows of two tables together: all of small ones, those of some keys of large ones.

    Parameters
    ----------
    first, second
        May also be a source and its own earlier extract.
    on
        Key columns, in both.

    Returns
    -------
    Pair
    """
    whole = first.complete and second.complete
    if whole:
        ours, theirs = first.sample, second.sample
    else:
        wanted = second.sample.dropna(subset=list(on))[on[0]].drop_duplicates()
        wanted = wanted.sample(min(SAMPLED_KEYS, len(wanted)), random_state=0)
        ours, theirs = rows_of(first, on[0], wanted), rows_of(second, on[0], wanted)
    codes, keys = numbered(ours[list(on)], theirs[list(on)])
    before, after = codes[: len(ours)], codes[len(ours) :]
    return Pair(
        Rows(first, ours, before, np.bincount(before[before >= 0], minlength=len(keys))),
        Rows(second, theirs, after, np.bincount(after[after >= 0], minlength=len(keys))),
        keys,
        whole,
        "" if whole else f" (among the rows of {amount(len(wanted), 'key')} drawn at random)",
    )


def rows_of(survey: Survey, key: str, wanted: pd.Series) -> pd.DataFrame:
    """Fetch the rows that have one of some keys, whatever type the engine stores them as."""
    if survey.complete:
        column = survey.sample[key]
        alike = column.dtype == wanted.dtype
        return survey.sample[column.isin(wanted) if alike else key_text(column).isin(key_text(wanted))]
    table = survey.table
    if table[key].type().is_string() == (wanted.dtype == object):
        chosen = table.filter(table[key].isin(wanted.tolist()))
    else:
        chosen = table.filter(as_text(table[key]).isin(key_text(wanted).tolist()))
    return chosen.limit(MOST_ROWS).to_pandas()


def as_text(column: Any) -> ir.StringValue:
    """Write keys inside the engine the way `key_text` does: 7 and 7.0 are one key, 007 is another."""
    if column.type().is_string():
        return column.strip()
    text = column.cast("string")
    return text if column.type().is_integer() else text.re_replace(r"\.0+$", "")


def numbered(ours: pd.DataFrame, theirs: pd.DataFrame) -> tuple[np.ndarray, pd.Index]:
    """Number the keys of two frames alike.

    Returns
    -------
    codes, keys
        One number for each row of both, -1 where a part of the key is missing; the key of each number, as text.
    """
    columns = [_comparable(ours[name], theirs[name]) for name in ours]
    if len(columns) > 1:
        columns = [_joined([_written(column) for column in columns])]
    codes, keys = factorized(columns[0])
    return codes, pd.Index(_written(pd.Series(keys)))


def _comparable(ours: pd.Series, theirs: pd.Series) -> pd.Series:
    """Put two columns of keys into one, in which equal keys are equal values."""
    both = (ours, theirs)
    plain = all(isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf" for column in both)
    if ours.dtype != theirs.dtype and not (plain and all((column.abs() < EXACT).all() for column in both)):
        both = (key_text(ours), key_text(theirs))
    return pd.concat(both, ignore_index=True)


def _written(column: pd.Series) -> pd.Series:
    """Write keys out; texts stay exactly what they are."""
    plain = pd.api.types.infer_dtype(column, skipna=True) == "string"
    return column.astype(object) if plain else key_text(column).astype(object)


def _joined(columns: Sequence[pd.Series]) -> pd.Series:
    first, *others = columns
    together = first.astype(object)
    for other in others:
        together = together + " / " + other.astype(object)  # missing where one of them is
    return together
