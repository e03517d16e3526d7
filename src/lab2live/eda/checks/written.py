"""What stands in a text column, each text once: the checks of texts share the counting, which costs most."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import pandas as pd

from lab2live.data.sources import reading
from lab2live.eda.checks.survey import Survey

# Texts that mean nothing; to find them is the work of other checks.
NOTHING = frozenset({*(text.casefold() for text in reading.NULLS), "-", "--", "?", ".", "unknown", "missing", "n.a."})

_KNOWN: WeakKeyDictionary[Survey, dict[str, pd.Series]] = WeakKeyDictionary()


def counted(survey: Survey, column: str) -> pd.Series:
    """Count the texts of a column as they are written in the source.

    Returns
    -------
    pandas.Series
        Rows of each text, the most frequent first, index the texts; empty for what is no text.
    """
    known = _KNOWN.setdefault(survey, {})
    if column not in known:
        values = survey.as_written(column)
        counts = pd.Series(dtype=int) if values is None else values.value_counts()
        counts.index = counts.index.map(str)
        known[column] = counts
    return known[column]


def meaningful(survey: Survey, column: str) -> pd.Series:
    """Count the texts of a column without those that mean nothing."""
    counts = counted(survey, column)
    nothing = [text for text in counts.index if text.strip().casefold() in NOTHING]
    return counts.drop(nothing) if nothing else counts


def share(counts: pd.Series, which: pd.Series) -> float:
    """Give the share of rows whose text is among some."""
    return float(counts[which].sum() / max(1, counts.sum()))
