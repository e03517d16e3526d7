"""A part of a column in another unit, seen with the help of what the other columns say about it (L4d)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from lab2live.eda.checks.levels import factorized
from lab2live.eda.checks.shifted import FEWEST, LARGE, SMALL, Copy, scaled_part
from lab2live.eda.checks.survey import Survey

FACTORS = (*LARGE, *SMALL)
# A category explains a number if it takes away this much of its variance.
EXPLAINS = 0.2
MOST_LEVELS = 50
# In very wide tables only the first columns are asked what they let expect of the others.
MOST_WITNESSES = 60
# Rows of a copy are at least this part of the factor away from the middle, and other columns help for large ones only.
NEAR, LARGEST_HELPED = 0.6, 100.0
# Of more rows than these some are enough to see a copy; all are counted once it is seen.
MOST_ROWS = 5000
# A key has several rows if it has fewer different values than this share of the rows.
REPEATED = 0.6


@dataclass(frozen=True)
class Others:
    """What the columns of a source can say about one of them.

    Attributes
    ----------
    levels
        Categories as codes, -1 for missing.
    keys
        The key of each row as a code, if keys have several rows.
    logs
        Logarithms of the numbers.
    """

    levels: Mapping[str, np.ndarray]
    keys: np.ndarray | None
    logs: Mapping[str, np.ndarray]


def others_of(survey: Survey) -> Others:
    """Prepare the columns of a source for `rescaled`."""
    few = [
        name
        for name, known in survey.facts.items()
        if 2 <= known.distinct <= MOST_LEVELS and name not in survey.identifiers
    ]
    repeated = survey.key is not None and survey.facts[survey.key].distinct < REPEATED * survey.rows
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = {
            name: np.log(np.abs(values)) for name, values in survey.numbers.items() if name not in survey.identifiers
        }
    return Others(
        {name: factorized(survey.sample[name])[0] for name in few},
        factorized(survey.sample[survey.key])[0] if repeated else None,
        logs,
    )


def rescaled(survey: Survey, name: str, others: Others) -> Copy | None:
    """Look for a scaled copy of a part of a column in the column, and in what other columns leave open of it.

    Parameters
    ----------
    survey, name
        Which column.
    others
        From `others_of`.
    """
    values, logs = survey.numbers[name], others.logs[name]
    known = np.isfinite(logs)
    if known.sum() < 10 * FEWEST:
        return None
    some = np.arange(0, len(values), -(-len(values) // MOST_ROWS))
    away = np.abs(logs[some][known[some]] - np.median(logs[known]))
    if len(away) <= FEWEST:
        return None
    # how far the eighth-farthest value is away: a factor that takes values farther cannot be meant
    reach = float(np.partition(away, -FEWEST)[-FEWEST])
    for location, factors in _expected(survey, name, others, reach):
        if scaled_part(values[some], None if location is None else location[some], factors) is None:
            continue
        copy = scaled_part(values, location, factors)
        if copy is not None and not _explained(copy, name, others):
            return copy
    return None


def _explained(copy: Copy, name: str, others: Others) -> bool:
    """Say whether some category is what sets the part apart: laptops cost a hundred times what pencils do."""
    for other, codes in others.levels.items():
        filled = codes >= 0
        total = np.bincount(codes[filled])
        inside = np.bincount(codes[filled & copy.rows], minlength=len(total))
        mostly = inside > 0.5 * total
        if other != name and inside[mostly].sum() > 0.5 * inside.sum():
            return True
    return False


def _expected(
    survey: Survey, name: str, others: Others, reach: float
) -> Iterator[tuple[np.ndarray | None, tuple[float, ...]]]:
    """Say what to expect of a value: nothing, or what its key's other rows, its category, another number let expect."""
    logs = others.logs[name]
    if reach > NEAR * np.log(LARGE[0]):
        yield None, LARGE
    if others.keys is not None:
        yield _medians(logs, others.keys), FACTORS
    if reach < NEAR * np.log(LARGEST_HELPED):
        return
    known = np.isfinite(logs)
    variance = float(np.var(logs[known]))
    best, kept = EXPLAINS * variance, None
    for other, codes in islice(others.levels.items(), MOST_WITNESSES):
        number = np.bincount(codes[known] + 1)
        mean = np.bincount(codes[known] + 1, weights=logs[known]) / np.maximum(number, 1)
        between = float((number * (mean - logs[known].mean()) ** 2).sum() / known.sum())
        if other != name and between > best:
            best, kept = between, codes
    if kept is not None:
        yield _medians(logs, kept), LARGE
    for other, theirs in islice(others.logs.items(), MOST_WITNESSES):
        usable = known & np.isfinite(theirs)
        if other == name or survey.facts[other].distinct <= MOST_LEVELS or usable.sum() < 10 * FEWEST:
            continue
        middle, spread = theirs[usable].mean(), float(np.var(theirs[usable]))
        if spread == 0:
            continue
        slope = float(np.mean((theirs[usable] - middle) * (logs[usable] - logs[usable].mean()))) / spread
        if slope**2 * spread > EXPLAINS * np.var(logs[usable]):
            yield np.where(usable, slope * (np.where(usable, theirs, 0.0) - middle), np.nan), (100.0, 1000.0)


def _medians(logs: np.ndarray, codes: np.ndarray) -> np.ndarray:
    finite = pd.Series(np.where(np.isfinite(logs), logs, np.nan))
    return finite.groupby(codes).transform("median").to_numpy()
