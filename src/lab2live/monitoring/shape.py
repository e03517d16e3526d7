"""What a column looks like, as counts and nothing else: no real case can be told from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from lab2live.data.encoding import EPOCH
from lab2live.handoff.checking import no_value
from lab2live.reporting.formatting import short

# Into how many parts of equally many cases a number is cut, and how few cases a part holds.
PARTS, FEWEST_IN_PART = 40, 10
# A category rarer than this is counted among the others.
FEWEST_OF_LEVEL, MOST_LEVELS = 20, 30
# Digits of the ends of the parts: they must not be anybody's own number to the last digit.
DIGITS = 4
DAY = np.timedelta64(1, "D")
OTHERS = "(others)"


@dataclass(frozen=True)
class Shape:
    """How the values of one column were distributed.

    Attributes
    ----------
    name
        Of the column.
    kind
        Numbers and dates are cut into parts, categories counted by level.
    ends
        Upper ends of all parts but the last, which is open.
    levels
        Categories that are told apart; what is none of them is `(others)`, counted last.
    counts
        Cases per part or level.
    missing
        Cases without a value.
    """

    name: str
    kind: Literal["number", "category"]
    ends: tuple[float, ...]
    levels: tuple[str, ...]
    counts: tuple[int, ...]
    missing: int

    @property
    def cells(self) -> int:
        """Parts or levels that are counted."""
        return len(self.ends) + 1 if self.kind == "number" else len(self.levels) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """Say what each count is about."""
        if self.kind == "category":
            return (*self.levels, OTHERS)
        return (*(f"up to {short(end)}" for end in self.ends), "above")

    @property
    def tenths(self) -> np.ndarray:
        """Give for every count the group it belongs to: about a tenth of the cases each, or each level by itself."""
        if self.kind == "category":
            return np.arange(self.cells)
        reached = np.cumsum(self.counts) / max(sum(self.counts), 1)
        part = np.minimum(np.floor(10 * reached - 1e-9), 9)
        return np.unique(part, return_inverse=True)[1]

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Give the place of every value among the counts, shape (rows,); `cells` where there is no value."""
        missing = no_value(values)
        if self.kind == "category":
            place = {level: number for number, level in enumerate(self.levels)}
            found = np.array([place.get(str(value), len(self.levels)) for value in values], dtype=int)
        else:
            found = np.searchsorted(np.array(self.ends), np.where(missing, 0.0, values), side="left")
        return np.where(missing, self.cells, found)

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Shape:
        """Read what `to_dict` gave."""
        lists = {name: tuple(kept[name]) for name in ("ends", "levels", "counts")}
        return cls(kept["name"], kept["kind"], **lists, missing=kept["missing"])


def learn(name: str, values: np.ndarray) -> Shape:
    """Describe a column.

    Parameters
    ----------
    name
        Of the column.
    values
        As `as_compared` gives them: floats, or texts and None.
    """
    known = values[~no_value(values)]
    if values.dtype == object:
        levels, counts = np.unique(known.astype(str), return_counts=True)
        order = np.lexsort((levels, -counts))[:MOST_LEVELS]
        told = tuple(sorted(str(levels[place]) for place in order if counts[place] >= FEWEST_OF_LEVEL))
        empty = Shape(name, "category", (), told, (), 0)
    else:
        parts = int(np.clip(len(known) // FEWEST_IN_PART, 1, PARTS))
        quantiles = np.quantile(known, np.linspace(0, 1, parts + 1)[1:-1], method="lower") if len(known) else []
        ends = sorted({float(f"{end:.{DIGITS}g}") for end in quantiles})
        empty = Shape(name, "number", tuple(ends), (), (), 0)
    counted = np.bincount(empty.codes(values), minlength=empty.cells + 1)
    return Shape(name, empty.kind, empty.ends, empty.levels, tuple(counted[:-1].tolist()), int(counted[-1]))


def as_compared(
    read: Mapping[str, np.ndarray], fields: Sequence[Mapping[str, Any]], time: str | None
) -> dict[str, np.ndarray]:
    """Give the columns that are compared, as floats or texts.

    A day as such says little: every batch is newer than the one before. So where cases have a time, other dates count
    in days before it, and the time itself is not compared. Without one, dates are days since 2000-01-01.

    Parameters
    ----------
    read
        See `checking.check`.
    fields
        Of the form.
    time
        The charter's time column.
    """
    start = np.datetime64(EPOCH.replace(tzinfo=None), "us")
    moments = read.get(time) if time is not None else None
    dated = moments is not None and moments.dtype.kind == "M"
    found = {}
    for field in fields:
        name = field["name"]
        if name not in read or name == time:
            continue
        values = read[name]
        if values.dtype.kind == "M":
            values = ((moments - values) if dated else (values - start)) / DAY
        found[name] = values
    return found
