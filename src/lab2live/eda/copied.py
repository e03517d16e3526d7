"""Is a column a cause of the outcome, or written from it? What it knows of all other columns tells."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lab2live.cases import Dataset

# Numbers are held equal in so many stretches of their ranks, and straightened within.
STRETCHES = 20
# Standard errors within which a correlation is none: of one comparison, and of the largest of many.
NONE, NONE_OF_MANY = 2.6, 4.0
# Standard errors from which on there is one.
SOME = 6.0
# A correlation this small is none in tables of any size; relative to what a copy has by way of the outcome.
HARDLY_ANY = 0.15
# Above this, with the outcome held equal, two columns are the same thing: several columns written at once.
SAME = 0.6


def is_copy(data: Dataset, answers: np.ndarray, others: np.ndarray) -> bool:
    """Say whether a column knows of all others only what the outcome knows.

    What is written from the outcome is independent of everything that led to it, once the outcome is held equal: a copy
    with errors knows no more. A cause is not: of two causes of one outcome, given the outcome, one makes the other less
    needed (Pearl 2009, "Causality", section 1.2.3: collider). And what all columns share does not go away.

    Parameters
    ----------
    answers, others
        Shape (rows,): what the column alone, and what all others together, say of cases they have not seen.
    """
    known = np.isfinite(answers) & np.isfinite(others)
    overall = _correlations(answers[known], others[known][:, None])[0]
    error = 1 / np.sqrt(max(known.sum(), 1))
    if overall < SOME * error:
        return False
    held = _held_equal(data, np.column_stack([answers, others]), known)
    return bool(abs(_correlations(held[:, 0], held[:, 1:])[0]) < max(NONE * error, HARDLY_ANY * overall))


def apart(data: Dataset, answers: np.ndarray, others: Mapping[str, np.ndarray]) -> bool:
    """Say whether a column is independent of each single other one, the outcome held equal."""
    found = _given_the_outcome(data, answers, others)
    error = 1 / np.sqrt(max(int(np.isfinite(answers).sum()), 1))
    return bool((np.abs(list(found.values())) < NONE_OF_MANY * error).all()) if found else True


def same_thing(data: Dataset, answers: np.ndarray, others: Mapping[str, np.ndarray]) -> set[str]:
    """Name the columns that say the same, the outcome held equal, such as a date and a reason written at once."""
    return {name for name, value in _given_the_outcome(data, answers, others).items() if abs(value) > SAME}


def _given_the_outcome(data: Dataset, answers: np.ndarray, others: Mapping[str, np.ndarray]) -> dict[str, float]:
    if not others:
        return {}
    columns = np.column_stack([answers, *others.values()])
    known = np.isfinite(columns).all(axis=1)
    held = _held_equal(data, columns, known)
    return dict(zip(others, _correlations(held[:, 0], held[:, 1:]).tolist(), strict=True))


def _held_equal(data: Dataset, columns: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Take out of columns what they owe to the outcome: class by class, or stretch by stretch of a number."""
    values, outcome = columns[known], data.outcome[known].astype(float)
    if data.classes:
        strata = outcome.astype(int)
    else:
        strata = pd.qcut(pd.Series(outcome), STRETCHES, labels=False, duplicates="drop").to_numpy()
    left = np.zeros_like(values)
    for part in np.unique(strata):
        rows = strata == part
        centred = values[rows] - values[rows].mean(axis=0)
        place = outcome[rows] - outcome[rows].mean()
        spread = float(place @ place)
        left[rows] = centred - np.outer(place, place @ centred) / spread if spread > 0 else centred
    return left


def _correlations(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Correlate one column with each of many; 0 where there is nothing to correlate."""
    first, others = one - one.mean(), many - many.mean(axis=0)
    scale = np.sqrt((first @ first) * (others**2).sum(axis=0))
    return np.asarray(np.where(scale > 1e-12, first @ others / np.where(scale > 1e-12, scale, 1), 0.0))
