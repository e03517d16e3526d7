"""Is a column a cause of the outcome, or written from it? What it knows of all other columns tells."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lab2live.data.dataset import Dataset

# Numbers are held equal in so many stretches of their ranks, and straightened within.
STRETCHES = 20
# Standard errors within which a correlation is none: of one comparison, and of the largest of many.
NONE, NONE_OF_MANY = 3.0, 4.0
# Standard errors from which on there is one.
SOME = 6.0
# A correlation this small is none in tables of any size; relative to what a copy has by way of the outcome.
HARDLY_ANY = 0.2
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
    overall = correlations(answers[known], others[known][:, None])[0]
    if overall < SOME / np.sqrt(max(known.sum(), 1)):
        return False
    held = _held_equal(data, np.column_stack([answers, others]), known)
    inside, errors = correlations(held[:, 0], held[:, 1:])[0], _errors(held[:, 0], held[:, 1:])[0]
    return bool(abs(errors) < NONE or abs(inside) < HARDLY_ANY * overall)


def apart(data: Dataset, answers: np.ndarray, others: Mapping[str, np.ndarray]) -> bool:
    """Say whether a column is independent of each single other one, the outcome held equal."""
    held = _given_the_outcome(data, answers, others)
    return bool((np.abs(_errors(held[:, 0], held[:, 1:])) < NONE_OF_MANY).all())


def same_thing(data: Dataset, answers: np.ndarray, others: Mapping[str, np.ndarray]) -> set[str]:
    """Name the columns that say the same, the outcome held equal, such as a date and a reason written at once."""
    held = _given_the_outcome(data, answers, others)
    alike = np.abs(correlations(held[:, 0], held[:, 1:]))
    return {name for name, value in zip(others, alike, strict=True) if value > SAME}


def _given_the_outcome(data: Dataset, answers: np.ndarray, others: Mapping[str, np.ndarray]) -> np.ndarray:
    columns = np.column_stack([answers, *others.values()])
    return _held_equal(data, columns, np.isfinite(columns).all(axis=1))


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


def correlations(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Correlate one column with each of many; 0 where there is nothing to correlate."""
    first, others = one - one.mean(), many - many.mean(axis=0)
    scale = np.sqrt((first @ first) * (others**2).sum(axis=0))
    return np.asarray(np.where(scale > 1e-12, first @ others / np.where(scale > 1e-12, scale, 1), 0.0))


def _errors(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Give covariances in units of their standard errors, robust to spreads that differ (White 1980).

    A copy varies mostly within one class, and others may do the same.
    """
    products = one[:, None] * many
    scale = np.sqrt((products**2).sum(axis=0))
    return np.asarray(np.where(scale > 1e-12, products.sum(axis=0) / np.where(scale > 1e-12, scale, 1), 0.0))
