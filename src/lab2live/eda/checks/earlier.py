"""Which row of the earlier extract a row is: by key, or by position where there is none."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from lab2live.data.sources.tables import key_text
from lab2live.eda.checks.survey import Survey

Pairs = tuple[np.ndarray, np.ndarray]
NOTHING = np.array([], dtype=int)

_KNOWN: WeakKeyDictionary[Survey, Pairs] = WeakKeyDictionary()


def pairs(survey: Survey) -> Pairs:
    """Pair the sampled rows of a source with those of its earlier extract.

    Parameters
    ----------
    survey
        A key that repeats (the customer of an invoice) is told apart by its place among the rows of the same key,
        where both extracts hold as many.

    Returns
    -------
    now, then
        Positions in both samples; empty when rows cannot be told apart.
    """
    if survey not in _KNOWN:
        _KNOWN[survey] = _pairs(survey)
    return _KNOWN[survey]


def _pairs(survey: Survey) -> Pairs:
    before = survey.earlier
    if before is None:
        return NOTHING, NOTHING
    codes = keys(survey)
    if codes is None:
        same = survey.complete and before.complete and survey.rows == before.rows
        return (np.arange(survey.rows), np.arange(survey.rows)) if same else (NOTHING, NOTHING)
    sides = []
    for one, code in zip((survey, before), codes, strict=True):
        place = pd.Series(code).groupby(code).cumcount().to_numpy()
        times = np.bincount(code + 1, minlength=int(max(side.max() for side in codes)) + 2)[code + 1]
        # a part of the rows of a repeated key says nothing about which is which
        usable = np.flatnonzero((code >= 0) & ((times == 1) | one.complete))
        sides.append((usable, pd.MultiIndex.from_arrays([code[usable], place[usable], times[usable]])))
    (now, names), (then, old_names) = sides
    found = old_names.get_indexer(names)
    return now[found >= 0], then[found[found >= 0]]


def keys(survey: Survey) -> Pairs | None:
    """Number the keys of a source and of its earlier extract alike; -1 for none.

    Returns
    -------
    now, then
        One number for each sampled row; `None` without a key in both.
    """
    before = survey.earlier
    if before is None or survey.key is None or survey.key not in before.facts:
        return None
    sides = [survey.sample[survey.key], before.sample[survey.key]]
    if sides[0].dtype != sides[1].dtype or (sides[0].dtype == object and not all(map(_is_text, sides))):
        sides = [key_text(side) for side in sides]
    codes, _ = pd.factorize(pd.concat(sides, ignore_index=True))
    return codes[: len(sides[0])], codes[len(sides[0]) :]


def _is_text(column: pd.Series) -> bool:
    return pd.api.types.infer_dtype(column, skipna=True) in ("string", "empty")
